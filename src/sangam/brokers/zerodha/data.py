"""Quotes and candles by request (Kite docs: Market quotes and instruments; Historical candle data)."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, cast

import msgspec

from sangam.brokers.contract import Candle, Ctx, Data, Operation, Request, Session
from sangam.model.errors import Unknown
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, DepthLevel, Fields, Patch

from .answers import read
from .tables import INTERVALS, JOINT, QUOTE_BATCH
from .times import milliseconds


class _Level(msgspec.Struct):
    price: float
    quantity: int
    orders: int = 0


class _Book(msgspec.Struct):
    buy: list[_Level] = []
    sell: list[_Level] = []


class _Prices(msgspec.Struct):
    """Prices of a quote that go by the same names with us; `close` is the previous day's."""

    open: float
    high: float
    low: float
    close: float


class _Quote(msgspec.Struct):
    """One instrument of ``GET /quote``; an index has neither volumes nor a book."""

    last_price: float
    timestamp: str | None = None
    last_trade_time: str | None = None
    ohlc: _Prices | None = None
    volume: float | None = None
    oi: float | None = None
    last_quantity: float | None = None
    average_price: float | None = None
    buy_quantity: float | None = None
    sell_quantity: float | None = None
    oi_day_high: float | None = None
    oi_day_low: float | None = None
    lower_circuit_limit: float | None = None
    upper_circuit_limit: float | None = None
    depth: _Book | None = None


class _Row(msgspec.Struct, array_like=True, gc=False):
    """One candle: ISO time with +0530, prices, volume, and the open interest where it was asked for."""

    time: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    oi: float = 0


class _History(msgspec.Struct):
    candles: list[_Row]


_PRICES = {
    "average_price": "avg_trade_price",
    "lower_circuit_limit": "lower_circuit",
    "upper_circuit_limit": "upper_circuit",
}
_COUNTS = {
    "volume": "volume",
    "oi": "oi",
    "last_quantity": "last_trade_quantity",
    "buy_quantity": "total_buy_quantity",
    "sell_quantity": "total_sell_quantity",
    "oi_day_high": "oi_day_high",
    "oi_day_low": "oi_day_low",
}


def _quotes(instruments: Sequence[Instrument], session: Session, ctx: Ctx) -> Operation[list[Patch]]:
    names = {f"{instrument.brexchange}:{instrument.brsymbol}": instrument for instrument in instruments}
    data = yield Request(method="GET", host="api", path="/quote", query={"i": list(names)}, lane="quote")
    answer = read({} if data is None else data, dict[str, _Quote], "market data")
    return [_patch(names[name], quote) for name, quote in answer.items() if name in names]


def _patch(instrument: Instrument, quote: _Quote) -> Patch:
    fields: dict[str, Any] = {"ltp": quote.last_price}
    if quote.ohlc is not None:
        fields |= msgspec.structs.asdict(quote.ohlc)
    fields |= {ours: value for name, ours in _PRICES.items() if (value := getattr(quote, name)) is not None}
    fields |= {ours: int(value) for name, ours in _COUNTS.items() if (value := getattr(quote, name)) is not None}
    for ours, text in (("ltt", quote.last_trade_time), ("timestamp", quote.timestamp)):
        if moment := milliseconds(text):
            fields[ours] = moment
    book = quote.depth or _Book()
    return Patch(instrument, cast(Fields, fields), Depth(_side(book.buy), _side(book.sell)), True)


def _side(levels: list[_Level]) -> list[DepthLevel]:
    """Empty rows are all zero."""
    return [
        DepthLevel(row.price, row.quantity, row.orders) for row in levels if row.price or row.quantity or row.orders
    ]


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
    daily = interval == "D"
    try:
        return [
            Candle(
                _date(row.time[:10]) + (0 if daily else _clock(row.time[10:])),
                row.open,
                row.high,
                row.low,
                row.close,
                int(row.volume),
                int(row.oi),
            )
            for row in read(data, _History, "market data").candles
        ]
    except ValueError as error:
        raise Unknown(f"Zerodha: a candle has no readable time: {error}") from error


# A long history has thousands of candles but few dates and few times of day: each is read once.


@lru_cache(maxsize=4096)
def _date(text: str) -> int:
    """``2017-12-15`` as the epoch second of its 00:00 UTC."""
    return (date.fromisoformat(text) - date(1970, 1, 1)).days * 86_400


@lru_cache(maxsize=2048)
def _clock(text: str) -> int:
    """``T09:15:00+0530`` as seconds from 00:00 UTC of the same date."""
    return int(datetime.fromisoformat(f"1970-01-02{text}").timestamp()) - 86_400


DATA = Data(quotes=_quotes, quote_batch=QUOTE_BATCH, history=_history, intervals=INTERVALS)
