"""Orders: on paper with a durable journal, in the midst of a stream, and on their way to a broker.

The server is on one core, as everywhere here. Each order has a client order id of its own, as a careful program gives
it, and its answer comes after two commits that reached the disk: that it leaves, and what became of it."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from . import audit, fanout, stamp
from .fanout import Bench, Figures, Load
from .machine import Child, cpu_seconds, layout
from .masters import lags, percentile_99
from .trader import SYMBOLS

QUIET = Load("nobody else streams", 1, SYMBOLS, 500)
STREAMED = Load("100 clients × 5,000/s", 100, SYMBOLS, 5000)
BOOK = 5000
FILLING = 15.0
LIVE_RATE = 7.0
"""Orders a second that a broker of ten, with a reserve of two, takes without waiting."""
LIVE_SECONDS = 9.0
LATER = 0.5
"""Seconds until a load begins beside another: by then there are prices."""
ACTIONS = {
    "rest": {"place": "placeorder", "book": "orderbook"},
    "ws": {"place": "place_order", "book": "get_orderbook"},
}
LIMIT = {
    "symbol": "SYM{turn}",
    "exchange": "NSE",
    "quantity": 1,
    "pricetype": "LIMIT",
    "price": 10,
    "product": "CNC",
    "strategy": "bench",
}
MARKET = LIMIT | {"pricetype": "MARKET", "price": 0}
WORDS = {"rest": "REST", "ws": "WebSocket"}
SIDE = {"rest": "action", "ws": "side"}


@dataclass(frozen=True)
class Told:
    """What a load of requests showed. Times are microseconds; `left` is when each order left its program."""

    seconds: float
    took: list[int]
    failed: int
    busy: float
    left: dict[int, int]

    @property
    def per_second(self) -> float:
        return len(self.took) / self.seconds

    def share(self, part: float) -> float:
        """Milliseconds."""
        return audit.percentile(self.took, part)


class Traders:
    """A server and its traders. `paper` and `live` are keys."""

    def __init__(self, one: Bench) -> None:
        self.one = one
        self.keys = {mode: one.server.create_key("--label", mode, "--mode", mode) for mode in ("paper", "live")}
        self._runs = 0

    def order(self, wire: str, fields: dict[str, Any], **more: Any) -> dict[str, Any]:
        self._runs += 1
        fields = fields | {SIDE[wire]: "BUY", "client_order_id": f"{self._runs}-{{n}}"} | more
        return {"name": ACTIONS[wire]["place"], "fields": fields}

    @contextmanager
    def traders(self, wire: str, connections: int, mode: str = "paper") -> Iterator[Child]:
        server, (_, others) = self.one.server, layout()
        port = server.api_port if wire == "rest" else server.ws_port
        config = {"wire": wire, "port": port, "key": self.keys[mode], "connections": connections}
        with Child("trader", config, others[-1]) as child:
            child.hear()
            yield child

    def run(self, child: Child, order: dict[str, Any]) -> Told:
        child.tell(order)
        return self.hear(child, cpu_seconds(self.one.server.pid))

    def beside(self, load: Load, child: Child, order: dict[str, Any]) -> tuple[Told, Figures]:
        """The order's load while another streams; it begins a little later, when there are prices."""
        cpu = 0.0

        def begin() -> None:
            nonlocal cpu
            cpu = cpu_seconds(self.one.server.pid)
            child.tell({"seconds": load.seconds - 2 * LATER, "later": LATER} | order)

        figures = self.one.run(load, begin)
        return self.hear(child, cpu), figures

    def hear(self, child: Child, cpu: float) -> Told:
        told = child.hear()
        cpu = cpu_seconds(self.one.server.pid) - cpu
        if told["why"]:
            print(f"{told['failed']} orders failed: {told['why'][0]}", file=sys.stderr)
        return Told(
            seconds=told["seconds"],
            took=told["took"],
            failed=told["failed"],
            busy=cpu / told["seconds"],
            left=dict(told["left"]),
        )


def sync_ms() -> float:
    """What this disk needs until a small write is safe, where the benches keep their homes."""
    with tempfile.TemporaryFile(prefix="sangam-bench-") as file:
        took = []
        for _ in range(200):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append(round((time.perf_counter() - began) * 1e6))
    return audit.percentile(took, 0.5)


