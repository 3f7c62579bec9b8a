"""The Zerodha simulator: its REST, its ticker, the life of its session."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

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
    ended = {"api_key": known["api_key"], "access_token": data["access_token"]}
    out = await rest.delete("/session/token", params=ended)
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


async def test_the_login_page_sends_the_browser_back(broker: Broker, rest: httpx.AsyncClient) -> None:
    assert broker.hosts["login"] == broker.hosts["api"]
    broker.redirect_url = "http://127.0.0.1:5000/zerodha/callback?from=kite"
    ask = {"v": "3", "api_key": broker.credentials["api_key"], "redirect_params": "state=a%26b&more=1"}
    sent = await rest.get("/connect/login", params=ask)
    assert sent.status_code == 302
    url = urlsplit(sent.headers["location"])
    assert url._replace(query="").geturl() == "http://127.0.0.1:5000/zerodha/callback"
    back = dict(parse_qsl(url.query))
    token = back.pop("request_token")
    assert back == {"from": "kite", "action": "login", "status": "success", "state": "a&b", "more": "1"}
    assert (await rest.get("/connect/login", params={"api_key": "x"})).status_code == 400

    broker.clock.advance(301)
    known = broker.credentials
    checksum = hashlib.sha256((known["api_key"] + token + known["api_secret"]).encode()).hexdigest()
    form = {"api_key": known["api_key"], "request_token": token, "checksum": checksum}
    late = await rest.post("/session/token", data=form)
    assert late.json()["message"] == "Token is invalid or has expired."


async def test_renewal_where_the_app_may() -> None:
    async with Zerodha(Exchange(clock=ManualClock(MORNING)), renewable=True) as broker:
        known, old = broker.credentials, broker.login.refresh_token
        checksum = hashlib.sha256((known["api_key"] + old + known["api_secret"]).encode()).hexdigest()
        form = {"api_key": known["api_key"], "refresh_token": old, "checksum": checksum}
        async with httpx.AsyncClient(base_url=broker.hosts["api"], trust_env=False) as client:
            data = (await client.post("/session/refresh_token", data=form)).json()["data"]
            assert data["access_token"] == broker.credentials["access_token"] != known["access_token"]
            assert data["refresh_token"] not in ("", old)
            again = await client.post("/session/refresh_token", data=form)
            assert (again.status_code, again.json()["error_type"]) == (403, "TokenException")
            wrong = await client.post("/session/refresh_token", data=form | {"checksum": "0"})
            assert wrong.json()["message"] == "Invalid `checksum`."


HISTORY = f"/instruments/historical/{SBIN}"


async def test_candles(broker: Broker, rest: httpx.AsyncClient) -> None:
    broker.step(60.0)
    between = {"from": "2026-08-17 15:00:00", "to": "2026-08-18 10:00:00"}
    candles = (await rest.get(f"{HISTORY}/15minute", params=between)).json()["data"]["candles"]
    assert [row[0] for row in candles] == [
        "2026-08-17T15:00:00+0530",
        "2026-08-17T15:15:00+0530",
        "2026-08-18T10:00:00+0530",
    ]
    assert all(len(row) == 6 for row in candles)
    days = (await rest.get(f"{HISTORY}/day", params={"from": "2026-08-13", "to": "2026-08-18", "oi": 1})).json()
    rows = days["data"]["candles"]
    assert [row[0][:19] for row in rows] == [f"2026-08-{day}T00:00:00" for day in (13, 14, 17, 18)]
    assert all(len(row) == 7 for row in rows)
    market = broker.exchange.market("SBIN", Code.NSE)
    assert rows[2][4] == market.rupees(market.close)
    assert rows[3][1:5] == [market.rupees(price) for price in (market.open, market.high, market.low, market.ltp)]
    weekend = {"from": "2026-08-15", "to": "2026-08-16 23:59:59"}
    assert (await rest.get(f"{HISTORY}/minute", params=weekend)).json()["data"] == {"candles": []}


@pytest.mark.parametrize(
    ("path", "wrong", "message"),
    [
        ("/instruments/historical/12345/day", {}, "invalid token"),
        (f"{HISTORY}/2minute", {}, "invalid interval"),
        (f"{HISTORY}/day", {"from": "yesterday"}, "invalid date"),
        (f"{HISTORY}/day", {"from": "2026-08-19"}, "invalid date range"),
        (f"{HISTORY}/minute", {"from": "2026-06-19 23:59:58"}, "interval exceeds max limit: 60 days"),
        (f"{HISTORY}/day", {"continuous": "1"}, "continuous data is for day candles of NFO and MCX futures"),
    ],
)
async def test_wrong_candles(rest: httpx.AsyncClient, path: str, wrong: dict[str, str], message: str) -> None:
    ask = {"from": "2026-08-18", "to": "2026-08-18 23:59:59"}
    refused = await rest.get(path, params=ask | wrong)
    assert refused.status_code == 400
    assert (refused.json()["error_type"], refused.json()["message"]) == ("InputException", message)


async def test_the_span_of_an_interval_is_sixty_days(rest: httpx.AsyncClient) -> None:
    whole = {"from": "2026-06-20 00:00:00", "to": "2026-08-18 23:59:59"}
    assert len((await rest.get(f"{HISTORY}/minute", params=whole)).json()["data"]["candles"]) > 375 * 40


async def test_continuous_futures_go_back_beyond_their_listing(broker: Broker, rest: httpx.AsyncClient) -> None:
    path = f"/instruments/historical/{broker.token('NIFTY25AUG26FUT', 'NFO')}/day"
    ask = {"from": "2025-08-18", "to": "2026-08-18", "continuous": "0"}
    listed = (await rest.get(path, params=ask)).json()["data"]["candles"]
    longer = (await rest.get(path, params=ask | {"continuous": "1"})).json()["data"]["candles"]
    assert longer[-len(listed) :] == listed
    assert len(longer) > 250 > len(listed)


async def test_replies_are_compressed_where_the_client_takes_it(rest: httpx.AsyncClient) -> None:
    for path in ("/instruments", f"{HISTORY}/minute?from=2026-08-17&to=2026-08-18"):
        packed = await rest.get(path)
        assert packed.headers["content-encoding"] == "gzip"
        plain = await rest.get(path, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == packed.content


async def test_limits_by_the_second() -> None:
    clock = ManualClock(MORNING)
    async with Zerodha(Exchange(clock=clock), limits=True) as broker:
        known = broker.credentials
        headers = {"Authorization": f"token {known['api_key']}:{known['access_token']}"}
        async with httpx.AsyncClient(base_url=broker.hosts["api"], headers=headers, trust_env=False) as client:
            for path, allowed in (("/quote/ltp?i=NSE:SBIN", 1), ("/user/profile", 10)):
                statuses = [(await client.get(path)).status_code for _ in range(allowed + 2)]
                assert statuses == [200] * allowed + [429] * 2
            clock.advance(1.0)
            assert (await client.get("/quote?i=NSE:SBIN")).status_code == 200
            refused = await client.get("/quote?i=NSE:SBIN")
            assert (refused.status_code, refused.json()["error_type"]) == (429, "NetworkException")


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
