"""A process that trades on paper is killed at random moments: what was told is there, and the sums agree."""

import random
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from tests.databases import database_url
from tests.paper_rig import assert_consistent
from tests.support import ROOT

from sangam.paper import records
from sangam.paper.book import ENDED, PaperBook
from sangam.store.journal import open_journal_database


def run_and_kill(home: Path, url: str, seed: int, first: int, lines: int) -> list[list[str]]:
    """What the process had said when it was killed, somewhat after its `lines`th line."""
    command = [sys.executable, "-m", "tests.paper_process", str(home), url, str(seed), str(first)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.read().splitlines(keepends=True)
    return [line.split() for line in said if line.endswith("\n")]


def stored(home: Path, url: str) -> PaperBook:
    database = open_journal_database(home, url)
    book = records.load(database, PaperBook)[0]["asha"]
    database.close()
    return book


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_loses_nothing_that_was_told(tmp_path: Path, seed: int) -> None:
    url = database_url(tmp_path)
    dice = random.Random(seed)
    told: dict[str, tuple[str, int]] = {}
    for run in range(3):
        said = run_and_kill(tmp_path, url, seed * 100 + run, run * 1_000_000, dice.randint(1, 400))
        assert said
        told |= {id: (status, int(filled)) for id, status, filled in said}
        book = stored(tmp_path, url)
        assert_consistent(book)
        balance = book.ledger.balance
        assert balance.cash == Decimal(10_000_000) + balance.realised_total
        assert balance.serial >= len(book.trades)
        for id, (status, filled) in told.items():
            order = book.orders[id]
            assert order.filled >= filled
            assert status not in ENDED or order.status == status
