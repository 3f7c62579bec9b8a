"""Closing positions at market, none twice."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import NamedTuple

from sangam.model.books import Position
from sangam.model.enums import Action, PriceType, Product
from sangam.model.errors import Conflict, InvalidInput, OrderNotFound
from sangam.model.instrument import Instrument
from sangam.model.order import Order, Ticket

from .legs import MAX_SLICES, Slice, leg_id, outcome_of, patient, sliced
from .ports import Caller, Desk
from .settling import Key, Positions, Settling, unsettled


class Closing(NamedTuple):
    """What became of one position; several slices where it is larger than the exchange takes in one order."""

    symbol: str
    exchange: str
    product: Product
    slices: list[Slice]


class Closer:
    """Of one account and mode what reads positions first runs in `turn`."""

    def __init__(self, desk: Desk, settling: Settling, turn: Callable[[Caller], asyncio.Lock]) -> None:
        self._desk = desk
        self._settling = settling
        self._turn = turn

    async def close_all(self, caller: Caller, strategy: str, client_order_id: str, group: str) -> list[Closing]:
        """A MARKET order against every open position; the legs of a client order id are named after their position. One
        that an order under way still changes waits for that order's end, and keeps no other one waiting.

        Raises what reading the positions raises: an empty answer by an error closes nothing and is no success."""
        settling = self._settling
        deadline, told = settling.deadline(), list[Closing]()
        waiting: set[Key] | None = None
        while True:
            async with self._turn(caller):
                restless = settling.under_way(caller, client_order_id)
                positions, missing = await settling.positions(caller)
                restless |= missing
                free = [
                    (instrument, position)
                    for instrument, position in positions
                    if (key := (instrument.symbol, instrument.exchange, position.product)) not in restless
                    and (waiting is None or key in waiting)
                ]
                told += await self._close(caller, free, strategy, client_order_id, group)
            restless = {key: order for key, order in restless.items() if waiting is None or key in waiting}
            waiting = set(restless)
            if not waiting:
                return told
            if settling.is_over(deadline):
                return told + [Closing(*key, [Slice(0, unsettled(order))]) for key, order in restless.items()]
            await settling.wait(caller, restless, deadline, client_order_id)

    async def _close(
        self, caller: Caller, positions: Positions, strategy: str, client_order_id: str, group: str
    ) -> list[Closing]:
        told: list[Closing] = []
        planned: list[tuple[Closing, int, str, list[Ticket]]] = []
        for instrument, position in positions:
            closing = Closing(instrument.symbol, instrument.exchange, position.product, [])
            name = leg_id(client_order_id, _mark(instrument, position))
            try:
                tickets = self._earlier(caller, name) or self._plan(caller, instrument, position, strategy, name)
            except InvalidInput as error:
                told.append(closing._replace(slices=[Slice(abs(position.quantity), error)]))
                continue
            if tickets:
                planned.append((closing, position.quantity, name, tickets))
        waits = iter(patient(ticket for _, _, _, tickets in planned for ticket in tickets))
        outcomes = iter(
            await asyncio.gather(
                *(self._desk.place(caller, ticket, group=group, urgent=True) for ticket in waits),
                return_exceptions=True,
            )
        )
        for closing, before, name, tickets in planned:
            slices = [Slice(ticket.quantity, outcome_of(next(outcomes))) for ticket in tickets]
            self._settling.acted(caller, [one.outcome for one in slices if isinstance(one.outcome, Order)], before)
            told.append(closing._replace(slices=slices + _left(before, name, slices)))
        return told

    def _plan(
        self, caller: Caller, instrument: Instrument, position: Position, strategy: str, name: str
    ) -> list[Ticket]:
        """Raises InvalidInput where it would be too many slices."""
        if not position.quantity:
            return []
        whole = Ticket(
            symbol=instrument.symbol,
            exchange=instrument.exchange,
            action=Action.SELL if position.quantity > 0 else Action.BUY,
            quantity=abs(position.quantity),
            price_type=PriceType.MARKET,
            product=position.product,
            strategy=strategy,
            client_order_id=name,
        )
        freeze = self._desk.freeze_quantity(caller, instrument)
        if freeze is None or whole.quantity <= freeze:
            return [whole]
        lot = max(1, instrument.lot_size)
        return sliced(whole, max(lot, freeze // lot * lot))

    def _earlier(self, caller: Caller, name: str) -> list[Ticket]:
        """What a closing asked for before under the same name: asked again, its terms are repeated, not made anew."""
        if (whole := known(self._desk, caller, name)) is not None:
            return [_repeated(whole)]
        legs = (known(self._desk, caller, leg_id(name, number)) for number in range(1, MAX_SLICES + 1))
        return [_repeated(order) for order in takewhile(lambda one: one is not None, legs) if order is not None]


def _left(quantity: int, name: str, slices: Sequence[Slice]) -> list[Slice]:
    """Where slices of an earlier closing are over and the position is not: what is left has no name yet."""
    asked, told = sum(one.quantity for one in slices), [one.outcome for one in slices]
    repeated = len(slices) > 1 or any(isinstance(one, Order) and one.client_order_id != name for one in told)
    over = all(isinstance(one, Order) and one.state.is_final for one in told)
    if not (name and quantity and repeated and over and asked != abs(quantity)):
        return []
    text = f"{abs(quantity)} are still open. Close them under a new client_order_id."
    return [Slice(abs(quantity), Conflict(text))]


def known(desk: Desk, caller: Caller, client_order_id: str) -> Order | None:
    """What a client order id stands for already."""
    try:
        order = desk.find(caller, client_order_id) if client_order_id else None
    except OrderNotFound:
        return None
    return order if order is not None and order.client_order_id == client_order_id else None


def _repeated(order: Order) -> Ticket:
    return Ticket(
        symbol=order.symbol,
        exchange=order.exchange,
        action=order.action,
        quantity=order.quantity,
        price_type=order.price_type,
        product=order.product,
        strategy=order.strategy,
        client_order_id=order.client_order_id,
    )


def _mark(instrument: Instrument, position: Position) -> str:
    """Six characters that stand for a position, the same each time."""
    name = f"{instrument.exchange}:{instrument.symbol}:{position.product}"
    return hashlib.blake2s(name.encode(), digest_size=3).hexdigest()
