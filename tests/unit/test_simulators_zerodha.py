"""The Zerodha simulator: its REST, its ticker, the life of its session."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.support import wait_for
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Action, PriceType
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange
from sangam.simulators.listing import listing
from sangam.simulators.zerodha import Zerodha

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)
SBIN, NIFTY, INFY = 779521, 256265, 408065


class Broker(Zerodha):
    """The simulator with a clock in the test's hands."""

    def __init__(self) -> None:
        self.clock = ManualClock(MORNING)
        super().__init__(Exchange(clock=self.clock), heartbeat=0.05)

    @property
    def url(self) -> str:
        known = self.credentials
        return f"{self.hosts['stream']}?api_key={known['api_key']}&access_token={known['access_token']}"

    @property
    def headers(self) -> dict[str, str]:
        known = self.credentials
        return {"Authorization": f"token {known['api_key']}:{known['access_token']}", "X-Kite-Version": "3"}

    def step(self, seconds: float = 1.0) -> None:
        self.clock.advance(seconds)
        self.exchange.step(seconds)


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    simulator = Broker()
    async with simulator:
        yield simulator


@pytest.fixture
async def rest(broker: Broker) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=broker.hosts["api"], headers=broker.headers, trust_env=False) as client:
        yield client


async def packets(client: ClientConnection) -> list[bytes]:
    """The packets of the next binary message that is not a heartbeat."""
    while True:
        message = await asyncio.wait_for(client.recv(), 5)
        if isinstance(message, str) or len(message) == 1:
            continue
        found, at = [], 2
        for _ in range(int.from_bytes(message[:2], "big")):
            length = int.from_bytes(message[at : at + 2], "big")
            found.append(message[at + 2 : at + 2 + length])
            at += 2 + length
        assert at == len(message)
        return found


async def text(client: ClientConnection) -> Any:
    while True:
        message = await asyncio.wait_for(client.recv(), 5)
        if isinstance(message, str):
            return json.loads(message)


async def ask(client: ClientConnection, action: str, value: object) -> None:
    await client.send(json.dumps({"a": action, "v": value}))


async def test_profile_and_token_failure(broker: Broker, rest: httpx.AsyncClient) -> None:
    profile = (await rest.get("/user/profile")).json()
    assert profile["status"] == "success"
    assert profile["data"]["user_id"] == broker.credentials["user_id"]
    for path in ("/user/profile", "/instruments", "/quote?i=NSE:SBIN"):
        refused = await rest.get(path, headers={"Authorization": "token a:b"})
        assert refused.status_code == 403
        assert refused.json() == {
            "status": "error",
            "message": "Incorrect `api_key` or `access_token`.",
            "data": None,
            "error_type": "TokenException",
        }


async def test_login_by_checksum(broker: Broker, rest: httpx.AsyncClient) -> None:
    known, token = broker.credentials, broker.request_token()

    async def post(request_token: str, secret: str) -> httpx.Response:
        checksum = hashlib.sha256((known["api_key"] + request_token + secret).encode()).hexdigest()
        form = {"api_key": known["api_key"], "request_token": request_token, "checksum": checksum}
        return await rest.post("/session/token", data=form)

    assert (await post(token, "wrong")).json()["error_type"] == "TokenException"
    data = (await post(token, known["api_secret"])).json()["data"]
    assert data["access_token"] == broker.credentials["access_token"] != known["access_token"]
    assert data["login_time"] == "2026-08-18 10:00:00"
    assert (await post(token, known["api_secret"])).status_code == 403, "a request token works once"
    assert (await rest.get("/user/profile")).status_code == 403, "the old access token is dead"
    assert (await rest.get("/user/profile", headers=broker.headers)).status_code == 200
    out = await rest.delete("/session/token", params={"access_token": data["access_token"]})
    assert out.json() == {"status": "success", "data": True}
    assert (await rest.get("/user/profile", headers=broker.headers)).status_code == 403


