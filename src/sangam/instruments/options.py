"""An underlying and its options as requests name them: what is quoted for it, which expiry and which strike are meant
(specs: contract-rest.md, 7)."""

from datetime import date, datetime, time
from typing import NamedTuple

from sangam.model.clock import IST
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import InvalidInput, NotListed, SymbolNotFound
from sangam.model.instrument import Instrument, expiry_text, option_symbol, parse_symbol

from .ladder import Ladder
from .master import Master
from .underlyings import derivatives_exchange, quote_exchange

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
    """The date that a request names, that the name carries, or the nearest. Raises NotListed without any."""
    if text:
        return parse_expiry(text)
    if of.expiry is not None:
        return of.expiry
    expiries = master.expiries(of.base, of.exchange, "options", today)
    if not expiries:
        raise NotListed(f"No options found for {of.base} in {of.exchange}")
    return expiries[0]


def find_ladder(master: Master, of: Underlying, expiry: date, price: float, step: int | None = None) -> Ladder:
    """The calls' strikes seen from a price; with `step` strikes at that distance, whether they are listed or not.
    Raises NotListed where none are."""
    if step:
        middle = round(price / step)
        return Ladder((number * step for number in range(max(1, middle - 50), middle + 51)), price)
    strikes = master.strikes(of.base, of.exchange, expiry, InstrumentType.CE)
    if not strikes:
        raise NotListed(f"No strikes found for {of.base} expiring {expiry_text(expiry)} in {of.exchange}")
    return Ladder(strikes, price)


def find_option(
    master: Master, of: Underlying, expiry: date, ladder: Ladder, offset: str, right: InstrumentType
) -> Instrument:
    """The option at a place of the ladder (``ATM``, ``OTM2``). Raises InvalidInput, NotListed."""
    strike = ladder.strike(offset, right)
    option = master.option(of.base, of.exchange, expiry, strike, right)
    if option is None:
        raise NotListed(f"Symbol {option_symbol(of.base, expiry, strike, right)} not found in exchange {of.exchange}")
    return option


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
