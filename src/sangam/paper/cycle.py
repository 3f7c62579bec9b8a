"""What happens by the hour: square-offs, expiries, resets, and prices where no stream brings them."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from sangam.model.errors import BrokerError
from sangam.model.instrument import Instrument
from sangam.prices.last import Last

from . import quote, settle
from .book import PaperBook, Spot, spot
from .books import Books
from .quote import Quote, exact
from .watching import PriceSource, last_price

log = logging.getLogger("sangam.paper")

MARKS_MS = 60_000
"""How often the last prices of positions are stored: they value them, and settle expired ones, after a restart."""


class Cycle:
    """`tick` once a second; what is late is caught up."""

    def __init__(self, books: Books, source: PriceSource) -> None:
        self._books = books
        self._source = source
        self._checked: dict[str, int] = {}
        self._marked: dict[str, int] = {}

    async def tick(self) -> None:
        for known in self._books.all():
            try:
                await self._tick(known.user)
            except BrokerError as error:
                log.info("no prices for the paper book of %s: %s", known.user, error)
            except Exception:
                log.exception("the paper book of %s was not brought up to the hour", known.user)

    async def _tick(self, user: str) -> None:
        books, now_ms = self._books, self._books.clock.now_ms()
        book = books.of_user(user)
        settle.cancel_expired(book, now_ms)
        settle.cancel_intraday(book, now_ms)
        books.store(book)
        if now_ms - self._checked.get(user, 0) >= book.config.order_check_interval * 1000:
            self._checked[user] = now_ms
            await self._poll(book)
            await self._close_due(book)
        if now_ms - self._marked.get(user, 0) >= MARKS_MS:
            self._marked[user] = now_ms
            for position in book.ledger.positions.values():
                if position.quantity:
                    book.keep(position)
        books.store(book)

    async def _poll(self, book: PaperBook) -> None:
        """Match what waits without a stream on prices that are asked for."""
        since = settle.session_start(self._books.clock.now_ms())
        silent: dict[str, list[Instrument]] = {}
        for account, instrument in self._books.watches.of(book):
            if quote.read(self._source.quote(account, instrument), since) is None:
                silent.setdefault(account, []).append(instrument)
        for account, instruments in silent.items():
            for at, last in (await self._source.fetch(account, instruments)).items():
                if (found := quote.read(last, since)) is not None:
                    book.on_quote(at, found, self._books.clock.now_ms())

    async def _close_due(self, book: PaperBook) -> None:
        now_ms = self._books.clock.now_ms()
        intraday = [one for one in book.ledger.positions.values() if settle.squares_off(book, one, now_ms)]
        expired = [one for one in book.ledger.positions.values() if settle.expires(one, book.config, now_ms)]
        if not intraday and not expired:
            return
        prices = await self.prices(book, [(one.account, one.instrument) for one in (*intraday, *expired)])
        for position in intraday:
            found = prices.get(spot(position.instrument))
            if position.quantity and found is not None and found.touch(position.exit):
                settle.square_off(book, position, found, now_ms)
        for position in expired:
            if position.quantity:
                settle.settle_expiry(book, position, prices.get(spot(position.instrument)), now_ms)

    async def prices(self, book: PaperBook, wanted: Sequence[tuple[str, Instrument]]) -> dict[Spot, Quote]:
        """Prices to trade on now, streamed or asked for; what has none is missing. A broker that does not answer has
        none."""
        since = settle.session_start(self._books.clock.now_ms())
        lasts = await self.lasts(wanted)
        found = {at: quote.read(last, since) for at, last in lasts.items()}
        return {at: one for at, one in found.items() if one is not None}

    async def lasts(self, wanted: Sequence[tuple[str, Instrument]]) -> Mapping[Spot, Last]:
        """What is known of instruments, whatever its age."""
        found: dict[Spot, Last] = {}
        missing: dict[str, list[Instrument]] = {}
        for account, instrument in wanted:
            last = self._source.quote(account, instrument)
            if last is None:
                missing.setdefault(account, []).append(instrument)
            else:
                found[spot(instrument)] = last
        for account, instruments in missing.items():
            try:
                found.update(await self._source.fetch(account, instruments))
            except BrokerError as error:
                log.info("no prices from %s: %s", account, error)
        return found

    async def mark(self, book: PaperBook) -> None:
        """Value what is held at the newest prices."""
        held = [(one.account, one.instrument) for one in book.ledger.positions.values() if one.quantity]
        held += [(one.account, one.instrument) for one in book.ledger.holdings.values()]
        if held:
            for at, last in (await self.lasts(held)).items():
                if price := last_price(last):
                    book.mark(at, exact(price))

    async def run(self) -> None:
        while True:
            await self.tick()
            await asyncio.sleep(1)
