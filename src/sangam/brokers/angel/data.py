"""Quotes and candles by request (SmartAPI docs: Live market data; Historical)."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import cast

import msgspec

from sangam.brokers.contract import Candle, Ctx, Data, Operation, Request, Session
from sangam.brokers.quote_rows import BookRow, CandleRow, candles, told
from sangam.brokers.rows import Number, moment
from sangam.model.instrument import Instrument
from sangam.model.market import Fields, Patch

from .answers import book, read
from .packets import OF_TRADES
from .tables import CLOCK, INTERVALS, OI_EXCHANGES, QUOTE_BATCH, TITLE

_RENAMED = {
    "brexchange": "exchange",
    "token": "symbolToken",
    "volume": "tradeVolume",
    "oi": "opnInterest",
    "last_trade_quantity": "lastTradeQty",
    "avg_trade_price": "avgPrice",
    "total_buy_quantity": "totBuyQuan",
    "total_sell_quantity": "totSellQuan",
    "lower_circuit": "lowerCircuit",
    "upper_circuit": "upperCircuit",
    "heard": "exchFeedTime",
    "traded": "exchTradeTime",
}


class _Quote(msgspec.Struct, rename=_RENAMED):
    """One row in mode FULL, in rupees, by our names; `close` is the previous day's."""

    brexchange: str
    token: str
    ltp: Number
    open: Number | None = None
    high: Number | None = None
    low: Number | None = None
    close: Number | None = None
    avg_trade_price: Number | None = None
    lower_circuit: Number | None = None
    upper_circuit: Number | None = None
    volume: Number | None = None
    oi: Number | None = None
    last_trade_quantity: Number | None = None
    total_buy_quantity: Number | None = None
    total_sell_quantity: Number | None = None
    heard: str | None = None
    traded: str | None = None
    depth: BookRow | None = None


class _Quotes(msgspec.Struct):
    fetched: list[_Quote] | None = None


class _Interest(msgspec.Struct):
    time: str
    oi: int


def _quotes(instruments: Sequence[Instrument], session: Session, ctx: Ctx) -> Operation[list[Patch]]:
    names = {(instrument.brexchange, instrument.token): instrument for instrument in instruments}
    asked: dict[str, list[str]] = {}
    for brexchange, token in names:
        asked.setdefault(brexchange, []).append(token)
    form = {"mode": "FULL", "exchangeTokens": asked}
    path = "/rest/secure/angelbroking/market/v1/quote"
    data = yield Request(method="POST", host="api", path=path, json=form, lane="quote")
    fetched = read(data, _Quotes, "market data").fetched or []
    return [_patch(names[name], row) for row in fetched if (name := (row.brexchange, row.token)) in names]


def _patch(instrument: Instrument, quote: _Quote) -> Patch:
    """What nobody trades has no volumes, and what does not expire no open interest, whatever the row says."""
    fields = told(quote)
    idle = OF_TRADES if instrument.exchange.is_index else () if instrument.expiry else ("oi",)
    fields = cast(Fields, {name: value for name, value in fields.items() if name not in idle})
    if traded := moment(quote.traded, CLOCK):
        fields["ltt"] = traded
    if heard := moment(quote.heard, CLOCK):
        fields["timestamp"] = heard
    return Patch(instrument, fields, (quote.depth or BookRow()).depth, True)


def _history(
    instrument: Instrument, interval: str, first: date, last: date, session: Session, ctx: Ctx
) -> Operation[list[Candle]]:
    form = {
        "exchange": instrument.brexchange,
        "symboltoken": instrument.token,
        "interval": INTERVALS[interval].native,
        "fromdate": f"{first} 00:00",
        "todate": f"{last} 23:59",
    }
    names = ["getCandleData", *(["getOIData"] if instrument.exchange in OI_EXCHANGES else [])]
    bars, *more = yield [_asked(name, form) for name in names]
    interests = {row.time: row.oi for each in more for row in book(each, _Interest, "open interest")}
    rows = book(bars, CandleRow[str], "candles")
    for row in rows:
        row.oi = interests.get(row.time, 0)
    return candles(rows, TITLE, daily=interval == "D")


def _asked(name: str, form: Mapping[str, str]) -> Request:
    path = f"/rest/secure/angelbroking/historical/v1/{name}"
    return Request(method="POST", host="api", path=path, json=form, lane="history")


DATA = Data(quotes=_quotes, quote_batch=QUOTE_BATCH, history=_history, intervals=INTERVALS)
