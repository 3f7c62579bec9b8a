"""Which instruments a paper book needs prices of, and where they come from."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sangam.model.errors import SangamError
from sangam.model.instrument import Instrument
from sangam.model.market import Fields
from sangam.prices.last import Last

from .book import PaperBook, Spot, spot
from .state import PaperGtt, PaperHolding, PaperOrder, PaperPosition

log = logging.getLogger("sangam.paper")


class PriceSource(Protocol):
    """Prices of all accounts; paper takes them from any that has them."""

    def watch(self, account: str, instrument: Instrument) -> Callable[[], None]:
        """Stream an instrument, with its book where there is one; the answer ends it. Every update goes to the
        executor's `on_price`."""
        ...

    def quote(self, account: str, instrument: Instrument) -> Last | None:
        """What streams now, where it may be shown as current; None where nothing does, or the feed is stale."""
        ...

    async def fetch(self, account: str, instruments: Sequence[Instrument]) -> Mapping[Spot, Last]:
        """Asked of the broker; what he does not know is missing. Raises BrokerError."""
        ...


class Lenient:
    """A source for which an account that is gone, or a broker that does not answer, just has no prices: a book outlives
    the accounts that it was filled through."""

    def __init__(self, source: PriceSource) -> None:
        self._source = source

    def watch(self, account: str, instrument: Instrument) -> Callable[[], None]:
        try:
            return self._source.watch(account, instrument)
        except SangamError as error:
            log.info("%s is not streamed for paper: %s", instrument.symbol, error)
            return lambda: None

    def quote(self, account: str, instrument: Instrument) -> Last | None:
        try:
            return self._source.quote(account, instrument)
        except SangamError:
            return None

    async def fetch(self, account: str, instruments: Sequence[Instrument]) -> Mapping[Spot, Last]:
        try:
            return await self._source.fetch(account, instruments)
        except SangamError as error:
            log.info("no prices from %s: %s", account, error)
            return {}


class Watches:
    """Holds a stream for each instrument of a book that orders, positions or GTTs wait in."""

    def __init__(self, source: PriceSource) -> None:
        self._source = source
        self._held: dict[tuple[str, Spot], tuple[str, Instrument, Callable[[], None]]] = {}

    def refresh(self, book: PaperBook) -> None:
        """After a book changed, before its changes are stored: watch what is needed now, and let go of the rest."""
        for record in book.dirty.values():
            if isinstance(record, PaperOrder | PaperPosition | PaperGtt):
                self._refresh(book, record.account, record.instrument)

    def refresh_all(self, book: PaperBook) -> None:
        """When anything may have changed: at a start, or a reset."""
        records: list[PaperOrder | PaperPosition | PaperGtt | PaperHolding] = [
            *book.orders.values(),
            *book.ledger.positions.values(),
            *book.gtts.values(),
        ]
        for record in records:
            self._refresh(book, record.account, record.instrument)
        for user, at in list(self._held):
            if user == book.user and not needed(book, at):
                self._release(user, at)

    def leave_removed(self, book: PaperBook, there: Sequence[str]) -> None:
        """Stream through other accounts what streamed through those that are gone."""
        for (user, at), (account, _, _) in list(self._held.items()):
            if user == book.user and account not in there:
                self._release(user, at)
        self.refresh_all(book)

    def of(self, book: PaperBook) -> list[tuple[str, Instrument]]:
        """What is watched for a book, and through which account."""
        return [
            (account, instrument) for (user, _), (account, instrument, _) in self._held.items() if user == book.user
        ]

    def close(self) -> None:
        for user, at in list(self._held):
            self._release(user, at)

    def _refresh(self, book: PaperBook, account: str, instrument: Instrument) -> None:
        at = spot(instrument)
        held = (book.user, at) in self._held
        if needed(book, at):
            if not held:
                self._held[book.user, at] = account, instrument, self._source.watch(account, instrument)
        elif held:
            self._release(book.user, at)

    def _release(self, user: str, at: Spot) -> None:
        _, _, release = self._held.pop((user, at))
        release()


def needed(book: PaperBook, at: Spot) -> bool:
    """Whether a price of an instrument would move anything."""
    return at in book.open or at in book.armed or book.ledger.held(at)


def last_price(last: Last | None) -> float:
    """For valuing what is held: whatever is known, of yesterday too."""
    fields: Fields = last.fields if last else {}
    return fields.get("ltp", 0.0)
