"""The simulated Angel One where its own client does not look: what counts on a socket, refusals there, and limits."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from sangam.model.clock import IST, ManualClock
from sangam.simulators import Exchange
from sangam.simulators.angel import MAX_DEEP, MAX_SOCKETS, MAX_SUBSCRIPTIONS, Angel
from sangam.simulators.listing import listing

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)
SBIN = {"exchangeType": 1, "tokens": ["3045"]}


@pytest.fixture
async def broker() -> AsyncIterator[Angel]:
    exchange = Exchange(clock=ManualClock(MORNING), contracts=lambda day: listing(day, strikes=60))
    async with Angel(exchange, limits=True) as simulator:
        yield simulator


def opened(broker: Angel) -> Any:
    known = broker.credentials
    headers = {
        "Authorization": f"Bearer {known['access_token']}",
        "x-api-key": known["api_key"],
        "x-client-code": known["client_code"],
        "x-feed-token": known["feed_token"],
    }
    return connect(broker.hosts["stream"], additional_headers=headers, proxy=None)


async def ask(socket: ClientConnection, action: int, mode: Any, *listed: Any, number: str = "abcde12345") -> None:
    params = {"mode": mode, "tokenList": list(listed)}
    await socket.send(json.dumps({"correlationID": number, "action": action, "params": params}))


async def told(socket: ClientConnection) -> list[Any]:
    """Everything until the answer to a heartbeat: packets by their size, texts as they are."""
    await socket.send("ping")
    found: list[Any] = []
    while (message := await asyncio.wait_for(socket.recv(), 5)) != "pong":
        found.append(len(message) if isinstance(message, bytes) else json.loads(message))
    return found


def counted(broker: Angel) -> int:
    return sum(len(modes) for session in broker.sessions for modes in session.subscriptions.values())


async def test_each_mode_of_a_token_counts_and_is_told(broker: Angel) -> None:
    async with opened(broker) as socket:
        for mode in (1, 2, 3, 4):
            await ask(socket, 1, mode, SBIN)
        assert await told(socket) == [51, 123, 379, 443]
        await ask(socket, 1, 3, SBIN)  # again: neither told nor counted
        assert await told(socket) == []
        assert counted(broker) == 4
        await ask(socket, 0, 3, SBIN)
        await ask(socket, 0, 3, SBIN)
        assert await told(socket) == []
        assert counted(broker) == 3


async def test_more_than_a_socket_takes_is_refused_whole(broker: Angel) -> None:
    tokens = [token for segment, token in broker.names.all() if segment == "NFO"]
    assert len(tokens) > MAX_SUBSCRIPTIONS // 2
    half = {"exchangeType": 2, "tokens": tokens[: MAX_SUBSCRIPTIONS // 2]}
    async with opened(broker) as socket:
        await ask(socket, 1, 1, half)
        await ask(socket, 1, 2, half)
        assert len(await told(socket)) == MAX_SUBSCRIPTIONS
        await ask(socket, 1, 1, SBIN, number="onetoomany")
        error = {"correlationID": "onetoomany", "errorCode": "E1002"}
        assert await told(socket) == [error | {"errorMessage": "Invalid Request. Subscription Limit Exceeded"}]
        assert counted(broker) == MAX_SUBSCRIPTIONS


async def test_books_of_twenty_levels_are_few_and_of_nse(broker: Angel) -> None:
    tokens = [token for segment, token in broker.names.all() if segment == "NSE"]
    async with opened(broker) as socket:
        await ask(socket, 1, 4, {"exchangeType": 1, "tokens": tokens[: MAX_DEEP + 1]})
        await ask(socket, 1, 4, {"exchangeType": 2, "tokens": ["1"]})
        assert [row["errorCode"] for row in await told(socket)] == ["E1002", "E1001"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"action":1}', '{"action":7,"params":{"mode":1,"tokenList":[]}}']
)
async def test_nonsense_is_answered_and_costs_nothing(broker: Angel, text: str) -> None:
    async with opened(broker) as socket:
        await socket.send(text)
        (error,) = await told(socket)
        assert error["errorCode"] == "E1001"
        await ask(socket, 1, 1, SBIN)
        assert await told(socket) == [51]


async def test_a_fourth_socket_is_refused(broker: Angel) -> None:
    sockets = [await opened(broker) for _ in range(MAX_SOCKETS)]
    with pytest.raises(InvalidStatus) as caught:
        await opened(broker)
    assert caught.value.response.status_code == 429
    for socket in sockets:
        await socket.close()


async def test_a_browser_says_in_the_address_who_it_is(broker: Angel) -> None:
    known = broker.credentials
    query = f"clientCode={known['client_code']}&feedToken={known['feed_token']}&apiKey={known['api_key']}"
    async with connect(f"{broker.hosts['stream']}?{query}", proxy=None) as socket:
        await ask(socket, 1, 1, SBIN)
        assert await told(socket) == [51]
    with pytest.raises(InvalidStatus) as caught:
        await connect(f"{broker.hosts['stream']}?{query}x", proxy=None)
    assert caught.value.response.status_code == 401


async def test_the_order_socket_tells_a_wrong_token_from_an_expired_one(broker: Angel) -> None:
    headers = {"Authorization": f"Bearer {broker.credentials['access_token']}"}
    async with connect(broker.hosts["orders"], additional_headers=headers, proxy=None) as socket:
        assert json.loads(await asyncio.wait_for(socket.recv(), 5))["order-status"] == "AB00"
    with pytest.raises(InvalidStatus) as wrong:
        await connect(broker.hosts["orders"], additional_headers={"Authorization": "Bearer x"}, proxy=None)
    broker.expire_token()
    with pytest.raises(InvalidStatus) as expired:
        await connect(broker.hosts["orders"], additional_headers=headers, proxy=None)
    assert (wrong.value.response.status_code, expired.value.response.status_code) == (401, 403)


async def test_who_asks_too_often_is_told_so_in_plain_words(broker: Angel) -> None:
    known = broker.credentials
    headers = {"Authorization": f"Bearer {known['access_token']}", "X-PrivateKey": known["api_key"]}
    async with httpx.AsyncClient(base_url=broker.hosts["api"], headers=headers, trust_env=False) as rest:
        answers = [await rest.get("/rest/secure/angelbroking/order/v1/getOrderBook") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 403]
    assert answers[0].json() == {"status": True, "message": "SUCCESS", "errorcode": "", "data": None}
    assert answers[1].text == "Access denied because of exceeding access rate"
    assert broker.too_many == 1


async def test_a_session_ends_at_midnight(broker: Angel) -> None:
    clock = broker.exchange.clock
    assert isinstance(clock, ManualClock)
    clock.set(datetime(2026, 8, 18, 23, 59, 59, tzinfo=IST))
    broker.check()
    assert broker.login.alive
    clock.advance(1)
    broker.check()
    assert not broker.login.alive
