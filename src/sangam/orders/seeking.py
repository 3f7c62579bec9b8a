"""When to look again for orders in doubt: soon after the doubt, then ever more seldom."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sangam.model.clock import Clock
from sangam.model.order import Order
from sangam.transport.sharing import JOINABLE

from .evidence import attempted

_TOGETHER = 0.25
"""Seconds: what is due so soon is looked for along."""


@dataclass(frozen=True)
class Pace:
    """Seconds. `settle` is how long an order may need to show in the book; one without an answer for `late` is looked
    for although it is not in doubt yet; `first` and `cap` are the pauses between two looks; `gap` lies between two
    reads of a book."""

    settle: float = 10.0
    late: float = 2.0
    first: float = 0.5
    cap: float = 15.0
    gap: float = 0.5


class Seeker:
    """One task per account with orders in doubt. `wanted(account)` are those that can be found, `look` looks once."""

    def __init__(
        self,
        wanted: Callable[[str], list[Order]],
        look: Callable[[str, list[Order]], Awaitable[None]],
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._wanted = wanted
        self._look = look
        self._clock = clock
        self._pace = pace
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._news: dict[str, asyncio.Event] = {}

    def seek(self, account: str) -> None:
        """There may be orders in doubt."""
        if account in self._tasks:
            self._news[account].set()
        elif self._wanted(account):
            self._news[account] = asyncio.Event()
            self._tasks[account] = asyncio.create_task(self._run(account), name=f"seek orders of {account}")

    async def stop(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, account: str) -> None:
        due: dict[str, float] = {}
        pauses: dict[str, float] = {}
        loop = asyncio.get_running_loop()
        news = self._news[account]
        try:
            while wanted := self._wanted(account):
                now = loop.time()
                for order in wanted:
                    due.setdefault(order.id, now + self._pace.first)
                near = [order for order in wanted if due[order.id] <= now + _TOGETHER * self._pace.first]
                if not near:
                    await _sleep(news, min(due[order.id] for order in wanted) - now)
                    continue
                await self._look(account, near)
                for order in near:
                    pause = pauses[order.id] = min(pauses.get(order.id, self._pace.first) * 2, self._pace.cap)
                    due[order.id] = loop.time() + min(pause, self._until_settled(order) or pause)
        finally:
            del self._tasks[account], self._news[account]

    def _until_settled(self, order: Order) -> float:
        """Seconds until a book without this order proves something; 0 from then on."""
        moment = attempted(order) + (self._pace.settle + JOINABLE) * 1000
        return max(0.0, (moment - self._clock.now_ms()) / 1000)


async def _sleep(news: asyncio.Event, seconds: float) -> None:
    """Sleep, but not over news."""
    news.clear()
    try:
        await asyncio.wait_for(news.wait(), seconds)
    except TimeoutError:
        return
