"""Tasks that belong to the router and not to whoever asked: they go on when the caller goes away."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from sangam.model.errors import Denied

T = TypeVar("T")


class Tasks:
    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._closing = False

    def check_open(self) -> None:
        if self._closing:
            raise shutting_down()

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def owned(self, work: Coroutine[Any, Any, T], name: str) -> T:
        """Its result, for as long as the caller waits for it."""
        return await self.result(self.spawn(work, name))

    async def result(self, task: asyncio.Task[T]) -> T:
        """What a task of ours comes to, without taking it along when the caller goes away."""
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise shutting_down() from None
            raise

    async def close(self, seconds: float) -> None:
        """Let end what runs, and cancel what does not within so many seconds."""
        self._closing = True
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while self._running and (left := ends - loop.time()) > 0:
            await asyncio.wait(self._running, timeout=left)
        while self._running:
            for task in self._running:
                task.cancel()
            await asyncio.wait(self._running)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # heard by whoever still waits; nobody need


def shutting_down() -> Denied:
    return Denied("The server is shutting down. Nothing was sent; ask again when it is back.", "ORDER_ERROR")
