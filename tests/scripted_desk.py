"""A desk that does what a test says: it keeps what it was asked and answers at once, as if every order filled."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from tests import listed

from sangam.instruments.master import Master
from sangam.model.books import Funds, Gtt, GttLeg, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.enums import Product
from sangam.model.errors import BrokerError, OrderNotFound
from sangam.model.identity import Identity
from sangam.model.instrument import Instrument
from sangam.model.order import Change, Order, OrderNews, OrderState, Ticket, TradingMode
from sangam.orders.ports import Caller


class ScriptedDesk:
    """`faults` are raised by method name or, for a leg, by symbol; `asked` is what was asked, in order. `mode` is that
    of every caller; `ended` are the ids of orders that were over just now."""

    def __init__(self, master: Master, now_ms: int = 1_785_731_400_000) -> None:
        self.master = master
        self.now_ms = now_ms
        self.mode = TradingMode.LIVE
        self.analyzer = self.pinned = False
        self.asked: list[tuple[Any, ...]] = []
        self.faults: dict[str, Exception] = {}
        self.book: list[Order] = []
        self.unheard: list[Order] = []
        self.positions_held: list[tuple[Instrument, Position]] = []
        self.trades_done: list[tuple[Instrument, Trade]] = []
        self.holdings_held: list[tuple[Instrument, Holding]] = []
        self.triggers: list[tuple[Instrument, Gtt]] = []
        self.told_funds = Funds(available_cash=100_000.0, collateral=0.5, m2m_realised=-12.345, utilised=7.0)
        self.news: list[OrderNews] = []
        self.switched: list[tuple[str, bool]] = []
        self.fills = OrderState.COMPLETE
        self.ended: set[str] = set()
        self.freezes: dict[str, int] = {}

    def _ask(self, name: str, *what: Any) -> None:
        self.asked.append((name, *what))
        if name in self.faults:
            raise self.faults[name]

    def become(self, order: Order, state: OrderState, **fields: Any) -> None:
        """News of an order that was placed."""
        self.book = [
            msgspec.structs.replace(one, state=state, **fields) if one.id == order.id else one for one in self.book
        ]
        self.ended |= {order.id} if state.is_final else set()

    def placed(self) -> list[Ticket]:
        return [what[1] for what in self.asked if what[0] == "place"]

    # --- the desk -----------------------------------------------------------------------------------------------------

    def caller(self, identity: Identity, account: str | None) -> Caller:
        if "caller" in self.faults:
            raise self.faults["caller"]
        target = identity.account(account) if account else identity.order_account
        assert target is not None
        return Caller(identity, target, self.mode)

    async def place(self, caller: Caller, ticket: Ticket, *, group: str = "", urgent: bool = False) -> Order:
        self._ask("place", ticket, group, urgent)
        if ticket.symbol in self.faults:
            raise self.faults[ticket.symbol]
        for known in self.book:
            if ticket.client_order_id and known.client_order_id == ticket.client_order_id:
                return known
        number = len(self.book) + 1
        order = Order(
            id=f"L-{number:010}", account=caller.account.id, user=caller.identity.user, broker=caller.account.broker,
            mode=self.mode, symbol=ticket.symbol, exchange=ticket.exchange, action=ticket.action,
            quantity=ticket.quantity, price_type=ticket.price_type, product=ticket.product, price=ticket.price,
            trigger_price=ticket.trigger_price, strategy=ticket.strategy, tag=ticket.tag, group=group,
            client_order_id=ticket.client_order_id, state=self.fills, order_id=f"26080300{number:04}",
            created_at=self.now_ms,
        )  # fmt: skip
        self.book.insert(0, order)
        return order

    async def place_all(self, caller: Caller, tickets: Sequence[Ticket], *, group: str = "") -> list[Order | Exception]:
        self._ask("place_all", len(tickets), group)
        outcomes: list[Order | Exception] = []
        for ticket in tickets:
            try:
                outcomes.append(await self.place(caller, ticket, group=group))
            except Exception as error:  # noqa: BLE001 - a leg's outcome, whatever it is
                outcomes.append(error)
        return outcomes

    async def modify(self, caller: Caller, reference: str, change: Change) -> Order:
        self._ask("modify", reference, change)
        return msgspec.structs.replace(self.find(caller, reference), quantity=change.quantity)

    async def cancel(self, caller: Caller, reference: str) -> Order:
        self._ask("cancel", reference)
        if reference in self.faults:
            raise self.faults[reference]
        return msgspec.structs.replace(self.find(caller, reference), state=OrderState.CANCELLED)

    def find(self, caller: Caller, reference: str) -> Order:
        for order in self.book:
            if reference in (order.order_id, order.id, order.client_order_id):
                return order
        raise OrderNotFound(f"Order {reference} not found")

    async def known(self, caller: Caller, reference: str) -> Order:
        try:
            return self.find(caller, reference)
        except OrderNotFound:
            for order in await self.orders(caller):
                if reference in (order.order_id, order.id):
                    return order
            raise

    async def orders(self, caller: Caller) -> list[Order]:
        self._ask("orders")
        return [*self.book, *self.unheard]

    def moving(self, caller: Caller, ended_within: float = 0.0) -> list[Order]:
        return [order for order in self.book if not order.state.is_final or (ended_within and order.id in self.ended)]

    async def trades(self, caller: Caller) -> list[tuple[Instrument, Trade]]:
        self._ask("trades")
        return self.trades_done

    async def positions(self, caller: Caller) -> list[tuple[Instrument, Position]]:
        self._ask("positions")
        return self.positions_held

    async def holdings(self, caller: Caller) -> list[tuple[Instrument, Holding]]:
        self._ask("holdings")
        return self.holdings_held

    async def funds(self, caller: Caller) -> Funds:
        self._ask("funds")
        return self.told_funds

    async def margin(self, caller: Caller, legs: Sequence[tuple[Instrument, MarginLeg]]) -> Margin:
        self._ask("margin", *legs)
        return Margin(total=150.0, span=100.0, exposure=50.0)

    async def convert(self, caller: Caller, instrument: Instrument, old: Product, new: Product, quantity: int) -> None:
        self._ask("convert", instrument, old, new, quantity)

    async def gtts(self, caller: Caller) -> list[tuple[Instrument, Gtt]]:
        self._ask("gtts")
        return self.triggers

    async def place_gtt(
        self, caller: Caller, instrument: Instrument, legs: Sequence[GttLeg], client_order_id: str = ""
    ) -> str:
        self._ask("place_gtt", instrument, legs, client_order_id)
        return "77"

    async def modify_gtt(self, caller: Caller, trigger_id: str, instrument: Instrument, legs: Sequence[GttLeg]) -> str:
        self._ask("modify_gtt", trigger_id, instrument, legs)
        return trigger_id

    async def cancel_gtt(self, caller: Caller, trigger_id: str) -> str:
        self._ask("cancel_gtt", trigger_id)
        return trigger_id

    def instrument(self, caller: Caller, symbol: str, exchange: str) -> Instrument:
        return self.master.lookup(symbol, exchange)

    def freeze_quantity(self, caller: Caller, instrument: Instrument) -> int | None:
        return self.freezes.get(instrument.symbol)

    async def price(self, caller: Caller, instrument: Instrument) -> float:
        self._ask("price", instrument.symbol)
        price = listed.price(instrument)
        if price <= 0:
            raise BrokerError(f"There is no price of {instrument.symbol}.")
        return price

    # --- beside it ----------------------------------------------------------------------------------------------------

    async def resolve(self, caller: Caller, reference: str, outcome: str, note: str) -> Order:
        self._ask("resolve", reference, outcome, note)
        return msgspec.structs.replace(self.find(caller, reference), state=OrderState(outcome))

    async def since(self, identity: Identity, seq: int) -> tuple[list[OrderNews], int]:
        self._ask("since", seq)
        own = {account.id for account in identity.accounts}
        return [one for one in self.news if one.seq > seq and one.account in own], len(self.news)

    async def switch(self, identity: Identity, on: bool) -> None:
        self._ask("switch", identity.user, on)
        self.analyzer = on
        if not self.pinned:
            self.mode = TradingMode.PAPER if on else TradingMode.LIVE

    def paper(self, caller: Caller) -> Mapping[str, Any]:
        return {"total_realized_pnl": 5.5, "last_reset": 1_785_522_600_000, "reset_count": 1}
