"""The feed's packets (SDK pocketful 0.1.2: packetDecoder). Big-endian, one to a frame: mode, exchange and token, six
bytes in all, and what the mode tells.

All numbers are unsigned; prices are whole numbers of the exchange's scale, times seconds, and 0 means none."""

import struct
from collections.abc import Callable, Mapping

from sangam.brokers.rows import filled
from sangam.model.market import Depth, DepthLevel, Fields, Patch

from .tables import CASH_CODES, COMPACT, MARKET_DATA, SNAPQUOTE

HEAD = struct.Struct(">xBI").unpack_from
_QUOTE = struct.Struct(">6x8I2Q12I").unpack_from
_COMPACT = struct.Struct(">6xI4x7I").unpack_from
_SNAP = struct.Struct(">6x35I2QI").unpack_from

SIZES: Mapping[int, frozenset[int]] = {
    MARKET_DATA: frozenset({102}),
    COMPACT: frozenset({42, 46}),  # what the last four bytes of the longer one mean is not known
    SNAPQUOTE: frozenset({166}),
}
"""Bytes of a frame by its mode."""


def quote(data: bytes, key: tuple[int, int], scale: float) -> Patch:
    (
        ltp, ltt, last_quantity, volume, bid, bid_size, ask, ask_size, buying, selling, average, timestamp,
        open_, high, low, close, _, _, lower, upper, oi, _,
    ) = _QUOTE(data)  # fmt: skip
    fields: Fields = {
        "ltp": ltp / scale,
        "open": open_ / scale,
        "high": high / scale,
        "low": low / scale,
        "close": close / scale,
        "volume": volume,
        "last_trade_quantity": last_quantity,
        "avg_trade_price": average / scale,
        "total_buy_quantity": buying,
        "total_sell_quantity": selling,
    }
    if bid or bid_size:
        fields["bid_price"], fields["bid_size"] = bid / scale, bid_size
    if ask or ask_size:
        fields["ask_price"], fields["ask_size"] = ask / scale, ask_size
    if timestamp:
        fields["timestamp"] = timestamp * 1000
    return Patch(key, _more(fields, key[0], ltt, lower / scale, upper / scale, oi), None, True)


def compact(data: bytes, key: tuple[int, int], scale: float) -> Patch:
    """Without the bid and ask, which have no quantities here."""
    ltp, ltt, lower, upper, oi, _, _, _ = _COMPACT(data)
    return Patch(key, _more({"ltp": ltp / scale}, key[0], ltt, lower / scale, upper / scale, oi), None, True)


def snapquote(data: bytes, key: tuple[int, int], scale: float) -> Patch:
    """The book, and nothing of the last trade: what it has of the day comes beside it, with the last price."""
    # The hot path: one unpack, the book built in place. n, p, q: orders, price, quantity; 0-4 buy, 5-9 sell.
    (
        n0, n1, n2, n3, n4, p0, p1, p2, p3, p4, q0, q1, q2, q3, q4,
        n5, n6, n7, n8, n9, p5, p6, p7, p8, p9, q5, q6, q7, q8, q9,
        _, _, _, _, _, buying, selling, _,
    ) = _SNAP(data)  # fmt: skip
    row = DepthLevel
    buy = [row(p0 / scale, q0, n0), row(p1 / scale, q1, n1), row(p2 / scale, q2, n2), row(p3 / scale, q3, n3),
           row(p4 / scale, q4, n4)]  # fmt: skip
    sell = [row(p5 / scale, q5, n5), row(p6 / scale, q6, n6), row(p7 / scale, q7, n7), row(p8 / scale, q8, n8),
            row(p9 / scale, q9, n9)]  # fmt: skip
    if not (q0 and q1 and q2 and q3 and q4 and q5 and q6 and q7 and q8 and q9):
        buy, sell = filled(buy), filled(sell)
    return Patch(key, {"total_buy_quantity": buying, "total_sell_quantity": selling}, Depth(buy, sell))


def _more(fields: Fields, code: int, ltt: int, lower: float, upper: float, oi: int) -> Fields:
    """With what not every instrument has: shares have no open interest, indices no circuits."""
    if ltt:
        fields["ltt"] = ltt * 1000
    if upper:
        fields["lower_circuit"], fields["upper_circuit"] = lower, upper
    if code not in CASH_CODES:
        fields["oi"] = oi
    return fields


DECODERS: Mapping[int, Callable[[bytes, tuple[int, int], float], Patch]] = {
    MARKET_DATA: quote,
    COMPACT: compact,
    SNAPQUOTE: snapquote,
}
