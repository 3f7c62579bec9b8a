"""A server in several processes: each part is killed in turn while clients listen."""

import asyncio
import itertools
import os
import re
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from tests.server_process import ServerProcess
from tests.support import wait_for
from websockets.exceptions import ConnectionClosed

from .clients import Client

SYMBOLS = ("SBIN", "RELIANCE", "HDFCBANK")
MANY = 16
"""Clients enough that both gateways have some: one in 32,000 runs finds them all at one."""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a port is shared, and a process killed, in the POSIX way")


class SplitServer(ServerProcess):
    """`serve --gateways 2`; knows its parts by what it logs."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, options=("--gateways", "2"))

    def pid_of(self, part: str) -> int:
        """The process that a part is now."""
        found = re.findall(rf"{part} stands as process (\d+)", self.log.read_text())
        return int(found[-1])

    def kill_part(self, part: str) -> int:
        pid = self.pid_of(part)
        os.kill(pid, signal.SIGKILL)
        return pid

    async def came_back(self, part: str, dead: int) -> None:
        await wait_for(lambda: self.pid_of(part) != dead, 20, f"{part} to come back")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SplitServer]:
    with SplitServer(tmp_path_factory.mktemp("split") / "home") as started:
        started.start()
        yield started


@asynccontextmanager
async def listeners(server: SplitServer, count: int) -> AsyncIterator[list[Client]]:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client.login(server.ws_port, server.demo_key)) for _ in range(count)]
        for client in clients:
            await client.subscribe(*SYMBOLS)
        await all_hear(*clients)
        yield clients


async def all_hear(*clients: Client) -> None:
    """Wait until each has heard more of every symbol, and look that nothing came twice or was left out."""
    await asyncio.gather(*(client.hears(2, *SYMBOLS, timeout=30) for client in clients))
    for client in clients:
        check_once_each(client)


def check_once_each(client: Client) -> None:
    """No update twice, none out of order, and within an epoch none missing."""
    told: dict[tuple[str, int], list[int]] = defaultdict(list)
    for tick in client.ticks:
        told[tick.symbol, tick.data["epoch"]].append(tick.data["seq"])
    for seqs in told.values():
        assert {later - earlier for earlier, later in itertools.pairwise(seqs)} <= {1}, seqs


def closed(client: Client) -> bool:
    return client.socket.close_code is not None or client.socket.state.name == "CLOSED"


async def test_a_killed_gateway_costs_its_clients_a_reconnect_and_nobody_else_anything(server: SplitServer) -> None:
    async with listeners(server, MANY) as clients:
        dead = server.kill_part("gateway-1")
        await wait_for(lambda: any(map(closed, clients)), what="its clients to be cut off")
        async with listeners(server, 4) as again:
            await server.came_back("gateway-1", dead)
            left = [client for client in clients if not closed(client)]
            assert 0 < len(left) < MANY
            await all_hear(*left, *again)
        async with listeners(server, MANY) as spread:
            await all_hear(*left, *spread)
    metrics = server.metrics()
    assert metrics["sangam_gateways"] == 2
    assert metrics["sangam_bus_lost_total"] == 0


async def test_a_killed_feed_comes_back_and_its_clients_never_noticed_a_disconnect(server: SplitServer) -> None:
    async with listeners(server, 6) as clients:
        before = {client: client.newest("SBIN")["epoch"] for client in clients}
        dead = server.kill_part("feed")
        await server.came_back("feed", dead)
        await all_hear(*clients)
        for client in clients:
            assert not closed(client)
            assert client.newest("SBIN")["epoch"] > before[client]
            assert client.states[-1:] == ["live"]
        await wait_for(lambda: server.health()["clients"] == 6, what="the clients to be counted")
        late = await clients[0].subscribe("INFY")
        assert late["status"] == "success"
        await clients[0].hears(2, "INFY")


async def test_clients_may_come_while_the_feed_is_away(server: SplitServer) -> None:
    dead = server.kill_part("feed")
    async with Client.login(server.ws_port, server.demo_key) as client:
        answer = await client.subscribe(*SYMBOLS)
        assert [row.get("state") for row in answer["subscriptions"]] == ["pending"] * len(SYMBOLS)
        await server.came_back("feed", dead)
        await all_hear(client)


async def test_keys_made_and_revoked_hold_at_every_gateway(server: SplitServer) -> None:
    key = server.create_key("--user", "demo")
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client.login(server.ws_port, key)) for _ in range(MANY)]
        server.cli("key", "revoke", key.split("_")[1])
        await wait_for(lambda: all(map(closed, clients)), what="all sockets of the key to be closed")
        assert {client.socket.close_code for client in clients} == {4401}
    with pytest.raises((AssertionError, ConnectionClosed)):
        async with Client.login(server.ws_port, key):
            pytest.fail("a revoked key")


async def test_an_ack_tells_what_the_feed_said(server: SplitServer) -> None:
    async with Client.login(server.ws_port, server.demo_key) as client:
        answer = await client.subscribe("NOSUCHSYMBOL", "SBIN:20", mode="Depth")
        unknown, deep = answer["subscriptions"]
        assert (answer["status"], unknown["code"]) == ("partial", "SYMBOL_NOT_FOUND")
        assert (deep["status"], "state" in deep) == ("success", False)
        await client.hears(1, "SBIN:20")


async def test_each_line_of_the_log_names_its_part(server: SplitServer) -> None:
    text = server.log.read_text()
    for part in ("feed/feed", "feed/bus", "gateway-1/bus", "gateway-2/bus"):
        assert f" {part} " in text
    assert "Traceback" not in text


async def test_a_killed_parent_takes_its_parts_along(tmp_path: Path) -> None:
    with SplitServer(tmp_path / "home") as server:
        server.start()
        assert server.run_file()["pid"] == server.pid
        parts = [server.pid_of(part) for part in ("feed", "gateway-1", "gateway-2")]
        async with Client.login(server.ws_port, server.demo_key) as client:
            server.kill()
            await wait_for(lambda: closed(client), what="the goodbye")
            assert client.socket.close_code == 1001
        await wait_for(lambda: not any(map(alive, parts)), 20, "the parts to end")
        server.start()
        parts = [server.pid_of(part) for part in ("feed", "gateway-1", "gateway-2")]
        server.stop()
        assert not any(map(alive, parts))
        assert not (server.home / "run.json").exists()


def alive(pid: int) -> bool:
    """Orphans that ended may wait for an idle init process to bury them."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("port", ["ws_port", "api_port"])
async def test_a_port_in_use_stops_the_start(tmp_path: Path, port: str) -> None:
    with SplitServer(tmp_path / "home") as server:
        blocker = await asyncio.start_server(lambda *_: None, "127.0.0.1", getattr(server, port))
        async with blocker:
            with pytest.raises(AssertionError, match="busy or forbidden"):
                await asyncio.to_thread(server.start)
