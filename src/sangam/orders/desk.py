"""The order desk: what the doors ask of this room, over the router and the executors."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from typing import Any, Protocol, TypeVar

from sangam.instruments.freeze import UNKNOWN
from sangam.model.books import Funds, Gtt, GttLeg, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.clock import Clock, ist_from_ms
from sangam.model.enums import Exchange, Product
from sangam.model.errors import AuthError, Denied, InvalidInput, OrderNotFound, Unknown, Unsupported
from sangam.model.identity import Identity
from sangam.model.instrument import Instrument, Named
from sangam.model.order import Change, Order, Ticket, TradingMode

from .checks import check_gtt, tickets_of
from .journal import ActKind, Journal
from .ports import Caller, Executor
from .router import Router
from .updates import Updates

log = logging.getLogger("sangam.orders")

T = TypeVar("T")
Row = TypeVar("Row", Trade, Position, Holding, Gtt)

AT_ONCE = 100
"""Book rows that are merged before others have a turn: about a millisecond's work."""


class Master(Protocol):
    def lookup(self, symbol: str, exchange: str) -> Instrument:
        """Raises SymbolNotFound."""
        ...

    def named(self, row: Named) -> Instrument | None: ...

    def exchange_of(self, brexchange: str) -> Exchange | None: ...

    def freeze_quantity(self, instrument: Instrument) -> int: ...


