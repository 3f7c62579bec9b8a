"""A router over the real journal and updates, with an executor that does what a test says."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.databases import database_url
from tests.toy_broker import ToyMaster, toy_instrument

from sangam.brokers.contract import Tag, Trading
from sangam.model.clock import SystemClock
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.identity import AccountInfo, Identity
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, OrderNews, OrderState, OrderUpdate, Ticket, TradingMode
from sangam.model.rules import Rules
from sangam.orders.journal import Journal
from sangam.orders.ports import Caller, Executor, Sending
from sangam.orders.router import Router
from sangam.orders.timing import RouterTiming
from sangam.orders.updates import Updates
from sangam.store.journal import open_journal_database
from sangam.store.writer import Writer

ACCOUNT = AccountInfo("u-toy", "u", "toy")
SBIN = toy_instrument("SBIN")
TCS = toy_instrument("TCS")
QUICK = RouterTiming(evidence=0.3, gate=0.2)

Script = Callable[[Order, Sending], Awaitable[Accepted]]


def caller(mode: TradingMode = TradingMode.LIVE) -> Caller:
    return Caller(Identity(user="u", key_id="k1", scopes=frozenset()), ACCOUNT, mode)


def ticket(**fields: Any) -> Ticket:
    base: dict[str, Any] = {
        "symbol": "SBIN",
        "exchange": Exchange.NSE,
        "action": Action.BUY,
        "quantity": 10,
        "price_type": PriceType.LIMIT,
        "price": "100",
    }
    values = {**base, **fields}
    for name in ("price", "trigger_price"):
        if name in values:
            values[name] = Decimal(values[name])
    return Ticket(**values)


def trading(**fields: Any) -> Trading:
    never: Any = None
    names = ("place", "modify", "cancel", "orders", "trades", "positions", "holdings", "funds")
    products = {Exchange.NSE: frozenset(Product)}
    return Trading(**{**dict.fromkeys(names, never), "products": products, "tag": Tag("text", 20), **fields})


class FreezingMaster(ToyMaster):
    def __init__(self, *instruments: Instrument) -> None:
        super().__init__(*instruments)
        self.freezes: dict[str, int] = {}

    def freeze_quantity(self, instrument: Instrument) -> int:
        return self.freezes.get(instrument.symbol, 1)


class ScriptedExecutor:
    """`placing`, `changing` and `cancelling` are what a broker does with a write; `asked` what reached it."""

    def __init__(self, mode: TradingMode) -> None:
        self.mode = mode
        self.asked: list[tuple[Any, ...]] = []
        self.placing: Script = self.accept
        self.changing: Script = self.accept
        self.cancelling: Script = self.accept
        self.waits: list[float | None] = []
        self.urgent: list[bool] = []

    async def accept(self, order: Order, sending: Sending) -> Accepted:
        await sending()
        return Accepted(order_id=order.order_id or f"B{len(self.asked)}", native={"variety": "regular"})

    async def place(
        self, account: str, order: Order, instrument: Instrument, sending: Sending, *, urgent: bool, wait: float | None
    ) -> Accepted:
        self.asked.append(("place", order))
        self.waits.append(wait)
        self.urgent.append(urgent)
        return await self.placing(order, sending)

    async def modify(
        self, account: str, order: Order, change: Change, instrument: Instrument, sending: Sending, *, urgent: bool
    ) -> Accepted:
        self.asked.append(("modify", order, change))
        self.urgent.append(urgent)
        return await self.changing(order, sending)

    async def cancel(self, account: str, order: Order, sending: Sending) -> Accepted:
        self.asked.append(("cancel", order))
        return await self.cancelling(order, sending)


class House:
    """One account, two executors. `rules`, `trading`, `last` and `gate` may be set by a test, and the live executor be
    a real one."""

    def __init__(self, home: Path, timing: RouterTiming = QUICK, live: Executor | None = None) -> None:
        self.clock = SystemClock()
        self.database = open_journal_database(home, database_url(home))
        self.writer = Writer(self.database)
        self.journal = Journal(self.database, self.writer, self.clock)
        self.master = FreezingMaster(SBIN, TCS)
        self.news: list[OrderNews] = []
        self.updates = Updates(
            self.journal,
            lambda account, update: self.master.named(update),
            lambda account: ("u", "toy"),
            self.news.append,
            self.clock,
        )
        self.rules = Rules()
        self.trading: Trading | None = trading()
        self.last: tuple[float, int] | None = (100.0, 10)
        self.gate = asyncio.Event()
        self.gate.set()
        self.live = ScriptedExecutor(TradingMode.LIVE)
        self.paper = ScriptedExecutor(TradingMode.PAPER)
        executors: Any = {TradingMode.LIVE: live or self.live, TradingMode.PAPER: self.paper}
        self.router = Router(
            self.journal,
            self.updates,
            executors,
            master=lambda account: self.master,
            price=lambda account, instrument: self.last,
            rules=lambda account: self.rules,
            trading=lambda account: self.trading,
            ready=self._ready,
            clock=self.clock,
            random=os.urandom,
            timing=timing,
        )

    async def _ready(self, account: str) -> None:
        await self.gate.wait()

    async def __aenter__(self) -> "House":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.gate.set()
        await self.router.close(1.0)
        self.updates.close()
        await self.writer.close()
        self.database.close()

    # --- asking -------------------------------------------------------------------------------------------------------

    async def place(self, mode: TradingMode = TradingMode.LIVE, **fields: Any) -> Order:
        return await self.router.place(caller(mode), ticket(**fields))

    async def place_all(self, *tickets: Ticket) -> Sequence[Order | Exception]:
        return await self.router.place_all(caller(), tickets)

    def now(self, order: Order) -> Order:
        found = self.journal.get(order.id)
        assert found is not None
        return found

    def hear(self, order: Order, status: str = "open", **fields: Any) -> None:
        """News of an order that carry our tag."""
        base: dict[str, Any] = {
            "order_id": "B77",
            "brsymbol": "SBIN-TOY",
            "brexchange": "NSE",
            "action": order.action.value,
            "quantity": order.quantity,
            "status": status,
            "tag": order.our_tag,
            "price_type": order.price_type.value,
            "price": float(order.price),
        }
        self.updates.heard(order.account, order.mode, OrderUpdate(**{**base, **fields}))

    @property
    def only(self) -> Order:
        """The one order there is."""
        (order,) = self.journal.of(ACCOUNT.id)
        return order

    @property
    def states(self) -> list[OrderState]:
        return [order.state for order in self.journal.of(ACCOUNT.id)]
