"""A price as the paper book sees it: exact, and only what may be traded on."""

from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

import msgspec

from sangam.model.enums import Action
from sangam.prices.last import Last

ZERO = Decimal(0)


class Row(NamedTuple):
    price: Decimal
    quantity: int


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """Rupees; zero is unknown (or an empty side). `bids` and `asks` are the visible book, best first, None where it is
    not known. `stamp` differs whenever something traded in between; `last_quantity` is the last trade's size."""

    ltp: Decimal
    bid: Decimal = ZERO
    ask: Decimal = ZERO
    bids: tuple[Row, ...] | None = None
    asks: tuple[Row, ...] | None = None
    stamp: tuple[object, ...] = ()
    last_quantity: int = 0

    def touch(self, action: Action) -> Decimal:
        """What an order of this side would meet at best; the last price where the book is unknown."""
        return (self.ask if action is Action.BUY else self.bid) or self.ltp

    def rows(self, action: Action) -> tuple[Row, ...] | None:
        return self.asks if action is Action.BUY else self.bids


def read(last: Last | None, since_ms: int) -> Quote | None:
    """What of a price may be traded on: None where nothing is known, where the last news are older than `since_ms`
    (another session's), or where the last price lies outside its own day's range. A last trade of another session is
    no price either, but the book beside it is."""
    if last is None or last.received_at is None or last.received_at < since_ms:
        return None
    fields = last.fields
    if fields.get("timestamp", 0) < since_ms:
        return None
    ltp = fields.get("ltp", 0.0)
    low, high = fields.get("low", 0.0), fields.get("high", 0.0)
    if ltp <= 0 or fields.get("ltt", since_ms) < since_ms:
        ltp = 0.0
    elif 0 < high < ltp or ltp < low:
        return None
    depth = last.depth
    return Quote(
        ltp=exact(ltp),
        bid=exact(fields.get("bid_price", 0.0)),
        ask=exact(fields.get("ask_price", 0.0)),
        bids=None if depth is None else tuple(Row(exact(row.price), row.quantity) for row in depth.buy),
        asks=None if depth is None else tuple(Row(exact(row.price), row.quantity) for row in depth.sell),
        stamp=(ltp, fields.get("ltt"), fields.get("volume")),
        last_quantity=fields.get("last_trade_quantity", 0),
    )


@lru_cache(maxsize=8192)
def exact(price: float) -> Decimal:
    """The shortest decimal that reads as this float: what the exchange meant. Prices come again at every tick."""
    return Decimal(repr(price))
