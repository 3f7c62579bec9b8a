"""PaperBroker: deterministic, in process, with the paper engine's rules."""

import threading
from datetime import date
from decimal import Decimal

import pytest

from sangam.client import OrderInfo, PaperBroker, Tick
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import BrokerError, Conflict, Denied, InvalidInput, OrderNotFound, Rejected
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, DepthLevel
from sangam.model.order import OrderState
from sangam.paper.config import Config


class Desk(PaperBroker):
    """A connected one that notes what its callbacks hear."""

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self.heard: list[OrderInfo] = []
        self.ticks: list[Tick] = []
        self.errors: list[Exception] = []
        self.on_order_update = self.heard.append
        self.on_tick = self.ticks.append
        self.on_error = self.errors.append
        self.connect()

    @property
    def events(self) -> list[str]:
        return [order.event for order in self.heard]


@pytest.fixture
def broker() -> Desk:
    return Desk(cash=100_000, prices={"SBIN": 800})


def test_a_market_order_fills_at_the_touch(broker: Desk) -> None:
    broker.tick("SBIN", 800, bid=799.9, ask=800.1)
    order = broker.place_order("SBIN", 10, "BUY")
    assert (order.status, order.average_price, order.filled_quantity) == (OrderState.COMPLETE, 800.1, 10)
    assert broker.events == ["ORDER_PLACED", "ORDER_FILLED"]
    assert [told.seq for told in broker.heard] == [1, 2]
    (position,) = broker.get_positions()
    assert (position.symbol, position.quantity, position.average_price) == ("SBIN", 10, 800.1)
    (trade,) = broker.get_tradebook()
    assert (trade.order_id, trade.price, trade.side) == (order.order_id, 800.1, "BUY")
    assert broker.get_funds().utilised == pytest.approx(800.1 * 10 / 5)


def test_a_limit_order_waits_is_changed_and_filled(broker: Desk) -> None:
    order = broker.place_order("SBIN", 10, "BUY", 790)
    assert order.status is OrderState.OPEN
    assert broker.modify_order(order.client_order_id, 795.5, 4).price == Decimal("795.5")
    broker.tick("SBIN", 795)
    assert broker.get_order(order.order_id).average_price == 795.5
    assert broker.events == ["ORDER_PLACED", "ORDER_MODIFIED", "ORDER_FILLED"]


def test_a_stop_triggers_and_a_cancel_ends(broker: Desk) -> None:
    broker.place_order("SBIN", 10, "BUY")
    stop = broker.place_order("SBIN", 10, "SELL", trigger_price=790)
    other = broker.place_order("SBIN", 1, "SELL", 789, trigger_price=790)
    assert (stop.price_type, other.price_type, stop.status) == ("SL-M", "SL", OrderState.TRIGGER_PENDING)
    assert broker.cancel_order(other.order_id).status is OrderState.CANCELLED
    broker.tick("SBIN", 789.5)
    assert broker.get_order(stop.id).status is OrderState.COMPLETE
    assert broker.events[-3:] == ["ORDER_CANCELLED", "ORDER_TRIGGERED", "ORDER_FILLED"]
    assert broker.get_positions()[0].quantity == 0
    with pytest.raises(Rejected, match="Cannot cancel"):
        broker.cancel_order(stop.order_id)


def test_refusals_are_those_of_a_broker(broker: Desk) -> None:
    with pytest.raises(Rejected, match="Insufficient funds") as caught:
        broker.place_order("SBIN", 100_000, "BUY", client_order_id="dear")
    assert caught.value.order is not None
    assert caught.value.order.state is OrderState.REJECTED
    with pytest.raises(Rejected, match="Insufficient funds"):
        broker.place_order("SBIN", 100_000, "BUY", client_order_id="dear")
    with pytest.raises(Rejected, match="Insufficient holdings"):
        broker.place_order("SBIN", 1, "SELL", 800, product="CNC")
    with pytest.raises(Rejected, match="no current price"):
        broker.place_order("INFY", 1, "BUY")
    assert broker.events == ["ORDER_REJECTED"] * 3
    for wrong in ({"qty": 0}, {"side": "HOLD"}, {"exchange": "NASDAQ"}, {"price": -1}, {"price_type": "LIMIT"}):
        with pytest.raises(InvalidInput):
            broker.place_order(**{"symbol": "SBIN", "qty": 1, "side": "BUY", **wrong})  # type: ignore[arg-type]
    with pytest.raises(OrderNotFound):
        broker.get_order("none")
    with pytest.raises(BrokerError):
        broker.get_quote("INFY")


