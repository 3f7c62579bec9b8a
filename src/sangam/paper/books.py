"""All paper books: found by account, brought up to the hour, stored, watched, told of."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from decimal import Decimal

from sangam.model.clock import Clock
from sangam.model.errors import Refused, SangamError
from sangam.model.instrument import Instrument
from sangam.model.order import OrderUpdate
from sangam.store.database import Database
from sangam.store.writer import Writer

from . import records, settle, views
from .book import PaperBook
from .config import Config
from .state import Balance, PaperOrder
from .watching import PriceSource, Watches

log = logging.getLogger("sangam.paper")

Listener = Callable[[str, OrderUpdate], object]


class Books:
    """`owner(account)` is an account's user: each has one book, whatever his accounts. What changes in a book is stored
    by `store`; only when it is durable its news go to the listener."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        clock: Clock,
        owner: Callable[[str], str],
        source: PriceSource,
        listener: Listener,
        multiplier: Callable[[Instrument], Decimal],
        always_open: Callable[[str], bool],
        accounts: Callable[[str], Sequence[str]],
    ) -> None:
        self.clock = clock
        self.watches = Watches(source)
        self._database = database
        self._writer = writer
        self._owner = owner
        self._listener = listener
        self._multiplier = multiplier
        self._always_open = always_open
        self._accounts = accounts
        self._stored: dict[str, asyncio.Future[None]] = {}
        self._books, self._damaged = records.load(database, self._make)

    def start(self) -> None:
        """Catch up, and watch what waits."""
        for book in self._books.values():
            try:
                settle.advance(book, self.clock.now_ms())
                self.store(book)
                self.watches.refresh_all(book)
            except Exception:
                log.exception("the paper book of %s was not brought up to the hour", book.user)

    def all(self) -> list[PaperBook]:
        return list(self._books.values())

    def of_account(self, account: str) -> PaperBook:
        """The book of an account's user, up to date; a new one where there was none."""
        return self.of_user(self._owner(account))

    def of_user(self, user: str) -> PaperBook:
        now_ms = self.clock.now_ms()
        book = self._books.get(user)
        if user in self._damaged:
            raise Refused(
                f"The paper book of {user} cannot be read (the log has the reason). Restore a backup, or begin anew: "
                f"sangam paper reset --user {user}"
            )
        if book is None:
            book = self._anew(user)
        settle.advance(book, now_ms)
        if settle.resets(book, now_ms):
            settle.reset(book, now_ms, whole=False)
            self.watches.refresh_all(book)
        self.store(book)
        return book

    def repaired(self, user: str) -> PaperBook | None:
        """A new book instead of one that could not be read; None where it could."""
        if user not in self._damaged:
            return None
        self._damaged.remove(user)
        book = self._anew(user)
        book.wiped |= set(records.KINDS)
        return book

    def known(self, account: str) -> PaperBook | None:
        """The book of an account's user where there is one already."""
        try:
            return self._books.get(self._owner(account))
        except SangamError:
            return None  # an account that is gone

    def leave_removed(self, book: PaperBook) -> None:
        """What was held through accounts that are gone is priced and closed through another of the user's; what waits
        for them is cancelled, as nobody could see it any more."""
        there = self._accounts(book.user)
        if there and settle.leave_removed(book, there, self.clock.now_ms()):
            self.store(book)
            self.watches.leave_removed(book, there)

    async def past_order(self, user: str, order_id: str) -> PaperOrder | None:
        """An order of an earlier session, once its end is stored."""
        if (stored := self._stored.get(user)) is not None:
            await asyncio.shield(stored)
        return await asyncio.to_thread(records.find, self._database, user, order_id)

    def store(self, book: PaperBook) -> asyncio.Future[None] | None:
        """Queue what changed, as facts: they are tried again until they are durable. None where nothing did."""
        if not book.dirty and not book.wiped:
            return None
        self.watches.refresh(book)
        news, book.news = book.news, []
        stored = self._stored[book.user] = self._writer.put(*records.statements(book), keep=True)
        if news:
            stored.add_done_callback(lambda done: self._tell(news, done))
        return stored

    def _tell(self, news: list[PaperOrder], stored: asyncio.Future[None]) -> None:
        if stored.cancelled() or stored.exception() is not None:
            return
        for order in news:
            try:
                self._listener(order.account, views.update(order))
            except SangamError as error:
                log.info("nobody hears of paper order %s: %s", order.id, error)  # its account is gone

    def _anew(self, user: str) -> PaperBook:
        book = self._books[user] = self._make(user, Config(), settle.fresh(self.clock.now_ms()))
        book.keep_balance()
        return book

    def _make(self, user: str, config: Config, balance: Balance) -> PaperBook:
        return PaperBook(user, config, balance, self._multiplier, self._knows_no_hours)

    def _knows_no_hours(self, account: str) -> bool:
        try:
            return self._always_open(account)
        except SangamError:
            return False  # an account that is gone
