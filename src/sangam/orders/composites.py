"""Orders made of orders: smart order, basket, split, cancel-all, close-position (specs: contract-rest.md, 3).

Each leg is an order of its own, with its own outcome; all legs of one request share a group. With a client order id X
the legs are X/1, X/2 and so on, so that a repeated request places nothing twice."""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from weakref import WeakValueDictionary

import msgspec

from sangam.model.books import Position
from sangam.model.enums import Action, PriceType, Product
from sangam.model.errors import BrokerError, InvalidInput, OrderNotFound
from sangam.model.instrument import Instrument
from sangam.model.order import Order, Ticket

from .legs import leg_id, patient, sliced
from .ports import Caller, Desk
from .smart import decide

Outcome = Order | Exception
"""What became of one leg."""


class Slice(NamedTuple):
    quantity: int
    outcome: Outcome


class Cancelling(NamedTuple):
    order: Order
    outcome: Outcome


class Closing(NamedTuple):
    instrument: Instrument
    product: Product
    outcome: Outcome


@contextmanager
def reading() -> Iterator[None]:
    """What a request reads before it writes: where that fails, nothing was sent, whatever became of the read."""
    try:
        yield
    except BrokerError as error:
        raise error.unsent() from None


def new_group() -> str:
    return f"G-{secrets.token_hex(5).upper()}"


class Composites:
    """Of one account and mode those that read positions first run one after another: two at once would both act on
    what neither has done yet."""

    def __init__(self, desk: Desk, group: Callable[[], str] = new_group) -> None:
        self._desk = desk
        self._group = group
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def smart(self, caller: Caller, ticket: Ticket, target: int) -> Order | str:
        """Brings the position of the ticket's symbol and product to `target`; a text where it is there already.

        Raises what reading the positions raises: not knowing is not being flat."""
        async with self._turn(caller):
            earlier = self._earlier(caller, ticket.client_order_id)
            if earlier is not None and (earlier.symbol, earlier.exchange) == (ticket.symbol, ticket.exchange):
                step: tuple[Action, int] | str = (earlier.action, earlier.quantity)
            else:
                self._desk.instrument(caller, ticket.symbol, ticket.exchange)
                step = decide(target, await self.net(caller, ticket), ticket.action, ticket.quantity)
            if isinstance(step, str):
                return step
            action, quantity = step
            return await self._desk.place(
                caller,
                msgspec.structs.replace(ticket, action=action, quantity=quantity),
                group=ticket.client_order_id or self._group(),
            )

    async def net(self, caller: Caller, of: Ticket) -> int:
        """The net quantity of a symbol in one product."""
        wanted = (of.symbol, of.exchange, of.product)
        with reading():
            positions = await self._desk.positions(caller)
        return sum(
            position.quantity
            for instrument, position in positions
            if (instrument.symbol, instrument.exchange, position.product) == wanted
        )

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
        """Cancels whatever waits: open and trigger pending, ours and those placed elsewhere."""
        with reading():
            waiting = [order for order in await self._desk.orders(caller) if not order.state.is_final]
        outcomes = await asyncio.gather(
            *(self._desk.cancel(caller, order.order_id or order.id) for order in waiting), return_exceptions=True
        )
        return [Cancelling(order, _outcome(told)) for order, told in zip(waiting, outcomes, strict=True)]

    async def close_all(self, caller: Caller, strategy: str = "", client_order_id: str = "") -> list[Closing]:
        """A MARKET order against every open position; the legs of a client order id are named after their position.

        Raises what reading the positions raises: an empty answer by an error closes nothing and is no success."""
        async with self._turn(caller):
            with reading():
                positions = await self._desk.positions(caller)
            closings: list[tuple[Instrument, Position, Ticket]] = []
            for instrument, position in positions:
                name = leg_id(client_order_id, _mark(instrument, position))
                earlier = self._earlier(caller, name)
                if earlier is None and not position.quantity:
                    continue
                ticket = Ticket(
                    symbol=instrument.symbol,
                    exchange=instrument.exchange,
                    action=earlier.action if earlier else Action.SELL if position.quantity > 0 else Action.BUY,
                    quantity=earlier.quantity if earlier else abs(position.quantity),
                    price_type=PriceType.MARKET,
                    product=position.product,
                    strategy=strategy,
                    client_order_id=name,
                )
                closings.append((instrument, position, ticket))
            group = client_order_id or self._group()
            outcomes = await asyncio.gather(
                *(
                    self._desk.place(caller, ticket, group=group, urgent=True)
                    for ticket in patient(ticket for _, _, ticket in closings)
                ),
                return_exceptions=True,
            )
            return [
                Closing(instrument, position.product, _outcome(told))
                for (instrument, position, _), told in zip(closings, outcomes, strict=True)
            ]

    async def convert(self, caller: Caller, instrument: Instrument, old: Product, new: Product, quantity: int) -> int:
        """Moves units of a position to another product; the side is the position's, and so is the returned quantity's
        sign. Raises InvalidInput where the position is smaller."""
        if old is new:
            raise InvalidInput("product and to_product are the same.")
        async with self._turn(caller):
            with reading():
                positions = await self._desk.positions(caller)
            held = sum(row.quantity for one, row in positions if one == instrument and row.product is old)
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

    def _earlier(self, caller: Caller, client_order_id: str) -> Order | None:
        """What a client order id stands for already: asked again, its terms are repeated, not computed anew."""
        if not client_order_id:
            return None
        try:
            order = self._desk.find(caller, client_order_id)
        except OrderNotFound:
            return None
        return order if order.client_order_id == client_order_id else None

    def _turn(self, caller: Caller) -> asyncio.Lock:
        key = (caller.account.id, caller.mode)
        return self._turns.setdefault(key, asyncio.Lock())


def _mark(instrument: Instrument, position: Position) -> str:
    """Six characters that stand for a position, the same each time."""
    name = f"{instrument.exchange}:{instrument.symbol}:{position.product}"
    return hashlib.blake2s(name.encode(), digest_size=3).hexdigest()


def _outcome(told: Order | BaseException) -> Outcome:
    if isinstance(told, Exception) or not isinstance(told, BaseException):
        return told
    raise told
