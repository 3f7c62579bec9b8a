"""The event loop we run on, and how late it is."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any

LOOK_SECONDS = 0.1


def runner() -> asyncio.Runner:
    """Of uvloop where it is installed, else of asyncio's own loop."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ImportError):  # Windows has no uvloop
        factory = import_module("uvloop").new_event_loop
    return asyncio.Runner(loop_factory=factory)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run to the end."""
    with runner() as here:
        here.run(main)


def on_signals(stop: Callable[[], object], *numbers: signal.Signals) -> None:
    """Call `stop` on the running loop when one of these arrives."""
    here = asyncio.get_running_loop()
    for number in numbers:
        try:
            here.add_signal_handler(number, stop)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: here.call_soon_threadsafe(stop))


def settle() -> None:
    """Call it once everything stands: what lives as long as the process is taken out of the garbage collector's sight.
    Looking at it again, 130,000 objects at each full collection, would hold the loop for 100 ms."""
    gc.collect()
    gc.freeze()


class LagMeter:
    """How much later than asked a timer fires. `worst` is the highest value since it was last read."""

    def __init__(self) -> None:
        self._worst = 0.0
        self._task = asyncio.create_task(self._measure(), name="loop lag")

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def worst_ms(self) -> float:
        """Milliseconds; reading starts a new period."""
        worst, self._worst = self._worst, 0.0
        return round(worst * 1000, 3)

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            self._worst = max(self._worst, loop.time() - due)
