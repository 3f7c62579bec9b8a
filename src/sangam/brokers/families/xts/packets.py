"""Market data as it comes: JSON rows, texts of what changed, and packed packets (documents: Market Data socket; the
byte tables of Symphony's xts-pythonsdk-binarymarketdata-api-sdk)."""

import math
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

import msgspec

from sangam.brokers.rows import levels
from sangam.model.clock import IST_SECONDS
from sangam.model.errors import DecodeError
from sangam.model.market import Depth, DepthLevel, Fields, Patch
from sangam.model.market import Key as AnyKey

from .tables import DEPTH, INTEREST, SINCE_1980, TOUCHLINE

Key = tuple[int, int]
"""Segment and number."""

TEN_YEARS = 315_532_800
"""Seconds from 1970 to 1980."""


def _moment(segment: int, seconds: int) -> int:
    """Epoch milliseconds. Raises DecodeError."""
    if not 0 < seconds < 1 << 33:
        raise DecodeError(f"a time that is none: {seconds}")
    return (seconds - IST_SECONDS + (TEN_YEARS if segment in SINCE_1980 else 0)) * 1000


# --- JSON -------------------------------------------------------------------------------------------------------------


class _Level(msgspec.Struct, gc=False, rename={"price": "Price", "quantity": "Size", "orders": "TotalOrders"}):
    price: float
    quantity: int
    orders: int = 0


class _Touch(
    msgspec.Struct,
    gc=False,
    rename={
        "ltp": "LastTradedPrice", "last_trade_quantity": "LastTradedQunatity", "spelt": "LastTradedQuantity",
        "total_buy_quantity": "TotalBuyQuantity", "total_sell_quantity": "TotalSellQuantity",
        "volume": "TotalTradedQuantity", "avg_trade_price": "AverageTradedPrice", "traded": "LastTradedTime",
        "updated": "LastUpdateTime", "open": "Open", "high": "High", "low": "Low", "close": "Close",
        "oi": "OpenInterest",
    },
):  # fmt: skip
    """Every part may be left out; `close` is the previous day's. The last quantity is misspelt on the wire."""

    ltp: float | None = None
    last_trade_quantity: int | None = None
    spelt: int | None = None
    total_buy_quantity: int | None = None
    total_sell_quantity: int | None = None
    volume: int | None = None
    avg_trade_price: float | None = None
    traded: int | None = None
    updated: int | None = None
    open: float | None = None
    high: float | None = None
    low: float | None = None
    close: float | None = None
    oi: int | None = None


_FIELDS = (
    "ltp", "last_trade_quantity", "total_buy_quantity", "total_sell_quantity", "volume", "avg_trade_price", "open",
    "high", "low", "close", "oi",
)  # fmt: skip


class _Row(
    _Touch,
    gc=False,
    rename={
        "segment": "ExchangeSegment", "number": "ExchangeInstrumentID", "touch": "Touchline", "bids": "Bids",
        "asks": "Asks",
    },
):  # fmt: skip
    """A snapshot is flat; the live feed nests prices in `Touchline`."""

    segment: int = 0
    number: int = 0
    touch: _Touch | None = None
    bids: list[_Level] | None = None
    asks: list[_Level] | None = None


_decode = msgspec.json.Decoder(_Row).decode


def quote(text: Any) -> Patch:
    """A row of any code. Raises DecodeError."""
    try:
        row = _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError, TypeError) as error:
        raise DecodeError(f"unreadable market data: {error}") from error
    if not row.segment:
        raise DecodeError("market data of no segment")
    touch, segment = row.touch or row, row.segment
    fields = cast(Fields, {name: told for name in _FIELDS if (told := getattr(touch, name)) is not None})
    if touch.spelt is not None:
        fields["last_trade_quantity"] = touch.spelt
    if touch.updated:
        fields["timestamp"] = _moment(segment, touch.updated)
    if touch.traded:
        fields["ltt"] = _moment(segment, touch.traded)
    book = None if row.bids is None or row.asks is None else Depth(levels(row.bids), levels(row.asks))
    return Patch((segment, row.number), fields, book)


