"""Time: epoch milliseconds, a monotonic second counter, and IST as a fixed offset.

Nobody in the house reads the system's clock or zone directly, so that tests can set the hour."""

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Protocol

IST = timezone(timedelta(hours=5, minutes=30), "IST")
IST_SECONDS = 19_800
"""So far India's clocks are ahead of UTC."""
LATEST_MS = 253_370_764_800_000
"""The year 9999, where Python's calendar ends: what claims to be later is no time."""


class Clock(Protocol):
    def now_ms(self) -> int:
        """Wall clock, epoch milliseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump; only differences mean anything."""
        ...


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told to; wall and monotonic time move together."""

    def __init__(self, start: datetime) -> None:
        self._ms = int(start.timestamp() * 1000)
        self._elapsed_ms = 0

    def now_ms(self) -> int:
        return self._ms + self._elapsed_ms

    def monotonic(self) -> float:
        return self._elapsed_ms / 1000

    def advance(self, seconds: float) -> None:
        self._elapsed_ms += round(seconds * 1000)

    def set(self, moment: datetime) -> None:
        """Jump forward to a moment; a clock never runs backwards."""
        ahead = int(moment.timestamp() * 1000) - self.now_ms()
        if ahead < 0:
            raise ValueError("a clock never runs backwards")
        self._elapsed_ms += ahead


def ist_from_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(IST)
