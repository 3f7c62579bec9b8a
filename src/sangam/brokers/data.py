"""What a broker answers when asked: instruments, quotes, candles."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec

from sangam.model.instrument import Instrument
from sangam.model.market import Patch

from .operation import Ctx, Operation, Session, done


class RowRefused(msgspec.Struct, frozen=True):
    """One row of a master file that was not taken, with a countable reason."""

    reason: str
    row: str = ""


@dataclass(frozen=True)
class Instruments:
    """How to get and read a broker's master: `download` yields the files, `parse` their rows.

    `parse` runs in a child process and goes there by pickle: a module's function, one with arguments bound by
    `functools.partial`, or the method of an object of plain data."""

    download: Callable[[Session, Ctx], Operation[list[bytes]]]
    parse: Callable[[Sequence[bytes]], Iterator[Instrument | RowRefused]]


def _none(session: Session, ctx: Ctx) -> Operation[list[bytes]]:
    return done([])


UNLISTED = Instruments(download=_none, parse=lambda files: iter(()))
"""Of a broker that gives no list: names pass as they are, and nothing but streaming is possible."""


class Candle(msgspec.Struct, frozen=True, gc=False):
    """One bar. `timestamp` is the epoch second (UTC) of its start; a daily bar starts at 00:00 UTC of its IST date."""

    timestamp: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    oi: int = 0


class Interval(msgspec.Struct, frozen=True):
    """A candle interval: the broker's own name, and how many days one request may span."""

    native: str
    days: int


def _no_quotes(instruments: Sequence[Instrument], session: Session, ctx: Ctx) -> Operation[list[Patch]]:
    return done([])


@dataclass(frozen=True)
class Data:
    """Market data over REST. `quotes` takes at most `quote_batch` instruments and answers with patches whose keys are
    those instruments; one that the broker does not know is missing. A batch of 0 says that the broker answers no
    quotes. Where it tells books to fewer at once than prices, `depth_batch` is how many instruments a call may have so
    that each patch has its book. `history` takes an instrument, a unified interval, and the first and last IST date
    within the interval's span, and answers in ascending order. `intervals` are keyed by the unified names (1m, 5m,
    D); `candle_oi` says that those of derivatives tell open interest."""

    quotes: Callable[[Sequence[Instrument], Session, Ctx], Operation[list[Patch]]] = _no_quotes
    quote_batch: int = 0
    history: Callable[[Instrument, str, date, date, Session, Ctx], Operation[list[Candle]]] | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    depth_batch: int | None = None
    candle_oi: bool = True
