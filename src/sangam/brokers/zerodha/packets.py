"""The ticker's binary packets (Kite Connect docs: WebSocket streaming, message structure). Big-endian throughout.

Each decoder reads one packet that starts at `at`; the caller has checked that its bytes are there. All words are
unsigned, as in the official SDK; times are seconds and become milliseconds, 0 means none."""

import struct
from collections.abc import Callable, Mapping

from sangam.brokers.rows import filled
from sangam.model.market import Depth, DepthLevel, Fields, Patch

from .tables import DIVISORS

_LTP = struct.Struct(">2I").unpack_from
_INDEX_QUOTE = struct.Struct(">6I").unpack_from
_INDEX_FULL = struct.Struct(">6I4xI").unpack_from
_QUOTE = struct.Struct(">11I").unpack_from
_FULL = struct.Struct(">16I" + "IIH2x" * 10).unpack_from

_divisor = DIVISORS.get


def _ltp(data: bytes, at: int) -> Patch:
    token, ltp = _LTP(data, at)
    return Patch(token, {"ltp": ltp / _divisor(token & 0xFF, 100.0)}, None, True)


def _index_quote(data: bytes, at: int) -> Patch:
    token, ltp, high, low, open_, close = _INDEX_QUOTE(data, at)
    div = _divisor(token & 0xFF, 100.0)
    fields: Fields = {
        "ltp": ltp / div,
        "open": open_ / div,
        "high": high / div,
        "low": low / div,
        "close": close / div,
    }
    return Patch(token, fields, None, True)


def _index_full(data: bytes, at: int) -> Patch:
    patch = _index_quote(data, at)
    patch.depth = Depth([], [])  # in full mode even an index tells its book: there is none
    if seconds := _INDEX_FULL(data, at)[6]:
        patch.fields["timestamp"] = seconds * 1000
    return patch


def _quote(data: bytes, at: int) -> Patch:
    token, ltp, last_quantity, average, volume, buying, selling, open_, high, low, close = _QUOTE(data, at)
    div = _divisor(token & 0xFF, 100.0)
    fields: Fields = {
        "ltp": ltp / div,
        "open": open_ / div,
        "high": high / div,
        "low": low / div,
        "close": close / div,
        "volume": volume,
        "last_trade_quantity": last_quantity,
        "avg_trade_price": average / div,
        "total_buy_quantity": buying,
        "total_sell_quantity": selling,
    }
    return Patch(token, fields, None, True)


def _full(data: bytes, at: int) -> Patch:
    # The hot path: one unpack, one dict, the book built in place. q, p, n: quantity, price, orders; 0-4 buy, 5-9 sell.
    (
        token, ltp, last_quantity, average, volume, buying, selling, open_, high, low, close, ltt, oi, oi_high, oi_low,
        timestamp, q0, p0, n0, q1, p1, n1, q2, p2, n2, q3, p3, n3, q4, p4, n4,
        q5, p5, n5, q6, p6, n6, q7, p7, n7, q8, p8, n8, q9, p9, n9,
    ) = _FULL(data, at)  # fmt: skip
    div = _divisor(token & 0xFF, 100.0)
    fields: Fields = {
        "ltp": ltp / div,
        "open": open_ / div,
        "high": high / div,
        "low": low / div,
        "close": close / div,
        "volume": volume,
        "oi": oi,
        "last_trade_quantity": last_quantity,
        "avg_trade_price": average / div,
        "total_buy_quantity": buying,
        "total_sell_quantity": selling,
        "oi_day_high": oi_high,
        "oi_day_low": oi_low,
    }
    if ltt:
        fields["ltt"] = ltt * 1000
    if timestamp:
        fields["timestamp"] = timestamp * 1000
    row = DepthLevel
    buy = [row(p0 / div, q0, n0), row(p1 / div, q1, n1), row(p2 / div, q2, n2), row(p3 / div, q3, n3),
           row(p4 / div, q4, n4)]  # fmt: skip
    sell = [row(p5 / div, q5, n5), row(p6 / div, q6, n6), row(p7 / div, q7, n7), row(p8 / div, q8, n8),
            row(p9 / div, q9, n9)]  # fmt: skip
    if not (q0 and q1 and q2 and q3 and q4 and q5 and q6 and q7 and q8 and q9):
        buy, sell = filled(buy), filled(sell)
    return Patch(token, fields, Depth(buy, sell), True)


DECODERS: Mapping[int, Callable[[bytes, int], Patch]] = {
    8: _ltp,
    28: _index_quote,
    32: _index_full,
    44: _quote,
    184: _full,
}
"""By length in bytes, which alone tells a packet's kind."""
