"""Prices and candles by request: from the stream, from the broker with shared calls, or by a short want."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from tests.feed_rig import ACCOUNT, FAST, Rig, feed_rig
from tests.support import wait_for
from tests.toy_broker import toy_instrument

from sangam.brokers.contract import BrokerSpec, Candle, Ctx, Data, Interval, Operation, Request, Session
from sangam.feed.market import Market
from sangam.model.calendar import AlwaysOpen
from sangam.model.enums import AccountState, Mode
from sangam.model.errors import BrokerError, InvalidInput, SessionExpired
from sangam.model.instrument import Instrument
from sangam.model.market import Fields, Patch

SBIN, TCS, INFY, NOPE = (toy_instrument(name) for name in ("SBIN", "TCS", "INFY", "NOPE"))
DAY = date(2026, 8, 3)


def quotes(instruments: Sequence[Instrument], session: Session, ctx: Ctx) -> Operation[list[Patch]]:
    names = yield Request(method="GET", host="api", path=",".join(one.symbol for one in instruments))
    fields: Fields = {"ltp": 7.0, "open": 1.0, "high": 9.0, "low": 1.0, "close": 2.0}
    return [Patch(one, fields.copy()) for one in instruments if one.symbol in names]


def history(
    instrument: Instrument, interval: str, start: date, end: date, session: Session, ctx: Ctx
) -> Operation[list[Candle]]:
    yield Request(method="GET", host="api", path=f"{interval} {start} {end}")
    midnight = int(datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp())
    return [Candle(midnight, 1.0, 2.0, 0.5, 1.5, 10), Candle(midnight + 86_400, 1.5, 3.0, 1.0, 2.0, 10)]


DATA = Data(quotes, 2, history, {"D": Interval("day", 1000), "1m": Interval("minute", 60)})


class Driver:
    """Answers each request with the names it was asked for, but not NOPE; `gate` holds answers back."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fault: BrokerError | None = None

    def ctx(self) -> Ctx:
        return Ctx(0, bytes)

    async def run(self, spec: BrokerSpec, session: Session, operation: Operation[Any]) -> Any:
        request = operation.send(None)
        assert isinstance(request, Request)
        self.asked.append(request.path)
        await self.gate.wait()
        if self.fault:
            raise self.fault
        try:
            operation.send([name for name in request.path.split(",") if name != "NOPE"])
        except StopIteration as stop:
            return stop.value
        raise AssertionError("one request only")


@pytest.fixture
def driver() -> Driver:
    return Driver()


def market(rig: Rig, driver: Driver) -> Market:
    return Market(rig.feed, driver, AlwaysOpen(), rig.clock)


async def test_a_streaming_price_is_not_asked_for(driver: Driver) -> None:
    async with feed_rig(data=DATA) as rig:
        await rig.login()
        await rig.streaming("SBIN", Mode.LTP, 5.0)
        desk = market(rig, driver)
        assert (await desk.quotes(ACCOUNT, [SBIN], Mode.LTP))[SBIN].fields["ltp"] == 5.0
        assert driver.asked == []
        found = await desk.quotes(ACCOUNT, [SBIN, TCS], Mode.DEPTH)  # the stream tells no book
        assert [found[one].fields["ltp"] for one in (SBIN, TCS)] == [7.0, 7.0]
        assert driver.asked == ["SBIN,TCS"]
        await desk.close()


async def test_a_stream_without_bid_and_ask_is_no_quote(driver: Driver) -> None:
    async with feed_rig(data=DATA) as rig:
        await rig.login()
        await rig.streaming("SBIN", Mode.QUOTE, 5.0)
        desk = market(rig, driver)
        assert (await desk.quotes(ACCOUNT, [SBIN], Mode.LTP))[SBIN].fields["ltp"] == 5.0
        assert (await desk.quotes(ACCOUNT, [SBIN], Mode.QUOTE))[SBIN].fields["ltp"] == 7.0
        await rig.streaming("TCS", Mode.DEPTH, 6.0)
        assert (await desk.quotes(ACCOUNT, [TCS], Mode.QUOTE))[TCS].fields["ltp"] == 6.0
        assert driver.asked == ["SBIN"]
        await desk.close()


async def test_the_price_of_a_stale_stream_is_asked_for(driver: Driver) -> None:
    async with feed_rig(data=DATA, timing=replace(FAST, stale_after=0.1)) as rig:
        await rig.login()
        await rig.streaming("SBIN", Mode.LTP, 5.0)
        await rig.state(AccountState.STALE)
        desk = market(rig, driver)
        assert (await desk.quotes(ACCOUNT, [SBIN], Mode.LTP))[SBIN].fields["ltp"] == 7.0
        assert driver.asked == ["SBIN"]
        await desk.close()


