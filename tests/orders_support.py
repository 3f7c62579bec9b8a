"""Orders for tests of the order side: one order, and a journal that keeps everything in memory."""

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from sangam.brokers.contract import Tag, Trading
from sangam.model.books import Trade
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.order import Order, OrderNews, OrderState, OrderUpdate, TradingMode
from sangam.orders.journal import EventKind

ACCOUNT = "u-toy"
NOW_MS = 1_764_129_600_000
"""26 November 2025, 09:30 IST."""


def an_order(**changes: Any) -> Order:
    """An order of ours that was sent a moment ago."""
    values: dict[str, Any] = {
        "id": "L-AAAAAAAAAA",
        "account": ACCOUNT,
        "user": "u",
        "broker": "toy",
        "mode": TradingMode.LIVE,
        "symbol": "SBIN",
        "exchange": Exchange.NSE,
        "action": Action.BUY,
        "quantity": 10,
        "price_type": PriceType.LIMIT,
        "product": Product.MIS,
        "price": Decimal("625.5"),
        "state": OrderState.SENT,
        "created_at": NOW_MS,
        "sent_at": NOW_MS,
        "updated_at": NOW_MS,
    }
    return Order(**values | changes)


def an_update(status: str = "open", **changes: Any) -> OrderUpdate:
    """What the broker tells of that order."""
    values: Mapping[str, Any] = {
        "order_id": "1001",
        "brsymbol": "SBIN-TOY",
        "brexchange": "NSE",
        "action": "BUY",
        "quantity": 10,
        "status": status,
        "product": "MIS",
        "price_type": "LIMIT",
        "price": 625.5,
        "tag": "AAAAAAAAAA",
        "timestamp": NOW_MS + 1000,
    }
    return OrderUpdate(**{**values, **changes})


class MemoryJournal:
    """The part of `orders.journal.Journal` that news need. `held` keeps writes waiting until `commit`."""

    def __init__(self, *orders: Order) -> None:
        self.orders = {order.id: order for order in orders}
        self.events: list[tuple[EventKind, Order]] = []
        self.news: list[OrderNews] = []
        self.held = False
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def kinds(self) -> list[EventKind]:
        return [kind for kind, _ in self.events]

    def commit(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            future.set_result(None)

    def get(self, id: str) -> Order | None:
        return self.orders.get(id)

    def by_order_id(self, account: str, order_id: str) -> Order | None:
        return next((o for o in self.of(account) if order_id and o.order_id == order_id), None)

    def by_tag(self, account: str, tag: str) -> Order | None:
        return next((o for o in self.of(account) if tag.startswith(o.our_tag)), None)

    def of(self, account: str) -> list[Order]:
        return [order for order in self.orders.values() if order.account == account]

    def unsettled(self, account: str) -> list[Order]:
        return [order for order in self.of(account) if not order.state.is_final]

    def unread(self, account: str) -> list[str]:
        return []

    def in_doubt(self, account: str) -> list[Order]:
        return [order for order in self.of(account) if order.state is OrderState.UNKNOWN]

    def in_flight(self, account: str) -> list[Order]:
        return [order for order in self.of(account) if order.state in (OrderState.PENDING, OrderState.SENT)]

    def put(self, order: Order, **changes: Any) -> Order:
        """Change an order behind everybody's back."""
        self.orders[order.id] = changed = replace(order, **changes)
        return changed

    def save(
        self, order: Order, kind: EventKind, news: Callable[[int], OrderNews] | None = None
    ) -> asyncio.Future[None]:
        self.orders[order.id] = order
        self.events.append((kind, order))
        if news is not None:
            self.news.append(news(len(self.events)))
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.held:
            self._waiting.append(future)
        else:
            future.set_result(None)
        return future


class ScriptedExecutor:
    """An executor whose books are lists; `errors` are raised by the next reads, one each."""

    def __init__(self, mode: TradingMode = TradingMode.LIVE) -> None:
        self.mode = mode
        self.book: list[OrderUpdate] = []
        self.traded: list[Trade] = []
        self.errors: list[Exception] = []
        self.reads: list[str] = []
        self.pause: asyncio.Event | None = None

    async def _read(self, what: str) -> None:
        self.reads.append(what)
        if self.pause is not None:
            await self.pause.wait()
        if self.errors:
            raise self.errors.pop(0)

    async def orders(self, account: str) -> list[OrderUpdate]:
        book = list(self.book)
        await self._read("orders")
        return book

    async def find(self, account: str, order: Order) -> OrderUpdate | None:
        await self._read(f"find {order.our_tag}")
        return next((row for row in self.book if row.tag.startswith(order.our_tag)), None)

    async def trades(self, account: str) -> list[Trade]:
        self.reads.append("trades")
        return list(self.traded)


def a_trading(**changes: Any) -> Trading:
    """What a broker can do that echoes our tag and finds orders by it; none of it is ever called."""

    def never(*_: Any) -> Any:
        raise AssertionError("a scripted executor runs no operations")

    values: dict[str, Any] = dict.fromkeys(
        ("place", "modify", "cancel", "orders", "trades", "positions", "holdings", "funds"), never
    )
    return Trading(**{**values, "tag": Tag("text", 20), "products": {}, **changes})
