"""What the command line asks of orders and of the paper book, as verbs with plain arguments and plain answers."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime, time
from typing import Any

import msgspec

from sangam.accounts.accounts import Accounts
from sangam.accounts.admin import ADMIN_USER
from sangam.accounts.arguments import Arguments, OfAccount, OfUser
from sangam.accounts.verbs import Verbs
from sangam.model.clock import IST, Clock
from sangam.model.errors import InvalidInput, OrderNotFound, StoreError
from sangam.model.order import Order
from sangam.orders.journal import Journal
from sangam.orders.updates import Updates
from sangam.paper.executor import PaperExecutor

DAY_MS = 86_400_000


class NameOrder(Arguments):
    order: str


class Resolve(NameOrder):
    outcome: str
    note: str


class Export(OfAccount, kw_only=True):
    day: date


class Configure(Arguments):
    values: dict[str, Any]
    user: str | None = None


class OrderVerbs(Verbs):
    """`call` runs a verb; all errors are SangamErrors."""

    def __init__(
        self, journal: Journal, updates: Updates, paper: PaperExecutor, accounts: Accounts, clock: Clock
    ) -> None:
        self._journal = journal
        self._updates = updates
        self._paper = paper
        self._accounts = accounts
        self._clock = clock
        super().__init__(
            {
                "orders/list": (OfAccount, self._list),
                "orders/show": (NameOrder, self._show),
                "orders/resolve": (Resolve, self._resolve),
                "orders/export": (Export, self._export),
                "paper/show": (OfUser, self._statement),
                "paper/configure": (Configure, self._configure),
                "paper/reset": (OfUser, self._reset),
            }
        )

    # --- the journal --------------------------------------------------------------------------------------------------

    def _list(self, wanted: OfAccount) -> dict[str, Any]:
        accounts = [self._accounts[wanted.account].info] if wanted.account else self._accounts.list()
        found = [order for info in accounts for order in self._journal.of(info.id)]
        found.sort(key=lambda order: (order.created_at, order.id), reverse=True)
        return {"orders": [msgspec.to_builtins(order) for order in found]}

    async def _show(self, wanted: NameOrder) -> dict[str, Any]:
        order = self._find(wanted.order)
        entries = await self._audit(order.account, order.created_at, self._clock.now_ms() + 1)
        events = [entry for entry in entries if _about(entry) == order.id]
        return {"order": msgspec.to_builtins(order), "events": events}

    async def _resolve(self, wanted: Resolve) -> dict[str, Any]:
        if not wanted.note.strip():
            raise InvalidInput("Say how you know (--note): it is kept with the order.")
        settled = self._updates.resolve(self._find(wanted.order), wanted.outcome, "the command line", wanted.note)
        await self._journal.kept(f"{settled.id} is {settled.state.value} now")
        return {"id": settled.id, "state": settled.state.value}

    async def _export(self, wanted: Export) -> dict[str, Any]:
        account = self._accounts[wanted.account].info.id if wanted.account else None
        since = int(datetime.combine(wanted.day, time(), IST).timestamp() * 1000)
        return {"events": await self._audit(account, since, since + DAY_MS)}

    async def _audit(self, account: str | None, since: int, until: int) -> list[dict[str, Any]]:
        with suppress(StoreError):  # a trail that lacks its last moments is better than none
            await self._journal.kept("The audit trail was asked for")
        return await asyncio.to_thread(lambda: list(self._journal.export(account, since, until)))

    def _find(self, name: str) -> Order:
        if (order := self._journal.get(name)) is not None:
            return order
        for info in self._accounts.list():
            order = self._journal.by_order_id(info.id, name) or self._journal.by_client(info.id, name)
            if order is not None:
                return order
        raise OrderNotFound(f"Order {name} is not in the journal of today, nor among those that are not settled.")

    # --- the paper book -----------------------------------------------------------------------------------------------

    async def _statement(self, wanted: OfUser) -> dict[str, Any]:
        return _plain(await self._paper.statement(self._user(wanted.user)))

    async def _configure(self, wanted: Configure) -> dict[str, Any]:
        return _plain(await self._paper.configure(self._user(wanted.user), wanted.values))

    async def _reset(self, wanted: OfUser) -> dict[str, Any]:
        return _plain(await self._paper.reset(self._user(wanted.user)))

    def _user(self, given: str | None) -> str:
        names = sorted(self._accounts.users.names - {ADMIN_USER})
        if given is not None:
            return self._accounts.users[given].name
        if len(names) != 1:
            raise InvalidInput(f"Say whose paper book: {', '.join(names) or 'there is no user yet'}.")
        return names[0]


def _about(entry: Mapping[str, Any]) -> str:
    """Our id of the order that an entry of the audit trail is about."""
    name = entry["order"]["id"] if "order" in entry else entry["act"]["order"]
    return str(name)


def _plain(told: msgspec.Struct) -> dict[str, Any]:
    """All figures and settings, those too that are as they are by default."""
    fields = msgspec.structs.asdict(told).items()
    values: dict[str, Any] = msgspec.to_builtins(
        {name: _plain(value) if isinstance(value, msgspec.Struct) else value for name, value in fields}
    )
    return values
