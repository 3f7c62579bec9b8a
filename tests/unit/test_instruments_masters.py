"""Masters: built in a child, switched by a pointer, and good for those who hold an old one."""

import asyncio
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.readers import Reader, marked
from tests.support import wait_for

from sangam.brokers.contract import BrokerSpec, Instruments
from sangam.brokers.paper import SPEC as PAPER
from sangam.brokers.paper.instruments import COLUMNS as PAPER_COLUMNS
from sangam.brokers.zerodha import SPEC as ZERODHA
from sangam.brokers.zerodha.instruments import COLUMNS
from sangam.instruments import Master, Masters
from sangam.model.books import Holding
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Exchange
from sangam.model.errors import MasterRejected, SymbolNotFound

PAPER_FILES = [f"{','.join(PAPER_COLUMNS)}\n1,SBIN,NSE,State Bank,EQ,,,1,0.05\n".encode()]


def rows(*names: str, first_token: int = 1) -> Iterable[str]:
    for token, name in enumerate(names, first_token):
        yield f"{token << 8 | 1},{token},{name},{name} LIMITED,0,,0,0.05,1,EQ,NSE,NSE"


def dump(*lines: str) -> list[bytes]:
    return ["\n".join((",".join(COLUMNS), *lines)).encode()]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 8, 18, 8, 30, tzinfo=IST))


@pytest.fixture
def masters(tmp_path: Path, clock: ManualClock) -> Masters:
    return Masters(tmp_path, clock)


def files(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "masters").iterdir())


@pytest.mark.parametrize("parse", [partial(marked, mark="ours"), Reader("ours").parse], ids=["bound", "method"])
async def test_what_reads_a_file_may_hold_the_brokers_own_facts(masters: Masters, parse: Any) -> None:
    spec = replace(PAPER, instruments=replace(PAPER.instruments, parse=parse))
    await masters.refresh(spec, PAPER_FILES)
    master = masters.current("paper")
    assert master is not None
    assert master.lookup("SBIN", "NSE").name == "ours"


async def test_what_cannot_go_to_the_child_is_told(masters: Masters) -> None:
    spec = replace(PAPER, instruments=replace(PAPER.instruments, parse=lambda files: iter(())))
    with pytest.raises(MasterRejected, match="What reads the Sangam Paper master cannot go to another process"):
        await masters.refresh(spec, PAPER_FILES)


async def test_refresh_and_look_up(masters: Masters, tmp_path: Path) -> None:
    assert masters.current("zerodha") is None
    option = "11546626,45104,NIFTY2681824350CE,NIFTY,0,2026-08-18,24350,0.05,65,CE,NFO-OPT,NFO"
    index = "256265,1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,NSE"
    stranger = "1,1,X,X,0,,0,1,1,EQ,NSEIX,NSEIX"
    report = await masters.refresh(ZERODHA, dump(*rows("SBIN", "TCS"), option, index, stranger))
    assert (report.version, report.rows) == ("zerodha-2026-08-18-1", 4)
    reason = "segment NSEIX of exchange NSEIX is not known"
    assert (report.refused, report.examples) == ({reason: 1}, {reason: stranger})
    assert files(tmp_path) == ["zerodha-2026-08-18-1.db", "zerodha.json"]
    master = masters.current("zerodha")
    assert master is not None
    assert (master.version, master.count) == (report.version, 4)
    nifty = master.lookup("NIFTY", "NSE_INDEX")
    assert nifty.token == "256265::::1001"
    assert master.lookup("NIFTY", Exchange.NSE_INDEX) is nifty
    assert master.by_brsymbol("NIFTY 50", "NSE") == nifty
    assert master.by_token("256265::::1001", "NSE_INDEX") == nifty
    assert master.by_token("256265::::1001", "NSE") is None
    assert master.by_brsymbol("NIFTY", "NSE") is None
    held = Holding(brsymbol="", brexchange="NSE", quantity=1)
    assert (
        master.named(msgspec.structs.replace(held, token="256265::::1001"))
        == master.named(msgspec.structs.replace(held, brsymbol="NIFTY 50"))
        == nifty
    )
    assert master.named(msgspec.structs.replace(held, token="256265::::1001", brexchange="NFO")) is None
    untold = msgspec.structs.replace(held, token="256265::::1001", brexchange="")
    assert master.named(msgspec.structs.replace(untold, brsymbol="NIFTY 50")) == nifty
    assert master.named(msgspec.structs.replace(untold, brsymbol="SBIN")) is None
    assert master.named(untold) is None
    assert [master.exchange_of(code) for code in ("NSE", "NFO", "NSEIX")] == [Exchange.NSE, Exchange.NFO, None]
    assert master.lookup("NIFTY18AUG2624350CE", "NFO").lot_size == 65
    with pytest.raises(SymbolNotFound):
        master.lookup("NIFTY", "NSE")