def paper() -> Iterator[tuple[str, Told, Figures]]:
    """One at a time, several at once, and in the midst of a stream."""
    with fanout.bench(SYMBOLS, desk=True) as one:
        floor = Traders(one)
        for wire, connections in (("rest", 1), ("ws", 1), ("rest", 16), ("ws", 16)):
            with floor.traders(wire, connections) as child:
                told, streamed = floor.beside(QUIET, child, floor.order(wire, LIMIT))
            yield f"{WORDS[wire]}, {connections} at once", told, streamed
        for wire, kind, fields in (("rest", "", LIMIT), ("ws", "", LIMIT), ("ws", ", at the market", MARKET)):
            with floor.traders(wire, 8) as child:
                told, streamed = floor.beside(STREAMED, child, floor.order(wire, fields) | {"rate": 100.0})
            yield f"{WORDS[wire]}, 100 orders/s{kind}, {STREAMED.name}", told, streamed


@dataclass(frozen=True)
class Way:
    """Microseconds from a program's bytes to the broker's, and to the program's answer; `ping` is a request that does
    nothing, there and back at the same rate."""

    wire: str
    beside: str
    there: list[int]
    told: Told
    ping: Told

    @property
    def added(self) -> float:
        """Milliseconds of the order's own: without the way of any request through the network and the door."""
        return audit.percentile(self.there, 0.5) - self.ping.share(0.5) / 2


def live() -> Iterator[Way]:
    """Orders to a broker that stamps their arrival: client's bytes to broker's bytes, the network of both included."""
    for wire in ("rest", "ws"):
        for load in (QUIET, STREAMED):
            with fanout.bench(SYMBOLS, desk=True) as one, ExitStack() as stack:
                floor = Traders(one)
                child = stack.enter_context(floor.traders(wire, 4, "live"))
                order = floor.order(wire, LIMIT, quantity="n") | {"rate": LIVE_RATE}
                ping, _ = floor.beside(load, child, {"name": "ping", "fields": {}, "rate": LIVE_RATE})
                told, _ = floor.beside(replace(load, seconds=LIVE_SECONDS), child, order)
                assert one.desk is not None
                arrivals = dict(one.desk.ask({"do": "arrivals"})["arrivals"])
            there = [stamp.elapsed_us(at, told.left[number]) for number, at in arrivals.items()]
            yield Way(WORDS[wire], load.name, there, told, ping)


@dataclass(frozen=True)
class Books:
    """A book of `BOOK` open orders: microseconds until it is there, and how late the loop was meanwhile (ms, p99)."""

    name: str
    took: list[int]
    lag: float
    streamed: Figures | None = None


def books() -> Iterator[Books]:
    with fanout.bench(SYMBOLS, desk=True) as one:
        floor = Traders(one)
        with floor.traders("ws", 16) as child:
            floor.beside(replace(QUIET, seconds=FILLING), child, floor.order("ws", LIMIT) | {"count": BOOK})
        for wire in ("rest", "ws"):
            with floor.traders(wire, 1) as child, lags(one.server.metrics) as late:
                told = floor.run(child, {"name": ACTIONS[wire]["book"], "fields": {}, "count": 12, "rate": 2.0})
            yield Books(f"paper, {WORDS[wire]}", told.took, percentile_99(late))
        with floor.traders("ws", 1) as child, lags(one.server.metrics) as late:
            ask = {"name": ACTIONS["ws"]["book"], "fields": {}, "rate": 2.0}
            told, streamed = floor.beside(STREAMED, child, ask)
        yield Books(f"paper, WebSocket, {STREAMED.name}", told.took, percentile_99(late), streamed)
        assert one.desk is not None
        one.desk.ask({"do": "open", "count": BOOK})
        with floor.traders("ws", 1, "live") as child, lags(one.server.metrics) as late:
            first = floor.run(child, {"name": ACTIONS["ws"]["book"], "fields": {}, "count": 1})
            told = floor.run(child, {"name": ACTIONS["ws"]["book"], "fields": {}, "count": 10, "rate": 2.0})
        yield Books("live, WebSocket, the first time", first.took, percentile_99(late))
        yield Books("live, WebSocket, from then on", told.took, percentile_99(late))
