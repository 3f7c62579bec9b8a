"""How many requests a broker answers."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

Rows = Mapping[str, Sequence[tuple[int, float]]]
"""By lane: so many requests in so many seconds."""


class Quota:
    """Requests of each lane are counted in sliding windows; those over the limit are not."""

    def __init__(self, rows: Rows, monotonic: Callable[[], float]) -> None:
        self._rows = rows
        self._monotonic = monotonic
        self._asked = {lane: [deque[float](maxlen=count) for count, _ in limits] for lane, limits in rows.items()}

    def exceeded(self, lane: str) -> bool:
        now = self._monotonic()
        logs = list(zip(self._asked[lane], self._rows[lane], strict=True))
        if any(len(log) == log.maxlen and now - log[0] < seconds for log, (_, seconds) in logs):
            return True
        for log, _ in logs:
            log.append(now)
        return False
