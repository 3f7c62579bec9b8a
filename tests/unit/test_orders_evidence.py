"""What a book proves of orders that it does not have (promises 2 and 7)."""

import pytest
from tests.orders_support import NOW_MS, an_order, an_update

from sangam.model.books import Trade
from sangam.model.enums import Action, Product
from sangam.model.order import Order, OrderState
from sangam.orders.evidence import Moments, Verdict, absent, missing, odd_fills

HOUR = 3_600_000
DAY = NOW_MS - 3 * HOUR
LATER = Moments(DAY, NOW_MS + 60_000, 10_000)
UNKNOWN = an_order(state=OrderState.UNKNOWN)


def verdicts(order: Order, *rows: object, moments: Moments = LATER, tagged: bool = True) -> list[Verdict]:
    return [found.verdict for found in absent([order], list(rows), moments, tagged=tagged)]  # type: ignore[arg-type]


def test_an_order_in_doubt_that_a_later_book_lacks_never_reached_the_broker() -> None:
    assert verdicts(UNKNOWN) == [Verdict.NEVER_REACHED]
    assert verdicts(UNKNOWN, an_update(order_id="9", tag="OTHER")) == [Verdict.NEVER_REACHED]


@pytest.mark.parametrize(
    "order",
    [
        an_order(state=OrderState.UNKNOWN, updated_at=NOW_MS + 55_000),
        an_order(state=OrderState.UNKNOWN, sent_at=NOW_MS + 55_000),
        an_order(state=OrderState.UNKNOWN, created_at=DAY - 1),
        an_order(state=OrderState.SENT),
        an_order(state=OrderState.PENDING),
        an_order(state=OrderState.OPEN, order_id="1"),
    ],
    ids=["doubted a moment ago", "sent a moment ago", "of yesterday", "under way", "waiting", "open"],
)
def test_nothing_is_proven(order: Order) -> None:
    assert verdicts(order) == []


def test_without_a_tag_nothing_is_proven() -> None:
    assert verdicts(UNKNOWN, tagged=False) == []


def test_a_row_with_our_tag_is_the_order() -> None:
    assert verdicts(UNKNOWN, an_update(tag=UNKNOWN.our_tag + "mine")) == []


@pytest.mark.parametrize("state", [OrderState.OPEN, OrderState.TRIGGER_PENDING, OrderState.PARTIALLY_FILLED])
def test_what_was_open_yesterday_ends_with_its_day(state: OrderState) -> None:
    order = an_order(state=state, order_id="1", created_at=DAY - HOUR)
    assert verdicts(order) == [Verdict.EXPIRED]
    assert verdicts(order, an_update(order_id="1")) == [], "an order placed after the market for today"


def test_a_book_that_lacks_what_is_known_is_not_complete() -> None:
    known = an_order(state=OrderState.COMPLETE, order_id="1")
    assert missing([known, UNKNOWN], [], LATER) == [known]
    assert missing([known, UNKNOWN], [an_update("complete", order_id="1")], LATER) == []
    for other in (
        an_order(state=OrderState.OPEN, order_id="1", updated_at=LATER.read),
        an_order(state=OrderState.OPEN, order_id="1", created_at=DAY - 1),
        an_order(state=OrderState.REJECTED, order_id="1"),
    ):
        assert missing([other], [], LATER) == []


def test_trades_are_summed_once_each() -> None:
    def trade(trade_id: str, quantity: int, order_id: str = "1") -> Trade:
        return Trade(
            trade_id=trade_id, order_id=order_id, brsymbol="S", brexchange="NSE", action=Action.BUY,
            product=Product.MIS, quantity=quantity, price=1.0,
        )  # fmt: skip

    order = an_order(order_id="1", filled_quantity=10)
    assert list(odd_fills([order], [trade("a", 4), trade("b", 6), trade("a", 4)])) == []
    assert list(odd_fills([order], [trade("a", 4), trade("c", 9, "2")])) == [(order, 4)]
    assert list(odd_fills([order], [])) == [], "a broker without trades says nothing of fills"
