"""Quotes and candles as brokers tell them over REST."""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar, cast

import msgspec

from sangam.model.clock import IST_SECONDS
from sangam.model.errors import RateLimited, Refused, SessionExpired, Unknown
from sangam.model.market import Depth, Fields

from .data import Candle
from .operation import Operation, Request
from .rows import Number, bar_start, levels

Time = TypeVar("Time", str, int)

_COUNTS = frozenset(
    {"volume", "oi", "last_trade_quantity", "total_buy_quantity", "total_sell_quantity", "oi_day_high", "oi_day_low"}
)
_NAMES = Fields.__annotations__.keys()


class LevelRow(msgspec.Struct):
    price: Number
    quantity: int
    orders: int = 0


class BookRow(msgspec.Struct):
    """Both sides, best first."""

    buy: list[LevelRow] = []
    sell: list[LevelRow] = []

    @property
    def depth(self) -> Depth:
        return Depth(levels(self.buy), levels(self.sell))


def told(row: msgspec.Struct) -> Fields:
    """The fields of a quote that bear our names (its struct renames them) and are told: null is not zero. Texts are no
    fields of ours; counts may come as floats."""
    fields: dict[str, Any] = {}
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if name in _NAMES and isinstance(value, int | float):
            fields[name] = int(value) if name in _COUNTS else value
    return cast(Fields, fields)


def where_offered(asked: Request | list[Request]) -> Operation[Any]:
    """What goes with a price (a book, open interest); None where the broker says that it has no such thing: the price
    stands without it."""
    try:
        return (yield asked)
    except (SessionExpired, RateLimited):
        raise
    except Refused:
        return None


class CandleRow(msgspec.Struct, Generic[Time], array_like=True, gc=False):
    """One candle: when it starts (`CandleRow[str]`: ISO text with +05:30; `CandleRow[int]`: the epoch second), prices,
    volume, open interest."""

    time: Time
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number
    oi: Number = 0


def candles(rows: Iterable[CandleRow[Time]], title: str, *, daily: bool) -> list[Candle]:
    """Ascending, each start once. Raises Unknown where a time cannot be read."""
    try:
        bars = {
            (start := _start(row.time, daily)): Candle(
                start, row.open, row.high, row.low, row.close, int(row.volume), int(row.oi)
            )
            for row in rows
        }
    except (ValueError, OverflowError) as error:
        raise Unknown(f"{title}: a candle has no readable time: {error}") from error
    return [bars[start] for start in sorted(bars)]


def _start(time: str | int, daily: bool) -> int:
    """A day starts at 00:00 UTC of its IST date, whatever hour of it the broker takes for its beginning."""
    if isinstance(time, str):
        return bar_start(time, daily=daily)
    return (time + IST_SECONDS) // 86_400 * 86_400 if daily else time
