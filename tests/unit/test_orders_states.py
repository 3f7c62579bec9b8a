"""News of an order merge to the same state in whatever order they come (promise 4: a fill is counted once; a status
never moves backwards)."""

import itertools
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.orders_support import NOW_MS, an_order, an_update

from sangam.model.enums import PriceType
from sangam.model.order import Order, OrderState, OrderUpdate
from sangam.orders.journal import EventKind
from sangam.orders.states import NEVER_REACHED, RESOLVED, WORKING, accept, merge, steps, terms

RANK = [
    {OrderState.SENT, OrderState.UNKNOWN, OrderState.PENDING},
    {OrderState.TRIGGER_PENDING},
    {OrderState.OPEN},
    {OrderState.PARTIALLY_FILLED},
    {OrderState.COMPLETE, OrderState.CANCELLED, OrderState.REJECTED},
]


def rank(state: OrderState) -> int:
    return next(place for place, states in enumerate(RANK) if state in states)


def kinds(before: Order, after: Order) -> list[str]:
    return [step.kind.value.removeprefix("ORDER_") for step in steps(before, after)]


def merged(order: Order, *updates: OrderUpdate) -> Order:
    for update in updates:
        order = merge(order, update)
    return order


@st.composite
def histories(draw: st.DrawFn) -> tuple[Order, list[OrderUpdate]]:
    """What a broker tells of one order in its life, in the order in which it happened."""
    stop = draw(st.booleans())
    order = an_order(
        state=draw(st.sampled_from([OrderState.SENT, OrderState.UNKNOWN, OrderState.PENDING])),
        price_type=PriceType.SL if stop else PriceType.LIMIT,
        trigger_price=Decimal("620") if stop else Decimal(0),
    )
    at, price, filled, average, told = NOW_MS, 625.5, 0, 0.0, []

    def tell(status: str) -> None:
        # A poll may have no average yet, a push of the same fill has it.
        told.append(
            an_update(
                status,
                timestamp=at,
                price=price,
                price_type=order.price_type.value,
                trigger_price=620.0 if stop else 0.0,
                filled_quantity=filled,
                average_price=average,
            )
        )

    if stop:
        tell("trigger pending")
        if draw(st.booleans()):
            at += 1000
            tell("cancelled")
            return order, told
    tell("open")
    for _ in range(draw(st.integers(0, 4))):
        at += draw(st.integers(1, 2)) * 1000
        if draw(st.booleans()):
            price += 0.05
        elif filled < 9:
            filled += draw(st.integers(1, 9 - filled))
            average = 600.0 + filled
        tell("open")
    end = draw(st.sampled_from(["complete", "cancelled", "open", "rejected"]))
    if end == "complete":
        filled, average = 10, 610.0
    at += 1000
    tell(end)
    return order, told


@settings(max_examples=300)
@given(histories(), st.data())
def test_any_order_and_repetition_of_the_same_news_ends_in_the_same_state(
    history: tuple[Order, list[OrderUpdate]], data: st.DataObject
) -> None:
    order, told = history
    straight = merged(order, *told)
    mixed = data.draw(st.permutations(told + data.draw(st.lists(st.sampled_from(told), max_size=5))))
    assert merged(order, *mixed) == straight
    assert straight.filled_quantity == max(update.filled_quantity for update in told)


@settings(max_examples=300)
@given(histories(), st.data())
def test_no_status_moves_backwards_and_no_fill_counts_twice(
    history: tuple[Order, list[OrderUpdate]], data: st.DataObject
) -> None:
    order, told = history
    heard: list[str] = []
    filled = 0
    for update in data.draw(st.permutations(told + told)):
        after = merge(order, update)
        assert rank(after.state) >= rank(order.state)
        assert after.filled_quantity >= order.filled_quantity
        if order.state.is_final:
            assert after.state.is_final
        happened = list(steps(order, after))
        if happened:
            assert happened[-1].order == after
        for (_, earlier), (_, later) in itertools.pairwise([(None, order), *happened]):
            filled += later.filled_quantity - earlier.filled_quantity
        heard += [step.kind.value for step in happened]
        order = after
    assert filled == order.filled_quantity
    for once in ("PLACED", "FILLED", "CANCELLED", "REJECTED", "TRIGGERED"):
        assert heard.count(f"ORDER_{once}") <= 1, heard


def test_a_patch_says_nothing_about_what_it_leaves_out() -> None:
    order = merged(an_order(), an_update(filled_quantity=4, average_price=625.0))
    after = merge(order, an_update(quantity=0, price=0.0, price_type="", filled_quantity=0, average_price=0.0))
    assert after == order
    assert (after.filled_quantity, after.average_price, after.price) == (4, 625.0, Decimal("625.5"))


