"""Master files: the right file, row by row, with reasons that can be counted."""

import gzip
import io
import zipfile
from datetime import date

import msgspec
import pytest

from sangam.brokers import master_files
from sangam.brokers.contract import RowRefused
from sangam.brokers.master_files import (
    RowError,
    archived,
    derivative,
    gunzipped,
    lot_size,
    named,
    objects,
    plain_name,
    positive,
    rows,
    taken,
    told_apart,
)
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument

COLUMNS = ("symbol", "lot")


def make(row: list[str]) -> Instrument:
    return Instrument(
        symbol=row[0], exchange=Exchange.NFO, brsymbol=row[0], brexchange="N", token="1", lot_size=lot_size(row[1])
    )


def test_each_row_is_taken_or_refused_with_a_reason() -> None:
    found = list(taken(rows("symbol,lot\nA,75\n\nB\nC,x\n", COLUMNS, "Acme"), COLUMNS, make))
    assert found == [
        make(["A", "75"]),
        RowRefused("wrong number of columns", "B"),
        RowRefused("unreadable lot size", "C,x"),
    ]


def test_a_file_without_a_header_is_known_by_the_number_of_its_columns() -> None:
    assert list(rows("A,75\n\nB\n", COLUMNS, "Acme", header=False)) == [["A", "75"], ["B"]]
    with pytest.raises(DecodeError, match="Acme's instruments file does not begin"):
        list(rows("<html>", COLUMNS, "Acme", header=False))


@pytest.mark.parametrize("text", ["", "symbol\nA\n", "<html>"])
def test_another_file_is_refused_whole(text: str) -> None:
    with pytest.raises(DecodeError, match="Acme's instruments file does not begin"):
        list(rows(text, COLUMNS, "Acme"))


def test_a_damaged_file_tells_the_line() -> None:
    with pytest.raises(DecodeError, match="damaged at line 2"):
        list(rows("symbol,lot\nA," + "x" * 200_000, COLUMNS, "Acme"))


class Row(msgspec.Struct):
    symbol: str
    lot: str


def test_each_object_is_taken_or_refused_with_a_reason() -> None:
    content = b'[{"symbol":"A","lot":"75"},{"symbol":"B"},7,{"symbol":"C","lot":"x"}]'
    assert list(objects(content, Row, lambda row: make([row.symbol, row.lot]), "Acme")) == [
        make(["A", "75"]),
        RowRefused("unreadable row", '{"symbol":"B"}'),
        RowRefused("unreadable row", "7"),
        RowRefused("unreadable lot size", '{"symbol":"C","lot":"x"}'),
    ]


@pytest.mark.parametrize("content", [b"", b"{}", b"[1", b"<html>", b"\xff", b"[" * 100_000])
def test_a_file_that_is_no_array_is_refused_whole(content: bytes) -> None:
    with pytest.raises(DecodeError, match="Acme's instruments file is damaged"):
        list(objects(content, Row, lambda row: make([row.symbol, row.lot]), "Acme"))


def test_derivatives_bear_unified_names() -> None:
    day = date(2026, 8, 25)
    assert derivative("NIFTY", day, InstrumentType.FUT, 0.0) == "NIFTY25AUG26FUT"
    assert derivative("NIFTY", day, InstrumentType.CE, 24500.0) == "NIFTY25AUG2624500CE"


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "much"])
def test_numbers_are_above_zero(text: str) -> None:
    with pytest.raises(RowError, match="tick size"):
        positive(text, "tick size")


@pytest.mark.parametrize("text", ["0.5", "1e12", "0"])
def test_lots_are_whole(text: str) -> None:
    with pytest.raises(RowError, match="lot size"):
        lot_size(text)
    assert lot_size("75.0") == 75


