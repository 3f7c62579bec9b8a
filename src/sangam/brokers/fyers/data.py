"""Quotes, books and candles by request (documentation: Data Api)."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from sangam.brokers.contract import Candle, Ctx, Data, Operation, Request, Session
from sangam.brokers.quote_rows import CandleRow, candles, told
from sangam.brokers.rows import levels
from sangam.model.errors import Refused
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, Fields, Patch

from .answers import read
from .tables import INTERVALS, QUOTE_BATCH, TITLE, UNKNOWN_SYMBOL

QUOTE = {
    "ltp": "lp", "open": "open_price", "high": "high_price", "low": "low_price", "close": "prev_close_price",
    "volume": "volume", "bid_price": "bid", "ask_price": "ask", "avg_trade_price": "atp",
}  # fmt: skip
"""What ``/data/quotes`` calls our fields. Its `tt` is today's date, not a time of anything."""

INDEX = {name: QUOTE[name] for name in ("ltp", "open", "high", "low", "close")}
"""Nobody trades an index: what else is told of one is zero."""

BOOK = {
    "ltp": "ltp", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v", "oi": "oi", "ltt": "ltt",
    "last_trade_quantity": "ltq", "avg_trade_price": "atp", "total_buy_quantity": "totalbuyqty",
    "total_sell_quantity": "totalsellqty", "lower_circuit": "lower_ckt", "upper_circuit": "upper_ckt",
}  # fmt: skip
"""What ``/data/depth`` calls them; `ltt` is an epoch second there."""


class _Figures(msgspec.Struct):
    """Any of our fields that one of the two tells."""

    ltp: float
    open: float | None = None
    high: float | None = None
    low: float | None = None
    close: float | None = None
    volume: float | None = None
    oi: float | None = None
    ltt: int | None = None
    bid_price: float | None = None
    ask_price: float | None = None
    last_trade_quantity: float | None = None
    avg_trade_price: float | None = None
    total_buy_quantity: float | None = None
    total_sell_quantity: float | None = None
    lower_circuit: float | None = None
    upper_circuit: float | None = None


class _Told(msgspec.Struct):
    """What is told of one ticker; `v` has an error's number and text where `s` is not ok."""

    n: str
    s: str
    v: dict[str, Any]


class _Level(msgspec.Struct, rename={"quantity": "volume", "orders": "ord"}):
    price: float
    quantity: int
    orders: int = 0


class _History(msgspec.Struct):
    candles: list[CandleRow[int]] = []


def _quotes(instruments: Sequence[Instrument], session: Session, ctx: Ctx) -> Operation[list[Patch]]:
    """Up to fifty in a call have prices, volume, bid and ask; a call for one instrument's book has everything."""
    if len(instruments) == 1 and not instruments[0].exchange.is_index:
        return (yield from _book(instruments[0]))
    names = {instrument.brsymbol: instrument for instrument in instruments}
    query = {"symbols": ",".join(names)}
    answer = yield Request(method="GET", host="api", path="/data/quotes", query=query)
    return [
        Patch(names[each.n], _figures(each.v, INDEX if names[each.n].exchange.is_index else QUOTE))
        for each in read(answer.get("d"), list[_Told], "the quotes")
        if each.s == "ok" and each.n in names
    ]


def _figures(row: Mapping[str, Any], names: Mapping[str, str]) -> Fields:
    return told(read({name: row.get(theirs) for name, theirs in names.items()}, _Figures, "a quote"))


def _book(instrument: Instrument) -> Operation[list[Patch]]:
    query: dict[str, str | int] = {"symbol": instrument.brsymbol, "ohlcv_flag": 1}
    try:
        answer = yield Request(method="GET", host="api", path="/data/depth", query=query)
    except Refused as refused:
        if refused.broker_code in UNKNOWN_SYMBOL:
            return []
        raise
    book = read(answer.get("d"), dict[str, dict[str, Any]], "the book").get(instrument.brsymbol)
    if book is None:
        return []
    fields = _figures(book, BOOK)
    if traded := fields.pop("ltt", 0):
        fields["ltt"] = traded * 1000
    if instrument.expiry is None:  # a zero that says nothing
        fields.pop("oi", None)
    bids, asks = (levels(read(book.get(side), list[_Level], "a book")) for side in ("bids", "ask"))
    return [Patch(instrument, fields, Depth(bids, asks), True)]


def _history(
    instrument: Instrument, interval: str, first: date, last: date, session: Session, ctx: Ctx
) -> Operation[list[Candle]]:
    query: dict[str, str | int] = {
        "symbol": instrument.brsymbol,
        "resolution": INTERVALS[interval].native,
        "date_format": 1,
        "range_from": f"{first}",
        "range_to": f"{last}",
        "cont_flag": 0,
        "oi_flag": int(instrument.expiry is not None),
    }
    answer = yield Request(method="GET", host="api", path="/data/history", query=query)
    return candles(read(answer, _History, "the candles").candles, TITLE, daily=interval == "D")


DATA = Data(quotes=_quotes, quote_batch=QUOTE_BATCH, depth_batch=1, history=_history, intervals=INTERVALS)
