"""Quotes and candles by request (Kite docs: Market quotes and instruments; Historical candle data)."""

from collections.abc import Sequence
from datetime import date

import msgspec

from sangam.brokers.contract import Candle, Ctx, Data, Operation, Request, Session
from sangam.brokers.quote_rows import BookRow, CandleRow, candles, told
from sangam.brokers.rows import milliseconds
from sangam.model.instrument import Instrument
from sangam.model.market import Patch

from .answers import read
from .tables import INTERVALS, JOINT, QUOTE_BATCH, TITLE


class _Prices(msgspec.Struct):
    """Prices of a quote that go by the same names with us; `close` is the previous day's."""

    open: float
    high: float
    low: float
    close: float


_RENAMED = {
    "ltp": "last_price",
    "last_trade_quantity": "last_quantity",
    "avg_trade_price": "average_price",
    "total_buy_quantity": "buy_quantity",
    "total_sell_quantity": "sell_quantity",
    "lower_circuit": "lower_circuit_limit",
    "upper_circuit": "upper_circuit_limit",
}


class _Quote(msgspec.Struct, rename=_RENAMED):
    """One instrument of ``GET /quote``, by our names; an index has neither volumes nor a book."""

    ltp: float
    timestamp: str | None = None
    last_trade_time: str | None = None
    ohlc: _Prices | None = None
    volume: float | None = None
    oi: float | None = None
    last_trade_quantity: float | None = None
    avg_trade_price: float | None = None
    total_buy_quantity: float | None = None
    total_sell_quantity: float | None = None
    oi_day_high: float | None = None
    oi_day_low: float | None = None
    lower_circuit: float | None = None
    upper_circuit: float | None = None
    depth: BookRow | None = None


class _History(msgspec.Struct):
    candles: list[CandleRow[str]]


def _quotes(instruments: Sequence[Instrument], session: Session, ctx: Ctx) -> Operation[list[Patch]]:
    names = {f"{instrument.brexchange}:{instrument.brsymbol}": instrument for instrument in instruments}
    data = yield Request(method="GET", host="api", path="/quote", query={"i": list(names)}, lane="quote")
    answer = read({} if data is None else data, dict[str, _Quote], "market data")
    return [_patch(names[name], quote) for name, quote in answer.items() if name in names]


def _patch(instrument: Instrument, quote: _Quote) -> Patch:
    fields = told(quote)
    if quote.ohlc is not None:
        fields |= told(quote.ohlc)
    if traded := milliseconds(quote.last_trade_time):
        fields["ltt"] = traded
    if moment := milliseconds(quote.timestamp):
        fields["timestamp"] = moment
    return Patch(instrument, fields, (quote.depth or BookRow()).depth, True)


def _history(
    instrument: Instrument, interval: str, first: date, last: date, session: Session, ctx: Ctx
) -> Operation[list[Candle]]:
    data = yield Request(
        method="GET",
        host="api",
        path=f"/instruments/historical/{instrument.token.partition(JOINT)[0]}/{INTERVALS[interval].native}",
        query={"from": f"{first} 00:00:00", "to": f"{last} 23:59:59", "oi": int(instrument.expiry is not None)},
        lane="historical",
    )
    return candles(read(data, _History, "market data").candles, TITLE, daily=interval == "D")


DATA = Data(quotes=_quotes, quote_batch=QUOTE_BATCH, history=_history, intervals=INTERVALS)
