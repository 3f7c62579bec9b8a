"""Strikes seen from a price."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.instruments.ladder import Ladder
from sangam.model.enums import InstrumentType
from sangam.model.errors import InvalidInput

CE, PE = InstrumentType.CE, InstrumentType.PE
STRIKES = [100.0, 105.0, 110.0, 120.0, 130.0]


def test_offsets_count_real_strikes() -> None:
    ladder = Ladder(reversed(STRIKES), 111.0)
    assert ladder.atm == 110.0
    assert ladder.strike("atm", CE) == ladder.strike("ATM", PE) == 110.0
    assert (ladder.strike("OTM2", CE), ladder.strike(" itm2 ", CE)) == (130.0, 100.0)
    assert (ladder.strike("OTM2", PE), ladder.strike("ITM2", PE)) == (100.0, 130.0)


@pytest.mark.parametrize(
    ("offset", "right", "text"),
    [
        ("OTM3", CE, "there are 2 on that side"),
        ("ITM3", PE, "there are 2 on that side"),
        ("ITM9", CE, "there are 2 on that side"),
        ("OTM0", CE, "is not ATM"),
        ("ATM1", CE, "is not ATM"),
        ("", CE, "is not ATM"),
        ("OTM٣", CE, "is not ATM"),
    ],
)
def test_bad_offsets_say_what_is_possible(offset: str, right: InstrumentType, text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        Ladder(STRIKES, 110.0).strike(offset, right)


def test_between_two_strikes_the_lower_is_the_money() -> None:
    assert Ladder(STRIKES, 102.5).atm == 100.0
    assert Ladder(STRIKES, 0.0).atm == 100.0
    assert Ladder(STRIKES, 1e9).atm == 130.0


strikes = st.lists(st.integers(1, 500).map(lambda number: number * 0.5), min_size=1, max_size=40, unique=True)


@given(strikes, st.floats(0, 300), st.sampled_from([CE, PE]))
def test_labels_lead_back_to_their_strikes(listed: list[float], price: float, right: InstrumentType) -> None:
    ladder = Ladder(listed, price)
    assert ladder.around() == sorted(listed)
    for strike in listed:
        label = ladder.label(strike, right)
        assert ladder.strike(label, right) == strike
        in_the_money = strike < ladder.atm if right is CE else strike > ladder.atm
        assert label.startswith("ITM") is in_the_money
        assert abs(strike - price) >= abs(ladder.atm - price)


@given(strikes, st.floats(0, 300), st.integers(1, 100))
def test_around_has_so_many_on_each_side(listed: list[float], price: float, count: int) -> None:
    ladder = Ladder(listed, price)
    shown, below = ladder.around(count), sum(strike < ladder.atm for strike in listed)
    assert len([strike for strike in shown if strike < ladder.atm]) == min(count, below)
    assert len([strike for strike in shown if strike > ladder.atm]) == min(count, len(listed) - below - 1)
    assert ladder.atm in shown
