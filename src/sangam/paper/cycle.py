"""What happens by the hour: square-offs, expiries, resets, and prices where no stream brings them."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from sangam.model.calendar import Calendar
from sangam.model.instrument import Instrument
from sangam.prices.last import Last

from . import quote, settle
from .book import PaperBook, Spot, spot
from .books import Books
from .quote import Quote, exact
from .state import PaperPosition
from .watching import PriceSource, last_price

log = logging.getLogger("sangam.paper")

STORED_MARKS_SECONDS = 60
"""How often the last prices of positions are stored: they value them, and settle expired ones, after a restart."""

CLOSED_SECONDS = 60
"""How often prices are asked for to close what is due, while its market is closed."""


class Cycle:
    """`tick` once a second; what is late is caught up."""

    def __init__(self, books: Books, source: PriceSource, calendar: Calendar) -> None:
        self._books = books
        self._source = source
        self._calendar = calendar
        self._done: dict[tuple[str, str], int] = {}

    async def tick(self) -> None:
        """Books side by side: a broker that is slow to tell prices holds up its own users only."""
        await asyncio.gather(*(self._tick(book.user) for book in self._books.all()))

    async def _tick(self, user: str) -> None:
        try:
            await self._keep_hours(user)
        except Exception:
            log.exception("the paper book of %s was not brought up to the hour", user)

    async def _keep_hours(self, user: str) -> None:
        books, now_ms = self._books, self._books.clock.now_ms()
        book = books.of_user(user)
        settle.cancel_expired(book, now_ms)
        settle.cancel_intraday(book, now_ms)
        books.store(book)
        orders = self._due("orders", user, book.config.order_check_interval)
        marks = self._due("marks", user, book.config.mtm_update_interval)
        if orders:
            books.leave_removed(book)
        if orders or marks:
            await self._poll(book, orders, marks)
        if orders:
            await self._close_due(book)
        if self._due("stored marks", user, STORED_MARKS_SECONDS):
            for position in book.ledger.positions.values():
                if position.quantity:
                    book.keep(position)
        books.store(book)

    def _due(self, what: str, user: str, seconds: int) -> bool:
        """Whether something is to be done again; never where the interval is 0."""
        now_ms = self._books.clock.now_ms()
        if not seconds or now_ms - self._done.get((what, user), 0) < seconds * 1000:
            return False
        self._done[what, user] = now_ms
        return True

    async def _poll(self, book: PaperBook, orders: bool, marks: bool) -> None:
        """Ask for prices where no stream brings them: of what waits, and of what is only held."""
        since = settle.session_start(self._books.clock.now_ms())
        silent = []
        for account, instrument in self._books.watches.of(book):
            at = spot(instrument)
            wanted = orders if at in book.open or at in book.armed else marks
            if (
                wanted
                and self._trades(book, account, instrument)
                and quote.read(self._source.quote(account, instrument), since) is None
            ):
                silent.append((account, instrument))
        if silent:
            for at, found in (await self.prices(silent)).items():
                book.on_quote(at, found, self._books.clock.now_ms())

    async def _close_due(self, book: PaperBook) -> None:
        """Close intraday positions after their hour and those of expired contracts."""
        due = [*self._intraday(book), *self._expired(book)]
        open_now = any(self._trades(book, one.account, one.instrument) for one in due)
        if due and (open_now or self._due("closing", book.user, CLOSED_SECONDS)):
            prices = await self.prices([(one.account, one.instrument) for one in due])
            now_ms = self._books.clock.now_ms()
            for position in self._intraday(book):
                found = prices.get(spot(position.instrument))
                if found is not None and found.touch(position.exit):
                    settle.square_off(book, position, found, now_ms)
            for position in self._expired(book):
                settle.settle_expiry(book, position, prices.get(spot(position.instrument)), now_ms)

    def _trades(self, book: PaperBook, account: str, instrument: Instrument) -> bool:
        now_ms = self._books.clock.now_ms()
        return book.always_open(account) or self._calendar.is_open(now_ms, instrument.exchange)

    def _intraday(self, book: PaperBook) -> list[PaperPosition]:
        now_ms = self._books.clock.now_ms()
        return [one for one in book.ledger.positions.values() if settle.squares_off(book, one, now_ms)]

    def _expired(self, book: PaperBook) -> list[PaperPosition]:
        now_ms = self._books.clock.now_ms()
        return [one for one in book.ledger.positions.values() if settle.expires(one, book.config, now_ms)]

    async def prices(self, wanted: Sequence[tuple[str, Instrument]]) -> dict[Spot, Quote]:
        """Prices to trade on now, streamed or asked for; what has none is missing. A broker that does not answer has
        none."""
        since = settle.session_start(self._books.clock.now_ms())
        lasts = await self.lasts(wanted)
        found = {at: quote.read(last, since) for at, last in lasts.items()}
        return {at: one for at, one in found.items() if one is not None}

    async def lasts(self, wanted: Sequence[tuple[str, Instrument]], *, ask: bool = True) -> Mapping[Spot, Last]:
        """What is known of instruments, whatever its age; what does not stream is asked for, if one may `ask`."""
        found: dict[Spot, Last] = {}
        missing: dict[str, list[Instrument]] = {}
        for account, instrument in wanted:
            last = self._source.quote(account, instrument)
            if last is None:
                missing.setdefault(account, []).append(instrument)
            else:
                found[spot(instrument)] = last
        for account, instruments in missing.items() if ask else ():
            found.update(await self._source.fetch(account, instruments))
        return found

    async def mark(self, book: PaperBook) -> None:
        """Value what is held at the newest prices; a broker is not asked more often than the settings say."""
        held = [(one.account, one.instrument) for one in book.ledger.positions.values() if one.quantity]
        held += [(one.account, one.instrument) for one in book.ledger.holdings.values()]
        if held:
            ask = self._due("read marks", book.user, max(1, book.config.mtm_update_interval))
            for at, last in (await self.lasts(held, ask=ask)).items():
                if price := last_price(last):
                    book.mark(at, exact(price))

    async def run(self) -> None:
        while True:
            await self.tick()
            await asyncio.sleep(1)
