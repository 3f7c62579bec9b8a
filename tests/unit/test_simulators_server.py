"""The shared plumbing: life, faults, and that nothing is left behind. Told with the paper simulator."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.support import wait_for
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sangam.model.errors import UnknownBroker
from sangam.simulators import Exchange, create, names, run_forever
from sangam.simulators.paper import Paper
from sangam.simulators.server import Simulator
from sangam.simulators.session import Session


@pytest.fixture
async def paper() -> AsyncIterator[Paper]:
    simulator = Paper(Exchange(), heartbeat=0.05)
    async with simulator:
        yield simulator


def url(paper: Paper) -> str:
    return f"{paper.hosts['stream']}/stream?token={paper.credentials['access_token']}"


async def told(client: ClientConnection) -> Any:
    """The next message that is no heartbeat."""
    while True:
        message = json.loads(await asyncio.wait_for(client.recv(), 5))
        if "hb" not in message:
            return message


async def subscribe(client: ClientConnection, token: str = "1000026000", mode: int = 1) -> None:
    await client.send(json.dumps({"sub": [[token, mode]]}))
    assert await told(client) == {"ok": [token]}
    assert "ticks" in await told(client)


def test_simulators_are_found_by_name() -> None:
    assert {"paper", "zerodha"} <= set(names())
    assert create(" PAPER ").name == "paper"
    with pytest.raises(UnknownBroker, match=r"Known brokers: .*paper"):
        create("nobody")


async def test_it_starts_again_and_leaves_nothing_running() -> None:
    before = asyncio.all_tasks()
    simulator = create("paper")
    for _ in range(2):
        await simulator.start()
        assert set(simulator.hosts) == {"api", "stream"}
        assert isinstance(simulator, Paper)
        async with connect(url(simulator)) as client:
            await subscribe(client)
            await simulator.stop()
            with pytest.raises(ConnectionClosed):
                await told(client)
        assert asyncio.all_tasks() == before
        assert simulator.sessions == []
        with pytest.raises(OSError, match="onnect"):
            await asyncio.open_connection("127.0.0.1", int(simulator.hosts["api"].rsplit(":", 1)[1]))


async def test_a_taken_port_is_an_os_error_and_leaves_nothing() -> None:
    before = asyncio.all_tasks()
    async with Paper(Exchange()) as first:
        port = int(first.hosts["stream"].rsplit(":", 1)[1])
        with pytest.raises(OSError, match=r"(?i)address"):
            await Paper(Exchange()).start(ws_port=port)
    assert asyncio.all_tasks() == before


async def test_its_own_exchange_runs_in_real_time() -> None:
    async with create("paper", run=True) as simulator:
        assert isinstance(simulator, Paper)
        async with connect(url(simulator)) as client:
            await subscribe(client)
            assert "ticks" in await told(client)
        await wait_for(lambda: not simulator.sessions, what="the socket to leave")
        assert simulator.exchange.step(9.0) == [], "nobody watches any more"


async def test_run_forever_announces_and_ends_cleanly() -> None:
    before = asyncio.all_tasks()
    announced: list[Simulator] = []
    running = asyncio.create_task(run_forever("paper", speed=10.0, announce=announced.append))
    await wait_for(lambda: announced, what="the announcement")
    assert announced[0].hosts["api"].startswith("http://127.0.0.1:")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asyncio.all_tasks() == before


async def test_refused_upgrades_are_counted(paper: Paper) -> None:
    paper.faults.refuse_upgrades(429, times=2)
    for _ in range(2):
        with pytest.raises(InvalidStatus) as refused:
            await connect(url(paper))
        assert refused.value.response.status_code == 429
    async with connect(url(paper)) as client:
        await subscribe(client)


async def test_refused_requests(paper: Paper) -> None:
    paper.faults.refuse_requests(503)
    headers = {"Authorization": f"Bearer {paper.credentials['access_token']}"}
    async with httpx.AsyncClient(base_url=paper.hosts["api"], headers=headers, trust_env=False) as client:
        assert (await client.get("/session")).status_code == 503
        assert (await client.get("/session")).status_code == 200


async def test_max_sockets(paper: Paper) -> None:
    paper.faults.max_sockets = 1
    async with connect(url(paper)):
        with pytest.raises(InvalidStatus):
            await connect(url(paper))


async def test_mute_and_swallowed_subscriptions(paper: Paper) -> None:
    async with connect(url(paper)) as client:
        await subscribe(client)
        paper.faults.mute = True
        paper.exchange.step(1.0)
        paper.faults.mute = False
        paper.faults.swallow_subscriptions = True
        await client.send(json.dumps({"sub": [["1000026009", 1]]}))
        assert "hb" in json.loads(await asyncio.wait_for(client.recv(), 5)), "muted and swallowed, but alive"
        paper.faults.clear()
        paper.exchange.step(1.0)
        ((token, _),) = (await told(client))["ticks"]
        assert token == "1000026000"


@pytest.mark.parametrize("fault", ["kill_sockets", "reset_mid_frame", "close_sockets"])
async def test_cut_sockets(paper: Paper, fault: str) -> None:
    async with connect(url(paper)) as client, connect(url(paper)) as other:
        await subscribe(client)
        getattr(paper.faults, fault)()
        for cut in (client, other):
            with pytest.raises(ConnectionClosed) as closed:
                await told(cut)
            assert (closed.value.rcvd is not None) == (fault == "close_sockets")
    await wait_for(lambda: not paper.sessions, what="the sockets to leave")


async def test_frozen_sockets_answer_nothing(paper: Paper) -> None:
    async with connect(url(paper), close_timeout=0.1, ping_interval=None) as client:
        await subscribe(client)
        paper.faults.freeze()
        paper.exchange.step(1.0)
        pong = await client.ping()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(pong), 0.2)
        paper.faults.kill_sockets()


async def test_garbage_and_truncated_frames(paper: Paper) -> None:
    async with connect(url(paper)) as client:
        await subscribe(client)
        paper.faults.send_garbage(b"\x01\x02")
        paper.faults.send_truncated()
        damaged = [message for _ in range(3) if isinstance(message := await client.recv(), bytes)]
        assert damaged[0] == b"\x01\x02"
        with pytest.raises(json.JSONDecodeError):
            json.loads(damaged[1])


async def test_expired_and_replaced_sessions(paper: Paper) -> None:
    for end, again in ((paper.faults.expire_token, paper.new_login), (paper.faults.replace_session, lambda: None)):
        old = url(paper)
        async with connect(old) as client:
            end()
            with pytest.raises(ConnectionClosed):
                await told(client)
        with pytest.raises(InvalidStatus) as refused:
            await connect(old)
        assert refused.value.response.status_code == 401
        again()
        async with connect(url(paper)) as client:
            await subscribe(client)


async def test_a_client_that_does_not_read_costs_bounded_memory() -> None:
    exchange = Exchange()
    paper = Paper(exchange)
    async with paper:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(paper.hosts["stream"].rsplit(":", 1)[1]))
        key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        head = f"GET /stream?token={paper.credentials['access_token']} HTTP/1.1\r\nHost: x\r\n"
        writer.write(f"{head}Upgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        session = paper.sessions[0]
        assert isinstance(session, Session)
        rows = [[paper.token(contract), 3] for contract in exchange.contracts[:100]]
        session.received(json.dumps({"sub": rows}).encode())
        for _ in range(1000):
            exchange.step(1.0)
            if session.congested:
                break
        for _ in range(20):
            exchange.step(1.0)
        assert session.congested
        transport = session._transport
        assert transport is not None
        assert transport.underlying_transport.get_write_buffer_size() < 5 << 20
        writer.close()
        await wait_for(lambda: not paper.sessions, what="the socket to leave")


async def test_a_market_that_breaks_down_says_so(caplog: pytest.LogCaptureFixture) -> None:
    paper = Paper(Exchange(), run=True)

    def break_down(_: object) -> None:
        raise RuntimeError("broken")

    async with paper:
        paper.exchange.on_step(break_down)
        await wait_for(lambda: "The simulated paper stands still: RuntimeError('broken')" in caplog.text)
