"""Outcomes and news become journalled events that clients hear once (promises 2, 3 and 4)."""

import asyncio
import itertools
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.orders_support import ACCOUNT, NOW_MS, MemoryJournal, an_order, an_update
from tests.support import wait_for
from tests.toy_broker import ToyMaster, toy_instrument

from sangam.model.clock import IST, ManualClock, ist_from_ms
from sangam.model.enums import Exchange, PriceType
from sangam.model.errors import Conflict, InvalidInput
from sangam.model.order import Accepted, Order, OrderNews, OrderState, OrderUpdate, TradingMode
from sangam.orders import telling
from sangam.orders.foreign import LONGEST_ID
from sangam.orders.states import NEVER_REACHED, RESOLVED
from sangam.orders.updates import SUPERSEDED_SECONDS, Updates

LIVE = TradingMode.LIVE
MASTER = ToyMaster(toy_instrument("SBIN"), toy_instrument("TCS"))


class Bench:
    """Updates over a journal in memory; `told` is what clients heard."""

    def __init__(self, *orders: Order) -> None:
        self.clock = ManualClock(ist_from_ms(NOW_MS).astimezone(IST))
        self.journal = MemoryJournal(*orders)
        self.told: list[OrderNews] = []
        self.updates = Updates(
            self.journal,  # type: ignore[arg-type]
            lambda account, update: MASTER.named(update),
            lambda account: ("u", "toy"),
            self.told.append,
            self.clock,
        )

    def hear(self, update: OrderUpdate, mode: TradingMode = LIVE) -> Order | None:
        return self.updates.heard(ACCOUNT, mode, update)

    async def heard(self, *kinds: str) -> list[dict[str, Any]]:
        """Wait until clients heard exactly these events, in this order."""
        await wait_for(lambda: self.kinds == list(kinds), what=f"{kinds}, not {self.kinds}", timeout=2)
        return [json.loads(news.event) for news in self.told]

    @property
    def kinds(self) -> list[str]:
        return [json.loads(news.event)["type"].removeprefix("ORDER_") for news in self.told]


# --- outcomes ---------------------------------------------------------------------------------------------------------


async def test_an_acceptance_is_journalled_and_told() -> None:
    order = an_order()
    bench = Bench(order)
    waiter = bench.updates.waiter(order)
    after = bench.updates.accepted(order, Accepted(order_id="1001", native={"variety": "regular"}))
    assert (after.state, after.order_id) == (OrderState.OPEN, "1001")
    assert bench.journal.get(order.id) == after == await waiter
    (event,) = await bench.heard("PLACED")
    assert (event["order_id"], event["status"], event["seq"]) == ("1001", "OPEN", 1)


async def test_news_that_were_faster_than_the_reply_stand() -> None:
    order = an_order()
    bench = Bench(order)
    bench.hear(an_update("complete", filled_quantity=10, average_price=625.0))
    after = bench.updates.accepted(order, Accepted(order_id="1001"))
    assert after.state is OrderState.COMPLETE
    await bench.heard("PLACED", "FILLED")


@pytest.mark.parametrize(
    ("outcome", "state", "told"),
    [
        (lambda updates, order: updates.rejected(order, "no funds", "INSUFFICIENT_FUNDS"), "rejected", "REJECTED"),
        (lambda updates, order: updates.denied(order, "no funds", "INSUFFICIENT_FUNDS"), "denied", "REJECTED"),
        (lambda updates, order: updates.doubtful(order, "no funds"), "unknown", "UNKNOWN"),
    ],
)
async def test_outcomes(outcome: Callable[[Updates, Order], Order], state: str, told: str) -> None:
    order = an_order()
    bench = Bench(order)
    after = outcome(bench.updates, order)
    assert (after.state.value, after.reason) == (state, "no funds")
    outcome(bench.updates, order)
    (event,) = await bench.heard(told)
    assert event["reason"] == "no funds"