# --- what changed -----------------------------------------------------------------------------------------------------

_NUMBERS: dict[str, tuple[str, Callable[[str], float]]] = {
    "ltp": ("ltp", float), "ltq": ("last_trade_quantity", int), "v": ("volume", int), "ap": ("avg_trade_price", float),
    "tb": ("total_buy_quantity", int), "ts": ("total_sell_quantity", int), "o": ("open", float), "h": ("high", float),
    "l": ("low", float), "c": ("close", float),
}  # fmt: skip
_TIMES = {"ltt": "ltt", "lut": "timestamp"}


def changed(code: int, text: Any, books: Mapping[AnyKey, Depth]) -> Patch:
    """``t:1_2885,ltp:1233.1,bi:0|221|1233.05|7``: only what changed since the last message. A book is told where the
    one before is known. Raises DecodeError."""
    try:
        cells = dict(cell.split(":", 1) for cell in text.split(","))
        segment, number = map(int, cells.pop("t").split("_"))
        fields: dict[str, float] = {}
        for name, told in cells.items():
            if code == INTEREST and name in ("o", "oi"):
                fields["oi"] = int(told)
            elif code != INTEREST and name in _NUMBERS and told:
                ours, read = _NUMBERS[name]
                fields[ours] = _price(read(told))
            elif name in _TIMES and told:
                fields[_TIMES[name]] = _moment(segment, int(told))
        book = books.get((segment, number)) if code == DEPTH else None
        if book is not None:
            bids, asks = (cells[name].split("|") if name in cells else [] for name in ("bi", "ai"))
            book = Depth(_replaced(book.buy, bids), _replaced(book.sell, asks))
    except (AttributeError, KeyError, IndexError, ValueError, OverflowError) as error:
        raise DecodeError(f"unreadable changes of market data: {error!r}") from error
    return Patch((segment, number), cast(Fields, fields), book)


def _replaced(rows: list[DepthLevel], cells: list[str]) -> list[DepthLevel]:
    """One side with its changed levels: index, quantity, price, orders and mostly a flag of each; empty is as before.
    Raises ValueError where the levels do not fit."""
    found = [(row.quantity, row.price, row.orders) for row in rows]
    width = 5 if len(cells) % 5 == 0 and all(cell.isdecimal() and int(cell) < 5 for cell in cells[::5]) else 4
    if len(cells) % width:
        raise ValueError(f"{len(cells)} cells of levels")
    for start in range(0, len(cells), width):
        index, *told = cells[start : start + 4]
        at = int(index)
        if at == len(found) < 5:
            found.append((0, 0.0, 0))
        size, price, orders = (new or old for new, old in zip(told, found[at], strict=True))
        found[at] = int(size), _price(float(price)), int(orders)
    return levels(DepthLevel(price, size, orders) for size, price, orders in found)


# --- packets ----------------------------------------------------------------------------------------------------------

_OUTER = struct.Struct("<bHhihhH")
_INNER = struct.Struct("<HHHQ")
_COUNTED = struct.Struct("<Qi")
"""Of the fourth version on: a sequence number, and four bytes more."""
_NAME = struct.Struct("<hiQ")
_COUNT = 4
"""Bytes."""


class _Layout(NamedTuple):
    """Sizes of quantities differ; a touchline's fields follow one another in the same order."""

    row: struct.Struct
    touch: struct.Struct


NARROW = _Layout(struct.Struct("<idih"), struct.Struct("<idihidihQdiIIIdqd4dd4h"))
WIDE = _Layout(struct.Struct("<qdih"), struct.Struct("<qdihqdihQdqqqqdqd4dd4h"))
"""With quantities of 64 bits: inferred from what public programs found on newer hosts."""


