"""The bad days of a broker, for one of each family: its socket, its sessions, its orders."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.simulator_thread import SimulatorThread
from tests.support import wait_for

from sangam.app.keeper import EVERY_SECONDS
from sangam.brokers import registry
from sangam.model.calendar import Calendar
from sangam.model.enums import Exchange as Code
from sangam.model.order import OrderState
from sangam.simulators.mishaps import Mishap

from .brokers import OF_FAMILIES
from .clients import Client
from .harness import SYMBOLS, TUESDAY, Rig
from .order_rig import OrderRig

OpenRig = Callable[..., Awaitable[Rig]]

MORNING = TUESDAY.replace(hour=6, minute=30) + timedelta(days=1)
OPENING = TUESDAY.replace(hour=9, minute=15) + timedelta(days=1)
NIGHT = TUESDAY.replace(hour=3) + timedelta(days=1)

of_each_family = pytest.mark.parametrize("broker", OF_FAMILIES)


def end_of_session(broker: str) -> datetime | None:
    """When the sessions of that Tuesday end by the table; None where no hour is known."""
    if not (hour := registry.load()[broker].session_ends):
        return None
    hours, minutes = map(int, hour.split(":"))
    ends = TUESDAY.replace(hour=hours, minute=minutes)
    return ends if ends > TUESDAY else ends + timedelta(days=1)


# --- sockets ----------------------------------------------------------------------------------------------------------


@of_each_family
async def test_a_socket_that_breaks_or_falls_silent_is_replaced(open_rig: OpenRig, broker: str) -> None:
    rig = await open_rig(broker=broker)
    async with rig.trouble():
        rig.simulator.faults.reset_mid_frame()
        await wait_for(lambda: rig.trader.states == ["reconnecting", "live"], what="reconnecting, then live")
        rig.stream.freeze()
        await rig.trader.reaches("stale")
        await rig.trader.reaches("live")
        rig.stream.thaw()
    assert all(rig.streams_truly(symbol) for symbol in SYMBOLS)


@of_each_family
async def test_garbage_and_truncated_frames_cost_themselves_only(open_rig: OpenRig, broker: str) -> None:
    rig = await open_rig(broker=broker)
    tries = rig.stream.accepted
    async with rig.trouble(rig.trader, resumes=False):
        for _ in range(10):
            rig.simulator.faults.send_garbage()
            rig.simulator.faults.send_truncated()
            rig.simulator.faults.send_garbage(b"\xff\xff\x00")
            await rig.trader.hears(1)
        await rig.trader.hears(5, *SYMBOLS)
    assert rig.trader.states == []
    assert rig.stream.accepted == tries
    assert rig.logged("damaged message", "WARNING")


# --- sessions ---------------------------------------------------------------------------------------------------------


@of_each_family
async def test_the_token_dies_overnight_and_tokens_are_renumbered(open_rig: OpenRig, broker: str) -> None:
    rig = await open_rig(broker=broker, calendar=Calendar())
    tries = rig.stream.accepted
    async with rig.trouble():
        if (ends := end_of_session(broker)) is not None:
            rig.clock.jump(ends - timedelta(seconds=0.5))
        else:
            rig.clock.jump(NIGHT)
            rig.simulator.faults.expire_token()
        await rig.trader.reaches("auth_expired")
        assert rig.stream.accepted <= tries + 1, "nothing is hammered"
        assert rig.health()["wants"] == len(SYMBOLS)
        rig.clock.jump(MORNING)
        async with Client.login(rig.port, rig.key) as late:
            ack = await late.subscribe("SBIN", "TCS")
            assert [row["state"] for row in ack["subscriptions"]] == ["pending", "pending"]
            await rig.witness.hears(20)
            assert late.ticks == [], "yesterday's price is never sent as today's"
            rig.exchange.renumber()
            rig.simulator.new_login()
            silent = len(rig.trader.ticks)
            await rig.login()
            await rig.trader.hears(3, *SYMBOLS)
            await late.hears(3, "SBIN", "TCS")
        rig.clock.jump(OPENING - timedelta(seconds=0.5))
        await rig.trader.reaches("live")
        await rig.trader.hears(3, *SYMBOLS)
    for tick in rig.trader.ticks[silent:]:
        market = rig.exchange.market(tick.symbol, Code.NSE)
        assert tick.data["close"] == market.rupees(market.close), "another contract's price under this name"


@of_each_family
async def test_the_session_is_taken_by_another_program(open_rig: OpenRig, broker: str) -> None:
    rig = await open_rig(broker=broker)
    tries = rig.stream.accepted
    async with rig.trouble():
        rig.simulator.faults.replace_session()
        await wait_for(
            lambda: rig.trader.states[-1:] in (["auth_expired"], ["replaced"]), what="the feed to know that it is out"
        )
        await rig.witness.hears(50)
        assert rig.stream.accepted <= tries + 1, "the two programs do not fight for the session"
        await rig.login()
        await rig.trader.reaches("live")


# --- orders -----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=OF_FAMILIES)
def trading(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OrderRig]:
    built = OrderRig(tmp_path / "home", VALID_BROKERS=request.param)
    with SimulatorThread(request.param, holdings=False, run=True) as simulator, built.server:
        built.open([simulator])
        yield built


def test_no_mishap_doubles_an_order_and_every_outcome_is_found_out(trading: OrderRig) -> None:
    """Where the broker's book tells our number; then a kill -9 and a dead session between, and the books agree."""
    spec = registry.load()[trading.broker.name]
    assert spec.trading is not None
    faults = trading.broker.simulator.faults
    mishaps = [kind for kind in Mishap if spec.trading.tag.kind != "none" or kind is Mishap.LOST_TOO_MANY]
    for kind in mishaps:
        trading.broker.call(lambda kind=kind: faults.mishap(kind, seconds=1.5))  # type: ignore[misc]
        trading.place(f"m{kind.name.lower()[:18]}")
    trading.server.kill()
    trading.server.start()
    trading.wait_until_it_trades()
    trading.broker.call(trading.broker.simulator.expire_token)
    assert trading.place("dead").json()["error_code"] == "INVALID_TOKEN"
    trading.broker.call(trading.broker.simulator.new_login)
    trading.log_in(trading.account)
    trading.wait_until_it_trades()
    assert trading.place("calm").status_code == 200
    trading.agree()
    assert all(len(rows) == 1 for rows in trading.taken().values())
    taken = sum(kind.is_taken for kind in mishaps) + 1
    assert len(trading.taken()) == taken
    done = [order.state for order in trading.journal().values() if order.state is OrderState.OPEN]
    assert len(done) == taken


async def test_orders_go_on_while_another_program_has_the_market_data(tmp_path: Path) -> None:
    """XTS logs in to each of its two services, and a login by another program takes one of them."""
    rig = OrderRig(tmp_path / "home", VALID_BROKERS="compositedge")
    with SimulatorThread("compositedge", holdings=False, run=True) as broker, rig.server:
        await asyncio.to_thread(rig.open, [broker])
        async with Client.login(rig.server.ws_port, rig.key) as client:
            await client.subscribe("SBIN")
            await client.hears()
            broker.call(broker.simulator.begin_data)
            await client.reaches("replaced")
            for name in ("at-once", "later"):
                assert (await asyncio.to_thread(rig.place, name)).status_code == 200
                await asyncio.sleep(2 * EVERY_SECONDS)  # those who end sessions have looked
            assert (await asyncio.to_thread(rig.post, "orderbook")).status_code == 200
            await asyncio.to_thread(rig.log_in, rig.account)
            await client.hears()
            broker.call(broker.simulator.begin_data)
            await client.reaches("replaced")
            broker.call(broker.simulator.begin)  # now it takes the orders, too
            await wait_for(
                lambda: rig.post("orderbook").json().get("error_code") == "INVALID_TOKEN", what="the session's end"
            )
