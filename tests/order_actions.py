"""Order actions that tests answer by hand, and a journal of events that grows while they look."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sangam.model.identity import Identity
from sangam.model.order import OrderNews


class Asked(NamedTuple):
    """One action under way. Set the result or the exception of `answer`."""

    identity: Identity
    action: str
    fields: Mapping[str, Any]
    answer: asyncio.Future[dict[str, Any]]


class Scripted:
    """Implements `orders.ports.Actions`. A `since` waits for `gate` while there is one, and reads the journal then."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.journal: list[OrderNews] = []
        self.gate: asyncio.Event | None = None
        self.failure: Exception | None = None
        self.page = 1_000
        self.since_asked: list[int] = []

    async def act(self, identity: Identity, action: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.asked.append(Asked(identity, action, fields, future))
        return await future

    async def since(self, identity: Identity, seq: int) -> tuple[list[OrderNews], int]:
        self.since_asked.append(seq)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        own = {account.id for account in identity.accounts}
        missed = [news for news in self.journal if news.seq > seq and news.account in own]
        return missed[: self.page], self.journal[-1].seq if self.journal else 0

    def happen(self, account: str) -> OrderNews:
        """The next event: journalled; the caller tells it."""
        news = event(len(self.journal) + 1, account)
        self.journal.append(news)
        return news


def event(seq: int, account: str) -> OrderNews:
    placed = {"type": "ORDER_PLACED", "seq": seq, "order_id": str(seq), "status": "OPEN"}
    update = {"type": "order_update", "orderid": str(seq), "order_status": "open"}
    return OrderNews(seq, account, json.dumps(placed).encode(), json.dumps(update).encode())


async def turns(count: int = 5) -> None:
    """Let tasks go on as far as they can."""
    for _ in range(count):
        await asyncio.sleep(0)
