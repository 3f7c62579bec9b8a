"""How long to wait before the next attempt: doubling, capped, jittered."""

import random
from collections.abc import Callable


class Backoff:
    """Delays of `first`, twice that, and so on up to `cap` seconds, each shortened by up to half at random.

    The jitter keeps many sockets that fell together from coming back together."""

    def __init__(self, first: float = 1.0, cap: float = 60.0, rand: Callable[[], float] = random.random) -> None:
        self._first = first
        self._cap = cap
        self._rand = rand
        self.attempts = 0

    def next(self) -> float:
        delay = min(self._cap, self._first * 2.0 ** min(self.attempts, 32))
        self.attempts += 1
        return delay * (1.0 - self._rand() / 2)

    def reset(self) -> None:
        self.attempts = 0
