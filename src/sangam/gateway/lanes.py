"""Lanes: a want at one send interval, with everybody who hears it; and the windows that hold updates back.

An update goes at once and opens a window; what comes within the window waits, the newer replacing the older; at the
window's end the newest goes and opens the next one. So the first price is never late and the last is never lost."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sangam.feed.port import Dialect
from sangam.feed.trace import Tell
from sangam.model.clock import Clock
from sangam.model.enums import Mode

from .protocol import text_frame
from .trace import traced_frame

if TYPE_CHECKING:
    from .chores import Timers
    from .cohorts import Cohort
    from .outbox import Backlog


class Key(NamedTuple):
    """What one client can hold once: symbol and exchange are as the client spelled them."""

    account: str
    symbol: str
    exchange: str
    mode: Mode


class Lane:
    """One want at one interval (milliseconds). `tag` is its random part in the hash of a client's set of lanes.

    `frame` makes the WebSocket frame of an update; a flat payload is a whole message already."""

    __slots__ = (
        "_plain",
        "backlogs",
        "broker",
        "cohorts",
        "frame",
        "interval",
        "key",
        "opens",
        "tag",
        "waiting",
        "want",
        "window",
    )

    def __init__(self, want: int, key: Key, interval: int, broker: str, dialect: Dialect) -> None:
        self.want = want
        self.key = key
        self.interval = interval
        self.broker = broker
        self.tag = secrets.randbits(128)
        self.cohorts: dict[Cohort, None] = {}
        self.backlogs: dict[Backlog, None] = {}
        self.window = False
        self.opens = 0.0
        self.waiting: bytes | None = None
        self._plain = self.frame = text_frame if dialect is Dialect.FLAT else _framer(key, broker)

    def trace(self, tell: Tell | None) -> None:
        """Tell each update that is framed from now on; None ends it."""
        self.frame = self._plain if tell is None else traced_frame(self, self._plain, tell)


def _framer(key: Key, broker: str) -> Callable[[bytes], bytes]:
    envelope = {"type": "market_data", "symbol": key.symbol, "exchange": key.exchange, "mode": int(key.mode)}
    head = msgspec.json.encode(envelope | {"broker": broker})[:-1] + b',"data":'

    def frame(payload: bytes) -> bytes:
        return text_frame(b"%b%b}" % (head, payload))

    return frame


class Windows:
    """The send windows of all lanes of one interval, ended by one timer.

    All windows are equally long, so those that opened first end first and a queue keeps them in order. Ends that lie
    closer together than `grain` seconds share a wake-up."""

    def __init__(
        self, interval_ms: int, deliver: Callable[[Lane, bytes], None], clock: Clock, timers: Timers, grain: float
    ) -> None:
        self._length = interval_ms / 1000
        self._deliver = deliver
        self._clock = clock
        self._timers = timers
        self._grain = grain
        self._open: deque[Lane] = deque()

    def offer(self, lane: Lane, payload: bytes) -> None:
        if lane.window:
            lane.waiting = payload
        else:
            self._send(lane, payload, self._clock.monotonic())

    def _send(self, lane: Lane, payload: bytes, now: float) -> None:
        lane.window = True
        lane.opens = now + self._length
        self._open.append(lane)
        self._deliver(lane, payload)
        if len(self._open) == 1:
            self._timers.call_later(self._length, self._end)

    def _end(self) -> None:
        now = self._clock.monotonic()
        due = now + 0.0005  # loops wake up a little early
        queue = self._open
        while queue and queue[0].opens <= due:
            lane = queue[0]
            lane.window = False
            payload, lane.waiting = lane.waiting, None
            if payload is not None:
                self._send(lane, payload, now)  # the queue still holds this lane, so no second timer starts
            queue.popleft()
        if queue:
            self._timers.call_later(max(queue[0].opens - now, self._grain), self._end)
