"""Logins, generated from the broker's table: pasted tokens, redirects, questions, renewal, logout.

Nothing is stored and no session opens before the broker said yes, and said it of the right client."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from sangam.brokers.contract import Asks, BrokerSpec, Ctx, Grant, Operation, Session
from sangam.brokers.registry import Registry
from sangam.logs import redactor
from sangam.model.clock import Clock
from sangam.model.errors import BrokerError, InvalidInput, Refused, SangamError, SessionExpired

from .accounts import Accounts
from .forms import check_hosts, check_names, missing_fields, secret_values
from .pending import LIFETIME_MS, Flow, Pending
from .sessions import End, Ended
from .signing import Signer
from .ways import Way, checked, choose, codes, offered, redirect_needs, same_client

TRIES = 3
"""Wrong answers to one question; a broker locks a user who goes on."""

Run = Callable[[BrokerSpec, Session, Operation[Any]], Awaitable[Any]]

_TELLING = 8
"""Characters of a callback's value that may be a secret; shorter ones are words such as ``ok``."""


class Flows:
    """`begin` a login, then `answer` what it asks or wait for its callback, which is `brought`.

    `run` and `ctx` are the HTTP driver's; `home` is the address that browsers reach us by. All raise SangamErrors."""

    def __init__(
        self,
        accounts: Accounts,
        registry: Registry,
        signer: Signer,
        clock: Clock,
        run: Run,
        ctx: Callable[[], Ctx],
        home: Callable[[], str],
    ) -> None:
        self.pending = Pending(clock)
        self._accounts = accounts
        self._registry = registry
        self._signer = signer
        self._clock = clock
        self._run = run
        self._ctx = ctx
        self._home = home

    @property
    def home(self) -> str:
        """The address that browsers reach us by."""
        return self._home()

    def serves(self, broker: str) -> bool:
        """Whether this house may use it (`VALID_BROKERS`)."""
        return broker in self._registry.names

    def spec(self, account: str) -> BrokerSpec:
        return self._registry[self._accounts[account].info.broker]

    async def begin(
        self,
        account: str,
        fields: Mapping[str, str] | None = None,
        hosts: Mapping[str, str] | None = None,
        way: Way | None = None,
    ) -> Flow:
        """Start a login, and finish it where nothing needs to be asked. `fields` may correct what the account keeps."""
        spec = self.spec(account)
        fields, hosts = dict(fields or {}), dict(hosts or {})
        login, first = spec.login, spec.login.steps.asks if spec.login.steps else ()
        check_names(spec, fields, *first)
        check_hosts(spec, hosts)
        known = {**self._accounts[account].secrets, **fields}
        way = choose(spec, way, fields, known)
        asks = missing_fields(login.kept, known)
        if way is Way.REDIRECT:
            asks += redirect_needs(login, known)
        elif way is Way.PASTE:
            asks += missing_fields(login.daily, fields)
        else:
            asks += missing_fields(first, {**self._codes(account, fields), **fields})
        flow = self.pending.begin(way, self._candidate(account, fields, hosts), fields, hosts, asks)
        if not asks:
            await self._go(flow)
        return flow

    async def answer(self, identifier: str, fields: Mapping[str, str]) -> Flow:
        """What the login asked. A wrong answer raises what the broker said, and may be given again."""
        flow = self.pending[identifier]
        usable(flow)
        spec = self.spec(flow.account)
        check_names(spec, fields, *flow.asks)
        if missing := missing_fields(flow.asks, fields):
            raise InvalidInput(f"{spec.title} needs '{missing[0].name}' ({missing[0].label}).")
        redactor.add(*secret_values(spec, fields))
        if flow.rounds:
            await self._step(flow, fields)
        else:
            flow.fields = {**flow.fields, **fields}
            flow.session = self._candidate(flow.account, flow.fields, flow.hosts)
            await self._go(flow)
        return flow

    # --- by redirect --------------------------------------------------------------------------------------------------

    async def brought(self, flow: Flow, parameters: Mapping[str, str]) -> None:
        """Exchange what the browser brought back for a session. Each login takes one callback."""
        usable(flow)
        spec = self.spec(flow.account)
        redirect = offered(spec, spec.login.redirect, Way.REDIRECT)
        redactor.add(*(value for value in parameters.values() if len(value) >= _TELLING))
        await self._try(flow, redirect.exchange(flow.session, parameters, self._ctx()), final=True)

    async def _direct(self, flow: Flow) -> None:
        spec = self.spec(flow.account)
        redirect = offered(spec, spec.login.redirect, Way.REDIRECT)
        if redirect.prepare is not None:
            try:
                told = await self._run(spec, flow.session, redirect.prepare(flow.session, self._ctx()))
            except SangamError as error:
                flow.fail(str(error))
                raise
            flow.session = msgspec.structs.replace(flow.session, secrets={**flow.session.secrets, **told})
        state = self._signer.sign(f"state/{flow.id}", LIFETIME_MS // 1000)
        flow.url = redirect.url(flow.session, state, f"{self.home}/{flow.session.broker}/callback")

    # --- by answers ---------------------------------------------------------------------------------------------------

    async def _go(self, flow: Flow) -> None:
        """All that the first round needs is there."""
        flow.asks = ()
        match flow.way:
            case Way.REDIRECT:
                await self._direct(flow)
            case Way.STEPS:
                await self._step(flow, flow.fields)
            case Way.PASTE:
                await self._try(flow, checked(self.spec(flow.account).login, flow.session, self._ctx()))

    async def _step(self, flow: Flow, answers: Mapping[str, str]) -> None:
        spec = self.spec(flow.account)
        steps = offered(spec, spec.login.steps, Way.STEPS)
        answers = {**answers, **self._codes(flow.account, flow.fields)}
        await self._try(flow, steps.run(flow.session, answers, flow.carried, self._ctx()))

    def _codes(self, account: str, fields: Mapping[str, str]) -> dict[str, str]:
        known = {**self._accounts[account].secrets, **fields}
        return codes(self.spec(account).login, known, self._clock.now_ms())

    # --- the end of every way -----------------------------------------------------------------------------------------

    async def _try(self, flow: Flow, operation: Operation[Grant | Asks], *, final: bool = False) -> None:
        """Ask the broker. Its refusal ends the login when it is `final`, or the third; other troubles may pass."""
        spec = self.spec(flow.account)
        flow.busy = True
        try:
            result = await self._run(spec, flow.session, operation)
            if isinstance(result, Asks):
                flow.asks, flow.carried, flow.tries = result.fields, result.carried, 0
                flow.rounds += 1
            else:
                self._admit(flow, result)
        except (Refused, InvalidInput) as error:
            flow.tries += 1
            if final or flow.tries >= TRIES or not flow.asks:
                flow.fail(str(error))
            raise
        except SangamError as error:
            if final:  # the broker may have taken what was brought: it is good for one try
                flow.fail(str(error))
            raise
        finally:
            flow.busy = False

    def _admit(self, flow: Flow, grant: Grant) -> None:
        """Open the session, unless the broker says that somebody else logged in."""
        held = self._accounts[flow.account]
        same_client(self.spec(flow.account), held.info.id, held.info.client_id, grant.client_id)
        flow.carried = flow.brought = {}
        flow.asks = ()
        flow.generation = self._accounts.sessions.generation(flow.account) + 1
        self._accounts.admit(flow.account, flow.fields, flow.hosts, grant)

    def _candidate(self, account: str, fields: Mapping[str, str], hosts: Mapping[str, str]) -> Session:
        held = self._accounts[account]
        redactor.add(*secret_values(self.spec(account), fields))
        return Session(
            account=account,
            broker=held.info.broker,
            generation=0,
            client_id=held.info.client_id,
            secrets={**held.secrets, **fields},
            hosts={**held.hosts, **hosts},
            egress=held.egress,
        )

    # --- sessions that stand ------------------------------------------------------------------------------------------

    async def renew(self, account: str) -> Session:
        """Prolong the session where the broker offers it."""
        spec, session = self.spec(account), self._accounts.session(account)
        if spec.login.renew is None or session is None:
            raise InvalidInput(f"{account} has no session that can be prolonged. Log in.")
        grant: Grant = await self._run(spec, session, spec.login.renew(session, self._ctx()))
        same_client(spec, account, session.client_id, grant.client_id)
        if self._accounts.session(account) is not session:
            raise InvalidInput(f"{account} was logged in or out meanwhile.")
        return self._accounts.open_session(
            account,
            {**session.secrets, **grant.secrets},
            client_id=grant.client_id,
            hosts={**session.hosts, **grant.hosts},
            expires_at=grant.expires_at,
        )

    async def log_out(self, account: str) -> str:
        """End the session, at the broker too. Returns why the broker could not be told, or nothing."""
        spec, session = self.spec(account), self._accounts.session(account)
        untold = ""
        if session is not None and spec.login.logout is not None:
            try:
                await self._run(spec, session, spec.login.logout(session, self._ctx()))
            except SessionExpired:
                pass  # it was over there already
            except BrokerError as error:
                untold = str(error)
        self._accounts.end_session(account, Ended(End.LOGGED_OUT))
        return untold


def usable(flow: Flow) -> None:
    if flow.error:
        raise InvalidInput(f"This login failed ({flow.error}). Begin again.")
    if not flow.open or flow.busy:
        raise InvalidInput("This login was answered already.")
