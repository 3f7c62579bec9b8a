"""Brokers against their own simulators over HTTP: the way in by a browser, whole lists of quotes, long histories."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest

from sangam.brokers import registry
from sangam.brokers.contract import BrokerSpec, Grant, Instruments, Session
from sangam.brokers.zerodha import SPEC as ZERODHA
from sangam.feed.market_data import history, quotes
from sangam.model.clock import IST, ManualClock, SystemClock
from sangam.model.enums import Exchange as Code
from sangam.model.errors import SessionExpired
from sangam.model.instrument import Instrument
from sangam.simulators import Exchange, Simulator, create
from sangam.simulators.listing import listing
from sangam.simulators.zerodha import Zerodha
from sangam.transport.http import HttpDriver

TODAY = date(2026, 8, 18)


@pytest.fixture
async def driver() -> AsyncIterator[HttpDriver]:
    driver = HttpDriver(SystemClock())
    yield driver
    await driver.close()


@pytest.fixture(params=["paper", "zerodha"])
async def simulator(request: pytest.FixtureRequest) -> AsyncIterator[Simulator]:
    exchange = Exchange(clock=ManualClock(datetime.combine(TODAY, datetime.min.time(), IST) + timedelta(hours=10)))
    async with create(request.param, exchange) as simulator:
        yield simulator


def session_at(simulator: Simulator, secrets: Mapping[str, str] | None = None, generation: int = 1) -> Session:
    return Session(
        account="a1",
        broker=simulator.name,
        generation=generation,
        secrets=simulator.credentials if secrets is None else secrets,
        hosts=simulator.hosts,
    )


async def listed(driver: HttpDriver, spec: BrokerSpec, session: Session) -> dict[tuple[str, Code], Instrument]:
    source: Instruments = spec.instruments
    files = await driver.run(spec, session, source.download(session, driver.ctx()))
    rows: list[Any] = list(source.parse(files))
    return {(row.symbol, row.exchange): row for row in rows if isinstance(row, Instrument)}


async def test_quotes_of_everything_listed(driver: HttpDriver, simulator: Simulator) -> None:
    spec, session = registry.load()[simulator.name], session_at(simulator)
    known = await listed(driver, spec, session)
    everything = [*known.values()]
    stranger = msgspec.structs.replace(everything[0], symbol="X", brsymbol="X", token="9::::9")
    found = await quotes(driver, spec, session, [stranger, *everything])
    assert list(found) == everything
    for instrument, patch in found.items():
        market = simulator.exchange.market(instrument.symbol, instrument.exchange)
        prices = (market.ltp, market.open, market.high, market.low, market.close)
        told = [patch.fields[name] for name in ("ltp", "open", "high", "low", "close")]
        assert told == [market.rupees(price) for price in prices]
        assert patch.depth is not None
        assert [row.price for row in patch.depth.buy] == [
            market.rupees(row.price) for row in market.book.depth(True, 5)
        ]
        if not market.is_index:
            assert (patch.fields["volume"], patch.fields["oi"]) == (market.volume, market.oi)


async def test_a_history_longer_than_one_request(driver: HttpDriver, simulator: Simulator) -> None:
    spec, session = registry.load()[simulator.name], session_at(simulator)
    future = (await listed(driver, spec, session))["NIFTY25AUG26FUT", Code.NFO]
    assert spec.data is not None
    days = spec.data.intervals["15m"].days
    start = TODAY - timedelta(days=days + 10)
    quarters = await history(driver, spec, session, future, "15m", start, TODAY)
    daily = await history(driver, spec, session, future, "D", start, TODAY)
    dates = [datetime.fromtimestamp(bar.timestamp, UTC).date() for bar in daily]
    assert dates[-1] == TODAY
    assert dates == sorted({datetime.fromtimestamp(bar.timestamp, IST).date() for bar in quarters})
    for day, bar in zip(dates, daily, strict=True):
        parts = [part for part in quarters if datetime.fromtimestamp(part.timestamp, IST).date() == day]
        assert (parts[0].open, parts[-1].close) == (bar.open, bar.close)
        assert sum(part.volume for part in parts) == bar.volume
        assert all(part.oi > 0 for part in parts)
    market = simulator.exchange.market("NIFTY25AUG26FUT", Code.NFO)
    assert daily[-2].close == market.rupees(market.close)


async def test_the_way_in_by_the_login_page_and_out_again(driver: HttpDriver) -> None:
    back = "http://127.0.0.1:5000/zerodha/callback/a1"
    async with Zerodha(Exchange(), redirect_url=back, renewable=True, limits=True) as simulator:
        app = {name: simulator.credentials[name] for name in ("api_key", "api_secret")}
        kept = session_at(simulator, app)
        way = ZERODHA.login.redirect
        assert way is not None
        async with httpx.AsyncClient(trust_env=False) as browser:
            sent = await browser.get(way.url(kept, "our state", back))
        url = urlsplit(sent.headers["location"])
        callback = dict(parse_qsl(url.query))
        assert url._replace(query="").geturl() == back
        assert callback["state"] == "our state"

        def entered(grant: Grant, generation: int) -> Session:
            assert grant.client_id == simulator.user_id
            return session_at(simulator, {**app, **grant.secrets}, generation)

        grant = await driver.run(ZERODHA, kept, way.exchange(kept, callback, driver.ctx()))
        session = entered(grant, 1)
        assert await driver.run(ZERODHA, session, ZERODHA.login.check(session, driver.ctx())) == simulator.user_id
        with pytest.raises(SessionExpired):
            await driver.run(ZERODHA, kept, way.exchange(kept, callback, driver.ctx()))

        assert ZERODHA.login.renew is not None
        grant = await driver.run(ZERODHA, session, ZERODHA.login.renew(session, driver.ctx()))
        session = entered(grant, 2)
        assert session.secrets["access_token"] == simulator.credentials["access_token"]
        assert await driver.run(ZERODHA, session, ZERODHA.login.check(session, driver.ctx())) == simulator.user_id

        assert ZERODHA.login.logout is not None
        await driver.run(ZERODHA, session, ZERODHA.login.logout(session, driver.ctx()))
        with pytest.raises(SessionExpired):
            await driver.run(ZERODHA, session, ZERODHA.login.check(session, driver.ctx()))


async def test_the_brokers_limits_are_kept_without_a_429(driver: HttpDriver) -> None:
    async with Zerodha(Exchange(contracts=lambda day: listing(day, strikes=16)), limits=True) as simulator:
        session = session_at(simulator)
        known = await listed(driver, ZERODHA, session)
        share = known["SBIN", Code.NSE]
        assert len(await quotes(driver, ZERODHA, session, [*known.values()])) == len(known) > 500
        end = datetime.now(IST).date()
        candles = await history(driver, ZERODHA, session, share, "1m", end - timedelta(days=239), end)
        assert len(candles) > 375 * 160
