"""The one order that a verification places: the smallest that a broker takes, well below the market, and gone again at
the end. It goes the way of every order: checks, limits, journal, rate limits, one write."""

import asyncio
from collections.abc import Callable, Collection
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from sangam.brokers.contract import BooksChanged
from sangam.feed.feed import Feed
from sangam.feed.market import Market
from sangam.model.clock import Clock
from sangam.model.enums import Action, Exchange, KeyMode, Mode, PriceType, Product, Scope
from sangam.model.errors import BrokerError, Denied, InDoubt, InvalidInput, Rejected, SangamError, SymbolNotFound
from sangam.model.identity import AccountInfo, Identity
from sangam.model.instrument import Instrument
from sangam.model.order import Change, Order, OrderState, OrderUpdate, Ticket
from sangam.orders.desk import OrderDesk
from sangam.orders.live import Live
from sangam.orders.ports import Caller
from sangam.prices.last import Last

from .checks import Skip, Wrong, expect

SHARES = ("IDEA", "SUZLON", "YESBANK", "NHPC", "IDFCFIRSTB", "PNB", "SAIL", "ITC", "SBIN")
"""Liquid shares of NSE, the cheapest first."""
BELOW = Decimal("0.05")
"""So far below the market the order waits: within the day's price band of a share that did not fall much today."""
_CALM, _NEAREST = 0.03, 0.98
_DEAR = 250
"""Rupees, below which a share's tick is a paisa."""
_DEAREST = 2000.0
_LOOK, _READ = 0.1, 2.0
_ATTEMPTS = 3
_OF_THE_ACCOUNT = ("MARKET_CLOSED", "INSUFFICIENT_FUNDS", "INSUFFICIENT_MARGIN", "INSUFFICIENT_PERMISSION")


