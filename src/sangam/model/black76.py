"""Black-76: European options on a forward (F. Black, "The pricing of commodity contracts", 1976).

Prices, forward and strike are in rupees, `years` of 365 days, `rate` and `sigma` annual fractions. Greeks are as
traders quote them: theta per day, vega and rho for one point of volatility or interest (1 %)."""

from math import erfc, exp, log, pi, sqrt
from typing import NamedTuple

from .enums import InstrumentType

DAYS = 365.0
LOWEST, HIGHEST = 1e-4, 10.0
"""Volatilities outside are taken for nonsense: a premium that asks for one has no implied volatility."""


class Greeks(NamedTuple):
    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float


def price(right: InstrumentType, forward: float, strike: float, years: float, rate: float, sigma: float) -> float:
    """The premium of a call (CE) or put (PE)."""
    sign = _sign(right)
    d1, d2 = _d(forward, strike, years, sigma)
    return exp(-rate * years) * sign * (forward * _cumulative(sign * d1) - strike * _cumulative(sign * d2))


def intrinsic(right: InstrumentType, forward: float, strike: float) -> float:
    """What exercising at once would bring."""
    return max(0.0, _sign(right) * (forward - strike))


def greeks(right: InstrumentType, forward: float, strike: float, years: float, rate: float, sigma: float) -> Greeks:
    sign = _sign(right)
    d1, _ = _d(forward, strike, years, sigma)
    discount, density, root = exp(-rate * years), _density(d1), sqrt(years)
    premium = price(right, forward, strike, years, rate, sigma)
    return Greeks(
        delta=sign * discount * _cumulative(sign * d1),
        gamma=discount * density / (forward * sigma * root),
        theta=(rate * premium - forward * discount * density * sigma / (2 * root)) / DAYS,
        vega=forward * discount * density * root / 100,
        rho=-years * premium / 100,
    )


def implied_volatility(
    right: InstrumentType, premium: float, forward: float, strike: float, years: float, rate: float
) -> float | None:
    """The volatility that explains a premium; None where none does (no time value, or more than any option is worth).

    Newton's steps, kept inside a bracket that halves whenever a step would leave it: the price rises with volatility,
    but far from the money its slope vanishes."""
    low, high = LOWEST, HIGHEST
    if not (
        price(right, forward, strike, years, rate, low) < premium < price(right, forward, strike, years, rate, high)
    ):
        return None
    scale = forward * exp(-rate * years) * sqrt(years)
    sigma = min(max(sqrt(2 * pi) * premium / scale, 0.05), 2.0)
    for _ in range(100):
        error = price(right, forward, strike, years, rate, sigma) - premium
        if error > 0:
            high = sigma
        else:
            low = sigma
        slope = scale * _density(_d(forward, strike, years, sigma)[0])
        step = sigma - error / slope if slope > 0 else 0.0
        better = step if low < step < high else (low + high) / 2
        if abs(better - sigma) < 1e-10:
            return better
        sigma = better
    return sigma


def _sign(right: InstrumentType) -> int:
    return 1 if right is InstrumentType.CE else -1


def _d(forward: float, strike: float, years: float, sigma: float) -> tuple[float, float]:
    spread = sigma * sqrt(years)
    d1 = log(forward / strike) / spread + spread / 2
    return d1, d1 - spread


def _density(x: float) -> float:
    return exp(-x * x / 2) / sqrt(2 * pi)


def _cumulative(x: float) -> float:
    return erfc(-x / sqrt(2)) / 2
