"""Orders at a broker without a journal: what was sent is remembered while the program runs, and found again by the tag
that the broker echoes. A write is never repeated; where its answer is missing, the broker is asked for it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sangam.brokers.contract import BrokerSpec, GttDesk, Operation, Session, Trading
from sangam.model.books import GttLeg
from sangam.model.clock import Clock
from sangam.model.errors import (
    BrokerError,
    Denied,
    InDoubt,
    RateLimited,
    Refused,
    Rejected,
    SangamError,
    SessionExpired,
    Unsupported,
)
from sangam.model.instrument import Instrument
from sangam.model.order import OrderState, OrderUpdate, Ticket
from sangam.transport.http import HttpDriver

from .answers import OrderInfo, Tick
from .asked import Name, Terms
from .own_orders import OwnOrders
from .streams import tick

log = logging.getLogger("sangam.client")

T = TypeVar("T")

LOOKS = (0.3, 0.7, 1.5, 2.5, 3.0)
"""Seconds before each look for an order whose answer is missing: 8 in all."""


class DirectDesk:
    """Lives on the loop."""

    def __init__(
        self, spec: BrokerSpec, trading: Trading, session: Session, driver: HttpDriver, orders: OwnOrders, clock: Clock
    ) -> None:
        self.orders = orders
        self._spec = spec
        self._trading = trading
        self._session = session
        self._driver = driver
        self._clock = clock
        self._placing: dict[str, asyncio.Task[OrderInfo]] = {}
        self._triggers: dict[str, str] = {}
        self._errands: set[asyncio.Task[Any]] = set()

    # --- placing ------------------------------------------------------------------------------------------------------

    async def place(self, ticket: Ticket, patience: float) -> OrderInfo:
        """One order per client order id, whoever asks for it how often."""
        id = ticket.client_order_id
        if (standing := self.orders.standing(ticket)) is not None:
            under_way = self._placing.get(id)
            return await (asyncio.shield(under_way) if under_way is not None else self._outcome(standing))
        instrument = self.orders.listing.lookup(ticket.symbol, ticket.exchange)
        if not self._trading.takes(ticket.price_type):
            raise Unsupported(f"{self._spec.title} takes no {ticket.price_type} orders here: give a price.")
        order = self.orders.begin(ticket, self._clock.now_ms())
        task = self.errand(self._send(order, instrument, patience))
        self._placing[id] = task
        task.add_done_callback(lambda done: self._settled(id, done))
        return await asyncio.shield(task)

    def _settled(self, id: str, task: asyncio.Task[OrderInfo]) -> None:
        """What was not sent may be asked for anew, what is in doubt may be looked for again; any other answer stays."""
        if task.cancelled() or self.orders.find(id) is None or isinstance(task.exception(), InDoubt):
            del self._placing[id]

    async def _send(self, order: OrderInfo, instrument: Instrument, patience: float) -> OrderInfo:
        operation = self._trading.place(order, instrument, self._session, self._driver.ctx())
        try:
            taken = await self._write(operation, patience, order)
        except InDoubt as error:
            log.warning("Order %s: %s; looking for it", order.id, error.__cause__)
            return await self._outcome(self.orders.doubted(order.id, self._clock.now_ms()), str(error.__cause__))
        except Rejected as error:
            return await self._outcome(self.orders.refused(order.id, str(error), error.code, self._clock.now_ms()))
        except BaseException:
            self.orders.forget(order)
            raise
        return self.orders.accepted(order.id, taken.order_id, taken.native, self._clock.now_ms())

    async def _outcome(self, order: OrderInfo, why: str = "") -> OrderInfo:
        """What is known of an order that was sent; where nothing is, the broker is asked for a while."""
        for pause in LOOKS:
            if self.orders.known(order.id).state is not OrderState.UNKNOWN:
                break
            await asyncio.sleep(pause)
            await self._try_to_look(self.orders.known(order.id))
        order = self.orders.known(order.id)
        if order.state is OrderState.REJECTED:
            raise Rejected(order.reason or "The broker rejected it.", order.code, order)
        if order.state is OrderState.UNKNOWN:
            raise InDoubt(
                f"Order {order.id} was sent, and nobody knows yet what became of it{f' ({why})' if why else ''}. Do "
                "not place it again under another client_order_id: ask get_order, or look into the broker's book.",
                order=order,
            )
        return order

    async def _try_to_look(self, order: OrderInfo) -> None:
        try:
            await self._look(order)
        except BrokerError as error:
            log.warning("The order book could not be read: %s", error)

    async def _look(self, order: OrderInfo) -> None:
        """By the cheapest read that tells of this order."""
        for row in await self._rows(order):
            self.orders.heard(row)

    async def _rows(self, order: OrderInfo) -> list[OrderUpdate]:
        trading, session, ctx = self._trading, self._session, self._driver.ctx()
        if order.order_id and trading.order is not None:
            row = await self.read(trading.order(order.order_id, session, ctx))
            return [] if row is None else [row]
        if not order.order_id and trading.find is not None:
            return await self.read(trading.find(trading.tag.text(order), session, ctx))
        return await self.read(trading.orders(session, ctx))

    # --- changing -----------------------------------------------------------------------------------------------------

    async def modify(self, reference: str, terms: Terms, patience: float) -> OrderInfo:
        order = await self._known(reference)
        instrument, change = self.orders.listing.lookup(order.symbol, order.exchange), terms.applied(order)
        operation = self._trading.modify(order, change, instrument, self._session, self._driver.ctx())
        try:
            await self._write(operation, patience, order)
        except InDoubt:
            if not await self._shows(order, terms.hold):
                raise
        return self.orders.modified(order.id, terms, self._clock.now_ms())

    async def cancel(self, reference: str, patience: float) -> OrderInfo:
        order = await self._known(reference)
        operation = self._trading.cancel(order, self._session, self._driver.ctx())
        try:
            await self._write(operation, patience, order, urgent=True)
        except InDoubt:
            if not await self._shows(order, lambda now: now.state is OrderState.CANCELLED):
                raise
        return self.orders.known(order.id)

    async def _shows(self, order: OrderInfo, done: Callable[[OrderInfo], bool]) -> bool:
        """Whether the broker's book shows, in a while, what may have been done to an order."""
        for pause in LOOKS:
            await asyncio.sleep(pause)
            await self._try_to_look(order)
            if done(self.orders.known(order.id)):
                return True
        return False

    async def order(self, reference: str) -> OrderInfo:
        order = await self._known(reference)
        if not order.is_final:
            await self._look(order)
        return self.orders.known(order.id)

    async def book(self) -> list[OrderInfo]:
        await self.catch_up()
        return self.orders.all()

    async def catch_up(self, *, quietly: bool = False) -> None:
        """Read the whole book: what happened while nothing was heard is told now."""
        for row in await self.read(self._trading.orders(self._session, self._driver.ctx())):
            self.orders.heard(row, quietly=quietly)

    async def _known(self, reference: str) -> OrderInfo:
        """One that was placed elsewhere is known once the book was read."""
        if self.orders.find(reference) is None:
            await self.catch_up()
        return self.orders.known(reference)

    # --- triggers -----------------------------------------------------------------------------------------------------

    async def place_gtt(self, name: Name, leg: GttLeg, client_order_id: str, patience: float) -> str:
        if client_order_id in self._triggers:
            return self._triggers[client_order_id]
        instrument, gtt = self.orders.listing.lookup(*name), self.gtt
        last = await self.quote(instrument)
        operation = gtt.place(instrument, [leg], last.ltp, self._session, self._driver.ctx())
        trigger_id = self._triggers[client_order_id] = await self._write(operation, patience)
        return trigger_id

    async def cancel_gtt(self, trigger_id: str, patience: float) -> None:
        operation = self.gtt.cancel(trigger_id, self._session, self._driver.ctx())
        await self._write(operation, patience, urgent=True)

    @property
    def gtt(self) -> GttDesk:
        if self._trading.gtt is None:
            raise Unsupported(f"GTT orders are not supported for broker '{self._spec.title}' yet.")
        return self._trading.gtt

    # --- reading and writing ------------------------------------------------------------------------------------------

    async def quote(self, instrument: Instrument) -> Tick:
        if self._spec.data is None or not self._spec.data.quote_batch:
            raise Unsupported(f"{self._spec.title} tells no quotes.")
        patches = await self.read(self._spec.data.quotes([instrument], self._session, self._driver.ctx()))
        simulated = self._spec.simulated
        told = tick(instrument, patches[0].fields, patches[0].depth, simulated) if patches else None
        if told is None:
            raise BrokerError(f"There is no price of {instrument.exchange}:{instrument.symbol}.")
        return told

    async def ask(self, what: Callable[[Session, Any], Operation[T]]) -> T:
        return await self.read(what(self._session, self._driver.ctx()))

    async def read(self, operation: Operation[T]) -> T:
        return await self._driver.run(self._spec, self._session, operation)

    async def _write(
        self, operation: Operation[T], patience: float, order: OrderInfo | None = None, *, urgent: bool = False
    ) -> T:
        """Raises Denied (nothing was done), SessionExpired, Rejected (evidence), InDoubt; the last with its cause."""
        sent = False

        async def announced() -> None:
            nonlocal sent
            sent = True

        try:
            return await self._driver.run(
                self._spec, self._session, operation, urgent=urgent, sending=announced, wait=patience
            )
        except SessionExpired:
            raise
        except Exception as error:
            broker = error if isinstance(error, BrokerError) else None
            if not sent or (broker is not None and not broker.sent):
                if isinstance(error, SangamError) and broker is None:
                    raise
                text = str(error) if broker is not None else f"A fault of ours: {error!r}. Nothing was sent."
                raise Denied(text, getattr(error, "code", ""), order) from error
            if isinstance(error, RateLimited):
                raise Denied(str(error), error.code, order) from error
            if isinstance(error, Refused):
                raise Rejected(str(error), error.code, order) from error
            text = f"It was sent, and nobody knows what became of it ({error}). Look before you repeat it."
            raise InDoubt(text, order=order) from error

    # --- beside it ----------------------------------------------------------------------------------------------------

    def errand(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that goes on when its caller has gone."""
        task = asyncio.get_running_loop().create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def watch(self, failed: Callable[[BrokerError], None]) -> None:
        """Where no stream tells of orders, the book does."""
        while True:
            await asyncio.sleep(self._trading.polls)
            await self.try_to_catch_up(failed)

    async def try_to_catch_up(self, failed: Callable[[BrokerError], None]) -> None:
        try:
            await self.catch_up()
        except BrokerError as error:
            failed(error)
