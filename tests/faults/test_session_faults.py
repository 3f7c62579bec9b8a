"""How sessions end, and how streaming resumes at the next login without a restart."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from tests.support import wait_for

from sangam.model.calendar import Calendar
from sangam.model.enums import Exchange as Code
from sangam.transport.backoff import Backoff

from .clients import Client
from .harness import QUICK, SYMBOLS, TUESDAY, Rig

OpenRig = Callable[..., Awaitable[Rig]]

SIX = TUESDAY.replace(hour=6) + timedelta(days=1)
OPENING = SIX.replace(hour=9, minute=15)


async def test_the_token_dies_at_six_and_tokens_are_renumbered_overnight(open_rig: OpenRig) -> None:
    rig = await open_rig(calendar=Calendar())
    yesterday = {symbol: rig.simulator.token(symbol, "NSE") for symbol in SYMBOLS}
    async with rig.trouble():
        rig.clock.jump(SIX - timedelta(seconds=0.5))
        await rig.trader.reaches("auth_expired")
        assert rig.stream.accepted <= 2, "nothing is hammered"
        assert rig.health()["wants"] == len(SYMBOLS)
        assert (await rig.admin("account/list"))["accounts"][1]["session"] is False
        async with Client.login(rig.port, rig.key) as late:
            ack = await late.subscribe("SBIN", "TCS")
            assert [row["state"] for row in ack["subscriptions"]] == ["pending", "pending"]
            assert ack["subscriptions"][0]["reason"].startswith("Zerodha needs a new login")
            await rig.witness.hears(20)
            assert late.ticks == [], "yesterday's price is never sent as today's"

            rig.exchange.renumber()
            rig.simulator.new_login()
            silent = len(rig.trader.ticks)
            await rig.login()
            await rig.trader.hears(3, *SYMBOLS)
            await late.hears(3, "SBIN", "TCS")
        assert rig.trader.states[-1] == "closed_market"
        rig.clock.jump(OPENING - timedelta(seconds=0.5))
        await rig.trader.reaches("live")
        await rig.trader.hears(3, *SYMBOLS)
    assert all(rig.simulator.token(symbol, "NSE") != token for symbol, token in yesterday.items())
    for tick in rig.trader.ticks[silent:]:
        market = rig.exchange.market(tick.symbol, Code.NSE)
        assert tick.data["close"] == market.rupees(market.close), "another contract's price under this name"
    # Whichever comes first, the socket's upgrade or a call.
    assert rig.logged("auth_expired .*Waiting for a new login|the broker refuses the session", "ERROR")


async def test_the_session_is_taken_by_another_program(open_rig: OpenRig) -> None:
    """Kite says nothing of it: the socket is closed, and the old token is refused at the next upgrade."""
    rig = await open_rig()
    async with rig.trouble():
        rig.simulator.faults.replace_session()
        await rig.trader.reaches("auth_expired")
        await rig.witness.hears(50)
        assert rig.stream.accepted == 2, "the two programs do not fight for the session"
        await rig.login()
        await rig.trader.reaches("live")


async def test_a_dead_token_at_login(open_rig: OpenRig) -> None:
    """It is told at once, and no session opens with it."""
    rig = await open_rig(logged_in=False)
    dead = {**rig.credentials, "access_token": "of yesterday"}
    with pytest.raises(AssertionError, match=r"Zerodha: Incorrect .* Log in to Zerodha again"):
        await rig.admin("account/login", account=rig.account, fields=dead)
    assert rig.health()["state"] == "no_session"
    assert rig.stream.accepted == 0
    await rig.login()
    await rig.trader.hears(3, *SYMBOLS)
    assert rig.trader.states[-1] == "live"


async def test_a_token_that_dies_right_after_the_login(open_rig: OpenRig) -> None:
    rig = await open_rig(logged_in=False)
    rig.simulator.faults.refuse_requests(403, times=10, path="/instruments")
    await rig.login()
    await rig.trader.reaches("auth_expired")
    assert rig.health()["wants"] == len(SYMBOLS)
    rig.simulator.faults.clear()
    await rig.login()
    await rig.trader.hears(3, *SYMBOLS)
    assert rig.trader.states[-1] == "live"


@pytest.fixture
def quick_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sangam.feed.source.Backoff", lambda first, cap: Backoff(0.1, 0.2))


@pytest.mark.parametrize("fault", ["unavailable", "cut off", "damaged"])
async def test_no_master_at_the_first_login(open_rig: OpenRig, quick_downloads: None, fault: str) -> None:
    """Wants wait, and start by themselves once the broker gives its instruments."""
    rig = await open_rig(logged_in=False)
    match fault:
        case "unavailable":
            rig.simulator.faults.refuse_requests(503, times=4, path="/instruments")
        case "cut off":
            rig.rest.reset_after(5000)
        case "damaged":
            rig.simulator.faults.damaged_master = b"instrument_token,exchange_token\n1,2\n"
    await rig.login()
    await wait_for(lambda: rig.logged("no new instruments", "ERROR"), what="a line in the log")
    ack = await rig.trader.subscribe("TCS")
    assert ack["subscriptions"][0]["state"] == "pending"
    assert ack["subscriptions"][0]["reason"] == "the instruments of Zerodha are being loaded"
    rig.simulator.faults.damaged_master = None
    await rig.trader.hears(3, *SYMBOLS, "TCS")
    assert all(rig.streams_truly(symbol) for symbol in SYMBOLS)


@pytest.mark.parametrize("fault", ["unavailable", "cut off", "damaged", "much shorter"])
async def test_yesterdays_master_serves_until_the_broker_gives_another(
    open_rig: OpenRig, quick_downloads: None, fault: str
) -> None:
    rig = await open_rig()
    async with rig.trouble():
        standing = rig.master_version()
        match fault:
            case "unavailable":
                rig.simulator.faults.refuse_requests(503, times=4, path="/instruments")
            case "cut off":
                rig.rest.reset_after(5000)
            case "damaged":
                rig.simulator.faults.damaged_master = b"instrument_token,exchange_token\n1,2\n"
            case "much shorter":
                rig.simulator.faults.damaged_master = await rig.instruments_file(lines=50)
        await rig.login()
        await wait_for(lambda: rig.logged("no new instruments", "ERROR"), what="a line in the log")
        await rig.trader.hears(3, *SYMBOLS)
        if fault in ("damaged", "much shorter"):
            assert rig.master_version() == standing
        rig.simulator.faults.clear()
        await wait_for(lambda: rig.master_version() > standing, what="the new master")
        await rig.trader.hears(3, *SYMBOLS)
    assert all(rig.streams_truly(symbol) for symbol in SYMBOLS)


async def test_an_account_is_removed_while_it_streams(open_rig: OpenRig) -> None:
    rig = await open_rig()
    async with rig.trouble(resumes=False):
        await rig.admin("account/remove", account=rig.account)
        await wait_for(lambda: len(rig.trader.news) == len(SYMBOLS), what="the end of every subscription to be told")
        await wait_for(lambda: rig.stream.open == 0, what="its socket to be closed")
        assert {told["type"] for told in rig.trader.news} == {"subscription_refused"}
        assert rig.trader.news[0]["message"] == f"The account {rig.account} was removed"
        assert (await rig.trader.ask("get_stats"))["subscriptions"] == []


async def test_weeks_of_reconnects_and_logins_leave_nothing_behind(open_rig: OpenRig) -> None:
    hasty = replace(QUICK, check=0.01, backoff_first=0.005, backoff_cap=0.01)
    rig = await open_rig(timing=hasty)
    async with rig.trouble():
        for _ in range(40):
            for _ in range(3):
                tries = rig.stream.accepted
                rig.stream.reset()
                await wait_for(partial(rig.is_live_again, tries), what="the stream to live again")
            rig.simulator.faults.refuse_requests(503, times=2, path="/instruments")
            rig.simulator.new_login()
            await rig.trader.reaches("auth_expired")
            await rig.login()
            await rig.trader.hears(1, *SYMBOLS)
        assert rig.health()["wants"] == len(SYMBOLS)
        assert rig.health()["reconnects"] == 160
        assert rig.stream.open == 1
    assert len((await rig.trader.ask("get_stats"))["subscriptions"]) == len(SYMBOLS)
