"""When a position may be decided on: nothing that changes it is under way, and its book is newer than what did.

Two closings one after another would else both act on the old position, and the second reverse it."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from sangam.model.books import Position
from sangam.model.enums import PriceType, Product
from sangam.model.errors import BrokerError, Conflict, OrderNotFound
from sangam.model.instrument import Instrument
from sangam.model.order import Order, OrderState, TradingMode

from .ports import Caller, Desk

SMART = "smart-"
"""How the groups of smart orders begin: whatever their price type, they lead to a target."""
PATIENCE = 5.0
"""Seconds that a decision waits for orders under way."""
LAG = 3.0
"""Seconds in which a broker's position book may still be behind the end of an order."""
LOOK = 0.025
READ = 1.0
AGAIN = 0.5
"""Seconds between two looks into the journal, which pushes keep up, between two reads of the order book, and between
two reads of a position book that is behind."""

Key = tuple[str, str, Product]
"""Symbol, exchange, product."""
Positions = Sequence[tuple[Instrument, Position]]


class _Acted(NamedTuple):
    """The orders that a decision led to, and the net quantity it was made on."""

    orders: frozenset[str]
    before: int


@contextmanager
def reading() -> Iterator[None]:
    """What a request reads before it writes: where that fails, nothing was sent, whatever became of the read."""
    try:
        yield
    except BrokerError as error:
        raise error.unsent() from None


def key_of(order: Order) -> Key:
    return order.symbol, order.exchange, order.product


def net(positions: Positions, key: Key) -> int:
    """The net quantity of a symbol in one product."""
    return sum(
        position.quantity
        for instrument, position in positions
        if (instrument.symbol, instrument.exchange, position.product) == key
    )


def owner(caller: Caller) -> str:
    """Whose positions they are: a paper book is one for all accounts of its user."""
    return caller.account.id if caller.mode is TradingMode.LIVE else f"paper of {caller.account.user}"


def unsettled(order: Order) -> Conflict:
    """Why nothing is decided on a position."""
    name = f"Order {order.order_id or order.id} ({order.action} {order.quantity} {order.symbol}, {order.state})"
    if order.state.is_final:
        text = f"{name} is not in the broker's position book yet. Nothing was sent; try again in a moment."
    elif order.state is OrderState.UNKNOWN:
        text = f"{name} perhaps still changes this position. Nothing was sent; wait for its outcome or resolve it."
    else:
        text = f"{name} still changes this position. Nothing was sent; try again when it is over, or cancel it."
    return Conflict(text, order=order)


class Settling:
    def __init__(self, desk: Desk, patience: float = PATIENCE) -> None:
        self._desk = desk
        self._patience = patience
        self._acted: dict[tuple[str, Key], _Acted] = {}

    def deadline(self) -> float:
        return _now() + self._patience

    def under_way(self, caller: Caller, own: str = "") -> dict[Key, Order]:
        """An order for each position that one still changes: MARKET orders, triggered SL-M ones and smart ones. `own`
        is a client order id whose legs are left out: asking again what became of them is no decision."""
        return {
            key_of(order): order
            for order in self._desk.moving(caller)
            if _decides(order) and not (own and order.client_order_id.startswith(f"{own}/"))
        }

    def is_over(self, deadline: float) -> bool:
        return _now() >= deadline

    async def wait(self, caller: Caller, restless: Mapping[Key, Order], deadline: float, own: str = "") -> None:
        """Returns when no order changes these positions any more, or at the deadline (loop time). Where the orders are
        over and only the position book is behind, a moment later."""
        read_at = _now() + READ
        if all(order.state.is_final for order in restless.values()):
            await asyncio.sleep(min(AGAIN, max(0.0, deadline - _now())))
        while (left := deadline - _now()) > 0 and not restless.keys().isdisjoint(self.under_way(caller, own)):
            if _now() < read_at:
                await asyncio.sleep(min(LOOK, left))
                continue
            with suppress(BrokerError, TimeoutError):  # a push may still tell
                async with asyncio.timeout(left):
                    await self._desk.orders(caller)
            read_at = _now() + READ

    async def confirmed(self, caller: Caller, orders: Collection[Order]) -> list[Order]:
        """The orders as they are a moment after they were taken: some brokers refuse what they took, for want of money.
        Where no news come, the order book is read once; paper refuses at once."""

        def now() -> list[Order]:
            return [self._current(caller, one) for one in orders]

        deadline = _now() + AGAIN
        while caller.mode is TradingMode.LIVE and not all(_is_told(order) for order in now()):
            if _now() < deadline:
                await asyncio.sleep(LOOK)
                continue
            with suppress(BrokerError, TimeoutError):
                async with asyncio.timeout(LAG):
                    await self._desk.orders(caller)
            break
        return now()

    async def positions(self, caller: Caller) -> tuple[Positions, dict[Key, Order]]:
        """The position book, and the orders that it does not tell yet by their positions: read it again a moment later.

        Equal reads in flight share one answer, so a first one may have begun before the newest order ended; a second
        cannot."""
        recent = self._recent(caller)
        with reading():
            if recent:
                await self._desk.positions(caller)
            rows = await self._desk.positions(caller)
        filled = [order for order in recent if order.filled_quantity]
        missing = {}
        for order in filled:
            key = key_of(order)
            acted = self._acted.get((owner(caller), key))
            if acted is None or net(rows, key) != acted.before:
                continue
            if acted.orders >= {one.id for one in filled if key_of(one) == key}:  # nothing else can have led back there
                missing[key] = order
        return rows, missing

    def acted(self, caller: Caller, orders: Collection[Order], before: int) -> None:
        """These were placed for a position that was `before`."""
        whose, recent = owner(caller), {one.id for one in self._recent(caller)}
        self._acted = {key: one for key, one in self._acted.items() if key[0] != whose or one.orders & recent}
        for order in orders:
            self._acted[whose, key_of(order)] = _Acted(frozenset(one.id for one in orders), before)

    def _current(self, caller: Caller, order: Order) -> Order:
        try:
            return self._desk.find(caller, order.id)
        except OrderNotFound:  # of days ago, and over
            return order

    def _recent(self, caller: Caller) -> list[Order]:
        return self._desk.moving(caller, ended_within=LAG)


def _decides(order: Order) -> bool:
    if order.state.is_final:
        return False
    triggered = order.price_type is PriceType.SL_M and order.state in (OrderState.OPEN, OrderState.PARTIALLY_FILLED)
    return order.price_type is PriceType.MARKET or triggered or order.group.startswith(SMART)


def _is_told(order: Order) -> bool:
    return order.state.is_final or order.told_at > 0 or order.filled_quantity > 0


def _now() -> float:
    return asyncio.get_running_loop().time()
