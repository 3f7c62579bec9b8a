"""What a trade costs besides its price: brokerage (none on paper), STT or CTT, the exchange's transaction charge,
SEBI's turnover fee, stamp duty, GST.

Rates as of April 2026, as brokers publish them (proficientequities.com, "brokerage charges"; currency and commodity:
support.hdfcsky.com, "statutory charges"): STT of futures and options is that of the Finance Act 2026, stamp duty that
of the Indian Stamp Act since July 2020, SEBI's fee 10 rupees a crore. Options pay on the premium."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from sangam.model.enums import Action, Exchange, InstrumentType, Product
from sangam.model.instrument import Instrument

PAISA = Decimal("0.01")
SEBI = Decimal("0.000001")
GST = Decimal("0.18")


class Rates(NamedTuple):
    """In percent of the turnover; the tax of buying and of selling, the exchange's charge, stamp duty of buying."""

    tax_buy: str
    tax_sell: str
    exchange: str
    stamp: str


class Charges(NamedTuple):
    brokerage: Decimal
    tax: Decimal
    exchange: Decimal
    sebi: Decimal
    stamp: Decimal
    gst: Decimal

    @property
    def total(self) -> Decimal:
        return sum(self, Decimal(0))


DELIVERY, INTRADAY, FUTURE, OPTION = "delivery", "intraday", "future", "option"

TABLE: Mapping[tuple[Exchange, str], Rates] = {
    (Exchange.NSE, DELIVERY): Rates("0.1", "0.1", "0.00307", "0.015"),
    (Exchange.NSE, INTRADAY): Rates("0", "0.025", "0.00307", "0.003"),
    (Exchange.BSE, DELIVERY): Rates("0.1", "0.1", "0.00375", "0.015"),
    (Exchange.BSE, INTRADAY): Rates("0", "0.025", "0.00375", "0.003"),
    (Exchange.NFO, FUTURE): Rates("0", "0.05", "0.00183", "0.002"),
    (Exchange.NFO, OPTION): Rates("0", "0.15", "0.03553", "0.003"),
    (Exchange.BFO, FUTURE): Rates("0", "0.05", "0", "0.002"),
    (Exchange.BFO, OPTION): Rates("0", "0.15", "0.0325", "0.003"),
    (Exchange.CDS, FUTURE): Rates("0", "0", "0.00035", "0.0001"),
    (Exchange.CDS, OPTION): Rates("0", "0", "0.0311", "0.0001"),
    (Exchange.BCD, FUTURE): Rates("0", "0", "0.00045", "0.0001"),
    (Exchange.BCD, OPTION): Rates("0", "0", "0.001", "0.0001"),
    (Exchange.MCX, FUTURE): Rates("0", "0.01", "0.0021", "0.002"),
    (Exchange.MCX, OPTION): Rates("0", "0.05", "0.0418", "0.003"),
    (Exchange.NCO, FUTURE): Rates("0", "0.01", "0.0021", "0.002"),
    (Exchange.NCO, OPTION): Rates("0", "0.05", "0.0418", "0.003"),
    (Exchange.NCDEX, FUTURE): Rates("0", "0", "0.0058", "0.002"),
    (Exchange.NCDEX, OPTION): Rates("0", "0.05", "0.03", "0.003"),
}


def kind(instrument: Instrument, product: Product) -> str:
    """Which column of the table a trade belongs to."""
    match instrument.instrument_type:
        case InstrumentType.CE | InstrumentType.PE:
            return OPTION
        case InstrumentType.FUT:
            return FUTURE
        case _:
            return INTRADAY if product is Product.MIS else DELIVERY


def charges(instrument: Instrument, product: Product, action: Action, turnover: Decimal) -> Charges:
    """Of one fill, in rupees, each rounded to paise. An exchange without rates (CRYPTO) costs nothing."""
    rates = TABLE.get((instrument.exchange, kind(instrument, product)))
    zero = Decimal(0)
    if rates is None:
        return Charges(zero, zero, zero, zero, zero, zero)
    buys = action is Action.BUY

    def part(percent: str) -> Decimal:
        return (turnover * Decimal(percent) / 100).quantize(PAISA)

    exchange, sebi = part(rates.exchange), (turnover * SEBI).quantize(PAISA)
    return Charges(
        brokerage=zero,
        tax=part(rates.tax_buy if buys else rates.tax_sell),
        exchange=exchange,
        sebi=sebi,
        stamp=part(rates.stamp) if buys else zero,
        gst=((exchange + sebi) * GST).quantize(PAISA),
    )
