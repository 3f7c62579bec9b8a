"""The contract file: a ZIP of CSVs with the same columns, one for each exchange or one for all (documents: Contract
master). Strikes and ticks are rupees; a derivative's company is its underlying."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache, partial
from typing import NamedTuple

from sangam.brokers.contract import Ctx, Instruments, Operation, Request, RowRefused, Session
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
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument

from .answers import Wire
from .tables import CASH, COUNTED_IN_LOTS, FUTURES, INDEX_SEGMENTS, INDICES, RIGHTS

PATH = "/api/v1/contract/Compact"


class _Row(NamedTuple):
    """The columns that are read; their names may come in any case."""

    exchange: str
    exchange_token: str
    trading_symbol: str
    company_name: str
    segment: str
    instrument_name: str
    option_type: str
    expiry: str
    strike: str
    lot_size: str
    tick_size: str


_GROUP = re.compile(r"-[A-Z]{1,2}")
"""What a trading symbol of BSE's has behind it (``SBIN-A``, ``MONOT-Z``)."""


class Contracts(Wire):
    def instruments(self) -> Instruments:
        return Instruments(download=self._download, parse=self.parse)

    def _download(self, session: Session, ctx: Ctx) -> Operation[list[bytes]]:
        query = {"info": "download"}
        if self.member.by_exchange:
            query["exchanges"] = ",".join(exchange for exchange in self.member.exchanges if not exchange.is_index)
        content = yield Request(method="GET", host="api", path=PATH, query=query, reply="file")
        return [content]

    def parse(self, files: Sequence[bytes]) -> Iterator[Instrument | RowRefused]:
        """Every row as an instrument or a refusal. A file that is not these raises DecodeError."""
        for content in files:
            lists = [text for name, text in archived(content, self.title).items() if name.casefold().endswith(".csv")]
            if not lists:
                raise DecodeError(f"{self.title}'s instruments file has no list in it.")
            yield from told_apart(row for text in lists for row in self._listed(text))

    def _listed(self, content: bytes) -> Iterator[Instrument | RowRefused]:
        head, end, rest = content.decode("utf-8-sig", "replace").partition("\n")
        text = f"{head.casefold().replace(' ', '')}{end}{rest}"
        return named(text, _Row._fields, self._instrument, self.title)

    def _instrument(self, cells: list[str]) -> Instrument:
        row = _Row(*(cell.strip() for cell in cells))
        exchange = _EXCHANGES.get(row.exchange.upper())
        is_index = row.segment.upper() in INDEX_SEGMENTS
        listed = INDICES.get(exchange) if exchange and is_index else exchange
        if exchange is None or listed not in self.member.exchanges:
            raise RowError(f"exchange {row.exchange or '(none)'} is not offered")
        if not (row.exchange_token.isascii() and row.exchange_token.isdecimal()):
            raise RowError("unreadable token")
        if not row.trading_symbol:
            raise RowError("no trading symbol")
        make = partial(
            Instrument,
            exchange=listed,
            brsymbol=row.trading_symbol,
            brexchange=exchange.value,
            token=row.exchange_token,
            name=row.company_name,
        )
        if is_index:
            return make(symbol=index_symbol(listed, row.trading_symbol), instrument_type=InstrumentType.INDEX)
        lot = 1 if exchange in COUNTED_IN_LOTS else lot_size(row.lot_size)
        make = partial(make, tick_size=positive(row.tick_size, "tick size"), lot_size=lot)
        if exchange in CASH:
            return make(symbol=_share(exchange, row.trading_symbol))
        kind = _kind(row)
        day = _expiry(row.expiry)
        strike = 0.0 if kind is InstrumentType.FUT else positive(row.strike, "strike")
        base = "".join(row.company_name.split()).upper()
        if not base or not row.trading_symbol.upper().startswith(base):
            raise RowError("no underlying name")
        return make(symbol=derivative(base, day, kind, strike), instrument_type=kind, expiry=day, strike=strike)


_EXCHANGES = {exchange.value: exchange for exchange in Exchange if not exchange.is_index}


def _share(exchange: Exchange, symbol: str) -> str:
    if exchange is Exchange.NSE:
        return plain_name(symbol)
    plain, hyphen, group = symbol.rpartition("-")
    return plain if plain and _GROUP.fullmatch(hyphen + group) else symbol


def _kind(row: _Row) -> InstrumentType:
    if (kind := RIGHTS.get(row.option_type.upper())) is not None:
        return kind
    if row.instrument_name.upper().startswith(FUTURES):
        return InstrumentType.FUT
    raise RowError(f"instrument {row.instrument_name or '(none)'} of {row.exchange} is not known")


@lru_cache(maxsize=4096)
def _expiry(text: str) -> date:
    """``25-Jan-2026`` (Master Trust), or a date that begins with its year: what can be read in one way only."""
    try:
        return datetime.strptime(text, "%d-%b-%Y").date()
    except ValueError:
        pass
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise RowError("unreadable expiry" if text else "no expiry") from None
