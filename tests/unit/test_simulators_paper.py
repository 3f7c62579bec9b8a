"""The paper wire, to the letter of its specification."""

import asyncio
import csv
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Action, PriceType
from sangam.model.enums import Exchange as Code
from sangam.model.market import Fields
from sangam.simulators import Exchange
from sangam.simulators.paper import Paper


@pytest.fixture
async def paper() -> AsyncIterator[Paper]:
    exchange = Exchange(clock=ManualClock(datetime(2026, 8, 18, 10, 0, tzinfo=IST)))
    simulator = Paper(exchange, access_token="secret", heartbeat=0.05)
    async with simulator:
        yield simulator


@pytest.fixture
async def rest(paper: Paper) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": "Bearer secret"}
    async with httpx.AsyncClient(base_url=paper.hosts["api"], headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture
async def stream(paper: Paper) -> AsyncIterator[ClientConnection]:
    async with connect(paper.hosts["stream"] + "/stream?token=secret") as client:
        yield client


async def tokens(rest: httpx.AsyncClient) -> dict[str, str]:
    rows = csv.DictReader((await rest.get("/instruments.csv")).text.splitlines())
    return {f"{row['exchange']}:{row['symbol']}": row["token"] for row in rows}


async def told(client: ClientConnection, kind: str) -> Any:
    """The next message of a kind; heartbeats in between do not matter."""
    while True:
        message = json.loads(await asyncio.wait_for(client.recv(), 5))
        assert len(message) == 1
        if kind in message:
            return message[kind]
        assert "hb" in message


async def test_session(rest: httpx.AsyncClient) -> None:
    assert (await rest.get("/session")).json() == {"status": "success", "data": {"client_id": "PAPER1"}}
    for path in ("/session", "/instruments.csv", "/quotes?tokens=1", "/candles"):
        refused = await rest.get(path, headers={"Authorization": "Bearer wrong"})
        assert refused.status_code == 401
        assert refused.json()["status"] == "error"


async def test_instruments(paper: Paper, rest: httpx.AsyncClient) -> None:
    text = (await rest.get("/instruments.csv")).text
    assert text.splitlines()[0] == "token,symbol,exchange,name,instrument_type,expiry,strike,lot_size,tick_size"
    rows = list(csv.DictReader(text.splitlines()))
    assert len({row["token"] for row in rows}) == len(rows) == len(paper.exchange.contracts)
    row = next(row for row in rows if row["symbol"] == "NIFTY25AUG2624400CE")
    assert row | {"token": ""} == {
        "token": "",
        "symbol": "NIFTY25AUG2624400CE",
        "exchange": "NFO",
        "name": "NIFTY",
        "instrument_type": "CE",
        "expiry": "2026-08-25",
        "strike": "24400.0",
        "lot_size": "65",
        "tick_size": "0.05",
    }
    paper.faults.damaged_master = b"<html>"
    assert (await rest.get("/instruments.csv")).text == "<html>"


async def test_a_wrong_token_or_path_is_refused_at_the_upgrade(paper: Paper) -> None:
    for path, status in (("/stream?token=wrong", 401), ("/stream", 401), ("/other?token=secret", 404)):
        with pytest.raises(InvalidStatus) as refused:
            await connect(paper.hosts["stream"] + path)
        assert refused.value.response.status_code == status


async def test_modes(paper: Paper, rest: httpx.AsyncClient, stream: ClientConnection) -> None:
    known = await tokens(rest)
    sbin, nifty, future = (known[name] for name in ("NSE:SBIN", "NSE_INDEX:NIFTY", "NFO:NIFTY25AUG26FUT"))
    await stream.send(json.dumps({"sub": [[sbin, 1], [nifty, 2], ["nope", 1], [future, 3]]}))
    assert await told(stream, "ok") == [sbin, nifty, future]
    assert await told(stream, "refused") == [["nope", "Unknown token"]]
    first, index, deep = await told(stream, "ticks")
    market = paper.exchange.market("SBIN", Code.NSE)
    assert first == [sbin, {"ltp": market.rupees(market.ltp), "ltt": market.ltt, "timestamp": market.updated}]
    assert index[0] == nifty
    assert index[1].keys() == {"ltp", "ltt", "timestamp", "open", "high", "low", "close"}
    token, fields, buy, sell = deep
    assert token == future
    assert fields.keys() == set(Fields.__annotations__)
    assert [fields["bid_price"], fields["bid_size"]] == buy[0][:2]
    assert [fields["ask_price"], fields["ask_size"]] == sell[0][:2]
    assert len(buy) == len(sell) == 5
    assert all(len(row) == 3 for row in buy + sell)

    await stream.send(json.dumps({"sub": [[sbin, 2]], "unsub": [nifty, future, "nope"]}))
    assert await told(stream, "ok") == [sbin]
    ((_, fields),) = await told(stream, "ticks")
    assert fields["close"] == market.rupees(market.close)
    paper.exchange.step(1.0)
    assert [row[0] for row in await told(stream, "ticks")] == [sbin]


async def test_heartbeats_tell_the_time(paper: Paper, stream: ClientConnection) -> None:
    assert await told(stream, "hb") == paper.exchange.now_ms


async def test_orders_are_pushed(paper: Paper, stream: ClientConnection) -> None:
    paper.exchange.place("OTHER", "SBIN", Code.NSE, Action.BUY, 1)
    order = paper.exchange.place("PAPER1", "SBIN", Code.NSE, Action.SELL, 5, PriceType.LIMIT, price=1100.0, tag="x")
    assert (await told(stream, "order")) == {
        "order_id": order.order_id,
        "brsymbol": "SBIN",
        "brexchange": "NSE",
        "action": "SELL",
        "quantity": 5,
        "status": "open",
        "token": "",
        "product": "MIS",
        "price_type": "LIMIT",
        "price": 1100.0,
        "trigger_price": 0.0,
        "filled_quantity": 0,
        "pending_quantity": 5,
        "average_price": 0.0,
        "rejection_reason": "",
        "tag": "x",
        "timestamp": order.updated,
        "disclosed_quantity": 0,
        "validity": "DAY",
        "native": {},
    }


async def test_quotes_are_those_of_the_deep_stream(rest: httpx.AsyncClient, stream: ClientConnection) -> None:
    known = await tokens(rest)
    future, nifty = known["NFO:NIFTY25AUG26FUT"], known["NSE_INDEX:NIFTY"]
    await stream.send(json.dumps({"sub": [[future, 3], [nifty, 3]]}))
    await told(stream, "ok")
    streamed = await told(stream, "ticks")
    answer = (await rest.get("/quotes", params={"tokens": f"{future},nope,{nifty}"})).json()
    assert answer == {"status": "success", "data": streamed}
    for wrong in ("", ",".join([future] * 501)):
        refused = await rest.get("/quotes", params={"tokens": wrong})
        assert (refused.status_code, refused.json()["message"]) == (400, "Ask for 1 to 500 tokens")


async def test_candles(paper: Paper, rest: httpx.AsyncClient) -> None:
    token = (await tokens(rest))["NSE:SBIN"]
    ask = {"token": token, "interval": "15m", "from": "2026-08-14", "to": "2026-08-18"}
    rows = (await rest.get("/candles", params=ask)).json()["data"]
    assert len(rows) == 25 + 25 + 1, "Friday, Monday, and today's first"
    assert rows[0][0] == datetime(2026, 8, 14, 9, 15, tzinfo=IST).timestamp()
    days = (await rest.get("/candles", params=ask | {"interval": "D"})).json()["data"]
    assert [datetime.fromtimestamp(row[0], UTC).isoformat() for row in days] == [
        "2026-08-14T00:00:00+00:00",
        "2026-08-17T00:00:00+00:00",
        "2026-08-18T00:00:00+00:00",
    ]
    friday = rows[:25]
    assert days[0][1:6] == [
        friday[0][1],
        max(row[2] for row in friday),
        min(row[3] for row in friday),
        friday[-1][4],
        sum(row[5] for row in friday),
    ]
    market = paper.exchange.market("SBIN", Code.NSE)
    assert days[1][4] == market.rupees(market.close)
    assert (await rest.get("/candles", params=ask | {"from": "2026-08-15", "to": "2026-08-16"})).json()["data"] == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"token": "1"}, "Unknown token"),
        ({"interval": "7m"}, "Unknown interval"),
        ({"from": "18.08.2026"}, "Dates are written as 2026-08-18"),
        ({"from": "2026-08-19"}, "Ask for 1 to 5 days"),
        ({"from": "2026-08-13"}, "Ask for 1 to 5 days"),
    ],
)
async def test_wrong_candles_are_refused(rest: httpx.AsyncClient, wrong: dict[str, str], message: str) -> None:
    ask = {"token": "100003045", "interval": "1m", "from": "2026-08-18", "to": "2026-08-18"}
    assert (await rest.get("/candles", params=ask)).status_code == 200
    refused = await rest.get("/candles", params=ask | wrong)
    assert (refused.status_code, refused.json()) == (400, {"status": "error", "message": message})


@pytest.mark.parametrize("nonsense", ["", "[]", '{"sub": 1}', '{"sub": [["1000026000", 9]]}', "\x00"])
async def test_nonsense_is_answered_and_the_socket_lives(stream: ClientConnection, nonsense: str) -> None:
    await stream.send(nonsense)
    assert await told(stream, "error")
    assert await told(stream, "hb")
