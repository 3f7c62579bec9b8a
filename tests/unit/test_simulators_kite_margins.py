"""Kite's calculators: margins and charges add up."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Action
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange
from sangam.simulators.zerodha import Zerodha

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)
SHARE: dict[str, Any] = {"exchange": "NSE", "tradingsymbol": "SBIN", "transaction_type": "BUY", "quantity": 10}
SHARE |= {"variety": "regular", "product": "MIS", "order_type": "LIMIT", "price": 1000}
CALL = SHARE | {
    "exchange": "NFO",
    "tradingsymbol": "NIFTY26AUG24400CE",
    "product": "NRML",
    "quantity": 65,
    "price": 200,
}


@pytest.fixture
async def broker() -> AsyncIterator[Zerodha]:
    async with Zerodha(Exchange(clock=ManualClock(MORNING))) as simulator:
        yield simulator


@pytest.fixture
async def rest(broker: Zerodha) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"token {broker.login.api_key}:{broker.login.access_token}"}
    async with httpx.AsyncClient(base_url=broker.hosts["api"], headers=headers, trust_env=False) as client:
        yield client


async def asked(rest: httpx.AsyncClient, path: str, orders: list[dict[str, Any]]) -> Any:
    reply = await rest.post(path, json=orders)
    assert reply.status_code == 200, reply.text
    return reply.json()["data"]


async def test_each_kind_of_order_has_its_place(rest: httpx.AsyncClient) -> None:
    written = CALL | {"transaction_type": "SELL"}
    share, bought, sold = await asked(rest, "/margins/orders", [SHARE, CALL, written])
    assert (share["var"], share["total"], share["leverage"]) == (2000, 2000, 5)
    assert (bought["option_premium"], bought["total"]) == (13_000, 13_000)
    assert sold["span"] == sold["total"] == pytest.approx(65 * 24_400 * 0.2)


async def test_a_basket_is_the_sum_of_its_orders(rest: httpx.AsyncClient) -> None:
    told = await asked(rest, "/margins/basket?consider_positions=true", [SHARE, CALL])
    assert told["initial"]["total"] == sum(row["total"] for row in told["orders"]) == 15_000
    assert told["charges"]["total"] == pytest.approx(sum(row["charges"]["total"] for row in told["orders"]))
    compact = await asked(rest, "/margins/basket?mode=compact", [SHARE, CALL])
    assert compact == {name: told[name] for name in ("initial", "final", "charges")}


async def test_what_closes_needs_nothing(broker: Zerodha, rest: httpx.AsyncClient) -> None:
    broker.exchange.place(broker.user_id, "SBIN", Code.NSE, Action.BUY, 10)
    (row,) = await asked(rest, "/margins/orders", [SHARE | {"transaction_type": "SELL"}])
    assert row["total"] == 0


async def test_charges(rest: httpx.AsyncClient) -> None:
    bought, sold, delivered = await asked(
        rest, "/charges/orders", [SHARE, SHARE | {"transaction_type": "SELL"}, SHARE | {"product": "CNC"}]
    )
    for row in (bought, sold, delivered):
        charges = row["charges"]
        names = ("transaction_tax", "exchange_turnover_charge", "sebi_turnover_charge", "brokerage", "stamp_duty")
        assert charges["total"] == pytest.approx(sum(charges[name] for name in names) + charges["gst"]["total"])
    assert bought["charges"]["transaction_tax"] == delivered["charges"]["brokerage"] == 0
    assert sold["charges"]["stamp_duty"] == 0
    assert bought["charges"]["brokerage"] == pytest.approx(3.0)


@pytest.mark.parametrize("wrong", [SHARE | {"tradingsymbol": "X"}, SHARE | {"transaction_type": "HOLD"}, {}])
async def test_wrong_questions(rest: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    for path in ("/margins/orders", "/margins/basket", "/charges/orders"):
        refused = await rest.post(path, json=[SHARE, wrong])
        assert (refused.status_code, refused.json()["error_type"]) == (400, "InputException")
