"""The judge of our simulator: the official client (kiteconnect 5.2.2) works against it and reads what we meant.

Its login by the page and by checksum, its REST calls with candles and logout, and its ticker in three modes with order
updates and error texts."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.peers.environments import peer_command, peer_environment
from tests.support import wait_for

from sangam.model.enums import Action, PriceType
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange
from sangam.simulators.zerodha import Zerodha

CLIENT = Path(__file__).with_name("kite_client.py")
SEGMENTS = (
    ("SBIN", Code.NSE),
    ("SBIN", Code.BSE),
    ("USDINR", Code.CDS),
    ("USDINR", Code.BCD),
    ("NIFTY", Code.NFO),
    ("SENSEX", Code.BFO),
    ("CRUDEOIL", Code.MCX),
    ("GOLD", Code.NCO),
    ("NIFTY", Code.NSE_INDEX),
    ("SENSEX", Code.BSE_INDEX),
    ("BANKNIFTY", Code.NSE_INDEX),
)
"""One contract (the first of that name) of every segment that the wire knows."""


@pytest.fixture
async def broker() -> AsyncIterator[Zerodha]:
    simulator = Zerodha(Exchange(pace=10.0), run=True)
    async with simulator:
        yield simulator


async def ask_client(plan: dict[str, Any], meanwhile: Any = None) -> dict[str, Any]:
    command = await asyncio.to_thread(peer_command, "kiteconnect", CLIENT)
    pipe = asyncio.subprocess.PIPE
    client = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=pipe, env=peer_environment()
    )
    try:
        talk = asyncio.create_task(client.communicate(json.dumps(plan).encode()))
        if meanwhile is not None:
            await meanwhile
        out, errors = await asyncio.wait_for(talk, 30)
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()
    assert client.returncode == 0, errors.decode()[-2000:]
    report: dict[str, Any] = json.loads(out)
    return report


def pick(broker: Zerodha, name: str, exchange: Code) -> tuple[str, int]:
    contracts = broker.exchange.contracts
    contract = next(row for row in contracts if row.exchange is exchange and row.symbol.startswith(name))
    return contract.symbol, broker.token(contract.symbol, exchange.value)


async def test_the_official_client_reads_what_we_meant(broker: Zerodha) -> None:
    picked = [(*pick(broker, name, exchange), exchange) for name, exchange in SEGMENTS]
    modes: dict[str, list[int]] = {"ltp": [], "quote": [], "full": []}
    for n, (_, token, _) in enumerate(picked):
        modes[list(modes)[(n + 2) % 3]].append(token)
    plan: dict[str, Any] = broker.credentials | broker.hosts | {"modes": modes, "what": "everything"}
    future = pick(broker, "NIFTY", Code.NFO)[1]
    plan |= {"names": ["NSE:SBIN", "NSE:NIFTY 50"], "share": broker.token("SBIN", "NSE"), "future": future}
    plan["mode_of"] = {str(token): mode for mode, group in modes.items() for token in group}
    user = broker.credentials["user_id"]

    async def orders() -> None:
        await wait_for(lambda: broker.sessions and len(broker.sessions[0].subscriptions) == len(picked), timeout=25)
        broker.exchange.place(user, "SBIN", Code.NSE, Action.BUY, 3, PriceType.LIMIT, price=1000.0, tag="mine")
        broker.push_error("something to read")

    report = await ask_client(plan, orders())
    _check_rest(report["rest"], broker)
    _check_history(report["rest"], broker)
    assert report["goodbye"] == {"ended": True, "after": "Incorrect `api_key` or `access_token`."}

    order = report["stream"]["orders"][0]
    placed = broker.exchange.ledger.orders[order["order_id"]]
    assert (order["tag"], order["quantity"], order["status"]) == ("mine", placed.quantity, "OPEN")
    assert report["stream"]["texts"][0] == "something to read"
    for symbol, token, exchange in picked:
        market = broker.exchange.market(symbol, exchange)
        for tick in report["stream"]["ticks"][str(token)]:
            _check_tick(tick, market.rupees(market.low), market.rupees(market.high), exchange)


def _check_rest(rest: dict[str, Any], broker: Zerodha) -> None:
    assert rest["refused"].startswith("Incorrect `api_key`")
    assert rest["back"] | {"request_token": ""} == {
        "request_token": "",
        "action": "login",
        "status": "success",
        "state": "mine",
    }
    assert rest["session"]["access_token"] == broker.credentials["access_token"]
    assert rest["profile"]["user_id"] == broker.user_id
    rows = {(row["exchange"], row["tradingsymbol"]): row for row in rest["instruments"]}
    assert len(rows) == len(rest["instruments"]) == len(broker.exchange.contracts)
    assert rows["NSE", "NIFTY 50"] | {"instrument_token": 0} == {
        "instrument_token": 0,
        "exchange_token": "1001",
        "tradingsymbol": "NIFTY 50",
        "name": "NIFTY 50",
        "last_price": 0.0,
        "expiry": "",
        "strike": 0.0,
        "tick_size": 0.0,
        "lot_size": 0,
        "instrument_type": "EQ",
        "segment": "INDICES",
        "exchange": "NSE",
    }
    assert rest["nfo"]
    assert all(row["exchange"] == "NFO" and row["expiry"] for row in rest["nfo"])
    for kind in ("quote", "ohlc", "ltp"):
        assert rest[kind]["NSE:SBIN"]["instrument_token"] == 779521
        assert rest[kind]["NSE:NIFTY 50"]["last_price"] > 20_000
    assert rest["quote"]["NSE:SBIN"]["depth"]["buy"][0]["price"] > 900


def _check_history(rest: dict[str, Any], broker: Zerodha) -> None:
    share = broker.exchange.market("SBIN", Code.NSE)
    *past, today = rest["days"]
    assert past[-1]["close"] == share.rupees(share.close)
    assert share.rupees(share.low) <= today["low"] <= today["close"] <= today["high"] <= share.rupees(share.high)
    minutes = rest["minutes"]
    assert minutes == sorted(minutes, key=lambda row: str(row["date"]))
    assert all(
        row["low"] <= min(row["open"], row["close"]) <= max(row["open"], row["close"]) <= row["high"] > 0
        for row in minutes
    )
    assert str(minutes[0]["date"]).endswith(":00+05:30")
    assert "oi" not in today
    assert all(row["oi"] > 0 for row in rest["with_oi"])
    assert rest["continuous"][-len(rest["with_oi"]) :][:-1] == rest["with_oi"][:-1]
    assert len(rest["continuous"]) > 250
    assert rest["too_long"] == "interval exceeds max limit: 60 days"
    assert rest["too_many"] == "Invalid `i`."


def _check_tick(tick: dict[str, Any], low: float, high: float, exchange: Code) -> None:
    assert tick["tradable"] is not exchange.is_index
    assert low <= tick["last_price"] <= high
    if tick["mode"] == "ltp":
        return
    ohlc = tick["ohlc"]
    assert low <= ohlc["low"] <= ohlc["open"] <= ohlc["high"] <= high
    if tick["mode"] == "full":
        assert tick["exchange_timestamp"]
    if exchange.is_index:
        return
    assert tick["volume_traded"] > 0
    assert low - 0.01 <= tick["average_traded_price"] <= high + 0.01
    if tick["mode"] == "full":
        buy, sell = tick["depth"]["buy"], tick["depth"]["sell"]
        assert len(buy) == len(sell) == 5
        # a taker may just have eaten some of the five levels
        bids, asks = ([row["price"] for row in side if row["quantity"]] for side in (buy, sell))
        assert bids == sorted(set(bids), reverse=True)
        assert asks == sorted(set(asks))
        assert bids[0] < asks[0]
        assert tick["last_trade_time"]


async def test_a_wrong_token_is_refused_with_403(broker: Zerodha) -> None:
    report = await ask_client(broker.credentials | broker.hosts | {"what": "bad_token"})
    assert report["connected"] == []
    assert "403" in report["told"][0]
