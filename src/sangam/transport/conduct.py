"""How one account behaves towards its broker: it keeps the rate limits, leaves a broker that does not answer alone, and
never knocks again with a credential that was refused."""

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import ceil

from sangam.brokers.contract import BrokerSpec, Request, Session
from sangam.model.clock import Clock
from sangam.model.errors import BrokerError, NotSent, RateLimited, SessionExpired, Unknown

from .backoff import Backoff
from .breaker import Breaker
from .exchange import Unreachable
from .limits import GUARD, Gate
from .trace import Trace

log = logging.getLogger("sangam.transport.http")

LONGEST_PAUSE = 3600.0
"""Seconds; a broker that asks for more is asked again."""


class Conduct:
    """Call `admit` before each call, `left` when it leaves, and `settle` after each that was admitted."""

    def __init__(self, spec: BrokerSpec, clock: Clock, trace: Trace) -> None:
        self._spec = spec
        self._clock = clock
        self._trace = trace
        self._gates: dict[str, Gate] = {}
        self._pauses: dict[str, Backoff] = {}
        self._breakers: dict[str, Breaker] = {}
        self._dead: dict[str, tuple[Session, str]] = {}
        """By the credential that was refused, with why: market data may have one of its own, without which orders go
        on."""

    def seed(self, lane: str, sent: Iterable[float]) -> None:
        """What went out on a lane before (monotonic seconds)."""
        self._gate(lane).seed(sent)

    async def admit(self, session: Session, request: Request, host: str, allowed: float, urgent: bool) -> None:
        """Wait at most `allowed` seconds for a slot of the request's lane; call `left` once when it leaves or will not.

        Raises SessionExpired, RateLimited or NotSent; nothing was sent then."""
        self._look(session, request, host, urgent)
        try:
            waited = await self._gate(request.lane).enter(allowed, urgent)
        except RateLimited:
            self._trace.refused(session, request)
            raise
        try:
            if waited:
                self._trace.waited(session, request, waited)
                self._look(session, request, host, urgent)
            if not self._breaker(host).admit(urgent):
                raise self._resting(host)
        except BrokerError:
            self.left(request)
            raise

    def left(self, request: Request) -> None:
        """A request that was admitted leaves now, or will not leave at all."""
        self._gate(request.lane).left()

    def settle(
        self,
        session: Session,
        request: Request,
        host: str,
        *,
        status: int | None,
        headers: Mapping[str, str],
        error: BrokerError | None,
    ) -> None:
        """Learn from how a call ended; without status and error the caller went away."""
        answered: bool | None = None
        if status is not None:
            answered = not (status >= 500 and isinstance(error, Unknown))
        elif isinstance(error, Unreachable | Unknown):
            answered = False
        self._breaker(host).settle(answered)
        if isinstance(error, SessionExpired) and request.auth != "none" and session.generation:
            log.error(
                "%s: the broker refuses the session; nothing is asked with it any more: %s", session.account, error
            )
            self._dead[request.auth] = session, str(error)
        if isinstance(error, RateLimited) or status == 429:
            told = retry_after(headers, self._clock.now_ms())
            pause = self._pauses.setdefault(request.lane, Backoff(1.0 + GUARD, cap=60.0, rand=lambda: 0.0)).next()
            self._gate(request.lane).pause(min(told or pause, LONGEST_PAUSE))
        elif answered:
            self._pauses.pop(request.lane, None)

    def refusals(self, session: Session) -> dict[str, str]:
        """What the broker said when it refused credentials of this session, by the credential."""
        return {auth: why for auth, (dead, why) in self._dead.items() if dead == session}

    def _look(self, session: Session, request: Request, host: str, urgent: bool) -> None:
        """What needs no waiting to know."""
        if request.auth != "none" and not self.refusals(session).keys().isdisjoint(("default", request.auth)):
            raise SessionExpired(
                f"{self._spec.title} has refused this session. Log in again; nothing is sent before."
            ).unsent()
        if self._breaker(host).resting and not urgent:
            raise self._resting(host)

    def _resting(self, host: str) -> NotSent:
        return NotSent(
            f"{self._spec.title} did not answer several times at {host}, and is left alone for "
            f"{max(1, ceil(self._breaker(host).resting))} s. Nothing was sent."
        )

    def _gate(self, lane: str) -> Gate:
        if lane not in self._gates:
            rows = [row for row in self._spec.limits if row.lane == lane]
            self._gates[lane] = Gate(f"{self._spec.title} {lane}", rows, self._clock)
        return self._gates[lane]

    def _breaker(self, host: str) -> Breaker:
        if host not in self._breakers:
            self._breakers[host] = Breaker(self._clock)
        return self._breakers[host]


def retry_after(headers: Mapping[str, str], now_ms: int) -> float | None:
    """Seconds that the reply asks to wait (RFC 9110, 10.2.3: seconds, or a date); None where it says nothing useful."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now_ms / 1000
    return seconds if seconds > 0 else None