async def test_no_outcome_takes_back_what_the_broker_told() -> None:
    """A reply that failed after the order was seen at the broker proves nothing (promise 2)."""
    order = an_order()
    bench = Bench(order)
    seen = bench.hear(an_update())
    assert bench.updates.doubtful(order, "no reply") == seen
    assert bench.updates.rejected(order, "no", "ORDER_ERROR") == seen
    assert bench.updates.denied(order, "no", "ORDER_ERROR") == seen
    await bench.heard("PLACED")


async def test_a_change_of_ours_is_told_once_and_not_taken_back_by_old_news() -> None:
    bench = Bench(an_order())
    placed = bench.hear(an_update())
    assert placed is not None
    after = bench.updates.modified(replace(placed, price=Decimal("630")))
    assert bench.hear(an_update()) is None, "a push that left before the change"
    assert bench.hear(an_update(price=630.0, timestamp=NOW_MS + 2000)) is None
    assert bench.journal.get(after.id) == after
    await bench.heard("PLACED", "MODIFIED")
    bench.clock.advance(SUPERSEDED_SECONDS + 1)
    back = bench.hear(an_update(timestamp=NOW_MS + 30_000))
    assert back is not None
    assert back.price == Decimal("625.5"), "changed back elsewhere"


async def test_a_change_keeps_the_fills_that_came_meanwhile() -> None:
    bench = Bench(an_order())
    placed = bench.hear(an_update())
    assert placed is not None
    bench.hear(an_update(filled_quantity=4, average_price=625.0))
    after = bench.updates.modified(replace(placed, quantity=8))
    assert (after.quantity, after.filled_quantity, after.state) == (8, 4, OrderState.PARTIALLY_FILLED)
    bench.hear(an_update("complete", quantity=8, filled_quantity=8, timestamp=NOW_MS + 5000))
    assert bench.updates.modified(placed).state is OrderState.COMPLETE


async def test_a_change_to_a_stop_waits_for_its_trigger() -> None:
    bench = Bench(an_order())
    placed = bench.hear(an_update())
    assert placed is not None
    stop = replace(placed, price_type=PriceType.SL, trigger_price=Decimal("630"))
    assert bench.updates.modified(stop).state is OrderState.TRIGGER_PENDING


async def test_what_the_broker_should_have_told_is_missed() -> None:
    order = an_order()
    bench = Bench(order)
    placed = bench.updates.accepted(order, Accepted(order_id="1001"))
    assert not bench.updates.overdue(ACCOUNT, 3.0)
    bench.clock.advance(3)
    assert bench.updates.overdue(ACCOUNT, 3.0)
    assert not bench.updates.overdue("other", 3.0)
    bench.hear(an_update())
    assert not bench.updates.overdue(ACCOUNT, 3.0)
    for write in (
        lambda: bench.updates.modified(replace(placed, price=Decimal("630"))),
        lambda: bench.updates.expect(placed),
    ):
        write()
        bench.clock.advance(3)
        assert bench.updates.overdue(ACCOUNT, 3.0)
        bench.hear(an_update(filled_quantity=1, price=630.0))
        assert not bench.updates.overdue(ACCOUNT, 3.0)


@pytest.mark.parametrize("mode", TradingMode)
async def test_nothing_is_missed_that_was_told_before_the_reply_or_on_paper(mode: TradingMode) -> None:
    order = an_order(mode=mode)
    bench = Bench(order)
    if mode is LIVE:
        bench.hear(an_update())
    bench.updates.accepted(order, Accepted(order_id="1001"))
    bench.clock.advance(60)
    assert not bench.updates.overdue(ACCOUNT, 3.0)


# --- matching ---------------------------------------------------------------------------------------------------------


async def test_news_find_their_order_by_our_tag_before_its_id_is_known() -> None:
    order = an_order(state=OrderState.UNKNOWN, reason="no reply", code="OUTCOME_UNKNOWN")
    bench = Bench(order)
    waiter = bench.updates.waiter(order)
    after = bench.hear(an_update(tag="AAAAAAAAAAmine"))
    assert after == await waiter
    assert (after.id, after.order_id, after.state, after.reason) == (order.id, "1001", OrderState.OPEN, "")
    assert bench.hear(an_update()) is None
    await bench.heard("PLACED")


