"""The feed: one object for all accounts, spoken to through `port.FeedPort`."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from sangam.brokers.contract import BooksChanged, BrokerSpec, Operation, Session
from sangam.model.calendar import AlwaysOpen, Calendar
from sangam.model.clock import Clock
from sangam.model.enums import AccountState, Mode
from sangam.model.errors import InvalidInput
from sangam.model.histogram import STAGE_BOUNDS, Histogram
from sangam.model.identity import AccountInfo
from sangam.model.instrument import Level
from sangam.model.order import OrderUpdate
from sangam.prices.last import Last
from sangam.prices.prices import Prices
from sangam.transport.socket import Timing

from .account import AccountFeed, FeedTools, Master, OrderListener
from .pool import Caps
from .port import AccountHealth, Dialect, Granted, Pending, Refused, Sink
from .trace import Tell, Watch
from .wants import Want

log = logging.getLogger("sangam.feed")

REFRESH_SECONDS = 1.0


class Feed:
    """Give it accounts, their sessions and masters; it keeps their streams up and tells the sink."""

    def __init__(
        self,
        run: Callable[[BrokerSpec, Session, Operation[Any]], Awaitable[Any]],
        prices: Prices,
        clock: Clock,
        calendar: Calendar,
        timing: Timing | None = None,
        caps: Caps | None = None,
    ) -> None:
        self.published = Histogram(STAGE_BOUNDS)
        """From a message's arrival until all its updates were handed to the sink; of some messages."""
        self._sink: Sink | None = None
        self._run = run
        self._prices = prices
        self._clock = clock
        self._calendar = calendar
        self._timing = timing or Timing()
        self._caps = caps or Caps()
        # Starting at the wall clock's millisecond makes epochs rise over restarts as well.
        self._numbers = itertools.count(clock.now_ms())
        self._accounts: dict[str, AccountFeed] = {}
        self._wants: dict[int, tuple[AccountFeed, Want]] = {}
        self._traced: dict[tuple[str, str], Tell] = {}
        self._watched: dict[tuple[str, str, str], Watch] = {}
        self._watch: asyncio.Task[None] | None = None
        self._order_listener: OrderListener | None = None

    def attach(self, sink: Sink) -> None:
        """Who is told. Comes before the first account, since feed and gateway need each other."""
        self._sink = sink

    def on_order(self, listener: OrderListener) -> None:
        """Who hears what streams tell of orders."""
        self._order_listener = listener

    def _ordered(self, account: str, news: OrderUpdate | BooksChanged) -> None:
        if self._order_listener is None:
            return
        try:
            self._order_listener(account, news)
        except Exception:
            log.exception("%s: news of an order were not taken", account)

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._watch = asyncio.create_task(self._refresh(), name="feed states")

    async def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await asyncio.gather(*(feed.close() for feed in self._accounts.values()))

    async def _refresh(self) -> None:
        """Markets open and close by the clock, without any socket telling."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            for feed in self._accounts.values():
                feed.refresh()

    # --- accounts -----------------------------------------------------------------------------------------------------

    def add_account(self, account: AccountInfo, spec: BrokerSpec) -> None:
        """An account that may be listened to; it has no session yet."""
        if self._sink is None:
            raise RuntimeError("attach a sink before adding accounts")
        if account.id not in self._accounts:
            tools = FeedTools(
                run=self._run,
                sink=self._sink,
                prices=self._prices,
                clock=self._clock,
                calendar=AlwaysOpen() if spec.simulated else self._calendar,
                timing=self._timing,
                caps=self._caps,
                numbers=self._numbers,
                ordered=self._ordered,
                traced=self._traced,
                watched=self._watched,
                published=self.published,
            )
            self._accounts[account.id] = AccountFeed(account, spec, tools)

    def remove_account(self, account: str) -> None:
        """Forget an account whose session is closed, and tell the clients whose wants end with it."""
        if (feed := self._accounts.pop(account, None)) is not None:
            feed.end()

    async def open_session(self, account: str, session: Session, master: Master | None) -> None:
        await self._accounts[account].open(session, master)

    async def close_session(self, account: str, state: AccountState, detail: str) -> None:
        if (feed := self._accounts.get(account)) is not None:
            await feed.close(state, detail)

    def use_master(self, account: str, master: Master) -> None:
        """A new master of an account: its wants are resolved again."""
        self._accounts[account].use(master)

    def wanted(self, account: str) -> list[tuple[str, str]]:
        """What clients ask of an account, as symbols and exchanges."""
        feed = self._accounts.get(account)
        return feed.wanted if feed else []

    # --- port.FeedPort ------------------------------------------------------------------------------------------------

    def want(
        self, account: str, symbol: str, exchange: str, level: Level, dialect: Dialect = Dialect.CANONICAL
    ) -> Granted | Pending | Refused:
        feed = self._accounts.get(account)
        if feed is None:
            return Refused(f"Unknown account '{account}'", "BROKER_ERROR")
        want = feed.want(symbol, exchange, level, dialect)
        answer = feed.answer(want)
        if not isinstance(answer, Refused):
            self._wants[want.id] = (feed, want)
        return answer

    def answered(self, want: int) -> Granted | Pending | Refused:
        feed, record = self._wants[want]
        return feed.answer(record)

    def release(self, want: int) -> None:
        feed, record = self._wants[want]
        feed.release(record)
        if record.count == 0:
            del self._wants[want]

    def snapshot(self, want: int) -> bytes | None:
        feed, record = self._wants[want]
        return feed.snapshot(record)

    def sequence(self, want: int) -> int:
        return self._wants[want][1].seq

    def health(self, account: str) -> AccountHealth:
        feed = self._accounts.get(account)
        if feed is None:
            return AccountHealth(account=account, broker="", state=AccountState.NO_SESSION, detail="not served here")
        return feed.health()

    def trace(self, symbol: str, exchange: str, tell: Tell | None) -> None:
        """Tell each patch of an instrument, in whatever account it streams or will; None ends it."""
        if tell is None:
            self._traced.pop((symbol, exchange), None)
        else:
            self._traced[symbol, exchange] = tell
        for feed in self._accounts.values():
            feed.overhear(symbol, exchange)

    def watch(self, account: str, symbol: str, exchange: str, watch: Watch | None) -> None:
        """Call this whenever the price of an instrument may have changed, while anybody wants it; None ends it."""
        if watch is None:
            self._watched.pop((account, symbol, exchange), None)
        else:
            self._watched[account, symbol, exchange] = watch
        if (feed := self._accounts.get(account)) is not None:
            feed.overhear(symbol, exchange)

    # --- other readers ------------------------------------------------------------------------------------------------

    def all_health(self) -> list[AccountHealth]:
        return [feed.health() for feed in self._accounts.values()]

    def last(self, account: str, symbol: str, exchange: str) -> Last | None:
        return self._prices.get(account, symbol, exchange)

    def current(self, account: str, symbol: str, exchange: str, mode: Mode) -> Last | None:
        """The state of a streaming instrument, where it tells this mode and may be shown as current."""
        feed = self._accounts.get(account)
        return feed.current(symbol, exchange, mode) if feed else None

    def broker(self, account: str) -> BrokerSpec:
        """The broker of an account; InvalidInput where the account is not served here."""
        if (feed := self._accounts.get(account)) is None:
            raise InvalidInput(f"The account '{account}' is not served here.")
        return feed.spec

    def dead(self, account: str) -> tuple[int, AccountState, str] | None:
        """Generation, state and reason of a session that the broker no longer takes, or gave to another program."""
        feed = self._accounts.get(account)
        return feed.dead if feed else None

    def session(self, account: str) -> Session | None:
        feed = self._accounts.get(account)
        return feed.session if feed else None

    def master(self, account: str) -> Master | None:
        feed = self._accounts.get(account)
        return feed.master if feed else None
