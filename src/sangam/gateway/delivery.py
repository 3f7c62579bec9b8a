"""From a lane's frame to its clients' sockets: joined writes, cohorts, and the way of a slow client.

A frame is appended once per cohort and joined, with what else came within 3 ms, into one write per client. Nobody is
awaited and nothing is copied per client. A client whose socket is full leaves its cohort for a `Backlog` and comes
back when it has caught up; nobody else notices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sangam.model.clock import Clock
from sangam.model.histogram import STAGE_BOUNDS, Histogram

from .chores import Chores, Timers
from .cohorts import Cohort, Cohorts
from .lanes import Lane
from .outbox import Backlog, Outbox
from .protocol import text_frame
from .settings import GatewaySettings

_DRAIN_BYTES = 64 << 10


class Delivery:
    """Everything that is written to clients goes through here and is counted here."""

    def __init__(self, settings: GatewaySettings, clock: Clock, timers: Timers) -> None:
        self.chores = Chores(timers, clock)
        self.cohorts = Cohorts()
        self.messages = self.bytes = self.conflated = self.slow = 0
        self.written = Histogram(STAGE_BOUNDS)
        """Of each flush: from the first thing that was due in it until all of it was written."""
        self._settings = settings
        self._clock = clock
        self._timers = timers
        self._dirty: list[Cohort] = []
        self._flush_due = False
        self._due_since = 0.0
        self._next_flush = float("-inf")
        self._prompt: dict[Outbox, None] = {}
        self._late: list[Outbox] = []
        self._overflowing: dict[Outbox, None] = {}
        self._restless: dict[Outbox, float] = {}
        self._settle_due = False

    # Data

    def deliver(self, lane: Lane, payload: bytes) -> None:
        """An update for everybody on a lane: the hot path."""
        frame = lane.frame(payload)
        dirty = self._dirty
        for cohort in lane.cohorts:
            buffer = cohort.buffer
            if not buffer:
                dirty.append(cohort)
            buffer.append(frame)
        for backlog in lane.backlogs:
            backlog.put(lane, frame)
            if backlog.overflows:
                self._overflowing[backlog.outbox] = None
        if not self._flush_due:
            self._flush_later()

    def put(self, outbox: Outbox, lane: Lane, frame: bytes) -> None:
        """Data for one client only: a snapshot of a lane it has just been attached to."""
        if outbox.backlog is not None:
            outbox.backlog.put(lane, frame)
        else:
            self._append(self._own_cohort(outbox), frame)
            self._flush_later()

    def _append(self, cohort: Cohort, frame: bytes) -> None:
        if not cohort.buffer:
            self._dirty.append(cohort)
        cohort.buffer.append(frame)

    def _flush_later(self) -> None:
        """At once after a rest, else `join_seconds` after the last flush ended, however long it took: the loop has
        other work too."""
        if self._flush_due:
            return
        self._flush_due = True
        self._due_since = self._clock.monotonic()
        wait = self._next_flush - self._due_since
        if wait > 0:
            self._timers.call_later(wait, self._flush)
        else:
            self._timers.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        dirty, self._dirty = self._dirty, []
        for cohort in dirty:
            self._write(cohort)
        if self._late:
            late, self._late = self._late, []
            for outbox in late:
                self._write_direct(outbox)
        if self._overflowing:
            overflowing, self._overflowing = self._overflowing, {}
            for outbox in overflowing:
                outbox.owner.cut("too much waiting")
        now = self._clock.monotonic()
        self.written.add(now - self._due_since)
        self._next_flush = now + self._settings.join_seconds

    def _write(self, cohort: Cohort) -> None:
        buffer = cohort.buffer
        if not buffer:
            return
        data = b"".join(buffer)
        messages = len(buffer)
        buffer.clear()
        cohort.sent += messages
        self.messages += messages * len(cohort.members)
        self.bytes += len(data) * len(cohort.members)
        for write in cohort.members.values():
            write(data)

    # Other messages

    def send(self, outboxes: Iterable[Outbox], message: bytes) -> None:
        """Replies and events: behind the data already due to a client, joined per turn of the loop."""
        frame = text_frame(message)
        for outbox in outboxes:
            self._send(outbox, frame)

    def _send(self, outbox: Outbox, frame: bytes) -> None:
        cohort = outbox.cohort
        if outbox.backlog is not None:
            outbox.backlog.push(frame)
            if outbox.backlog.overflows:
                self._overflowing[outbox] = None
                self._flush_later()
            return
        if cohort is None:
            return
        if len(cohort.members) == 1:
            self._gather(outbox, cohort)
            self._append(cohort, frame)
        else:
            outbox.direct.append(frame)
        if not self._prompt:
            self._timers.call_soon(self._answer)
        self._prompt[outbox] = None

    def _answer(self) -> None:
        """Where a shared buffer holds data, a message waits for that buffer's flush: nobody else is written to early
        because one client asks a lot."""
        prompt, self._prompt = self._prompt, {}
        for outbox in prompt:
            cohort = outbox.cohort
            if cohort is None:
                continue
            if len(cohort.members) > 1 and cohort.buffer:
                self._late.append(outbox)
                self._flush_later()
            else:
                self._write_out(outbox)

    def _write_out(self, outbox: Outbox) -> None:
        """Everything due to a client, in order; its cohort's other members get theirs a little early."""
        if outbox.cohort is not None:
            self._write(outbox.cohort)
        self._write_direct(outbox)

    def _write_direct(self, outbox: Outbox) -> None:
        if outbox.direct:
            frames, outbox.direct = outbox.direct, []
            self._write_alone(outbox, frames)

    def _write_alone(self, outbox: Outbox, frames: list[bytes]) -> None:
        data = b"".join(frames)
        outbox.sent_before += len(frames)
        self.messages += len(frames)
        self.bytes += len(data)
        outbox.write(data)

    # Coming, changing, going

    def enter(self, outbox: Outbox) -> None:
        self.cohorts.start(outbox)
        self._touch(outbox)

    def attach(self, outbox: Outbox, lane: Lane) -> None:
        if outbox.backlog is not None:
            lane.backlogs[outbox.backlog] = None
        else:
            lane.cohorts[self._own_cohort(outbox)] = None
        outbox.lanes[lane.key] = lane
        outbox.signature ^= lane.tag

    def detach(self, outbox: Outbox, lane: Lane) -> None:
        if outbox.backlog is not None:
            outbox.backlog.forget(lane)
            del lane.backlogs[outbox.backlog]
        else:
            del lane.cohorts[self._own_cohort(outbox)]
        del outbox.lanes[lane.key]
        outbox.signature ^= lane.tag

    def leave(self, outbox: Outbox, flush: bool) -> None:
        """Forget a client and its lanes; with `flush`, what is due to it is written first."""
        if flush:
            self._write_out(outbox)
        self.cohorts.leave(outbox)
        if outbox.backlog is not None:
            self._drop_backlog(outbox, outbox.backlog)
        outbox.lanes = {}
        outbox.direct.clear()
        self._restless.pop(outbox, None)
        self._overflowing.pop(outbox, None)

    def _own_cohort(self, outbox: Outbox) -> Cohort:
        """The client's cohort, with nobody else in it, because its lanes are about to change."""
        cohort = outbox.cohort
        if cohort is None:
            raise RuntimeError("a client that left has no cohort")
        if len(cohort.members) > 1:
            self._write_out(outbox)
            self.cohorts.leave(outbox)
            cohort = self.cohorts.start(outbox)
        else:
            self._gather(outbox, cohort)
            self.cohorts.loosen(cohort)
        self._touch(outbox)
        return cohort

    def _gather(self, outbox: Outbox, cohort: Cohort) -> None:
        """The others have left a buffer that was shared: what waited for its write comes before what is put there now.
        Somebody is about to write it already."""
        for frame in outbox.direct:
            self._append(cohort, frame)
        outbox.direct.clear()

    def _touch(self, outbox: Outbox) -> None:
        self._restless.pop(outbox, None)  # so that the dict stays in the order of the last change
        self._restless[outbox] = self._clock.monotonic()
        if not self._settle_due:
            self._settle_due = True
            self._timers.call_later(self._settings.settle_seconds, self._settle_rested)

    def _settle_rested(self) -> None:
        self._settle_due = False
        rested_since = self._clock.monotonic() - self._settings.settle_seconds + 0.001
        while self._restless:
            outbox, changed = next(iter(self._restless.items()))
            if changed > rested_since:
                self._settle_due = True
                self._timers.call_later(changed - rested_since + 0.001, self._settle_rested)
                return
            del self._restless[outbox]
            self.chores.add(self._settle(outbox))

    def _settle(self, outbox: Outbox) -> Iterator[None]:
        yield
        cohort = outbox.cohort
        if cohort is None or cohort.settled or outbox in self._restless:
            return
        twin = self.cohorts.match(outbox)
        if twin is None:
            self.cohorts.settle(outbox, cohort)
        else:
            self._write(twin)
            self._write_out(outbox)
            self.cohorts.join(outbox, twin)

    # Slow clients

    def backlog(self, outbox: Outbox) -> Backlog:
        return Backlog(outbox, self._settings.max_backlog, self._settings.max_backlog_events)

    def pause(self, outbox: Outbox) -> None:
        """The client's socket is full."""
        outbox.paused_at = self._clock.monotonic()
        self.chores.add(self._conflate(outbox))

    def resume(self, outbox: Outbox) -> None:
        """The client reads again."""
        outbox.paused_at = None
        self.chores.add(self._drain(outbox))

    def _conflate(self, outbox: Outbox) -> Iterator[None]:
        yield  # a socket fills up inside a write, where nobody may move
        if outbox.paused_at is None or outbox.cohort is None:
            return
        self._write_out(outbox)
        outbox.backlog = backlog = self.backlog(outbox)
        for lane in outbox.lanes.values():
            lane.backlogs[backlog] = None
        self.cohorts.leave(outbox)
        self._restless.pop(outbox, None)
        self.slow += 1

    def _drain(self, outbox: Outbox) -> Iterator[None]:
        yield
        backlog = outbox.backlog
        while backlog and outbox.backlog is backlog and outbox.paused_at is None:
            frames, conflated = backlog.take(_DRAIN_BYTES)
            outbox.conflated += conflated
            self.conflated += conflated
            self._write_alone(outbox, frames)
            yield
        if backlog is not None and outbox.backlog is backlog and outbox.paused_at is None:
            self._drop_backlog(outbox, backlog)
            self.enter(outbox)

    def _drop_backlog(self, outbox: Outbox, backlog: Backlog) -> None:
        outbox.backlog = None
        self.slow -= 1
        for lane in outbox.lanes.values():
            del lane.backlogs[backlog]