@pytest.mark.parametrize(
    "other", [{"order_id": "2002", "known": "1001"}, {"action": "SELL"}, {"brsymbol": "TCS-TOY"}], ids=str
)
async def test_a_tag_alone_does_not_make_another_order_ours(other: dict[str, str]) -> None:
    order = an_order(state=OrderState.UNKNOWN, order_id=other.pop("known", ""))
    bench = Bench(order)
    adopted = bench.hear(an_update(**other))
    assert adopted is not None
    assert adopted.foreign
    assert bench.journal.get(order.id) == order


async def test_news_of_the_other_mode_are_of_another_order() -> None:
    bench = Bench(an_order(mode=TradingMode.PAPER, id="P-AAAAAAAAAA", state=OrderState.OPEN, order_id="5"))
    adopted = bench.hear(an_update())
    assert adopted is not None
    assert adopted.foreign
    squared_off = bench.hear(an_update(order_id="77", tag="ZZ"), TradingMode.PAPER)
    assert squared_off is not None
    assert (squared_off.id, squared_off.mode) == (f"P-{ACCOUNT}.251126.77", TradingMode.PAPER)


class TestForeign:
    async def test_an_order_from_elsewhere_is_adopted_and_followed(self) -> None:
        bench = Bench()
        adopted = bench.hear(an_update("trigger pending", tag="app", price_type="SL", trigger_price=620.0))
        assert adopted is not None
        assert (adopted.id, adopted.user, adopted.broker) == (f"L-{ACCOUNT}.251126.1001", "u", "toy")
        assert (adopted.symbol, adopted.tag, adopted.foreign) == ("SBIN", "app", True)
        bench.hear(an_update("complete", tag="app", price_type="SL", trigger_price=620.0, filled_quantity=10))
        await bench.heard("PLACED", "TRIGGERED", "FILLED")

    async def test_what_is_over_already_is_told_once(self) -> None:
        bench = Bench()
        for _ in range(2):
            bench.hear(an_update("complete", filled_quantity=10, average_price=625.0))
        (event,) = await bench.heard("FILLED")
        assert event["filled_quantity"] == 10

    async def test_what_was_over_yesterday_is_not_told_again(self) -> None:
        """We forget settled orders as the trading day begins; some brokers clear their books later."""
        bench = Bench()
        yesterday = NOW_MS - 86_400_000
        assert bench.hear(an_update("complete", filled_quantity=10, timestamp=yesterday)) is None
        assert bench.hear(an_update("open", order_id="1002", timestamp=yesterday)) is not None

    async def test_the_brokers_own_words_stand_where_the_master_knows_nothing(self) -> None:
        adopted = Bench().hear(an_update(brsymbol="ODD-TOY"))
        assert adopted is not None
        assert (adopted.symbol, adopted.exchange) == ("ODD-TOY", Exchange.NSE)

    async def test_its_symbol_is_corrected_once_the_master_is_there(self) -> None:
        bench = Bench()
        bench.journal.put(bench.hear(an_update()) or an_order(), symbol="SBIN-TOY")
        after = bench.hear(an_update(filled_quantity=4))
        assert after is not None
        assert (after.symbol, after.filled_quantity) == ("SBIN", 4)

    @pytest.mark.parametrize(
        "words", [{"product": "CO"}, {"action": "HOLD"}, {"price_type": ""}, {"brsymbol": "X", "brexchange": "MF"}]
    )
    async def test_what_the_house_has_no_words_for_is_left_alone(self, words: dict[str, str]) -> None:
        bench = Bench()
        assert bench.hear(an_update(**words)) is None
        assert bench.journal.orders == {}

    async def test_news_that_may_be_of_an_order_in_flight_wait_for_its_id(self) -> None:
        """Where a broker echoes no tag, only its reply says which order is ours."""
        order = an_order()
        bench = Bench(order)
        assert bench.hear(an_update("complete", tag="", filled_quantity=10, average_price=625.0)) is None
        assert bench.hear(an_update(tag="", order_id="1002")) is None
        assert bench.hear(an_update(tag="", order_id="1003", brsymbol="TCS-TOY")) is not None
        bench.updates.accepted(order, Accepted(order_id="1001"))
        ours = bench.journal.get(order.id)
        assert ours is not None
        assert (ours.state, ours.average_price) == (OrderState.COMPLETE, 625.0)
        assert [one.order_id for one in bench.journal.of(ACCOUNT) if one.foreign] == ["1003", "1002"]
        await bench.heard("PLACED", "PLACED", "FILLED", "PLACED")

    async def test_a_push_without_our_tag_does_not_steal_an_order_in_doubt(self) -> None:
        """Some brokers echo the tag in the book only."""
        order = an_order()
        bench = Bench(order)
        bench.updates.doubtful(order, "no reply")
        for _ in range(3):
            assert bench.hear(an_update("complete", tag="", filled_quantity=10, average_price=625.0)) is None
        assert bench.journal.of(ACCOUNT) == [bench.journal.get(order.id)]
        assert bench.hear(an_update("open")) is not None, "a book row, read before the fill"
        ours = bench.journal.get(order.id)
        assert ours is not None
        assert (ours.state, ours.filled_quantity, ours.order_id) == (OrderState.COMPLETE, 10, "1001")
        await bench.heard("UNKNOWN", "PLACED", "FILLED")

    async def test_a_look_alike_is_adopted_once_ours_is_known_to_be_another(self) -> None:
        order = an_order(state=OrderState.UNKNOWN)
        bench = Bench(order)
        assert bench.hear(an_update(tag="")) is None
        bench.updates.rejected(order, "never reached", NEVER_REACHED)
        await bench.heard("REJECTED", "PLACED")
        assert [one.order_id for one in bench.journal.of(ACCOUNT) if one.foreign] == ["1001"]

    async def test_they_wait_no_longer_than_the_order_is_in_flight(self) -> None:
        order = an_order(state=OrderState.PENDING)
        bench = Bench(order)
        assert bench.hear(an_update(tag="")) is None
        del bench.journal.orders[order.id]  # its admission failed
        bench.hear(an_update(tag="", order_id="1002", brsymbol="TCS-TOY"))
        assert [one.order_id for one in bench.journal.of(ACCOUNT)] == ["1002", "1001"]


