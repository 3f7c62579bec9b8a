"""Everything but the gateways, as one process: feed, accounts, instruments and REST."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from sangam.accounts.accounts import Accounts
from sangam.bus.feed_server import FeedServer
from sangam.bus.wire import Keys
from sangam.feed.port import Served
from sangam.model.clock import Clock
from sangam.model.errors import AuthError
from sangam.settings import Settings
from sangam.store.home import Home

from .front import Doors
from .part import Standing, Task, main
from .server import App
from .trace import targets


class Elsewhere(FeedServer):
    """Gateways in other processes; the port they listen on was chosen before."""

    def __init__(
        self, feed: Served, accounts: Accounts, brokers: list[str], settings: Settings, clock: Clock, *, task: Task
    ) -> None:
        doors = Doors(accounts, settings)
        super().__init__(
            feed,
            clock,
            brokers=brokers,
            keys=partial(_known, accounts, doors),
            used=accounts.keys.used,
            identity=doors.identity,
            secret=task.secret,
        )
        self.sink = self
        self._task = task
        self._port = settings.websocket_port
        here = asyncio.get_running_loop()

        def push(_: str) -> None:
            here.call_soon_threadsafe(self.push_keys)

        accounts.keys.on_created(push)
        accounts.keys.on_revoked(push)
        accounts.on_change(push)

    async def open(self, auto_port: bool) -> int:
        self.start(self._task.requests, self._task.data)
        return self._port

    async def stop(self) -> None:
        self.close()


def _known(accounts: Accounts, doors: Doors) -> Keys:
    identities = {}
    for digest, key in accounts.keys.good().items():
        with suppress(AuthError):  # revoked a moment ago, in another thread
            identities[digest] = doors.identity(key)
    return Keys(accounts.keys.pepper, identities)


@asynccontextmanager
async def feed(task: Task, settings: Settings) -> AsyncIterator[Standing]:
    app = App(settings, Home(settings.sangam_home), front=partial(Elsewhere, task=task))
    run = await app.start(task.auto_port)
    app.tracer.start_all(targets(task.trace))
    try:
        yield Standing(run=run, demo=app.demo)
    finally:
        await app.stop()


if __name__ == "__main__":
    main(feed)
