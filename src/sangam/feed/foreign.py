"""Prices in the words of programs that were not written for this house, such as the reference implementation's adapters
(specs: contract-ws.md, 8): whatever they call a field, `read` has it in ours."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sangam.model.clock import IST, LATEST_MS
from sangam.model.market import Depth, DepthLevel, Fields

_PRICES = {
    "ltp": ("ltp", "last_price", "lp"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close", "prev_close"),
    "avg_trade_price": ("avg_trade_price", "average_price", "atp"),
    "upper_circuit": ("upper_circuit",),
    "lower_circuit": ("lower_circuit",),
}
_BEST = {"bid_price": ("bid_price", "bid"), "ask_price": ("ask_price", "ask")}
_COUNTS = {
    "volume": ("volume",),
    "oi": ("oi", "open_interest"),
    "last_trade_quantity": ("last_trade_quantity", "last_quantity", "ltq"),
    "total_buy_quantity": ("total_buy_quantity",),
    "total_sell_quantity": ("total_sell_quantity",),
    "bid_size": ("bid_size", "bid_qty"),
    "ask_size": ("ask_size", "ask_qty"),
}
_TIMES = {"timestamp": ("timestamp",), "ltt": ("ltt",)}
_SECONDS_END = 100_000_000_000
"""A time below this is in seconds: as milliseconds it would lie before 1974."""


def read(row: Mapping[str, Any]) -> tuple[Fields, Depth | None]:
    """What a row tells; whatever cannot be read is left out. These programs write 0 for a price that they do not know,
    so a price of 0 is not told either."""
    fields: dict[str, float | int] = {}
    for names, reading in ((_PRICES, _told), (_BEST, _price), (_COUNTS, _count), (_TIMES, _time)):
        fields |= _fields(row, names, reading)
    return fields, _depth(row.get("depth"))  # type: ignore[return-value] # the tables name Fields' own


def _fields(
    row: Mapping[str, Any], names: Mapping[str, tuple[str, ...]], read: Callable[[Any], float | int | None]
) -> dict[str, float | int]:
    """The first spelling of each field that can be read."""
    found = {}
    for name, spellings in names.items():
        value = next((value for each in spellings if (value := read(row.get(each))) is not None), None)
        if value is not None:
            found[name] = value
    return found


def _price(value: Any) -> float | None:
    """Numbers and texts of numbers."""
    if not isinstance(value, (int, float, str)) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _told(value: Any) -> float | None:
    number = _price(value)
    return number if number is not None and number > 0 else None


def _count(value: Any) -> int | None:
    number = _price(value)
    return int(number) if number is not None and 0 <= number < 2**53 else None


def _time(value: Any) -> int | None:
    """Seconds, milliseconds, or an ISO text; one without a zone is India's."""
    if isinstance(value, str) and "-" in value:
        try:
            moment = datetime.fromisoformat(value)
            return max(0, int((moment if moment.tzinfo else moment.replace(tzinfo=IST)).timestamp() * 1000)) or None
        except (ValueError, OverflowError):
            return None
    number = _count(value)
    if not number:
        return None
    number = number * 1000 if number < _SECONDS_END else number
    return number if number < LATEST_MS else None


def _depth(book: Any) -> Depth | None:
    if not isinstance(book, dict):
        return None
    depth = Depth(_side(book.get("buy")), _side(book.get("sell")))
    return depth if depth.buy or depth.sell else None


def _side(rows: Any) -> list[DepthLevel]:
    found = []
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and (price := _price(row.get("price"))) and price > 0:
            found.append(DepthLevel(price, _count(row.get("quantity")) or 0, _count(row.get("orders")) or 0))
    return found
