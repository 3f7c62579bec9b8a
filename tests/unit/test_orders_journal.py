import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select
from tests.databases import database_url
from tests.journal_process import ACCOUNTS, new_order, news_of
from tests.support import wait_for

from sangam.model.clock import IST, ManualClock
from sangam.model.errors import StoreError
from sangam.model.order import Order, OrderNews, OrderState, TradingMode
from sangam.orders import journal as journal_module
from sangam.orders.journal import Act, ActKind, ActState, EventKind, Journal
from sangam.orders.standing import Standing
from sangam.store.journal import open_journal_database
from sangam.store.journal_tables import order_acts, order_events, orders
from sangam.store.writer import InDoubtCommit, RowRefused, Writer

MORNING = datetime(2026, 11, 20, 9, 15, tzinfo=IST)
ACCOUNT, OTHER = ACCOUNTS


def restart_news(kind: EventKind, seq: int, order: Order) -> OrderNews:
    return news_of(order, seq)


class Room:
    """A journal that can be opened again; `space(False)` makes its disk full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = database_url(path)
        self.clock = ManualClock(MORNING)
        self._pages = 0
        self.open()

    def open(self) -> None:
        self.database = open_journal_database(self.path, self.url)
        event.listen(self.database.engine, "begin", self._begun)
        self.writer = Writer(self.database)
        self.journal = Journal(self.database, self.writer, self.clock, restart_news)

    async def close(self) -> None:
        await self.writer.close()
        self.database.close()

    async def again(self) -> Journal:
        await self.close()
        self.open()
        return self.journal

    def space(self, there: bool) -> None:
        if not self.url.startswith("sqlite"):
            pytest.skip("a quota of SQLite")
        self._pages = 1_000_000 if there else 1

    def _begun(self, connection: Any) -> None:
        if self._pages:
            connection.exec_driver_sql(f"PRAGMA max_page_count={self._pages}")

    def order(self, number: int, **fields: Any) -> Order:
        return new_order(number, self.clock.now_ms(), **fields)

    async def fill_up(self) -> None:
        """Until the pages that are there take nothing more."""
        self.space(False)
        for number in range(1000, 2000):
            try:
                await self.journal.add([self.order(number)])
            except StoreError:
                return
        pytest.fail("the disk does not fill")

    async def place(self, number: int, **fields: Any) -> Order:
        order = self.order(number, **fields)
        self.journal.add([order])
        await self.journal.sent(order, self.clock.now_ms())
        return known(self.journal, order.id)

    async def save(self, order: Order, kind: EventKind, **fields: Any) -> Order:
        order = msgspec.structs.replace(order, updated_at=self.clock.now_ms(), **fields)
        await self.journal.save(order, kind, lambda seq: news_of(order, seq))
        return order

    def rows(self) -> dict[str, str]:
        with self.database.begin() as connection:
            return {row.id: row.state for row in connection.execute(select(orders))}


def known(journal: Journal, id: str) -> Order:
    order = journal.get(id)
    assert order is not None
    return order


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = Room(tmp_path)
    yield room
    await room.close()


# --- orders -----------------------------------------------------------------------------------------------------------


async def test_an_order_is_found_by_each_of_its_names(room: Room) -> None:
    order = await room.place(1)
    assert order.state is OrderState.SENT
    assert order.sent_at == room.clock.now_ms()
    opened = await room.save(order, EventKind.PLACED, state=OrderState.OPEN, order_id="2511")
    journal = room.journal
    for journal in (room.journal, await room.again()):
        assert journal.get("L-0000000001") == opened
        assert journal.by_client(ACCOUNT, "client-1") == opened
        assert journal.by_order_id(ACCOUNT, "2511") == opened
        assert journal.by_tag(ACCOUNT, "0000000001") == opened
        assert journal.by_tag(ACCOUNT, "0000000001-and-the-broker-s") == opened
        assert journal.of(ACCOUNT) == journal.unsettled(ACCOUNT) == [opened]
    for nobody in (
        journal.get("L-2"),
        journal.by_client(OTHER, "client-1"),
        journal.by_order_id(OTHER, "2511"),
        journal.by_tag(OTHER, "0000000001"),
        journal.by_tag(ACCOUNT, ""),
        journal.by_client(ACCOUNT, ""),
    ):
        assert nobody is None


async def test_what_is_settled_is_of_the_day_but_not_unsettled(room: Room) -> None:
    for number in range(3):
        await room.place(number)
    await room.save(known(room.journal, "L-0000000001"), EventKind.FILLED, state=OrderState.COMPLETE)
    for journal in (room.journal, await room.again()):
        assert [order.id[-1] for order in journal.of(ACCOUNT)] == ["0", "1", "2"]
        assert [order.id[-1] for order in journal.unsettled(ACCOUNT)] == ["0", "2"]


async def test_an_order_placed_elsewhere_is_kept_under_its_number_only(room: Room) -> None:
    foreign = room.order(5, foreign=True, client_order_id="", order_id="77", state=OrderState.OPEN)
    await room.journal.save(foreign, EventKind.PLACED)
    journal = await room.again()
    assert journal.by_order_id(ACCOUNT, "77") == foreign
    assert journal.by_tag(ACCOUNT, foreign.our_tag) is None


async def test_many_orders_are_admitted_in_one_commit_or_none(room: Room) -> None:
    await room.journal.add([room.order(number) for number in range(5)])
    twice = [room.order(10), room.order(11, client_order_id="client-3")]
    with pytest.raises(RowRefused):
        await room.journal.add(twice)
    assert len(room.rows()) == 5
    assert room.journal.get("L-0000000010") is None
    assert known(room.journal, "L-0000000003") == room.journal.by_client(ACCOUNT, "client-3")


async def test_a_client_order_id_stays_taken_for_ever(room: Room) -> None:
    order = await room.save(await room.place(1), EventKind.FILLED, state=OrderState.COMPLETE)
    for _ in range(3):
        room.clock.advance(3 * 86400)
        journal = await room.again()
        assert journal.get(order.id) is None
        assert journal.by_client(ACCOUNT, "client-1") == order
        with pytest.raises(RowRefused):
            await journal.add([room.order(2, client_order_id="client-1")])
        assert journal.by_client(ACCOUNT, "client-1") == order
    await journal.add([room.order(3, client_order_id="client-1", account=OTHER)])
    await journal.add([room.order(4, client_order_id=""), room.order(5, client_order_id="")])


async def test_an_order_of_the_same_name_is_refused_whenever_that_was(room: Room) -> None:
    order = await room.save(await room.place(1), EventKind.FILLED, state=OrderState.COMPLETE)
    with pytest.raises(StoreError, match="already"):
        await room.journal.add([room.order(1, client_order_id="x")])
    room.clock.advance(2 * 86400)
    with pytest.raises(RowRefused):
        await room.journal.add([room.order(1, client_order_id="x")])
    assert room.journal.by_client(ACCOUNT, "client-1") == order


async def test_only_what_is_pending_may_be_sent_and_only_once(room: Room) -> None:
    order = await room.place(1)
    with pytest.raises(StoreError, match="may not be sent: it is sent"):
        await room.journal.sent(order, room.clock.now_ms())
    with pytest.raises(StoreError, match="not journalled"):
        await room.journal.sent(room.order(2), room.clock.now_ms())
    withdrawn = room.order(3)
    room.journal.add([withdrawn])
    await room.save(withdrawn, EventKind.REJECTED, state=OrderState.DENIED)
    with pytest.raises(StoreError, match="it is denied"):
        await room.journal.sent(withdrawn, room.clock.now_ms())


async def test_what_was_journalled_is_kept_before_anybody_says_so(room: Room) -> None:
    added = room.journal.add([room.order(1)])
    await room.journal.kept("It is there")
    assert added.done()
    assert room.rows() == {"L-0000000001": "pending"}


async def test_the_day_s_change_takes_what_is_settled_out_of_memory(room: Room) -> None:
    waiting = await room.save(await room.place(1), EventKind.PLACED, state=OrderState.OPEN, order_id="1")
    settled = await room.save(await room.place(2), EventKind.FILLED, state=OrderState.COMPLETE, order_id="2")
    room.clock.set(datetime(2026, 11, 21, 5, 59, tzinfo=IST))
    assert room.journal.of(ACCOUNT) == [waiting, settled]
    room.clock.set(datetime(2026, 11, 21, 6, 0, tzinfo=IST))
    assert room.journal.of(ACCOUNT) == [waiting]
    assert room.journal.by_order_id(ACCOUNT, "2") is None
    assert room.journal.by_client(ACCOUNT, "client-2") == settled
    assert room.journal.placed_at(ACCOUNT, 0) == []
    journal = await room.again()
    assert journal.of(ACCOUNT) == [waiting]
    late = await room.save(waiting, EventKind.FILLED, state=OrderState.COMPLETE)
    assert (await room.again()).of(ACCOUNT) == [late], "what was settled today is of today"


# --- a restart --------------------------------------------------------------------------------------------------------


async def test_a_restart_denies_what_was_pending_and_doubts_what_was_sent(room: Room) -> None:
    await room.journal.add([room.order(1)])
    await room.place(2)
    opened = await room.save(await room.place(3), EventKind.PLACED, state=OrderState.OPEN)
    before = room.journal.newest
    journal = await room.again()
    assert [(order.id[-1], order.state, order.code) for order in journal.restarted] == [
        ("1", OrderState.DENIED, "ORDER_ERROR"),
        ("2", OrderState.UNKNOWN, "OUTCOME_UNKNOWN"),
    ]
    assert [order.state for order in journal.of(ACCOUNT)] == [OrderState.DENIED, OrderState.UNKNOWN, OrderState.OPEN]
    assert room.rows() == {"L-0000000001": "denied", "L-0000000002": "unknown", opened.id: "open"}
    told = await journal.since([ACCOUNT], before)
    assert [news.seq > before for news in told] == [True, True]
    journal = await room.again()
    assert await journal.since([ACCOUNT], before) == told, "a start that failed after all has told nobody"
    await room.save(opened, EventKind.FILLED, state=OrderState.COMPLETE)
    journal = await room.again()
    assert journal.restarted == [], "nothing twice"
    replayed = await journal.since([ACCOUNT], before)
    assert replayed[:2] == told
    assert len(replayed) == 3


async def test_a_damaged_row_keeps_no_other_from_being_served(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    damaged, order = await room.place(1), await room.save(await room.place(2), EventKind.PLACED, state=OrderState.OPEN)
    await room.journal.add_act(new_act(1))
    for table in (orders.update().where(orders.c.id == damaged.id), order_acts.update()):
        await room.writer.put((table, {"body": '{"id": null}'}))
    journal = await room.again()
    assert journal.of(ACCOUNT) == [order]
    with pytest.raises(StoreError, match="damaged"):
        journal.act_by_client(ACCOUNT, "gtt-1")
    with pytest.raises(StoreError, match="damaged"):
        journal.by_client(ACCOUNT, damaged.client_order_id)
    assert journal.unread(ACCOUNT) == [damaged.id]
    assert journal.unread(OTHER) == []
    assert damaged.id in caplog.text
    assert "A1" in caplog.text


async def test_numbers_rise_across_restarts(room: Room) -> None:
    assert room.journal.newest == 0
    seen = [0]
    for number in range(4):
        for step in range(3):
            await room.place(number * 10 + step)
            assert room.journal.newest > seen[-1]
            seen.append(room.journal.newest)
        await room.again()
        assert room.journal.newest > seen[-1]
        seen.append(room.journal.newest)
    with room.database.begin() as connection:
        numbers = list(connection.execute(select(order_events.c.seq).order_by(order_events.c.at)).scalars())
    assert len(numbers) == len(set(numbers)) == 12 * 2 + 12


STATES = st.sampled_from([OrderState.OPEN, OrderState.PARTIALLY_FILLED, OrderState.COMPLETE, OrderState.UNKNOWN])


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(ACCOUNTS), STATES), max_size=40))
async def test_what_stands_after_a_restart_is_what_stood_before(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str, OrderState]]
) -> None:
    room = Room(tmp_path_factory.mktemp("room"))
    for number, account, state in steps:
        order = room.journal.get(f"L-{number:010d}") or await room.place(number, account=account)
        room.clock.advance(0.5)
        if not order.state.is_final:
            await room.save(order, EventKind.NOTED, state=state, order_id=f"X{number}")
    before = {account: room.journal.of(account) for account in ACCOUNTS}
    times = {account: room.journal.placed_at(account, 0) for account in ACCOUNTS}
    journal = await room.again()
    assert {account: journal.of(account) for account in ACCOUNTS} == before
    assert {account: journal.placed_at(account, 0) for account in ACCOUNTS} == times
    await room.close()


# --- a full disk ------------------------------------------------------------------------------------------------------


async def test_a_full_disk_undoes_admissions_and_keeps_facts(room: Room) -> None:
    order = await room.place(1)
    waiting = room.order(2)
    await room.journal.add([waiting])
    await room.fill_up()
    new = room.order(3)
    with pytest.raises(StoreError, match="full"):
        await room.journal.add([new])
    assert room.journal.get(new.id) is None
    assert room.journal.by_client(ACCOUNT, "client-3") is None
    with pytest.raises(StoreError, match="full"):
        await room.journal.sent(waiting, room.clock.now_ms())
    assert known(room.journal, waiting.id) == waiting, "as before: it may be denied now"
    assert len(room.journal.placed_at(ACCOUNT, 0)) == 1, "nothing left"
    filled = msgspec.structs.replace(order, state=OrderState.COMPLETE, filled_quantity=10)
    fact = room.journal.save(filled, EventKind.FILLED, lambda seq: news_of(filled, seq))
    denied = msgspec.structs.replace(waiting, state=OrderState.DENIED)
    room.journal.save(denied, EventKind.REJECTED)
    await wait_for(lambda: room.writer.trouble, what="trouble")
    assert not fact.done()
    with pytest.raises(StoreError, match=r"^It is filled, which could not be written down yet.*full"):
        await room.journal.kept("It is filled")
    assert known(room.journal, order.id) == filled
    assert [news.seq for news in await room.journal.since([ACCOUNT], 0)] == [room.journal.newest - 1]
    room.space(True)
    await fact
    journal = await room.again()
    assert known(journal, order.id) == filled
    assert known(journal, waiting.id) == denied
    await journal.add([new])


async def test_a_number_that_was_told_is_never_given_again(room: Room) -> None:
    """Even where its event was lost with the process."""
    await room.place(1)
    order = await room.place(2)
    await room.fill_up()
    for _ in range(50):
        room.journal.save(order, EventKind.NOTED, lambda seq: news_of(order, seq))
    told = room.journal.newest
    await room.writer.close(timeout=0)
    room.database.close()
    room.space(True)
    room.open()
    news = await room.journal.since([ACCOUNT], 0)
    assert len(news) >= 2
    assert all(each.seq > told for each in news)


async def test_news_are_replayed_while_the_disk_is_full(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_RECENT", 2)
    order = await room.place(1)
    await room.fill_up()
    before = room.journal.newest
    facts = [room.journal.save(order, EventKind.NOTED, lambda seq: news_of(order, seq)) for _ in range(20)]
    await wait_for(lambda: room.writer.trouble, what="trouble")
    numbers = list(range(before + 1, before + 21))
    assert [news.seq for news in await room.journal.since([ACCOUNT], before)] == numbers
    room.space(True)
    await asyncio.gather(*facts)
    room.journal.save(order, EventKind.NOTED, lambda seq: news_of(order, seq))
    assert [news.seq for news in await room.journal.since([ACCOUNT], before)] == [*numbers, before + 21]


async def test_an_admission_that_was_not_awaited_falls_with_the_next(room: Room) -> None:
    await room.fill_up()
    order = room.order(3)
    room.journal.add([order])
    with pytest.raises(StoreError):
        await room.journal.sent(order, room.clock.now_ms())
    assert room.journal.get(order.id) is None
    assert room.journal.placed_at(ACCOUNT, 0) == []
    room.space(True)
    await room.journal.add([order])


def lose_the_answer(room: Room) -> None:
    """The next commit arrives at the server, its answer does not come back."""
    if room.url.startswith("sqlite"):
        pytest.skip("a file has no connection to lose")

    due = [True]

    def lose(connection: Any) -> None:
        if not due:
            return
        due.clear()
        connection.exec_driver_sql("COMMIT")
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with room.database.begin() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")

    event.listen(room.database.engine, "commit", lose)


async def test_a_connection_lost_at_the_commit_leaves_nothing_of_what_was_refused(room: Room) -> None:
    """The client may ask again with the same id."""
    lose_the_answer(room)
    with pytest.raises(StoreError):
        await room.journal.add([room.order(1)])
    await room.journal.add([room.order(2, client_order_id="client-1")])
    assert list(room.rows()) == ["L-0000000002"]


async def test_a_fact_whose_commit_was_not_answered_is_there_once(room: Room) -> None:
    order = await room.place(1)
    lose_the_answer(room)
    await room.save(order, EventKind.FILLED, state=OrderState.COMPLETE)
    kinds = [entry["kind"] for entry in room.journal.export(ACCOUNT, 0, room.clock.now_ms() + 1)]
    assert kinds == ["ORDER_PENDING", "ORDER_SENT", "ORDER_FILLED"]


async def test_paper_and_foreign_orders_fill_no_rate_log(room: Room) -> None:
    await room.place(1)
    await room.place(2, mode=TradingMode.PAPER)
    foreign = room.order(3, foreign=True, client_order_id="", sent_at=room.clock.now_ms(), state=OrderState.OPEN)
    await room.journal.save(foreign, EventKind.PLACED)
    await room.journal.add_act(act := new_act(1, mode=TradingMode.PAPER))
    await room.journal.act_sent(act)
    assert room.journal.placed_at(ACCOUNT, 0) == [room.clock.now_ms()]
    journal = await room.again()
    assert journal.placed_at(ACCOUNT, 0) == [room.clock.now_ms()]


async def test_what_a_commit_in_doubt_left_of_an_order_that_was_not_sent_is_withdrawn(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both admissions broke together, and were there all the same: no restart may take that for an order under way."""

    def committed_unheard(writer: Writer, transaction: Any) -> None:
        transaction.commit()
        raise InDoubtCommit("the connection broke")

    order = room.order(1)
    with monkeypatch.context() as broken:
        broken.setattr(Writer, "_finish", committed_unheard)
        with room.writer._condition:
            admissions = room.journal.add([order]), room.journal.sent(order, room.clock.now_ms())
        results = await asyncio.gather(*admissions, return_exceptions=True)
    assert [type(result) for result in results] == [InDoubtCommit] * 2
    assert room.journal.get(order.id) is None
    await wait_for(lambda: room.rows() == {}, what="the withdrawal")
    await room.journal.add([msgspec.structs.replace(order, id="L-0000000009")])


