"""Orders through a gateway of its own while the process that carries them out is killed: none twice, nothing lost."""

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.server_process import ServerProcess
from tests.support import wait_for
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a process is killed in the POSIX way")

KILLS = 3
ORDERS_BETWEEN = 40
AT_ONCE = 8
SBIN = {"symbol": "SBIN", "exchange": "NSE"}


class Trader:
    """A client that keeps every event, by number."""

    def __init__(self, socket: ClientConnection) -> None:
        self.events: list[dict[str, Any]] = []
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                told = json.loads(await self._socket.recv())
                if told["type"].startswith("ORDER_"):
                    self.events.append(told)
                elif (answer := self._answers.pop(told.get("request_id"), None)) is not None:
                    answer.set_result(told)

    async def ask(self, action: str, **fields: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"action": action, "request_id": number, **fields}))
        return await asyncio.wait_for(answer, 30)

    @property
    def numbers(self) -> list[int]:
        return [event["seq"] for event in self.events]


@asynccontextmanager
async def trader(server: ServerProcess, **listening: Any) -> AsyncIterator[Trader]:
    async with connect(server.ws_url, compression=None, max_size=None) as socket:
        client = Trader(socket)
        task = asyncio.create_task(client.listen())
        await client.ask("authenticate", api_key=server.demo_key, features=["order_events"])
        assert (await client.ask("subscribe_orders", **listening))["status"] == "success"
        yield client
        await socket.close()
        await task


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "home", options=("--split",)) as started:
        started.start()
        yield started


def feed_process(server: ServerProcess) -> int:
    return int(re.findall(r"feed stands as process (\d+)", server.log.read_text())[-1])


async def came_back(server: ServerProcess, dead: int) -> None:
    await wait_for(lambda: feed_process(server) != dead, 30, "the feed process to come back")


async def ready(client: Trader) -> None:
    async with asyncio.timeout(30):
        while True:
            if (await client.ask("get_quote", **SBIN))["status"] == "success":
                return
            await asyncio.sleep(0.05)


async def place_until_known(client: Trader, name: str, codes: set[str]) -> None:
    """What a careful program does: the same order under the same id until it hears what became of it. An order that
    provably never arrived ends as rejected."""
    async with asyncio.timeout(60):
        while True:
            side = "BUY" if int(name[1:]) % 2 else "SELL"
            told = await client.ask("place_order", **SBIN, side=side, quantity=1, client_order_id=name)
            if told["status"] == "success" or told.get("state") == "rejected":
                return
            codes.add(told["code"])
            await asyncio.sleep(0.05)


async def test_a_killed_order_process_loses_no_event_and_doubles_no_order(server: ServerProcess) -> None:
    names, codes = (f"c{number}" for number in itertools.count(1)), set[str]()
    async with trader(server) as client:
        await ready(client)
        placed: list[str] = []
        for _ in range(KILLS):
            dead = feed_process(server)
            due = list(itertools.islice(names, ORDERS_BETWEEN))
            placed += due
            working = [asyncio.create_task(_place_all(client, due[at::AT_ONCE], codes)) for at in range(AT_ONCE)]
            await wait_for(lambda: len(client.events) > 5, 20, "the first orders")
            client_heard = len(client.events)
            os.kill(dead, signal.SIGKILL)
            await came_back(server, dead)
            await asyncio.gather(*working)
            assert len(client.events) > client_heard
        book = await client.ask("get_orderbook")
        orders = {row["client_order_id"]: row for row in book["data"]["orders"]}
        assert len(orders) == len(book["data"]["orders"]) == len(placed)
        trades = (await client.ask("get_tradebook"))["data"]
        ids = [trade["orderid"] for trade in trades]
        assert len(ids) == len(set(ids))
        assert set(ids) <= {row["orderid"] for row in orders.values()}
        async with trader(server, since=0) as late:
            await wait_for(lambda: late.numbers[-1:] >= client.numbers[-1:], 20, "the replay")
            await wait_for(lambda: client.numbers == late.numbers, 20, "both to have heard the same")
        assert client.numbers == sorted(set(client.numbers))
        assert codes <= {"OUTCOME_UNKNOWN", "NETWORK_ERROR", "BROKER_ERROR", "ORDER_ERROR", "UNSUPPORTED"}, codes


async def _place_all(client: Trader, names: list[str], codes: set[str]) -> None:
    for name in names:
        await place_until_known(client, name, codes)