def test_the_same_client_order_id_is_the_same_order(broker: Desk) -> None:
    first = broker.place_order("SBIN", 10, "BUY", 790, client_order_id="one")
    assert broker.place_order("SBIN", 10, "buy", "790.0", client_order_id="one", timeout=1) == first
    with pytest.raises(Conflict):
        broker.place_order("SBIN", 11, "BUY", 790, client_order_id="one")
    assert len(broker.get_orderbook()) == 1


def test_callbacks_follow_one_another(broker: Desk) -> None:
    told: list[str] = []

    def on_tick(tick: Tick) -> None:
        told.append(f"tick {tick.ltp}")
        broker.place_order("SBIN", 1, "BUY")
        told.append("placed")

    broker.on_order_update = lambda order: told.append(order.event)
    broker.subscribe("SBIN", on_tick)
    broker.tick("SBIN", 801)
    assert told == ["tick 801.0", "placed", "ORDER_PLACED", "ORDER_FILLED"]
    broker.unsubscribe("NSE:SBIN")
    broker.tick("SBIN", 802)
    assert len(told) == 4


def test_threads_take_turns(broker: Desk) -> None:
    def trade(number: int) -> None:
        for turn in range(25):
            broker.place_order("SBIN", 1, "BUY", client_order_id=f"{number}-{turn}")
            broker.get_orderbook()

    threads = [threading.Thread(target=trade, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broker.get_positions()[0].quantity == 200
    assert [told.seq for told in broker.heard] == list(range(1, 401))


def test_a_failing_callback_is_told(broker: Desk) -> None:
    broker.subscribe("SBIN", lambda tick: 1 / 0)
    broker.tick("SBIN", 801)
    assert isinstance(broker.errors[0], ZeroDivisionError)


def test_two_runs_are_equal() -> None:
    def run() -> list[OrderInfo]:
        broker = Desk(prices={"SBIN": 800, "NFO:NIFTY27JAN26FUT": 26000})
        for step in range(20):
            broker.place_order("SBIN", 1 + step, "BUY" if step % 3 else "SELL", 800 + step % 5)
            broker.tick("SBIN", 800 + (step * 7) % 11)
        return broker.heard

    assert run() == run()


def test_a_trigger_places_its_order(broker: Desk) -> None:
    trigger = broker.place_gtt("SBIN", 780, 5, "BUY", client_order_id="g")
    assert broker.place_gtt("SBIN", 780, 5, "BUY", client_order_id="g") == trigger
    other = broker.place_gtt("SBIN", 820, 5, "SELL", price=819)
    broker.cancel_gtt(other)
    assert [(row.trigger_id, row.status) for row in broker.get_gtts()] == [(trigger, "active"), (other, "cancelled")]
    broker.tick("SBIN", 779)
    (order,) = broker.get_orderbook()
    assert (order.symbol, order.quantity, order.status, order.foreign) == ("SBIN", 5, OrderState.COMPLETE, True)
    with pytest.raises(Rejected):
        broker.cancel_gtt(trigger)


def test_lots_depth_and_charges() -> None:
    future = Instrument(
        symbol="NIFTY27JAN26FUT", exchange=Exchange.NFO, brsymbol="NIFTY", brexchange="NFO", token="1", lot_size=75,
        instrument_type=InstrumentType.FUT, expiry=date(2026, 1, 27),
    )  # fmt: skip
    broker = Desk(cash=10_000_000, instruments=[future], config=Config(charges=True, depth_fills=True))
    book = Depth([DepthLevel(25_999, 75)], [DepthLevel(26_000, 75), DepthLevel(26_001, 75)])
    broker.tick("NIFTY27JAN26FUT", 26_000, exchange="NFO", depth=book)
    with pytest.raises(Rejected, match="multiples of lot size 75"):
        broker.place_order("NIFTY27JAN26FUT", 10, "BUY", exchange="NFO")
    order = broker.place_order("NIFTY27JAN26FUT", 225, "BUY", 26_001, exchange="NFO", product="NRML")
    assert (order.status, order.filled_quantity, order.average_price) == (OrderState.PARTIALLY_FILLED, 150, 26_000.5)
    assert broker.events[-2:] == ["ORDER_PARTIALLY_FILLED"] * 2
    assert broker.get_positions()[0].symbol == "NIFTY27JAN26FUT"
    assert broker.get_quote("NIFTY27JAN26FUT", "NFO").bid_price == 25_999


def test_without_connect_nothing_is_sent() -> None:
    broker = PaperBroker(prices={"SBIN": 800})
    life: list[str] = []
    broker.on_connect = lambda: life.append("up")
    broker.on_disconnect = life.append
    with pytest.raises(Denied, match="connect"):
        broker.place_order("SBIN", 1, "BUY")
    with broker:
        broker.place_order("SBIN", 1, "BUY")
        assert broker.get_holdings() == []
    assert life == ["up", "closed by us"]
