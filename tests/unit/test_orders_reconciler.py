"""Orders in doubt are looked for until there is evidence; the books are read after a start (promises 2 and 3)."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.databases import database_url
from tests.orders_support import (
    ACCOUNT,
    NOW_MS,
    MemoryJournal,
    ScriptedExecutor,
    a_trading,
    an_order,
    an_update,
)
from tests.support import wait_for
from tests.toy_broker import ToyMaster, toy_instrument

from sangam.brokers.contract import Tag, Trading
from sangam.model.books import Trade
from sangam.model.clock import IST, ManualClock, ist_from_ms
from sangam.model.enums import Action, Product
from sangam.model.errors import NotSent, SessionExpired, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Order, OrderNews, OrderState, OrderUpdate, TradingMode
from sangam.orders.events import order_news
from sangam.orders.journal import Journal
from sangam.orders.reconciler import Reconciler
from sangam.orders.seeking import Pace
from sangam.orders.states import NEVER_REACHED
from sangam.orders.updates import Updates
from sangam.store.journal import open_journal_database
from sangam.store.writer import Writer
from sangam.transport.sharing import JOINABLE

FAST = Pace(settle=10.0, first=0.01, cap=0.05, gap=0.01)
MASTER = ToyMaster(toy_instrument("SBIN"))
UNKNOWN = an_order(state=OrderState.UNKNOWN, reason="No reply came in time.", code="OUTCOME_UNKNOWN")


def named(account: str, update: OrderUpdate) -> Instrument | None:
    return MASTER.named(update)


class Bench:
    def __init__(self, *orders: Order, trading: Trading | None, pace: Pace) -> None:
        self.clock = ManualClock(ist_from_ms(NOW_MS).astimezone(IST))
        self.journal = MemoryJournal(*orders)
        self.live, self.paper = ScriptedExecutor(), ScriptedExecutor(TradingMode.PAPER)
        self.updates = Updates(
            self.journal,  # type: ignore[arg-type]
            named,
            lambda account: ("u", "toy"),
            lambda news: None,
            self.clock,
        )
        self.reconciler = Reconciler(
            self.journal,  # type: ignore[arg-type]
            self.updates,
            {TradingMode.LIVE: self.live, TradingMode.PAPER: self.paper},  # type: ignore[dict-item]
            lambda account: trading,
            self.clock,
            pace,
        )

    def now(self, order: Order) -> Order:
        now = self.journal.get(order.id)
        assert now is not None
        return now

    async def becomes(self, order: Order, state: OrderState) -> Order:
        await wait_for(lambda: self.now(order).state is state, what=f"{state}, not {self.now(order)}", timeout=3)
        return self.now(order)

    async def reads(self, count: int, what: str = "orders") -> None:
        await wait_for(lambda: self.live.reads.count(what) >= count, what=f"{count} reads of {what}", timeout=3)


@contextlib.asynccontextmanager
async def bench(
    *orders: Order, trading: Trading | None = None, pace: Pace = FAST, paper_only: bool = False
) -> AsyncIterator[Bench]:
    """A reconciler that leaves no task behind."""
    before = asyncio.all_tasks()
    made = Bench(*orders, trading=None if paper_only else trading or a_trading(), pace=pace)
    try:
        yield made
    finally:
        await made.reconciler.stop()
    await wait_for(lambda: not asyncio.all_tasks() - before, what="no task left")


# --- reading the books ------------------------------------------------------------------------------------------------


async def test_every_row_of_the_book_is_merged() -> None:
    open_order = an_order(id="L-BBBBBBBBBB", state=OrderState.OPEN, order_id="1002")
    async with bench(UNKNOWN, open_order) as house:
        house.live.book = [
            an_update("rejected", rejection_reason="no funds"),
            an_update("complete", order_id="1002", tag="BBBBBBBBBB", filled_quantity=10, average_price=625.0),
            an_update(order_id="1003", tag="app"),
        ]
        house.reconciler.check(ACCOUNT)
        assert (await house.becomes(UNKNOWN, OrderState.REJECTED)).reason == "no funds"
        await house.becomes(open_order, OrderState.COMPLETE)
        assert house.journal.by_order_id(ACCOUNT, "1003") is not None


async def test_reads_asked_for_during_a_read_are_one_more() -> None:
    async with bench() as house:
        house.live.pause = asyncio.Event()
        house.reconciler.check(ACCOUNT)
        await house.reads(1)
        for _ in range(5):
            house.reconciler.check(ACCOUNT)
        house.live.pause.set()
        await house.reads(2)
        await wait_for(lambda: not house.reconciler._runs, what="the end of the readings")
        assert house.live.reads == ["orders", "trades"] * 2


@pytest.mark.parametrize("error", [Unknown("502"), NotSent("no route"), ValueError("a bug")], ids=repr)
async def test_a_failed_read_proves_nothing(error: Exception) -> None:
    async with bench(UNKNOWN, trading=a_trading()) as house:
        house.clock.advance(60)
        house.live.errors = [error] * 3
        house.reconciler.check(ACCOUNT)
        await wait_for(lambda: len(house.live.reads) >= 3, what="three reads")
        assert house.journal.events == []


async def test_a_book_without_orders_that_we_know_proves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    known = an_order(id="L-BBBBBBBBBB", state=OrderState.COMPLETE, order_id="1002", filled_quantity=10)
    async with bench(UNKNOWN, known) as house:
        house.clock.advance(60)
        house.reconciler.check(ACCOUNT)
        await house.reads(3)
        assert house.now(UNKNOWN).state is OrderState.UNKNOWN
        assert caplog.text.count("lacks 1002; it proves nothing") == 1
        house.live.book = [an_update("complete", order_id="1002", tag="BBBBBBBBBB", filled_quantity=10)]
        await house.becomes(UNKNOWN, OrderState.REJECTED)


async def test_yesterdays_open_orders_end_and_yesterdays_doubts_stay() -> None:
    yesterday = NOW_MS - 86_400_000
    old = an_order(state=OrderState.OPEN, order_id="1001", created_at=yesterday, updated_at=yesterday)
    doubt = an_order(id="L-BBBBBBBBBB", state=OrderState.UNKNOWN, created_at=yesterday, updated_at=yesterday)
    async with bench(old, doubt) as house:
        house.reconciler.check(ACCOUNT)
        await house.becomes(old, OrderState.EXPIRED)
        assert house.now(doubt).state is OrderState.UNKNOWN
        assert house.live.reads == ["orders", "trades"]
        assert "sangam orders resolve L-BBBBBBBBBB" in house.reconciler.doubt_text(doubt)


async def test_trades_that_do_not_sum_up_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    order = an_order(state=OrderState.COMPLETE, order_id="1001", filled_quantity=10)
    async with bench(order) as house:
        house.live.book = [an_update("complete", filled_quantity=10)]
        house.live.traded = [
            Trade(
                trade_id="a", order_id="1001", brsymbol="SBIN-TOY", brexchange="NSE", action=Action.BUY,
                product=Product.MIS, quantity=4, price=625.0,
            )
        ]  # fmt: skip
        for times in range(1, 5):
            house.reconciler.check(ACCOUNT)
            await house.reads(times, "trades")
            await wait_for(lambda: not house.reconciler._runs, what="the end of the reading")
        assert caplog.text.count("filled 10, but its trades sum to 4") == 1


# --- looking for orders in doubt --------------------------------------------------------------------------------------


async def test_an_order_in_doubt_is_looked_for_until_it_is_found() -> None:
    order = an_order()
    async with bench(order, trading=a_trading(find=lambda *_: None)) as house:
        house.updates.doubtful(order, "no reply")
        await house.reads(2, f"find {order.our_tag}")
        assert "orders" not in house.live.reads, "the cheap read is enough"
        house.live.book = [an_update("complete", filled_quantity=10, average_price=625.0)]
        found = await house.becomes(order, OrderState.COMPLETE)
        assert (found.order_id, found.average_price) == ("1001", 625.0)
        await wait_for(lambda: not house.reconciler._seeker._tasks, what="the end of the search")


async def test_an_order_whose_answer_is_late_is_looked_for_but_never_given_up() -> None:
    order = an_order()
    async with bench(order) as house:
        house.reconciler.seek_late(ACCOUNT)
        assert house.reconciler._seeker._tasks == {}
        house.clock.advance(60)
        house.reconciler.seek_late(ACCOUNT)
        await house.reads(3)
        assert house.now(order).state is OrderState.SENT, "its request may still be under way"
        house.live.book = [an_update("complete", filled_quantity=10)]
        await house.becomes(order, OrderState.COMPLETE)


async def test_several_in_doubt_are_looked_for_by_one_read_of_the_book() -> None:
    orders = [an_order(id=f"L-{letter * 10}") for letter in "ABCDE"]
    async with bench(*orders, trading=a_trading(find=lambda *_: None)) as house:
        for order in orders:
            house.updates.doubtful(order, "no reply")
        await house.reads(1)
        assert house.live.reads == ["orders"]
        house.live.book = [an_update(order_id=o.our_tag, tag=o.our_tag) for o in orders]
        for order in orders:
            await house.becomes(order, OrderState.OPEN)


@pytest.mark.parametrize("trading", [a_trading(), a_trading(find=lambda *_: None)], ids=["book", "find"])
async def test_what_never_reached_the_broker_is_said_to_be_rejected_only_after_the_settling_time(
    trading: Trading,
) -> None:
    order = an_order()
    async with bench(order, trading=trading) as house:
        waiter = house.updates.waiter(order)
        house.updates.doubtful(order, "no reply")
        await wait_for(lambda: len(house.live.reads) >= 4, what="four looks")
        assert house.now(order).state is OrderState.UNKNOWN
        house.clock.advance(9.9)
        count = len(house.live.reads)
        await wait_for(lambda: len(house.live.reads) >= count + 2, what="two more looks")
        assert not waiter.done()
        house.clock.advance(0.2 + JOINABLE)
        gone = await asyncio.wait_for(waiter, 2)
        assert (gone.state, gone.code) == (OrderState.REJECTED, NEVER_REACHED)
        assert "never reached toy" in gone.reason


@pytest.mark.parametrize("silence", ["no answer", "a late answer", "no answer to a question for one"])
async def test_a_broker_that_wakes_up_may_still_take_what_lies_in_its_queue(silence: str) -> None:
    trading = a_trading(find=lambda *_: None) if silence.endswith("one") else None
    async with bench(UNKNOWN, trading=trading) as house:
        house.clock.advance(60)
        if silence == "a late answer":
            house.live.pause = asyncio.Event()
            house.reconciler.check(ACCOUNT)
            await house.reads(1)
            house.clock.advance(6)
            house.live.pause.set()
        else:
            house.live.errors = [Unknown("No answer came in time."), Unknown("No answer came in time.")]
            house.reconciler.check(ACCOUNT)
        count = len(house.live.reads) + 4
        await wait_for(lambda: len(house.live.reads) >= count, what="looks that prove nothing")
        assert house.now(UNKNOWN).state is OrderState.UNKNOWN
        house.clock.advance(10.1 + JOINABLE)
        assert (await house.becomes(UNKNOWN, OrderState.REJECTED)).code == NEVER_REACHED


async def test_a_late_row_overrides_the_conclusion() -> None:
    order = an_order()
    async with bench(order) as house:
        house.updates.doubtful(order, "no reply")
        house.clock.advance(11)
        await house.becomes(order, OrderState.REJECTED)
        house.live.book = [an_update()]
        house.reconciler.check(ACCOUNT)
        await house.becomes(order, OrderState.OPEN)


async def test_without_a_tag_it_stays_in_doubt_and_the_text_says_what_to_do() -> None:
    order = an_order()
    async with bench(order, trading=a_trading(tag=Tag())) as house:
        house.updates.doubtful(order, "No reply came in time.")
        house.clock.advance(60)
        house.live.book = [an_update(tag="")]
        house.reconciler.check(ACCOUNT)
        await house.reads(1, "trades")
        assert house.now(order).state is OrderState.UNKNOWN
        (doubt,) = house.reconciler.in_doubt(ACCOUNT)
        text = house.reconciler.doubt_text(doubt)
        assert "BUY 10 NSE:SBIN" in text
        assert "No reply came in time. Nothing in toy's books" in text
        assert f"settle it with sangam orders resolve {order.id}" in text
        house.updates.resolve(doubt, "complete", "u", "seen in the app")
        assert house.reconciler.in_doubt(ACCOUNT) == []


async def test_a_refused_credential_is_not_hammered() -> None:
    order = an_order()
    async with bench(order) as house:
        house.live.errors = [SessionExpired("token rejected")] * 10
        house.updates.doubtful(order, "no reply")
        await wait_for(lambda: ACCOUNT in house.reconciler.refused, what="the refusal")
        await wait_for(lambda: not house.reconciler._seeker._tasks, what="rest")
        assert house.live.reads == ["orders"]
        house.live.errors.clear()
        house.live.book = [an_update()]
        house.reconciler.check(ACCOUNT)
        await house.becomes(order, OrderState.OPEN)
        assert ACCOUNT not in house.reconciler.refused


async def test_paper_orders_in_doubt_are_found_in_the_paper_book() -> None:
    order = an_order(id="P-AAAAAAAAAA", mode=TradingMode.PAPER, state=OrderState.UNKNOWN)
    async with bench(order, paper_only=True) as house:
        house.paper.book = [an_update()]
        house.paper.errors = [Unknown("a full disk")]
        house.reconciler.start([ACCOUNT])
        await house.becomes(order, OrderState.OPEN)
        await house.reconciler.ready(ACCOUNT)
        assert house.live.reads == []
        await wait_for(lambda: not house.reconciler._runs, what="a reading that succeeds")
        assert house.paper.reads.count("orders") == 2
        count = len(house.paper.reads)
        house.reconciler.check(ACCOUNT)
        await wait_for(lambda: not house.reconciler._runs, what="the end of the reading")
        assert len(house.paper.reads) == count, "it tells everything by itself"


async def test_the_paper_book_proves_at_once_what_it_does_not_have() -> None:
    order = an_order(id="P-AAAAAAAAAA", mode=TradingMode.PAPER, state=OrderState.UNKNOWN)
    async with bench(order, paper_only=True) as house:
        house.clock.advance(2 * JOINABLE)
        house.reconciler.start([ACCOUNT])
        assert (await house.becomes(order, OrderState.REJECTED)).code == NEVER_REACHED


# --- the gate ---------------------------------------------------------------------------------------------------------


async def test_new_orders_wait_for_the_first_reading_after_a_start() -> None:
    async with bench(UNKNOWN) as house:
        house.reconciler.start([ACCOUNT])
        house.live.pause = asyncio.Event()
        house.live.errors = [Unknown("502")]
        waiting = asyncio.create_task(house.reconciler.ready(ACCOUNT))
        await house.reads(1)
        assert not waiting.done()
        house.live.pause.set()
        await asyncio.wait_for(waiting, 2)
        assert house.live.reads.count("orders") >= 2, "a failed reading is tried again"
        await asyncio.wait_for(house.reconciler.ready(ACCOUNT), 0.1)


@pytest.mark.parametrize("orders", [(), (an_order(state=OrderState.COMPLETE, order_id="1"),)], ids=["none", "settled"])
async def test_nothing_unsettled_nothing_to_wait_for(orders: tuple[Order, ...]) -> None:
    async with bench(*orders) as house:
        house.reconciler.start([ACCOUNT])
        await house.reconciler.ready(ACCOUNT)
        assert house.live.reads == []


async def test_only_a_reading_opens_the_gate() -> None:
    async with bench(UNKNOWN) as house:
        house.reconciler.start([ACCOUNT])
        house.live.errors = [Unknown("502")] * 1000
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(house.reconciler.ready(ACCOUNT), 0.2)
        assert len(house.live.reads) > 2
        house.live.errors.clear()
        await asyncio.wait_for(house.reconciler.ready(ACCOUNT), 2)


async def test_a_row_that_cannot_be_read_holds_new_orders_until_the_books_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with bench() as house:
        monkeypatch.setattr(house.journal, "unread", lambda account: ["L-BBBBBBBBBB"])
        house.live.pause = asyncio.Event()
        house.reconciler.start([ACCOUNT])
        waiting = asyncio.create_task(house.reconciler.ready(ACCOUNT))
        await house.reads(1)
        assert not waiting.done()
        house.live.pause.set()
        await asyncio.wait_for(waiting, 2)


async def test_the_gate_opens_where_nothing_is_left_to_be_settled() -> None:
    async with bench(UNKNOWN) as house:
        house.reconciler.start([ACCOUNT])
        house.live.errors = [Unknown("502")] * 1000
        before = asyncio.create_task(house.reconciler.ready(ACCOUNT))
        await house.reads(1)
        house.updates.resolve(UNKNOWN, "cancelled", "u", "seen in the app")
        await asyncio.wait_for(house.reconciler.ready(ACCOUNT), 0.1)
        await asyncio.wait_for(before, 0.1)


async def test_an_account_without_a_session_is_told_to_log_in_and_waits_when_it_did() -> None:
    async with bench(UNKNOWN) as house:
        house.reconciler.start([ACCOUNT])
        house.live.errors = [SessionExpired("not logged in").unsent()]
        with pytest.raises(SessionExpired, match="Log in") as refused:
            await asyncio.wait_for(house.reconciler.ready(ACCOUNT), 1)
        assert not refused.value.sent
        house.reconciler.renewed(ACCOUNT)
        house.live.pause = asyncio.Event()
        waiting: asyncio.Task[Any] = asyncio.create_task(house.reconciler.ready(ACCOUNT))
        await house.reads(2)
        assert not waiting.done()
        house.live.pause.set()
        await asyncio.wait_for(waiting, 1)


async def test_paper_orders_are_found_without_a_session_at_the_broker() -> None:
    order = an_order(id="P-AAAAAAAAAA", mode=TradingMode.PAPER, state=OrderState.UNKNOWN)
    async with bench(order) as house:
        house.live.errors = [SessionExpired("not logged in")] * 1000
        house.paper.book = [an_update()]
        house.reconciler.start([ACCOUNT])
        await house.becomes(order, OrderState.OPEN)


async def test_paper_doubts_are_sought_on_while_the_broker_refuses_the_session() -> None:
    order = an_order(id="P-AAAAAAAAAA", mode=TradingMode.PAPER)
    async with bench(order) as house:
        house.live.errors = [SessionExpired("token rejected")] * 1000
        house.reconciler.check(ACCOUNT)
        await wait_for(lambda: ACCOUNT in house.reconciler.refused, what="the refusal")
        house.updates.doubtful(order, "no answer")
        house.paper.book = [an_update()]
        await house.becomes(order, OrderState.OPEN)


async def test_a_new_session_is_asked_though_the_first_reading_fails() -> None:
    async with bench() as house:
        house.reconciler.refused.add(ACCOUNT)
        house.live.errors = [Unknown("502")]
        house.reconciler.renewed(ACCOUNT)
        house.reconciler.check(ACCOUNT)
        await house.reads(1)
        assert ACCOUNT not in house.reconciler.refused


async def test_a_late_refusal_of_the_session_before_is_none_of_the_new_one() -> None:
    order = an_order()
    async with bench(order, trading=a_trading(find=lambda *_: None)) as house:
        house.live.pause = before = asyncio.Event()
        house.updates.doubtful(order, "no reply")
        await house.reads(1, f"find {order.our_tag}")
        house.live.pause = None
        house.reconciler.renewed(ACCOUNT)
        house.reconciler.check(ACCOUNT)
        await house.reads(1)
        house.live.errors = [SessionExpired("token rejected")]
        before.set()
        await wait_for(lambda: not house.live.errors, what="the late answer")
        house.live.book = [an_update(tag=order.our_tag)]
        await house.becomes(order, OrderState.OPEN)


async def test_an_account_that_left_is_not_read_for_ever() -> None:
    async with bench(UNKNOWN) as house:
        house.reconciler.start([ACCOUNT])
        house.reconciler._trading = lambda account: None
        house.reconciler.check(ACCOUNT)
        await wait_for(lambda: not house.reconciler._runs, what="the end of the readings")
        assert house.live.reads == []


async def test_a_clock_that_was_set_ahead_proves_nothing() -> None:
    """A book that is read at once is no evidence, whatever the wall clock says (promise 2)."""
    order = an_order()
    async with bench(order) as house:
        house.updates.doubtful(order, "no reply")
        house.clock._ms += 60_000
        house.reconciler.check(ACCOUNT)
        await house.reads(3)
        assert house.now(order).state is OrderState.UNKNOWN
        house.clock.advance(12)
        await house.becomes(order, OrderState.REJECTED)


# --- with the real journal --------------------------------------------------------------------------------------------


async def test_a_killed_server_finds_its_order_and_clients_hear_every_event_once(tmp_path: Path) -> None:
    """Promises 3 and 4: sent, killed, restarted; found by its tag; what was told is what a resume gives."""
    clock = ManualClock(ist_from_ms(NOW_MS).astimezone(IST))
    database = open_journal_database(tmp_path, database_url(tmp_path))
    writer = Writer(database)
    journal = Journal(database, writer, clock)
    order = an_order(state=OrderState.PENDING, created_at=clock.now_ms())
    journal.add([order])
    assert journal.in_flight(ACCOUNT) == [order]
    await journal.sent(order, clock.now_ms())
    assert [sent.state for sent in journal.in_flight(ACCOUNT)] == [OrderState.SENT]
    await writer.close()
    database.close()

    database = open_journal_database(tmp_path, database_url(tmp_path))
    writer = Writer(database)
    journal = Journal(database, writer, clock, order_news)
    told: list[OrderNews] = []
    updates = Updates(journal, named, lambda account: ("u", "toy"), told.append, clock)
    live = ScriptedExecutor()
    executors: Any = {TradingMode.LIVE: live}
    reconciler = Reconciler(journal, updates, executors, lambda account: a_trading(), clock, FAST)
    try:
        assert journal.in_flight(ACCOUNT) == []
        told += await journal.since([ACCOUNT], 0)
        reconciler.start([ACCOUNT])
        live.book = [an_update("complete", filled_quantity=10, average_price=625.0)] * 2
        await reconciler.ready(ACCOUNT)
        reconciler.check(ACCOUNT)
        await wait_for(lambda: live.reads.count("trades") == 2, what="two readings")
        await wait_for(lambda: len(told) >= 3, what="the news")
        types = [json.loads(news.event)["type"] for news in told]
        assert types == ["ORDER_UNKNOWN", "ORDER_PLACED", "ORDER_FILLED"]
        assert await journal.since([ACCOUNT], 0) == told
        found = journal.get(order.id)
        assert found is not None
        assert (found.state, found.filled_quantity, found.order_id) == (OrderState.COMPLETE, 10, "1001")
    finally:
        await reconciler.stop()
        updates.close()
        await writer.close()
        database.close()
