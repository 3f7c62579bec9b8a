"""How often an account may call: sliding logs of what went out, and a queue before each lane.

`LaneLog` is pure arithmetic on monotonic seconds. `Gate` is the queue: those that may not wait (cancels, reductions) go
first, the others in the order they came, and nobody waits longer than allowed."""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Sequence

from sangam.brokers.contract import Limit
from sangam.model.clock import Clock
from sangam.model.errors import RateLimited

GUARD = 0.1
"""Seconds added to every window, so that it holds by the broker's clock and after an uneven way there (1 s is 1.1)."""

_Ticket = tuple[bool, int, "asyncio.Future[None]"]


class LaneLog:
    """When the requests of one lane went out, against all rows of the lane."""

    def __init__(self, rows: Sequence[Limit], sent: Iterable[float] = (), paused_until: float = 0.0) -> None:
        self._rows = rows
        self._sent = deque(sent, maxlen=max((row.count for row in rows), default=0))
        self._held = 0
        self._paused_until = paused_until

    def free_at(self, urgent: bool = False, now: float = 0.0) -> float:
        """The earliest moment at which one more request keeps every row. Those that are held may leave just now."""
        at = self._paused_until
        for row in self._rows:
            usable = (row.count if urgent else row.count - row.reserve) - self._held
            if usable <= 0:
                at = max(at, now + row.window + GUARD)
            elif len(self._sent) >= usable:
                at = max(at, self._sent[-usable] + row.window + GUARD)
        return at

    def take(self, at: float) -> None:
        self._sent.append(at)

    def hold(self) -> None:
        """A request has its slot, and has not left yet."""
        self._held += 1

    def leave(self, at: float) -> None:
        """One that was held leaves."""
        self._held -= 1
        self._sent.append(at)

    def seed(self, sent: Iterable[float]) -> None:
        """What went out before this log was begun."""
        self._sent = deque(sorted([*self._sent, *sent]), maxlen=self._sent.maxlen)

    def pause(self, until: float) -> None:
        self._paused_until = max(self._paused_until, until)

    def planned(self, now: float, queue: Iterable[bool]) -> float:
        """When the last of a queue would go; each of the queue is told by whether it is urgent."""
        plan = LaneLog(self._rows, [*self._sent, *[now] * self._held], self._paused_until)
        at = now
        for urgent in queue:
            at = max(at, plan.free_at(urgent))
            plan.take(at)
        return at


class Gate:
    """The queue before one lane of one account."""

    def __init__(self, label: str, rows: Sequence[Limit], clock: Clock) -> None:
        self._label = label
        self._log = LaneLog(rows)
        self._clock = clock
        self._queue: list[_Ticket] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, allowed: float, urgent: bool = False) -> float:
        """Wait for a slot and take it, to call `left` when the request leaves or will not; tells the seconds waited.

        Raises RateLimited where that would take longer than `allowed` seconds: at once where it can be foreseen."""
        now = self._clock.monotonic()
        self._queue = [ticket for ticket in self._queue if not ticket[2].done()]
        heapq.heapify(self._queue)
        if not self._queue and self._log.free_at(urgent, now) <= now:
            self._log.hold()
            return 0.0
        ticket: _Ticket = (not urgent, next(self._numbers), asyncio.get_running_loop().create_future())
        ahead = [not other[0] for other in sorted(self._queue) if other[:2] < ticket[:2]]
        wait = self._log.planned(now, [*ahead, urgent]) - now
        if wait > allowed:
            raise self._refusal(f"is used up; ask again in {wait:.1f} s")
        heapq.heappush(self._queue, ticket)
        self._admit()
        try:
            async with asyncio.timeout(allowed):
                await ticket[2]
        except BaseException as error:
            if ticket[2].done() and not ticket[2].cancelled():
                self.left()  # its turn came as it gave up
            if isinstance(error, TimeoutError):
                raise self._refusal(f"left no room for {allowed:.1f} s; ask again later") from None
            raise
        return self._clock.monotonic() - now

    def left(self) -> None:
        """A request that has its slot leaves now: what lies between the two (a commit, a new connection) would make
        windows at the broker shorter than they are here."""
        self._log.leave(self._clock.monotonic())
        self._admit()

    def seed(self, sent: Iterable[float]) -> None:
        """What went out before (monotonic seconds); a moment to come, from a clock that was set, counts as now."""
        now = self._clock.monotonic()
        self._log.seed(min(at, now) for at in sent)

    def pause(self, seconds: float) -> None:
        """Let nobody through for a while: the broker said that it was too much."""
        self._log.pause(self._clock.monotonic() + seconds)

    def _refusal(self, text: str) -> RateLimited:
        return RateLimited(f"{self._label}: the rate limit {text}. Nothing was sent.").unsent()

    def _admit(self) -> None:
        """Let through who may go now, and come back when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._queue:
            patient, _, turn = self._queue[0]
            now = self._clock.monotonic()
            if turn.done():
                heapq.heappop(self._queue)
            elif (at := self._log.free_at(not patient, now)) <= now:
                heapq.heappop(self._queue)
                self._log.hold()
                turn.set_result(None)
            else:
                self._timer = asyncio.get_running_loop().call_later(at - now, self._admit)
                return
