"""``sangam`` as the order faults need it: in a hurry, and mortal at steps that a test chooses.

Environment: ``ORDER_TABLE=true`` leaves the broker's limits and the house's patience as they are, ``ORDER_TAG=none``
takes the tag out of the broker's table, and ``ORDER_DIES="POST written"`` ends the process, as by kill -9, at a step
(see `STEPS`) of the first write with that HTTP method. While the file ``full`` is in the home folder, the journal's
database may grow by no page."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from typing import Any, NoReturn

from msgspec import structs
from sqlalchemy import Connection, event

from sangam.app import orders, server
from sangam.brokers import registry
from sangam.brokers.contract import BrokerSpec, Limit, Operation, Tag
from sangam.brokers.registry import Registry
from sangam.cli.main import main
from sangam.model.order import Accepted, Order
from sangam.orders import poller
from sangam.orders.journal import Journal
from sangam.orders.live import Live
from sangam.orders.reconciler import Reconciler
from sangam.orders.router import Router
from sangam.orders.seeking import Pace
from sangam.orders.timing import RouterTiming
from sangam.orders.updates import Updates
from sangam.store.database import Database
from sangam.store.journal import open_journal_database
from sangam.transport import exchange as wire
from sangam.transport import http
from sangam.transport.http import HttpDriver, HttpTiming

STEPS = ("checked", "added", "pending", "announcing", "sent", "written", "answered", "accepted", "journalled")
"""In their order; a modify or a cancel (PUT, DELETE) has only those of `ACT_STEPS`."""
ACT_STEPS = ("pending", "sent", "written", "answered")
DEAD = 9
FULL = "full"

PACE = Pace(settle=2.0, late=0.4, first=0.1, cap=1.0, gap=0.2)
ROUTER = RouterTiming(evidence=1.5)
HTTP = HttpTiming(write=1.2, write_wait=0.7, read=1.5, pause=0.05)
SAFETY = 1.5
"""Seconds between two reads of the book while orders are open."""

_METHODS = {"place": "POST", "modify": "PUT", "cancel": "DELETE"}


def put(owner: object, name: str, value: object) -> None:
    """Replace what the house looks up there; this process is the test's own."""
    setattr(owner, name, value)


def die() -> NoReturn:
    os._exit(DEAD)  # no handler runs and nothing is flushed


def hurry() -> None:
    """Short time-outs, and limits that are never reached."""
    put(orders, "Reconciler", partial(Reconciler, pace=PACE))
    put(orders, "Router", partial(Router, timing=ROUTER))
    put(server, "HttpDriver", partial(HttpDriver, timing=HTTP))
    put(poller, "SAFETY", SAFETY)


def change_brokers(change: Callable[[BrokerSpec], BrokerSpec]) -> None:
    load = registry.load

    @wraps(load)
    def changed(*arguments: Any) -> Registry:
        return Registry(change(spec) for spec in load(*arguments))

    put(registry, "load", changed)


def widened(spec: BrokerSpec) -> BrokerSpec:
    return replace(spec, limits=tuple(Limit(row.lane, 100_000, row.window) for row in spec.limits))


def untagged(spec: BrokerSpec) -> BrokerSpec:
    """As if the broker had no field that it echoes: what it is sent has none either."""
    if (trading := spec.trading) is None:
        return spec

    def place(order: Order, *more: Any) -> Operation[Accepted]:
        return trading.place(structs.replace(order, id="", tag=""), *more)

    return replace(spec, trading=replace(trading, place=place, tag=Tag()))


def fill_up() -> None:
    """A quota for the journal's file, looked up at each transaction."""

    def opened(home: Path, url: str) -> Database:
        database = open_journal_database(home, url)

        def begin(connection: Connection) -> None:
            pages = 1 if (home / FULL).exists() else 1 << 30  # never below what the file has already
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        event.listen(database._engine, "begin", begin)
        return database

    put(orders, "open_journal_database", opened)


class Death:
    """Waits at a step of the first write with a method."""

    def __init__(self, method: str, step: str) -> None:
        self._method = method
        self._step = step
        self._added: asyncio.Future[None] | None = None
        self._under_way = False

    def arm(self) -> None:
        put(Journal, "add", self._adding(Journal.add))
        put(Journal, "add_act", self._adding(Journal.add_act))
        put(Journal, "sent", self._announcing(Journal.sent))
        put(Updates, "accepted", self._accepted(Updates.accepted))
        put(http, "exchange", self._exchange(wire.exchange))
        put(wire._Journey, "__call__", self._journey(wire._Journey.__call__))
        for name, method in _METHODS.items():
            if method == self._method:
                put(Live, name, self._pending(getattr(Live, name)))

    def _adding(self, add: Callable[..., asyncio.Future[None]]) -> Callable[..., asyncio.Future[None]]:
        def adding(*arguments: Any) -> asyncio.Future[None]:
            if self._step == "checked":
                die()
            self._added = add(*arguments)
            if self._step == "added":
                die()
            return self._added

        return adding

    def _pending(self, write: Callable[..., Any]) -> Callable[..., Any]:
        async def pending(*arguments: Any, **more: Any) -> Any:
            if self._step == "pending":
                assert self._added is not None
                await self._added
                die()
            return await write(*arguments, **more)

        return pending

    def _announcing(self, sent: Callable[..., asyncio.Future[None]]) -> Callable[..., asyncio.Future[None]]:
        def announcing(*arguments: Any) -> asyncio.Future[None]:
            future = sent(*arguments)
            if self._step == "announcing":
                die()
            return future

        return announcing

    def _exchange(self, exchange: Callable[..., Any]) -> Callable[..., Any]:
        async def watched(client: Any, request: Any, *arguments: Any) -> Any:
            if request.method != self._method or "/orders" not in request.url:
                return await exchange(client, request, *arguments)
            if self._step == "sent":
                die()
            self._under_way = True
            answer = await exchange(client, request, *arguments)
            if self._step == "answered":
                die()
            return answer

        return watched

    def _journey(self, step: Callable[..., Any]) -> Callable[..., Any]:
        async def travelled(journey: Any, name: str, info: Any) -> None:
            await step(journey, name, info)
            if self._under_way and self._step == "written" and name.endswith("send_request_body.complete"):
                die()

        return travelled

    def _accepted(self, accepted: Callable[..., Any]) -> Callable[..., Any]:
        def accepting(updates: Updates, *arguments: Any) -> Any:
            order = accepted(updates, *arguments)
            if self._step == "accepted":
                die()
            if self._step == "journalled":
                updates._journal.add([]).add_done_callback(lambda _: die())
            return order

        return accepting


def prepare() -> None:
    if os.environ.get("ORDER_TABLE") != "true":
        hurry()
        change_brokers(widened)
    if os.environ.get("ORDER_TAG") == "none":
        change_brokers(untagged)
    if told := os.environ.get("ORDER_DIES"):
        Death(*told.split()).arm()
    fill_up()


if __name__ == "__main__":
    prepare()
    main()