# --- telling ----------------------------------------------------------------------------------------------------------


async def test_news_are_told_only_once_they_are_durable_and_in_order() -> None:
    bench = Bench(an_order())
    bench.journal.held = True
    bench.hear(an_update())
    bench.hear(an_update("complete", filled_quantity=10))
    await asyncio.sleep(0)
    assert bench.told == []
    bench.journal.commit()
    await bench.heard("PLACED", "FILLED")
    assert [news.seq for news in bench.told] == [1, 2]


async def test_a_journal_in_trouble_keeps_nobody_waiting_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling.Telling.__init__, "__defaults__", (0.05,))
    bench = Bench(an_order())
    bench.journal.held = True
    bench.hear(an_update())
    await bench.heard("PLACED")
    bench.journal.commit()
    await asyncio.sleep(0)
    await bench.heard("PLACED")
    bench.hear(an_update("complete", filled_quantity=10))
    bench.updates.close()
    assert bench.kinds == ["PLACED", "FILLED"]


async def test_more_knowledge_without_a_change_is_noted_and_not_told() -> None:
    bench = Bench(an_order())
    bench.hear(an_update(filled_quantity=4))
    after = bench.hear(an_update(filled_quantity=4, average_price=625.0))
    assert after is not None
    assert after.average_price == 625.0
    assert [kind.value for kind in bench.journal.kinds] == ["ORDER_PLACED", "ORDER_PARTIALLY_FILLED", "ORDER_NOTED"]
    assert len(bench.journal.news) == 2


# --- waiting and resolving --------------------------------------------------------------------------------------------