def unpacked(data: bytes) -> Iterator[tuple[int, Patch | int | None]]:
    """Each packet of a buffer with its code: its size where the form of that is not known, None for codes that are not
    ours. Raises DecodeError."""
    at, end = 0, len(data)
    try:
        while at < end:
            packed, code, segment, number, _, _, size = _OUTER.unpack_from(data, at)
            at += _OUTER.size
            length = int.from_bytes(data[at : at + 2], "little") if packed else size
            at += 2 if packed else 0
            body = data[at : at + length]
            at += length
            if packed not in (0, 1) or not size or len(body) != length:
                raise DecodeError(f"a packet of {length} bytes does not fit into its message of {end}")
            if packed:
                body = zlib.decompressobj(-15).decompress(body, size)
            if len(body) != size:
                raise DecodeError(f"a packet of {size} bytes has {len(body)}")
            yield code, _packet(code, segment, number, body) if code in (TOUCHLINE, DEPTH, INTEREST) else None
    except (struct.error, zlib.error, ValueError, OverflowError) as error:
        raise DecodeError(f"a damaged packet: {error}") from error


def _packet(code: int, segment: int, number: int, body: bytes) -> Patch | int:
    inner, version, _, _ = _INNER.unpack_from(body)
    at = _INNER.size + (_COUNTED.size if version >= 4 else 0)
    if (inner, *_NAME.unpack_from(body, at)[:2]) != (code, segment, number):
        raise DecodeError("a packet is about another instrument than its header says")
    told = body[at + _NAME.size :]
    if code == INTEREST:
        return _interest((segment, number), told)
    if code == TOUCHLINE:
        layout = NARROW if len(told) == NARROW.touch.size else WIDE
        return _patch(segment, number, layout, told)
    for layout in (NARROW, WIDE):
        if (parts := _parts(layout, told)) is not None:
            bids, asks, rest = parts
            return _patch(segment, number, layout, rest, Depth(_side(layout, bids), _side(layout, asks)))
    raise DecodeError(f"a book of {len(told)} bytes")


def _parts(layout: _Layout, told: bytes) -> list[bytes] | None:
    """The rows of both sides and what stands behind them, or None where the sizes are not those of the layout."""
    found = []
    for _ in range(2):
        end = _COUNT + int.from_bytes(told[:_COUNT], "little") * layout.row.size
        if end > len(told):
            return None
        found.append(told[_COUNT:end])
        told = told[end:]
    fits = len(told) == layout.touch.size if layout is NARROW else len(told) >= layout.touch.size
    return [*found, told] if fits else None


def _side(layout: _Layout, rows: bytes) -> list[DepthLevel]:
    return levels(DepthLevel(_price(price), size, orders) for size, price, orders, _ in layout.row.iter_unpack(rows))


def _patch(segment: int, number: int, layout: _Layout, told: bytes, book: Depth | None = None) -> Patch:
    updated, ltp, ltq, bought, sold, volume, average, traded, _, *prices = layout.touch.unpack_from(told)[8:22]
    opened, high, low, close = (_price(price) for price in prices[:4])
    fields: Fields = {
        "ltp": _price(ltp),
        "last_trade_quantity": ltq,
        "volume": volume,
        "avg_trade_price": _price(average),
        "total_buy_quantity": bought,
        "total_sell_quantity": sold,
        "open": opened,
        "high": high,
        "low": low,
        "close": close,
    }
    if updated:
        fields["timestamp"] = _moment(segment, updated)
    if traded:
        fields["ltt"] = _moment(segment, traded)
    return Patch((segment, number), fields, book)


def _interest(key: Key, told: bytes) -> Patch | int:
    """Behind the numbers may stand the name of an index: the length says whether this is the known layout."""
    named = len(told) > 17 and told[16] == 1
    if len(told) != (22 + told[17] if named else 21):
        return len(told)
    return Patch(key, {"oi": int.from_bytes(told[2:6], "little", signed=True)})


def _price(value: float) -> float:
    """Rounded to what any price has. Raises ValueError for what is none."""
    if not math.isfinite(value):
        raise ValueError(f"a price that is none: {value}")
    return round(value, 4)
