"""The simulated IIFL Capital on its wire: packets that say what its markets are, topics, news, logins and books."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import msgspec
import pytest
from tests.support import wait_for

from sangam.brokers.iiflcapital.packets import interest, price
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Action, Mode, PriceType
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange, mqtt
from sangam.simulators import iiflcapital_wire as wire
from sangam.simulators.iiflcapital import IiflCapital
from sangam.simulators.iiflcapital_login import next_roll_over
from sangam.simulators.iiflcapital_rows import serial

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)


@pytest.fixture
async def iifl() -> AsyncIterator[IiflCapital]:
    async with IiflCapital(Exchange(clock=ManualClock(MORNING)), heartbeat=0.02) as simulator:
        yield simulator


class Listener(asyncio.Protocol):
    """A client that says its packets as they are; `published` is what came on each topic."""

    def __init__(self, simulator: IiflCapital) -> None:
        self.simulator = simulator
        self.buffer = bytearray()
        self.heard: list[mqtt.Packet] = []
        self.gone = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.heard += mqtt.packets(self.buffer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True

    def published(self, topic: str) -> list[bytes]:
        head = mqtt.text(topic)
        return [body[len(head) :] for kind, _, body in self.heard if kind == mqtt.PUBLISH and body.startswith(head)]

    def subscribe(self, *topics: str) -> None:
        body = b"\0\1" + b"".join(mqtt.text(topic) + b"\0" for topic in topics)
        self.transport.write(mqtt.packet(mqtt.SUBSCRIBE, body, 2))


async def connect(iifl: IiflCapital, password: str = "") -> Listener:
    host, _, port = iifl.hosts["stream"].removeprefix("tcp://").partition(":")
    _, listener = await asyncio.get_running_loop().create_connection(lambda: Listener(iifl), host, int(port))
    login = b"\4\xc2\0\x14" + b"".join(
        mqtt.text(part) for part in ("me", iifl.user_id, password or iifl.login.feed_password)
    )
    listener.transport.write(mqtt.packet(mqtt.CONNECT, mqtt.text("MQTT") + login))
    await wait_for(lambda: listener.heard or listener.gone, what="an answer to the login")
    return listener


def client(iifl: IiflCapital, token: str = "") -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token or iifl.login.access_token}"}
    return httpx.AsyncClient(trust_env=False, base_url=iifl.hosts["api"], headers=headers)


# --- packets ----------------------------------------------------------------------------------------------------------


def test_packets_say_what_the_markets_are() -> None:
    """Read by the broker's decoder, which shares nothing with them."""
    exchange = Exchange(clock=ManualClock(MORNING))
    for contract in exchange.contracts:
        market = exchange.market(*contract.id)
        packet = wire.packet(market)
        assert len(packet) == 188
        patch = price("k", packet, Mode.DEPTH, market.is_index)
        wanted = {name: market.rupees(getattr(market, name)) for name in ("ltp", "open", "high", "low", "close")}
        assert {name: patch.fields.get(name) for name in wanted} == wanted
        assert patch.fields["ltt"] == market.ltt // 1000 * 1000
        if market.is_index:
            short = price("k", wire.short_index(market), Mode.QUOTE, True)
            assert short.fields == {"ltp": wanted["ltp"], "close": wanted["close"]}
            continue
        assert patch.fields["volume"] == market.volume
        assert patch.depth is not None
        for rows, buy in ((patch.depth.buy, True), (patch.depth.sell, False)):
            told = [(row.price, row.quantity, row.orders) for row in rows]
            assert told == [(market.rupees(row.price), row.quantity, row.orders) for row in market.book.depth(buy, 5)]
        assert interest("k", wire.interest(market)).fields == {
            "oi": market.oi, "oi_day_high": market.oi_high, "oi_day_low": market.oi_low
        }  # fmt: skip


# --- the feed ---------------------------------------------------------------------------------------------------------


async def test_a_topic_tells_its_last_packet_and_every_move(iifl: IiflCapital) -> None:
    market = iifl.exchange.market("SBIN", Code.NSE)
    topic = f"prod/marketfeed/mw/v1/nseeq/{iifl.names.of(market.contract)[1]}"
    listener = await connect(iifl)
    assert listener.heard == [(mqtt.CONNACK, 0, b"\0\0")]
    listener.subscribe(topic, "prod/marketfeed/mw/v1/NSEEQ/1", "prod/updates/order/v1/another", "elsewhere")
    await wait_for(lambda: listener.published(topic), what="the last packet")
    assert listener.heard[1] == (mqtt.SUBACK, 0, b"\0\1\0\x80\x80\x80")
    assert listener.heard[2][1] == 1  # retained
    iifl.exchange.step(1.0)
    await wait_for(lambda: len(listener.published(topic)) == 2, what="a move")
    assert listener.published(topic)[1] == wire.packet(market)


@pytest.mark.parametrize(("short", "size"), [(False, 188), (True, 19)])
async def test_where_indices_come_is_a_switch(short: bool, size: int) -> None:
    exchange = Exchange(clock=ManualClock(MORNING))
    async with IiflCapital(exchange, short_indices=short) as iifl:
        number = iifl.names.of(exchange.market("NIFTY", Code.NSE_INDEX).contract)[1]
        mw, index = (f"prod/marketfeed/{kind}/v1/nseeq/{number}" for kind in ("mw", "index"))
        listener = await connect(iifl)
        listener.subscribe(mw, index)
        told, silent = (index, mw) if short else (mw, index)
        await wait_for(lambda: listener.published(told), what="an index")
        assert [len(payload) for payload in listener.published(told)] == [size]
        assert listener.published(silent) == []


