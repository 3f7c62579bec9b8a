"""The decision table of the contract, row by row, and what holds for any row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.model.enums import Action
from sangam.orders.smart import MATCHED, NOTHING_OPEN, Step, decide


@pytest.mark.parametrize(
    ("target", "current", "quantity", "expected"),
    [
        (0, 0, 5, Step(Action.SELL, 5)),
        (0, 0, 0, NOTHING_OPEN),
        (0, 7, 5, Step(Action.SELL, 7)),
        (0, -7, 5, Step(Action.BUY, 7)),
        (4, 4, 5, MATCHED),
        (-4, -4, 0, MATCHED),
        (6, 0, 5, Step(Action.BUY, 6)),
        (-6, 0, 5, Step(Action.SELL, 6)),
        (10, 4, 5, Step(Action.BUY, 6)),
        (4, 10, 5, Step(Action.SELL, 6)),
        (5, -5, 1, Step(Action.BUY, 10)),
        (-5, 5, 1, Step(Action.SELL, 10)),
    ],
)
def test_the_table(target: int, current: int, quantity: int, expected: Step | str) -> None:
    assert decide(target, current, Action.SELL, quantity) == expected


@given(target=st.integers(-1000, 1000), current=st.integers(-1000, 1000), quantity=st.integers(0, 100))
def test_a_step_leads_to_the_target(target: int, current: int, quantity: int) -> None:
    step = decide(target, current, Action.BUY, quantity)
    if isinstance(step, str):
        assert target == current
    elif (target, current) != (0, 0):
        assert step.quantity > 0
        assert current + (step.quantity if step.action is Action.BUY else -step.quantity) == target