async def test_instruments(broker: Broker, rest: httpx.AsyncClient) -> None:
    everything = (await rest.get("/instruments")).text.split("\r\n")
    assert everything[0].startswith("instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,")
    assert len(everything) == len(broker.exchange.contracts) + 2
    assert "779521,3045,SBIN,STATE BANK OF INDIA,0.0,,0.0,0.1,1,EQ,NSE,NSE" in everything
    tokens = [line.split(",")[0] for line in everything[1:-1]]
    assert len(set(tokens)) == len(tokens)
    only = (await rest.get("/instruments/BFO")).text.split("\r\n")[1:-1]
    assert only
    assert all(line.endswith(",BFO") for line in only)


async def test_quotes(rest: httpx.AsyncClient) -> None:
    asked = {"i": ["NSE:SBIN", "256265", "NSE:NOBODY", "BFO:SENSEX26AUGFUT"]}
    data = (await rest.get("/quote/ltp", params=asked)).json()["data"]
    assert data.keys() == {"NSE:SBIN", "256265", "BFO:SENSEX26AUGFUT"}
    assert data["NSE:SBIN"]["instrument_token"] == SBIN
    ohlc = (await rest.get("/quote/ohlc", params=asked)).json()["data"]["256265"]
    assert ohlc["ohlc"]["low"] <= ohlc["last_price"] <= ohlc["ohlc"]["high"]
    full = (await rest.get("/quote", params=asked)).json()["data"]["NSE:SBIN"]
    assert full["timestamp"] == "2026-08-18 10:00:00"
    assert full["depth"]["buy"][0]["price"] < full["depth"]["sell"][0]["price"]
    for wrong in ({}, {"i": ["1"] * 501}):
        refused = await rest.get("/quote", params=wrong)
        assert (refused.status_code, refused.json()["error_type"]) == (400, "InputException")


async def test_planned_refusals_use_the_envelope(broker: Broker, rest: httpx.AsyncClient) -> None:
    for status, kind in ((429, "NetworkException"), (503, "NetworkException"), (403, "TokenException")):
        broker.faults.refuse_requests(status)
        refused = await rest.get("/user/profile")
        assert (refused.status_code, refused.json()["error_type"]) == (status, kind)


