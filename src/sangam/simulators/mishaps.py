"""What happens to order writes and order pushes on a bad day: planned one by one, or drawn from seeded weather."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import NamedTuple, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from .rest import reset


class Mishap(StrEnum):
    """What becomes of one write: whether the broker takes it, and what its sender hears."""

    TAKEN_THEN_RESET = "taken, connection reset"
    TAKEN_IN_SILENCE = "taken, never answered"
    TAKEN_ANSWERED_LATE = "taken, answered late"
    TAKEN_SERVER_ERROR = "taken, answered 5xx"
    TAKEN_TIMED_OUT = "taken, answered 400 with a time-out text"
    TAKEN_NONSENSE = "taken, answered 200 with something unreadable"
    TAKEN_NAMELESS = "taken, answered 200 without an order id"
    LOST_RESET = "not taken, connection reset"
    LOST_SERVER_ERROR = "not taken, answered 5xx"
    LOST_TOO_MANY = "not taken, answered 429"

    @property
    def is_taken(self) -> bool:
        return self.value.startswith("taken")


class Rumour(StrEnum):
    """What becomes of one push about an order."""

    DUPLICATED = "duplicated"
    DELAYED = "sent after the next ones"
    DROPPED = "dropped"


class Planned(NamedTuple):
    mishap: Mishap
    seconds: float
    """How late an answer comes."""
    status: int
    """Which 5xx it is."""


class Happened(NamedTuple):
    """What a test may want to know afterwards."""

    mishap: Mishap
    method: str
    path: str


T = TypeVar("T", Mishap, Rumour)


class OrderFaults:
    """Planned mishaps come first, then the weather; `happened` tells what befell whom."""

    def __init__(self) -> None:
        self.reply_delay = 0.0
        """Seconds that every answer to a write takes longer; the write itself is taken at once."""
        self.drop_updates = False
        """Send no order pushes at all."""
        self.duplicate_updates = False
        """Send every order push twice."""
        self.happened: list[Happened] = []
        self._planned: deque[Planned] = deque()
        self._rates: dict[Mishap | Rumour, float] = {}
        self._dice = random.Random(0)
        self._late = 2.0
        self._held: list[bytes] | None = None
        self._delayed: list[tuple[bytes, float]] = []
        self._let_go = asyncio.Event()

    def clear(self) -> None:
        """Back to fair weather: silent connections are reset, held pushes are forgotten."""
        self.reply_delay = 0.0
        self.drop_updates = self.duplicate_updates = False
        self._planned.clear()
        self._rates = {}
        self._held = None
        self._delayed.clear()
        self._let_go.set()
        self._let_go = asyncio.Event()

    def mishap(self, kind: Mishap, times: int = 1, *, seconds: float = 2.0, status: int = 503) -> None:
        """Let this happen to the next writes."""
        self._planned.extend([Planned(kind, seconds, status)] * times)

    def weather(self, seed: int, rates: Mapping[Mishap | Rumour, float], *, seconds: float = 2.0) -> None:
        """From now on each write and push meets each of these with its probability; equal seeds draw alike."""
        self._dice = random.Random(seed)
        self._rates = dict(rates)
        self._late = seconds

    def hold_updates(self) -> None:
        """Keep order pushes back until `release_updates`."""
        self._held = []

    def release_updates(self, seed: int | None = None) -> list[bytes]:
        """The pushes that were held, with a seed in another order; from now on they pass again."""
        held, self._held = self._held or [], None
        if seed is not None:
            random.Random(seed).shuffle(held)
        return held

    # --- asked by the simulator ---------------------------------------------------------------------------------------

    def pushes(self, payload: bytes, now: float) -> list[bytes]:
        """What to send now in place of one order push. `now` is a monotonic second."""
        if self.drop_updates:
            return []
        if self._held is not None:
            self._held.append(payload)
            return []
        rumour = self._draw(Rumour)
        if rumour is Rumour.DROPPED:
            return []
        if rumour is Rumour.DELAYED:
            self._delayed.append((payload, now + self._dice.uniform(0.02, 0.5)))
            return []
        return [payload] * (2 if self.duplicate_updates or rumour is Rumour.DUPLICATED else 1)

    def overdue(self, now: float) -> list[bytes]:
        """Delayed pushes whose time has come."""
        if not self._delayed:
            return []
        due = [payload for payload, when in self._delayed if when <= now]
        self._delayed = [row for row in self._delayed if row[1] > now]
        return due

    async def carry(
        self,
        request: Request,
        take: Callable[[], Awaitable[Response]],
        refusal: Callable[[int], Response],
        timed_out: Callable[[], Response],
        nameless: Callable[[], Response],
    ) -> Response:
        """Answer one write as planned. `take` does it; the others are the broker's wording of a wrong answer."""
        plan = self._next()
        if plan is None:
            reply = await take()
            if self.reply_delay:
                await asyncio.sleep(self.reply_delay)
            return reply
        self.happened.append(Happened(plan.mishap, request.method, request.url.path))
        reply = await take() if plan.mishap.is_taken else refusal(plan.status)
        match plan.mishap:
            case Mishap.TAKEN_THEN_RESET | Mishap.LOST_RESET:
                await reset(request)
            case Mishap.TAKEN_IN_SILENCE:
                await self._silence(request)
            case Mishap.TAKEN_ANSWERED_LATE:
                await asyncio.sleep(plan.seconds)
            case Mishap.TAKEN_SERVER_ERROR:
                reply = refusal(plan.status)
            case Mishap.TAKEN_TIMED_OUT:
                reply = timed_out()
            case Mishap.TAKEN_NONSENSE:
                reply = Response(b"<html>\xff Bad gateway", media_type="text/html")
            case Mishap.TAKEN_NAMELESS:
                reply = nameless()
            case Mishap.LOST_TOO_MANY:
                reply = refusal(429)
            case Mishap.LOST_SERVER_ERROR:
                pass
        return reply

    def _next(self) -> Planned | None:
        if self._planned:
            return self._planned.popleft()
        drawn = self._draw(Mishap)
        return None if drawn is None else Planned(drawn, self._late, self._dice.choice((500, 502, 503, 504)))

    def _draw(self, kind: type[T]) -> T | None:
        if not self._rates:
            return None
        point = self._dice.random()
        for each, rate in self._rates.items():
            if isinstance(each, kind):
                if point < rate:
                    return each
                point -= rate
        return None

    async def _silence(self, request: Request) -> None:
        """Until the client leaves, or fair weather comes: then its connection is reset."""
        left, cleared = asyncio.create_task(_disconnected(request)), asyncio.create_task(self._let_go.wait())
        try:
            await asyncio.wait((left, cleared), return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
            cleared.cancel()
            await asyncio.gather(left, cleared, return_exceptions=True)
        await reset(request)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