async def test_search(masters: Masters) -> None:
    await masters.refresh(ZERODHA, dump(*rows("NIFTYBEES", "BANKBEES", "NIFTY", "A_B", "A%C", "AXB")))
    master = masters.current("zerodha")
    assert master is not None

    def found(query: str, exchange: str | None = None, limit: int = 50) -> list[str]:
        return [instrument.symbol for instrument in master.search(query, exchange, limit)]

    assert found("nifty") == ["NIFTY", "NIFTYBEES"]
    assert found("bees") == ["BANKBEES", "NIFTYBEES"]
    assert found("bees", limit=1) == ["BANKBEES"]
    assert found("limited bank") == ["BANKBEES"]
    assert found("nifty", "NFO") == []
    assert found("_") == ["A_B"]
    assert found("%") == ["A%C"]
    assert found("!") == found("  ") == []


async def test_a_second_refresh_never_breaks_readers_of_the_first(
    masters: Masters, clock: ManualClock, tmp_path: Path
) -> None:
    await masters.refresh(ZERODHA, dump(*rows("SBIN", "TCS")))
    first = masters.current("zerodha")
    assert first is not None
    for day in range(3):
        clock.advance(86_400)
        await masters.refresh(ZERODHA, dump(*rows("SBIN", "TCS", first_token=50 + day)))
    newest = masters.current("zerodha")
    assert newest is not None
    assert newest.lookup("SBIN", "NSE").token == f"{52 << 8 | 1}::::52"
    assert first.lookup("SBIN", "NSE").token == f"{1 << 8 | 1}::::1"  # not looked up before: read from the old file
    assert files(tmp_path) == ["zerodha-2026-08-20-1.db", "zerodha-2026-08-21-1.db", "zerodha.json"]


async def test_versions_of_one_day_are_numbered(masters: Masters) -> None:
    versions = [(await masters.refresh(ZERODHA, dump(*rows("SBIN")))).version for _ in range(3)]
    assert versions == [f"zerodha-2026-08-18-{number}" for number in (1, 2, 3)]


async def test_a_new_process_finds_the_standing_master(masters: Masters, clock: ManualClock, tmp_path: Path) -> None:
    await masters.refresh(ZERODHA, dump(*rows("SBIN")))
    again = Masters(tmp_path, clock).current("zerodha")
    assert again is not None
    assert again.lookup("SBIN", "NSE").name == "SBIN LIMITED"


@pytest.mark.parametrize(
    "content",
    [
        [],
        [b""],
        [b'{"status":"error"}'],
        dump(),
        dump("1,1,X,X,0,,0,1,1,EQ,NSEIX,NSEIX"),
        dump(*rows("SBIN"), "x", "y"),
        dump(*rows("SBIN")),
    ],
    ids=["no file", "empty", "json", "header only", "all refused", "mostly refused", "cut off"],
)
async def test_a_bad_master_never_replaces_a_good_one(masters: Masters, tmp_path: Path, content: list[bytes]) -> None:
    await masters.refresh(ZERODHA, dump(*rows("SBIN", "TCS", "INFY")))
    good = masters.current("zerodha")
    before = files(tmp_path)
    with pytest.raises(MasterRejected, match="Zerodha master"):
        await masters.refresh(ZERODHA, content)
    assert masters.current("zerodha") is good
    assert files(tmp_path) == before