async def test_a_database_that_takes_nothing_is_not_asked_on_the_loop(room: Room) -> None:
    order = await room.save(await room.place(1), EventKind.FILLED, state=OrderState.COMPLETE, order_id="7")
    room.clock.advance(2 * 86_400)
    assert room.journal.of(ACCOUNT) == []
    assert room.journal.by_client(ACCOUNT, "client-1") == order, "from the database"
    await room.fill_up()
    room.journal.save(order, EventKind.NOTED)
    await wait_for(lambda: room.writer.trouble, what="trouble")
    room.journal._standing.drop(order)
    with pytest.raises(StoreError, match="full"):
        room.journal.by_client(ACCOUNT, "client-1")
    room.space(True)


async def test_a_send_that_fails_after_the_days_change_takes_no_other_time(room: Room) -> None:
    await room.journal.add([order := room.order(1)])
    await room.fill_up()
    failed = room.journal.sent(order, room.clock.now_ms())
    room.clock.advance(86_400)
    room.journal.of(ACCOUNT)
    room.journal._times.add(ACCOUNT, room.clock.now_ms())
    with pytest.raises(StoreError):
        await failed
    assert room.journal.placed_at(ACCOUNT, 0) == [room.clock.now_ms()]


# --- acts -------------------------------------------------------------------------------------------------------------


