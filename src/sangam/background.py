"""What a blocking face over an asyncio connection needs: a loop in a thread, and a thread that calls the strategy.

The strategy's callbacks never run on the loop: one that blocks delays other callbacks, not the connection."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

from sangam.model.errors import NotSent

T = TypeVar("T")

log = logging.getLogger("sangam.background")


class _Key(NamedTuple):
    """In the queue for the newest call of a key."""

    key: object


class LoopThread:
    """A loop in a daemon thread."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._closing = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine that runs there. Its own deadline ends it."""
        with self._lock:  # what comes after the last cancelling would never end
            if self._closing:
                work.close()
                raise NotSent("This client is not connected: call connect() first. Nothing was sent.")
            result = asyncio.run_coroutine_threadsafe(work, self._loop)
        return result.result()

    def stop(self) -> None:
        """What still runs there is cancelled."""
        with self._lock:
            self._closing = True
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.get_running_loop().shutdown_default_executor()


class Dispatcher:
    """Calls functions one after the other in a thread of its own.

    `put` keeps everything; `put_latest` keeps the newest call of each key while older ones wait, so a strategy that is
    slower than the market sees the newest price and memory stays bounded. `replaced` counts what it did not see."""

    def __init__(self, name: str) -> None:
        self.replaced = 0
        self._calls: deque[Callable[[], object] | _Key] = deque()
        self._latest: dict[object, Callable[[], object]] = {}
        self._ready = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, call: Callable[[], object]) -> None:
        with self._ready:
            self._calls.append(call)
            self._ready.notify()

    def put_latest(self, key: object, call: Callable[[], object]) -> None:
        with self._ready:
            if key in self._latest:
                self.replaced += 1
            else:
                self._calls.append(_Key(key))
                self._ready.notify()
            self._latest[key] = call

    def stop(self) -> None:
        """After what waits was called. From a callback: it is the last one."""
        with self._ready:
            self._ending = True
            self._ready.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while (call := self._next()) is not None:
            try:
                call()
            except SystemExit:  # it would end this thread alone, and nobody would hear of anything any more
                log.error("A callback called for the program's end, which none can: sys.exit() is for the main thread")

    def _next(self) -> Callable[[], object] | None:
        with self._ready:
            while not self._calls:
                if self._ending:
                    return None
                self._ready.wait()
            call = self._calls.popleft()
            return self._latest.pop(call.key) if isinstance(call, _Key) else call
