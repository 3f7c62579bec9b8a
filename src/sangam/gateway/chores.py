"""Long work in small slices: one slice per turn of the loop, so that nobody's request delays the ticks."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from sangam.model.clock import Clock

log = logging.getLogger("sangam.gateway")

SLICE = 50
"""Subscriptions handled between two turns of the loop."""

TURN_SECONDS = 0.001
"""What all requests together may take of one turn."""


class Timers(Protocol):
    """The part of an event loop that the gateway's machinery needs; tests drive it by hand."""

    def call_soon(self, callback: Callable[[], object], /) -> object: ...

    def call_later(self, delay: float, callback: Callable[[], object], /) -> object: ...


class Chores:
    """Generators that yield where they may be interrupted, run round robin."""

    def __init__(self, timers: Timers, clock: Clock) -> None:
        self._timers = timers
        self._clock = clock
        self._chores: deque[Iterator[None]] = deque()
        self._until: float | None = None

    def add(self, chore: Iterator[None]) -> None:
        self._chores.append(chore)
        if len(self._chores) == 1:
            self._timers.call_soon(self._turn)

    def time_is_up(self) -> bool:
        """Whether this turn of the loop, since this was first asked in it, has given requests enough of its time."""
        now = self._clock.monotonic()
        if self._until is None:
            self._until = now + TURN_SECONDS
            self._timers.call_soon(self._new_turn)
        return now >= self._until

    def finish(self) -> None:
        """Run everything to its end now (shutdown)."""
        while self._chores:
            self._step()

    def _turn(self) -> None:
        if self._chores:
            self._step()
        if self._chores:
            self._timers.call_soon(self._turn)

    def _new_turn(self) -> None:
        self._until = None

    def _step(self) -> None:
        chore = self._chores[0]
        try:
            next(chore)
        except StopIteration:
            self._chores.popleft()
        except Exception:  # one client's broken chore must not stop those of the others
            log.exception("A gateway chore failed")
            self._chores.popleft()
        else:
            self._chores.rotate(-1)