@pytest.mark.parametrize("password", ["wrong", "OPENID~~wrong~"])
async def test_who_has_no_session_is_not_let_in(iifl: IiflCapital, password: str) -> None:
    listener = await connect(iifl, password)
    await wait_for(lambda: listener.gone, what="the end")
    assert listener.heard == [(mqtt.CONNACK, 0, b"\0\5")]


async def test_orders_and_trades_are_told_on_their_topics(iifl: IiflCapital) -> None:
    orders, trades = iifl.news_topics
    listener = await connect(iifl)
    listener.subscribe(orders, trades)
    await wait_for(lambda: len(listener.heard) == 2, what="the grant")
    order = iifl.exchange.place(iifl.user_id, "SBIN", Code.NSE, Action.BUY, 1, PriceType.MARKET, tag="mine")
    await wait_for(lambda: listener.published(trades), what="the trade")
    told = msgspec.json.decode(listener.published(orders)[-1])
    assert (told["brokerOrderId"], told["orderStatus"], told["transactionType"]) == (order.order_id, "complete", "BUY")
    assert not {"exchange", "orderTag"} & told.keys()
    trade = msgspec.json.decode(listener.published(trades)[-1])
    assert (trade["exchange"], trade["fillDate"]) == ("NSEEQ", "46252")
    assert float(trade["fillTime"]) == pytest.approx(10 / 24, abs=1e-4)


def test_the_calendar_of_spreadsheets() -> None:
    """iiflcapital.md, 8."""
    day, part = serial(int(datetime(2024, 8, 7, 16, 14, 17, tzinfo=IST).timestamp() * 1000))
    assert day == 45511
    assert f"{part:.15f}" == "0.676585648148148"


# --- REST -------------------------------------------------------------------------------------------------------------


async def test_the_way_in_by_page_and_checksum(iifl: IiflCapital) -> None:
    login = iifl.login
    async with httpx.AsyncClient(trust_env=False) as browser:
        page = f"{iifl.hosts['login']}/?v=1&appkey={login.api_key}&redirecturl=http%3A%2F%2Flocalhost%2Fback"
        back = httpx.URL((await browser.get(page)).headers["location"])
        assert (await browser.get(page.replace(login.api_key, "other"))).json()["status"] == "EC054"
    assert (back.host, back.params["clientId"]) == ("localhost", iifl.user_id)
    proof = hashlib.sha256(f"{iifl.user_id}{back.params['authCode']}{login.api_secret}".encode()).hexdigest()
    older = login.access_token
    async with client(iifl) as rest:
        answers = [(await rest.post("/getusersession", json={"checkSum": proof})).json() for _ in range(2)]
        assert answers[0] == {"status": "Ok", "userSession": login.access_token}
        assert answers[1]["status"] == "Not_Ok"
        dead = await rest.get("/profile", headers={"Authorization": f"Bearer {older}"})
        assert (dead.status_code, dead.json()["status"]) == (401, "EC044")


async def test_books_are_empty_in_all_the_ways_there_are(iifl: IiflCapital) -> None:
    iifl.portfolio.holdings.clear()
    async with client(iifl) as rest:
        told = [(await rest.get(path)).json() for path in ("/orders", "/trades", "/positions", "/holdings")]
    assert told[0]["status"] == "EC916"
    assert told[1] == []
    assert told[2]["result"][0]["status"] == "EC920"
    assert told[3]["result"][0]["totalQuantity"] == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"exchange": "NSE"}, "EC901"),
        ({"instrumentId": "1"}, "EC947"),
        ({"quantity": "1.5"}, "EC903"),
        ({"orderComplexity": "BO"}, "EC928"),
        ({"transactionType": "B"}, "EC929"),
        ({"product": "CNC"}, "EC930"),
        ({"orderType": "SL-M"}, "EC931"),
        ({"validity": "GTD"}, "EC932"),
        ({"orderType": "MARKET"}, "EC978"),
        ({"slTriggerPrice": 5}, "EC977"),
        ({"price": "800"}, "EC950"),
        ({"orderType": "SL"}, "EC951"),
        ({"orderType": "SL", "slTriggerPrice": 801.0}, "EC973"),
        ({"orderType": "SL", "slTriggerPrice": 799.0, "transactionType": "SELL"}, "EC974"),
    ],
)
async def test_the_desk_refuses_in_the_orders_own_leg(iifl: IiflCapital, change: dict[str, Any], code: str) -> None:
    _, token = iifl.names.of(iifl.exchange.market("SBIN", Code.NSE).contract)
    form = {
        "instrumentId": token, "exchange": "NSEEQ", "transactionType": "BUY", "quantity": "1", "product": "INTRADAY",
        "orderComplexity": "REGULAR", "orderType": "LIMIT", "validity": "DAY", "price": 800.0,
    }  # fmt: skip
    async with client(iifl) as rest:
        answer = (await rest.post("/orders", json=[form | change])).json()
    assert answer["status"] == "Ok"
    assert answer["result"][0]["status"] == code
    assert not iifl.exchange.ledger.of(iifl.user_id)


@pytest.mark.parametrize(("hour", "day"), [(0, 18), (2, 18), (3, 19), (23, 19)])
def test_a_session_ends_in_the_small_hours(hour: int, day: int) -> None:
    now = int(datetime(2026, 8, 18, hour, tzinfo=IST).timestamp() * 1000)
    assert next_roll_over(now) == int(datetime(2026, 8, day, 3, 0, tzinfo=IST).timestamp() * 1000)
