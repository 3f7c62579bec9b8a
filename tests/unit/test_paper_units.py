"""What a unit of a contract is worth, however its broker counts."""

from decimal import Decimal

import msgspec
import pytest
from tests.paper_rig import CRUDE, FUTURE, SBIN

from sangam.paper.units import multiplier


@pytest.mark.parametrize(
    ("name", "lot_size", "worth"),
    [
        ("CRUDEOIL", 1, "100"),  # counted in lots
        ("CRUDEOIL", 100, "1"),  # counted in barrels
        ("GOLDM", 100, "0.1"),  # quoted for ten grams, counted in grams
        ("CRUDE OIL", 1, "100"),
        ("UNHEARD", 1, "1"),
    ],
)
def test_a_lot_is_worth_the_same_however_it_is_counted(name: str, lot_size: int, worth: str) -> None:
    assert multiplier(msgspec.structs.replace(CRUDE, name=name, lot_size=lot_size)) == Decimal(worth)


def test_shares_and_their_derivatives_are_worth_what_they_cost() -> None:
    assert multiplier(SBIN) == multiplier(FUTURE) == 1
    assert multiplier(msgspec.structs.replace(FUTURE, name="GOLD")) == 1
