"""The masters: one text for each segment, rows of columns between bars, without a header (documents: Instruments
Master). NSE's indices stand in a list of their own, those of BSE among its shares."""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache, partial
from typing import TypeVar

import msgspec

from sangam.brokers.contract import Ctx, Instruments, Operation, Request, RowRefused, Session
from sangam.brokers.indices import index_symbol
from sangam.brokers.master_files import RowError, derivative, lot_size, plain_name, positive, told_apart
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument

from .member import Member
from .tables import CODES, EXCHANGES, SEGMENTS

T = TypeVar("T")

FUTURES, OPTIONS = 21, 23
"""Columns of their rows."""
COMMON = 14
"""Columns that all rows begin with; how many those of shares have differs from host to host."""

_RIGHTS = {"3": InstrumentType.CE, "4": InstrumentType.PE}
_SPREAD = "4"
_INDEX_SERIES = "SPOT"

_expiry = lru_cache(maxsize=4096)(date.fromisoformat)


class _Master(msgspec.Struct):
    result: str


class _Indices(msgspec.Struct, rename={"names": "indexList"}):
    names: list[str]


class _IndexList(msgspec.Struct):
    result: _Indices


def parse(files: Sequence[bytes], title: str) -> Iterator[Instrument | RowRefused]:
    """Every row of every master, then NSE's indices, as an instrument or a refusal. Another file raises DecodeError."""
    *masters, indices = files
    for content in masters:
        yield from told_apart(_taken(line) for line in _decoded(content, _Master, title).result.splitlines() if line)
    for name in _decoded(indices, _IndexList, title).result.names:
        yield _index(name)


def _decoded(content: bytes, kind: type[T], title: str) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DecodeError(f"{title}'s instruments file is damaged: {error}") from error


def _taken(line: str) -> Instrument | RowRefused:
    try:
        return _instrument(line.split("|"))
    except RowError as error:
        return RowRefused(str(error), line)


def _instrument(row: list[str]) -> Instrument:
    if len(row) < COMMON:
        raise RowError("wrong number of columns")
    segment, token, kind, name, listed, series = row[:6]
    exchange = EXCHANGES.get(segment)
    if exchange is None:
        raise RowError(f"segment {segment} is not known")
    if not token.isdecimal():
        raise RowError("unreadable instrument id")
    if not (name := name.strip()):
        raise RowError("no name")
    make = partial(Instrument, brexchange=segment, token=token)
    if CODES[segment] in (CODES["NSECM"], CODES["BSECM"]):
        if kind != "8":
            raise RowError(f"instrument type {kind or '(none)'} of {segment} is not known")
        if series == _INDEX_SERIES:
            return make(
                symbol=index_symbol(Exchange.BSE_INDEX, name), exchange=Exchange.BSE_INDEX, brsymbol=listed,
                name=name, instrument_type=InstrumentType.INDEX,
            )  # fmt: skip
        of_name = plain_name(listed) if exchange is Exchange.NSE else name
        make = partial(make, symbol=of_name, name=row[18] if len(row) > 18 else name)
    else:
        make = partial(make, **_terms(row, exchange))
    return make(
        exchange=exchange, brsymbol=listed, tick_size=positive(row[11], "tick size"), lot_size=lot_size(row[12])
    )


def _terms(row: list[str], exchange: Exchange) -> dict[str, object]:
    """What a derivative is of. Only options have a strike and a right, so that what follows stands further behind."""
    kind = row[2]
    if kind == _SPREAD:
        raise RowError("a spread is no single contract")
    if (kind, len(row)) not in (("1", FUTURES), ("2", OPTIONS)):
        raise RowError(f"instrument type {kind or '(none)'} with {len(row)} columns is not known")
    try:
        day = _expiry(row[16][:10])
    except ValueError:
        raise RowError("unreadable expiry") from None
    of, strike = InstrumentType.FUT, 0.0
    if kind == "2":
        if row[18] not in _RIGHTS:
            raise RowError(f"option type {row[18] or '(none)'} is not known")
        of, strike = _RIGHTS[row[18]], positive(row[17], "strike")
    base = "".join(row[3].split()).upper()
    return {
        "symbol": derivative(base, day, of, strike),
        "name": base,
        "instrument_type": of,
        "expiry": day,
        "strike": strike,
    }


def _index(text: str) -> Instrument | RowRefused:
    """``NIFTY 50_26000``: the name and the number."""
    name, _, token = text.rpartition("_")
    if not (name and token.isdecimal()):
        return RowRefused("unreadable index", text)
    return Instrument(
        symbol=index_symbol(Exchange.NSE_INDEX, name),
        exchange=Exchange.NSE_INDEX,
        brsymbol=name,
        brexchange=SEGMENTS[Exchange.NSE_INDEX],
        token=token,
        name=name,
        instrument_type=InstrumentType.INDEX,
    )


def _download(member: Member, session: Session, ctx: Ctx) -> Operation[list[bytes]]:
    """A master for each segment, and last the list of NSE's indices."""
    segments = sorted({SEGMENTS[exchange] for exchange in member.exchanges}, key=CODES.__getitem__)
    ask = partial(Request, host="market", auth="market", reply="file", lane="masters")
    path = "/instruments/master"
    wanted = [ask(method="POST", path=path, json={"exchangeSegmentList": [segment]}) for segment in segments]
    query = {"exchangeSegment": CODES["NSECM"]}
    files: list[bytes] = yield [*wanted, ask(method="GET", path="/instruments/indexlist", query=query)]
    return files


def instruments(member: Member) -> Instruments:
    return Instruments(download=partial(_download, member), parse=partial(parse, title=member.title))