def new_act(number: int, **fields: Any) -> Act:
    act = Act(id=f"A{number}", kind=ActKind.PLACE_GTT, account=ACCOUNT, user="asha", client_order_id=f"gtt-{number}")
    return msgspec.structs.replace(act, **fields)


async def test_an_act_lives_like_an_order(room: Room) -> None:
    act = new_act(1, content={"legs": [{"quantity": 5}]}, created_at=room.clock.now_ms())
    room.journal.add_act(act)
    assert room.journal.act_by_client(ACCOUNT, "gtt-1") == act
    await room.journal.act_sent(act)
    sent = room.journal.act_by_client(ACCOUNT, "gtt-1")
    assert sent is not None
    assert sent.state is ActState.SENT
    with pytest.raises(StoreError, match="may not be sent: it is sent"):
        await room.journal.act_sent(act)
    room.clock.advance(1)
    done = msgspec.structs.replace(sent, state=ActState.ACCEPTED, result="trigger 7")
    await room.journal.save_act(done)
    journal = await room.again()
    assert journal.act_by_client(ACCOUNT, "gtt-1") == done
    assert journal.placed_at(ACCOUNT, 0) == [room.clock.now_ms() - 1000]
    for _ in range(2):
        room.clock.advance(86400)
        room.journal.of(ACCOUNT)
        assert room.journal.act_by_client(ACCOUNT, "gtt-1") == done, "from the database"
        await room.again()
    assert room.journal.act_by_client(OTHER, "gtt-1") is None


