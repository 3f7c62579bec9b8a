"""Prices and candles of any instrument of an account: from its stream where somebody listens, else from the broker."""

import asyncio
from collections.abc import Sequence
from datetime import date, time

from sangam.brokers.contract import BrokerSpec, Candle, Session
from sangam.model.calendar import SESSIONS, Calendar
from sangam.model.clock import Clock
from sangam.model.enums import Mode
from sangam.model.errors import BrokerError, InvalidInput, SessionExpired
from sangam.model.instrument import Instrument
from sangam.prices.last import Last

from . import candles, market_data
from .feed import Feed
from .quote import quote

WANTS_AT_ONCE = 50
"""How many instruments are listened to at a time where a broker answers no quotes."""


class Market:
    """What programs ask instead of streaming. `close` ends what is under way."""

    def __init__(self, feed: Feed, driver: market_data.Driver, calendar: Calendar, clock: Clock) -> None:
        self._feed = feed
        self._driver = driver
        self._calendar = calendar
        self._clock = clock
        self._desks: dict[tuple[str, bool], _Desk] = {}

    async def close(self) -> None:
        await asyncio.gather(*(desk.close() for desk in self._desks.values()))

    async def quotes(self, account: str, instruments: Sequence[Instrument], mode: Mode) -> dict[Instrument, Last]:
        """What is known of each in this mode; one that nobody tells is missing.

        Raises SessionExpired where the account is not logged in, BrokerError where the broker does not answer."""
        known = {
            instrument: last
            for instrument in instruments
            if (last := self._streamed(account, instrument, mode)) is not None
        }
        rest = [instrument for instrument in dict.fromkeys(instruments) if instrument not in known]
        if not rest:
            return known
        spec, _ = self._session(account)
        if spec.data is not None and spec.data.quote_batch:
            deep = mode is Mode.DEPTH and spec.data.depth_batch is not None
            return known | await self._desk(account, deep).ask(rest)
        return known | await self._listened(account, rest)

    def _streamed(self, account: str, instrument: Instrument, mode: Mode) -> Last | None:
        """What the stream tells now. A stream without the best bid and ask (some wires tell them only with the book) is
        no quote: who asks here would take what is missing for zero."""
        last = self._feed.current(account, instrument.symbol, instrument.exchange.value, mode)
        if last is None or mode is Mode.LTP or instrument.exchange.is_index or "bid_price" in last.fields:
            return last
        return None

    async def history(
        self, account: str, instrument: Instrument, interval: str, start: date, end: date
    ) -> list[Candle]:
        """The candles of the IST dates `start` to `end`, ascending; of weeks and longer, those that these dates touch.

        Raises InvalidInput for an interval that cannot be had, dates in the wrong order or a span too long;
        SessionExpired, BrokerError."""
        spec, session = self._session(account)
        native = spec.data.intervals if spec.data else {}
        source = candles.source(interval, native)
        if source is None:
            offered = ", ".join(candles.supported(native)) or "none"
            raise InvalidInput(f"{spec.title} has no interval '{interval}'. Its intervals: {offered}.")
        first = min(start, candles.first_day(interval, start))
        bars = await market_data.history(self._driver, spec, session, instrument, source, first, end)
        if source == interval:
            return bars

        def opens(day: date) -> time:
            return (self._calendar.session(day, instrument.exchange) or SESSIONS[instrument.exchange]).start

        return await asyncio.to_thread(candles.resample, bars, interval, opens)  # there may be very many

    def intervals(self, account: str) -> list[str]:
        """The intervals of which candles can be had, shortest first."""
        spec = self._feed.broker(account)
        return candles.supported(spec.data.intervals) if spec.data else []

    def _session(self, account: str) -> tuple[BrokerSpec, Session]:
        spec, session = self._feed.broker(account), self._feed.session(account)
        if session is None:
            raise SessionExpired(f"{spec.title} is not logged in. Log in: sangam account login {account}")
        return spec, session

    def _desk(self, account: str, deep: bool) -> "_Desk":
        return self._desks.setdefault((account, deep), _Desk(self, account, deep))

    async def fetch(self, account: str, instruments: Sequence[Instrument], deep: bool) -> dict[Instrument, Last]:
        """The broker's own answer, whoever streams."""
        spec, session = self._session(account)
        found = {}
        told = await market_data.quotes(self._driver, spec, session, instruments, deep=deep)
        for instrument, patch in told.items():
            found[instrument] = Last()
            found[instrument].merge(patch, self._clock.now_ms())
        return found

    async def _listened(self, account: str, instruments: Sequence[Instrument]) -> dict[Instrument, Last]:
        """By a short want each, for brokers that answer no quotes."""
        turn = asyncio.Semaphore(WANTS_AT_ONCE)

        async def listen(instrument: Instrument) -> Last:
            async with turn:
                return await quote(self._feed, account, instrument.symbol, instrument.exchange.value)

        told = await asyncio.gather(*(listen(instrument) for instrument in instruments), return_exceptions=True)
        found = {}
        for instrument, last in zip(instruments, told, strict=True):
            if isinstance(last, Last):
                found[instrument] = last
            elif not isinstance(last, BrokerError) or len(instruments) == 1:
                raise last
        return found


class _Desk:
    """One account's quotes, or its books where a broker tells these by other calls: whoever asks while a call is under
    way shares the next one, so that a broker's limit of one call a second serves any number of askers."""

    def __init__(self, market: Market, account: str, deep: bool) -> None:
        self._market = market
        self._account = account
        self._deep = deep
        self._waiting: dict[Instrument, asyncio.Future[Last | BrokerError | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def ask(self, instruments: Sequence[Instrument]) -> dict[Instrument, Last]:
        loop = asyncio.get_running_loop()
        mine = {}
        for instrument in instruments:
            if instrument not in self._waiting:
                self._waiting[instrument] = loop.create_future()
            mine[instrument] = self._waiting[instrument]
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name=f"quotes {self._account}")
        await asyncio.wait(mine.values())  # an asker who goes away cancels nothing of the others
        found = {}
        for instrument, answer in mine.items():
            told = answer.result()
            if isinstance(told, BrokerError):
                raise told
            if told is not None:
                found[instrument] = told
        return found

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        while self._waiting:
            asked, self._waiting = self._waiting, {}
            found: dict[Instrument, Last] | BrokerError = BrokerError("The quotes could not be fetched.")
            try:
                found = await self._market.fetch(self._account, list(asked), self._deep)
            except BrokerError as error:
                found = error
            finally:  # whatever happens, nobody waits for ever
                for instrument, answer in asked.items():
                    answer.set_result(found if isinstance(found, BrokerError) else found.get(instrument))
