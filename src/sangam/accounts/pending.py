"""Logins that are under way: what they know so far stays here, for ten minutes at most."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from sangam.brokers.contract import LoginField, Session
from sangam.model.clock import Clock
from sangam.model.errors import InvalidInput

from .ways import Way

LIFETIME_MS = 10 * 60_000


@dataclass
class Flow:
    """One login under way. `session` is what is tried: it has no generation and nobody else sees it. `fields` and
    `hosts` are what the user gave; `asks` is what is still wanted, `carried` what the broker's next step must know.

    It ends with a session of this `generation`, or with an `error`."""

    id: str
    account: str
    way: Way
    session: Session
    fields: Mapping[str, str] = field(repr=False)
    hosts: Mapping[str, str]
    started_at: int
    asks: tuple[LoginField, ...] = ()
    carried: Mapping[str, str] = field(default_factory=dict, repr=False)
    brought: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What a callback brought that is not confirmed yet."""
    url: str = ""
    rounds: int = 0
    """How many of the broker's questions were answered rightly."""
    tries: int = 0
    busy: bool = False
    generation: int | None = None
    error: str = ""

    @property
    def open(self) -> bool:
        return self.generation is None and not self.error

    def fail(self, reason: str) -> None:
        self.error = reason
        self.carried = self.brought = {}


class Pending:
    """At most one login per account is under way; a new one takes the place of the former."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._flows: dict[str, Flow] = {}

    def begin(
        self,
        way: Way,
        session: Session,
        fields: Mapping[str, str],
        hosts: Mapping[str, str],
        asks: tuple[LoginField, ...],
    ) -> Flow:
        self.clean()
        for former in [flow for flow in self._flows.values() if flow.account == session.account]:
            del self._flows[former.id]
        flow = Flow(secrets.token_urlsafe(16), session.account, way, session, fields, hosts, self._now, asks)
        self._flows[flow.id] = flow
        return flow

    def __getitem__(self, identifier: str) -> Flow:
        self.clean()
        try:
            return self._flows[identifier]
        except KeyError:
            raise InvalidInput("This login is over, or another one took its place. Begin again.") from None

    def under_way(self, account: str) -> bool:
        self.clean()
        return any(flow.open for flow in self._flows.values() if flow.account == account)

    def open(self, broker: str, account: str | None) -> Flow:
        """The one redirect login of an account that waits for its callback, or of a broker where none is named."""
        self.clean()
        waiting = [
            flow
            for flow in self._flows.values()
            if flow.way is Way.REDIRECT and flow.open and flow.session.broker == broker
            if account in (None, flow.account)
        ]
        if len(waiting) > 1:
            raise InvalidInput("Several logins are under way: add the account's id to the callback's address.")
        if not waiting:
            raise InvalidInput("No login waits for this. Begin again; a login may take ten minutes.")
        return waiting[0]

    @property
    def _now(self) -> int:
        return self._clock.now_ms()

    def clean(self) -> None:
        """Forget what took too long, and what it knew."""
        self._flows = {key: flow for key, flow in self._flows.items() if self._now - flow.started_at < LIFETIME_MS}