async def test_a_waiter_outlives_doubt_and_ends_with_evidence() -> None:
    order = an_order()
    bench = Bench(order)
    waiter, gone = bench.updates.waiter(order), bench.updates.waiter(order)
    gone.cancel()
    bench.updates.doubtful(order, "no reply")
    await asyncio.sleep(0)
    assert not waiter.done()
    bench.hear(an_update("rejected", rejection_reason="no funds"))
    assert (await waiter).reason == "no funds"
    assert bench.updates._waiters == {}
    assert (await bench.updates.waiter(order)).state is OrderState.REJECTED


@pytest.mark.parametrize(
    ("word", "state", "told"),
    [
        ("complete", OrderState.COMPLETE, "FILLED"),
        ("Cancelled", OrderState.CANCELLED, "CANCELLED"),
        ("rejected", OrderState.REJECTED, "REJECTED"),
        ("open", OrderState.OPEN, "PLACED"),
    ],
)
async def test_the_user_settles_an_order_in_doubt_on_the_record(word: str, state: OrderState, told: str) -> None:
    order = an_order(state=OrderState.UNKNOWN)
    bench = Bench(order)
    waiter = bench.updates.waiter(order)
    after = bench.updates.resolve(order, word, "u/key-1", "seen in the app")
    assert after == await waiter
    assert (after.state, after.code) == (state, RESOLVED)
    assert after.reason == "Resolved by u/key-1: seen in the app"
    assert bench.journal.kinds == ["ORDER_RESOLVED"]
    await bench.heard(told)
    bench.hear(an_update("complete", filled_quantity=10))
    now = bench.journal.get(order.id)
    assert now is not None
    assert now.state is OrderState.COMPLETE, "the broker's word is better than the user's"


async def test_only_an_order_in_doubt_can_be_resolved_and_only_to_an_outcome() -> None:
    order = an_order(state=OrderState.OPEN)
    bench = Bench(order)
    with pytest.raises(Conflict, match="not in doubt: it is open"):
        bench.updates.resolve(order, "complete", "u", "")
    with pytest.raises(InvalidInput, match="complete, cancelled, rejected, open"):
        bench.updates.resolve(order, "lost", "u", "")
    assert bench.journal.events == []


async def test_an_order_of_yesterday_ends_with_its_day() -> None:
    order = an_order(state=OrderState.OPEN, order_id="1001")
    bench = Bench(order)
    assert bench.updates.expired(order).state is OrderState.EXPIRED
    assert bench.updates.expired(order).state is OrderState.EXPIRED
    (event,) = await bench.heard("CANCELLED")
    assert event["status"] == "EXPIRED"
    unknown = an_order(state=OrderState.UNKNOWN)
    assert Bench(unknown).updates.expired(unknown).state is OrderState.UNKNOWN


async def test_never_reached_is_a_rejection_that_says_so() -> None:
    order = an_order(state=OrderState.UNKNOWN)
    bench = Bench(order)
    after = bench.updates.rejected(order, "It never reached the broker", NEVER_REACHED)
    assert (after.state, after.code) == (OrderState.REJECTED, NEVER_REACHED)
    await bench.heard("REJECTED")


# --- all of it, in any order ------------------------------------------------------------------------------------------

