"""The account that is verified, and the rooms of the house that its checks act through."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import NamedTuple, TypeVar

from sangam.brokers.contract import BrokerSpec, Candle, Operation, Session
from sangam.feed.feed import Feed
from sangam.feed.market import Market
from sangam.feed.market_data import history, quotes
from sangam.feed.port import Granted, Pending, Refused
from sangam.instruments.master import Master
from sangam.model.calendar import AlwaysOpen, Calendar
from sangam.model.clock import Clock, ist_from_ms
from sangam.model.enums import AccountState, Exchange, Mode
from sangam.model.errors import BrokerError, SymbolNotFound
from sangam.model.identity import AccountInfo
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Patch
from sangam.orders.desk import OrderDesk
from sangam.orders.live import Live
from sangam.prices.last import Last
from sangam.transport.http import HttpDriver

from .checks import Skip, Wrong
from .survey import Survey, survey
from .trial import Trial

T = TypeVar("T")

_LOOK = 0.05
_SHARES = ("SBIN", "RELIANCE", "HDFCBANK", "ICICIBANK", "INFY")
_INDICES = ("NIFTY", "SENSEX", "BANKNIFTY")
_UNDERLYINGS = ("NIFTY", "SENSEX", "USDINR", "CRUDEOIL", "GOLD")
_DEAD = (AccountState.NO_SESSION, AccountState.AUTH_EXPIRED, AccountState.REPLACED)


class Rooms(NamedTuple):
    """What of the running house the checks use. `trouble` tells why an account has no instruments, `analyzed` whether
    the orders of a user go to paper now."""

    driver: HttpDriver
    feed: Feed
    market: Market
    desk: OrderDesk
    live: Live
    master: Callable[[str], Master]
    trouble: Callable[[str], str]
    analyzed: Callable[[str], bool]
    calendar: Calendar
    clock: Clock


class Patience(NamedTuple):
    """Seconds: for a first price, for the next one of a liquid instrument, for the day's instruments, for an order to
    change its state, and for one check in all."""

    told: float = 15.0
    moved: float = 30.0
    listed: float = 180.0
    settled: float = 30.0
    check: float = 300.0


class Subject:
    """What every check is given. Its errors are the house's own, or `Skip` and `Wrong`."""

    def __init__(
        self, spec: BrokerSpec, account: AccountInfo, session: Session, rooms: Rooms, patience: Patience
    ) -> None:
        self.spec = spec
        self.account = account
        self.session = session
        self.rooms = rooms
        self.patience = patience
        self.trial = Trial(rooms.desk, rooms.live, rooms.market, rooms.feed, account, rooms.clock, patience.settled)
        self._calendar = AlwaysOpen() if spec.simulated or spec.sandbox else rooms.calendar
        self._survey: Survey | None = None

    # --- time ---------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return self.rooms.clock.now_ms()

    @property
    def today(self) -> date:
        return ist_from_ms(self.now).date()

    def is_open(self, exchange: Exchange) -> bool:
        return self._calendar.is_open(self.now, exchange)

    def traded(self, day: date, exchange: Exchange) -> bool:
        return self.rooms.calendar.session(day, exchange) is not None

    def last_day(self, exchange: Exchange) -> date:
        """The last whole trading day."""
        return next(day for day in _back(self.today) if self.traded(day, exchange))

    # --- asking -------------------------------------------------------------------------------------------------------

    async def run(self, operation: Operation[T], session: Session | None = None) -> T:
        return await self.rooms.driver.run(self.spec, session or self.session, operation)

    async def check(self, session: Session | None = None) -> str:
        """Who the broker says we are."""
        session = session or self.session
        return await self.run(self.spec.login.check(session, self.rooms.driver.ctx()), session)

    async def quotes(self, instruments: Iterable[Instrument]) -> dict[Instrument, Patch]:
        return await quotes(self.rooms.driver, self.spec, self.session, list(instruments))

    async def quote(self, instrument: Instrument) -> Patch:
        found = await self.quotes([instrument])
        if instrument not in found:
            raise Wrong(f"the broker tells nothing of {instrument.exchange}:{instrument.symbol}")
        return found[instrument]

    async def candles(self, instrument: Instrument, interval: str, start: date, end: date) -> list[Candle]:
        return await history(self.rooms.driver, self.spec, self.session, instrument, interval, start, end)

    # --- instruments --------------------------------------------------------------------------------------------------

    async def master(self) -> Master:
        """The day's instruments, once they stand: those of a fresh login may still be on their way."""
        until = self.rooms.clock.monotonic() + self.patience.listed
        while True:
            try:
                return self.rooms.master(self.account.id)
            except BrokerError as error:
                told = self.rooms.trouble(self.account.id)
                if told or self.rooms.clock.monotonic() > until:
                    raise Wrong(told or str(error)) from None
                if self.rooms.feed.health(self.account.id).state in _DEAD:
                    raise
            await asyncio.sleep(_LOOK)

    async def survey(self) -> Survey:
        """Made once."""
        if self._survey is None:
            master = await self.master()
            self._survey = await asyncio.to_thread(survey, master, self.spec.streams, self.today)
        return self._survey

    async def share(self) -> Instrument:
        return await self.instrument(Exchange.NSE)

    async def instrument(self, exchange: Exchange) -> Instrument:
        """A liquid one: a large share, an index, the nearest future of a great underlying, else the nearest one."""
        master = await self.master()
        for symbol in (*_SHARES, *_INDICES):
            try:
                return master.lookup(symbol, exchange.value)
            except SymbolNotFound:
                continue
        for underlying in _UNDERLYINGS:
            for expiry in master.expiries(underlying, exchange.value, "futures", self.today):
                if (found := master.future(underlying, exchange.value, expiry)) is not None:
                    return found
        nearest = (await self.survey()).nearest.get(exchange)
        if nearest is None:
            raise Skip(f"no instrument of {exchange} is known to be liquid")
        return nearest

    # --- streams ------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def listening(self, instrument: Instrument, mode: Mode, depth: int = 5) -> AsyncIterator["Ear"]:
        """A want of ours, among those of clients."""
        name = f"{instrument.exchange}:{instrument.symbol}"
        feed = self.rooms.feed
        answer = feed.want(self.account.id, instrument.symbol, instrument.exchange.value, Level(mode, depth))
        if isinstance(answer, Refused):
            if answer.code == "MAX_CAPACITY_REACHED":
                raise Skip(f"clients use all sockets of the account: {answer.reason}")
            raise Wrong(f"{name} in mode {mode.label}: {answer.reason}")
        try:
            yield Ear(self, instrument, answer)
        finally:
            feed.release(answer.want)


