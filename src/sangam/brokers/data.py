"""What a broker answers when asked: instruments, quotes, candles."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec

from sangam.model.instrument import Instrument
from sangam.model.market import Patch

from .operation import Ctx, Operation, Session


class RowRefused(msgspec.Struct, frozen=True):
    """One row of a master file that was not taken, with a countable reason."""

    reason: str
    row: str = ""


@dataclass(frozen=True)
class Instruments:
    """How to get and read a broker's master: `download` yields the files, `parse` their rows (in a child process)."""

    download: Callable[[Session, Ctx], Operation[list[bytes]]]
    parse: Callable[[Sequence[bytes]], Iterator[Instrument | RowRefused]]


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


@dataclass(frozen=True)
class Data:
    """Market data over REST. `quotes` takes at most `quote_batch` instruments and answers with patches whose keys are
    those instruments; one that the broker does not know is missing. `history` takes an instrument, a unified interval,
    and the first and last IST date within the interval's span, and answers in ascending order. `intervals` are keyed by
    the unified names (1m, 5m, D)."""

    quotes: Callable[[Sequence[Instrument], Session, Ctx], Operation[list[Patch]]]
    quote_batch: int
    history: Callable[[Instrument, str, date, date, Session, Ctx], Operation[list[Candle]]] | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)
