"""Orders at the broker: the operations of its folder, driven over HTTP."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from sangam.brokers.contract import BrokerSpec, Ctx, GttDesk, Operation, Session, Trading
from sangam.model.books import Funds, Gtt, GttLeg, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.enums import Product
from sangam.model.errors import Denied, SessionExpired, Unsupported
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, OrderUpdate, TradingMode

from .ports import Sending

T = TypeVar("T")


class Driver(Protocol):
    """Runs operations: the server's HTTP driver, or canned answers."""

    def ctx(self) -> Ctx: ...

    async def run(
        self,
        spec: BrokerSpec,
        session: Session,
        operation: Operation[T],
        *,
        urgent: bool = False,
        sending: Sending | None = None,
        wait: float | None = None,
    ) -> T: ...


class _Desk(NamedTuple):
    spec: BrokerSpec
    trading: Trading
    session: Session


class Live:
    """Implements `ports.Executor`. `session` tells what an account holds now, None before its login."""

    mode = TradingMode.LIVE

    def __init__(
        self, driver: Driver, spec: Callable[[str], BrokerSpec], session: Callable[[str], Session | None]
    ) -> None:
        self._driver = driver
        self._spec = spec
        self._session = session

    # --- orders -------------------------------------------------------------------------------------------------------

    async def place(
        self, account: str, order: Order, instrument: Instrument, sending: Sending, *, urgent: bool, wait: float | None
    ) -> Accepted:
        desk = self._desk(account)
        operation = desk.trading.place(_as_sent(order), instrument, desk.session, self._driver.ctx())
        return await self._write(desk, operation, sending, urgent=urgent, wait=wait)

    async def modify(
        self, account: str, order: Order, change: Change, instrument: Instrument, sending: Sending, *, urgent: bool
    ) -> Accepted:
        desk = self._desk(account)
        operation = desk.trading.modify(order, change, instrument, desk.session, self._driver.ctx())
        return await self._write(desk, operation, sending, urgent=urgent)

    async def cancel(self, account: str, order: Order, sending: Sending) -> Accepted:
        desk = self._desk(account)
        operation = desk.trading.cancel(order, desk.session, self._driver.ctx())
        return await self._write(desk, operation, sending, urgent=True)

    async def orders(self, account: str) -> list[OrderUpdate]:
        desk = self._desk(account)
        return await self._read(desk, desk.trading.orders(desk.session, self._driver.ctx()))

    async def find(self, account: str, order: Order) -> OrderUpdate | None:
        """By its id there, by our tag, else in the whole book. Raises Unsupported where neither id nor tag can tell."""
        desk = self._desk(account)
        trading, tag = desk.trading, "" if order.foreign or desk.trading.tag.kind == "none" else order.our_tag
        if order.order_id and trading.order is not None:
            return await self._read(desk, trading.order(order.order_id, desk.session, self._driver.ctx()))
        if not order.order_id and not tag:
            raise Unsupported(
                f"{desk.spec.title} echoes no tag, so an order without its number cannot be told from others. "
                "Look into the broker's order book and resolve it there."
            )
        if tag and not order.order_id and trading.find is not None:
            rows = await self._read(desk, trading.find(trading.tag.text(order), desk.session, self._driver.ctx()))
        else:
            rows = await self.orders(account)
        if order.order_id:
            return next((row for row in rows if row.order_id == order.order_id), None)
        return next((row for row in rows if row.tag.startswith(tag)), None)

    # --- books --------------------------------------------------------------------------------------------------------

    async def trades(self, account: str) -> list[Trade]:
        desk = self._desk(account)
        return await self._read(desk, desk.trading.trades(desk.session, self._driver.ctx()))

    async def positions(self, account: str) -> list[Position]:
        desk = self._desk(account)
        return await self._read(desk, desk.trading.positions(desk.session, self._driver.ctx()))

    async def holdings(self, account: str) -> list[Holding]:
        desk = self._desk(account)
        return await self._read(desk, desk.trading.holdings(desk.session, self._driver.ctx()))

    async def funds(self, account: str) -> Funds:
        desk = self._desk(account)
        return await self._read(desk, desk.trading.funds(desk.session, self._driver.ctx()))

    async def margin(self, account: str, legs: Sequence[tuple[Instrument, MarginLeg]]) -> Margin:
        desk = self._desk(account)
        if desk.trading.margin is None:
            raise _unsupported("Margin calculation is", desk.spec)
        return await self._read(desk, desk.trading.margin(legs, desk.session, self._driver.ctx()))

    async def convert(
        self, account: str, instrument: Instrument, old: Product, new: Product, quantity: int, sending: Sending
    ) -> None:
        desk = self._desk(account)
        if desk.trading.convert is None:
            raise _unsupported("Position conversion is", desk.spec)
        operation = desk.trading.convert(instrument, old, new, quantity, desk.session, self._driver.ctx())
        await self._write(desk, operation, sending)

    # --- GTT ----------------------------------------------------------------------------------------------------------

    async def gtts(self, account: str) -> list[Gtt]:
        desk = self._desk(account)
        return await self._read(desk, _gtt(desk).list(desk.session, self._driver.ctx()))

    async def place_gtt(
        self, account: str, instrument: Instrument, legs: Sequence[GttLeg], last_price: float, sending: Sending
    ) -> str:
        desk = self._desk(account)
        operation = _gtt_of(desk, instrument, legs).place(
            instrument, legs, last_price, desk.session, self._driver.ctx()
        )
        return await self._write(desk, operation, sending)

    async def modify_gtt(
        self,
        account: str,
        trigger_id: str,
        instrument: Instrument,
        legs: Sequence[GttLeg],
        last_price: float,
        sending: Sending,
    ) -> str:
        desk = self._desk(account)
        gtt = _gtt_of(desk, instrument, legs)
        operation = gtt.modify(trigger_id, instrument, legs, last_price, desk.session, self._driver.ctx())
        return await self._write(desk, operation, sending)

    async def cancel_gtt(self, account: str, trigger_id: str, sending: Sending) -> str:
        desk = self._desk(account)
        operation = _gtt(desk).cancel(trigger_id, desk.session, self._driver.ctx())
        return await self._write(desk, operation, sending, urgent=True)

    # --- driving ------------------------------------------------------------------------------------------------------

    def _desk(self, account: str) -> _Desk:
        spec = self._spec(account)
        if spec.trading is None:
            raise _unsupported("Live orders are", spec)
        session = self._session(account)
        if session is None:
            raise SessionExpired(f"{account} is not logged in at {spec.title}. Log in; nothing was sent.").unsent()
        return _Desk(spec, spec.trading, session)

    async def _read(self, desk: _Desk, operation: Operation[T]) -> T:
        return await self._driver.run(desk.spec, desk.session, operation)

    async def _write(
        self,
        desk: _Desk,
        operation: Operation[T],
        sending: Sending,
        *,
        urgent: bool = False,
        wait: float | None = None,
    ) -> T:
        async def still_in_session() -> None:
            """A write may have waited for its turn, and the session may have ended meanwhile."""
            session = self._session(desk.session.account)
            if session is None or session.generation != desk.session.generation:
                raise Denied(
                    f"{desk.session.account}: the session at {desk.spec.title} ended while this waited for its turn. "
                    "Nothing was sent; ask again in the new one.",
                    SessionExpired.code,
                )
            await sending()

        return await self._driver.run(
            desk.spec, desk.session, operation, urgent=urgent, sending=still_in_session, wait=wait
        )


