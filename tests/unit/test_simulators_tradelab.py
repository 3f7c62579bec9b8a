"""The simulated Tradelab brokers where their clients do not look: what is refused, what is said, what each is like."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from sangam.model.clock import IST, ManualClock
from sangam.simulators import Exchange, create
from sangam.simulators.tradelab import MAX_SOCKETS, Tradelab

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)
ORDER = {
    "client_id": "YG1234", "exchange": "NSE", "instrument_token": "3045", "order_type": "LIMIT", "order_side": "BUY",
    "product": "MIS", "quantity": 10, "price": 1000, "validity": "DAY", "user_order_id": 123456789,
}  # fmt: skip


@pytest.fixture(params=["pocketful", "mastertrust"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Tradelab]:
    simulator = create(request.param, Exchange(clock=ManualClock(MORNING)))
    assert isinstance(simulator, Tradelab)
    async with simulator:
        yield simulator


@pytest.fixture
async def http(broker: Tradelab) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {broker.login.access_token}"}
    async with httpx.AsyncClient(base_url=broker.hosts["api"], headers=headers, trust_env=False) as client:
        yield client


def opened(broker: Tradelab, token: str = "") -> Any:
    query = f"login_id={broker.user_id}&access_token={token or broker.login.access_token}"
    return connect(f"{broker.hosts['stream']}/ws/v1/feeds?{query}", proxy=None)


async def say(socket: ClientConnection, action: str, topic: str, *values: Any) -> None:
    await socket.send(json.dumps({"a": action, "v": values, "m": topic}))


async def heard(socket: ClientConnection) -> bytes:
    message = await asyncio.wait_for(socket.recv(), 5)
    assert isinstance(message, bytes)
    return message


async def test_each_topic_is_a_packet_and_nonsense_is_not_answered(broker: Tradelab) -> None:
    async with opened(broker) as socket:
        for text in (
            "",
            "{",
            "[]",
            '{"a":1}',
            '{"a":"subscribe","v":[[1]],"m":"marketdata"}',
            '{"a":"h","v":[],"m":""}',
        ):
            await socket.send(text)
        await say(socket, "subscribe", "marketdata", [9, 1], [1, 999_999_999])
        sizes = {"marketdata": 102, "compact_marketdata": 42, "full_snapquote": 166}
        for topic, size in sizes.items():
            await say(socket, "subscribe", topic, [1, 3045])
            packet = await heard(socket)
            assert (len(packet), packet[1:6]) == (size, b"\1" + (3045).to_bytes(4, "big"))
        for topic in sizes:
            await say(socket, "unsubscribe", topic, [1, 3045])
        await say(socket, "subscribe", "compact_marketdata", [1, 26_000])
        assert (await heard(socket))[2:6] == (26_000).to_bytes(4, "big")
        assert [market.contract.symbol for session in broker.sessions for market in session.subscriptions] == ["NIFTY"]


async def test_an_index_has_neither_volume_nor_circuits_nor_book(broker: Tradelab) -> None:
    async with opened(broker) as socket:
        await say(socket, "subscribe", "marketdata", [1, 26_000])
        packet = await heard(socket)
        assert not any(packet[14:38])
        assert not any(packet[86:94])


async def test_news_are_for_who_asked_and_fills_are_told_twice(broker: Tradelab, http: httpx.AsyncClient) -> None:
    async with opened(broker) as stranger, opened(broker) as socket:
        await say(stranger, "subscribe", "updates", "SOMEBODY", "web")
        await say(socket, "subscribe", "updates", "YG1234", "web")
        await say(stranger, "subscribe", "compact_marketdata", [1, 3045])
        await say(socket, "subscribe", "compact_marketdata", [1, 3045])
        await heard(socket)
        assert len(await heard(stranger)) == 42
        placed = await http.post("/api/v1/orders", json=ORDER | {"order_type": "MARKET"})
        number = placed.json()["data"]["oms_order_id"]
        news = [await heard(socket) for _ in range(3)]
        assert {(each[0], json.loads(each[5:])["oms_order_id"]) for each in news} == {
            (50, number),
            (51, number),
        }
        assert [session.hears_of_orders for session in broker.sessions] == [False, True]


@pytest.mark.parametrize("token", ["wrong", "of-yesterday"])
async def test_a_stranger_is_refused_at_the_upgrade(broker: Tradelab, token: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await opened(broker, token)
    assert caught.value.response.status_code == 401


async def test_one_socket_too_many_is_refused(broker: Tradelab) -> None:
    sockets = [await opened(broker) for _ in range(MAX_SOCKETS)]
    with pytest.raises(InvalidStatus) as caught:
        await opened(broker)
    assert caught.value.response.status_code == 429
    for socket in sockets:
        await socket.close()


async def test_the_session_dies_at_midnight(broker: Tradelab, http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/v1/user/trading_info")).json()["data"]["client_id"] == "YG1234"
    clock = broker.exchange.clock
    assert isinstance(clock, ManualClock)
    clock.advance(timedelta(hours=14, seconds=-1).total_seconds())
    assert (await http.get("/api/v1/user/trading_info")).status_code == 200
    clock.advance(1)
    answer = await http.get("/api/v1/user/trading_info")
    assert (answer.status_code, answer.json()["error_code"]) == (401, 40000)


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/api/v1/orders?type=pending", "client_id"),
        ("/api/v1/orders?type=all&client_id=YG1234", "type"),
        ("/api/v1/positions?type=net&client_id=YG1234", "type"),
        ("/api/v1/trades?client_id=SOMEBODY", "client_id"),
    ],
)
async def test_what_is_asked_wrongly_is_told_so(http: httpx.AsyncClient, path: str, word: str) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 44000)
    assert f"`{word}` is invalid" in answer.json()["message"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"client_id": "SOMEBODY"}, "client_id"),
        ({"instrument_token": "1"}, "instrument_token"),
        ({"instrument_token": "26000"}, "instrument_token"),
        ({"order_type": "LMT"}, "order_type"),
        ({"price": 0}, "price"),
        ({"quantity": 0}, "quantity"),
        ({"product": "MTF"}, "product"),
    ],
)
async def test_wrong_orders_are_refused_at_once(
    broker: Tradelab, http: httpx.AsyncClient, change: dict[str, Any], word: str
) -> None:
    answer = await http.post("/api/v1/orders", json=ORDER | change)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 44000)
    assert word in answer.json()["message"]
    assert broker.exchange.ledger.of("YG1234") == []


async def test_only_pocketful_wants_the_book_repeated(broker: Tradelab, http: httpx.AsyncClient) -> None:
    number = (await http.post("/api/v1/orders", json=ORDER)).json()["data"]["oms_order_id"]
    told = (await http.put("/api/v1/orders", json=ORDER | {"oms_order_id": number, "price": 1001})).json()
    if broker.name == "pocketful":
        assert told["message"] == "`exchange_order_id` can't be blank"
    else:
        assert told["data"] == {"oms_order_id": [f" {number}"]}
    (row,) = (await http.get("/api/v1/orders?type=pending&client_id=YG1234")).json()["data"]["orders"]
    wanted = (1000.0, 3045, "NEW_CONFIRMED") if broker.name == "pocketful" else ("1001.00", "3045", "open")
    assert (row["price"], row["instrument_token"], row["order_status"]) == wanted
    assert row["user_order_id"] == "123456789"


async def test_the_contract_file_is_one_list_or_several(broker: Tradelab, http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/v1/contract/Compact?info=download&exchanges=NSE,NFO")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = set(archive.namelist())
        text = archive.read(min(names, key=len)).decode()
    assert names == (
        {"NSECompactScrip.csv", "NFOCompactScrip.csv"} if broker.name == "pocketful" else {"CompactScrip.csv"}
    )
    assert "3045,SBIN-EQ," in text or "SBIN26AUGFUT" in text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/oauth2/auth?client_id=wrong&state=long+enough&response_type=code", 400),
        ("/oauth2/token", 405),
        ("/api/v1/user/profile", 400),
    ],
)
async def test_doors_that_stay_shut(http: httpx.AsyncClient, path: str, status: int) -> None:
    assert (await http.get(path)).status_code == status


async def test_the_page_wants_a_state_that_cannot_be_guessed(broker: Tradelab, http: httpx.AsyncClient) -> None:
    login = broker.login
    query = {"client_id": login.api_key, "redirect_uri": login.redirect_uri, "response_type": "code"}
    assert (await http.get("/oauth2/auth", params=query | {"state": "short"})).status_code == 400
    answer = await http.get("/oauth2/auth", params=query | {"state": "long enough", "scope": "orders holdings"})
    assert answer.headers["location"].startswith(f"{login.redirect_uri}?code=")


async def test_the_channel_wants_secret_and_code_and_makes_a_token_of_its_own() -> None:
    async with create("pocketful", Exchange(clock=ManualClock(MORNING))) as broker:
        assert isinstance(broker, Tradelab)
        async with httpx.AsyncClient(base_url=broker.hosts["channel"], trust_env=False) as http:
            form = {"channel_id": "YG1234", "channel_secret": "wrong"}
            assert (await http.post("/api/v3/user/login", json=form)).status_code == 400
            form["channel_secret"] = broker.login.channel_secret
            asked = (await http.post("/api/v3/user/login", json=form)).json()["data"]["twofa"]
            answer: dict[str, Any] = {
                "login_id": "YG1234",
                "twofa": [{"question_id": "100", "answer": "000000x"}],
                "twofa_token": asked["twofa_token"],
                "type": "TOTP",
            }
            assert (await http.post("/api/v3/user/twofa", json=answer)).status_code == 400
            answer["twofa"][0]["answer"] = broker.login.authenticator.code()
            token = (await http.post("/api/v3/user/twofa", json=answer)).json()["data"]["auth_token"]
            profile = "/api/v1/user/profile?client_id=YG1234"
            assert (await http.get(profile, headers={"Authorization": f"Bearer {token}"})).status_code == 401
            assert (await http.get(profile, headers={"x-authorization-token": token})).status_code == 200
            assert (await http.post("/api/v3/user/twofa", json=answer)).status_code == 400
