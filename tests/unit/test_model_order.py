"""What the states of an order mean outside."""

import pytest

from sangam.model.enums import OrderStatus
from sangam.model.order import OrderState


@pytest.mark.parametrize("status", OrderStatus)
def test_what_a_broker_tells_is_what_clients_read(status: OrderStatus) -> None:
    state = OrderState.told(status.value)
    assert state.outward is status
    assert state.is_final is status.is_final


@pytest.mark.parametrize("status", ["", "unknown", "partially filled", "OPEN"])
def test_a_word_that_is_no_status_tells_nothing(status: str) -> None:
    with pytest.raises(ValueError, match="not a valid OrderStatus"):
        OrderState.told(status)
