"""What every call to a broker leaves behind: one line in the log, and counters. Never a secret, never a payload."""

import logging
from collections import Counter
from dataclasses import dataclass, field

from sangam.brokers.contract import Request, Session
from sangam.model.errors import BrokerError, Refused
from sangam.model.histogram import Histogram

log = logging.getLogger("sangam.transport.http")

BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the latency histograms, seconds."""


@dataclass
class Waits:
    """What rate limits cost: calls that had to wait, how long in all, and calls refused."""

    count: int = 0
    seconds: float = 0.0
    refused: int = 0


@dataclass
class Trace:
    """The counters of one driver. `calls` are keyed by (broker, our error code or ``ok``), `latency` by (broker,
    effect), `waits` by (broker, lane); `shared` counts reads that were answered by another's call, by broker."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    latency: dict[tuple[str, str], Histogram] = field(default_factory=dict)
    waits: dict[tuple[str, str], Waits] = field(default_factory=dict)
    shared: Counter[str] = field(default_factory=Counter)

    def called(
        self,
        session: Session,
        request: Request,
        number: int,
        *,
        status: int | None,
        error: BrokerError | None,
        seconds: float,
    ) -> None:
        """`number` ties the calls of one operation together."""
        code = "ok" if error is None else error.code
        self.calls[session.broker, code] += 1
        self.latency.setdefault((session.broker, request.effect), Histogram(BUCKETS)).add(seconds)
        theirs = f" {error.broker_code}" if isinstance(error, Refused) and error.broker_code else ""
        log.log(
            logging.DEBUG if error is None and request.effect == "read" else logging.INFO,
            "%s %s %s: %s %s%s, %.0f ms (call %s)",
            session.account,
            request.method,
            request.path,
            status or "-",
            code,
            theirs,
            seconds * 1000,
            number,
        )

    def waited(self, session: Session, request: Request, seconds: float) -> None:
        waits = self._waits(session, request)
        waits.count += 1
        waits.seconds += seconds

    def refused(self, session: Session, request: Request) -> None:
        self._waits(session, request).refused += 1

    def _waits(self, session: Session, request: Request) -> Waits:
        return self.waits.setdefault((session.broker, request.lane), Waits())
