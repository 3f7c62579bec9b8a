"""A market's own record: its trades of today as minute bars."""

import struct
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from sangam.model.clock import IST, IST_SECONDS


class Bar(NamedTuple):
    """`time` is the epoch second of its start (of a day: 00:00 UTC of its date); prices are ticks."""

    time: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    oi: int

    def begins(self, daily: bool) -> datetime:
        """In IST, where a day begins at midnight."""
        return datetime.fromtimestamp(self.time - (IST_SECONDS if daily else 0), IST)


_PACKED = struct.Struct("<q4iqq")


class Tape:
    """Packed, because every market that somebody watches has one: 40 bytes for a minute in which it traded.

    The first bar begins at the day's opening price, so that all of them together are the day."""

    def __init__(self, opening: int) -> None:
        self._packed = bytearray()
        self._minute = 0
        self._open = self._high = self._low = self._close = opening
        self._volume = self._oi = 0

    def add(self, price: int, quantity: int, oi: int, now_ms: int) -> None:
        if (minute := now_ms // 60_000) != self._minute:
            if self._minute:
                self._packed += _PACKED.pack(*self._bar())
                self._open = self._high = self._low = price
                self._volume = 0
            self._minute = minute
        self._high = max(self._high, price)
        self._low = min(self._low, price)
        self._close = price
        self._volume += quantity
        self._oi = oi

    def bars(self) -> Iterator[Bar]:
        """Oldest first; the last one is still open."""
        yield from map(Bar._make, _PACKED.iter_unpack(bytes(self._packed)))
        if self._minute:
            yield self._bar()

    def _bar(self) -> Bar:
        return Bar(self._minute * 60, self._open, self._high, self._low, self._close, self._volume, self._oi)
