"""KiteBroker against the simulator: its ledger is the judge, mishaps of writes included."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.simulator_thread import SimulatorThread
from tests.support import wait_for_sync

from sangam.brokers import registry
from sangam.client import KiteBroker, OrderInfo, Tick
from sangam.client.direct import DirectBroker
from sangam.model.enums import Exchange as Code
from sangam.model.errors import (
    BrokerError,
    Conflict,
    Denied,
    InDoubt,
    InvalidInput,
    NotSent,
    OrderNotFound,
    Rejected,
    SessionExpired,
    SymbolNotFound,
    Unsupported,
)
from sangam.model.order import OrderState
from sangam.simulators import Exchange
from sangam.simulators.mishaps import Mishap


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorThread]:
    with SimulatorThread("zerodha", exchange=Exchange(pace=10.0), run=True) as thread:
        yield thread


class Heard:
    """A connected broker and what its callbacks were told."""

    def __init__(self, simulator: SimulatorThread) -> None:
        self.simulator = simulator
        self.broker = connected(simulator)
        self.orders: list[OrderInfo] = []
        self.ticks: list[Tick] = []
        self.errors: list[Exception] = []
        self.life: list[str] = []
        self.broker.on_order_update = self.orders.append
        self.broker.on_tick = self.ticks.append
        self.broker.on_error = self.errors.append
        self.broker.on_connect = lambda: self.life.append("up")
        self.broker.on_disconnect = self.life.append

    def price(self, symbol: str = "SBIN", move: float = 0.0) -> float:
        """The last price, moved by so much."""

        def read() -> float:
            market = self.simulator.simulator.exchange.market(symbol, Code.NSE)
            return float(market.rupees(round(market.ltp * (1 + move))))

        price: float = self.simulator.call(read)
        return price

    def events(self, order: OrderInfo) -> list[str]:
        return [told.event for told in self.orders if told.id == order.id]


def connected(simulator: SimulatorThread) -> KiteBroker:
    credentials = simulator.simulator.credentials
    return KiteBroker(credentials["api_key"], credentials["access_token"], hosts=simulator.simulator.hosts)


@pytest.fixture
def heard(simulator: SimulatorThread) -> Iterator[Heard]:
    rig = Heard(simulator)
    with rig.broker:
        yield rig
    simulator.call(simulator.simulator.faults.orders.clear)


def taken(heard: Heard, order: OrderInfo) -> list[Any]:
    """What the exchange took under the order's tag."""
    own = [row for row in heard.simulator.ledger().orders.values() if row.tag.startswith(order.our_tag)]
    return own


def test_an_order_lives_from_place_to_cancel(heard: Heard) -> None:
    placed = heard.broker.place_order("SBIN", 10, "BUY", heard.price(move=-0.03), tag="one")
    assert (placed.status, placed.side, placed.pending_quantity) == (OrderState.OPEN, "BUY", 10)
    assert [row.order_id for row in taken(heard, placed)] == [placed.order_id]
    modified = heard.broker.modify_order(placed.order_id, qty=20)
    assert (modified.quantity, modified.price) == (20, placed.price)
    heard.broker.cancel_order(placed.client_order_id)
    wait_for_sync(lambda: "ORDER_CANCELLED" in heard.events(placed), what="the cancellation")
    assert heard.events(placed) == ["ORDER_PLACED", "ORDER_MODIFIED", "ORDER_CANCELLED"]
    assert heard.broker.get_order(placed.order_id).is_final
    assert heard.broker.get_orderbook()[0].client_order_id == placed.client_order_id


def test_a_market_order_fills_and_shows_in_the_books(heard: Heard) -> None:
    placed = heard.broker.place_order("SBIN", 5, "BUY")
    wait_for_sync(lambda: "ORDER_FILLED" in heard.events(placed), what="the fill")
    filled = next(told for told in heard.orders if told.event == "ORDER_FILLED")
    assert (filled.filled_quantity, filled.status, filled.average_price > 0) == (5, OrderState.COMPLETE, True)
    assert heard.events(placed)[0] == "ORDER_PLACED"
    assert any(row.symbol == "SBIN" and row.quantity >= 5 for row in heard.broker.get_positions())
    assert sum(row.quantity for row in heard.broker.get_tradebook() if row.order_id == placed.order_id) == 5
    assert {row.symbol for row in heard.broker.get_holdings()} == {"SBIN", "INFY"}
    assert heard.broker.get_funds().available_cash > 0


