"""Quotes and candles by request (documents: Quotes; OHLC)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, cast

import msgspec

from sangam.brokers.contract import Candle, Ctx, Data, Operation, Request, Session, batches
from sangam.brokers.quote_rows import CandleRow, candles, where_offered
from sangam.model.clock import IST_SECONDS
from sangam.model.errors import BrokerError, DecodeError, Unknown
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, Fields, Patch

from .answers import Wire
from .packets import Key, quote
from .tables import BATCH, CODES, DEPTH, INTEREST, INTERVALS, TOUCHLINE

_OF_TRADES = ("volume", "last_trade_quantity", "avg_trade_price", "total_buy_quantity", "total_sell_quantity", "oi")


class _Quotes(msgspec.Struct, rename={"texts": "listQuotes"}):
    texts: list[str] = []


class _Candles(msgspec.Struct, rename={"text": "dataReponse"}):
    """Misspelt on the wire."""

    text: str


def key(instrument: Instrument) -> Key:
    """How market data names it: numbers are unique within their segment."""
    return CODES[instrument.brexchange], int(instrument.token)


def listed(keys: Sequence[Key]) -> list[dict[str, int]]:
    return [{"exchangeSegment": segment, "exchangeInstrumentID": number} for segment, number in keys]


def _asked(code: int, keys: Sequence[Key]) -> list[Request]:
    form = {"xtsMessageCode": code, "publishFormat": "JSON"}
    return [
        Request(
            method="POST", host="market", path="/instruments/quotes", json={"instruments": listed(some)} | form,
            auth="market", lane="quotes",
        )
        for some in batches(keys, BATCH)
    ]  # fmt: skip


def _told(wire: Wire, payloads: Sequence[Any]) -> Iterator[Patch]:
    for payload in payloads:
        for text in wire.read(payload, _Quotes, "market data").texts:
            try:
                yield quote(text)
            except DecodeError as error:
                raise Unknown(f"{wire.title}: {error}") from error


def last_prices(wire: Wire, keys: Sequence[Key]) -> Operation[Mapping[Key, float]]:
    """For books that tell none. Market data has a session of its own: what a book says stands without it."""
    if not keys:
        return {}
    try:
        payloads = yield _asked(TOUCHLINE, keys)
        return {cast(Key, patch.key): patch.fields["ltp"] for patch in _told(wire, payloads) if "ltp" in patch.fields}
    except BrokerError:
        return {}


def _quotes(wire: Wire, instruments: Sequence[Instrument], session: Session, ctx: Ctx) -> Operation[list[Patch]]:
    """Prices and book in one answer, open interest in another, where the host tells it."""
    names = {key(instrument): instrument for instrument in instruments}
    expiring = [name for name, instrument in names.items() if instrument.expiry]
    payloads = yield _asked(DEPTH, list(names))
    payloads += (yield from where_offered(_asked(INTEREST, expiring))) or []
    found: dict[Instrument, Patch] = {}
    for patch in _told(wire, payloads):
        if (instrument := names.get(cast(Key, patch.key))) is not None:
            idle = _OF_TRADES if instrument.exchange.is_index else ()  # whatever the row says
            fields = {name: value for name, value in patch.fields.items() if name not in idle}
            whole = found.setdefault(instrument, Patch(instrument, {}, Depth([], []), True))
            whole.fields.update(cast(Fields, fields))
            whole.depth = patch.depth or whole.depth
    return [patch for patch in found.values() if "ltp" in patch.fields]


def _history(
    wire: Wire, instrument: Instrument, interval: str, first: date, last: date, session: Session, ctx: Ctx
) -> Operation[list[Candle]]:
    query = {
        "exchangeSegment": instrument.brexchange,
        "exchangeInstrumentID": instrument.token,
        "startTime": f"{first:%b %d %Y} 000000",
        "endTime": f"{last:%b %d %Y} 235959",
        "compressionValue": INTERVALS[interval].native,
    }
    data = yield Request(
        method="GET", host="market", path="/instruments/ohlc", query=query, auth="market", lane="history"
    )
    text = wire.read(data, _Candles, "candles").text
    # Each time is the second of India's wall clock; a bar stands behind its numbers, too.
    cells = [row.split("|")[:7] for row in text.split(",") if row]
    rows = wire.read(cells, list[CandleRow[int]], "candles")
    for row in rows:
        row.time -= IST_SECONDS
    return candles(rows, wire.title, daily=interval == "D")


def data(wire: Wire) -> Data:
    return Data(quotes=partial(_quotes, wire), quote_batch=BATCH, history=partial(_history, wire), intervals=INTERVALS)
