"""The feed's binary packets (SmartAPI docs: WebSocket streaming 2.0). Little-endian, one to a message: mode, exchange
type and token, 27 bytes in all, and what the mode tells.

A key is the exchange type's byte with the token's text behind it. Prices are whole numbers of the segment's scale; the
time of a packet is milliseconds, that of the last trade seconds, and 0 means none."""

import struct
from collections.abc import Callable, Mapping
from typing import cast

from sangam.brokers.rows import filled
from sangam.model.errors import DecodeError
from sangam.model.market import Depth, DepthLevel, Fields, Patch

from .tables import CURRENCY, EXCHANGE_TYPES

_LTP = struct.Struct("<8xqq").unpack_from
_QUOTE = struct.Struct("<8x5q2d4q").unpack_from
_SNAP = struct.Struct("<8x5q2d4q2q8x" + "HqqH" * 10 + "2q").unpack_from
_TIME = struct.Struct("<q").unpack_from
_LEVELS = struct.Struct("<iih").iter_unpack

_HEAD = 27
_NSE, _BSE = EXCHANGE_TYPES["NSE"], EXCHANGE_TYPES["BSE"]

_MOST = 1e15
"""More than this of anything is damage."""

OF_TRADES = frozenset(
    {"volume", "last_trade_quantity", "avg_trade_price", "total_buy_quantity", "total_sell_quantity", "oi"}
    | {"upper_circuit", "lower_circuit"}
)
"""What an index has not, though its packet has a place for it."""


def key_of(exchange_type: int, token: str) -> bytes:
    return bytes((exchange_type,)) + token.encode()


def _ltp(data: bytes) -> Patch:
    time, ltp = _LTP(data, _HEAD)
    fields: Fields = {"ltp": ltp / (10_000_000.0 if data[1] == CURRENCY else 100.0), "timestamp": time}
    return _patch(data, fields, None)


def _quote(data: bytes) -> Patch:
    time, ltp, last_quantity, average, volume, buying, selling, open_, high, low, close = _QUOTE(data, _HEAD)
    div = 10_000_000.0 if data[1] == CURRENCY else 100.0
    if not (-_MOST < buying < _MOST and -_MOST < selling < _MOST):
        raise DecodeError("the sums of a book are no numbers")
    fields: Fields = {
        "ltp": ltp / div,
        "timestamp": time,
        "open": open_ / div,
        "high": high / div,
        "low": low / div,
        "close": close / div,
        "volume": volume,
        "last_trade_quantity": last_quantity,
        "avg_trade_price": average / div,
        "total_buy_quantity": int(buying),
        "total_sell_quantity": int(selling),
    }
    return _patch(data, fields, None)


def _snap(data: bytes) -> Patch:
    # The hot path: one unpack, one dict, the book built in place. f, q, p, n: flag, quantity, price, orders.
    (
        time, ltp, last_quantity, average, volume, buying, selling, open_, high, low, close, ltt, oi,
        f0, q0, p0, n0, f1, q1, p1, n1, f2, q2, p2, n2, f3, q3, p3, n3, f4, q4, p4, n4,
        f5, q5, p5, n5, f6, q6, p6, n6, f7, q7, p7, n7, f8, q8, p8, n8, f9, q9, p9, n9,
        upper, lower,
    ) = _SNAP(data, _HEAD)  # fmt: skip
    segment = data[1]
    div = 10_000_000.0 if segment == CURRENCY else 100.0
    if not (-_MOST < buying < _MOST and -_MOST < selling < _MOST):
        raise DecodeError("the sums of a book are no numbers")
    fields: Fields = {
        "ltp": ltp / div,
        "timestamp": time,
        "open": open_ / div,
        "high": high / div,
        "low": low / div,
        "close": close / div,
        "volume": volume,
        "oi": oi,
        "last_trade_quantity": last_quantity,
        "avg_trade_price": average / div,
        "total_buy_quantity": int(buying),
        "total_sell_quantity": int(selling),
        "upper_circuit": upper / div,
        "lower_circuit": lower / div,
        "ltt": ltt * 1000,
    }
    if segment in (_NSE, _BSE):
        del fields["oi"]  # that of a share is not its own
    if not 0 < ltt < 1e12:
        del fields["ltt"]
    row = DepthLevel
    buy = [row(p0 / div, q0, n0), row(p1 / div, q1, n1), row(p2 / div, q2, n2), row(p3 / div, q3, n3),
           row(p4 / div, q4, n4)]  # fmt: skip
    sell = [row(p5 / div, q5, n5), row(p6 / div, q6, n6), row(p7 / div, q7, n7), row(p8 / div, q8, n8),
            row(p9 / div, q9, n9)]  # fmt: skip
    if not (f0 and f1 and f2 and f3 and f4) or f5 or f6 or f7 or f8 or f9:
        sides = list(zip((f0, f1, f2, f3, f4, f5, f6, f7, f8, f9), buy + sell, strict=True))
        buy, sell = [each for flag, each in sides if flag], [each for flag, each in sides if not flag]
    if not (q0 and q1 and q2 and q3 and q4 and q5 and q6 and q7 and q8 and q9):
        buy, sell = filled(buy), filled(sell)
    return _patch(data, fields, Depth(buy, sell))


def _depth20(data: bytes) -> Patch:
    rows = [DepthLevel(price / 100.0, quantity, orders) for quantity, price, orders in _LEVELS(data[43:443])]
    return _patch(data, {"timestamp": _TIME(data, _HEAD)[0]}, Depth(filled(rows[:20]), filled(rows[20:])))


def _patch(data: bytes, fields: Fields, depth: Depth | None) -> Patch:
    """Without a time that is none, and without what an index has not: its token has eight digits that begin with
    999."""
    key = data[1:_HEAD].split(b"\0", 1)[0]
    if not 0 < fields["timestamp"] < _MOST:
        del fields["timestamp"]
    if not fields.get("volume") and len(key) == 9 and key.startswith(b"999", 1):
        fields = cast(Fields, {name: value for name, value in fields.items() if name not in OF_TRADES})
    return Patch(key, fields, depth, True)


DECODERS: Mapping[bytes, tuple[int, Callable[[bytes], Patch]]] = {
    b"\1": (51, _ltp),
    b"\2": (123, _quote),
    b"\3": (379, _snap),
    b"\4": (443, _depth20),
}
"""By mode: the length in bytes, and the decoder."""
