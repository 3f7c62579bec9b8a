"""Price protection: what a MARKET or SL-M order is sent as where a broker takes neither from programs.

The grid is the one brokers publish for the 2026 rules (specs: field-notes.md, E.5): how far from the last price, or
from the trigger, a market order may be filled."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from sangam.model.enums import Action, InstrumentType, PriceType
from sangam.model.errors import Denied
from sangam.model.instrument import Instrument

_HIGH = Decimal(500)
"""Up to here the second last figure of a grid holds, above it the last."""

_GRID = ((Decimal(100), Decimal(2)), (_HIGH, Decimal(1)))
_GRID_ABOVE = Decimal("0.5")
_OPTIONS = (
    (Decimal(5), Decimal(10)),
    (Decimal(10), Decimal(5)),
    (Decimal(100), Decimal(3)),
    (_HIGH, Decimal(2)),
)
_OPTIONS_ABOVE = Decimal(1)
_CHEAP, _CHEAP_RUPEES = Decimal(1), Decimal("0.10")
"""Below one rupee an option's protection is an amount."""


class Protected(NamedTuple):
    """What is sent instead, and the sentence that says so."""

    price_type: PriceType
    price: Decimal
    conversion: str


def protect(
    price_type: PriceType, action: Action, trigger_price: Decimal, instrument: Instrument, last: Decimal | None
) -> Protected | None:
    """MARKET as LIMIT around the last price, SL-M as SL around its trigger, on the tick and never beyond the
    protection; None for what needs no conversion. Raises Denied where there is no live price to start from."""
    if price_type is PriceType.MARKET:
        if last is None or last <= 0:
            raise Denied(
                f"No live price of {instrument.symbol} to turn MARKET into a protected LIMIT, as this broker asks. "
                "Subscribe to it, or send a LIMIT order."
            )
        price, margin = _bound(action, last, instrument)
        text = f"MARKET sent as LIMIT {price}: last price {last}, {margin} protection"
        return Protected(PriceType.LIMIT, price, text)
    if price_type is PriceType.SL_M:
        price, margin = _bound(action, trigger_price, instrument)
        return Protected(PriceType.SL, price, f"SL-M sent as SL {price}: trigger {trigger_price}, {margin} protection")
    return None


def _bound(action: Action, start: Decimal, instrument: Instrument) -> tuple[Decimal, str]:
    away, text = _margin(start, instrument.instrument_type in (InstrumentType.CE, InstrumentType.PE))
    tick = Decimal(str(instrument.tick_size))
    buys = action is Action.BUY
    price = start + away if buys else start - away
    if tick > 0:
        price = (price / tick).to_integral_value(ROUND_FLOOR if buys else ROUND_CEILING) * tick
        price = max(price, tick)
    return round(price, instrument.decimals), text


def _margin(start: Decimal, option: bool) -> tuple[Decimal, str]:
    if option and start < _CHEAP:
        return _CHEAP_RUPEES, f"₹{_CHEAP_RUPEES}"
    rows, above = (_OPTIONS, _OPTIONS_ABOVE) if option else (_GRID, _GRID_ABOVE)
    percent = next((percent for below, percent in rows if start < below or start == below == _HIGH), above)
    return start * percent / 100, f"{percent} %"
