"""A gateway as a process of its own: it holds no accounts and no database, and knows of keys what the feed tells it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sangam.bus.remote_feed import RemoteFeed
from sangam.gateway.server import Gateway
from sangam.model.clock import SystemClock
from sangam.settings import Settings

from .front import gateway_settings, tls
from .part import Standing, Task, main
from .trace import Tracer, targets


@asynccontextmanager
async def gateway(task: Task, settings: Settings) -> AsyncIterator[Standing]:
    clock = SystemClock()
    feed = RemoteFeed(task.requests, task.name, clock, task.secret)
    feed.start()
    try:
        await feed.ready()
        served = Gateway(
            feed, feed.keys.authenticate, brokers=feed.brokers, settings=gateway_settings(settings), clock=clock
        )
        served.attach_orders(feed.orders)
        feed.attach(served.hub)
        feed.keys.on_revoked(served.revoke)
        feed.keys.on_renewed(lambda user: served.renew(user, feed.keys.identity))
        feed.figures = lambda: (served.clients, served.metrics())
        feed.written = served.written
        Tracer(clock, None, served).start_all(targets(task.trace))
        await served.start(settings.websocket_host, settings.websocket_port, tls(settings), shared=task.shared)
        try:
            yield Standing()
        finally:
            await served.stop()
    finally:
        feed.stop()


if __name__ == "__main__":
    main(gateway)