async def test_a_restart_denies_pending_acts_and_doubts_those_sent(room: Room) -> None:
    await room.journal.add_act(new_act(1))
    room.journal.add_act(new_act(2))
    await room.journal.act_sent(new_act(2))
    journal = await room.again()
    states = [act.state for number in (1, 2) if (act := journal.act_by_client(ACCOUNT, f"gtt-{number}"))]
    assert states == [ActState.DENIED, ActState.UNKNOWN]


async def test_acts_on_a_full_disk_are_undone(room: Room) -> None:
    await room.journal.add_act(new_act(1))
    await room.fill_up()
    big = new_act(2, content={"x": "." * 10_000})
    with pytest.raises(StoreError):
        await room.journal.add_act(big)
    assert room.journal.act_by_client(ACCOUNT, "gtt-2") is None
    with pytest.raises(StoreError):
        await room.journal.act_sent(msgspec.structs.replace(new_act(1), content=big.content))
    assert room.journal.act_by_client(ACCOUNT, "gtt-1") == new_act(1)
    assert room.journal.placed_at(ACCOUNT, 0) == []
    room.space(True)


# --- events -----------------------------------------------------------------------------------------------------------


async def test_clients_that_come_back_hear_what_they_missed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """From memory and from the database alike, whatever is in which."""
    monkeypatch.setattr(journal_module, "_RECENT", 5)
    told: list[OrderNews] = []

    def news(order: Order, seq: int) -> OrderNews:
        told.append(news_of(order, seq))
        return told[-1]

    for number in range(20):
        order = await room.place(number, account=ACCOUNTS[number % 2])
        opened = msgspec.structs.replace(order, state=OrderState.OPEN)
        await room.journal.save(opened, EventKind.PLACED, lambda seq, opened=opened: news(opened, seq))  # type: ignore[misc]
    await room.journal.save(opened, EventKind.NOTED)
    for journal in (room.journal, await room.again()):
        for accounts in ([ACCOUNT], [OTHER], list(ACCOUNTS), []):
            of_theirs = [each for each in told if each.account in accounts]
            for seq in (0, told[3].seq, told[10].seq - 1, told[-1].seq, journal.newest):
                missed = [each for each in of_theirs if each.seq > seq]
                assert await journal.since(accounts, seq) == missed
                assert await journal.since(accounts, seq, limit=3) == missed[:3]


