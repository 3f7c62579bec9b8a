"""Instrument lists: one zipped text file per exchange, or files of the broker's own making (Noren API docs: Symbol
master; Pi docs: Scrip master). Strikes and ticks are rupees in all of them.

NSE's file has a few indices, and BSE's none; the list of indices has them all."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache, partial
from itertools import chain
from typing import Any

import msgspec

from sangam.brokers.contract import EMPTY, Ctx, Operation, Request, RowRefused, Session
from sangam.brokers.indices import index_symbol
from sangam.brokers.master_files import (
    RowError,
    archived,
    derivative,
    lot_size,
    named,
    plain_name,
    positive,
    told_apart,
)
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import DecodeError, RateLimited, Refused, SessionExpired
from sangam.model.instrument import Instrument, expiry_text, strike_text

from .answers import Wire
from .tables import CASH, CODES, EXCHANGES, INDEX_EXCHANGES, INDICES

COLUMNS = ("exchange", "token", "lotsize", "symbol", "tradingsymbol", "instrument")
OPTIONAL = ("expiry", "optiontype", "strikeprice", "ticksize")
"""Names in lower case; a file calls the strike ``Strike``, and shares have none of these but the tick."""

_INDICES = frozenset({"INDEX", "UNDIND"})
_RIGHTS = {"XX": InstrumentType.FUT, "CE": InstrumentType.CE, "PE": InstrumentType.PE}
_MONTH_CODES = "123456789OND"


class _Index(msgspec.Struct):
    idxname: str = ""
    token: int | str = ""


class _Listed(msgspec.Struct):
    """The indices of an exchange, as `download` hands them over."""

    exch: str = ""
    values: list[_Index] = []


class Masters:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.member = wire.member

    def download(self, session: Session, ctx: Ctx) -> Operation[list[bytes]]:
        member = self.member
        paths = member.files or tuple(f"/{CODES[exchange]}_symbols.txt.zip" for exchange in member.exchanges)
        files = yield [
            Request(method="GET", host="files", path=path, auth="none", reply="file", lane="files") for path in paths
        ]
        lists = []
        for exchange in self.member.exchanges:
            if exchange in CASH and "index list" not in self.member.lacks:
                lists.append((yield from self._indices(CODES[exchange], session)))
        return [*files, *lists]

    def _indices(self, code: str, session: Session) -> Operation[bytes]:
        """A broker that refuses the list has those indices alone that its files tell."""
        told: Any = EMPTY
        try:
            told = yield self.wire.asked(session, "GetIndexList", {"exch": code})
        except Refused as refused:
            if isinstance(refused, SessionExpired | RateLimited):
                raise
        listed = _Listed() if told is EMPTY else self.wire.read(told, _Listed, "the list of indices")
        return msgspec.json.encode(_Listed(code, listed.values))

    def parse(self, files: Sequence[bytes]) -> Iterator[Instrument | RowRefused]:
        """Every row as an instrument or a refusal. Raises DecodeError where a file is another one."""
        lists = [content for content in files if content.startswith(b"{")]
        rows = list(told_apart(chain.from_iterable(self._rows(file) for file in files if not file.startswith(b"{"))))
        yield from rows
        known = {(row.exchange, row.token) for row in rows if isinstance(row, Instrument) and row.exchange.is_index}
        for content in lists:
            for index in _listed(content, self.wire.title):
                if isinstance(index, RowRefused) or (index.exchange, index.token) not in known:
                    yield index

    def _rows(self, content: bytes) -> Iterator[Instrument | RowRefused]:
        title = self.wire.title
        if content.startswith(b"PK"):
            content = b"".join(archived(content, title).values())  # one file is in each
        text = content.decode("utf-8-sig", "replace")
        make = partial(_instrument, offered=frozenset(self.member.exchanges), ticks=self.member.ticks)
        return named(text, COLUMNS, make, title, optional=OPTIONAL, spelled=_spelled)


def _spelled(name: str) -> str:
    plain = name.strip().casefold()
    return "strikeprice" if plain == "strike" else plain


def _listed(content: bytes, title: str) -> Iterator[Instrument | RowRefused]:
    try:
        told = msgspec.json.decode(content, type=_Listed)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise DecodeError(f"{title}'s list of indices is damaged: {error}") from error
    for row in told.values:
        if row.idxname and row.token:
            yield _index(EXCHANGES[told.exch], told.exch, str(row.token), row.idxname)
        else:
            yield RowRefused("index without name or token", f"{told.exch},{row.token},{row.idxname}")


def _index(exchange: Exchange, code: str, token: str, name: str) -> Instrument:
    ours = INDEX_EXCHANGES[exchange]
    return Instrument(
        symbol=INDICES.get(name) or index_symbol(ours, name),
        exchange=ours,
        brsymbol=name,
        brexchange=code,
        token=token,
        name=name,
        instrument_type=InstrumentType.INDEX,
    )


def _instrument(row: list[str], *, offered: frozenset[Exchange], ticks: Mapping[Exchange, float]) -> Instrument:
    code, token, lot, symbol, name, kind, expiry, right, strike_price, tick = (cell.strip() for cell in row)
    exchange = EXCHANGES.get(code)
    if exchange not in offered:
        raise RowError(f"exchange {code or '(none)'} is not offered")
    if not token:
        raise RowError("no token")
    if not name:
        raise RowError("no trading symbol")
    if kind in _INDICES:
        if exchange not in CASH:
            raise RowError(f"index on {code}")
        return _index(exchange, code, token, symbol or name)
    if exchange not in CASH and right not in _RIGHTS:
        raise RowError(f"instrument type {kind or '(none)'} is not traded")
    make = partial(
        Instrument,
        exchange=exchange,
        brsymbol=name,
        brexchange=code,
        token=token,
        lot_size=lot_size(lot),
        tick_size=ticks[exchange] if not tick and exchange in ticks else positive(tick, "tick size"),
    )
    if exchange in CASH:
        return make(symbol=plain_name(name) if exchange is Exchange.NSE else name, name=symbol)
    day, which = _expiry(expiry), _RIGHTS[right]
    strike = 0.0 if which is InstrumentType.FUT else positive(strike_price, "strike")
    base = _root(name, day, which, strike) if exchange is Exchange.BFO else symbol.upper()
    if not base:
        raise RowError("no underlying name")
    return make(
        symbol=derivative(base, day, which, strike),
        name=base,
        instrument_type=which,
        expiry=day,
        strike=strike,
    )


def _root(name: str, day: date, right: InstrumentType, strike: float) -> str:
    """The underlying in a symbol of BFO, whose column of that name has but a bucket (BSXOPT for SENSEX): what is left
    of ``SENSEX26SEP91000PE`` (monthly) or ``SENSEX2682091000PE`` (weekly) without the terms. Empty where these are
    others."""
    tail = "FUT" if right is InstrumentType.FUT else f"{strike_text(strike)}{right.value}"
    year, month = f"{day.year % 100:02d}", expiry_text(day)[2:5]
    for when in (f"{year}{month}", f"{year}{_MONTH_CODES[day.month - 1]}{day.day:02d}", expiry_text(day)):
        if name.endswith(when + tail):
            return name[: -len(when + tail)]
    return ""


@lru_cache(maxsize=4096)
def _expiry(text: str) -> date:
    try:
        return datetime.strptime(text, "%d-%b-%Y").date()
    except ValueError:
        raise RowError("unreadable expiry" if text else "no expiry") from None
