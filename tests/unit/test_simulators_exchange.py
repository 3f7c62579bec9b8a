"""The matching exchange: coherence of what it shows, orders and their ledger, days, determinism."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Action, InstrumentType, OrderStatus, PriceType
from sangam.model.enums import Exchange as Code
from sangam.model.errors import SymbolNotFound
from sangam.simulators.desk import MAX_MODIFICATIONS, Refusal
from sangam.simulators.exchange import Exchange
from sangam.simulators.market import Market
from sangam.simulators.orders import Kind, Validity
from sangam.simulators.paths import Recorded

MORNING = datetime(2026, 8, 18, 9, 15, tzinfo=IST)
SAMPLE = (
    ("NIFTY", Code.NSE_INDEX),
    ("SBIN", Code.NSE),
    ("MARUTI", Code.NSE),
    ("WIPRO", Code.NSE),
    ("NIFTY25AUG26FUT", Code.NFO),
    ("NIFTY18AUG2624400CE", Code.NFO),
    ("NIFTY18AUG2623900PE", Code.NFO),
    ("USDINR27AUG26FUT", Code.CDS),
    ("CRUDEOIL19AUG26FUT", Code.MCX),
)
BUY, SELL = Action.BUY, Action.SELL


class Floor:
    """An exchange with a clock that moves with it."""

    def __init__(self, seed: int = 1, **options: Any) -> None:
        self.clock = ManualClock(MORNING)
        self.exchange = Exchange(clock=self.clock, seed=seed, **options)

    def step(self, seconds: float) -> list[Market]:
        self.clock.advance(seconds)
        return self.exchange.step(seconds)

    def sbin(self) -> Market:
        return self.exchange.market("SBIN", Code.NSE)

    def place(self, action: Action, quantity: int, price_type: PriceType = PriceType.MARKET, **more: Any) -> Any:
        return self.exchange.place("ME", "SBIN", Code.NSE, action, quantity, price_type, **more)


def seen(market: Market) -> tuple[object, ...]:
    book = market.book
    prices = (market.ltp, market.open, market.high, market.low, market.close, market.volume, market.oi)
    return (*prices, market.ltt, market.updated, book.depth(True, 5), book.depth(False, 5))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.sampled_from([0.02, 0.1, 1.0, 60.0, 3600.0]), min_size=5, max_size=40))
def test_what_is_shown_is_coherent(seed: int, steps: list[float]) -> None:
    floor = Floor(seed)
    markets = [floor.exchange.market(*key) for key in SAMPLE]
    for market in markets[:5]:
        floor.exchange.watch(market)
    volumes = [market.volume for market in markets]
    for seconds in steps:
        floor.step(seconds)
        for n, key in enumerate(SAMPLE):
            market = floor.exchange.market(*key)
            assert market is markets[n]
            assert 0 < market.low <= market.open <= market.high
            assert market.low <= market.ltp <= market.high
            assert market.volume >= volumes[n]
            assert market.ltt <= market.updated <= floor.exchange.now_ms
            volumes[n] = market.volume
            bids, asks = market.book.depth(True, 5), market.book.depth(False, 5)
            if market.is_index:
                assert bids == asks == []
                assert market.volume == 0
                continue
            assert market.low <= market.average <= market.high
            assert market.lower_circuit <= market.low
            assert market.high <= market.upper_circuit
            assert market.oi_low <= market.oi <= market.oi_high
            assert asks
            assert [row.price for row in bids] == sorted({row.price for row in bids}, reverse=True)
            assert [row.price for row in asks] == sorted({row.price for row in asks})
            for row in bids + asks:
                assert row.price > 0
                assert row.quantity % market.contract.lot_size == 0
                assert 0 < row.orders <= row.quantity // market.contract.lot_size
            if bids:
                assert bids[0].price < asks[0].price
            assert market.book.total_sell >= sum(row.quantity for row in asks)


def test_equal_seeds_and_calls_give_equal_ticks_and_ledgers() -> None:
    def play(seed: int) -> tuple[list[object], object]:
        floor = Floor(seed)
        ticks: list[object] = []
        for key in SAMPLE:
            floor.exchange.watch(floor.exchange.market(*key))
        for n in range(50):
            ticks += [seen(market) for market in floor.step(0.2)]
            if n % 7 == 0:
                floor.place(BUY if n % 2 else SELL, 30)
        ledger = floor.exchange.ledger
        return ticks, (ledger.entries, ledger.trades)

    assert play(7) == play(7)
    assert play(7)[0] != play(8)[0]


def test_watching_one_market_does_not_change_another() -> None:
    alone, crowded = Floor(), Floor()
    alone.exchange.watch(alone.sbin())
    crowded.exchange.watch(crowded.sbin())
    crowded.exchange.watch(crowded.exchange.market("NIFTY", Code.NSE_INDEX))
    for _ in range(20):
        alone.step(0.3)
        crowded.step(0.3)
    assert seen(alone.sbin()) == seen(crowded.sbin())


def test_only_watched_markets_move_and_others_catch_up_when_asked() -> None:
    floor = Floor()
    market = floor.sbin()
    before = seen(market)
    assert floor.step(5.0) == []
    assert seen(market) == before
    assert seen(floor.sbin()) != before
    floor.exchange.watch(market)
    assert floor.step(1.0) == [market]
    floor.exchange.unwatch(market)
    assert floor.step(1.0) == []


def test_a_bounded_step_leaves_nobody_behind() -> None:
    floor = Floor()
    for key in SAMPLE:
        floor.exchange.watch(floor.exchange.market(*key))
    floor.step(0.0)
    floor.clock.advance(5.0)
    moved = [floor.exchange.step(5.0, moves=4) for _ in range(3)]
    assert [len(part) for part in moved[:2]] == [4, 4]
    assert {market.contract.id for part in moved for market in part} == set(SAMPLE)


def test_derivatives_follow_their_underlying() -> None:
    floor = Floor()
    for _ in range(20):
        floor.step(600.0)
        spot = floor.exchange.market("NIFTY", Code.NSE_INDEX)
        future = floor.exchange.market("NIFTY25AUG26FUT", Code.NFO)
        call = floor.exchange.market("NIFTY25AUG2624400CE", Code.NFO)
        put = floor.exchange.market("NIFTY25AUG2624400PE", Code.NFO)
        value = spot.rupees(spot.ltp)
        assert future.rupees(future.book.best_ask or 0) == pytest.approx(value, rel=0.003)
        parity = call.rupees(call.book.best_bid or 0) - put.rupees(put.book.best_bid or 0)
        assert parity == pytest.approx(value - 24400, abs=60)


def test_a_book_gets_as_deep_as_asked() -> None:
    floor = Floor()
    market = floor.sbin()
    assert 5 <= len(market.book.depth(True, 200)) < 10
    market.deepen(200)
    for _ in range(10):
        floor.step(1.0)
        floor.sbin()
        assert min(len(market.book.depth(True, 200)), len(market.book.depth(False, 200))) > 190


def test_a_market_order_takes_the_best_prices() -> None:
    floor = Floor()
    asks = floor.sbin().book.depth(False, 2)
    order = floor.place(BUY, asks[0].quantity + 1)
    assert order.status is OrderStatus.COMPLETE
    trades = floor.exchange.ledger.trades
    market = floor.sbin()
    expected = [(market.rupees(asks[0].price), asks[0].quantity), (market.rupees(asks[1].price), 1)]
    assert [(trade.price, trade.quantity) for trade in trades] == expected
    assert market.ltp == asks[1].price
    assert sum(trade.quantity for trade in trades) == order.filled_quantity


def test_a_limit_order_waits_and_is_filled_by_the_market() -> None:
    floor = Floor()
    market = floor.sbin()
    price = market.rupees((market.book.best_bid or 0) - 3)
    order = floor.place(BUY, 50, PriceType.LIMIT, price=price)
    assert order.status == "open"
    for _ in range(5000):
        floor.step(1.0)
        if order.status.is_final:
            break
    assert order.status == "complete"
    assert order.average_price == price
    assert floor.step(1.0) == [], "nobody waits any more"


def test_an_order_that_waits_first_is_filled_first() -> None:
    floor = Floor()
    best = floor.sbin().book.best_bid or 0
    price = floor.sbin().rupees(best + 1) if best + 1 < (floor.sbin().book.best_ask or 0) else floor.sbin().rupees(best)
    first = floor.place(BUY, 100_000, PriceType.LIMIT, price=price)
    second = floor.place(BUY, 10, PriceType.LIMIT, price=price)
    floor.exchange.place("ELSE", "SBIN", Code.NSE, SELL, 50_000, PriceType.LIMIT, price=price)
    assert first.filled_quantity > 0
    assert second.filled_quantity == 0


def test_stops_wait_for_their_trigger() -> None:
    floor = Floor()
    market = floor.sbin()
    trigger = market.rupees(market.ltp + 4)
    stop = floor.place(BUY, 5, PriceType.SL_M, trigger_price=trigger)
    limited = floor.place(BUY, 5, PriceType.SL, trigger_price=trigger, price=market.rupees(market.ltp + 30))
    assert (stop.status, limited.status) == ("trigger pending", "trigger pending")
    for _ in range(5000):
        floor.step(1.0)
        if stop.status.is_final:
            break
        assert market.rupees(market.ltp) < trigger
    assert (stop.status, limited.status) == ("complete", "complete")
    assert market.rupees(market.high) >= trigger
    kinds = [entry.kind for entry in floor.exchange.ledger.entries if entry.order.order_id == stop.order_id]
    assert kinds[:2] == [Kind.PLACED, Kind.TRIGGERED]


@pytest.mark.parametrize(
    ("symbol", "exchange", "quantity", "price", "reason"),
    [
        ("NIFTY", Code.NSE_INDEX, 1, 24000.0, "index"),
        ("NIFTY25AUG26FUT", Code.NFO, 64, 24400.0, "lot size 65"),
        ("SBIN", Code.NSE, 0, 1027.0, "lot size 1"),
        ("SBIN", Code.NSE, 1, 1027.03, "tick size 0.1"),
        ("SBIN", Code.NSE, 1, 2000.0, "outside the day's range"),
    ],
)
def test_wrong_orders_are_rejected_with_a_reason(
    symbol: str, exchange: Code, quantity: int, price: float, reason: str
) -> None:
    floor = Floor()
    order = floor.exchange.place("ME", symbol, exchange, BUY, quantity, PriceType.LIMIT, price=price)
    assert order.status is OrderStatus.REJECTED
    assert reason in order.reason
    assert [entry.kind for entry in floor.exchange.ledger.entries] == [Kind.REJECTED]


def test_modify_and_cancel() -> None:
    floor = Floor()
    told: list[str] = []
    stop = floor.exchange.on_order(lambda order: told.append(order.status.value))
    market = floor.sbin()
    order = floor.place(SELL, 10, PriceType.LIMIT, price=market.rupees(market.ltp + 50))
    total = market.book.total_sell
    floor.exchange.modify(order.order_id, quantity=20)
    assert market.book.total_sell == total + 10
    with pytest.raises(Refusal, match="tick size"):
        floor.exchange.modify(order.order_id, price=1027.03)
    floor.exchange.cancel(order.order_id)
    assert market.book.total_sell == total - 10
    with pytest.raises(Refusal, match="cancelled already"):
        floor.exchange.cancel(order.order_id)
    with pytest.raises(Refusal, match="No such order"):
        floor.exchange.cancel("x")
    stop()
    floor.place(BUY, 1)
    assert told == ["open", "open", "cancelled"]


def test_the_ledger_keeps_each_state_and_its_trades_sum_up() -> None:
    floor = Floor()
    orders = []
    for n in range(40):
        market = floor.sbin()
        price = market.rupees(market.ltp + (n % 5 - 2))
        orders.append(floor.place(BUY if n % 2 else SELL, 10 + n, PriceType.LIMIT, price=price))
        floor.step(0.5)
    ledger = floor.exchange.ledger
    filled = {order.order_id: 0 for order in orders}
    for trade in ledger.trades:
        filled[trade.order_id] += trade.quantity
    assert filled == {order.order_id: order.filled_quantity for order in orders}
    assert sum(filled.values()) > 0
    for order in orders:
        history = [entry.order.filled_quantity for entry in ledger.entries if entry.order.order_id == order.order_id]
        assert history == sorted(history)


def test_what_an_ioc_order_does_not_get_at_once_is_cancelled() -> None:
    floor = Floor()
    best = floor.sbin().book.depth(False, 1)[0]
    price = floor.sbin().rupees(best.price)
    order = floor.place(BUY, best.quantity + 10, PriceType.LIMIT, price=price, validity=Validity.IOC)
    assert (order.status, order.filled_quantity, order.pending_quantity) == ("cancelled", best.quantity, 0)
    assert floor.sbin().book.best_bid != best.price
    away = floor.place(BUY, 10, PriceType.LIMIT, price=floor.sbin().rupees(best.price - 50), validity=Validity.IOC)
    assert (away.status, away.filled_quantity) == ("cancelled", 0)


def test_a_modification_may_change_the_type() -> None:
    floor = Floor()
    market = floor.sbin()
    far = market.rupees(market.ltp - 50)
    order = floor.place(BUY, 10, PriceType.LIMIT, price=far)
    up = market.rupees(market.ltp + 40)
    floor.exchange.modify(
        order.order_id, price_type=PriceType.SL, price=up, trigger_price=market.rupees(market.ltp + 20)
    )
    assert order.status == "trigger pending"
    floor.exchange.modify(order.order_id, price_type=PriceType.LIMIT, price=far)
    assert order.status == "open"
    floor.exchange.modify(order.order_id, price_type=PriceType.MARKET)
    assert (order.status, order.modifications) == ("complete", 3)
    kinds = [entry.kind for entry in floor.exchange.ledger.history(order.order_id)]
    assert kinds[:4] == [Kind.PLACED, Kind.MODIFIED, Kind.MODIFIED, Kind.MODIFIED]


def test_an_order_is_modified_25_times_at_most() -> None:
    floor = Floor()
    market = floor.sbin()
    order = floor.place(BUY, 10, PriceType.LIMIT, price=market.rupees(market.ltp - 50))
    for n in range(MAX_MODIFICATIONS):
        floor.exchange.modify(order.order_id, quantity=20 + n)
    with pytest.raises(Refusal, match="Maximum allowed"):
        floor.exchange.modify(order.order_id, quantity=1)
    assert (order.quantity, order.modifications) == (44, 25)


def test_a_held_order_meets_the_market_when_the_next_day_opens() -> None:
    floor = Floor()
    market = floor.sbin()
    held = floor.place(BUY, 10, held=True)
    changed = floor.place(BUY, 10, PriceType.LIMIT, price=market.rupees(market.lower_circuit), held=True)
    floor.exchange.modify(changed.order_id, quantity=20)
    gone = floor.place(BUY, 10, held=True)
    floor.exchange.cancel(gone.order_id)
    expiring = floor.exchange.place("ME", "NIFTY18AUG2624400CE", Code.NFO, BUY, 65, held=True)
    assert (held.status, changed.status, gone.status) == ("open", "open", "cancelled")
    assert floor.exchange.ledger.trades == []
    floor.clock.set(MORNING + timedelta(days=1))
    floor.exchange.step(0.0)
    assert (held.status, changed.status, gone.status) == ("complete", "open", "cancelled")
    assert (changed.quantity, changed.pending_quantity, changed.held) == (20, 20, False)
    assert (expiring.status, expiring.reason) == ("cancelled", "End of day")


def test_a_refused_order_is_in_the_ledger() -> None:
    floor = Floor()
    order = floor.place(BUY, 10, refusal="no money")
    assert (order.status, order.reason) == ("rejected", "no money")
    assert floor.exchange.ledger.trades == []


def test_a_new_day_begins_at_six() -> None:
    floor = Floor()
    market = floor.sbin()
    expiring = floor.exchange.market("NIFTY18AUG2624400CE", Code.NFO)
    floor.exchange.watch(market)
    floor.exchange.watch(expiring)
    floor.step(3600.0)
    waiting = floor.place(BUY, 1, PriceType.LIMIT, price=market.rupees(market.lower_circuit))
    last, edition = market.ltp, floor.exchange.edition
    floor.clock.set(MORNING + timedelta(hours=20, minutes=44))
    floor.exchange.step(0.0)
    assert floor.exchange.edition == edition
    floor.clock.set(MORNING + timedelta(hours=20, minutes=45))
    assert floor.exchange.step(0.0) == []
    assert floor.exchange.edition == edition + 1
    assert (market.close, market.volume) == (last, 0)
    assert waiting.status is OrderStatus.CANCELLED
    assert floor.step(1.0) == [market]
    with pytest.raises(SymbolNotFound):
        floor.exchange.market("NIFTY18AUG2624400CE", Code.NFO)
    floor.exchange.unwatch(expiring)


def test_renumbering_gives_numbers_to_other_contracts() -> None:
    exchange = Floor().exchange
    sbin = exchange.market("SBIN", Code.NSE).contract
    number = exchange.token(sbin)
    assert number == 3045
    exchange.renumber()
    other = exchange.by_token(Code.NSE, number)
    assert other is not None
    assert other.contract.symbol != "SBIN"
    found = exchange.by_token(Code.NSE, exchange.token(sbin))
    assert found is not None
    assert found.contract is sbin
    assert exchange.by_token(Code.NSE, 1) is None


def test_recorded_paths_move_shares_and_their_futures() -> None:
    floor = Floor(paths={"SBIN": Recorded([0.0, 100.0], [500.0, 520.0], smooth=True)})
    assert floor.sbin().rupees(floor.sbin().close) == 500.0
    floor.step(50.0)
    market = floor.sbin()
    assert market.rupees(market.book.best_bid or 0) == pytest.approx(510.0, abs=0.3)
    future = floor.exchange.market("SBIN25AUG26FUT", Code.NFO)
    assert future.contract.instrument_type is InstrumentType.FUT
    assert future.rupees(future.book.best_bid or 0) == pytest.approx(510.6, abs=1.0)