async def test_the_audit_trail_tells_all_in_order(room: Room) -> None:
    order = await room.place(1)
    room.clock.advance(1)
    cancel = Act(
        id="C1", kind=ActKind.CANCEL, account=ACCOUNT, user="asha", order=order.id, created_at=room.clock.now_ms()
    )
    room.journal.add_act(cancel)
    await room.journal.act_sent(cancel)
    room.clock.advance(1)
    await room.journal.save_act(msgspec.structs.replace(cancel, state=ActState.ACCEPTED))
    await room.save(order, EventKind.CANCELLED, state=OrderState.CANCELLED)
    await room.place(2, account=OTHER)

    def trail(account: str | None, since_ms: int = 0, until_ms: int = room.clock.now_ms() + 1) -> list[dict[str, Any]]:
        return list(room.journal.export(account, since_ms, until_ms))

    mine = await asyncio.to_thread(trail, ACCOUNT)
    assert [entry["kind"] for entry in mine] == ["ORDER_PENDING", "ORDER_SENT", "ACT_CANCEL", "ORDER_CANCELLED"]
    assert [entry["state"] for entry in mine] == ["pending", "sent", "accepted", "cancelled"]
    assert [entry["order"]["state"] for entry in mine if "order" in entry] == ["pending", "sent", "cancelled"]
    assert mine[2]["act"]["order"] == order.id
    assert mine[2]["updated_at"] - mine[2]["sent_at"] == 1000
    assert mine[0]["order"]["price"] == "2500.05", "as it was asked, to the paisa"
    everything = await asyncio.to_thread(trail, None)
    assert len(everything) == 6
    assert [entry["at"] for entry in everything] == sorted(entry["at"] for entry in everything)
    assert trail(ACCOUNT, room.clock.now_ms()) == mine[-1:]
    assert trail(ACCOUNT, 0, room.clock.now_ms()) == mine[:-1]
    msgspec.json.encode(everything)


