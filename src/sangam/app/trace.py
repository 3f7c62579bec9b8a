"""Traces on demand: every update of one instrument, or every message from and to the clients of one API key.

A trace puts itself into the way of what it tells and takes itself out again: who is not traced pays nothing. Its lines
go to the log, under ``sangam.trace``, and are kept for a while for who asked."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import msgspec

from sangam.accounts.verbs import Verbs
from sangam.feed.trace import Tell
from sangam.logs import redactor
from sangam.model.clock import Clock
from sangam.model.enums import Exchange
from sangam.model.errors import InvalidInput

log = logging.getLogger("sangam.trace")
log.setLevel(logging.INFO)  # who starts a trace wants its lines, whatever the level of the rest

MAX_LINES = 200
"""What one trace tells in a second; the rest is counted."""
MAX_TRACES = 10
MAX_SECONDS = 3600
_KEPT = 1000


class Target(NamedTuple):
    """An instrument, or the clients of a key: then there is no exchange."""

    exchange: str
    name: str

    def __str__(self) -> str:
        return f"{self.exchange or 'key'}:{self.name}"


def parse(text: str) -> Target:
    """``EXCHANGE:SYMBOL`` or ``key:ID``; raises InvalidInput."""
    kind, _, name = text.strip().partition(":")
    if name and kind.casefold() == "key":
        return Target("", name)
    if not name or kind.upper() not in Exchange.__members__:
        raise InvalidInput(f"'{text}' cannot be traced: give EXCHANGE:SYMBOL (NSE:SBIN), or key:ID of an API key.")
    return Target(kind.upper(), name.upper())


def targets(wanted: Iterable[str]) -> list[Target]:
    """Of what ``--trace`` asks for, that which has a colon. Raises InvalidInput."""
    return [parse(text) for text in wanted if ":" in text]


def detail(wanted: Iterable[str]) -> None:
    """Of what ``--trace`` asks for, the names of parts: they log in detail from now on."""
    for part in wanted:
        if ":" not in part:
            logging.getLogger(f"sangam.{part.removeprefix('sangam.')}").setLevel(logging.DEBUG)


class Instruments(Protocol):
    """Where an instrument passes."""

    def trace(self, symbol: str, exchange: str, tell: Tell | None) -> None: ...


class Clients(Instruments, Protocol):
    """Where clients are served."""

    def trace_key(self, key_id: str, tell: Tell | None) -> None: ...


class _Trace:
    """The lines of one trace. `until` is epoch milliseconds; None for ever."""

    def __init__(self, target: Target, clock: Clock) -> None:
        self.target = target
        self.until: int | None = None
        self.open = True
        self.ending: asyncio.TimerHandle | None = None
        self.next = 0
        self.kept: deque[tuple[int, str]] = deque(maxlen=_KEPT)
        self._clock = clock
        self._second = 0
        self._told = 0

    def tell(self, line: Callable[[], str]) -> None:
        second = int(self._clock.monotonic())
        if second != self._second:
            left_out, self._second, self._told = self._told - MAX_LINES, second, 0
            if left_out > 0:
                self._put(f"... {left_out} more in that second are not shown")
        self._told += 1
        if self._told <= MAX_LINES:
            self._put(line())

    def _put(self, text: str) -> None:
        log.info("%s %s", self.target, text)
        self.kept.append((self._clock.now_ms(), redactor(text)))
        self.next += 1

    def after(self, number: int) -> list[tuple[int, str]]:
        """Time (epoch ms) and text of the lines from this number on, as far as they are kept."""
        count = min(self.next - number, len(self.kept))
        return list(self.kept)[-count:] if count > 0 else []


class _Name(msgspec.Struct, forbid_unknown_fields=True):
    what: str


class _Start(_Name):
    seconds: float = 30.0


class _Lines(_Name):
    after: int = 0


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class Tracer(Verbs):
    """`feed` and `gateway` are what of them is in this process. `call` runs a verb; all errors are SangamErrors."""

    def __init__(self, clock: Clock, feed: Instruments | None, gateway: Clients | None) -> None:
        self._clock = clock
        self._feed = feed
        self._gateway = gateway
        self._traces: dict[Target, _Trace] = {}
        super().__init__(
            {
                "trace/start": (_Start, self._start),
                "trace/stop": (_Name, self._stop),
                "trace/list": (_Nothing, self._list),
                "trace/lines": (_Lines, self._lines),
            }
        )

    def start_all(self, targets: Iterable[Target]) -> None:
        """From the command line: for ever, as far as they can be seen from this process."""
        for target in targets:
            if target.exchange or self._gateway is not None:
                self._open(target, None)

    def close(self) -> None:
        for trace in self._traces.values():
            self._end(trace)

    # --- verbs --------------------------------------------------------------------------------------------------------

    def _start(self, wanted: _Start) -> dict[str, Any]:
        target = parse(wanted.what)
        if not 0 < wanted.seconds <= MAX_SECONDS:
            raise InvalidInput(f"A trace lasts up to {MAX_SECONDS} seconds, not {wanted.seconds:g}.")
        if not target.exchange and self._gateway is None:
            raise InvalidInput(
                f"The clients of a split server are in other processes: sangam serve --split --trace {target}"
            )
        return _row(self._open(target, wanted.seconds))

    def _stop(self, wanted: _Name) -> dict[str, Any]:
        trace = self._find(wanted)
        self._end(trace)
        return _row(trace)

    def _list(self, wanted: _Nothing) -> dict[str, Any]:
        return {"traces": [_row(trace) for trace in self._traces.values() if trace.open]}

    def _lines(self, wanted: _Lines) -> dict[str, Any]:
        trace = self._find(wanted)
        return {**_row(trace), "lines": [{"at": at, "text": text} for at, text in trace.after(wanted.after)]}

    def _find(self, wanted: _Name) -> _Trace:
        trace = self._traces.get(parse(wanted.what))
        if trace is None:
            known = ", ".join(str(target) for target, trace in self._traces.items() if trace.open) or "nothing"
            raise InvalidInput(f"'{wanted.what}' is not traced. Traced now: {known}.")
        return trace

    # --- life of a trace ----------------------------------------------------------------------------------------------

    def _open(self, target: Target, seconds: float | None) -> _Trace:
        """A trace that is open already goes on, for as long as anybody asked."""
        until = None if seconds is None else self._clock.now_ms() + int(seconds * 1000)
        trace = self._traces.get(target)
        if trace is None or not trace.open:
            self._make_room(target)
            trace = self._traces[target] = _Trace(target, self._clock)
            self._reach(target, trace.tell)
        elif trace.until is None or (until is not None and until <= trace.until):
            return trace
        if trace.ending is not None:
            trace.ending.cancel()
        trace.until = until
        if seconds is not None:
            trace.ending = asyncio.get_running_loop().call_later(seconds, self._end, trace)
        return trace

    def _make_room(self, target: Target) -> None:
        """What has ended is kept until its place is needed."""
        self._traces.pop(target, None)
        if len(self._traces) >= MAX_TRACES:
            ended = next((target for target, trace in self._traces.items() if not trace.open), None)
            if ended is None:
                raise InvalidInput(f"{MAX_TRACES} traces are open; stop one.")
            del self._traces[ended]

    def _end(self, trace: _Trace) -> None:
        if trace.ending is not None:
            trace.ending.cancel()
        if trace.open:
            trace.open = False
            self._reach(trace.target, None)

    def _reach(self, target: Target, tell: Tell | None) -> None:
        exchange, name = target
        if exchange:
            for room in (self._feed, self._gateway):
                if room is not None:
                    room.trace(name, exchange, tell)
        elif self._gateway is not None:
            self._gateway.trace_key(name, tell)


def _row(trace: _Trace) -> dict[str, Any]:
    return {"what": str(trace.target), "open": trace.open, "until": trace.until, "next": trace.next}
