"""A process that journals is killed at random moments: what it was promised is there, and nothing is half there."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from tests.databases import database_url
from tests.journal_process import ACCOUNTS
from tests.support import ROOT

from sangam.model.clock import SystemClock
from sangam.model.order import Order, OrderState
from sangam.orders.journal import ActState, Journal
from sangam.store.database import Database
from sangam.store.journal import open_journal_database
from sangam.store.journal_tables import order_acts, order_events, orders
from sangam.store.writer import Writer

BEFORE_SENT = [OrderState.PENDING, OrderState.DENIED]
RANK = [*BEFORE_SENT, OrderState.SENT, OrderState.UNKNOWN, OrderState.OPEN, OrderState.COMPLETE]


def run_and_kill(home: Path, url: str, seed: int, first: int, lines: int) -> list[list[str]]:
    """What the process had said when it was killed, somewhat after its `lines`th line."""
    command = [sys.executable, "-m", "tests.journal_process", str(home), url, str(seed), str(first)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.read().splitlines(keepends=True)
    return [line.split() for line in said if line.endswith("\n")]


@pytest.mark.parametrize("seed", range(10))
async def test_a_kill_loses_no_promise_and_leaves_nothing_half_done(tmp_path: Path, seed: int) -> None:
    url = database_url(tmp_path)
    dice = random.Random(seed)
    highest, promised = 0, []
    for run in range(2):
        said = run_and_kill(tmp_path, url, seed * 10 + run, run * 1_000_000, dice.randint(1, 300))
        assert int(said[0][1]) > highest, "a number was given twice"
        highest = max([highest, *(int(line[1]) for line in said if line[0] == "told")])
        promised += said
    check_rows(url, tmp_path)
    database = open_journal_database(tmp_path, url)
    writer = Writer(database)
    journal = Journal(database, writer, SystemClock())
    try:
        assert journal.newest > highest
        await check_promises(journal, database, promised)
        await check_news(journal)
    finally:
        await writer.close()
        database.close()


def check_rows(url: str, home: Path) -> None:
    """As the kill left them: each order is what its newest event says, and every event stands once."""
    database = open_journal_database(home, url)
    with database.begin() as connection:
        newest = select(func.max(order_events.c.seq)).group_by(order_events.c.order)
        rows = connection.execute(
            select(order_events.c.order, order_events.c.body).where(order_events.c.seq.in_(newest))
        )
        events = {row.order: row.body for row in rows}
        assert {row.id: row.body for row in connection.execute(select(orders))} == events
        if database.engine.dialect.name == "sqlite":
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    database.close()


async def check_promises(journal: Journal, database: Database, promised: list[list[str]]) -> None:
    with database.begin() as connection:
        numbers = set(connection.execute(select(order_events.c.seq)).scalars())
        acts: dict[str, Any] = {row.id: row for row in connection.execute(select(order_acts))}
    for what, *told in promised:
        if what == "sent":
            assert found(journal, told[0]).state not in BEFORE_SENT, "sent: never pending or denied again"
        elif what == "saved":
            assert RANK.index(found(journal, told[0]).state) >= RANK.index(OrderState[told[1]])
            assert int(told[2]) in numbers
        elif what == "act":
            state = ActState(acts[told[0]].state)
            assert state in (ActState.UNKNOWN, ActState.ACCEPTED)
            assert told[1] == "SENT" or state is ActState.ACCEPTED
            assert acts[told[0]].sent_at > 0
    for account in ACCOUNTS:
        assert not any(order.state in (OrderState.PENDING, OrderState.SENT) for order in journal.of(account))
        sends = [order.sent_at for order in journal.of(account) if order.sent_at]
        sends += [row.sent_at for row in acts.values() if row.account == account and row.sent_at]
        assert journal.placed_at(account, 0) == sorted(sends)


async def check_news(journal: Journal) -> None:
    news = await journal.since(ACCOUNTS, 0)
    assert [each.seq for each in news] == sorted({each.seq for each in news})
    for each in news:
        assert each.event.decode().split()[-1] == str(each.seq)


def found(journal: Journal, id: str) -> Order:
    order = journal.get(id)
    assert order is not None
    assert journal.by_client(order.account, order.client_order_id) is order
    return order
