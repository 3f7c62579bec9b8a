import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers import floats
from sangam.brokers.floats import Rounded


@given(st.integers(0, 9_999_999), st.sampled_from([2, 4]))
def test_single_precision_prices_come_back_as_they_were(units: int, decimals: int) -> None:
    told = units / 100
    (raw,) = struct.unpack("<f", struct.pack("<f", told))
    prices = Rounded(2)
    assert prices[raw] == told
    assert prices[raw] == told  # looked up
    assert Rounded(decimals)[told] == told


def test_what_is_no_number_is_refused_and_not_kept() -> None:
    prices = Rounded(2)
    with pytest.raises(ValueError, match="NaN"):
        prices[float("nan")]
    with pytest.raises(OverflowError):
        prices[float("inf")]
    assert not prices


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floats, "_KEPT", 10)
    prices = Rounded(2)
    for units in range(1000):
        assert prices[units / 8] == round(units / 8 * 100) / 100
        assert len(prices) <= 10