def test_a_stop_waits_for_its_trigger(heard: Heard) -> None:
    placed = heard.broker.place_order("INFY", 3, "SELL", trigger_price=heard.price("INFY", -0.03))
    assert (placed.price_type, placed.status) == ("SL-M", OrderState.TRIGGER_PENDING)
    heard.broker.cancel_order(placed.order_id)
    wait_for_sync(lambda: "ORDER_CANCELLED" in heard.events(placed), what="the cancellation")
    assert set(heard.events(placed)) == {"ORDER_PLACED", "ORDER_CANCELLED"}


def test_the_same_client_order_id_is_the_same_order(heard: Heard) -> None:
    price = heard.price(move=-0.03)

    def place(qty: int = 10) -> OrderInfo:
        return heard.broker.place_order("SBIN", qty, "BUY", price, client_order_id="mine-1")

    found: list[OrderInfo] = []
    threads = [threading.Thread(target=lambda: found.append(place())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({order.order_id for order in [*found, place()]}) == 1
    assert len(taken(heard, found[0])) == 1
    with pytest.raises(Conflict, match="mine-1"):
        place(11)
    with connected(heard.simulator) as later:  # the program was started again
        again = later.place_order("SBIN", 10, "BUY", price, client_order_id="mine-1")
        assert (again.order_id, again.client_order_id) == (found[0].order_id, "mine-1")
        with pytest.raises(Conflict):
            later.place_order("SBIN", 10, "SELL", price, client_order_id="mine-1")
        later.cancel_order("mine-1")
    assert len(taken(heard, found[0])) == 1


@pytest.mark.parametrize(
    "mishap", [Mishap.TAKEN_THEN_RESET, Mishap.TAKEN_SERVER_ERROR, Mishap.TAKEN_TIMED_OUT, Mishap.TAKEN_NONSENSE]
)
@pytest.mark.parametrize("pushed", [True, False])
def test_an_order_whose_answer_is_lost_is_found_and_not_repeated(heard: Heard, mishap: Mishap, pushed: bool) -> None:
    faults = heard.simulator.simulator.faults.orders

    def spoil() -> None:
        faults.mishap(mishap)
        faults.drop_updates = not pushed

    heard.simulator.call(spoil)
    placed = heard.broker.place_order("SBIN", 1, "BUY", heard.price(move=-0.03))
    assert placed.status is OrderState.OPEN
    assert [row.order_id for row in taken(heard, placed)] == [placed.order_id]


def test_a_change_and_a_cancel_whose_answers_are_lost_are_looked_for(heard: Heard) -> None:
    faults = heard.simulator.simulator.faults.orders
    placed = heard.broker.place_order("SBIN", 1, "BUY", heard.price(move=-0.03))
    heard.simulator.call(lambda: faults.mishap(Mishap.TAKEN_SERVER_ERROR))
    assert heard.broker.modify_order(placed.order_id, qty=3).quantity == 3
    heard.simulator.call(lambda: faults.mishap(Mishap.TAKEN_THEN_RESET))
    assert heard.broker.cancel_order(placed.order_id).status is OrderState.CANCELLED
    assert [happened.method for happened in faults.happened[-2:]] == ["PUT", "DELETE"]


def test_a_cancel_that_did_not_arrive_is_in_doubt(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sangam.client.direct_desk.LOOKS", (0.01, 0.05))
    placed = heard.broker.place_order("SBIN", 1, "BUY", heard.price(move=-0.03))
    heard.simulator.call(lambda: heard.simulator.simulator.faults.orders.mishap(Mishap.LOST_RESET, 2))
    with pytest.raises(InDoubt):
        heard.broker.modify_order(placed.order_id, qty=3)
    with pytest.raises(InDoubt):
        heard.broker.cancel_order(placed.order_id)
    assert heard.broker.get_order(placed.order_id).status is OrderState.OPEN


def test_what_the_broker_had_no_time_for_may_be_asked_again(heard: Heard) -> None:
    heard.simulator.call(lambda: heard.simulator.simulator.faults.orders.mishap(Mishap.LOST_TOO_MANY))
    price = heard.price(move=-0.03)
    with pytest.raises(Denied) as caught:
        heard.broker.place_order("SBIN", 1, "BUY", price, client_order_id="busy-1")
    assert caught.value.code == "RATE_LIMITED"

    def again() -> bool:
        try:
            return heard.broker.place_order("SBIN", 1, "BUY", price, client_order_id="busy-1").order_id != ""
        except Denied:
            return False

    wait_for_sync(again, 10, "its turn")


def test_an_order_that_nobody_knows_of_stays_in_doubt(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sangam.client.direct_desk.LOOKS", (0.01, 0.05))
    heard.simulator.call(lambda: heard.simulator.simulator.faults.orders.mishap(Mishap.LOST_RESET))
    price = heard.price()
    for _ in range(2):
        with pytest.raises(InDoubt, match="nobody knows yet") as caught:
            heard.broker.place_order("SBIN", 1, "BUY", price, client_order_id="lost-1")
        assert caught.value.order is not None
        assert caught.value.order.state is OrderState.UNKNOWN
        assert taken(heard, caught.value.order) == []  # type: ignore[arg-type]


def test_what_the_broker_refuses_is_rejected_with_its_words(heard: Heard) -> None:
    price = heard.price()
    with pytest.raises(Rejected) as caught:  # at once
        heard.broker.place_order("SBIN", 1, "BUY", price, product="NRML", client_order_id="r-1")
    assert caught.value.order is not None
    assert caught.value.order.state is OrderState.REJECTED
    with pytest.raises(Rejected):
        heard.broker.place_order("SBIN", 1, "BUY", price, product="NRML", client_order_id="r-1")
    placed = heard.broker.place_order("SBIN", 1_000_000, "BUY", heard.price(), product="CNC")  # a little later
    wait_for_sync(lambda: "ORDER_REJECTED" in heard.events(placed), what="the rejection")
    assert "Insufficient funds" in heard.broker.get_order(placed.order_id).reason
    with pytest.raises(OrderNotFound):
        heard.broker.cancel_order("no-such")


def test_what_cannot_be_sent_is_denied(heard: Heard) -> None:
    with pytest.raises(SymbolNotFound):
        heard.broker.place_order("NOPE", 1, "BUY", 10)
    with pytest.raises(InvalidInput, match="side must be"):
        heard.broker.place_order("SBIN", 1, "HOLD", 10)
    before = len(heard.simulator.ledger().orders)

    def hurry() -> None:
        for _ in range(12):
            heard.broker.place_order("SBIN", 1, "BUY", heard.price(move=-0.03), timeout=0)

    with pytest.raises(Denied) as caught:  # the broker's limit is 10 in a second
        hurry()
    assert caught.value.order is not None
    with pytest.raises(OrderNotFound):
        heard.broker.get_order(caught.value.order.client_order_id)
    assert len(heard.simulator.ledger().orders) - before < 12


def test_triggers(heard: Heard) -> None:
    last = heard.price("INFY")
    trigger = heard.broker.place_gtt(
        "INFY", heard.price("INFY", -0.05), 5, "SELL", price=round(last * 0.94, 1), client_order_id="g-1"
    )
    assert heard.broker.place_gtt("INFY", 1000, 5, "SELL", client_order_id="g-1") == trigger
    (row,) = (row for row in heard.broker.get_gtts() if row.trigger_id == trigger)
    assert (row.symbol, row.status, row.side, row.quantity) == ("INFY", "active", "SELL", 5)
    heard.broker.cancel_gtt(trigger)
    assert trigger not in {row.trigger_id for row in heard.broker.get_gtts() if row.status == "active"}


def test_prices(heard: Heard) -> None:
    quote = heard.broker.get_quote("SBIN")
    assert quote.ltp > 0
    assert quote.close is not None
    own: list[Tick] = []
    heard.broker.subscribe(["SBIN", "NSE_INDEX:NIFTY"])
    heard.broker.subscribe("INFY", own.append, mode="DEPTH")
    wait_for_sync(lambda: {tick.symbol for tick in heard.ticks} == {"SBIN", "NIFTY"} and own, what="ticks")
    assert own[-1].depth is not None
    heard.broker.unsubscribe("SBIN")
    wait_for_sync(lambda: len(heard.ticks) > 2 and heard.ticks[-1].symbol == "NIFTY", what="the other one")
    with pytest.raises(SymbolNotFound):
        heard.broker.subscribe("NOPE")


def test_after_a_broken_line_what_happened_meanwhile_is_told(heard: Heard) -> None:
    placed = heard.broker.place_order("SBIN", 1, "BUY", heard.price(move=-0.03))
    simulator = heard.simulator.simulator

    def behind_its_back() -> None:
        simulator.faults.orders.drop_updates = True
        simulator.exchange.cancel(placed.order_id)
        simulator.faults.close_sockets()

    heard.simulator.call(behind_its_back)
    wait_for_sync(lambda: "ORDER_CANCELLED" in heard.events(placed), 10, what="what was missed")
    assert heard.life[0] == heard.life[-1] == "up"
    assert len(heard.life) == 3


def test_a_failing_callback_costs_nothing(heard: Heard) -> None:
    def fail(order: OrderInfo) -> None:
        raise ValueError("mine")

    heard.broker.on_order_update = fail
    placed = heard.broker.place_order("SBIN", 1, "BUY", heard.price(move=-0.03))
    wait_for_sync(lambda: heard.errors, what="the error")
    assert isinstance(heard.errors[0], ValueError)
    assert heard.broker.get_order(placed.order_id).status is OrderState.OPEN


def test_where_no_stream_tells_of_orders_the_book_does(
    simulator: SimulatorThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where the broker takes no MARKET orders, the price must be named: nothing is converted here."""
    spec = registry.load()["zerodha"]
    assert spec.trading is not None
    (stream,) = spec.streams
    carries, limits = replace(stream.carries, orders=False), replace(stream.limits, symbols_per_socket=1)
    deaf = replace(stream, carries=carries, limits=limits, opens="on_want")
    trading = replace(spec.trading, polls=0.1, market="limit")
    changed = registry.Registry([replace(spec, streams=(deaf,), trading=trading)])
    monkeypatch.setattr("sangam.client.direct.registry.load", lambda: changed)
    rig = Heard(simulator)
    with rig.broker:
        wait_for_sync(lambda: rig.life == ["up"], what="the connect")
        with pytest.raises(Unsupported, match="give a price"):
            rig.broker.place_order("SBIN", 1, "BUY")
        placed = rig.broker.place_order("SBIN", 1, "BUY", rig.price(move=-0.03))
        simulator.call(lambda: simulator.simulator.exchange.cancel(placed.order_id))
        wait_for_sync(lambda: "ORDER_CANCELLED" in rig.events(placed), what="the poll")
        rig.broker.subscribe("SBIN")
        wait_for_sync(lambda: rig.ticks, what="a tick")
        with pytest.raises(Denied, match="at most 1 instruments"):
            rig.broker.subscribe("INFY")
    assert rig.life == ["up", "closed by us"]


def test_a_session_that_dies_is_told(simulator: SimulatorThread) -> None:
    rig = Heard(simulator)
    with rig.broker:
        wait_for_sync(lambda: rig.life == ["up"], what="the connect")
        simulator.call(simulator.simulator.expire_token)
        wait_for_sync(lambda: rig.errors, 10, "the end")
        assert isinstance(rig.errors[0], SessionExpired)
        with pytest.raises(SessionExpired):
            rig.broker.place_order("SBIN", 1, "BUY", 800, client_order_id="dead-1")
        with pytest.raises(SessionExpired):
            rig.broker.get_funds()
    assert len(rig.life) == 2
    simulator.call(simulator.simulator.new_login)


def test_a_dead_session_is_told_at_once(simulator: SimulatorThread) -> None:
    broker = KiteBroker("wrong", "wrong", hosts=simulator.simulator.hosts)
    with pytest.raises(SessionExpired):
        broker.connect()
    with pytest.raises(NotSent, match="connect"):
        broker.place_order("SBIN", 1, "BUY", 10)


def test_a_broker_that_cannot_be_reached(simulator: SimulatorThread) -> None:
    broker = KiteBroker("key", "token", hosts=simulator.simulator.hosts | {"api": "http://127.0.0.1:9"})
    with pytest.raises(BrokerError):
        broker.connect()
    broker.disconnect()


def test_a_broker_without_orders_is_refused() -> None:
    with pytest.raises(Unsupported):
        DirectBroker("paper", {})
