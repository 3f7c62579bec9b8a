"""Rows of brokers: all or nothing, whole quantities, India's wall clock."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.rows import bar_start, levels, milliseconds, read, shaped, whole
from sangam.model.books import Holding
from sangam.model.errors import Unknown
from sangam.model.market import DepthLevel


class Row(msgspec.Struct, rename={"brsymbol": "tradingsymbol"}):
    brsymbol: str
    quantity: int
    note: str = ""


def test_one_damaged_row_spoils_the_book() -> None:
    good = {"tradingsymbol": "SBIN", "quantity": 5}
    assert read([good], list[Row], "Acme", "the holdings") == [Row("SBIN", 5)]
    with pytest.raises(Unknown, match=r"Acme: the holdings came in an unknown form: .* `quantity`"):
        read([good, {"tradingsymbol": "INFY"}], list[Row], "Acme", "the holdings")


def test_fields_of_the_same_name_are_taken_over() -> None:
    assert shaped(Holding, Row("SBIN", 5, "left out"), brexchange="NSE", pnl=1.5) == Holding(
        brsymbol="SBIN", brexchange="NSE", quantity=5, pnl=1.5
    )
    assert shaped(Holding, Row("SBIN", 5), brexchange="NSE", quantity=7).quantity == 7


def test_a_part_of_a_share_is_damage() -> None:
    whole(1.0, None, -3.0)
    for odd in (0.5, float("nan"), float("inf"), 2.0**53):
        with pytest.raises(ValueError, match="not whole"):
            whole(1.0, odd)


def test_empty_rows_of_a_book_are_left_out() -> None:
    rows = [DepthLevel(10.0, 5, 1), DepthLevel(0.0, 0, 0), DepthLevel(0.0, 0, 2)]
    assert levels(rows) == [rows[0], rows[2]]


def test_the_wall_clock_is_indias() -> None:
    assert milliseconds("2022-03-03 09:24:25") == int(datetime(2022, 3, 3, 3, 54, 25, tzinfo=UTC).timestamp() * 1000)
    assert bar_start("2017-12-15T09:15:00+0530", daily=False) == datetime(2017, 12, 15, 3, 45, tzinfo=UTC).timestamp()
    assert bar_start("2017-12-15T00:00:00+0530", daily=True) == datetime(2017, 12, 15, tzinfo=UTC).timestamp()


@given(st.text() | st.none())
def test_a_time_that_cannot_be_read_is_none(text: str | None) -> None:
    assert isinstance(milliseconds(text), int)
