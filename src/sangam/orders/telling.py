"""News go out once they are durable, in the order in which they happened; and how far they have gone."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sangam.model.order import OrderNews

log = logging.getLogger("sangam.orders")

PATIENCE = 1.0
"""Seconds after which news are told although the journal cannot commit: what happened has happened."""


class _Entry(NamedTuple):
    news: Sequence[OrderNews]
    durable: asyncio.Future[None]
    deadline: float


class Telling:
    def __init__(self, tell: Callable[[OrderNews], object], patience: float = PATIENCE) -> None:
        self._tell = tell
        self._patience = patience
        self._queue: deque[_Entry] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def put(self, news: Sequence[OrderNews], durable: asyncio.Future[None]) -> None:
        """Tell these as soon as `durable` is done."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        self._queue.append(_Entry(news, durable, deadline))
        durable.add_done_callback(self._flush)
        if self._timer is None:
            self._timer = loop.call_at(deadline, self._flush)

    def close(self) -> None:
        """Tell what still waits; nothing is left behind."""
        if self._timer is not None:
            self._timer.cancel()
        while self._queue:
            self._say(self._queue.popleft())

    def _flush(self, done: asyncio.Future[None] | None = None) -> None:
        if done is not None and not done.cancelled():
            done.exception()  # the writer logs its troubles
        queue = self._queue
        loop = asyncio.get_running_loop()
        while queue and (queue[0].durable.done() or queue[0].deadline <= loop.time()):
            self._say(queue.popleft())
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(queue[0].deadline, self._flush) if queue else None

    def _say(self, entry: _Entry) -> None:
        for news in entry.news:
            try:
                self._tell(news)
            except Exception:
                log.exception("%s: news number %d were not told", news.account, news.seq)


class Told:
    """Passes news on to the doors. `newest` is the number up to which everything was told: begun with the journal's
    newest, before anything new can happen. An event is journalled a moment before it is told, and a replay that told
    more would tell it twice."""

    def __init__(self, newest: int, tell: Callable[[OrderNews], object]) -> None:
        self.newest = newest
        self._tell = tell

    def __call__(self, news: OrderNews) -> None:
        self.newest = max(self.newest, news.seq)
        self._tell(news)
