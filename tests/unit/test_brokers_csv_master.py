"""CSV masters: the right file, row by row, with reasons that can be counted."""

import pytest

from sangam.brokers.contract import RowRefused
from sangam.brokers.csv_master import RowError, lot_size, positive, rows, taken
from sangam.model.enums import Exchange
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


@pytest.mark.parametrize("text", ["", "symbol\nA\n", "<html>"])
def test_another_file_is_refused_whole(text: str) -> None:
    with pytest.raises(DecodeError, match="Acme's instruments file does not begin"):
        list(rows(text, COLUMNS, "Acme"))


def test_a_damaged_file_tells_the_line() -> None:
    with pytest.raises(DecodeError, match="damaged at line 2"):
        list(rows("symbol,lot\nA," + "x" * 200_000, COLUMNS, "Acme"))


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "much"])
def test_numbers_are_above_zero(text: str) -> None:
    with pytest.raises(RowError, match="tick size"):
        positive(text, "tick size")


@pytest.mark.parametrize("text", ["0.5", "1e12", "0"])
def test_lots_are_whole(text: str) -> None:
    with pytest.raises(RowError, match="lot size"):
        lot_size(text)
    assert lot_size("75.0") == 75
