"""The SDK's own answers, and the simulator's rows beside them: the same fields, of the same kinds."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from tests.support import shared_data

from sangam.brokers.contract import Ctx, Operation, Session
from sangam.brokers.dhan import SPEC
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Action, PriceType, Product
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange
from sangam.simulators.dhan import Dhan

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="dhan", generation=1, secrets={"client_id": "1", "access_token": "jwt"})
MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)
assert SPEC.trading is not None
TRADING = SPEC.trading
assert TRADING.order is not None
ask_order = TRADING.order


def sample(name: str) -> Any:
    """What the SDK hands over: the answer stands under `data`. Its generator wrote -3.4e38 for a number, which is none
    to us; here it is -1.5."""
    text = shared_data("dhan", "sdk_tests_data", name).read_text()
    return json.loads(text.replace("-3.402823669209385e+38", "-1.5"))["data"]


def answer(operation: Operation[Any], payload: Any) -> Any:
    next(operation)
    with pytest.raises(StopIteration) as stop:
        operation.send(payload)
    return stop.value.value


def test_the_sdks_samples_are_read() -> None:
    (order,) = answer(TRADING.orders(SESSION, CTX), sample("get-current-orders-list.json"))
    assert (order.order_id, order.status, order.product) == ("string", "open", "CNC")
    (trade,) = answer(TRADING.trades(SESSION, CTX), sample("get_all_trades.json"))
    assert (trade.trade_id, trade.token, trade.timestamp) == ("string", "string", 0)
    (position,) = answer(TRADING.positions(SESSION, CTX), sample("get_positions.json"))
    assert (position.quantity, position.ltp) == (0, 0.0)
    (holding,) = answer(TRADING.holdings(SESSION, CTX), sample("get-current-holdings.json"))
    assert holding.brexchange == "NSE_EQ"
    assert answer(TRADING.funds(SESSION, CTX), sample("get_fund_limits.json")).available_cash < 0
    assert TRADING.gtt is not None
    (gtt,) = answer(TRADING.gtt.list(SESSION, CTX), sample("get-forever-orders-list.json"))
    assert (gtt.trigger_id, gtt.status, len(gtt.legs)) == ("string", "active", 1)
    single = answer(ask_order("1", SESSION, CTX), sample("get-order-by-id.json"))
    assert single.quantity == -(2**31)


@pytest.fixture
async def rest() -> AsyncIterator[httpx.AsyncClient]:
    async with Dhan(Exchange(clock=ManualClock(MORNING))) as broker:
        sbin, user = ("SBIN", Code.NSE), broker.user_id
        broker.exchange.place(user, *sbin, Action.BUY, 5, PriceType.LIMIT, price=1000.0, product=Product.CNC, tag="a")
        broker.exchange.place(user, *sbin, Action.BUY, 5, product=Product.CNC)
        headers = {"access-token": broker.login.access_token, "client-id": user}
        async with httpx.AsyncClient(base_url=broker.hosts["api"], headers=headers, trust_env=False) as client:
            body = {
                "dhanClientId": user, "orderFlag": "SINGLE", "transactionType": "SELL", "exchangeSegment": "NSE_EQ",
                "productType": "CNC", "orderType": "LIMIT", "validity": "DAY", "quantity": 5, "price": 950,
                "triggerPrice": 950,
                "securityId": broker.security_id(broker.exchange.market(*sbin)),
            }  # fmt: skip
            await client.post("/forever/orders", json=body)
            yield client


def kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def alike(ours: Any, told: Any, at: str = "") -> list[str]:
    """Where our value lacks a field of the sample or has another kind there; null says nothing of the kind."""
    if ours is None or told is None:
        return []
    if kind(ours) != kind(told):
        return [f"{at}: {kind(ours)} for {kind(told)}"]
    if isinstance(told, dict):
        missing = [f"{at}/{name} is missing" for name in told if name not in ours]
        return missing + [w for name in told if name in ours for w in alike(ours[name], told[name], f"{at}/{name}")]
    if isinstance(told, list) and told and ours:
        return [wrong for one in told for wrong in alike(ours[0], one, f"{at}[]")]
    return []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/orders", "get-current-orders-list.json"),
        ("/trades", "get_all_trades.json"),
        ("/positions", "get_positions.json"),
        ("/holdings", "get-current-holdings.json"),
        ("/fundlimit", "get_fund_limits.json"),
        ("/forever/orders", "get-forever-orders-list.json"),
    ],
)
async def test_books(rest: httpx.AsyncClient, path: str, name: str) -> None:
    ours = (await rest.get(path)).json()
    assert ours, path
    assert alike(ours, sample(name)) == []


async def test_the_chain_of_2025_was_written_out_of_single_floats() -> None:
    """Why prices of quotes are rounded: 23482.150390625 was 23482.15."""
    chain = json.loads(shared_data("dhan", "option_chain_nifty_2025-06.json").read_text())["data"]
    assert round(chain["last_price"], 2) == 23482.15 != chain["last_price"]
