"""Orders made of orders: smart order, basket, split, cancel-all, close-position (specs: contract-rest.md, 3).

Each leg is an order of its own, with its own outcome; all legs of one request share a group. With a client order id X
the legs are X/1, X/2 and so on, so that a repeated request places nothing twice."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple
from weakref import WeakValueDictionary

import msgspec

from sangam.model.enums import Action, Product
from sangam.model.errors import BrokerError, Conflict, InvalidInput, OrderNotFound
from sangam.model.instrument import Instrument
from sangam.model.order import Order, Ticket

from .closing import Closer, Closing, known
from .legs import Outcome, Slice, leg_id, outcome_of, patient, sliced
from .ports import Caller, Desk
from .settling import PATIENCE, SMART, Key, Settling, net, owner, reading, unsettled
from .smart import decide


class Cancelling(NamedTuple):
    order: Order
    outcome: Outcome


def new_group() -> str:
    return f"G-{secrets.token_hex(5).upper()}"


class Composites:
    """What reads positions first waits, at most `patience` seconds, for the orders that still change them, and of one
    book decides one after another: two at once would both act on what neither has done yet."""

    def __init__(self, desk: Desk, group: Callable[[], str] = new_group, patience: float = PATIENCE) -> None:
        self._desk = desk
        self._group = group
        self.settling = Settling(desk, patience)
        self._closer = Closer(desk, self.settling, self._turn)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def smart(self, caller: Caller, ticket: Ticket, target: int) -> Order | str:
        """Brings the position of the ticket's symbol and product to `target`; a text where it is there already.

        Raises what reading the positions raises: not knowing is not being flat. Raises Conflict where an order does
        not come to its end."""
        key: Key = (ticket.symbol, ticket.exchange, ticket.product)
        deadline = self.settling.deadline()
        while True:
            async with self._turn(caller):
                told = await self._smart(caller, ticket, target, key)
            if not isinstance(told, Conflict):
                return told
            if self.settling.is_over(deadline) or told.order is None:
                raise told
            await self.settling.wait(caller, {key: told.order}, deadline)

    async def _smart(self, caller: Caller, ticket: Ticket, target: int, key: Key) -> Order | str | Conflict:
        """A Conflict while an order keeps the position from being known."""
        group = SMART + (ticket.client_order_id or self._group())
        earlier = known(self._desk, caller, ticket.client_order_id)
        if earlier is not None and (earlier.symbol, earlier.exchange) == (ticket.symbol, ticket.exchange):
            repeated = msgspec.structs.replace(ticket, action=earlier.action, quantity=earlier.quantity)
            return await self._desk.place(caller, repeated, group=group)
        self._desk.instrument(caller, ticket.symbol, ticket.exchange)
        if (order := self.settling.under_way(caller).get(key)) is not None:
            return unsettled(order)
        positions, missing = await self.settling.positions(caller)
        if (order := missing.get(key)) is not None:
            return unsettled(order)
        held = net(positions, key)
        step = decide(target, held, ticket.action, ticket.quantity)
        if isinstance(step, str):
            return step
        decided = msgspec.structs.replace(ticket, action=step.action, quantity=step.quantity)
        placed = await self._desk.place(caller, decided, group=group)
        self.settling.acted(caller, [placed], held)
        return placed

    async def basket(self, caller: Caller, tickets: Sequence[Ticket], client_order_id: str = "") -> list[Outcome]:
        """All BUY legs have an outcome before the first SELL leg goes: what hedges and pays for it comes first."""
        named = [
            one
            if one.client_order_id
            else msgspec.structs.replace(one, client_order_id=leg_id(client_order_id, number))
            for number, one in enumerate(tickets, 1)
        ]
        return await self.buys_first(caller, named, client_order_id or self._group())

    async def split(self, caller: Caller, ticket: Ticket, size: int) -> list[Slice]:
        """Raises InvalidInput before anything is placed."""
        tickets = patient(sliced(ticket, size))
        group = ticket.client_order_id or self._group()
        outcomes = await self._desk.place_all(caller, tickets, group=group)
        return [Slice(one.quantity, outcome) for one, outcome in zip(tickets, outcomes, strict=True)]

    async def cancel_all(self, caller: Caller) -> list[Cancelling]:
        """Cancels whatever waits: open and trigger pending, ours and those placed elsewhere. An order that ended before
        it could be cancelled is left out: it does not wait."""
        with reading():
            waiting = [order for order in await self._desk.orders(caller) if not order.state.is_final]
        outcomes = await asyncio.gather(
            *(self._desk.cancel(caller, order.order_id or order.id) for order in waiting), return_exceptions=True
        )
        told = [Cancelling(order, outcome_of(one)) for order, one in zip(waiting, outcomes, strict=True)]
        if any(self._waits(caller, one) for one in told if isinstance(one.outcome, Exception)):
            with suppress(BrokerError):  # the failures stand as they are
                await self._desk.orders(caller)
        return [one for one in told if isinstance(one.outcome, Order) or self._waits(caller, one)]

    def _waits(self, caller: Caller, one: Cancelling) -> bool:
        try:
            return not self._desk.find(caller, one.order.id).state.is_final
        except OrderNotFound:
            return True

    async def close_all(self, caller: Caller, strategy: str = "", client_order_id: str = "") -> list[Closing]:
        return await self._closer.close_all(caller, strategy, client_order_id, self.group(client_order_id))

    async def convert(self, caller: Caller, instrument: Instrument, old: Product, new: Product, quantity: int) -> int:
        """Moves units of a position to another product; the side is the position's, and so is the returned quantity's
        sign. Raises InvalidInput where the position is smaller."""
        if old is new:
            raise InvalidInput("product and to_product are the same.")
        async with self._turn(caller):
            with reading():
                positions = await self._desk.positions(caller)
            held = net(positions, (instrument.symbol, instrument.exchange, old))
            if abs(held) < quantity:
                raise InvalidInput(f"The position in {old} is {held}: {quantity} cannot be converted.")
            signed = quantity if held > 0 else -quantity
            await self._desk.convert(caller, instrument, old, new, signed)
            return signed

    async def buys_first(self, caller: Caller, tickets: Sequence[Ticket], group: str) -> list[Outcome]:
        """Outcomes in the order of the tickets."""
        outcomes: dict[int, Outcome] = {}
        waiting = patient(tickets)
        for side in (Action.BUY, Action.SELL):
            legs = [number for number, one in enumerate(waiting) if one.action is side]
            if legs:
                told = await self._desk.place_all(caller, [waiting[number] for number in legs], group=group)
                outcomes.update(zip(legs, told, strict=True))
        return [outcomes[number] for number in range(len(waiting))]

    def group(self, client_order_id: str) -> str:
        return client_order_id or self._group()

    def _turn(self, caller: Caller) -> asyncio.Lock:
        return self._turns.setdefault(owner(caller), asyncio.Lock())