class OrderDesk:
    """Implements `ports.Desk`.

    `master(account)` raises BrokerError where the instruments are not loaded; `price` is the last price from the stream
    or by request; `venue(broker)` says where its orders can go at all: None where it takes none from here."""

    def __init__(
        self,
        journal: Journal,
        router: Router,
        updates: Updates,
        executors: Mapping[TradingMode, Executor],
        *,
        master: Callable[[str], Master],
        price: Callable[[str, Instrument], Awaitable[float]],
        venue: Callable[[str], TradingMode | None],
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._router = router
        self._updates = updates
        self._executors = executors
        self._master = master
        self._price = price
        self._venue = venue
        self._clock = clock

    # --- who ----------------------------------------------------------------------------------------------------------

    def caller(self, identity: Identity, account: str | None) -> Caller:
        """Raises InvalidInput, AuthError; Unsupported where the broker takes no orders from here, Denied where only
        paper would, and the key is pinned to live."""
        target = identity.order_target(account)
        if target is None and account:
            raise InvalidInput(f"You have no account '{account}'.")
        if target is None:
            raise AuthError("This key has no account for orders. Choose one: sangam account default ACCOUNT --orders")
        if identity.on_paper:
            return Caller(identity, target, TradingMode.PAPER)
        venue = self._venue(target.broker)
        if venue is None:
            raise Unsupported(
                f"Orders are not supported for broker '{target.broker}' here. Nothing was sent; a key made with "
                "--mode paper trades on paper."
            )
        if venue is TradingMode.LIVE:
            return Caller(identity, target, venue)
        if identity.pinned_live:
            raise Denied(
                f"This key trades live only, and {target.broker} takes no live orders here. "
                "Use a key that follows the analyzer, or one made with --mode paper."
            )
        return Caller(identity, target, TradingMode.PAPER)

    # --- orders -------------------------------------------------------------------------------------------------------

    async def place(self, caller: Caller, ticket: Ticket, *, group: str = "", urgent: bool = False) -> Order:
        return await self._router.place(caller, ticket, group=group, urgent=urgent)

    async def place_all(self, caller: Caller, tickets: Sequence[Ticket], *, group: str = "") -> list[Order | Exception]:
        return await self._router.place_all(caller, tickets, group=group)

    async def modify(self, caller: Caller, reference: str, change: Change) -> Order:
        return await self._router.modify(caller, await self.known(caller, reference), change)

    async def cancel(self, caller: Caller, reference: str) -> Order:
        return await self._router.cancel(caller, await self.known(caller, reference))

    async def resolve(self, caller: Caller, reference: str, outcome: str, note: str) -> Order:
        """The user settles an order in doubt, on the record. Raises OrderNotFound, InvalidInput, StoreError."""
        by = f"{caller.identity.user}/{caller.identity.key_id}"
        settled = self._updates.resolve(self.find(caller, reference), outcome, by, note)
        await self._journal.kept(f"{settled.id} is {settled.state.value} now")
        return settled

    def find(self, caller: Caller, reference: str) -> Order:
        journal, account = self._journal, caller.account.id
        order = (
            journal.by_order_id(account, reference) or journal.get(reference) or journal.by_client(account, reference)
        )
        if order is None or order.account != account:
            raise OrderNotFound(f"Order {reference} not found{self._elsewhere(caller, reference)}")
        if order.mode is not caller.mode:
            kind, other = ("a paper order", "live") if order.mode is TradingMode.PAPER else ("a live order", "paper")
            raise OrderNotFound(
                f"Order {reference} not found: it is {kind}, and this key is on {other} now. Switch the analyzer, "
                f"or use a key made with --mode {order.mode.value}"
            )
        return order

    def _elsewhere(self, caller: Caller, reference: str) -> str:
        """What helps a user who has several accounts, and named the wrong one or none."""
        own = [account.id for account in caller.identity.accounts]
        ours = self._journal.get(reference)
        found = [ours] if ours is not None else [self._journal.by_order_id(account, reference) for account in own]
        place = next((order.account for order in found if order is not None and order.account in own), "")
        return f" in {caller.account.id}: it is in {place}; name that as `account`" if place else ""

    async def known(self, caller: Caller, reference: str) -> Order:
        try:
            return self.find(caller, reference)
        except OrderNotFound:
            await self.orders(caller)
            return self.find(caller, reference)

    async def orders(self, caller: Caller) -> list[Order]:
        account, mode = caller.account.id, caller.mode
        if mode is TradingMode.LIVE:  # the paper book has told everything by itself
            for number, row in enumerate(await self._executors[mode].orders(account), 1):
                self._updates.heard(account, mode, row)
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)
        found = [order for order in self._journal.of(account) if order.mode is mode]
        return sorted(found, key=lambda order: (order.created_at, order.id), reverse=True)

    def moving(self, caller: Caller, ended_within: float = 0.0) -> list[Order]:
        accounts = {caller.account.id}
        if caller.mode is TradingMode.PAPER:
            accounts |= {one.id for one in caller.identity.accounts if one.user == caller.account.user}
        since = self._clock.now_ms() - ended_within * 1000
        return [
            order
            for account in sorted(accounts)
            for order in (self._journal.of(account) if ended_within else self._journal.unsettled(account))
            if order.mode is caller.mode and (not order.state.is_final or order.updated_at > since)
        ]

    # --- books --------------------------------------------------------------------------------------------------------

    async def trades(self, caller: Caller) -> list[tuple[Instrument, Trade]]:
        return self._named(caller, await self._executor(caller).trades(caller.account.id))

    async def positions(self, caller: Caller) -> list[tuple[Instrument, Position]]:
        return self._named(caller, await self._executor(caller).positions(caller.account.id))

    async def holdings(self, caller: Caller) -> list[tuple[Instrument, Holding]]:
        return self._named(caller, await self._executor(caller).holdings(caller.account.id))

    async def funds(self, caller: Caller) -> Funds:
        return await self._executor(caller).funds(caller.account.id)

    async def margin(self, caller: Caller, legs: Sequence[tuple[Instrument, MarginLeg]]) -> Margin:
        return await self._executor(caller).margin(caller.account.id, legs)

    async def convert(self, caller: Caller, instrument: Instrument, old: Product, new: Product, quantity: int) -> None:
        content = {**_named(instrument), "old": old.value, "new": new.value, "quantity": quantity}
        await self._router.act(
            caller,
            ActKind.CONVERT,
            content,
            lambda sending: _nothing(
                self._executor(caller).convert(caller.account.id, instrument, old, new, quantity, sending)
            ),
        )

    # --- GTT ----------------------------------------------------------------------------------------------------------

    async def gtts(self, caller: Caller) -> list[tuple[Instrument, Gtt]]:
        return self._named(caller, await self._executor(caller).gtts(caller.account.id))

    async def place_gtt(
        self, caller: Caller, instrument: Instrument, legs: Sequence[GttLeg], client_order_id: str = ""
    ) -> str:
        check_gtt(instrument, legs, self._today())
        last = await self.price(caller, instrument)
        executor, account = self._executor(caller), caller.account.id
        return await self._router.act(
            caller,
            ActKind.PLACE_GTT,
            _content(instrument, legs),
            lambda sending: executor.place_gtt(account, instrument, legs, last, sending),
            client_order_id=client_order_id,
            tickets=tickets_of(instrument, legs),
        )

    async def modify_gtt(self, caller: Caller, trigger_id: str, instrument: Instrument, legs: Sequence[GttLeg]) -> str:
        check_gtt(instrument, legs, self._today())
        last = await self.price(caller, instrument)
        executor, account = self._executor(caller), caller.account.id
        return await self._router.act(
            caller,
            ActKind.MODIFY_GTT,
            {"trigger_id": trigger_id, **_content(instrument, legs)},
            lambda sending: executor.modify_gtt(account, trigger_id, instrument, legs, last, sending),
            tickets=tickets_of(instrument, legs),
        )

    async def cancel_gtt(self, caller: Caller, trigger_id: str) -> str:
        executor, account = self._executor(caller), caller.account.id
        return await self._router.act(
            caller,
            ActKind.CANCEL_GTT,
            {"trigger_id": trigger_id},
            lambda sending: executor.cancel_gtt(account, trigger_id, sending),
            urgent=True,
        )

    # --- instruments and prices ---------------------------------------------------------------------------------------

    def instrument(self, caller: Caller, symbol: str, exchange: str) -> Instrument:
        return self._master(caller.account.id).lookup(symbol, exchange)

    def freeze_quantity(self, caller: Caller, instrument: Instrument) -> int | None:
        freeze = self._master(caller.account.id).freeze_quantity(instrument)
        return None if freeze == UNKNOWN else freeze

    async def price(self, caller: Caller, instrument: Instrument) -> float:
        return await self._price(caller.account.id, instrument)

    def _today(self) -> date:
        return ist_from_ms(self._clock.now_ms()).date()

    def _executor(self, caller: Caller) -> Executor:
        return self._executors[caller.mode]

    def _named(self, caller: Caller, rows: Sequence[Row]) -> list[tuple[Instrument, Row]]:
        """With their instruments. One that today's master does not know keeps the broker's own words, for a position
        that is not shown is money that nobody watches; where even its exchange is none of ours the book is refused."""
        master = self._master(caller.account.id)
        return [(master.named(row) or _stranger(caller, row, master), row) for row in rows]


