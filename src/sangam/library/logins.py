"""From what a program knows of a login to a session, by the broker's own table."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec

from sangam.accounts.forms import Secrets, check_hosts, is_code
from sangam.accounts.ways import Way, checked, choose, codes
from sangam.brokers.contract import Asks, BrokerSpec, Ctx, FieldKind, Grant, Operation, Session
from sangam.logs import redactor
from sangam.model.clock import Clock
from sangam.model.errors import InvalidInput

_STATE = "sangam-library"
"""Nobody asks for it again; some pages want eight characters at least."""


class Tokens(NamedTuple):
    """What a login gave: the (first) token of the broker's table, and the feed's where there is one of its own."""

    access: str
    feed: str | None


class Logins:
    """The sessions of one account, by their tokens. `kept` are the fields that outlive a session."""

    def __init__(
        self, spec: BrokerSpec, kept: Mapping[str, str], hosts: Mapping[str, str], egress: str, clock: Clock
    ) -> None:
        check_hosts(spec, hosts)
        self._spec = spec
        self._clock = clock
        self._asked: Asks | None = None
        self._sessions: dict[str, Session] = {}
        self._base = Session(
            account=f"library-{spec.name}",
            broker=spec.name,
            generation=0,
            secrets=Secrets(spec.title, self._checked(kept)),
            hosts=dict(hosts),
            egress=egress,
        )
        self._made_with = frozenset(kept)
        self._trial = self._base

    @property
    def base(self) -> Session:
        """What the account keeps."""
        return self._base

    @property
    def trial(self) -> Session:
        """That, and what the login that is under way was told: kept once it succeeds, and forgotten where it fails."""
        return self._trial

    @property
    def newest(self) -> Session:
        """What was logged in or named last; before that what the account keeps."""
        return next(reversed(self._sessions.values()), self._base)

    def session(self, auth: str | Mapping[str, str] | None) -> Session:
        """The session of a token: one that a login here gave, or any that is good at the broker. Where the broker needs
        more than one token, a mapping has them by name. None is that of a login that failed. Raises InvalidInput."""
        given = self._checked(auth) if isinstance(auth, Mapping) else {}
        token = auth if isinstance(auth, str) else repr(sorted(given.items()))
        found = self._sessions.get(token)
        if found is None:
            daily = self._spec.login.daily
            if not auth or not (given or (isinstance(auth, str) and daily)):
                raise InvalidInput(f"{self._spec.title} needs the token that authenticate_broker() returned.")
            given = given or {daily[0].name: token}
            found = self._sessions[token] = self._opened(self._with(given))
        return found

    def name_client(self, session: Session, client_id: str) -> Session:
        """Whose a token is, as the broker told it."""
        named = msgspec.structs.replace(session, client_id=client_id)
        for token, held in self._sessions.items():
            if held is session:
                self._sessions[token] = named
        return named

    def page(self, back: str, ctx: Ctx) -> Operation[str]:
        """The address of the broker's login page."""
        redirect = self._spec.login.redirect
        if redirect is None:
            raise InvalidInput(f"{self._spec.title} offers no login by a page.")
        if redirect.prepare is not None:
            self._base = self._with((yield from redirect.prepare(self._base, ctx)))
        return redirect.url(self._base, _STATE, back)

    def way(self, given: Sequence[str], named: Mapping[str, str]) -> Way:
        """How these are a login: an answer where the broker has asked something; one argument alone is what its page
        brought, where it has one."""
        redirect = self._spec.login.redirect
        if self._asked is not None:
            return Way.STEPS
        if len(given) == 1 and redirect is not None and (redirect.brings or "://" in given[0]):
            return Way.REDIRECT
        return choose(self._spec, None, named, {**self._base.secrets, **named})

    def begin(
        self, way: Way, given: Sequence[str], named: Mapping[str, str], ctx: Ctx
    ) -> Operation[Grant] | Operation[Grant | Asks]:
        """The call that goes this way. Raises InvalidInput."""
        login, asked = self._spec.login, self._asked
        if asked is None:
            self._trial = self._base
        if way is Way.REDIRECT:
            return self._exchange(given, named, ctx)
        if asked is not None:
            self._asked = None
            return self._step(self._matched([field.name for field in asked.fields], given, named), asked.carried, ctx)
        if way is Way.STEPS:
            asks = [field.name for field in login.steps.asks] if login.steps is not None else []
            return self._step(self._answers([], asks, given, named), {}, ctx)
        self._tell(self._answers([field.name for field in login.daily], [], given, named))
        return checked(login, self._trial, ctx)

    def admit(self, result: Grant | Asks) -> Tokens:
        """What a call gave. Raises InvalidInput naming what is asked next; the next `begin` answers it."""
        if isinstance(result, Asks):
            self._asked = result
            names = ", ".join(field.name for field in result.fields)
            raise InvalidInput(f"{self._spec.title} asks for {names}: call authenticate_broker again with that.")
        self._base = self._trial
        secrets = self._all(result.secrets)
        redactor.add(*result.secrets.values())
        daily = [field.name for field in self._spec.login.daily]
        access = next((secrets[name] for name in daily if name in secrets), "")
        self._sessions[access] = msgspec.structs.replace(
            self._opened(self._base),
            secrets=secrets,
            hosts={**self._base.hosts, **result.hosts},
            client_id=result.client_id,
        )
        return Tokens(access, secrets.get("feed_token"))

    def _exchange(self, given: Sequence[str], named: Mapping[str, str], ctx: Ctx) -> Operation[Grant]:
        """What the page brought: its parameters by name, the whole address, or the token alone."""
        redirect = self._spec.login.redirect
        if redirect is None:
            raise InvalidInput(f"{self._spec.title} offers no login by a page.")
        brought = dict(named)
        if given:
            whole = _parameters(given[0])
            if not whole and not redirect.brings:
                raise InvalidInput(f"Give the whole address that {self._spec.title}'s page sent the browser to.")
            brought |= whole or {redirect.brings: given[0]}
        redactor.add(*(value for value in brought.values() if len(value) > 7))
        return redirect.exchange(self._trial, brought, ctx)

    def _step(self, answers: Mapping[str, str], carried: Mapping[str, str], ctx: Ctx) -> Operation[Grant | Asks]:
        login = self._spec.login
        if login.steps is None:
            raise InvalidInput(f"{self._spec.title} offers no login by answers.")
        kept = {field.name: field.kind for field in login.kept}
        self._tell(
            {
                name: value
                for name, value in answers.items()
                if name in kept and not (kept[name] is FieldKind.TOTP and is_code(value))
            }
        )
        told = {**answers, **codes(login, {**self._trial.secrets, **answers}, self._clock.now_ms())}
        return login.steps.run(self._trial, told, carried, ctx)

    def _opened(self, session: Session) -> Session:
        """Each token may be another user's: what is known of its orders, and its limits, are its own."""
        return msgspec.structs.replace(session, account=f"{session.account}-{len(self._sessions) + 1}", generation=1)

    def _answers(
        self, before: Sequence[str], after: Sequence[str], given: Sequence[str], named: Mapping[str, str]
    ) -> dict[str, str]:
        """Between these are the kept fields that are not known yet. A login is often called with the same arguments
        each day: then also those are given that are known from the one before."""
        kept = [field.name for field in self._spec.login.kept]
        now, first = (
            list(dict.fromkeys([*before, *(name for name in kept if name not in known), *after]))
            for known in (self._base.secrets, self._made_with)
        )
        again = len(given) > len([name for name in now if name not in named])
        return self._matched(first if again else now, given, named)

    def _matched(self, names: Sequence[str], given: Sequence[str], named: Mapping[str, str]) -> dict[str, str]:
        """Answers without a name are those of the fields that are open, in their order."""
        open_names = [name for name in names if name not in named]
        if len(given) > len(open_names):
            raise InvalidInput(f"{self._spec.title} asks for {', '.join(open_names) or 'nothing'} here.")
        answers = {**named, **dict(zip(open_names, given, strict=False))}
        redactor.add(*answers.values())
        return answers

    def _tell(self, secrets: Mapping[str, str]) -> None:
        told = Secrets(self._spec.title, {**self._trial.secrets, **secrets})
        self._trial = msgspec.structs.replace(self._trial, secrets=told)

    def _with(self, secrets: Mapping[str, str]) -> Session:
        return msgspec.structs.replace(self._base, secrets=self._all(secrets))

    def _all(self, secrets: Mapping[str, str]) -> Secrets:
        return Secrets(self._spec.title, {**self._base.secrets, **secrets})

    def _checked(self, given: Mapping[str, Any]) -> dict[str, str]:
        names = [field.name for field in self._spec.login.fields]
        if unknown := sorted(set(given) - set(names)):
            raise InvalidInput(f"{self._spec.title} has no login field '{unknown[0]}'. Its fields: {', '.join(names)}.")
        redactor.add(*map(str, given.values()))
        return {name: str(value) for name, value in given.items()}


def _parameters(address: str) -> dict[str, str]:
    """Of an address; none where it is a token alone."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise InvalidInput(f"This is no address: {error}.") from None
    return dict(parse_qsl(parts.query) + parse_qsl(parts.fragment))
