"""The feed's binary packets (portal: Decoding guide; official BridgePy and BridgeNode). Little-endian and packed; its
topic tells what a packet is of, its length how it is laid out.

Prices are whole numbers that the packet's own divisor makes rupees; a divisor of 0 is 100."""

import struct
from typing import cast

from sangam.brokers.rows import filled
from sangam.model.enums import Mode
from sangam.model.errors import DecodeError
from sangam.model.market import Depth, DepthLevel, Fields, Key, Patch

_MARKET = struct.Struct("<iII5i18xIIii" + "IihH" * 10).unpack_from
_PRICE = struct.Struct("<i54xii").unpack_from
_INDEX = struct.Struct("<3xI4xIi").unpack_from
_INTEREST = struct.Struct("<3i").unpack_from

MARKET_SIZES = (186, 188)
"""The last two bytes are padding."""
INDEX_SIZE = 19
INTEREST_SIZE = 16

_MODE_LTP, _MODE_DEPTH = Mode.LTP, Mode.DEPTH
_OF_TRADES = ("volume", "last_trade_quantity", "avg_trade_price", "total_buy_quantity", "total_sell_quantity")


def price(key: Key, data: bytes, mode: Mode, bookless: bool) -> Patch:
    """A packet of prices, as much of it as the mode needs; `bookless` is what nobody trades. Raises DecodeError."""
    if len(data) == INDEX_SIZE:
        return _index(key, data)
    if len(data) not in MARKET_SIZES:
        raise DecodeError(f"{len(data)} bytes are no packet of prices")
    if mode is _MODE_LTP:
        ltp, divisor, traded = _PRICE(data)
        fields: Fields = {"ltp": ltp / (float(divisor) if divisor > 0 else 100.0)}
        if traded > 0:
            fields["ltt"] = traded * 1000
        return Patch(key, fields)
    return _market(key, data, mode, bookless)


def _market(key: Key, data: bytes, mode: Mode, bookless: bool) -> Patch:
    # The hot path: one unpack, one dict, the book built in place. q, p, n, _: quantity, price, orders, side.
    (
        ltp, last_quantity, volume, high, low, open_, close, average, buying, selling, divisor, traded,
        q0, p0, n0, _, q1, p1, n1, _, q2, p2, n2, _, q3, p3, n3, _, q4, p4, n4, _,
        q5, p5, n5, _, q6, p6, n6, _, q7, p7, n7, _, q8, p8, n8, _, q9, p9, n9, _,
    ) = _MARKET(data)  # fmt: skip
    div = float(divisor) if divisor > 0 else 100.0
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
        "ltt": traded * 1000,
    }
    if traded <= 0:
        del fields["ltt"]
    if bookless:
        return Patch(key, cast(Fields, {name: value for name, value in fields.items() if name not in _OF_TRADES}))
    if mode is not _MODE_DEPTH:
        return Patch(key, fields)
    row = DepthLevel
    buy = [row(p0 / div, q0, n0), row(p1 / div, q1, n1), row(p2 / div, q2, n2), row(p3 / div, q3, n3),
           row(p4 / div, q4, n4)]  # fmt: skip
    sell = [row(p5 / div, q5, n5), row(p6 / div, q6, n6), row(p7 / div, q7, n7), row(p8 / div, q8, n8),
            row(p9 / div, q9, n9)]  # fmt: skip
    if not (q0 and q1 and q2 and q3 and q4 and q5 and q6 and q7 and q8 and q9):
        buy, sell = filled(buy), filled(sell)
    return Patch(key, fields, Depth(buy, sell))


def _index(key: Key, data: bytes) -> Patch:
    """The short record of an index: its value, and the close before."""
    value, close, divisor = _INDEX(data)
    div = float(divisor) if divisor > 0 else 100.0
    return Patch(key, {"ltp": value / div, "close": close / div})


def interest(key: Key, data: bytes) -> Patch:
    """Open interest, which has a topic of its own. Raises DecodeError."""
    if len(data) != INTEREST_SIZE:
        raise DecodeError(f"{len(data)} bytes are no packet of open interest")
    oi, high, low = _INTEREST(data)
    return Patch(key, {"oi": oi, "oi_day_high": high, "oi_day_low": low})
