"""How a broker makes sessions: the form, and the ways from a form to a session."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from sangam.model.errors import SessionExpired

from .operation import Ctx, Operation, Request, Session


class FieldKind(StrEnum):
    TEXT = "text"
    SECRET = "secret"  # noqa: S105 - the kind of a form field
    TOTP = "totp"
    """The secret of an authenticator app: kept once, and turned into today's six digits at each login."""


@dataclass(frozen=True)
class LoginField:
    """One thing the user must supply; `name` is its key in `Session.secrets`.

    `daily` fields are what a login yields (today's access token): they may be pasted, and are asked for only where the
    user pastes them; all others are kept with the account."""

    name: str
    label: str
    kind: FieldKind = FieldKind.SECRET
    required: bool = True
    daily: bool = False


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a login gave. `secrets` and `hosts` join those of the account; `client_id` is who the broker says it is;
    `expires_at` (epoch ms) replaces the hour of the broker's table where the broker tells one."""

    secrets: Mapping[str, str]
    client_id: str
    hosts: Mapping[str, str] = {}
    expires_at: int | None = None


@dataclass(frozen=True)
class Redirect:
    """A login on the broker's own page that sends the browser back to us.

    `url(session, state, back)` is where the user goes: `state` is our signed text, `back` the address of our callback.
    `echoes_state` says that the broker returns `state`. `exchange` turns the callback's parameters into a grant. The
    sessions given here hold what the account keeps, before any login. `needs` names kept fields that only this way
    requires. `prepare` is asked first where the broker wants to be told of a login before its page is opened; what it
    answers joins the session's secrets until the login ends. `brings` is the parameter that carries the token, for
    programs that hand on nothing else."""

    url: Callable[[Session, str, str], str]
    exchange: Callable[[Session, Mapping[str, str], Ctx], Operation[Grant]]
    echoes_state: bool = False
    needs: tuple[str, ...] = ()
    prepare: Callable[[Session, Ctx], Operation[Mapping[str, str]]] | None = None
    brings: str = ""


class Asks(msgspec.Struct, frozen=True):
    """A login step that is not the last: what to ask the user next, and what the next step must remember."""

    fields: tuple[LoginField, ...]
    carried: Mapping[str, str] = {}


@dataclass(frozen=True)
class Steps:
    """A login by calls. `asks` are the first step's questions (none where the kept fields suffice); each `run` gets the
    answers and what the step before carried, and ends with a grant or with further questions.

    `automatic` says that the kept fields alone suffice (an authenticator's secret is kept), so that the house may log
    in by itself every morning."""

    run: Callable[[Session, Mapping[str, str], Mapping[str, str], Ctx], Operation[Grant | Asks]]
    asks: tuple[LoginField, ...] = ()
    automatic: bool = False


def ended(request: Request) -> Operation[None]:
    """A logout; a session that had ended already is out, too."""
    try:
        yield request
    except SessionExpired:
        return


@dataclass(frozen=True)
class Login:
    """How a session is made: by pasting the daily fields, by redirect, by steps; a broker may offer several ways.

    `check` is one harmless call that proves a session and tells the client id. `renew` prolongs a session where the
    broker offers it; `logout` ends it there."""

    fields: tuple[LoginField, ...]
    check: Callable[[Session, Ctx], Operation[str]]
    redirect: Redirect | None = None
    steps: Steps | None = None
    renew: Callable[[Session, Ctx], Operation[Grant]] | None = None
    logout: Callable[[Session, Ctx], Operation[None]] | None = None

    @property
    def kept(self) -> tuple[LoginField, ...]:
        return tuple(field for field in self.fields if not field.daily)

    @property
    def daily(self) -> tuple[LoginField, ...]:
        return tuple(field for field in self.fields if field.daily)
