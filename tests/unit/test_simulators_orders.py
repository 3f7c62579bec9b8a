"""The ledger: by owner, tag and order, and its snapshot from another thread."""

import threading
from datetime import datetime

from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Action, OrderStatus, PriceType
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange
from sangam.simulators.orders import Order

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)


def place(exchange: Exchange, owner: str = "ME", tag: str = "", quantity: int = 10) -> Order:
    return exchange.place(owner, "SBIN", Code.NSE, Action.BUY, quantity, PriceType.LIMIT, price=1000.0, tag=tag)


def test_orders_are_found_by_owner_and_tag() -> None:
    exchange = Exchange(clock=ManualClock(MORNING))
    first, second = place(exchange, tag="a"), place(exchange, tag="a")
    other, plain = place(exchange, "YOU", tag="a"), place(exchange)
    ledger = exchange.ledger
    assert ledger.tagged("ME", "a") == [first, second]
    assert ledger.tagged("YOU", "a") == ledger.of("YOU") == [other]
    assert ledger.tagged("ME", "b") == ledger.of("NOBODY") == []
    assert ledger.of("ME") == [first, second, plain]
    assert ledger.snapshot().tags("ME") == {"a": [first, second], "": [plain]}


def test_a_tag_may_begin_with_ours() -> None:
    exchange = Exchange(clock=ManualClock(MORNING))
    orders = [place(exchange, tag=tag) for tag in ("ab1", "ab2", "cd1")]
    assert exchange.ledger.snapshot().tags("ME", 2) == {"ab": orders[:2], "cd": orders[2:]}


def test_each_order_has_its_history_and_trades() -> None:
    exchange = Exchange(clock=ManualClock(MORNING))
    waiting = place(exchange)
    filled = exchange.place("ME", "SBIN", Code.NSE, Action.BUY, 10)
    exchange.cancel(waiting.order_id)
    ledger = exchange.ledger
    assert [entry.kind for entry in ledger.history(waiting.order_id)] == ["placed", "cancelled"]
    assert [entry.order.status for entry in ledger.history(waiting.order_id)] == ["open", "cancelled"]
    assert sum(trade.quantity for trade in ledger.trades_of(filled.order_id)) == 10
    assert ledger.trades_of(waiting.order_id) == []
    assert ledger.history("x") == []
    assert (waiting.changes, filled.changes) == (2, 1 + len(ledger.trades))


def test_a_snapshot_does_not_change_any_more() -> None:
    exchange = Exchange(clock=ManualClock(MORNING))
    order = place(exchange)
    before = exchange.ledger.snapshot()
    exchange.cancel(order.order_id)
    assert before.orders[order.order_id].status is OrderStatus.OPEN
    assert exchange.ledger.snapshot().orders[order.order_id].status is OrderStatus.CANCELLED
    assert len(before.entries) == 1


def test_a_snapshot_of_another_thread_is_of_one_instant() -> None:
    exchange = Exchange(clock=ManualClock(MORNING))
    enough = threading.Event()

    def trade() -> None:
        while not enough.is_set() and len(exchange.ledger.orders) < 3000:
            exchange.place("ME", "SBIN", Code.NSE, Action.BUY, 10)

    thread = threading.Thread(target=trade)
    thread.start()
    try:
        for _ in range(30):
            seen = exchange.ledger.snapshot()
            filled = sum(order.filled_quantity for order in seen.orders.values())
            assert filled == sum(trade.quantity for trade in seen.trades)
            assert {entry.order.order_id for entry in seen.entries} == set(seen.orders)
    finally:
        enough.set()
        thread.join()
