import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.model.enums import Action, Exchange
from sangam.model.errors import InvalidInput
from sangam.model.order import Ticket
from sangam.orders.legs import MAX_SLICES, leg_id, patient, sliced, slices

TICKET = Ticket(symbol="SBIN", exchange=Exchange.NSE, action=Action.BUY, quantity=105, client_order_id="X")


def test_the_remainder_is_last() -> None:
    assert slices(105, 50) == [50, 50, 5]
    assert slices(100, 50) == [50, 50]
    assert slices(5, 50) == [5]


@given(total=st.integers(1, 10_000), size=st.integers(1, 10_000))
def test_slices_add_up_or_are_too_many(total: int, size: int) -> None:
    if -(-total // size) > MAX_SLICES:
        with pytest.raises(InvalidInput, match="Total number of orders would exceed maximum limit of 100"):
            slices(total, size)
        return
    parts = slices(total, size)
    assert sum(parts) == total
    assert all(0 < part <= size for part in parts)
    assert set(parts[:-1]) <= {size}


def test_slices_are_named_after_the_request() -> None:
    assert [(one.quantity, one.client_order_id) for one in sliced(TICKET, 50)] == [(50, "X/1"), (50, "X/2"), (5, "X/3")]
    assert leg_id("", 1) == ""
    assert leg_id("x" * 34, 1) == "x" * 34 + "/1"
    with pytest.raises(InvalidInput, match="at most 34 characters here"):
        leg_id("x" * 35, 1)
    with pytest.raises(InvalidInput):
        slices(5, 0)


def test_a_crowd_is_patient() -> None:
    assert patient([TICKET] * 8) == [TICKET] * 8
    waits = [one.wait_ms for one in patient(sliced(TICKET, 5))]
    assert waits == [2_000 + 250 * 21] * 21
