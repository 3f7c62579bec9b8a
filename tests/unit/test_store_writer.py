import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, event, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from tests.databases import database_url
from tests.support import wait_for

from sangam.model.errors import StoreError
from sangam.store.database import Database
from sangam.store.writer import InDoubtCommit, RowRefused, Writer, joined

metadata = MetaData()
notes = Table("notes", metadata, Column("id", Integer, primary_key=True), Column("text", String(2000), nullable=False))
marks = Table("marks", metadata, Column("id", Integer, primary_key=True, autoincrement=False))
ADD, CHANGE, MARK = insert(notes), update(notes), insert(marks)


class House:
    """A database with its writer; `before_commit` runs on the writer's own connection, in its thread."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database(url, metadata.create_all, durable=True)
        self.commits = 0
        self.at_begin: Callable[[Connection], object] = lambda connection: None
        self.before_commit: Callable[[Connection], object] = lambda connection: None
        event.listen(self.database.engine, "begin", self._begun)
        event.listen(self.database.engine, "commit", self._committing)
        self.writer = Writer(self.database)

    @property
    def sqlite(self) -> bool:
        return self.database.engine.dialect.name == "sqlite"

    @property
    def add_once(self) -> Any:
        upsert: Callable[[Table], Any] = sqlite.insert if self.sqlite else postgresql.insert
        return upsert(notes).on_conflict_do_nothing(index_elements=["id"])

    def _begun(self, connection: Connection) -> None:
        if threading.current_thread().name == "writer":
            self.at_begin(connection)

    def _committing(self, connection: Connection) -> None:
        if threading.current_thread().name == "writer":
            self.commits += 1
            self.before_commit(connection)

    def ids(self) -> list[int]:
        with self.database.begin() as connection:
            return list(connection.execute(select(notes.c.id).order_by(notes.c.id)).scalars())

    def fill(self, full: bool) -> None:
        """A quota on the connection that the writer uses: what SQLite says then is what it says of a full disk."""

        def quota(connection: Connection) -> None:
            connection.exec_driver_sql(f"PRAGMA max_page_count={1 if full else 1_000_000}")

        self.at_begin = quota


def note(id: int, length: int = 5) -> dict[str, Any]:
    return {"id": id, "text": "x" * length}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(database_url(tmp_path))
    yield house
    await house.writer.close()
    house.database.close()


async def test_what_lingers_shares_the_flush_of_what_comes_next(house: House) -> None:
    await house.writer.put((ADD, note(1)))
    await wait_for(lambda: bool(house.writer._condition._waiters))  # type: ignore[attr-defined]
    before = house.commits
    first = house.writer.put((ADD, note(2)), linger=True)
    await asyncio.gather(first, house.writer.put((ADD, note(3))))
    assert house.commits == before + 1
    await asyncio.wait_for(house.writer.put((ADD, note(4)), linger=True), 5)  # nothing comes: it goes alone
    assert house.ids() == [1, 2, 3, 4]


async def test_what_waits_together_commits_together_and_in_order(house: House) -> None:
    held = threading.Event()
    house.before_commit = lambda connection: held.wait(5)
    first = house.writer.put((ADD, note(0)))
    await wait_for(lambda: house.commits == 1, what="the first commit under way")
    rest = [house.writer.put((ADD, note(id)), (CHANGE, {"text": str(id)}), (MARK, {"id": id})) for id in range(1, 200)]
    assert not first.done()
    held.set()
    await asyncio.gather(first, *rest)
    assert house.commits == 2
    assert sum(house.writer.committed.counts) == 2
    with house.database.begin() as connection:
        assert set(connection.execute(select(notes.c.text)).scalars()) == {"199"}, "changes followed their additions"


async def test_done_means_that_another_connection_sees_it(house: House) -> None:
    for id in range(20):
        await house.writer.put((ADD, [note(2 * id), note(2 * id + 1)]))
        assert len(house.ids()) == 2 * id + 2


async def test_the_writer_s_own_connection_forces_every_commit_to_the_disk(house: House) -> None:
    seen: list[Any] = []
    asked = text("PRAGMA synchronous" if house.sqlite else "SHOW synchronous_commit")
    house.before_commit = lambda connection: seen.append(connection.execute(asked).scalar())
    await house.writer.put((ADD, note(1)))
    await house.writer.put((ADD, note(2)))
    assert seen == ([2, 2] if house.sqlite else ["on", "on"])


async def test_a_row_that_is_refused_takes_only_its_own_group_with_it(house: House) -> None:
    await house.writer.put((ADD, note(7)))
    good = [house.writer.put((ADD, note(id))) for id in range(5)]
    bad = house.writer.put((ADD, note(100)), (ADD, note(7)))
    late = [house.writer.put((ADD, note(id))) for id in range(10, 15)]
    await asyncio.gather(*good, *late)
    with pytest.raises(RowRefused, match="refused it"):
        await bad
    assert house.ids() == [0, 1, 2, 3, 4, 7, 10, 11, 12, 13, 14]
    assert house.writer.trouble == ""


async def test_a_fact_that_breaks_a_rule_is_logged_and_holds_nobody_up(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.writer.put((ADD, note(7)))
    bad = house.writer.put((ADD, {"id": 7, "text": "what was to be kept"}), keep=True)
    await house.writer.put((ADD, note(8)), keep=True)
    with pytest.raises(RowRefused):
        await bad
    assert "what was to be kept" in caplog.text


async def test_a_full_disk_refuses_admissions_and_keeps_facts_until_there_is_room(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    if not house.sqlite:
        pytest.skip("a quota of SQLite")
    caplog.set_level(logging.INFO)
    await house.writer.put((ADD, note(0)))
    house.fill(True)
    facts = [house.writer.put((house.add_once, note(id, 2000)), keep=True) for id in range(1, 40)]
    await wait_for(lambda: house.writer.trouble, what="trouble")
    assert "disk is full" in house.writer.trouble
    for id in range(100, 103):
        with pytest.raises(StoreError, match="disk is full"):
            await house.writer.put((ADD, note(id, 2000)))
    assert not any(fact.done() for fact in facts)
    facts += [house.writer.put((CHANGE, {"text": "last"}), keep=True)]
    house.fill(False)
    await asyncio.gather(*facts)
    assert house.ids() == list(range(40))
    assert house.writer.trouble == ""
    with house.database.begin() as connection:
        assert set(connection.execute(select(notes.c.text)).scalars()) == {"last"}, "in order relative to each other"
    assert caplog.text.count("did not take it") == 1, "said once, not at every attempt"
    assert "takes writes again" in caplog.text


def cut(house: House) -> Callable[[Connection], None]:
    """Ends the writer's connection from the server's side."""

    def end(connection: Connection) -> None:
        house.before_commit = house.at_begin = lambda connection: None
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with house.database.begin() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

    return end


async def test_a_connection_that_breaks_costs_admissions_and_no_fact(house: House) -> None:
    if house.sqlite:
        pytest.skip("a file has no connection to lose")
    for moment in range(3):
        house.at_begin = cut(house)
        fact = house.writer.put((house.add_once, note(moment)), keep=True)
        await fact
    house.at_begin = cut(house)
    with pytest.raises(StoreError):
        await house.writer.put((ADD, note(50)))
    await house.writer.put((ADD, note(51)))
    assert house.ids() == [0, 1, 2, 51]
    assert house.writer.trouble == ""


async def test_a_connection_that_breaks_at_the_commit_leaves_a_doubt_that_is_told(house: House) -> None:
    if house.sqlite:
        pytest.skip("a file has no connection to lose")
    house.before_commit = cut(house)
    with pytest.raises(InDoubtCommit):
        await house.writer.put((ADD, note(1)))
    house.before_commit = cut(house)
    await house.writer.put((house.add_once, note(2)), keep=True)
    assert 2 in house.ids()


async def test_a_surprise_while_it_commits_does_not_stop_the_writer(house: House) -> None:
    def surprise(connection: Connection) -> None:
        house.before_commit = lambda connection: None
        raise RuntimeError("a driver's defect")

    for _ in range(2):
        house.before_commit = surprise
        await house.writer.put((house.add_once, note(1)), keep=True)
        await house.writer.put((ADD, note(2 + house.commits)))
    assert len(house.ids()) == 3
    assert house.writer.trouble == ""


async def test_who_goes_away_cancels_nothing(house: House) -> None:
    futures = [house.writer.put((ADD, note(id))) for id in range(10)]
    for future in futures[::2]:
        future.cancel()
    await futures[-1]
    assert house.ids() == list(range(10))


async def test_closing_commits_what_waits_and_takes_nothing_more(house: House) -> None:
    futures = [house.writer.put((ADD, note(id)), keep=bool(id % 2)) for id in range(100)]
    await house.writer.close()
    assert all(future.done() and future.exception() is None for future in futures)
    assert house.ids() == list(range(100))
    with pytest.raises(StoreError, match="shutting down"):
        await house.writer.put((ADD, note(1000)))
    assert not any(thread.name == "writer" for thread in threading.enumerate())


async def test_closing_on_a_full_disk_ends_and_tells_what_was_lost(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    if not house.sqlite:
        pytest.skip("a quota of SQLite")
    await house.writer.put((ADD, note(0)))
    house.fill(True)
    rows = [*(note(id, 2000) for id in range(10, 20)), {"id": 1, "text": "the last fill of the day"}]
    fact = house.writer.put((ADD, rows), keep=True)
    admission = house.writer.put((ADD, note(4)))
    await wait_for(lambda: house.writer.trouble, what="trouble")
    await house.writer.close(timeout=0.2)
    for future in (fact, admission):
        with pytest.raises(StoreError):
            await future
    assert "the last fill of the day" in caplog.text


async def test_closing_waits_for_room_a_while(house: House) -> None:
    if not house.sqlite:
        pytest.skip("a quota of SQLite")
    house.fill(True)
    fact = house.writer.put((ADD, note(1, 2000)), (ADD, note(2, 2000)), (ADD, note(3, 2000)), keep=True)
    await wait_for(lambda: house.writer.trouble, what="trouble")
    closing = asyncio.create_task(house.writer.close())
    house.fill(False)
    await closing
    assert fact.exception() is None
    assert house.ids() == [1, 2, 3]


async def test_nobody_is_needed_to_hear_of_a_failure(house: House, caplog: pytest.LogCaptureFixture) -> None:
    await house.writer.put((ADD, note(1)))
    house.writer.put((ADD, note(1)))
    await house.writer.put((ADD, note(2)))
    assert "never retrieved" not in caplog.text


STEPS = st.lists(st.lists(st.tuples(st.sampled_from([ADD, CHANGE, MARK]), st.integers(0, 99)), max_size=3), max_size=20)


@given(STEPS)
def test_joining_keeps_the_order_of_each_table_and_joins_neighbours(groups: list[list[tuple[Any, int]]]) -> None:
    runs = list(joined([[(statement, {"id": id}) for statement, id in group] for group in groups]))
    for table in (notes, marks):
        asked = [(statement, id) for group in groups for statement, id in group if statement.table is table]
        made = [(statement, row["id"]) for statement, rows in runs for row in rows if statement.table is table]  # type: ignore[attr-defined]
        assert made == asked
        order = [statement for statement, _ in runs if statement.table is table]  # type: ignore[attr-defined]
        assert all(one is not other for one, other in pairwise(order))