def _stranger(caller: Caller, row: Trade | Position | Holding | Gtt, master: Master) -> Instrument:
    name = row.brsymbol or row.token
    known = row.brexchange in Exchange.__members__
    exchange = Exchange(row.brexchange) if known else master.exchange_of(row.brexchange)
    if exchange is None:
        raise Unknown(
            f"{caller.account.broker} told of {name} on {row.brexchange}, an exchange that is not known here; "
            "the book is not shown in part."
        )
    log.warning("%s: %s on %s is not in today's instruments", caller.account.id, name, row.brexchange)
    return Instrument(symbol=name, exchange=exchange, brsymbol=name, brexchange=row.brexchange, token=row.token)


def _named(instrument: Instrument) -> dict[str, Any]:
    return {"symbol": instrument.symbol, "exchange": instrument.exchange.value}


def _content(instrument: Instrument, legs: Sequence[GttLeg]) -> dict[str, Any]:
    rows = [
        {
            "trigger": str(leg.trigger),
            "action": leg.action.value,
            "quantity": leg.quantity,
            "price": str(leg.price),
            "price_type": leg.price_type.value,
            "product": leg.product.value,
        }
        for leg in legs
    ]
    return {**_named(instrument), "legs": rows}


async def _nothing(work: Awaitable[None]) -> str:
    await work
    return ""
