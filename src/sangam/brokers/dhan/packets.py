"""The binary packets of the feeds (documents: Live Market Feed; Full Market Depth). Little-endian throughout.

Prices are floats of rupees, most of them of single precision: each is rounded to its segment's decimals. The last
quantity has 16 bits: of a trade of more than 65,535 it is the rest. Each decoder reads one packet that starts at `at`;
the caller has checked that its bytes are there."""

import struct
from collections.abc import Callable, Mapping

from sangam.brokers.floats import Rounded
from sangam.brokers.rows import filled
from sangam.model.clock import IST_SECONDS
from sangam.model.enums import Mode
from sangam.model.errors import DecodeError
from sangam.model.market import Depth, DepthLevel, Fields, Patch

from .tables import DECIMALS

_TICKER = struct.Struct("<BIfI").unpack_from
_QUOTE = struct.Struct("<BIfHIfIIIf4xff").unpack_from
_OI = struct.Struct("<BII").unpack_from
_CLOSE = struct.Struct("<BIf").unpack_from
_FULL = struct.Struct("<BIfHIfIIIIIIf4xff" + "IIHHff" * 5).unpack_from

_PRICES = {segment: Rounded(decimals) for segment, decimals in DECIMALS.items()}

_INDEX = 0
_SHARES = frozenset({1, 4})

_DAY = 86_400
_EARLIEST = 1_000_000_000
_DAWN, _OPENING = 11_700, 31_500
"""03:15 and 08:45, in seconds of a day."""
_SLACK = 3600

BEAT = 60
"""Seconds between two calls of `Clock.beat`."""


