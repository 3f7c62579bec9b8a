"""An order's row in the house's form."""

import msgspec
import pytest

from sangam.brokers.order_rows import reader, standing, unified
from sangam.brokers.rows import Units
from sangam.model.enums import OrderStatus
from sangam.model.errors import DecodeError
from sangam.model.order import OrderUpdate


class Row(msgspec.Struct, rename={"order_id": "no", "brsymbol": "sym", "rejection_reason": "why"}):
    order_id: int | str
    brsymbol: str
    quantity: Units
    price: float | None = None
    filled_quantity: Units | None = None
    rejection_reason: str | None = None
    validity: str | None = None
    side: str = "B"


def update(row: Row) -> OrderUpdate:
    return unified(row, OrderStatus.OPEN, brexchange="NSE", action="BUY")


def test_null_and_what_is_not_told_are_nothing_and_ids_are_text() -> None:
    assert update(Row(7, "SBIN", 5.0, rejection_reason=None, validity="IOC")) == OrderUpdate(
        order_id="7", brsymbol="SBIN", brexchange="NSE", action="BUY", quantity=5, status="open", validity="IOC"
    )
    full = update(Row("A7", "SBIN", 5.0, 1.5, 2.0, "why"))
    assert (full.order_id, full.price, full.filled_quantity, full.rejection_reason) == ("A7", 1.5, 2, "why")
    assert type(full.filled_quantity) is int


def test_what_is_said_beside_the_row_counts() -> None:
    assert unified(Row(7, "SBIN", 5.0), OrderStatus.OPEN, brsymbol="X", brexchange="NSE", action="BUY").brsymbol == "X"


@pytest.mark.parametrize(
    ("price_type", "filled", "opened", "status"),
    [
        ("LIMIT", 0, False, "open"),
        ("SL", 0, False, "trigger pending"),
        ("SL-M", None, False, "trigger pending"),
        ("SL", 5, False, "open"),
        ("SL", 0, True, "open"),
        (None, 0, False, "open"),
    ],
)
def test_a_stop_waits_until_something_says_otherwise(
    price_type: str | None, filled: int | None, opened: bool, status: str
) -> None:
    assert standing(price_type, filled, opened=opened) == status


def test_a_reader_reads_one_order_or_says_that_it_is_damaged() -> None:
    read = reader(Row, update)
    assert read(b'{"no":7,"sym":"SBIN","quantity":5}').order_id == "7"
    for damaged in (b"", b"[]", b'{"no":7,"sym":"SBIN"}', b'{"no":7,"sym":"S","quantity":0.5}', b"\xff", b"[" * 99_999):
        with pytest.raises(DecodeError, match="unreadable order news"):
            read(damaged)
    with pytest.raises(DecodeError):
        read(b'{"no":7,"sym":"SBIN","quantity":"5"}')
    assert reader(Row, update, strict=False)(b'{"no":7,"sym":"SBIN","quantity":"5"}').quantity == 5
