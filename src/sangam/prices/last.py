"""The merged state of one instrument, per account."""

from typing import Literal

from sangam.model.enums import Mode
from sangam.model.market import Depth, Fields, Patch

_OF_THE_BOOK: tuple[Literal["bid_price", "bid_size", "ask_price", "ask_size"], ...] = (
    "bid_price",
    "bid_size",
    "ask_price",
    "ask_size",
)
_LTP, _QUOTE = Mode.LTP, Mode.QUOTE  # a member of an enumeration is slow to look up by its name


class Last:
    """`fields` always has a `timestamp` once anything is known: the exchange's, else when we heard of it.

    `received_at` (epoch ms) is when the newest frame came; None before the first. `whole` says that one stream alone
    feeds this instrument, so that a full frame may replace what is known instead of adding to it; `bookless` that there
    is no book to wait for: that of an index is empty, whether a wire says so or not."""

    __slots__ = ("bookless", "depth", "fields", "received_at", "whole")

    def __init__(self, whole: bool = True, bookless: bool = False) -> None:
        self.whole = whole
        self.bookless = bookless
        self.clear()

    def clear(self) -> None:
        """Forget everything: what was known belongs to another session, day or level."""
        self.fields: Fields = {}
        self.depth: Depth | None = None
        self.received_at: int | None = None

    def merge(self, patch: Patch, now_ms: int) -> None:
        """Take a frame's news. The patch is ours afterwards: its dict may become the state."""
        fields = patch.fields
        if "timestamp" not in fields:
            fields["timestamp"] = now_ms
        if patch.full and self.whole:
            self.fields = fields
            self.depth = patch.depth
        else:
            self.fields.update(fields)
            if patch.depth is not None:
                self.depth = patch.depth
        depth = self.depth
        if depth is not None:
            known = self.fields
            if depth.buy:
                best = depth.buy[0]
                known["bid_price"] = best.price
                known["bid_size"] = best.quantity
            else:
                known["bid_price"] = 0.0
                known["bid_size"] = 0
            if depth.sell:
                best = depth.sell[0]
                known["ask_price"] = best.price
                known["ask_size"] = best.quantity
            else:
                known["ask_price"] = 0.0
                known["ask_size"] = 0
        self.received_at = now_ms

    def narrow(self, mode: Mode) -> None:
        """The stream tells only this much from now on; what it no longer refreshes is forgotten."""
        if mode is not Mode.DEPTH and self.depth is not None:
            self.depth = None
            for name in _OF_THE_BOOK:
                del self.fields[name]
        if mode is Mode.LTP:
            known = self.fields
            self.fields = {}
            if "ltp" in known:
                self.fields["ltp"] = known["ltp"]
                self.fields["timestamp"] = known["timestamp"]
            if "ltt" in known:
                self.fields["ltt"] = known["ltt"]

    def tells(self, mode: Mode) -> bool:
        """Whether everything a client must not mistake for zero is known in this mode."""
        fields = self.fields
        if "ltp" not in fields:
            return False
        if mode is _LTP:
            return True
        if "open" not in fields or "high" not in fields or "low" not in fields or "close" not in fields:
            return False
        return mode is _QUOTE or self.depth is not None or self.bookless

    def age_ms(self, now_ms: int) -> int | None:
        return None if self.received_at is None else max(0, now_ms - self.received_at)
