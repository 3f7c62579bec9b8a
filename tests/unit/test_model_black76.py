"""Premiums, greeks and implied volatilities against known values, parity and differences."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.model.black76 import Greeks, greeks, implied_volatility, intrinsic, price
from sangam.model.enums import InstrumentType

CE, PE = InstrumentType.CE, InstrumentType.PE
RIGHTS = st.sampled_from([CE, PE])
TERMS = {
    "forward": st.floats(50, 100_000),
    "moneyness": st.floats(0.7, 1.4),
    "years": st.floats(0.01, 2),
    "rate": st.floats(0, 0.15),
    "sigma": st.floats(0.05, 2),
}


def test_known_premiums() -> None:
    """Haug, Option Pricing Formulas (2nd edition), 1.1.4: futures 19, strike 19, 0.75 years, 10 %, 28 %: 1.7011."""
    assert price(CE, 19, 19, 0.75, 0.10, 0.28) == pytest.approx(1.7011, abs=5e-5)
    assert price(PE, 19, 19, 0.75, 0.10, 0.28) == pytest.approx(1.7011, abs=5e-5)
    # At the money without interest: F * (2 N(sigma sqrt(T) / 2) - 1).
    assert price(CE, 24_000, 24_000, 0.25, 0, 0.2) == pytest.approx(24_000 * math.erf(0.05 / math.sqrt(2)))


@given(**TERMS)
def test_put_call_parity(forward: float, moneyness: float, years: float, rate: float, sigma: float) -> None:
    strike = forward * moneyness
    difference = price(CE, forward, strike, years, rate, sigma) - price(PE, forward, strike, years, rate, sigma)
    assert difference == pytest.approx(math.exp(-rate * years) * (forward - strike), abs=forward * 1e-9)


@given(right=RIGHTS, **TERMS)
def test_the_implied_volatility_explains_the_premium(
    right: InstrumentType, forward: float, moneyness: float, years: float, rate: float, sigma: float
) -> None:
    strike = forward * moneyness
    premium = price(right, forward, strike, years, rate, sigma)
    implied = implied_volatility(right, premium, forward, strike, years, rate)
    if implied is None:  # the time value is lost in the digits of a double
        assert premium - math.exp(-rate * years) * intrinsic(right, forward, strike) < forward * 1e-12
    else:
        assert price(right, forward, strike, years, rate, implied) == pytest.approx(premium, abs=forward * 1e-9)
        if greeks(right, forward, strike, years, rate, sigma).vega > forward * 1e-6:
            assert implied == pytest.approx(sigma, rel=1e-5)


@pytest.mark.parametrize(
    ("right", "premium"),
    [(CE, 0.0), (CE, 99.0), (CE, 1099.9), (CE, 1100.0), (PE, 0.0), (PE, 1000.0), (PE, 1e9), (CE, -1.0)],
)
def test_premiums_that_no_volatility_explains(right: InstrumentType, premium: float) -> None:
    assert implied_volatility(right, premium, 1100, 1000, 0.1, 0.0) is None


@given(right=RIGHTS, **TERMS)
def test_greeks_are_the_slopes_of_the_premium(
    right: InstrumentType, forward: float, moneyness: float, years: float, rate: float, sigma: float
) -> None:
    strike = forward * moneyness

    def premium(f: float = 0, t: float = 0, r: float = 0, s: float = 0) -> float:
        return price(right, forward + f, strike, years + t, rate + r, sigma + s)

    told, h = greeks(right, forward, strike, years, rate, sigma), forward * 1e-4
    slopes = Greeks(
        delta=(premium(f=h) - premium(f=-h)) / (2 * h),
        gamma=(premium(f=h) - 2 * premium() + premium(f=-h)) / (h * h),
        theta=-(premium(t=1e-6) - premium(t=-1e-6)) / 2e-6 / 365,
        vega=(premium(s=1e-5) - premium(s=-1e-5)) / 2e-5 / 100,
        rho=(premium(r=1e-5) - premium(r=-1e-5)) / 2e-5 / 100,
    )
    assert told.delta == pytest.approx(slopes.delta, abs=2e-4)
    assert told.gamma * forward == pytest.approx(slopes.gamma * forward, rel=0.02, abs=2e-3)
    assert told.theta == pytest.approx(slopes.theta, rel=1e-3, abs=forward * 1e-6)
    assert told.vega == pytest.approx(slopes.vega, rel=1e-3, abs=forward * 1e-8)
    assert told.rho == pytest.approx(slopes.rho, rel=1e-3, abs=forward * 1e-8)
    assert told.delta >= 0 if right is CE else told.delta <= 0