class Clock:
    """Last trade times. The documents call them epoch seconds; several clients saw India's wall clock in them, 5:30
    hours ahead of UTC, and until one proves what they are they are taken for that. No trade lies in the future: what is
    ahead of us by more than an hour is India's clock, and what would still be ahead then is no time at all. And nothing
    trades in India before 08:45, so a time of day from 03:15 to 08:45 is true UTC (08:45 to 14:15 in India), unless it
    was proved to be India's (simulated markets trade at night). A feed that tells true times and is first heard after
    14:15 is told 5:30 hours too early. `days` counts the midnights that trade times have passed."""

    __slots__ = ("_ahead", "_latest", "_midnight", "_proved", "days")

    def __init__(self, now_ms: int) -> None:
        self._ahead = IST_SECONDS
        self._proved = False
        self._latest = now_ms // 1000 + _SLACK
        self._midnight = self._end_of(now_ms // 1000 + IST_SECONDS)
        self.days = 0

    def beat(self) -> None:
        self._latest += BEAT

    def tell(self, fields: Fields, seconds: int) -> None:
        """Put a last trade time into `fields`, where there was a trade (there was none at 0, nor in 1980)."""
        if seconds < _EARLIEST:
            return
        if seconds > self._latest:
            if seconds - IST_SECONDS > self._latest:
                return
            self._ahead, self._proved = IST_SECONDS, True
        elif self._ahead and not self._proved and _DAWN <= seconds % _DAY < _OPENING:
            self._ahead = 0
        utc = seconds - self._ahead
        if utc + IST_SECONDS >= self._midnight:
            self._midnight = self._end_of(utc + IST_SECONDS)
            self.days += 1
        fields["ltt"] = utc * 1000

    @staticmethod
    def _end_of(seconds: int) -> int:
        return (seconds // _DAY + 1) * _DAY


def _ticker(data: bytes, at: int, clock: Clock) -> Patch:
    segment, token, ltp, ltt = _TICKER(data, at + 3)
    price = _prices(segment)
    fields: Fields = {"ltp": price[ltp]}
    clock.tell(fields, ltt)
    return Patch((segment, token), fields)


def _quote(data: bytes, at: int, clock: Clock) -> Patch:
    segment, token, ltp, ltq, ltt, average, volume, selling, buying, open_, high, low = _QUOTE(data, at + 3)
    price = _prices(segment)
    fields: Fields = {
        "ltp": price[ltp],
        "open": price[open_],
        "high": price[high],
        "low": price[low],
    }
    if segment != _INDEX:
        fields["volume"] = volume
        fields["last_trade_quantity"] = ltq
        fields["avg_trade_price"] = price[average]
        fields["total_buy_quantity"] = buying
        fields["total_sell_quantity"] = selling
    clock.tell(fields, ltt)
    return Patch((segment, token), fields)


def _oi(data: bytes, at: int, clock: Clock) -> Patch:
    segment, token, oi = _OI(data, at + 3)
    _prices(segment)
    return Patch((segment, token), {"oi": oi})


def _close(data: bytes, at: int, clock: Clock) -> Patch:
    """The previous day's; the day's own, which other packets have, is 0 until the market has closed."""
    segment, token, close = _CLOSE(data, at + 3)
    price = _prices(segment)
    return Patch((segment, token), {"close": price[close]})


def _full(data: bytes, at: int, clock: Clock) -> Patch:
    # The hot path: one unpack, one dict, the book built in place. b, a: quantity; m, n: orders; p, q: price.
    (
        segment, token, ltp, ltq, ltt, average, volume, selling, buying, oi, oi_high, oi_low, open_, high, low,
        b0, a0, m0, n0, p0, q0, b1, a1, m1, n1, p1, q1, b2, a2, m2, n2, p2, q2, b3, a3, m3, n3, p3, q3,
        b4, a4, m4, n4, p4, q4,
    ) = _FULL(data, at + 3)  # fmt: skip
    price = _prices(segment)
    if segment == _INDEX:
        fields: Fields = {"ltp": price[ltp], "open": price[open_], "high": price[high], "low": price[low]}
        clock.tell(fields, ltt)
        return Patch((segment, token), fields, Depth([], []))
    fields = {
        "ltp": price[ltp],
        "open": price[open_],
        "high": price[high],
        "low": price[low],
        "volume": volume,
        "last_trade_quantity": ltq,
        "avg_trade_price": price[average],
        "total_buy_quantity": buying,
        "total_sell_quantity": selling,
    }
    clock.tell(fields, ltt)
    if segment not in _SHARES:
        fields["oi"] = oi
        if oi_high:  # told of NSE's derivatives only
            fields["oi_day_high"] = oi_high
            fields["oi_day_low"] = oi_low
    row = DepthLevel
    buy = [row(price[p0], b0, m0), row(price[p1], b1, m1), row(price[p2], b2, m2), row(price[p3], b3, m3),
           row(price[p4], b4, m4)]  # fmt: skip
    sell = [row(price[q0], a0, n0), row(price[q1], a1, n1), row(price[q2], a2, n2), row(price[q3], a3, n3),
            row(price[q4], a4, n4)]  # fmt: skip
    if not (b0 and b1 and b2 and b3 and b4 and a0 and a1 and a2 and a3 and a4):
        buy, sell = filled(buy), filled(sell)
    return Patch((segment, token), fields, Depth(buy, sell))


def _prices(segment: int) -> Rounded:
    try:
        return _PRICES[segment]
    except KeyError:
        raise DecodeError(f"segment {segment} is not known") from None


DECODERS: Mapping[int, tuple[int, Callable[[bytes, int, Clock], Patch], Mode]] = {
    2: (16, _ticker, Mode.LTP),
    4: (50, _quote, Mode.QUOTE),
    5: (12, _oi, Mode.LTP),
    6: (16, _close, Mode.LTP),
    8: (162, _full, Mode.DEPTH),
}
"""Length and reader of each packet that tells prices, and the least mode that brings it, by its code."""

DISCONNECT = 50

# --- deep books -------------------------------------------------------------------------------------------------------

BIDS, ASKS = 41, 51
DEEP_HEADER = struct.Struct("<HBBiI")
"""Length, code, segment, security id, and the number of rows (of 20 levels: a number to be ignored)."""
_ROWS = struct.Struct("<dII")


def side(rows: bytes, segment: int) -> list[DepthLevel]:
    """One side of a deep book, best first."""
    price = _prices(segment)
    return filled([DepthLevel(price[raw], quantity, orders) for raw, quantity, orders in _ROWS.iter_unpack(rows)])
