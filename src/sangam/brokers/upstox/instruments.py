"""The instruments file: one gzipped JSON array for all segments, made about six every morning (Upstox docs: Instrument
files). Strikes are rupees, ticks paise, expiries the last second of their day; a lot is counted as orders are."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache, partial
from typing import Any

import msgspec

from sangam.brokers.contract import Ctx, Instruments, Operation, Request, RowRefused, Session
from sangam.brokers.indices import index_symbol
from sangam.brokers.master_files import RowError, derivative, gunzipped, lot_size, objects, positive
from sangam.model.clock import ist_from_ms
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import Instrument

from .tables import SEGMENTS, TITLE

PATH = "/market-quote/instruments/exchange/complete.json.gz"
_DERIVATIVES = {kind.value: kind for kind in (InstrumentType.FUT, InstrumentType.CE, InstrumentType.PE)}


class _Row(msgspec.Struct):
    segment: str
    instrument_key: str
    trading_symbol: str
    instrument_type: str
    name: str = ""
    underlying_symbol: str = ""
    expiry: int = 0
    strike_price: float = 0.0
    tick_size: float = 0.0
    lot_size: int = 0


class _Name(msgspec.Struct):
    """What is counted first, in whatever form it comes."""

    segment: Any = ""
    trading_symbol: Any = ""


def parse(files: Sequence[bytes]) -> Iterator[Instrument | RowRefused]:
    """Every object as an instrument or a refusal. A file that is not this array raises DecodeError."""
    for content in files:
        plain = gunzipped(content, TITLE)
        yield from objects(plain, _Row, partial(_instrument, shared=_shared(plain)), TITLE)


def _shared(content: bytes) -> frozenset[str]:
    """Names that several series of NSE's bear (ELECTCAST: the share and its warrants)."""
    try:
        rows = msgspec.json.decode(content, type=list[_Name | list[Any] | str | int | float | bool | None])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return frozenset()  # no array: the reading of its rows says so
    named = (row for row in rows if isinstance(row, _Name) and row.segment == "NSE_EQ")
    names = Counter(str(row.trading_symbol) for row in named)
    return frozenset(name for name, count in names.items() if count > 1)


def _instrument(row: _Row, shared: frozenset[str]) -> Instrument:
    exchange = SEGMENTS.get(row.segment)
    if exchange is None:
        raise RowError(f"segment {row.segment} is not known")
    segment, _, number = row.instrument_key.partition("|")
    if segment != row.segment or not number:
        raise RowError("unreadable instrument key")
    if not row.trading_symbol:
        raise RowError("no trading symbol")
    make = partial(Instrument, exchange=exchange, brexchange=segment, token=row.instrument_key, name=row.name.strip())
    if exchange.is_index:
        symbol = index_symbol(exchange, row.trading_symbol)
        return make(symbol=symbol, brsymbol=row.trading_symbol, instrument_type=InstrumentType.INDEX)
    make = partial(make, tick_size=positive(row.tick_size, "tick size") / 100, lot_size=lot_size(row.lot_size))
    right = _DERIVATIVES.get(row.instrument_type)
    if right is None:
        # The main series keeps a shared name, the others put theirs behind it.
        aside = row.trading_symbol in shared and exchange is Exchange.NSE and row.instrument_type not in ("EQ", "BE")
        symbol = f"{row.trading_symbol}-{row.instrument_type}" if aside else row.trading_symbol
        return make(symbol=symbol, brsymbol=symbol)
    if row.expiry <= 0:
        raise RowError("no expiry")
    if not (base := "".join((row.underlying_symbol or row.name).split()).upper()):
        raise RowError("no underlying name")
    day = _day(row.expiry)
    strike = 0.0 if right is InstrumentType.FUT else positive(row.strike_price, "strike")
    symbol = derivative(base, day, right, strike)
    return make(symbol=symbol, brsymbol=row.trading_symbol, instrument_type=right, expiry=day, strike=strike)


@lru_cache(maxsize=4096)
def _day(ms: int) -> date:
    """India's date of an instant."""
    try:
        return ist_from_ms(ms).date()
    except (ValueError, OverflowError, OSError):
        raise RowError("unreadable expiry") from None


def _download(session: Session, ctx: Ctx) -> Operation[list[bytes]]:
    content = yield Request(method="GET", host="assets", path=PATH, auth="none", reply="file")
    return [content]


INSTRUMENTS = Instruments(download=_download, parse=parse)
