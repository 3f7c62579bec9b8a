"""Rows of brokers: all or nothing quantities, India's wall clock."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.rows import Number, Units, bar_start, known, levels, milliseconds, moment, read, shaped
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


def test_numbers_told_as_text_are_read_where_the_broker_tells_them_so() -> None:
    row = {"tradingsymbol": "SBIN", "quantity": "5"}
    assert read(row, Row, "Acme", "a holding", strict=False) == Row("SBIN", 5)
    with pytest.raises(Unknown):
        read(row, Row, "Acme", "a holding")


def test_times_in_other_forms() -> None:
    assert moment("20-Oct-2020 13:10:59", "%d-%b-%Y %H:%M:%S") == milliseconds("2020-10-20 13:10:59")
    assert [moment(text, "%d-%b-%Y") for text in (None, "", "31-Feb-2020", "20.10.2020")] == [0] * 4


def test_fields_of_the_same_name_are_taken_over() -> None:
    assert shaped(Holding, Row("SBIN", 5, "left out"), brexchange="NSE", pnl=1.5) == Holding(
        brsymbol="SBIN", brexchange="NSE", quantity=5, pnl=1.5
    )
    assert shaped(Holding, Row("SBIN", 5), brexchange="NSE", quantity=7).quantity == 7


class Counted(msgspec.Struct):
    quantity: Units | None = None


def test_a_part_of_a_share_is_damage() -> None:
    for fine in (1.0, 5, None, -3.0):
        assert read({"quantity": fine}, Counted, "Acme", "a row").quantity == fine
    assert read({"quantity": "7"}, Counted, "Acme", "a row", strict=False).quantity == 7
    for odd in (0.5, 2.0**53, "0.5", "nan", "inf"):
        with pytest.raises(Unknown):
            read({"quantity": odd}, Counted, "Acme", "a row", strict=False)


def test_empty_rows_of_a_book_are_left_out() -> None:
    rows = [DepthLevel(10.0, 5, 1), DepthLevel(0.0, 0, 0), DepthLevel(0.0, 0, 2)]
    assert levels(rows) == [rows[0], rows[2]]


def test_the_wall_clock_is_indias() -> None:
    assert milliseconds("2022-03-03T03:54:25Z") == milliseconds("2022-03-03 09:24:25")
    assert milliseconds("2022-03-03 09:24:25") == int(datetime(2022, 3, 3, 3, 54, 25, tzinfo=UTC).timestamp() * 1000)
    assert bar_start("2017-12-15T09:15:00+0530", daily=False) == datetime(2017, 12, 15, 3, 45, tzinfo=UTC).timestamp()
    assert bar_start("2017-12-15T00:00:00+0530", daily=True) == datetime(2017, 12, 15, tzinfo=UTC).timestamp()


@given(st.text() | st.none())
def test_a_time_that_cannot_be_read_is_none(text: str | None) -> None:
    assert isinstance(milliseconds(text), int)


def test_words_for_what_is_no_number_are_not_read_as_floats() -> None:
    for text in ("nan", "inf", "-Infinity"):
        with pytest.raises(Unknown):
            read([text], list[Number], "Acme", "prices", strict=False)
    assert read(["1.5", 2], list[Number], "Acme", "prices", strict=False) == [1.5, 2.0]


def test_a_book_with_products_that_nobody_knows_is_no_book() -> None:
    known(["CNC", "MTF"], {"CNC": 1, "MTF": 1}, "Acme", "the positions")
    with pytest.raises(Unknown, match="Acme: products that are not known in the positions: NEW"):
        known(["CNC", "NEW"], {"CNC": 1}, "Acme", "the positions")