async def test_a_long_trail_is_read_in_pages(room: Room) -> None:
    await room.journal.add([room.order(number) for number in range(2500)])
    for number in range(1100):
        room.journal.add_act(new_act(number, client_order_id="", created_at=number // 7))
    await room.writer.put()
    entries = list(room.journal.export(None, 0, room.clock.now_ms() + 1))
    assert len({entry["act"]["id"] for entry in entries if "act" in entry}) == 1100
    assert len({entry["seq"] for entry in entries if "seq" in entry}) == 2500
    assert len(entries) == 3600


async def test_five_thousand_open_orders_are_little(room: Room) -> None:
    numbers = range(5000)
    room.journal.add([room.order(number) for number in numbers])
    for number in numbers:
        open_one = room.order(number, state=OrderState.OPEN, order_id=str(number))
        room.journal.save(open_one, EventKind.PLACED)
    await room.writer.put()
    journal = await room.again()
    assert len(journal.unsettled(ACCOUNT)) == 5000
    assert journal.by_order_id(ACCOUNT, "4999") == known(journal, "L-0000004999")


# --- what stands in memory --------------------------------------------------------------------------------------------


def test_dropping_an_order_leaves_the_names_of_others() -> None:
    standing = Standing()
    one, other = new_order(1, client_order_id="same"), new_order(2, client_order_id="same")
    standing.set(one)
    standing.set(other)
    standing.drop(other)
    assert standing.by_client(ACCOUNT, "same") is one
    standing.drop(one)
    assert len(standing) == 0
    assert standing.of(ACCOUNT) == standing.unsettled(ACCOUNT) == []
