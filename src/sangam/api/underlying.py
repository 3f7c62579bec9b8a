"""An underlying and its options as requests name them: what is quoted for it, which expiry is meant."""

from datetime import date, datetime, time
from typing import NamedTuple

from sangam.instruments.ladder import Ladder
from sangam.instruments.master import Master
from sangam.instruments.underlyings import derivatives_exchange, quote_exchange
from sangam.model.clock import IST
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import InvalidInput, SymbolNotFound
from sangam.model.instrument import Instrument, expiry_text, parse_symbol

from .errors import ApiError, ErrorCode

EXPIRY_TIMES = {
    Exchange.MCX: time(23, 30),
    Exchange.NCO: time(23, 30),
    Exchange.CDS: time(12, 30),
    Exchange.BCD: time(12, 30),
}
"""When options stop (IST); all others at 15:30 (specs: REST contract, 7.3)."""


class Underlying(NamedTuple):
    """`base` is its name in option symbols, `exchange` lists them, `quoted` tells its price; `expiry` is the one that
    its name carries, if any."""

    base: str
    exchange: Exchange
    quoted: Instrument
    expiry: date | None


def find_underlying(master: Master, name: str, exchange: Exchange, today: date) -> Underlying:
    """``NIFTY`` of NSE_INDEX, NSE or NFO, ``NIFTY28OCT25FUT`` of NFO. Raises SymbolNotFound."""
    listed = derivatives_exchange(exchange)
    parsed = parse_symbol(name)
    if parsed is None:
        return Underlying(name, listed, find_quoted(master, name, exchange, today), None)
    if parsed.kind is InstrumentType.FUT:
        return Underlying(parsed.base, listed, master.lookup(name, listed), parsed.expiry)
    return Underlying(parsed.base, listed, find_quoted(master, parsed.base, listed, today), parsed.expiry)


def find_quoted(master: Master, base: str, exchange: Exchange, today: date) -> Instrument:
    """What tells an underlying's price: itself, or its near-month future where it is not quoted."""
    listed = derivatives_exchange(exchange)
    for place in (exchange, quote_exchange(base, listed)):
        if place is not None:
            try:
                return master.lookup(base, place)
            except SymbolNotFound:
                continue
    expiries = master.expiries(base, listed, "futures", today)
    future = master.future(base, listed, expiries[0]) if expiries else None
    if future is None:
        raise SymbolNotFound(base, exchange)
    return future


def find_expiry(master: Master, of: Underlying, text: str | None, today: date) -> date:
    """The date that a request names, that the underlying's name carries, or the nearest; ApiError 404 without any."""
    if text:
        return parse_expiry(text)
    if of.expiry is not None:
        return of.expiry
    expiries = master.expiries(of.base, of.exchange, "options", today)
    if not expiries:
        raise ApiError(404, ErrorCode.INVALID_INPUT, f"No options found for {of.base} in {of.exchange}")
    return expiries[0]


def find_ladder(master: Master, of: Underlying, expiry: date, price: float) -> Ladder:
    """The calls' strikes seen from a price; ApiError 404 where none are listed."""
    strikes = master.strikes(of.base, of.exchange, expiry, InstrumentType.CE)
    if not strikes:
        text = f"No strikes found for {of.base} expiring {expiry_text(expiry)} in {of.exchange}"
        raise ApiError(404, ErrorCode.INVALID_INPUT, text)
    return Ladder(strikes, price)


def parse_expiry(text: str) -> date:
    """``28OCT25``, also with hyphens."""
    parsed = parse_symbol(f"X{text.replace('-', '').upper()}FUT")
    if parsed is None or parsed.base != "X":
        raise InvalidInput(f"expiry_date '{text}' is not a date like 28OCT25.")
    return parsed.expiry


def expiry_ms(day: date, exchange: Exchange, at: str | None = None) -> int:
    """When an option dies, epoch milliseconds; `at` (``HH:MM`` IST) replaces the exchange's hour."""
    hour = time.fromisoformat(at) if at else EXPIRY_TIMES.get(exchange, time(15, 30))
    return int(datetime.combine(day, hour, IST).timestamp() * 1000)
