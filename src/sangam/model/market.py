"""Market data: what a frame tells (`Patch`) and what is known (`Last`).

Prices are floats in rupees, made from the wire's integers by one division; quantities are integers; times are
epoch milliseconds. A field that a frame does not tell is absent, never zero."""

from collections.abc import Hashable
from typing import TypedDict

import msgspec

Key = Hashable
"""How a stream's frames name an instrument (a token, a (segment, id) pair, a topic): each stream defines its own."""


class Fields(TypedDict, total=False):
    """The unified names of everything but the book. `close` is the previous day's close."""

    ltp: float
    ltt: int
    timestamp: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    oi: int
    last_trade_quantity: int
    avg_trade_price: float
    total_buy_quantity: int
    total_sell_quantity: int
    oi_day_high: int
    oi_day_low: int
    upper_circuit: float
    lower_circuit: float
    bid_price: float
    bid_size: int
    ask_price: float
    ask_size: int


class DepthLevel(msgspec.Struct, gc=False):
    """One row of the book. `orders` is 0 where the broker does not tell it."""

    price: float
    quantity: int
    orders: int = 0


class Depth(msgspec.Struct):
    """Both sides of the book, best first, without empty rows."""

    buy: list[DepthLevel]
    sell: list[DepthLevel]


class Patch(msgspec.Struct, gc=False):
    """What one frame tells of one instrument.

    `full` means that the frame tells everything its level carries: what it leaves out is really gone
    (an emptied book), so the merge replaces instead of updating."""

    key: Key
    fields: Fields
    depth: Depth | None = None
    full: bool = False
