"""How often one caller may ask."""

from collections import deque

from sangam.model.clock import Clock

_CALLERS = 10_000


class RateLimit:
    """At most `count` requests of a caller in any `window` seconds. Who is at rest is forgotten."""

    def __init__(self, count: int, clock: Clock, window: float = 1.0) -> None:
        self._count = count
        self._clock = clock
        self.window = window
        self._recent: dict[str, deque[float]] = {}

    def allows(self, caller: str) -> bool:
        """Counts the request when it is allowed."""
        now = self._clock.monotonic()
        times = self._recent.get(caller)
        if times is None:
            if len(self._recent) >= _CALLERS:
                self._forget(now)
            times = self._recent[caller] = deque(maxlen=self._count)
        if len(times) == self._count and now - times[0] < self.window:
            return False
        times.append(now)
        return True

    def _forget(self, now: float) -> None:
        """Drop who is at rest; if all are busy, whoever came first."""
        self._recent = {name: times for name, times in self._recent.items() if now - times[-1] < self.window}
        while len(self._recent) >= _CALLERS:
            del self._recent[next(iter(self._recent))]
