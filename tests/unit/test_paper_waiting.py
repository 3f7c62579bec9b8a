"""Orders are found by the price that reaches them, and no other."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.paper_rig import order, quote

from sangam.model.enums import Action, PriceType
from sangam.paper import matching
from sangam.paper.quote import Quote
from sangam.paper.state import PaperOrder
from sangam.paper.waiting import Waiting

PRICES = st.integers(90, 110).map(Decimal)
SOME = st.one_of(st.just(Decimal(0)), PRICES)


@st.composite
def orders(draw: Any) -> PaperOrder:
    return order(
        action=draw(st.sampled_from(Action)),
        price_type=draw(st.sampled_from(PriceType)),
        price=draw(PRICES),
        trigger_price=draw(PRICES),
        triggered=draw(st.booleans()),
        stamp=draw(st.sampled_from([(), (0,)])),
    )


def concerns(waiting: PaperOrder, told: Quote) -> bool:
    """By trying: whether the quote would trigger or fill it."""
    if matching.waits_for_trigger(waiting):
        return matching.triggered(waiting, told)
    return bool(matching.taking(waiting, told, None) or matching.resting(waiting, told, None))


@given(st.lists(orders(), max_size=30), st.lists(st.tuples(SOME, SOME, SOME), max_size=8))
def test_every_order_that_a_quote_concerns_is_found(
    given_orders: list[PaperOrder], told: list[tuple[Decimal, Decimal, Decimal]]
) -> None:
    waiting = Waiting()
    for one in given_orders:
        waiting.enter(one)
    for ltp, bid, ask in told:
        now = quote(ltp, bid, ask)  # type: ignore[arg-type]
        reached = waiting.reached(now)
        assert {one.id for one in given_orders if concerns(one, now)} <= {one.id for one in reached}
        for one in reached:
            one.stamp = (0,)
            waiting.enter(one)


def test_far_orders_are_left_alone_and_terms_may_change() -> None:
    waiting = Waiting()
    far = [order(price_type=PriceType.LIMIT, price=Decimal(price), stamp=(0,)) for price in (90, 91, 92)]
    for one in far:
        waiting.enter(one)
    assert waiting.reached(quote("100", 99, 101)) == []
    far[1].price = Decimal(101)
    waiting.enter(far[1])
    assert waiting.reached(quote("100", 99, 101)) == [far[1]]
    assert waiting.reached(quote("91.5")) == [far[2]]  # where the second was, nothing is any more
    del waiting[far[0].id]
    assert waiting.reached(quote("50")) == []


def test_an_order_that_is_changed_all_day_leaves_no_trail() -> None:
    waiting = Waiting()
    moved = order(price_type=PriceType.LIMIT, price=Decimal(90), stamp=(0,))
    for number in range(10_000):
        moved.price = Decimal(number % 50 + 1)
        waiting.enter(moved)
    assert sum(len(heap) for heap in waiting._heaps.values()) < 100
    assert waiting.reached(quote("51")) == []
    assert waiting.reached(quote("50")) == [moved]
