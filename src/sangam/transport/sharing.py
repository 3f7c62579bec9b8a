"""Equal questions that are asked at the same time share one answer."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

JOINABLE = 1.0
"""Seconds: an older question is not joined. Its answer may tell of a moment long before it was asked again."""


class _Flight(Generic[T]):
    def __init__(self, task: asyncio.Task[T]) -> None:
        self.task = task
        self.waiting = 0
        self.began = asyncio.get_running_loop().time()


class Flights(Generic[T]):
    """`join` starts the work for the first who asks; whoever asks soon after waits for the same result.

    A waiter that is cancelled leaves the others waiting; with the last one the work is cancelled too."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}

    async def join(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, bool]:
        """The result, and whether this caller was the one that started it."""
        flight = self._flights.get(key)
        first = flight is None or asyncio.get_running_loop().time() - flight.began > JOINABLE
        if flight is None or first:
            flight = self._flights[key] = _Flight(asyncio.create_task(work()))
            flight.task.add_done_callback(lambda _: self._landed(key, flight))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task), first
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._landed(key, flight)
                flight.task.cancel()

    def _landed(self, key: Hashable, flight: _Flight[T] | None) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
