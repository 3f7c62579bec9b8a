"""What a broker's socket does on a bad day, and what clients see of it."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from tests.support import wait_for
from websockets.asyncio.client import connect

from sangam.brokers import zerodha
from sangam.model.calendar import Calendar
from sangam.model.enums import Exchange

from .harness import SYMBOLS, Rig
from .proxy import Way

OpenRig = Callable[..., Awaitable[Rig]]


class Closed(Calendar):
    """A market that never opens."""

    def is_open(self, now_ms: int, exchange: Exchange) -> bool:
        return False


@pytest.mark.parametrize("fault", ["by the network", "by the broker", "politely"])
async def test_reset_in_the_middle_of_a_frame(open_rig: OpenRig, fault: str) -> None:
    rig = await open_rig()
    async with rig.trouble():
        match fault:
            case "by the network":
                rig.stream.reset_after(7)
            case "by the broker":
                rig.simulator.faults.reset_mid_frame()
            case "politely":
                rig.simulator.faults.close_sockets()
        await wait_for(lambda: rig.trader.states == ["reconnecting", "live"], what="reconnecting, then live")
    assert rig.health()["reconnects"] == 1
    assert rig.logged(r"(connection lost|closed by the broker \(1001.?\)); trying again in 0\.\d s", "WARNING")


async def test_half_open_socket_in_market_hours(open_rig: OpenRig) -> None:
    rig = await open_rig()
    async with rig.trouble():
        rig.stream.freeze()
        await rig.trader.reaches("stale")
        (health, info) = await rig.shown()
        assert health == info
        assert health[0] == "stale"
        assert re.fullmatch(r"no data for \d+ s in market hours", health[1])
        await rig.trader.reaches("live")
        rig.stream.thaw()
    assert rig.stream.accepted == 2
    assert rig.logged("no data for . s in market hours; trying again", "WARNING")


async def test_half_open_socket_while_no_data_is_expected(open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch) -> None:
    ticker = replace(zerodha.SPEC.streams[0], silence=0.8)
    monkeypatch.setattr(zerodha, "SPEC", replace(zerodha.SPEC, streams=(ticker,)))
    rig = await open_rig(calendar=Closed())
    assert rig.health()["state"] == "closed_market"
    async with rig.trouble():
        rig.stream.freeze()
        await rig.trader.reaches("reconnecting")
        await rig.trader.reaches("closed_market")
        rig.stream.thaw()
    assert rig.logged("silent for 1 s; trying again", "WARNING")


@pytest.mark.parametrize("fault", ["mute", "swallow_subscriptions"])
async def test_accepts_subscriptions_but_sends_nothing(open_rig: OpenRig, fault: str) -> None:
    rig = await open_rig()
    async with rig.trouble():
        setattr(rig.simulator.faults, fault, True)
        rig.simulator.faults.kill_sockets()
        await rig.trader.reaches("live")
        silent = len(rig.trader.ticks)
        await rig.trader.reaches("stale")
        await rig.trader.reaches("reconnecting")
        assert len(rig.trader.ticks) == silent, "nothing old was shown as new"
        rig.simulator.faults.clear()
        await rig.trader.reaches("live")
    assert rig.logged("no data for . s in market hours", "WARNING")


async def test_forbidden_at_the_upgrade_is_not_hammered(open_rig: OpenRig) -> None:
    rig = await open_rig()
    async with rig.trouble():
        rig.simulator.faults.refuse_upgrades(403, times=100)
        rig.simulator.faults.kill_sockets()
        await rig.trader.reaches("auth_expired")
        await rig.witness.hears(50)
        assert rig.stream.accepted == 2, "one try, and not another one until somebody logs in"
        (health, info) = await rig.shown()
        assert health == info
        assert health[0] == "auth_expired"
        assert "HTTP 403" in health[1]
        assert rig.health()["wants"] == len(SYMBOLS)
        rig.simulator.faults.clear()
        await rig.login()
        await rig.trader.reaches("live")
    assert rig.logged(r"auth_expired .*HTTP 403.*Waiting for a new login", "ERROR")
    assert not rig.logged(rig.simulator.credentials["access_token"])


async def test_garbage_and_truncated_frames_cost_themselves_only(open_rig: OpenRig) -> None:
    rig = await open_rig()
    async with rig.trouble(rig.trader, resumes=False):
        for _ in range(20):
            rig.simulator.faults.send_garbage()
            rig.simulator.faults.send_truncated()
            rig.simulator.faults.send_garbage(b"\xff\xff\x00")
            await rig.trader.hears(1)
        await rig.trader.hears(5, *SYMBOLS)
    assert rig.trader.states == []
    assert rig.stream.accepted == 1
    assert rig.logged(r"damaged message \(1 in a row\): a packet of \d+ bytes does not fit", "WARNING")


async def test_nothing_but_garbage_ends_the_socket(open_rig: OpenRig) -> None:
    rig = await open_rig()
    async with rig.trouble():
        for _ in range(100):
            rig.simulator.faults.send_garbage()
        await rig.trader.reaches("live")
    assert rig.logged("50 damaged messages in a row; trying again", "WARNING")
    warnings = [record for record in rig.log.records if "in a row):" in record.getMessage()]
    assert len(warnings) == 3, "a flood of damage does not flood the log"


async def test_bytes_that_are_no_websocket(open_rig: OpenRig) -> None:
    rig = await open_rig()
    async with rig.trouble():
        rig.stream.inject(b"\xff" * 500)
        await rig.trader.reaches("live")
    assert rig.logged("ticker#1: .*; trying again", "WARNING")


async def test_frames_in_slices_of_one_byte(open_rig: OpenRig) -> None:
    rig = await open_rig()
    async with rig.trouble():
        rig.stream.slice = 1
        rig.stream.reset()
        await rig.trader.hears(10, *SYMBOLS)
    assert all(rig.streams_truly(symbol) for symbol in SYMBOLS)
    assert not rig.logged("damaged")


async def test_slow_line(open_rig: OpenRig) -> None:
    """4 kB a second are enough for the handshake and three quotes at a time."""
    rig = await open_rig()
    async with rig.trouble():
        rig.stream.rate, rig.stream.slice = 4000, 200
        rig.stream.reset()
        await rig.trader.reaches("live")
        await rig.trader.hears(3, *SYMBOLS)
    assert all(rig.streams_truly(symbol) for symbol in SYMBOLS)


@pytest.mark.parametrize("fault", ["refused", "unanswered"])
async def test_a_broker_that_cannot_be_reached_is_tried_with_patience(
    open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr("sangam.transport.channel.CONNECT_TIMEOUT", 0.2)
    rig = await open_rig()
    async with rig.trouble():
        rig.stream.refuses = fault == "refused"
        rig.stream.swallows = frozenset({Way.DOWN} if fault == "unanswered" else ())
        rig.stream.reset()
        await wait_for(lambda: rig.stream.accepted > 3, what="several tries")
        assert rig.trader.states == ["reconnecting"]
        assert rig.logged("did not answer within 0.2 s" if fault == "unanswered" else "127.0.0.1:.*trying again")
        rig.stream.refuses, rig.stream.swallows = False, frozenset()
        await rig.trader.reaches("live")


async def test_refused_connection_limit(open_rig: OpenRig) -> None:
    rig = await open_rig()
    async with rig.trouble():
        rig.simulator.faults.max_sockets = 0
        rig.simulator.faults.kill_sockets()
        await wait_for(lambda: rig.stream.accepted > 3, what="several tries")
        (health, info) = await rig.shown()
        assert health == info
        assert health[0] == "reconnecting"
        assert health[1].endswith("refused the socket: HTTP 429")
        rig.simulator.faults.clear()
        await rig.trader.reaches("live")


async def test_a_socket_over_the_limit_leaves_the_others_alone(open_rig: OpenRig) -> None:
    """Another program of the same user holds one of the three sockets that the broker allows."""
    rig = await open_rig(logged_in=False, max_symbols_per_websocket=1)
    known = rig.simulator.credentials
    other = f"{rig.simulator.hosts['stream']}?api_key={known['api_key']}&access_token={known['access_token']}"
    async with connect(other, ping_interval=None):
        await rig.login()
        await wait_for(lambda: len({tick.symbol for tick in rig.trader.ticks}) == 2, what="two of three symbols")
        await rig.trader.reaches("reconnecting")
        assert rig.health()["detail"].endswith("HTTP 429")
        await rig.trader.hears(20)
        refused = await rig.trader.subscribe("TCS")
        assert refused["subscriptions"][0]["code"] == "MAX_CAPACITY_REACHED"
    await rig.trader.hears(5, *SYMBOLS)
    await rig.trader.reaches("live")
