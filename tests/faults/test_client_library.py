"""The client library against a real server that dies: nothing twice, nothing lost, back in time."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.server_process import ServerProcess
from tests.simulator_thread import SimulatorThread
from tests.support import wait_for_sync

from sangam.client import BrokerInterface, OrderInfo, WebSocketBroker
from sangam.model.enums import Exchange as Code
from sangam.model.errors import BrokerError, Denied, InDoubt, OrderError, OrderNotFound, Rejected
from sangam.model.order import OrderState

RECONNECT = 5.0
OPEN = 5_000


class Trader:
    """Places orders that rest in the book, one after the other, whatever happens to the server."""

    def __init__(self, broker: WebSocketBroker, price: float) -> None:
        self.outcomes: dict[str, OrderInfo | OrderError] = {}
        self._broker = broker
        self._price = price
        self._numbers = itertools.count(1)
        self._going = True
        self._threads = [threading.Thread(target=self._trade) for _ in range(3)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._going = False
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def has(self, count: int) -> bool:
        return len(self.outcomes) > count

    def _trade(self) -> None:
        while self._going:
            name = f"t-{next(self._numbers)}"
            try:
                self.outcomes[name] = self._broker.place_order("SBIN", 1, "BUY", self._price, client_order_id=name)
            except OrderError as error:
                self.outcomes[name] = error
                time.sleep(0.05)  # the breaker answers at once


@pytest.fixture
def simulator() -> Iterator[SimulatorThread]:
    with SimulatorThread("zerodha", run=True) as thread:
        yield thread


def has_price(broker: BrokerInterface) -> Callable[[], bool]:
    def look() -> bool:
        try:
            return broker.get_quote("SBIN").ltp > 0
        except BrokerError:
            return False

    return look


def test_a_killed_server_costs_no_event_and_doubles_no_order(simulator: SimulatorThread, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "home") as server:
        server.cli("account", "add", "zerodha", *simulator.account_options())
        key = server.create_key("--label", "client")
        server.start()
        broker = WebSocketBroker(server.ws_url, key)
        heard: list[OrderInfo] = []
        broker.on_order_update = heard.append
        with broker:
            wait_for_sync(has_price(broker), 30, "a price")
            far = simulator.call(lambda: _far(simulator))
            trader = Trader(broker, far)
            trader.start()
            times = []
            for placed in (8, 16):
                wait_for_sync(partial(trader.has, placed), 30, "some orders")
                began = time.monotonic()
                server.kill()
                wait_for_sync(lambda: not broker.is_connected, what="the loss")
                server.start()
                healthy = time.monotonic()
                wait_for_sync(lambda: broker.is_connected, RECONNECT, "the reconnect")
                times.append((time.monotonic() - healthy, time.monotonic() - began))
            before = len(trader.outcomes)
            wait_for_sync(partial(trader.has, before + 8), 30, "orders after the restarts")
            trader.stop()
            for up, dead in times:
                print(f"connected {up:.2f} s after the server was, {dead:.2f} s after its death")  # noqa: T201
            tags = _check(broker, trader.outcomes, simulator)
            for name, order in tags.items():
                if order is not None and not order.is_final:
                    broker.cancel_order(name)
            wait_for_sync(lambda: _all_ended(broker), 20, "the cancellations")
            _check_events(server, key, heard, broker)


def _far(simulator: SimulatorThread) -> float:
    market = simulator.simulator.exchange.market("SBIN", Code.NSE)
    return float(market.rupees(round(market.ltp * 0.95)))


def _check(
    broker: WebSocketBroker, outcomes: dict[str, OrderInfo | OrderError], simulator: SimulatorThread
) -> dict[str, OrderInfo | None]:
    """Each outcome against the exchange's ledger."""
    orders = {name: _settled(broker, name) for name in outcomes}
    counted = Counter(row.tag[:10] for row in simulator.ledger().orders.values())
    assert max(counted.values()) == 1
    for name, outcome in outcomes.items():
        order = orders[name]
        taken = 0 if order is None else counted[order.our_tag]
        if isinstance(outcome, OrderInfo):
            assert taken == 1
        elif not isinstance(outcome, InDoubt):
            assert isinstance(outcome, Denied | Rejected)  # stopped here, or proved by the book never to have arrived
            assert taken == 0, f"{name} was told to be unsent: {outcome}"
    kinds = Counter(type(outcome).__name__ for outcome in outcomes.values())
    print(dict(kinds), f"{sum(counted.values())} at the exchange")  # noqa: T201
    assert kinds["OrderInfo"] >= 20
    assert sum(counted.values()) == sum(order is not None and order.order_id != "" for order in orders.values())
    return orders


def _settled(broker: WebSocketBroker, name: str) -> OrderInfo | None:
    """What the server knows in the end; None for what it never heard of."""
    try:
        wait_for_sync(lambda: broker.get_order(name).status is not OrderState.UNKNOWN, 20, f"evidence of {name}")
        return broker.get_order(name)
    except OrderNotFound:
        return None


def _all_ended(broker: WebSocketBroker) -> bool:
    return all(order.is_final for order in broker.get_orderbook())


def _check_events(server: ServerProcess, key: str, heard: list[OrderInfo], broker: WebSocketBroker) -> None:
    """What this client heard over two deaths of the server is what the journal tells one that asks for all."""
    replayed: list[OrderInfo] = []
    other = WebSocketBroker(server.ws_url, key, since=0)
    other.on_order_update = replayed.append
    with other:
        wait_for_sync(lambda: other.last_event == broker.last_event, what="the replay")
    print(f"{len(heard)} events")  # noqa: T201
    told = [(order.seq, order.event, order.id, order.status) for order in heard]
    assert told == sorted(set(told))
    assert told == [(order.seq, order.event, order.id, order.status) for order in replayed]


def test_five_thousand_open_orders(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "home") as server:
        server.start()
        with WebSocketBroker(server.ws_url, server.demo_key) as broker:
            wait_for_sync(has_price(broker), 30, "a price")
            heard: list[int] = []
            broker.on_order_update = lambda order: heard.append(order.seq)
            price = round(broker.get_quote("SBIN").ltp * 0.95)
            leg = {"symbol": "SBIN", "exchange": "NSE", "side": "BUY", "quantity": 1}
            legs = [{**leg, "price_type": "LIMIT", "price": price}] * 100
            began = time.monotonic()
            for _ in range(OPEN // 100):
                assert broker._ask("place_orders", orders=legs)["status"] == "success"
            placed = time.monotonic()
            book = broker.get_orderbook()
            print(f"{OPEN} placed in {placed - began:.1f} s, read in {time.monotonic() - placed:.2f} s")  # noqa: T201
            assert len(book) == OPEN
            assert {order.status for order in book} == {OrderState.OPEN}
            wait_for_sync(lambda: len(heard) == OPEN, 20, "all events")
            assert heard == sorted(set(heard))
            server.kill()
            server.start()
            wait_for_sync(lambda: broker.is_connected, RECONNECT, "the reconnect")
            wait_for_sync(lambda: len(broker.get_orderbook()) == OPEN, 30, "the book after the restart")
            broker.cancel_order(book[-1].order_id)
            wait_for_sync(lambda: len(heard) > OPEN, what="its event")
