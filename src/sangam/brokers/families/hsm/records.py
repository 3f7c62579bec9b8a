"""Data: topics, their newest values, and the records that change them."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from sangam.model.errors import DecodeError
from sangam.model.market import Depth, DepthLevel, Fields, Key, Patch

from .frames import text

ABSENT = -(2**31)
"""No value in a snapshot, no change in an update."""
LEVELS = 5
PRICES, BOOK = "sf", "dp"
"""Kinds of topics; a book has the name of its instrument's prices but for the kind."""

SNAPSHOT, UPDATE, LITE = b"SUL"
_COUNT = struct.Struct(">H").unpack_from
_RECORD = struct.Struct(">BH").unpack_from
_SCALE = struct.Struct(">2xHB").unpack_from
_INT = struct.Struct(">i").unpack_from
_VALUES = [struct.Struct(f">{count}i").unpack_from for count in range(256)]

_TIMES = {"ltt", "timestamp"}
_BRIEF = ("ltp", "ltt", "timestamp")
_SCALED = {
    "ltp", "bid_price", "ask_price", "avg_trade_price", "low", "high", "open", "close", "lower_circuit",
    "upper_circuit",
}  # fmt: skip


class Table:
    """What the values of a kind of topic mean: `names` are ours in the wire's order, empty where a value is not told.
    `book` is where prices, sizes and orders begin, each of five bids and five asks."""

    def __init__(self, names: Sequence[str] = (), *, book: int | None = None) -> None:
        self.names = names
        self.factors = [0 if name in _SCALED else 1000 if name in _TIMES else 1 for name in names]
        """By what a value is multiplied: 0 for prices, which are divided."""
        self.book = book
        self.size = len(names) if book is None else book + 6 * LEVELS

    def topic(self, name: str, divisor: int) -> "Topic":
        if not divisor:
            raise DecodeError(f"{name} has prices without a scale")
        return Prices(name, self, divisor) if self.book is None else Book(name, self, divisor, self.book)


class Prices:
    """What one number stands for on this socket, and what is known of it."""

    is_book = False

    def __init__(self, name: str, table: Table, divisor: int) -> None:
        self.name = name
        self.key: Key = name
        self._table = table
        self._divisor = divisor
        self._known: dict[str, float] = {}

    def take(self, news: Sequence[int], brief: bool) -> Patch | None:
        """What a record changes; None where that is nothing to somebody who wants the last price alone (`brief`)."""
        table, divisor = self._table, self._divisor
        if len(news) > table.size:
            raise DecodeError(f"a record of {len(news)} values")
        fields: dict[str, float] = {}
        for value, name, factor in zip(news, table.names, table.factors, strict=False):
            if value != ABSENT and name:
                fields[name] = value * factor if factor else value / divisor
        self._known |= fields
        if brief:
            fields = {name: fields[name] for name in _BRIEF if name in fields}
        return Patch(self.key, cast(Fields, fields)) if fields else None

    def known(self) -> Patch | None:
        """All of it."""
        return Patch(self.key, cast(Fields, dict(self._known))) if self._known else None


class Book:
    """The same for the book of an instrument; its key is that of the prices."""

    is_book = True

    def __init__(self, name: str, table: Table, divisor: int, first: int) -> None:
        self.name = name
        self.key: Key = PRICES + name[2:]
        self._divisor = divisor
        self._first = first
        self._values = [ABSENT] * table.size

    def take(self, news: Sequence[int], brief: bool) -> Patch | None:
        """The whole book after a record; None to somebody who wants none."""
        known, size = self._values, len(news)
        if size > len(known):
            raise DecodeError(f"a record of {size} values")
        partly = ABSENT in news
        known[:size] = (
            [old if new == ABSENT else new for old, new in zip(known, news, strict=False)] if partly else news
        )
        return None if brief else self.known()

    def known(self) -> Patch:
        return Patch(self.key, {}, Depth(self._side(self._first), self._side(self._first + LEVELS)))

    def _side(self, first: int) -> list[DepthLevel]:
        """The rows that have a price and a quantity."""
        values, divisor = self._values, self._divisor
        sizes, orders = first + 2 * LEVELS, first + 4 * LEVELS
        rows = zip(
            values[first : first + LEVELS],
            values[sizes : sizes + LEVELS],
            values[orders : orders + LEVELS],
            strict=False,
        )
        return [
            DepthLevel(price / divisor, quantity, count if count > 0 else 0)
            for price, quantity, count in rows
            if quantity > 0 and price != ABSENT
        ]


Topic = Prices | Book


def records(
    frame: bytes, topics: dict[int, Topic], tables: Mapping[str, Table]
) -> Iterator[tuple[Topic, Sequence[int]]]:
    """Each record's topic and values. Snapshots enter their topic into `topics`, where `tables` has its kind; what goes
    by a number that is not there is passed over, by its length. Raises DecodeError, IndexError or struct.error for
    what is no data."""
    at = 9
    for _ in range(_COUNT(frame, 7)[0]):
        kind, number = _RECORD(frame, at)
        at += 3
        if kind == UPDATE:
            size = frame[at]
            values = _VALUES[size](frame, at + 1)
            at += 1 + 4 * size
        elif kind == LITE:
            values = _INT(frame, at)
            at += 4
        elif kind == SNAPSHOT:
            name, at = text(frame, at)
            size = frame[at]
            values = _VALUES[size](frame, at + 1)
            at += 1 + 4 * size
            multiplier, precision = _SCALE(frame, at)
            at += 5
            for _part in range(3):
                _, at = text(frame, at)
            topics.pop(number, None)
            if (table := tables.get(name[:2])) is not None:
                topics[number] = table.topic(name, multiplier * 10**precision)
        else:
            raise DecodeError(f"a record of kind {kind}")
        if (found := topics.get(number)) is not None:
            yield found, values