def test_the_average_belongs_to_the_highest_fill() -> None:
    order = merged(
        an_order(),
        an_update(filled_quantity=6, average_price=626.0),
        an_update(filled_quantity=4, average_price=625.0),
        an_update(filled_quantity=6),
    )
    assert (order.filled_quantity, order.average_price) == (6, 626.0)


@pytest.mark.parametrize(
    ("status", "filled", "state", "quantity"),
    [
        ("open", 0, OrderState.OPEN, 0),
        ("open", 4, OrderState.PARTIALLY_FILLED, 4),
        ("open", 10, OrderState.COMPLETE, 10),
        ("complete", 0, OrderState.COMPLETE, 10),
        ("cancelled", 4, OrderState.CANCELLED, 4),
        ("trigger pending", 0, OrderState.TRIGGER_PENDING, 0),
        ("a word of tomorrow", 0, OrderState.OPEN, 0),
    ],
)
def test_state_by_status_and_fill(status: str, filled: int, state: OrderState, quantity: int) -> None:
    order = merge(an_order(), an_update(status, filled_quantity=filled))
    assert (order.state, order.filled_quantity, order.order_id) == (state, quantity, "1001")


class TestTerms:
    def test_newer_news_change_them_and_older_ones_do_not(self) -> None:
        first = merge(an_order(), an_update())
        changed = merge(first, an_update(price=626.0, quantity=20, timestamp=NOW_MS + 5000))
        assert (changed.price, changed.quantity) == (Decimal("626.0"), 20)
        assert kinds(first, changed) == ["MODIFIED"]
        assert merge(changed, an_update()) == changed

    def test_terms_that_were_just_replaced_are_not_taken_back(self) -> None:
        first = merge(an_order(), an_update())
        ours = replace(first, price=Decimal("630"))
        assert merge(ours, an_update(), superseded=terms(first)).price == Decimal("630")
        assert merge(ours, an_update(price=640.0), superseded=terms(first)).price == Decimal("640.0")

    def test_a_protected_market_order_keeps_what_was_asked(self) -> None:
        order = an_order(
            price_type=PriceType.MARKET,
            price=Decimal(0),
            conversion="MARKET to LIMIT",
            sent_price_type=PriceType.LIMIT,
            sent_price=Decimal("631.75"),
        )
        after = merge(order, an_update(price=631.75))
        assert (after.price_type, after.price, after.sent_price) == (PriceType.MARKET, Decimal(0), Decimal("631.75"))
        changed = merge(after, an_update(price=632.0, timestamp=NOW_MS + 9000))
        assert (changed.price_type, changed.price) == (PriceType.LIMIT, Decimal("632.0"))
        assert (changed.sent_price, changed.conversion) == (None, "")

    def test_the_price_shown_with_a_market_order_is_no_change(self) -> None:
        order = an_order(price_type=PriceType.MARKET, price=Decimal(0))
        after = merge(order, an_update(price=626.0, price_type="MARKET"))
        assert kinds(order, after) == ["PLACED"]
        assert after.price == 0

    def test_a_limit_order_may_become_a_stop(self) -> None:
        first = merge(an_order(), an_update())
        stop = an_update("trigger pending", price_type="SL", trigger_price=630.0, timestamp=NOW_MS + 5000)
        assert merge(first, stop).state is OrderState.TRIGGER_PENDING

    def test_a_quantity_reduced_to_what_was_filled_completes(self) -> None:
        partly = merge(an_order(), an_update(filled_quantity=4, average_price=625.0))
        after = merge(partly, an_update(quantity=4, filled_quantity=4, timestamp=NOW_MS + 5000))
        assert (after.state, after.quantity) == (OrderState.COMPLETE, 4)
        assert kinds(partly, after) == ["MODIFIED", "FILLED"]


class TestAcceptance:
    def test_it_opens_the_order(self) -> None:
        order = an_order(reason="no reply", code="OUTCOME_UNKNOWN", state=OrderState.UNKNOWN)
        after = accept(order, "1001", {"variety": "regular"})
        assert (after.state, after.order_id, after.native) == (OrderState.OPEN, "1001", {"variety": "regular"})
        assert (after.reason, after.code) == ("", "")

    def test_a_stop_waits_for_its_trigger(self) -> None:
        order = an_order(price_type=PriceType.SL_M, trigger_price=Decimal("620"))
        assert accept(order, "1", {}).state is OrderState.TRIGGER_PENDING

    def test_the_houses_own_price_is_what_went_out(self) -> None:
        """Brought to the true tick on its way it is no change, whether the answer or the news of it come first."""
        sent = {
            "sent_price_type": PriceType.LIMIT,
            "sent_price": Decimal("804.03"),
            "conversion": "MARKET sent as LIMIT",
        }
        order = an_order(price_type=PriceType.MARKET, price=Decimal(0), **sent)
        news = an_update(price=804.0)
        for after in (
            merge(accept(order, "1001", {}, Decimal("804.00")), news),
            accept(merge(order, news), "1001", {}, Decimal("804.00")),
        ):
            assert (after.price_type, after.conversion, after.sent_price) == (
                PriceType.MARKET,
                "MARKET sent as LIMIT",
                Decimal(804),
            )
            assert kinds(order, after) == ["PLACED"]
        moved = merge(accept(order, "1001", {}, Decimal("804.00")), an_update(price=810.0, timestamp=NOW_MS + 5000))
        assert (moved.price_type, moved.price, moved.conversion) == (PriceType.LIMIT, Decimal(810), "")

    def test_news_that_were_faster_stand(self) -> None:
        order = merge(an_order(), an_update("complete", filled_quantity=10, native={"variety": "amo"}))
        assert accept(order, "1001", {"variety": "regular"}) == order


