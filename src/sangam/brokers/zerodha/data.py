"""Quotes and candles by request (Kite docs: Market quotes and instruments; Historical candle data)."""

from collections.abc import Sequence
from datetime import date
from typing import Any, cast

import msgspec

from sangam.brokers.contract import Candle, Ctx, Data, Operation, Request, Session
from sangam.brokers.rows import bar_start, levels, milliseconds
from sangam.model.errors import Unknown
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, Fields, Patch

from .answers import read
from .tables import INTERVALS, JOINT, QUOTE_BATCH


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


_RENAMED = {
    "ltp": "last_price",
    "ltt": "last_trade_time",
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
    ltt: str | None = None
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


_PRICES = ("avg_trade_price", "lower_circuit", "upper_circuit")
_COUNTS = (
    "volume", "oi", "last_trade_quantity", "total_buy_quantity", "total_sell_quantity", "oi_day_high", "oi_day_low",
)  # fmt: skip


def _quotes(instruments: Sequence[Instrument], session: Session, ctx: Ctx) -> Operation[list[Patch]]:
    names = {f"{instrument.brexchange}:{instrument.brsymbol}": instrument for instrument in instruments}
    data = yield Request(method="GET", host="api", path="/quote", query={"i": list(names)}, lane="quote")
    answer = read({} if data is None else data, dict[str, _Quote], "market data")
    return [_patch(names[name], quote) for name, quote in answer.items() if name in names]


def _patch(instrument: Instrument, quote: _Quote) -> Patch:
    fields: dict[str, Any] = {"ltp": quote.ltp}
    if quote.ohlc is not None:
        fields |= msgspec.structs.asdict(quote.ohlc)
    fields |= {name: value for name in _PRICES if (value := getattr(quote, name)) is not None}
    fields |= {name: int(value) for name in _COUNTS if (value := getattr(quote, name)) is not None}
    fields |= {name: moment for name in ("ltt", "timestamp") if (moment := milliseconds(getattr(quote, name)))}
    book = quote.depth or _Book()
    return Patch(instrument, cast(Fields, fields), Depth(levels(book.buy), levels(book.sell)), True)


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
    try:
        return [
            Candle(
                bar_start(row.time, daily=interval == "D"),
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


DATA = Data(quotes=_quotes, quote_batch=QUOTE_BATCH, history=_history, intervals=INTERVALS)
