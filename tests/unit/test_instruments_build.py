"""What the child writes: every row stored or counted, and no file that is not worth standing."""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest
from tests.instrument_rows import parse_of, share

from sangam.brokers.contract import RowRefused
from sangam.instruments.build import build
from sangam.instruments.schema import from_row, to_row
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import DecodeError, MasterRejected
from sangam.model.instrument import Instrument


def test_rows_keep_the_columns_of_symtoken(tmp_path: Path) -> None:
    option = Instrument(
        symbol="NIFTY28MAR2420800.5CE",
        exchange=Exchange.NFO,
        brsymbol="NIFTY24MAR20800CE",
        brexchange="NFO",
        token="1::::2",
        name="NIFTY",
        instrument_type=InstrumentType.CE,
        expiry=date(2024, 3, 28),
        strike=20800.5,
        lot_size=50,
        tick_size=0.05,
    )
    target = tmp_path / "m.db"
    assert build(parse_of(option, share("SBIN", "3")), [], target).rows == 2
    db = sqlite3.connect(target)
    db.row_factory = sqlite3.Row
    row = dict(db.execute("SELECT * FROM symtoken WHERE id = 1").fetchone())
    db.close()
    assert row == {
        "id": 1,
        "symbol": "NIFTY28MAR2420800.5CE",
        "brsymbol": "NIFTY24MAR20800CE",
        "name": "NIFTY",
        "exchange": "NFO",
        "brexchange": "NFO",
        "token": "1::::2",
        "expiry": "28-MAR-24",
        "strike": 20800.5,
        "lotsize": 50,
        "instrumenttype": "CE",
        "tick_size": 0.05,
    }
    assert from_row(to_row(option)) == option


def test_duplicates_are_refused_row_by_row_and_counted(tmp_path: Path) -> None:
    good = [share(f"S{number}", str(number)) for number in range(10)]
    built = build(
        parse_of(
            *good,
            share("S1", "91", brsymbol="OTHER"),
            share("S2", "92", brsymbol="ANOTHER"),
            share("NEW", "93", brsymbol="S3"),
            share("NEWER", "4"),
            share("", "94", brsymbol="X"),
            share("Y", ""),
            RowRefused("segment NSEIX is not known", "the,row"),
            share("S1", "1", Exchange.BSE),
        ),
        [],
        tmp_path / "m.db",
    )
    assert built.rows == 11
    assert built.refused == {
        "duplicate symbol": 2,
        "duplicate broker symbol": 1,
        "duplicate token": 1,
        "no symbol or token": 2,
        "segment NSEIX is not known": 1,
    }
    assert built.examples["segment NSEIX is not known"] == "the,row"
    assert built.examples["duplicate symbol"].startswith("S1,OTHER,")


@pytest.mark.parametrize(
    "items",
    [[], [RowRefused("bad")], [share("A", "1"), RowRefused("bad")], [share("A", "1")] + [RowRefused("bad")] * 5],
)
def test_empty_and_mostly_refused_files_are_rejected(items: list[Instrument | RowRefused], tmp_path: Path) -> None:
    with pytest.raises(MasterRejected):
        build(parse_of(*items), [], tmp_path / "m.db")


def test_another_file_is_rejected_whole(tmp_path: Path) -> None:
    def parse(files: Sequence[bytes]) -> Iterator[Instrument]:
        yield share("A", "1")
        raise DecodeError("not the master")

    with pytest.raises(DecodeError):
        build(parse, [], tmp_path / "m.db")
