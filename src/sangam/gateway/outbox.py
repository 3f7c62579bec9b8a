"""One client's way out: its socket, its place in a cohort, and the backlog it has while it does not read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from sangam.model.order import OrderNews

from . import protocol

if TYPE_CHECKING:
    from .cohorts import Cohort
    from .lanes import Key, Lane


class Owner(Protocol):
    """Who sits behind an outbox."""

    def refused(self, lane: Lane, code: str, reason: str) -> None:
        """The feed cannot serve a want after all."""
        ...

    def cut(self, reason: str) -> None:
        """The client does not read and has too much waiting."""
        ...


class Outbox:
    """What the hub knows of a client. `lanes` are its subscriptions, `signature` the XOR of their tags.

    Data goes through `cohort` or, while the client is slow, through `backlog`. Other messages that must wait for the
    cohort's next write, to keep their place behind data already due, wait in `direct`. `held` are news of orders for a
    client that is still told what it missed."""

    __slots__ = (
        "announces",
        "backlog",
        "cohort",
        "conflated",
        "direct",
        "held",
        "lanes",
        "owner",
        "paused_at",
        "sent_before",
        "signature",
        "write",
    )

    def __init__(self, write: Callable[[bytes], object], owner: Owner) -> None:
        self.write = write
        self.owner = owner
        self.lanes: dict[Key, Lane] = {}
        self.signature = 0
        self.cohort: Cohort | None = None
        self.backlog: Backlog | None = None
        self.direct: list[bytes] = []
        self.held: list[OrderNews] = []
        self.paused_at: float | None = None
        self.announces = False
        self.conflated = 0
        self.sent_before = 0

    def reroute(self, write: Callable[[bytes], object]) -> None:
        """Write through another function from now on."""
        self.write = write
        if self.cohort is not None:
            self.cohort.members[self] = write

    @property
    def sent(self) -> int:
        """Messages written for this client so far."""
        return self.sent_before + (self.cohort.sent if self.cohort is not None else 0)


class Backlog:
    """What a client will be told once it reads again: its acks and order events in order, then the newest frame of
    each lane. Bounded in events and bytes; `overflows` turns true for good when a bound is passed."""

    __slots__ = ("_dropped", "_events", "_latest", "_max_bytes", "_max_events", "outbox", "overflows", "size")

    def __init__(self, outbox: Outbox, max_bytes: int, max_events: int) -> None:
        self.outbox = outbox
        self.size = 0
        self.overflows = False
        self._max_bytes = max_bytes
        self._max_events = max_events
        self._events: deque[bytes] = deque()
        self._latest: dict[Lane, bytes] = {}
        self._dropped: dict[Lane, int] = {}

    def __bool__(self) -> bool:
        return bool(self._events or self._latest)

    def put(self, lane: Lane, frame: bytes) -> None:
        """Keep the newest frame of a lane; it keeps the place in the queue of the one it replaces."""
        replaced = self._latest.get(lane)
        if replaced is not None:
            self.size -= len(replaced)
            self._dropped[lane] = self._dropped.get(lane, 0) + 1
        self._latest[lane] = frame
        self._grow(frame)

    def push(self, frame: bytes) -> None:
        """Keep a message that must not be lost or overtaken by another of its kind."""
        self._events.append(frame)
        self._grow(frame)

    def forget(self, lane: Lane) -> None:
        """The client no longer wants this lane."""
        frame = self._latest.pop(lane, None)
        if frame is not None:
            self.size -= len(frame)
        self._dropped.pop(lane, None)

    def latest(self, lane: Lane) -> bytes | None:
        return self._latest.get(lane)

    def take(self, limit: int) -> tuple[list[bytes], int]:
        """Remove frames worth at least `limit` bytes, as far as there are any; also how many updates they replace.

        On interval 0, where a client may count on every update, the gap is told first to those who asked for it."""
        frames: list[bytes] = []
        taken = conflated = 0
        while self._events and taken < limit:
            frame = self._events.popleft()
            frames.append(frame)
            taken += len(frame)
        while self._latest and taken < limit:
            lane = next(iter(self._latest))
            frame = self._latest.pop(lane)
            dropped = self._dropped.pop(lane, 0)
            conflated += dropped
            if dropped and self.outbox.announces and lane.interval == 0:
                frames.append(_announcement(lane, dropped))
            frames.append(frame)
            taken += len(frame)
        self.size -= taken
        return frames, conflated

    def _grow(self, frame: bytes) -> None:
        self.size += len(frame)
        if self.size > self._max_bytes or len(self._events) > self._max_events:
            self.overflows = True


def _announcement(lane: Lane, count: int) -> bytes:
    key = lane.key
    return protocol.text_frame(
        protocol.message("conflated", count=count, symbol=key.symbol, exchange=key.exchange, mode=key.mode)
    )