class TestConclusions:
    """What we or the user concluded yields to the broker's word; what the broker said stays."""

    @pytest.mark.parametrize(
        "concluded",
        [
            {"state": OrderState.REJECTED, "code": NEVER_REACHED, "reason": "never reached"},
            {"state": OrderState.CANCELLED, "code": RESOLVED, "reason": "the user said so", "order_id": "1001"},
            {"state": OrderState.DENIED, "code": "NETWORK_ERROR"},
            {"state": OrderState.EXPIRED, "order_id": "1001"},
        ],
    )
    def test_the_brokers_word_overrides(self, concluded: dict[str, object]) -> None:
        before = an_order(**concluded)
        after = merge(before, an_update(filled_quantity=4, average_price=625.0))
        assert after.state is OrderState.PARTIALLY_FILLED
        assert (after.reason, after.code) == ("", "")
        assert kinds(before, after) == ["PLACED", "PARTIALLY_FILLED"]

    @pytest.mark.parametrize("final", ["complete", "cancelled", "rejected"])
    def test_what_the_broker_told_stays(self, final: str) -> None:
        before = merge(an_order(), an_update(final, rejection_reason="why"))
        after = merge(before, an_update("open", timestamp=NOW_MS + 60_000))
        assert after.state is before.state
        assert kinds(before, after) == []

    @pytest.mark.parametrize("final", ["complete", "cancelled"])
    def test_an_end_that_settles_a_doubt_says_nothing_of_it_any_more(self, final: str) -> None:
        order = an_order(reason="no reply", code="OUTCOME_UNKNOWN", state=OrderState.UNKNOWN)
        after = merge(order, an_update(final))
        assert (after.state.value, after.reason, after.code) == (final, "", "")

    def test_a_rejection_has_its_reason(self) -> None:
        order = merge(an_order(), an_update("rejected", rejection_reason="Insufficient funds"))
        assert (order.reason, order.code) == ("Insufficient funds", "ORDER_ERROR")


@pytest.mark.parametrize(
    ("state", "update", "expected"),
    [
        (OrderState.SENT, an_update("open"), ["PLACED"]),
        (OrderState.UNKNOWN, an_update("complete", filled_quantity=10), ["PLACED", "FILLED"]),
        (OrderState.SENT, an_update("rejected"), ["REJECTED"]),
        (OrderState.SENT, an_update("cancelled"), ["PLACED", "CANCELLED"]),
        (OrderState.OPEN, an_update("open"), []),
        (OrderState.OPEN, an_update("open", filled_quantity=1), ["PARTIALLY_FILLED"]),
        (OrderState.OPEN, an_update("cancelled", filled_quantity=1), ["PARTIALLY_FILLED", "CANCELLED"]),
        (OrderState.TRIGGER_PENDING, an_update("complete"), ["TRIGGERED", "FILLED"]),
        (OrderState.TRIGGER_PENDING, an_update("cancelled"), ["CANCELLED"]),
    ],
)
def test_events_of_a_change(state: OrderState, update: OrderUpdate, expected: list[str]) -> None:
    before = an_order(state=state, order_id="1001" if state in WORKING else "")
    after = merge(before, update)
    assert kinds(before, after) == expected


def test_the_order_of_each_event_is_as_it_was_then() -> None:
    before = an_order()
    after = merge(before, an_update("cancelled", filled_quantity=4, average_price=625.0, rejection_reason="by user"))
    placed, partly, cancelled = steps(before, after)
    assert (placed.kind, placed.order.state, placed.order.filled_quantity) == (
        EventKind.PLACED, OrderState.OPEN, 0,
    )  # fmt: skip
    assert (partly.order.state, partly.order.filled_quantity, partly.order.reason) == (
        OrderState.PARTIALLY_FILLED, 4, "",
    )  # fmt: skip
    assert cancelled.order == after


def test_doubt_is_an_event() -> None:
    before = an_order()
    assert kinds(before, replace(before, state=OrderState.UNKNOWN)) == ["UNKNOWN"]