async def test_a_simulated_market_may_shrink(masters: Masters) -> None:
    header = b"token,symbol,exchange,name,instrument_type,expiry,strike,lot_size,tick_size\n"
    lines = [f"{number},S{number},NSE,,EQ,,,1,0.05\n".encode() for number in range(9)]
    await masters.refresh(PAPER, [header + b"".join(lines)])
    assert (await masters.refresh(PAPER, [header + lines[0]])).rows == 1


async def test_a_parser_that_crashes_is_a_rejected_master(masters: Masters, tmp_path: Path) -> None:
    broken = replace(ZERODHA, instruments=Instruments(download=ZERODHA.instruments.download, parse=len))  # type: ignore[arg-type]
    with pytest.raises(MasterRejected, match="not iterable"):
        await masters.refresh(broken, dump(*rows("SBIN")))
    assert files(tmp_path) == []


async def test_brokers_do_not_share_anything(masters: Masters, tmp_path: Path) -> None:
    def named(name: str) -> BrokerSpec:
        return replace(ZERODHA, name=name)

    for name in ("dhan", "dhan_sandbox", "dhan"):
        await masters.refresh(named(name), dump(*rows("SBIN")))
    sandbox = masters.current("dhan_sandbox")
    assert sandbox is not None
    assert sandbox.version == "dhan_sandbox-2026-08-18-1"
    assert "dhan_sandbox-2026-08-18-1.db" in files(tmp_path)


async def test_two_refreshes_at_once_follow_each_other(masters: Masters) -> None:
    reports = await asyncio.gather(*(masters.refresh(ZERODHA, dump(*rows("SBIN"))) for _ in range(2)))
    assert sorted(report.version[-1] for report in reports) == ["1", "2"]


@pytest.mark.parametrize(
    "damage", [b"", b"{", b'{"version":"zerodha-2026-08-17-1"}'], ids=["empty", "torn", "dangling"]
)
def test_a_damaged_pointer_is_no_master(masters: Masters, tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "masters").mkdir()
    (tmp_path / "masters" / "zerodha.json").write_bytes(damage)
    assert masters.current("zerodha") is None


async def test_a_damaged_file_is_no_master_and_can_be_replaced(
    masters: Masters, clock: ManualClock, tmp_path: Path
) -> None:
    report = await masters.refresh(ZERODHA, dump(*rows("SBIN")))
    (tmp_path / "masters" / f"{report.version}.db").write_bytes(b"not a database" * 100)
    later = Masters(tmp_path, clock)
    assert later.current("zerodha") is None
    await later.refresh(ZERODHA, dump(*rows("SBIN")))
    assert later.current("zerodha") is not None


def test_a_master_of_another_format_is_none(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "old.db")
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(sqlite3.DatabaseError, match="format"):
        Master(tmp_path / "old.db", "old")


async def test_a_child_that_takes_too_long_is_ended(
    masters: Masters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sangam.instruments.masters.DEADLINE", 0.0)
    with pytest.raises(MasterRejected, match="took more than"):
        await masters.refresh(ZERODHA, dump(*rows("SBIN")))
    assert files(tmp_path) == []


async def test_a_cancelled_refresh_leaves_nothing_behind(masters: Masters, tmp_path: Path) -> None:
    many = dump(*rows(*(f"S{number}" for number in range(20_000))))
    task = asyncio.create_task(masters.refresh(ZERODHA, many))
    folder = tmp_path / "masters"
    await wait_for(lambda: any(folder.glob(".zerodha-*/part0")), what="the child's files")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await wait_for(lambda: files(tmp_path) == [], what="the scratch folder to go")
    assert masters.current("zerodha") is None


async def test_sources_of_one_broker_have_masters_of_their_own(masters: Masters, tmp_path: Path) -> None:
    for source in ("me-zerodha", "me-zerodha-2"):
        for _ in range(3):
            await masters.refresh(ZERODHA, dump(*rows("SBIN")), source)
    assert [name for name in files(tmp_path) if name.endswith(".db")] == [
        "me-zerodha-2-2026-08-18-2.db",
        "me-zerodha-2-2026-08-18-3.db",
        "me-zerodha-2026-08-18-2.db",
        "me-zerodha-2026-08-18-3.db",
    ]
    assert masters.current("zerodha") is None
