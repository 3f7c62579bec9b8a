"""Credentials, headers, and the way to a session (portal: Authentication)."""

import base64
import hashlib
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from sangam.brokers.contract import (
    Ctx,
    FieldKind,
    Grant,
    Login,
    LoginField,
    Operation,
    Redirect,
    Request,
    Session,
    WireRequest,
    ended,
)
from sangam.model.errors import InvalidInput, Unknown

from .answers import LOGIN as EXCHANGE
from .answers import read
from .tables import HOSTS, TITLE


class _Granted(msgspec.Struct, rename="camel"):
    user_session: str


class _Profile(msgspec.Struct, rename="camel"):
    client_id: str = ""


class _Claims(msgspec.Struct):
    preferred_username: str = ""


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {session.secrets['access_token']}"}


def client_of(token: str) -> str:
    """Who the broker says a session is of: a claim of its JWT. Raises Unknown."""
    try:
        claims = token.split(".")[1]
        text = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))
        client = msgspec.json.decode(text, type=_Claims).preferred_username
    except (IndexError, ValueError, RecursionError):  # binascii's and msgspec's errors are ValueErrors
        client = ""
    if not client:
        raise Unknown(f"{TITLE}: the session's token does not tell whose it is.")
    return client


def _check(session: Session, ctx: Ctx) -> Operation[str]:
    """The profile proves the token, which says whose it is; the profile's own client id may be masked."""
    told = yield Request(method="GET", host="api", path="/profile", lane="profile")
    read(told, _Profile, "the profile")
    return client_of(session.secrets["access_token"])


def _page(session: Session, state: str, back: str) -> str:
    query = {"v": "1", "appkey": session.secrets["api_key"], "redirecturl": back}
    return f"{session.host('login', HOSTS).rstrip('/')}/?{urlencode(query)}"


def _exchange(session: Session, callback: Mapping[str, str], ctx: Ctx) -> Operation[Grant]:
    """The parameters have been seen in lower case, too."""
    brought = {name.casefold(): value for name, value in callback.items()}
    client, code = brought.get("clientid", ""), brought.get("authcode", "")
    if not client or not code:
        raise InvalidInput(f"{TITLE} sent no authCode with a clientId: the login was not finished. Start it again.")
    proof = hashlib.sha256(f"{client}{code}{session.secrets['api_secret']}".encode()).hexdigest()
    form = {"checkSum": proof}
    told = yield Request(
        method="POST", host="api", path=EXCHANGE, json=form, auth="none", effect="write", lane="session"
    )
    token = read(told, _Granted, "the answer to the login").user_session
    return Grant(secrets={"access_token": token}, client_id=client_of(token))


def _logout(session: Session, ctx: Ctx) -> Operation[None]:
    yield from ended(Request(method="POST", host="api", path="/profile/logout", effect="write", lane="logout"))


LOGIN = Login(
    fields=(
        LoginField("api_key", "App key", FieldKind.TEXT),
        LoginField("api_secret", f"App secret (to log in by {TITLE}'s page)", required=False),
        LoginField("access_token", "userSession (today's)", daily=True),
    ),
    check=_check,
    redirect=Redirect(url=_page, exchange=_exchange, needs=("api_secret",)),
    logout=_logout,
)