NEWS = (
    an_update(),
    an_update(filled_quantity=4, average_price=625.0, timestamp=NOW_MS + 2000),
    an_update(price=626.0, filled_quantity=4, average_price=625.0, timestamp=NOW_MS + 3000),
    an_update("complete", price=626.0, filled_quantity=10, average_price=625.6, timestamp=NOW_MS + 4000),
)
OUTCOMES: dict[str, Callable[[Updates, Order], object]] = {
    "accepted": lambda updates, order: updates.accepted(order, Accepted(order_id="1001")),
    "doubtful": lambda updates, order: updates.doubtful(order, "no reply"),
    "failed": lambda updates, order: updates.rejected(order, "an answer that news have overtaken", "ORDER_ERROR"),
}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_outcomes_and_news_in_any_order_count_every_fill_once(data: st.DataObject) -> None:
    """Promise 4. A reply comes before, amid or after the news; news are repeated, reordered, and some get lost."""
    heard = [*data.draw(st.lists(st.sampled_from(NEWS), max_size=8)), NEWS[-1]]
    reply = data.draw(st.sampled_from(list(OUTCOMES)))
    place = data.draw(st.integers(0, len(heard)) if reply != "failed" else st.integers(1, len(heard)))

    async def play() -> tuple[Order, list[dict[str, Any]]]:
        order = an_order()
        bench = Bench(order)
        for at, update in enumerate([*heard, None]):
            if at == place:
                OUTCOMES[reply](bench.updates, order)
            if update is not None:
                bench.hear(update)
        bench.updates.close()
        now = bench.journal.get(order.id)
        assert now is not None
        return now, [json.loads(news.event) for news in bench.told]

    order, events = asyncio.run(play())
    assert (order.state, order.filled_quantity, order.average_price) == (OrderState.COMPLETE, 10, 625.6)
    assert order.price == Decimal("626.0")
    kinds = [event["type"] for event in events]
    assert kinds.count("ORDER_PLACED") == kinds.count("ORDER_FILLED") == 1
    assert kinds[-1] == "ORDER_FILLED"
    fills = [0, *(event["filled_quantity"] for event in events)]
    assert fills == sorted(fills)
    filled = [after - before for before, after in itertools.pairwise(fills) if after != before]
    assert sum(filled) == 10
    assert len(filled) == sum(kind in ("ORDER_PARTIALLY_FILLED", "ORDER_FILLED") for kind in kinds)


# --- other days, long names, listeners that fail ----------------------------------------------------------------------


async def test_a_number_that_the_broker_gives_anew_is_another_order() -> None:
    yesterday = an_order(order_id="1001", state=OrderState.EXPIRED, created_at=NOW_MS - 86_400_000)
    bench = Bench(yesterday)
    adopted = bench.hear(an_update("complete", tag="", filled_quantity=10, timestamp=NOW_MS))
    assert adopted is not None
    assert adopted.id != yesterday.id
    assert bench.journal.get(yesterday.id) == yesterday


async def test_late_words_of_an_order_of_yesterday_are_its_own() -> None:
    yesterday = an_order(order_id="1001", state=OrderState.EXPIRED, created_at=NOW_MS - 86_400_000)
    for told in (an_update("complete", timestamp=NOW_MS), an_update("complete", tag="", timestamp=NOW_MS - 50_000_000)):
        bench = Bench(yesterday)
        after = bench.hear(told)
        assert after is not None
        assert (after.id, after.state) == (yesterday.id, OrderState.COMPLETE)


async def test_an_order_of_elsewhere_with_a_long_number_fits_the_journal() -> None:
    bench = Bench()
    number = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9" * 2
    ids = [bench.hear(an_update(order_id=number + last, tag="")) for last in "12"]
    assert [len(order.id) for order in ids if order] == [LONGEST_ID] * 2
    assert len({order.id for order in ids if order}) == 2


async def test_a_listener_that_fails_keeps_nobody_from_the_next_news() -> None:
    bench = Bench(an_order())
    heard: list[OrderNews] = []

    def tell(news: OrderNews) -> None:
        heard.append(news)
        if len(heard) == 1:
            raise ValueError("a defect of a door")

    bench.updates._telling._tell = tell
    bench.journal.held = True
    bench.hear(an_update())
    bench.hear(an_update("complete", filled_quantity=10))
    bench.journal.commit()
    await wait_for(lambda: len(heard) == 2, what="both")


async def test_a_doubt_of_yesterday_hides_no_order_of_today() -> None:
    day = 86_400_000
    bench = Bench(an_order(state=OrderState.UNKNOWN, created_at=NOW_MS - day, sent_at=NOW_MS - day))
    assert bench.hear(an_update(order_id="1002", tag="")) is not None
    bench = Bench(an_order(state=OrderState.UNKNOWN))
    assert bench.hear(an_update(order_id="1002", tag="")) is None, "it may be the one"
