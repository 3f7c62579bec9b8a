"""MARKET and SL-M as protected limits: the grid, and that the price never crosses it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.model.enums import Action, Exchange, InstrumentType, PriceType
from sangam.model.errors import Denied
from sangam.model.instrument import Instrument
from sangam.orders.protection import protect

D = Decimal


def instrument(kind: InstrumentType = InstrumentType.EQ, tick: float = 0.05) -> Instrument:
    return Instrument(
        symbol="X",
        exchange=Exchange.NSE,
        brsymbol="X",
        brexchange="NSE",
        token="1",
        instrument_type=kind,
        tick_size=tick,
    )


@pytest.mark.parametrize(
    ("kind", "last", "bought", "sold"),
    [
        (InstrumentType.EQ, "50", "51", "49"),
        (InstrumentType.EQ, "99.95", "101.90", "98.00"),
        (InstrumentType.EQ, "100", "101", "99"),
        (InstrumentType.FUT, "500", "505", "495"),
        (InstrumentType.FUT, "500.05", "502.55", "497.55"),
        (InstrumentType.CE, "0.30", "0.40", "0.20"),
        (InstrumentType.CE, "0.05", "0.15", "0.05"),
        (InstrumentType.PE, "1", "1.10", "0.90"),
        (InstrumentType.PE, "5", "5.25", "4.75"),
        (InstrumentType.CE, "10", "10.30", "9.70"),
        (InstrumentType.CE, "100", "102", "98"),
        (InstrumentType.CE, "500", "510", "490"),
        (InstrumentType.CE, "600", "606", "594"),
    ],
)
def test_the_grid(kind: InstrumentType, last: str, bought: str, sold: str) -> None:
    for action, price in ((Action.BUY, bought), (Action.SELL, sold)):
        told = protect(PriceType.MARKET, action, D(0), instrument(kind), D(last))
        assert told is not None
        assert (told.price_type, told.price) == (PriceType.LIMIT, D(price))


def test_what_needs_no_conversion_is_left_alone() -> None:
    for price_type in (PriceType.LIMIT, PriceType.SL):
        assert protect(price_type, Action.BUY, D(1), instrument(), D(1)) is None


def test_a_stop_is_protected_from_its_trigger_and_needs_no_price() -> None:
    told = protect(PriceType.SL_M, Action.SELL, D("200"), instrument(), None)
    assert told is not None
    assert told.price_type is PriceType.SL
    assert told.price == D(198)
    assert told.conversion == "SL-M sent as SL 198.00: trigger 200, 1 % protection"


@pytest.mark.parametrize("last", [None, D(0), D(-1)])
def test_without_a_price_nothing_is_converted(last: Decimal | None) -> None:
    with pytest.raises(Denied, match="No live price of X"):
        protect(PriceType.MARKET, Action.BUY, D(0), instrument(), last)


def test_the_conversion_says_what_is_sent() -> None:
    told = protect(PriceType.MARKET, Action.BUY, D(0), instrument(), D("812.30"))
    assert told is not None
    assert told.conversion == "MARKET sent as LIMIT 816.35: last price 812.30, 0.5 % protection"


TICKS = st.sampled_from([0.0025, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0])


@given(
    steps=st.integers(1, 2_000_000),
    tick=TICKS,
    action=st.sampled_from(Action),
    kind=st.sampled_from([InstrumentType.EQ, InstrumentType.FUT, InstrumentType.CE]),
    stop=st.booleans(),
)
def test_on_the_tick_and_never_across_the_protection(
    steps: int, tick: float, action: Action, kind: InstrumentType, stop: bool
) -> None:
    start = steps * D(str(tick))
    price_type = PriceType.SL_M if stop else PriceType.MARKET
    told = protect(price_type, action, start, instrument(kind, tick), start)
    assert told is not None
    assert told.price > 0
    assert told.price % D(str(tick)) == 0
    widest = max(start / 10, D("0.10"))
    if action is Action.BUY:
        assert start <= told.price <= start + widest
    else:
        assert start >= told.price >= min(start, max(start - widest, D(0)))