async def test_the_upgrade_wants_both_keys(broker: Broker) -> None:
    for query in ("", "?api_key=x&access_token=y", f"?api_key={broker.credentials['api_key']}"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(broker.hosts["stream"] + query)
        assert refused.value.response.status_code == 403


async def test_modes_and_batches(broker: Broker) -> None:
    async with connect(broker.url) as client:
        await ask(client, "subscribe", [SBIN, NIFTY, 12345])
        assert [len(packet) for packet in await packets(client)] == [44, 28], "a plain subscribe means quote"
        await ask(client, "mode", ["full", [SBIN, NIFTY]])
        assert [len(packet) for packet in await packets(client)] == [184, 32]
        await ask(client, "mode", ["ltp", [NIFTY, INFY]])
        assert [len(packet) for packet in await packets(client)] == [8], "a mode subscribes nothing"
        broker.step()
        assert sorted(len(packet) for packet in await packets(client)) == [8, 184]
        await ask(client, "unsubscribe", [SBIN])
        await ask(client, "mode", ["full", [NIFTY]])
        assert [len(packet) for packet in await packets(client)] == [32]
        broker.step()
        assert [len(packet) for packet in await packets(client)] == [32]
    await wait_for(lambda: not broker.sessions, what="the socket to leave")
    assert broker.exchange.step(1.0) == []


async def test_heartbeats_are_one_byte(broker: Broker) -> None:
    async with connect(broker.url) as client:
        assert len(await asyncio.wait_for(client.recv(), 3)) == 1


@pytest.mark.parametrize("nonsense", ["{", "[]", "{}", '{"a":"mode","v":["deep",[1]]}', '{"a":"subscribe","v":["x"]}'])
async def test_nonsense_gets_an_error_text(broker: Broker, nonsense: str) -> None:
    async with connect(broker.url) as client:
        await client.send(nonsense)
        assert (await text(client))["type"] == "error"


async def test_three_sockets_of_three_thousand_symbols() -> None:
    exchange = Exchange(clock=ManualClock(MORNING), contracts=lambda day: listing(day, strikes=120))
    broker = Zerodha(exchange)
    async with broker:
        known = broker.credentials
        address = f"{broker.hosts['stream']}?api_key={known['api_key']}&access_token={known['access_token']}"
        async with connect(address, max_size=None) as client, connect(address), connect(address):
            with pytest.raises(InvalidStatus) as refused:
                await connect(address)
            assert refused.value.response.status_code == 429
            await ask(client, "subscribe", [broker.token(*contract.id) for contract in exchange.contracts[:3001]])
            assert "3000" in (await text(client))["data"]
            assert len(broker.sessions[0].subscriptions) == 3000
            assert len(await packets(client)) == 3000


async def test_orders_and_messages_are_text_frames(broker: Broker) -> None:
    async with connect(broker.url) as client:
        broker.exchange.place("OTHER", "SBIN", Code.NSE, Action.BUY, 1)
        user = broker.credentials["user_id"]
        order = broker.exchange.place(user, "SBIN", Code.NSE, Action.BUY, 5, PriceType.LIMIT, price=1000.0, tag="t1")
        postback = await text(client)
        assert postback["type"] == "order"
        data = postback["data"]
        assert (data["order_id"], data["status"], data["tag"]) == (order.order_id, "OPEN", "t1")
        assert (data["tradingsymbol"], data["instrument_token"], data["pending_quantity"]) == ("SBIN", SBIN, 5)
        assert data["order_timestamp"] == "2026-08-18 10:00:00"
        broker.exchange.cancel(order.order_id)
        assert (await text(client))["data"]["cancelled_quantity"] == 5
        broker.push_order(order_id="1", status="REJECTED", status_message="no")
        assert (await text(client))["data"]["status"] == "REJECTED"
        broker.push_message("hello")
        assert await text(client) == {"type": "message", "data": "hello"}
        broker.push_error("bad")
        assert await text(client) == {"type": "error", "data": "bad"}


async def test_the_session_dies_at_six_and_tokens_may_change(broker: Broker, rest: httpx.AsyncClient) -> None:
    async with connect(broker.url) as client:
        await ask(client, "subscribe", [SBIN])
        await packets(client)
        broker.clock.set(MORNING.replace(hour=5, minute=59) + timedelta(days=1))
        broker.exchange.step(1.0)
        await packets(client)
        assert (await rest.get("/user/profile")).status_code == 200
        broker.clock.set(MORNING.replace(hour=6) + timedelta(days=1))
        assert (await rest.get("/user/profile")).status_code == 403
        with pytest.raises(ConnectionClosed):
            await packets(client)
    with pytest.raises(InvalidStatus) as refused:
        await connect(broker.url)
    assert refused.value.response.status_code == 403
    broker.exchange.step(0.1)
    broker.exchange.renumber()
    broker.new_login()
    other = broker.find(SBIN)
    assert other is not None
    assert other.contract.symbol != "SBIN"
    token = broker.token("SBIN", "NSE")
    async with connect(broker.url) as client:
        await ask(client, "subscribe", [token])
        (packet,) = await packets(client)
    market = broker.exchange.market("SBIN", Code.NSE)
    assert int.from_bytes(packet[:4], "big") == token != SBIN
    assert int.from_bytes(packet[4:8], "big") == round(market.rupees(market.ltp) * 100)


async def test_somebody_else_takes_the_session(broker: Broker) -> None:
    old = broker.url
    async with connect(old) as client:
        broker.faults.replace_session()
        with pytest.raises(ConnectionClosed):
            await packets(client)
    with pytest.raises(InvalidStatus):
        await connect(old)
