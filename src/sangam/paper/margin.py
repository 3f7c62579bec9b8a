"""What is blocked for an order: price over leverage, for the part that enlarges a position (specs: symbols.md, 5.3)."""

from decimal import Decimal

from sangam.model.enums import Action, Exchange, InstrumentType, Product
from sangam.model.instrument import Instrument

from .config import Config

PLACES = Decimal("0.0001")
"""Money that is blocked has four decimals, so that what is blocked and what is released are the same sums."""

_CASH = (Exchange.NSE, Exchange.BSE)


def leverage(instrument: Instrument, product: Product, action: Action, config: Config) -> Decimal:
    match instrument.instrument_type:
        case InstrumentType.FUT:
            return config.futures_leverage
        case InstrumentType.CE | InstrumentType.PE:
            return config.option_buy_leverage if action is Action.BUY else config.option_sell_leverage
        case _ if instrument.exchange not in _CASH:
            return Decimal(1)
        case _ if product is Product.MIS:
            return config.equity_mis_leverage
        case _ if product is Product.CNC:
            return config.equity_cnc_leverage
        case _:
            return Decimal(1)


def unit(
    instrument: Instrument, product: Product, action: Action, price: Decimal, multiplier: Decimal, config: Config
) -> Decimal:
    """Rupees for each unit that is opened at a price. Delivery that is sold blocks nothing."""
    if product is Product.CNC and action is Action.SELL:
        return Decimal(0)
    return price * multiplier / leverage(instrument, product, action, config)


def amount(units: int, unit: Decimal) -> Decimal:
    return (units * unit).quantize(PLACES)


def share(whole: Decimal, part: int, of: int) -> Decimal:
    """The part of a sum that belongs to some of its units; all of them bring all of it."""
    return whole if part == of else (whole * part / of).quantize(PLACES)
