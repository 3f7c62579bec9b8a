"""The simulated Dhan where its own client does not look: sockets too many, false tokens, what the sandbox lacks."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from sangam.model.clock import IST, ManualClock
from sangam.simulators import Exchange
from sangam.simulators.dhan import MAX_IN_MESSAGE, MAX_SOCKETS, Dhan
from sangam.simulators.dhan_sandbox import DhanSandbox
from sangam.simulators.listing import listing

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)
SBIN = {"ExchangeSegment": "NSE_EQ", "SecurityId": "3045"}
ORDER = {
    "dhanClientId": "1000000001",
    "transactionType": "BUY",
    "exchangeSegment": "NSE_EQ",
    "productType": "INTRADAY",
    "orderType": "LIMIT",
    "validity": "DAY",
    "securityId": "3045",
    "quantity": 1,
    "price": 1.0,
    "correlationId": "tag",
}


def world() -> Exchange:
    return Exchange(clock=ManualClock(MORNING), contracts=lambda day: listing(day, strikes=60))


@pytest.fixture
async def broker() -> AsyncIterator[Dhan]:
    async with Dhan(world()) as simulator:
        yield simulator


def opened(broker: Dhan, host: str = "stream", token: str | None = None) -> Any:
    known = broker.credentials
    query = f"version=2&token={token or known['access_token']}&clientId={known['client_id']}&authType=2"
    return connect(f"{broker.hosts[host]}?{query}", proxy=None)


async def ask(socket: ClientConnection, code: int, *listed: Any) -> None:
    message = {"RequestCode": code, "InstrumentCount": len(listed), "InstrumentList": listed}
    await socket.send(json.dumps(message))


async def kind(socket: ClientConnection) -> int:
    message = await asyncio.wait_for(socket.recv(), 5)
    assert isinstance(message, bytes)
    return message[0]


async def end(socket: ClientConnection) -> int:
    """The reason that the last packet told."""
    async with asyncio.timeout(5):
        *_, last = [message async for message in socket]
    assert isinstance(last, bytes)
    assert last[0] == 50
    return int.from_bytes(last[8:10], "little")


def client(broker: Dhan) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=broker.hosts["api"], headers={"access-token": broker.credentials["access_token"]}, trust_env=False
    )


async def test_a_socket_too_many_ends_the_oldest(broker: Dhan) -> None:
    sockets = [await opened(broker) for _ in range(MAX_SOCKETS + 1)]
    assert await end(sockets[0]) == 805
    await ask(sockets[1], 15, SBIN)
    assert [await kind(sockets[1]) for _ in range(2)] == [6, 2]
    for socket in sockets[1:]:
        await socket.close()


async def test_a_message_has_a_hundred_instruments_at_most(broker: Dhan) -> None:
    async with opened(broker) as socket:
        await ask(socket, 15, *[SBIN] * (MAX_IN_MESSAGE + 1))
        assert await end(socket) == 804


async def test_what_is_no_request_ends_the_socket(broker: Dhan) -> None:
    async with opened(broker) as socket:
        await socket.send("hello")
        assert await end(socket) == 814


@pytest.mark.parametrize("host", ["stream", "depth20", "depth200"])
async def test_a_false_token_is_reset_without_a_word(broker: Dhan, host: str) -> None:
    with pytest.raises(ConnectionClosed) as closed:
        async with opened(broker, host, "wrong") as socket:
            await asyncio.wait_for(socket.recv(), 5)
    assert closed.value.rcvd is None


async def test_nothing_is_told_of_orders_before_the_login(broker: Dhan) -> None:
    known = broker.credentials
    async with connect(broker.hosts["orders"], proxy=None) as deaf, connect(broker.hosts["orders"], proxy=None) as ear:
        login = {"MsgCode": 42, "ClientId": known["client_id"], "Token": known["access_token"]}
        await ear.send(json.dumps({"LoginReq": login, "UserType": "SELF"}))
        await asyncio.sleep(0.1)
        async with client(broker) as http:
            placed = (await http.post("/orders", json=ORDER)).json()
        told = json.loads(await asyncio.wait_for(ear.recv(), 5))
        assert (told["Type"], told["Data"]["orderNo"]) == ("order_alert", placed["orderId"])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(deaf.recv(), 0.2)


async def test_an_order_in_transit_is_not_found_by_its_tag(broker: Dhan) -> None:
    async with client(broker) as http:
        placed = (await http.post("/orders", json=ORDER)).json()
        found = (await http.get("/orders/external/tag")).json()
        assert (found[0] if isinstance(found, list) else found)["orderId"] == placed["orderId"]
        broker.in_transit = True
        missing = await http.get("/orders/external/tag")
        assert missing.status_code >= 400
        assert [row["correlationId"] for row in (await http.get("/orders")).json()] == ["tag"]


async def test_the_sandbox_has_neither_sockets_nor_quotes() -> None:
    async with DhanSandbox(world()) as sandbox:
        assert sandbox.hosts.keys() == {"api", "files"}
        async with client(sandbox) as http:
            for path in ("/marketfeed/quote", "/marketfeed/ohlc", "/marketfeed/ltp"):
                assert (await http.post(path, json={"NSE_EQ": [3045]})).status_code == 404
            assert (await http.get("/orders")).json() == []
