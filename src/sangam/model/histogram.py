"""How often something took how long, as Prometheus counts it."""

from bisect import bisect_left
from itertools import accumulate

import msgspec


class Histogram(msgspec.Struct):
    """`bounds` are upper bounds in seconds, ascending; `counts` has one more for what took longer. Each time is counted
    once, and summed in `seconds`."""

    bounds: tuple[float, ...]
    counts: list[int] = []
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if not self.counts:
            self.counts = [0] * (len(self.bounds) + 1)

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds

    def merge(self, other: "Histogram") -> None:
        """Add the times of another one with the same bounds."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Bound and how many took no longer, the last bound ``+Inf``."""
        names = [*map(str, self.bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))


STAGE_BOUNDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Of the stages of an update on its way from a broker to the clients, and of commits."""