class Trial:
    """`place`, `change` and `cancel` raise Skip and Wrong; `end` sees to it that nothing stands, and tells what does.

    `heard` is what the broker's stream told of orders meanwhile."""

    def __init__(
        self,
        desk: OrderDesk,
        live: Live,
        market: Market,
        feed: Feed,
        account: AccountInfo,
        clock: Clock,
        patience: float,
    ) -> None:
        self.live = live
        self.heard: list[OrderUpdate] = []
        self.order: Order | None = None
        self.instrument: Instrument
        self._desk = desk
        self._market = market
        self._feed = feed
        self._account = account
        self._clock = clock
        self._patience = patience
        self._client_id = ""
        self._placing: asyncio.Task[Order] | None = None
        self._stop: Callable[[], None] | None = None

    @property
    def caller(self) -> Caller:
        """As a key that trades live and nothing else. Raises Denied, Unsupported."""
        identity = Identity(
            user=self._account.user,
            key_id="verify",
            scopes=frozenset({Scope.DATA, Scope.ORDERS_READ, Scope.ORDERS_WRITE}),
            accounts=(self._account,),
            order_account=self._account,
            mode=KeyMode.LIVE,
        )
        return self._desk.caller(identity, self._account.id)

    # --- what the checks do -------------------------------------------------------------------------------------------

    async def place(self, product: Product) -> Order:
        """One share, bought well below the market: it waits."""
        self.instrument, price = await self._chosen()
        self._stop = self._feed.on_order(self._hear)
        self._client_id = f"verify-{self._clock.now_ms()}"
        ticket = Ticket(
            symbol=self.instrument.symbol,
            exchange=self.instrument.exchange,
            action=Action.BUY,
            quantity=self.instrument.lot_size,
            price_type=PriceType.LIMIT,
            product=product,
            price=price,
            strategy="verify",
            client_order_id=self._client_id,
        )
        self._placing = asyncio.create_task(self._desk.place(self.caller, ticket), name=self._client_id)
        self._placing.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            self.order = await asyncio.shield(self._placing)
        except (Denied, InvalidInput) as error:
            raise Skip(f"the house sends no such order: {error}") from None
        except Rejected as error:
            self.order = error.order
            if error.code in _OF_THE_ACCOUNT:
                raise Skip(f"the broker takes no such order of this account now: {error}") from None
            raise Wrong(f"rejected: {error}") from None
        except InDoubt as error:
            self.order = error.order
            raise Wrong(f"nobody knows what became of the order: {error}") from None
        return await self.reaches((OrderState.OPEN,))

    async def change(self) -> Order:
        """One step dearer, and as far below the market as before."""
        standing = self.standing()
        price = standing.price + _step(standing.price, self.instrument)
        change = Change(quantity=standing.quantity, price_type=PriceType.LIMIT, price=price)
        await self._desk.modify(self.caller, standing.id, change)
        await self._until(lambda: self.standing().price == price, "the new price")
        row = await self.row()
        expect(Decimal(str(row.price)) == price, "the broker's book has not the new price")
        expect(row.quantity == standing.quantity, "the broker's book has another quantity")
        return self.standing()

    async def cancel(self) -> Order:
        await self._desk.cancel(self.caller, self.standing().id)
        return await self.reaches((OrderState.CANCELLED,))

    def standing(self) -> Order:
        """The order as the journal has it now."""
        if self.order is None:
            raise Skip("there is no order of this verification")
        return self._desk.find(self.caller, self.order.id)

    async def row(self) -> OrderUpdate:
        """The order in the broker's own book."""
        number = self.standing().order_id
        found = [row for row in await self.live.orders(self._account.id) if row.order_id == number]
        expect(len(found) == 1, f"the broker's book has the order {len(found)} times")
        return found[0]

    async def reaches(self, states: Collection[OrderState]) -> Order:
        """Wait for one of these states, or for an end that it should not have."""
        await self._until(
            lambda: self.standing().state in states or self.standing().state.is_final,
            " or ".join(state.value for state in states),
        )
        order = self.standing()
        told = f": {order.reason}" if order.reason else ""
        expect(order.state in states, f"the order is {order.state.value}{told}")
        return order

    async def hears(self, statuses: Collection[str]) -> list[OrderUpdate]:
        """What the broker's stream told of the order, once all of these states are among it."""
        number, until = self.standing().order_id, self._clock.monotonic() + self._patience
        while True:
            told = [news for news in self.heard if news.order_id == number]
            lacking = sorted(set(statuses) - {news.status for news in told})
            if not lacking:
                return told
            expect(self._clock.monotonic() < until, f"the stream never told {' and '.join(lacking)}")
            await asyncio.sleep(_LOOK)

    # --- the end ------------------------------------------------------------------------------------------------------

    async def end(self) -> str:
        """Cancel what still stands. What is left open or was filled is told; empty where nothing is."""
        if self._stop is not None:
            self._stop()
        if self._placing is None:
            return ""
        while self._found() is None and not self._placing.done():  # the journal may get it yet
            await asyncio.wait({self._placing}, timeout=_LOOK)
        order = self._found()
        for _ in range(_ATTEMPTS):
            if order is None or order.state.is_final:
                break
            try:
                if order.state is not OrderState.UNKNOWN:
                    await self._desk.cancel(self.caller, order.id)
                await self._until(self._is_over, "the cancel", self._patience / _ATTEMPTS)
            except (SangamError, Skip, Wrong):  # tried again; what stands at the end is told
                await asyncio.sleep(_LOOK)
            order = self._found()
        return _told(order) if order is not None else ""

    def _found(self) -> Order | None:
        try:
            return self._desk.find(self.caller, self._client_id)
        except SangamError:
            return self.order

    def _is_over(self) -> bool:
        order = self._found()
        return order is None or order.state.is_final

    # --- helpers ------------------------------------------------------------------------------------------------------

    async def _chosen(self) -> tuple[Instrument, Decimal]:
        """A cheap share that did not fall much today, and its price for the order."""
        for symbol in SHARES:
            try:
                instrument = self._desk.instrument(self.caller, symbol, Exchange.NSE.value)
                last = (await self._market.quotes(self._account.id, [instrument], Mode.QUOTE)).get(instrument)
            except (SymbolNotFound, BrokerError):
                continue
            if last is not None and (price := _below(last, instrument)) is not None:
                return instrument, price
        raise Skip(f"none of {', '.join(SHARES)} has a price that an order could safely wait below")

    def _hear(self, account: str, news: OrderUpdate | BooksChanged) -> None:
        if account == self._account.id and isinstance(news, OrderUpdate):
            self.heard.append(news)

    async def _until(self, so: Callable[[], bool], what: str, seconds: float | None = None) -> None:
        """The journal is looked at often, the broker's book now and then: its stream may be silent."""
        seconds = self._patience if seconds is None else seconds
        until, read = self._clock.monotonic() + seconds, self._clock.monotonic() + _READ
        while not so():
            now = self._clock.monotonic()
            if now > until:
                raise Wrong(f"{what} did not show within {seconds:g} s")
            if now > read:
                read = now + _READ
                await self._desk.orders(self.caller)
            await asyncio.sleep(_LOOK)


def _below(last: Last, instrument: Instrument) -> Decimal | None:
    """A price on the tick that waits well below the market and inside the day's band; None where there is none."""
    fields = last.fields
    ltp, close = fields.get("ltp", 0.0), fields.get("close", 0.0)
    if not 0 < ltp * instrument.lot_size < _DEAREST or close <= 0 or ltp < close * (1 - _CALM):
        return None
    tick = _step(Decimal(str(ltp)), instrument)
    price = _on_tick(Decimal(str(ltp)) * (1 - BELOW), tick, ROUND_DOWN)
    lowest = _on_tick(Decimal(str(fields.get("lower_circuit", 0.0))), tick, ROUND_UP)
    price = max(price, lowest)
    return price if 0 < price <= Decimal(str(ltp * _NEAREST)) else None


def _step(price: Decimal, instrument: Instrument) -> Decimal:
    """The tick, or where a share's may be coarser than a list without ticks says, a whole rupee."""
    return max(Decimal(str(instrument.tick_size)), Decimal(1 if price >= _DEAR else 0))


def _on_tick(price: Decimal, tick: Decimal, rounding: str) -> Decimal:
    return (price / tick).to_integral_value(rounding) * tick


def _told(order: Order) -> str:
    named = f"BUY {order.quantity} {order.exchange}:{order.symbol} at {order.price} ({order.order_id or order.id})"
    if order.filled_quantity:
        return f"{named} was filled: {order.filled_quantity} shares were bought, and are yours to sell."
    if order.state.is_final:
        return ""
    return f"{named} is {order.state.value}: look for it in the broker's own application, and cancel it there."
