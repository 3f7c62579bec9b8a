"""A simulator on a loop of its own, for tests whose other side blocks or runs in another process."""

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from sangam import simulators
from sangam.brokers import registry
from sangam.simulators.orders import Snapshot


class SimulatorThread:
    """Starts `simulators.create(name)` in a thread; `call` runs code beside it, on its loop."""

    def __init__(self, name: str, **options: Any) -> None:
        self.name = name
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"simulator-{name}", daemon=True)
        self._thread.start()
        self.simulator = self.call(lambda: simulators.create(name, **options))

    def __enter__(self) -> Self:
        asyncio.run_coroutine_threadsafe(self.simulator.start(), self._loop).result(30)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            asyncio.run_coroutine_threadsafe(self.simulator.stop(), self._loop).result(30)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    def call(self, function: Callable[[], Any]) -> Any:
        """The result of a plain function, run on the simulator's loop."""

        async def run() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(30)

    def ledger(self) -> Snapshot:
        """What its exchange took so far; readable here, whatever goes on there."""
        snapshot: Snapshot = self.simulator.exchange.ledger.snapshot()
        return snapshot

    def account_options(self) -> list[str]:
        """The `sangam account add` options that point an account at this simulator."""
        asked = {field.name for field in registry.load()[self.name].login.fields}
        credentials = self.simulator.credentials.items()
        secrets = [("--set", f"{name}={value}") for name, value in credentials if name in asked]
        hosts = [("--host", f"{name}={url}") for name, url in self.simulator.hosts.items()]
        return [word for option in (*secrets, *hosts) for word in option]