def _as_sent(order: Order) -> Order:
    """With the price terms that go out where a conversion changed them: no broker's folder can forget them."""
    if order.sent_price_type is None:
        return order
    price = order.price if order.sent_price is None else order.sent_price
    return msgspec.structs.replace(order, price_type=order.sent_price_type, price=price)


def _gtt(desk: _Desk) -> GttDesk:
    gtt = desk.trading.gtt
    if gtt is None:
        raise _unsupported("GTT orders are", desk.spec)
    return gtt


def _gtt_of(desk: _Desk, instrument: Instrument, legs: Sequence[GttLeg]) -> GttDesk:
    """For legs that the broker takes: what it takes no orders for, no trigger may order either."""
    gtt = _gtt(desk)
    if len(legs) > 1 and not gtt.oco:
        raise _unsupported("OCO orders are", desk.spec)
    for leg in legs:
        if leg.product not in desk.trading.products.get(instrument.exchange, ()):
            raise _unsupported(f"GTT orders of product {leg.product} on {instrument.exchange} are", desk.spec)
        if leg.price_type not in gtt.price_types:
            raise Unsupported(
                f"GTT orders of type {leg.price_type} are not supported for broker '{desk.spec.title}' yet. "
                f"Use {' or '.join(sorted(gtt.price_types))}."
            )
    return gtt


def _unsupported(what: str, spec: BrokerSpec) -> Unsupported:
    return Unsupported(f"{what} not supported for broker '{spec.title}' yet")