async def test_books_are_asked_for_in_batches_of_their_own(driver: Driver) -> None:
    async with feed_rig(data=replace(DATA, depth_batch=1)) as rig:
        await rig.login()
        desk = market(rig, driver)
        await desk.quotes(ACCOUNT, [SBIN, TCS], Mode.QUOTE)
        await desk.quotes(ACCOUNT, [SBIN, TCS], Mode.DEPTH)
        assert driver.asked == ["SBIN,TCS", "SBIN", "TCS"]
        await desk.close()


async def test_askers_share_the_next_call(driver: Driver) -> None:
    async with feed_rig(data=DATA) as rig:
        await rig.login()
        desk = market(rig, driver)
        driver.gate.clear()
        first = asyncio.create_task(desk.quotes(ACCOUNT, [SBIN], Mode.QUOTE))
        await wait_for(lambda: driver.asked == ["SBIN"])
        others = [asyncio.create_task(desk.quotes(ACCOUNT, [one], Mode.QUOTE)) for one in (TCS, INFY, TCS, NOPE)]
        await asyncio.sleep(0)
        others[1].cancel()  # who goes away takes nothing from the others
        driver.gate.set()
        told = await asyncio.gather(first, others[0], *others[2:])
        assert driver.asked == ["SBIN", "TCS,INFY", "NOPE"]  # cut to the broker's measure
        assert [[one.symbol for one in found] for found in told] == [["SBIN"], ["TCS"], ["TCS"], []]
        assert others[1].cancelled()
        await desk.close()


async def test_a_failure_reaches_all_who_wait_and_nobody_later(driver: Driver) -> None:
    async with feed_rig(data=DATA) as rig:
        await rig.login()
        desk = market(rig, driver)
        driver.fault = BrokerError("down")
        told = await asyncio.gather(
            *(desk.quotes(ACCOUNT, [one], Mode.QUOTE) for one in (SBIN, TCS)), return_exceptions=True
        )
        assert [str(error) for error in told] == ["down", "down"]
        driver.fault = None
        assert SBIN in await desk.quotes(ACCOUNT, [SBIN], Mode.QUOTE)
        await desk.close()


async def test_closing_lets_nobody_wait_for_ever(driver: Driver) -> None:
    async with feed_rig(data=DATA) as rig:
        await rig.login()
        desk = market(rig, driver)
        driver.gate.clear()
        asker = asyncio.create_task(desk.quotes(ACCOUNT, [SBIN], Mode.QUOTE))
        await wait_for(lambda: driver.asked)
        await desk.close()
        with pytest.raises(BrokerError, match="could not be fetched"):
            await asker


async def test_a_broker_without_quotes_is_listened_to(driver: Driver) -> None:
    async with feed_rig() as rig:
        await rig.login()
        desk = market(rig, driver)
        asker = asyncio.create_task(desk.quotes(ACCOUNT, [TCS], Mode.QUOTE))
        await rig.carries(TCS=3)
        await rig.server.tick("TCS", 6.0, open=1.0, high=9.0, low=1.0, close=2.0, buy=[[5, 1, 1]], sell=[])
        assert (await asker)[TCS].fields["ltp"] == 6.0
        assert desk.intervals(ACCOUNT) == []
        with pytest.raises(InvalidInput, match="Its intervals: none"):
            await desk.history(ACCOUNT, TCS, "D", DAY, DAY)


async def test_without_a_login_nothing_is_asked(driver: Driver) -> None:
    async with feed_rig(data=DATA) as rig:
        desk = market(rig, driver)
        for answer in (desk.quotes(ACCOUNT, [SBIN], Mode.QUOTE), desk.history(ACCOUNT, SBIN, "D", DAY, DAY)):
            with pytest.raises(SessionExpired, match="sangam account login u-toy"):
                await answer
        with pytest.raises(InvalidInput, match="not served"):
            desk.intervals("nobody")
        await rig.state(AccountState.NO_SESSION)
        assert driver.asked == []


@pytest.mark.parametrize(
    ("interval", "asked", "bars"),
    [("D", "D 2026-08-05 2026-08-06", 2), ("W", "D 2026-08-03 2026-08-06", 1), ("M", "D 2026-08-01 2026-08-06", 1)],
)
async def test_candles_of_longer_periods_are_whole(driver: Driver, interval: str, asked: str, bars: int) -> None:
    async with feed_rig(data=DATA) as rig:
        await rig.login()
        desk = market(rig, driver)
        candles = await desk.history(ACCOUNT, SBIN, interval, date(2026, 8, 5), date(2026, 8, 6))
        assert driver.asked == [asked]
        assert len(candles) == bars
        assert sum(candle.volume for candle in candles) == 20
        assert desk.intervals(ACCOUNT)[-1] == "Y"
        with pytest.raises(InvalidInput, match=r"has no interval '1s'\. Its intervals: 1m, 2m"):
            await desk.history(ACCOUNT, SBIN, "1s", DAY, DAY)