@pytest.mark.parametrize(
    ("symbol", "plain"),
    [("SBIN-EQ", "SBIN"), ("IDEA-BE", "IDEA"), ("BAJAJ-AUTO", "BAJAJ-AUTO"), ("SGBJUL29IV-GB", "SGBJUL29IV-GB")],
)
def test_a_share_goes_by_its_name_without_the_series(symbol: str, plain: str) -> None:
    assert plain_name(symbol) == plain


def test_a_packed_file_is_unpacked_and_a_torn_one_refused() -> None:
    packed = gzip.compress(b"[]" * 100)
    assert gunzipped(packed, "Acme") == b"[]" * 100 == gunzipped(b"[]" * 100, "Acme")
    for torn in (packed[:-3], packed[:20], packed[:12] + b"\xff" * 9 + packed[21:]):
        with pytest.raises(DecodeError, match="Acme's instruments file is damaged"):
            gunzipped(torn, "Acme")


def test_an_archive_is_unpacked_and_a_torn_one_refused() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "x" * 100)
        archive.writestr("b.csv", "")
    packed = content.getvalue()
    assert archived(packed, "Acme") == {"a.csv": b"x" * 100, "b.csv": b""}
    for torn in (b"", b"x" * 100, packed[:-3], packed[5:], packed[:12] + b"\xff" * 30 + packed[42:]):
        with pytest.raises(DecodeError, match="Acme's instruments file is damaged"):
            archived(torn, "Acme")


def test_an_archive_that_grows_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "x" * 1001)
    monkeypatch.setattr(master_files, "MAX_UNPACKED", 1000)
    with pytest.raises(DecodeError, match="unpacks to 1001 bytes"):
        archived(content.getvalue(), "Acme")


def test_columns_are_found_by_their_names() -> None:
    """Among others, in any order; a row may end with a comma that the header has not."""
    text = "x,lot,symbol\n,75,A\n\n,50,B,\n,much,C\n,75\n,75,D,E\n"
    found = list(named(text, COLUMNS, make, "Acme"))
    assert [(row.symbol, row.lot_size) for row in found if isinstance(row, Instrument)] == [("A", 75), ("B", 50)]
    told = [(row.reason, row.row) for row in found if isinstance(row, RowRefused)]
    assert [row for _, row in told] == [",much,C", ",75", ",75,D,E"]
    assert [reason for reason, _ in told][1:] == ["wrong number of columns"] * 2
    with pytest.raises(DecodeError, match="Acme's instruments file has no column lot"):
        list(named("symbol,x\nA,1\n", COLUMNS, make, "Acme"))
    with pytest.raises(DecodeError, match="Acme's instruments file has no column symbol"):
        list(named("", COLUMNS, make, "Acme"))


def test_optional_columns_are_empty_where_a_file_has_them_not_or_a_row_ends_before() -> None:
    told: list[list[str]] = []

    def heard(row: list[str]) -> Instrument:
        told.append(row)
        return make(row)

    text = "SYMBOL,Lot,strike,\nA,75\nB,50,7\nC,50,7,\nD\nE,1,2,3\n"
    found = list(named(text, COLUMNS, heard, "Acme", optional=("strike", "tick"), spelled=str.lower))
    assert told == [["A", "75", "", ""], ["B", "50", "7", ""], ["C", "50", "7", ""]]
    assert [row.row for row in found if isinstance(row, RowRefused)] == ["D", "E,1,2,3"]


def test_shares_that_share_a_symbol_keep_their_series_except_the_main_one() -> None:
    listed = [
        Instrument(symbol="SBIN", exchange=Exchange.NSE, brsymbol=name, brexchange="NSE", token=name)
        for name in ("SBIN-EQ", "SBIN-BE")
    ]
    alone = msgspec.structs.replace(listed[1], symbol="IDEA", brsymbol="IDEA-BE")
    refused = RowRefused("no", "x")
    found = list(told_apart([*listed, alone, refused]))
    assert [row.symbol for row in found if isinstance(row, Instrument)] == ["SBIN", "SBIN-BE", "IDEA"]
    assert found[-1] is refused
