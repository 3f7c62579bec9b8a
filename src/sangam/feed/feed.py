"""The feed: one object for all accounts, spoken to through `port.FeedPort`.

An account whose broker has no market data over sockets borrows another's: its wants are served there, and say so. When
another one lends, they go over to that one, under their ids."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

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
from .assess import Dead
from .pool import Caps
from .port import AccountHealth, Dialect, Granted, Pending, Refused, Sink
from .trace import Tell, Watch
from .wants import Want

log = logging.getLogger("sangam.feed")

REFRESH_SECONDS = 1.0

_AWAKE = frozenset({AccountState.LIVE, AccountState.CLOSED_MARKET})


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
        self._watched: dict[tuple[str, str], dict[str, Watch]] = {}
        self._watch: asyncio.Task[None] | None = None
        self._order_listeners: list[OrderListener] = []
        self._lender: Callable[[str, str], str | None] = lambda account, former: None
        self._lent: dict[str, str] = {}

    def attach(self, sink: Sink) -> None:
        """Who is told. Comes before the first account, since feed and gateway need each other."""
        self._sink = sink

    def on_order(self, listener: OrderListener) -> Callable[[], None]:
        """Hear what streams tell of orders; call the result to stop hearing."""
        self._order_listeners.append(listener)
        return lambda: self._order_listeners.remove(listener)

    def lend(self, lender: Callable[[str, str], str | None]) -> None:
        """Who says which account's streams serve an account whose broker has none; told whose did until now."""
        self._lender = lender
        self._settle()

    def _settle(self) -> None:
        """Who borrows hears whoever lends now: a log-in, another default, an account that is gone may have changed
        it."""
        for account, feed in tuple(self._accounts.items()):
            if feed.spec.streams_market:
                continue
            former = self.source(account)
            try:
                lender = self._lender(account, former)
            except Exception:
                log.exception("%s: nobody knows whose streams serve it; they stay what they were", account)
                continue
            source = lender if lender in self._accounts else account
            if source != former:
                self._lent[account] = source
                self._move(account, former)

    def _move(self, account: str, former: str) -> None:
        """What an account wants goes over to who lends to it now."""
        source = self._accounts[self.source(account)]
        for (symbol, exchange), watches in self._watched.items():
            if account in watches:
                for feed in (self._accounts.get(former), source):
                    if feed is not None:
                        feed.overhear(symbol, exchange)
        for number, (feed, want) in tuple(self._wants.items()):
            if want.key.borrower == account and feed is not source:
                self._wants[number] = (source, want)
                feed.hand_over(want)
                source.take_over(want)
        if self._sink is not None:
            self._sink.state(self.health(account))

    def _changed(self, account: str) -> None:
        """The state of an account is another one, and so is that of who borrows its streams."""
        if self._sink is not None:
            for one in (
                account,
                *(borrower for borrower, source in self._lent.items() if source == account != borrower),
            ):
                self._sink.state(self.health(one))

    def _ordered(self, account: str, news: OrderUpdate | BooksChanged) -> None:
        for listener in tuple(self._order_listeners):
            try:
                listener(account, news)
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
            self._settle()
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
                changed=self._changed,
                ordered=self._ordered,
                traced=self._traced,
                watched=self._watches,
                published=self.published,
            )
            self._accounts[account.id] = AccountFeed(account, spec, tools)
            self._settle()

    def remove_account(self, account: str) -> None:
        """Forget an account whose session is closed, and tell the clients whose wants end with it."""
        if (feed := self._accounts.pop(account, None)) is not None:
            self._lent.pop(account, None)
            self._settle()
            feed.end()

    async def open_session(self, account: str, session: Session, master: Master | None) -> None:
        self._settle()
        await self._accounts[account].open(session, master)

    async def close_session(self, account: str, state: AccountState, detail: str) -> None:
        if (feed := self._accounts.get(account)) is not None:
            self._settle()
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
        asked = self._accounts.get(account)
        if asked is not None and not asked.spec.streams_market:
            self._settle()
        source = self.source(account)
        feed = self._accounts.get(source)
        if feed is None:
            return Refused(f"Unknown account '{account}'", "BROKER_ERROR")
        if not feed.spec.streams_market:
            return Refused(
                f"{feed.spec.title} streams no market data. Add an account that does, and make it your data account."
            )
        want = feed.want(symbol, exchange, level, dialect, account if source != account else "")
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
        health, source = feed.health(), self.source(account)
        if source == account or health.state not in _AWAKE:
            return health
        lender = self._accounts[source].health()
        return msgspec.structs.replace(
            lender,
            account=account,
            broker=health.broker,
            detail=f"market data of {source}" + (f": {lender.detail}" if lender.detail else ""),
            since=max(health.since, lender.since),
            source=source,
        )

    def source(self, account: str) -> str:
        """Whose streams serve an account: its own, or another's where its broker has none."""
        return self._lent.get(account, account)

    def simulated(self, account: str) -> bool:
        """Whether the prices that an account hears are those of our own exchange."""
        feed = self._accounts.get(self.source(account))
        return feed is not None and feed.spec.simulated

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
        watches = self._watched.setdefault((symbol, exchange), {})
        if watch is None:
            watches.pop(account, None)
        else:
            watches[account] = watch
        if not watches:
            del self._watched[symbol, exchange]
        if (feed := self._accounts.get(self.source(account))) is not None:
            feed.overhear(symbol, exchange)

    def _watches(self, source: str, symbol: str, exchange: str) -> list[Watch]:
        """Of all who hear an instrument through the streams of this account."""
        watches = self._watched.get((symbol, exchange), {})
        return [watch for account, watch in watches.items() if self.source(account) == source]

    # --- other readers ------------------------------------------------------------------------------------------------

    def all_health(self) -> list[AccountHealth]:
        return [self.health(account) for account in self._accounts]

    def last(self, account: str, symbol: str, exchange: str) -> Last | None:
        return self._prices.get(self.source(account), symbol, exchange)

    def current(self, account: str, symbol: str, exchange: str, mode: Mode) -> Last | None:
        """The state of a streaming instrument, where it tells this mode and may be shown as current."""
        feed = self._accounts.get(self.source(account))
        return feed.current(symbol, exchange, mode) if feed else None

    def broker(self, account: str) -> BrokerSpec:
        """The broker of an account; InvalidInput where the account is not served here."""
        if (feed := self._accounts.get(account)) is None:
            raise InvalidInput(f"The account '{account}' is not served here.")
        return feed.spec

    def dead(self, account: str) -> Dead | None:
        """The account's session, where its sockets found that it has ended."""
        feed = self._accounts.get(account)
        return feed.dead if feed else None

    def session(self, account: str) -> Session | None:
        feed = self._accounts.get(account)
        return feed.session if feed else None

    def master(self, account: str) -> Master | None:
        feed = self._accounts.get(account)
        return feed.master if feed else None
