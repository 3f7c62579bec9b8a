"""The paper executor: the router's orders meet real prices and no exchange.

It is built like the live driver: a write is durable before it answers, a refusal is evidence, news of fills go to the
listener. One book for each user, on the prices of any of his accounts."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from sangam.model.books import Funds, Gtt, GttLeg, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.calendar import AlwaysOpen, Calendar
from sangam.model.clock import Clock
from sangam.model.enums import Exchange, PriceType, Product
from sangam.model.errors import Refused
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, OrderUpdate, TradingMode
from sangam.prices.last import Last
from sangam.store.database import Database
from sangam.store.writer import Writer

from . import convert, gtt, margin, quote, settle, views
from .book import PaperBook, spot
from .books import Books, Listener
from .config import Config, changed
from .cycle import Cycle
from .quote import Quote
from .state import PaperOrder
from .watching import Lenient, PriceSource, needed

AT_ONCE = 200
"""Rows that are made before others have a turn: under a millisecond's work."""

TRIES = 3
"""How often a price is asked for before a MARKET order is refused."""

Sending = Callable[[], Awaitable[None]]
T = TypeVar("T")
Row = TypeVar("Row")


class PaperExecutor:
    """Implements `orders.ports.Executor`. `named(account, symbol, exchange)` is an account's own instrument.

    Orders and trades belong to the account that placed them; positions, holdings, funds and GTTs to its user."""

    mode = TradingMode.PAPER

    def __init__(
        self,
        database: Database,
        writer: Writer,
        clock: Clock,
        *,
        owner: Callable[[str], str],
        named: views.Named,
        source: PriceSource,
        listener: Listener,
        calendar: Calendar | None = None,
        multiplier: Callable[[Instrument], Decimal] = lambda instrument: Decimal(1),
        always_open: Callable[[str], bool] = lambda account: False,
        accounts: Callable[[str], Sequence[str]] = lambda user: (),
    ) -> None:
        """Reads the books. Prices are asked for while `calendar` has a market open, always without one. `multiplier` is
        what one unit gains when the price gains one rupee; `always_open(account)` tells the accounts of simulated
        markets, which have no square-off. `accounts(user)` are those that there are now: what was held through another
        goes on through one of them."""
        source = Lenient(source)
        self._books = Books(database, writer, clock, owner, source, listener, multiplier, always_open, accounts)
        self._cycle = Cycle(self._books, source, calendar or AlwaysOpen())
        self._clock = clock
        self._named = named
        self._source = source
        self._task: asyncio.Task[None] | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Catch up what was missed, and keep the hours from now on."""
        self.catch_up()
        self._task = asyncio.create_task(self._cycle.run(), name="paper books")

    def catch_up(self) -> None:
        """Bring the books up to the hour, and watch what waits."""
        self._books.start()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._books.watches.close()

    async def tick(self) -> None:
        """What the clock asks for now; `start` does this every second."""
        await self._cycle.tick()

    def on_price(self, account: str, symbol: str, exchange: str, last: Last) -> None:
        """An update of a live feed: the account's user's orders in it are matched."""
        book = self._books.known(account)
        if book is None or not needed(book, at := (symbol, Exchange(exchange))):
            return
        now_ms = self._clock.now_ms()
        if (found := quote.read(last, settle.session_start(now_ms))) is not None:
            book.on_quote(at, found, now_ms)
            self._books.store(book)

    # --- orders -------------------------------------------------------------------------------------------------------

    async def place(
        self, account: str, order: Order, instrument: Instrument, sending: Sending, *, urgent: bool, wait: float | None
    ) -> Accepted:
        price = await self._price(account, instrument, order.sent_price_type or order.price_type)
        await sending()
        book = self._books.of_account(account)
        placed = PaperOrder(
            id=order.id,
            account=account,
            instrument=instrument,
            action=order.action,
            quantity=order.quantity,
            price_type=order.sent_price_type or order.price_type,
            product=order.product,
            price=order.price if order.sent_price is None else order.sent_price,
            trigger_price=order.trigger_price,
            disclosed_quantity=order.disclosed_quantity,
            validity=order.validity,
            strategy=order.strategy,
            tag=order.our_tag,
        )
        await self._write(book, lambda now_ms: book.place(placed, self._quote(account, instrument) or price, now_ms))
        return Accepted(order_id=order.id)

    async def modify(
        self, account: str, order: Order, change: Change, instrument: Instrument, sending: Sending, *, urgent: bool
    ) -> Accepted:
        price = await self._price(account, instrument, change.price_type)
        await sending()
        book = self._books.of_account(account)
        order_id = order.order_id or order.id
        found = self._quote(account, instrument) or price
        await self._write(book, lambda now_ms: book.modify(order_id, change, found, now_ms))
        return Accepted(order_id=order_id)

    async def cancel(self, account: str, order: Order, sending: Sending) -> Accepted:
        await sending()
        book = self._books.of_account(account)
        order_id = order.order_id or order.id
        await self._write(book, lambda now_ms: book.cancel(order_id, now_ms))
        return Accepted(order_id=order_id)

    async def orders(self, account: str) -> list[OrderUpdate]:
        book = self._books.of_account(account)
        found = [order for order in book.orders.values() if order.account == account]
        return await _in_turns(found, views.update)

    async def find(self, account: str, order: Order) -> OrderUpdate | None:
        book = self._books.of_account(account)
        order_id = order.order_id or order.id
        found = book.orders.get(order_id) or await self._books.past_order(book.user, order_id)
        return views.update(found) if found is not None and found.account == account else None

    # --- books --------------------------------------------------------------------------------------------------------

    async def trades(self, account: str) -> list[Trade]:
        book = self._books.of_account(account)
        return await _in_turns([one for one in book.trades if one.account == account], views.trade)

    async def positions(self, account: str) -> list[Position]:
        book = await self._marked(account)
        return [views.position(one, account, self._named) for one in book.ledger.positions.values()]

    async def holdings(self, account: str) -> list[Holding]:
        book = await self._marked(account)
        return [views.holding(one, account, self._named) for one in book.ledger.holdings.values()]

    async def funds(self, account: str) -> Funds:
        return views.funds(await self._marked(account))

    async def margin(self, account: str, legs: Sequence[tuple[Instrument, MarginLeg]]) -> Margin:
        """What the legs would block, each by itself. A MARKET leg without a current price is Refused."""
        book = self._books.of_account(account)
        total = Decimal(0)
        for instrument, leg in legs:
            price = leg.price if leg.price_type is PriceType.LIMIT else leg.trigger_price
            if leg.price_type is PriceType.MARKET or not price:
                found = await self._price(account, instrument, PriceType.MARKET)
                price = found.touch(leg.action) if found else Decimal(0)
            if not price:
                raise Refused(f"There is no current price of {instrument.symbol} on {instrument.exchange}.")
            unit = margin.unit(instrument, leg.product, leg.action, price, book.multiplier(instrument), book.config)
            total += margin.amount(leg.quantity, unit)
        return Margin(total=float(round(total, 2)))

    async def convert(
        self, account: str, instrument: Instrument, old: Product, new: Product, quantity: int, sending: Sending
    ) -> None:
        await sending()
        book = self._books.of_account(account)
        await self._write(book, lambda now_ms: convert.convert(book, instrument, old, new, abs(quantity), now_ms))

    # --- GTTs ---------------------------------------------------------------------------------------------------------

    async def gtts(self, account: str) -> list[Gtt]:
        book = self._books.of_account(account)
        return [views.gtt(one, account, self._named) for one in book.gtts.values()]

    async def place_gtt(
        self, account: str, instrument: Instrument, legs: Sequence[GttLeg], last_price: float, sending: Sending
    ) -> str:
        await sending()
        book = self._books.of_account(account)
        placed = await self._write(book, lambda now_ms: gtt.place(book, account, instrument, legs, last_price, now_ms))
        return placed.id

    async def modify_gtt(
        self,
        account: str,
        trigger_id: str,
        instrument: Instrument,
        legs: Sequence[GttLeg],
        last_price: float,
        sending: Sending,
    ) -> str:
        await sending()
        book = self._books.of_account(account)
        await self._write(book, lambda now_ms: gtt.modify(book, trigger_id, instrument, legs, last_price, now_ms))
        return trigger_id

    async def cancel_gtt(self, account: str, trigger_id: str, sending: Sending) -> str:
        await sending()
        book = self._books.of_account(account)
        await self._write(book, lambda now_ms: gtt.cancel(book, trigger_id, now_ms))
        return trigger_id

    # --- what only paper has ------------------------------------------------------------------------------------------

    def details(self, account: str) -> views.Statement:
        """All figures of an account's book, at the prices that were seen last."""
        return views.statement(self._books.of_account(account))

    async def trade_details(self, account: str) -> list[views.TradeDetail]:
        """Charges and strategies of the account's trades, in their order."""
        book = self._books.of_account(account)
        return await _in_turns([one for one in book.trades if one.account == account], views.trade_detail)

    async def statement(self, user: str) -> views.Statement:
        """All figures of a user's book, at the newest prices."""
        book = self._books.of_user(user)
        await self._cycle.mark(book)
        return views.statement(book)

    async def configure(self, user: str, values: Mapping[str, Any]) -> Config:
        """Change some of a user's settings. Raises InvalidInput, and then nothing changed."""
        book = self._books.of_user(user)
        await self._write(book, lambda now_ms: settle.configure(book, changed(book.config, values), now_ms))
        return book.config

    async def reset(self, user: str) -> views.Statement:
        """Everything anew: capital, positions, holdings, orders, trades, GTTs, past days, settings."""
        book = self._books.repaired(user) or self._books.of_user(user)
        if not book.wiped:
            await self._write(book, lambda now_ms: settle.reset(book, now_ms, whole=True))
        self._books.watches.refresh_all(book)
        return views.statement(book)

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _write(self, book: PaperBook, act: Callable[[int], T]) -> T:
        """Do it, and return once it is durable; what a refusal leaves in the books is stored as well."""
        try:
            return act(self._clock.now_ms())
        finally:
            if (stored := self._books.store(book)) is not None:
                await asyncio.shield(stored)

    async def _marked(self, account: str) -> PaperBook:
        book = self._books.of_account(account)
        await self._cycle.mark(book)
        return book

    def _quote(self, account: str, instrument: Instrument) -> Quote | None:
        """What streams now and may be traded on."""
        since = settle.session_start(self._clock.now_ms())
        return quote.read(self._source.quote(account, instrument), since)

    async def _price(self, account: str, instrument: Instrument, price_type: PriceType) -> Quote | None:
        """A price for an order that enters: streamed, else asked for, for a MARKET order several times."""
        found = self._quote(account, instrument)
        for _ in range(TRIES if price_type is PriceType.MARKET else 1):
            if found is not None:
                break
            found = (await self._cycle.prices([(account, instrument)])).get(spot(instrument))
        return found


async def _in_turns(rows: Sequence[Row], view: Callable[[Row], T]) -> list[T]:
    """Rows of a long book; others have their turn in between."""
    seen: list[T] = []
    for number, row in enumerate(rows, 1):
        seen.append(view(row))
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
    return seen