class Ear:
    """What comes of one want."""

    def __init__(self, subject: Subject, instrument: Instrument, answer: Granted | Pending) -> None:
        self.level = answer.level
        self._subject = subject
        self._instrument = instrument
        self._want = answer.want

    @property
    def last(self) -> Last:
        one = self._instrument
        return self._subject.rooms.feed.last(self._subject.account.id, one.symbol, one.exchange.value) or Last()

    async def told(self) -> Last:
        """Wait for all that the mode tells. In a closed market nothing needs to come."""
        if not await self._until(lambda: self.last.tells(self.level.mode), self._subject.patience.told):
            self._refused()
            if not self._subject.is_open(self._instrument.exchange):
                raise Skip(f"{self._instrument.exchange} is closed, and the broker tells no prices now")
            raise Wrong(f"{self._lack()} within {self._subject.patience.told:g} s; {self._state()}")
        return self.last

    async def deep(self) -> None:
        """Wait for more than the usual five rows: a deep book may come on a stream of its own, later than the price."""
        await self._until(
            lambda: self.last.depth is not None and len(self.last.depth.buy) > 5, self._subject.patience.told
        )

    async def moved(self) -> Last:
        """Wait for another update, in an open market."""
        before = self.last.received_at
        if self._subject.is_open(self._instrument.exchange) and not await self._until(
            lambda: self.last.received_at not in (None, before), self._subject.patience.moved
        ):
            raise Wrong(f"no second update within {self._subject.patience.moved:g} s; {self._state()}")
        return self.last

    def _refused(self) -> None:
        answer = self._subject.rooms.feed.answered(self._want)
        if isinstance(answer, Refused):
            raise Wrong(f"the broker refused the subscription: {answer.reason}")

    def _lack(self) -> str:
        """What of the mode did not come."""
        fields = self.last.fields
        if "ltp" not in fields:
            return "no price came"
        lacking = [name for name in ("open", "high", "low", "close") if name not in fields]
        return f"no {', '.join(lacking)} came" if lacking else "no book came"

    def _state(self) -> str:
        health = self._subject.rooms.feed.health(self._subject.account.id)
        return f"the feed is {health.state.value}" + (f" ({health.detail})" if health.detail else "")

    async def _until(self, so: Callable[[], bool], seconds: float) -> bool:
        clock = self._subject.rooms.clock
        until = clock.monotonic() + seconds
        while not so():
            if clock.monotonic() > until:
                return False
            await asyncio.sleep(_LOOK)
        return True


def _back(day: date) -> Iterable[date]:
    """The days before one, newest first."""
    while True:
        day -= timedelta(days=1)
        yield day
