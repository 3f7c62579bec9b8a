"""What is listened to: wants and the instruments (lines) that serve them."""

from asyncio import TimerHandle
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from sangam.brokers.contract import Stream
from sangam.model.enums import Mode
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key
from sangam.prices.last import Last

from .port import Dialect, Granted, Pending, Refused
from .trace import Merge, Tell, Watch, traced, watched


class WantKey(NamedTuple):
    """Equal keys share one want. `symbol` is as the client spelt it, depth suffix included; `borrower` is the account
    that was asked where it is not the one that streams."""

    symbol: str
    exchange: str
    level: Level
    dialect: Dialect
    borrower: str = ""


class Want:
    """Something that at least one client listens to, or listened to a moment ago (`count` 0: lingering)."""

    __slots__ = (
        "count", "head", "id", "key", "leaving", "level", "line", "refusal", "seq", "simulated", "symbol", "waits_for",
    )  # fmt: skip

    def __init__(self, number: int, key: WantKey, simulated: bool = False) -> None:
        """`simulated` prices are those of our own exchange, and every payload says so."""
        self.id = number
        self.key = key
        self.simulated = simulated
        self.symbol = key.symbol
        self.level = key.level
        self.count = 0
        self.seq = 0
        self.head = b""
        self.line: Line | None = None
        self.refusal: Refused | None = None
        self.leaving: TimerHandle | None = None
        self.waits_for = ""

    def renew_head(self, epoch: int) -> None:
        """The constant start of this want's payloads, up to the value of ``seq``."""
        key = self.key
        start: dict[str, object] = {"symbol": key.symbol, "exchange": key.exchange, "mode": int(self.level.mode)}
        if self.simulated:
            start["simulated"] = True
        start["epoch"] = epoch
        self.head = msgspec.json.encode(start)[:-1] + b',"seq":'

    def answer(self) -> Granted | Pending | Refused:
        if self.refusal is not None:
            return self.refusal
        if self.line is None:
            return Pending(self.id, self.level, self.waits_for)
        return Granted(self.id, self.level)


class Part(NamedTuple):
    """One stream's share in serving a line."""

    stream: Stream
    key: Key
    level: Level


class Line:
    """One instrument that an account's sockets carry, with the wants it serves.

    `listened` holds only the wants with a client behind them; it is rebuilt on change and read on every tick. `merge`
    takes a patch into `last`."""

    __slots__ = ("epoch", "instrument", "last", "listened", "merge", "parts", "scale", "wants")

    def __init__(self, instrument: Instrument, epoch: int) -> None:
        self.instrument = instrument
        self.epoch = epoch
        self.last = Last(bookless=instrument.exchange.is_index)
        self.merge: Merge = self.last.merge
        self.scale = 10**instrument.decimals
        self.parts: tuple[Part, ...] = ()
        self.wants: list[Want] = []
        self.listened: tuple[Want, ...] = ()

    def add(self, want: Want) -> None:
        want.line = self
        want.renew_head(self.epoch)
        self.wants.append(want)
        self.relist()

    def remove(self, want: Want) -> None:
        want.line = None
        self.wants.remove(want)
        self.relist()

    def relist(self) -> None:
        self.listened = tuple(want for want in self.wants if want.count)

    def overhear(self, tell: Tell | None, watches: Iterable[Watch], account: str) -> None:
        """Tell each patch, and each time it was merged, from now on; none of either ends it."""
        merge: Merge = self.last.merge
        for watch in watches:
            merge = watched(merge, watch)
        self.merge = merge if tell is None else traced(merge, tell, account)

    def level(self) -> Level:
        """The least that satisfies all wants: the highest mode, and the deepest book if any asks for a book."""
        mode = max(want.level.mode for want in self.wants)
        if mode is not Mode.DEPTH:
            return Level(mode)
        return Level(mode, max(want.level.depth for want in self.wants if want.level.mode is Mode.DEPTH))

    @property
    def linger(self) -> float:
        """Seconds that its streams are kept after the last client left."""
        return max((part.stream.linger for part in self.parts), default=0.0)

    def discontinue(self, epoch: int, book_only: bool = False) -> None:
        """Something may have been missed: what was known is not shown as current, and clients see a new epoch. When it
        was the stream of the book alone, the other stream's news still stand."""
        self.epoch = epoch
        if book_only:
            self.last.narrow(Mode.QUOTE)
        else:
            self.last.clear()
        for want in self.wants:
            want.renew_head(epoch)


def plan(streams: tuple[Stream, ...], instrument: Instrument, level: Level) -> tuple[Part, ...]:
    """Which streams serve an instrument at a level; empty when none does.

    A stream that tells only the book is joined by one that tells the rest. Among several the first that is deep enough
    wins, so a broker lists its streams in the order it prefers them."""
    serving = [
        (stream, key)
        for stream in streams
        if stream.carries.serves(instrument, level) and (key := stream.key(instrument)) is not None
    ]
    if not serving:
        return ()
    stream, key = next(
        (each for each in serving if each[0].carries.granted(level).depth >= level.depth),
        max(serving, key=lambda each: each[0].carries.granted(level).depth),
    )
    part = Part(stream, key, stream.carries.granted(level))
    if not stream.carries.book_only:
        return (part,)
    others = tuple(other for other in streams if not other.carries.book_only)
    rest = plan(others, instrument, Level(Mode.QUOTE))
    return (part, *rest) if rest else ()
