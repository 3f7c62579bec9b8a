"""Mishaps of order writes and rumours of order pushes: what the client meets, and what the ledger has."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime

import httpx
import pytest
from tests.support import wait_for
from websockets.asyncio.client import connect

from sangam.model.clock import IST, ManualClock
from sangam.simulators import Exchange
from sangam.simulators.mishaps import Mishap, OrderFaults, Rumour
from sangam.simulators.zerodha import Zerodha

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)
ORDER = {"exchange": "NSE", "tradingsymbol": "SBIN", "transaction_type": "BUY", "quantity": "1"}
ORDER |= {"product": "MIS", "order_type": "LIMIT", "price": "1000", "validity": "DAY"}
UNHEARD = (Mishap.TAKEN_THEN_RESET, Mishap.LOST_RESET)


@pytest.fixture
async def broker() -> AsyncIterator[Zerodha]:
    async with Zerodha(Exchange(clock=ManualClock(MORNING)), heartbeat=0.05) as simulator:
        yield simulator


@pytest.fixture
async def rest(broker: Zerodha) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=broker.hosts["api"], headers=signed(broker), trust_env=False) as client:
        yield client


def signed(broker: Zerodha) -> dict[str, str]:
    return {"Authorization": f"token {broker.login.api_key}:{broker.login.access_token}", "X-Kite-Version": "3"}


async def place(rest: httpx.AsyncClient, tag: str) -> httpx.Response:
    return await rest.post("/orders/regular", data=ORDER | {"tag": tag})


def taken(broker: Zerodha, tag: str) -> int:
    return len(broker.exchange.ledger.tagged(broker.user_id, tag))


@pytest.mark.parametrize("kind", UNHEARD)
async def test_a_reset_says_nothing_of_the_order(broker: Zerodha, rest: httpx.AsyncClient, kind: Mishap) -> None:
    broker.faults.mishap(kind)
    with pytest.raises(httpx.TransportError):
        await place(rest, "t1")
    assert taken(broker, "t1") == kind.is_taken
    assert (await place(rest, "t2")).status_code == 200
    assert [(row.mishap, row.method, row.path) for row in broker.faults.orders.happened] == [
        (kind, "POST", "/orders/regular")
    ]


async def test_silence_lasts_until_the_client_leaves_or_the_weather_clears(
    broker: Zerodha, rest: httpx.AsyncClient
) -> None:
    broker.faults.mishap(Mishap.TAKEN_IN_SILENCE, 2)
    with pytest.raises(httpx.ReadTimeout):
        await rest.post("/orders/regular", data=ORDER | {"tag": "t1"}, timeout=httpx.Timeout(10, read=0.2))
    waiting = asyncio.create_task(place(rest, "t2"))
    await wait_for(lambda: taken(broker, "t2"))
    assert not waiting.done()
    broker.faults.clear()
    with pytest.raises(httpx.TransportError):
        await waiting
    assert taken(broker, "t1") == taken(broker, "t2") == 1


async def test_a_late_answer_is_the_right_one(broker: Zerodha, rest: httpx.AsyncClient) -> None:
    broker.faults.mishap(Mishap.TAKEN_ANSWERED_LATE, seconds=0.2)
    waiting = asyncio.create_task(place(rest, "t1"))
    await wait_for(lambda: taken(broker, "t1"))
    assert not waiting.done()
    (order,) = broker.exchange.ledger.tagged(broker.user_id, "t1")
    assert (await waiting).json()["data"] == {"order_id": order.order_id}
    broker.faults.orders.reply_delay = 0.1
    assert (await place(rest, "t2")).elapsed.total_seconds() >= 0.1


async def test_answers_that_mislead(broker: Zerodha, rest: httpx.AsyncClient) -> None:
    for kind in (Mishap.TAKEN_SERVER_ERROR, Mishap.LOST_SERVER_ERROR):
        broker.faults.mishap(kind, status=502)
        reply = await place(rest, f"error{kind.is_taken:d}")
        assert (reply.status_code, reply.json()["error_type"]) == (502, "DataException")
        assert taken(broker, f"error{kind.is_taken:d}") == kind.is_taken
    broker.faults.mishap(Mishap.TAKEN_TIMED_OUT)
    reply = await place(rest, "late")
    assert (reply.status_code, reply.json()["error_type"]) == (400, "InputException")
    assert "timed out. Please check the order book" in reply.json()["message"]
    broker.faults.mishap(Mishap.TAKEN_NONSENSE)
    reply = await place(rest, "nonsense")
    assert reply.status_code == 200
    with pytest.raises(ValueError, match="decode"):
        reply.json()
    broker.faults.mishap(Mishap.TAKEN_NAMELESS)
    assert (await place(rest, "nameless")).json() == {"status": "success", "data": {}}
    broker.faults.mishap(Mishap.LOST_TOO_MANY)
    reply = await place(rest, "many")
    assert (reply.status_code, reply.json()["error_type"]) == (429, "NetworkException")
    assert [taken(broker, tag) for tag in ("late", "nonsense", "nameless", "many")] == [1, 1, 1, 0]
    assert broker.too_many == 0, "planned ones are not the client's fault"


async def test_modify_and_cancel_meet_mishaps_too_and_reads_do_not(broker: Zerodha, rest: httpx.AsyncClient) -> None:
    order_id = (await place(rest, "t1")).json()["data"]["order_id"]
    broker.faults.mishap(Mishap.TAKEN_SERVER_ERROR, 2)
    assert (await rest.get("/orders")).status_code == 200
    changed = await rest.put(f"/orders/regular/{order_id}", data={"quantity": "2", "price": "1001"})
    assert (changed.status_code, broker.exchange.ledger.orders[order_id].quantity) == (503, 2)
    gone = await rest.delete(f"/orders/regular/{order_id}")
    assert (gone.status_code, broker.exchange.ledger.orders[order_id].status) == (503, "cancelled")


async def test_weather_is_seeded_and_the_ledger_knows_the_truth(broker: Zerodha, rest: httpx.AsyncClient) -> None:
    rates: dict[Mishap | Rumour, float] = dict.fromkeys(set(Mishap) - {Mishap.TAKEN_IN_SILENCE}, 0.08)

    async def walk(seed: int) -> list[Mishap]:
        broker.faults.orders.happened.clear()
        broker.faults.order_weather(seed, dict(sorted(rates.items())), seconds=0.0)
        for n in range(60):
            tag, before = f"s{seed}n{n}r{len(broker.exchange.ledger.orders)}", len(broker.faults.orders.happened)
            with suppress(httpx.TransportError):
                await place(rest, tag)
            met = broker.faults.orders.happened[before:]
            assert taken(broker, tag) == (not met or met[0].mishap.is_taken)
        return [row.mishap for row in broker.faults.orders.happened]

    first = await walk(1)
    assert await walk(1) == first
    assert await walk(2) != first
    assert len(set(first)) > 5


async def test_pushes_are_dropped_doubled_and_shuffled(broker: Zerodha, rest: httpx.AsyncClient) -> None:
    known = broker.credentials
    url = f"{broker.hosts['stream']}?api_key={known['api_key']}&access_token={known['access_token']}"
    async with connect(url) as client:
        heard: list[str] = []

        async def listen() -> None:
            async for message in client:
                if isinstance(message, str):
                    heard.append(json.loads(message)["data"]["tag"])

        listening = asyncio.create_task(listen())
        broker.faults.orders.drop_updates = True
        await place(rest, "dropped")
        broker.faults.clear()
        broker.faults.orders.duplicate_updates = True
        await place(rest, "twice")
        broker.faults.clear()
        broker.faults.hold_updates()
        tags = [f"held{n}" for n in range(8)]
        for tag in tags:
            await place(rest, tag)
        await wait_for(lambda: heard == ["twice", "twice"])
        broker.faults.release_updates(seed=3)
        await wait_for(lambda: len(heard) == 10)
        assert heard[2:] != tags
        assert sorted(heard[2:]) == tags
        await place(rest, "plain")
        await wait_for(lambda: heard[-1] == "plain")
        listening.cancel()


def test_rumours_lose_only_what_is_dropped() -> None:
    faults = OrderFaults()
    faults.weather(5, {Rumour.DUPLICATED: 0.2, Rumour.DELAYED: 0.3, Rumour.DROPPED: 0.1})
    payloads = [str(n).encode() for n in range(500)]
    sent: list[bytes] = []
    for n, payload in enumerate(payloads):
        sent += faults.overdue(n * 0.01)
        sent += faults.pushes(payload, n * 0.01)
    sent += faults.overdue(10.0)
    times = Counter(Counter(sent)[payload] for payload in payloads)
    assert 20 < times[0] < 90
    assert 60 < times[2] < 150
    assert times[1] + times[0] + times[2] == 500
    assert sent != sorted(sent, key=int)
