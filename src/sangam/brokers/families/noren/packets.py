"""What the socket and the quotes tell of a market (Noren API docs: Websocket API; GetQuotes). All is text.

A snapshot tells everything, an update only what changed, so that what is known of a scrip is kept and added to. A price
is rupees; `c` is the previous day's close; `ft` an epoch second, `ltt` a bare time of the day. An emptied row of the
book is told as zeros."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

from sangam.model.clock import IST_SECONDS
from sangam.model.errors import DecodeError
from sangam.model.market import Depth, DepthLevel, Fields, Key, Patch

LEVELS = 5

_NAMES = {
    "lp": "ltp",
    "o": "open",
    "h": "high",
    "l": "low",
    "c": "close",
    "ap": "avg_trade_price",
    "uc": "upper_circuit",
    "lc": "lower_circuit",
}
_COUNTS = {
    "v": "volume",
    "oi": "oi",
    "ltq": "last_trade_quantity",
    "tbq": "total_buy_quantity",
    "tsq": "total_sell_quantity",
}

_CELLS = {
    f"{side}{what}{level + 1}": 3 * (level + LEVELS * (side == "s")) + place
    for side in "bs"
    for place, what in enumerate("pqo")
    for level in range(LEVELS)
}
"""Where each number of the book stands in `Scrip.cells`: price, quantity and orders of each row, bids first."""

_PLACES: Mapping[str, tuple[Callable[[str], float], int, str]] = {
    **{theirs: (float, -1, ours) for theirs, ours in _NAMES.items()},
    **{theirs: (int, -1, ours) for theirs, ours in _COUNTS.items()},
    **{theirs: (int if cell % 3 else float, cell, "") for theirs, cell in _CELLS.items()},
}
"""By the wire's name: what makes a number of the text, and the cell of the book or the field of ours that it is."""

_MOST = 1e15
"""More than this of anything is damage."""
_NO_PRICE = 42_949_672
"""An order at the opening price stands in the book with 42949672.95 for a price: it has none to show."""
_EPOCH = "05:30:00"
"""The time of a last trade that never was: 1970 in India."""
_DAY = 86_400


class Scrip:
    """What is known of one instrument. `whole` says that a snapshot was among it."""

    __slots__ = ("cells", "fields", "heard", "whole")

    def __init__(self, whole: bool) -> None:
        self.whole = whole
        self.fields: Fields = {}
        self.cells: list[Any] = [0.0, 0, 0] * (2 * LEVELS)
        self.heard = 0
        """The newest time of the feed, in epoch seconds."""

    def add(self, frame: Mapping[str, Any]) -> None:
        """Take what a frame tells, or nothing of it where it is damaged (DecodeError)."""
        # The hot path: one look-up for each name. A sum of all numbers tells whether each of them is one.
        fields: dict[str, Any] = {**self.fields}
        cells = self.cells.copy()
        total = 0.0
        find = _PLACES.get
        try:
            for name, text in frame.items():
                if (place := find(name)) is not None:
                    convert, cell, field = place
                    value = convert(text)
                    total += value
                    if cell < 0:
                        fields[field] = value
                    else:
                        cells[cell] = value
            heard = int(frame.get("ft") or self.heard)
            if not (-_MOST < total < _MOST and 0 <= heard < _MOST):
                raise ValueError("a number beyond belief")
            traded = frame.get("ltt")
            if traded and traded != _EPOCH and heard:
                fields["ltt"] = _moment(traded, heard) * 1000
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            raise DecodeError(f"damaged numbers: {error}") from error
        self.heard, self.fields, self.cells = heard, cast(Fields, fields), cells

    def patch(self, key: Key, *, book: bool, told: bool = True) -> Patch:
        """All that is known, with the time of the feed where the frame `told` one."""
        fields = self.fields.copy()
        if told:
            fields["timestamp"] = self.heard * 1000
        return Patch(key, fields, self._depth() if book else None, self.whole)

    def _depth(self) -> Depth:
        (
            p0, q0, n0, p1, q1, n1, p2, q2, n2, p3, q3, n3, p4, q4, n4,
            p5, q5, n5, p6, q6, n6, p7, q7, n7, p8, q8, n8, p9, q9, n9,
        ) = self.cells  # fmt: skip
        row = DepthLevel
        buy = [row(p0, q0, n0), row(p1, q1, n1), row(p2, q2, n2), row(p3, q3, n3), row(p4, q4, n4)]
        sell = [row(p5, q5, n5), row(p6, q6, n6), row(p7, q7, n7), row(p8, q8, n8), row(p9, q9, n9)]
        if not (q0 and q1 and q2 and q3 and q4 and q5 and q6 and q7 and q8 and q9) or p0 > _NO_PRICE or p5 > _NO_PRICE:
            return Depth(_filled(buy), _filled(sell))
        return Depth(buy, sell)


def _filled(rows: list[DepthLevel]) -> list[DepthLevel]:
    return [row for row in rows if row.quantity and row.price < _NO_PRICE]


def _moment(clock: str, heard: int) -> int:
    """A time of the day as an epoch second: the last one before the feed's own time, or as good as that."""
    midnight = (heard + IST_SECONDS) // _DAY * _DAY - IST_SECONDS
    at = midnight + _seconds(clock)
    return at if at <= heard + 60 else at - _DAY


@lru_cache(maxsize=4096)
def _seconds(clock: str) -> int:
    """``14:05:59``. Raises ValueError."""
    hours, minutes, seconds = clock.split(":")
    found = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    if not 0 <= found < _DAY:
        raise ValueError(f"no time of the day: {clock}")
    return found
