"""The scrip master: one JSON array for all exchanges, made once a day (SmartAPI docs: Instruments)."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache, partial

import msgspec

from sangam.brokers.contract import Ctx, Instruments, Operation, Request, RowRefused, Session
from sangam.brokers.indices import index_symbol
from sangam.brokers.master_files import RowError, derivative, lot_size, objects, plain_name, positive, told_apart
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import Instrument

from .tables import EXCHANGES, INDEX_EXCHANGES, SCALES, TITLE


class _Row(msgspec.Struct):
    """All values are text. `expiry` is ``28JUL2026``; strike and tick are whole numbers of the segment's scale."""

    token: str
    symbol: str
    name: str
    expiry: str
    strike: str
    lotsize: str
    instrumenttype: str
    exch_seg: str
    tick_size: str


def parse(files: Sequence[bytes]) -> Iterator[Instrument | RowRefused]:
    """Every row of the master as an instrument or a refusal. A file that is no array raises DecodeError."""
    for content in files:
        yield from told_apart(objects(content, _Row, _instrument, TITLE))


def _instrument(row: _Row) -> Instrument:
    if not row.token.isdecimal():
        raise RowError("unreadable token")
    if not row.symbol:
        raise RowError("no trading symbol")
    exchange, kind = _place(row)
    make = partial(
        Instrument,
        exchange=exchange,
        brsymbol=row.symbol,
        brexchange=row.exch_seg,
        token=row.token,
        name=row.name.strip(),
        instrument_type=kind,
    )
    if kind is InstrumentType.INDEX:
        return make(symbol=index_symbol(exchange, row.symbol))
    scale = SCALES.get(row.exch_seg, 100.0)
    make = partial(make, tick_size=positive(row.tick_size, "tick size") / scale, lot_size=lot_size(row.lotsize))
    if kind is InstrumentType.EQ:
        return make(symbol=plain_name(row.symbol))
    day = _expiry(row.expiry)
    strike = 0.0 if kind is InstrumentType.FUT else positive(row.strike, "strike") / scale
    if not (base := "".join(row.name.split()).upper()):
        raise RowError("no underlying name")
    return make(symbol=derivative(base, day, kind, strike), expiry=day, strike=strike)


def _place(row: _Row) -> tuple[Exchange, InstrumentType]:
    """Our exchange, and what is traded there. The side of an option is told by the end of its symbol alone."""
    words, segment = row.instrumenttype, row.exch_seg
    exchange = (INDEX_EXCHANGES if words == "AMXIDX" else EXCHANGES).get(segment)
    if exchange is None:
        raise RowError(f"segment {segment} is not offered")
    if words == "AMXIDX":
        return exchange, InstrumentType.INDEX
    if not words and exchange in (Exchange.NSE, Exchange.BSE):
        return exchange, InstrumentType.EQ
    if words.startswith("FUT"):
        return exchange, InstrumentType.FUT
    if words.startswith("OPT") and row.symbol.endswith(("CE", "PE")):
        return exchange, InstrumentType(row.symbol[-2:])
    raise RowError(f"instrument type {words or '(none)'} of {segment} is not known")


@lru_cache(maxsize=4096)
def _expiry(text: str) -> date:
    try:
        return datetime.strptime(text, "%d%b%Y").date()
    except ValueError:
        raise RowError("unreadable expiry" if text else "no expiry") from None


def _download(session: Session, ctx: Ctx) -> Operation[list[bytes]]:
    path = "/OpenAPI_File/files/OpenAPIScripMaster.json"
    content = yield Request(method="GET", host="files", path=path, auth="none", reply="file")
    return [content]


INSTRUMENTS = Instruments(download=_download, parse=parse)
