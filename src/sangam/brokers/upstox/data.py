"""Quotes and candles by request (Upstox docs: Full market quotes; Historical and intraday candle data v3)."""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from urllib.parse import quote as quoted

import msgspec

from sangam.brokers.contract import Candle, Ctx, Data, Operation, Request, Session
from sangam.brokers.quote_rows import BookRow, CandleRow, candles, told
from sangam.brokers.rows import milliseconds
from sangam.model.clock import ist_from_ms
from sangam.model.instrument import Instrument
from sangam.model.market import Patch

from .answers import read
from .tables import INTERVALS, QUOTE_BATCH, TITLE


class _Prices(msgspec.Struct):
    """The day's; its `close` has been seen as the last price and as yesterday's, so it is not read."""

    open: float
    high: float
    low: float


_RENAMED = {
    "ltp": "last_price",
    "avg_trade_price": "average_price",
    "lower_circuit": "lower_circuit_limit",
    "upper_circuit": "upper_circuit_limit",
}


class _Quote(msgspec.Struct, rename=_RENAMED):
    """One instrument. Answers go by names that no request has, so `instrument_token` tells which it is; the time of the
    last trade is text of milliseconds."""

    instrument_token: str
    ltp: float
    net_change: float | None = None
    timestamp: str | None = None
    last_trade_time: str | None = None
    ohlc: _Prices | None = None
    depth: BookRow | None = None
    volume: float | None = None
    oi: float | None = None
    avg_trade_price: float | None = None
    total_buy_quantity: float | None = None
    total_sell_quantity: float | None = None
    oi_day_high: float | None = None
    oi_day_low: float | None = None
    lower_circuit: float | None = None
    upper_circuit: float | None = None


class _History(msgspec.Struct):
    candles: list[CandleRow[str]]


def _quotes(instruments: Sequence[Instrument], session: Session, ctx: Ctx) -> Operation[list[Patch]]:
    keys = {instrument.token: instrument for instrument in instruments}
    query = {"instrument_key": ",".join(keys)}
    data = yield Request(method="GET", host="api", path="/v2/market-quote/quotes", query=query, lane="quote")
    answer = read({} if data is None else data, dict[str, _Quote], "market data")
    return [_patch(keys[quote.instrument_token], quote) for quote in answer.values() if quote.instrument_token in keys]


def _patch(instrument: Instrument, quote: _Quote) -> Patch:
    fields = told(quote)
    if quote.ohlc is not None:
        fields |= told(quote.ohlc)
    if quote.net_change is not None:
        fields["close"] = round(quote.ltp - quote.net_change, instrument.decimals)
    if moment := milliseconds(quote.timestamp):
        fields["timestamp"] = moment
    if re.fullmatch("[1-9][0-9]{11,13}", quote.last_trade_time or ""):
        fields["ltt"] = int(quote.last_trade_time or 0)
    return Patch(instrument, fields, (quote.depth or BookRow()).depth, True)


def _history(
    instrument: Instrument, interval: str, first: date, last: date, session: Session, ctx: Ctx
) -> Operation[list[Candle]]:
    """Days before today and today itself are different questions; the latter may answer with the last day of trading.
    Newest come first there."""
    key, native = quoted(instrument.token, safe=""), INTERVALS[interval].native
    today = ist_from_ms(ctx.now_ms).date()
    before = min(last, today - timedelta(days=1))
    asks = [_candles(f"{key}/{native}/{before}/{first}")] if first <= before else []
    if last >= today:
        asks.append(_candles(f"intraday/{key}/{native}"))
    answers = yield asks
    bars = (row for data in answers for row in read(data, _History, "market data").candles)
    asked = (row for row in bars if f"{first}" <= row.time[:10] <= f"{last}")
    return candles(asked, TITLE, daily=interval == "D")


def _candles(path: str) -> Request:
    return Request(method="GET", host="api", path=f"/v3/historical-candle/{path}", lane="historical")


DATA = Data(quotes=_quotes, quote_batch=QUOTE_BATCH, history=_history, intervals=INTERVALS)
