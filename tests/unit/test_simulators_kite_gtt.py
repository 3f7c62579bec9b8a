"""GTT at the simulated Kite: triggers wait, fire on the exchange's price, and of two legs only one places its order."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange
from sangam.simulators.paths import Recorded
from sangam.simulators.zerodha import Zerodha

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)


class Shop:
    """SBIN goes from 1000 to 1060 and back to 940, in 100 seconds each."""

    def __init__(self, broker: Zerodha, clock: ManualClock, rest: httpx.AsyncClient) -> None:
        self.broker, self.clock, self.rest = broker, clock, rest

    def step(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1.0)
            self.broker.exchange.step(1.0)

    async def ask(self, method: str, path: str = "", **form: Any) -> httpx.Response:
        data = {name: value if isinstance(value, str) else json.dumps(value) for name, value in form.items()}
        return await self.rest.request(method, f"/gtt/triggers{path}", data=data or None)

    async def place(self, kind: str, values: list[float], price: float, **leg: Any) -> int:
        reply = await self.ask(
            "POST", type=kind, condition=condition(values), orders=[order(price, **leg)] * len(values)
        )
        assert reply.status_code == 200, reply.text
        number: int = reply.json()["data"]["trigger_id"]
        return number

    async def row(self, number: int) -> dict[str, Any]:
        row: dict[str, Any] = (await self.ask("GET", f"/{number}")).json()["data"]
        return row


def condition(values: list[float]) -> dict[str, Any]:
    return {"exchange": "NSE", "tradingsymbol": "SBIN", "trigger_values": values, "last_price": 1000.0}


def order(price: float, **more: Any) -> dict[str, Any]:
    plain = {"exchange": "NSE", "tradingsymbol": "SBIN", "transaction_type": "SELL", "quantity": 10}
    return plain | {"order_type": "LIMIT", "product": "CNC", "price": price} | more


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    clock = ManualClock(MORNING)
    path = Recorded([0.0, 100.0, 300.0], [1000.0, 1060.0, 940.0], smooth=True)
    async with Zerodha(Exchange(clock=clock, paths={"SBIN": path})) as broker:
        headers = {"Authorization": f"token {broker.login.api_key}:{broker.login.access_token}"}
        async with httpx.AsyncClient(base_url=broker.hosts["api"], headers=headers, trust_env=False) as rest:
            yield Shop(broker, clock, rest)


async def test_single_triggers_fire_from_either_side(shop: Shop) -> None:
    above, below = await shop.place("single", [1050.0], 1040.0), await shop.place("single", [950.0], 940.0)
    shop.step(60)
    assert (await shop.row(above))["status"] == "active"
    assert shop.broker.exchange.ledger.orders == {}
    shop.step(40)
    fired = await shop.row(above)
    assert fired["status"] == "triggered"
    result = fired["orders"][0]["result"]
    assert result["triggered_at"] >= 1050.0
    placed = shop.broker.exchange.ledger.orders[result["order_result"]["order_id"]]
    assert (placed.price, placed.quantity, placed.action, placed.product) == (1040.0, 10, "SELL", "CNC")
    assert (await shop.row(below))["status"] == "active"
    shop.step(200)
    assert (await shop.row(below))["orders"][0]["result"]["triggered_at"] <= 950.0
    assert len(shop.broker.exchange.ledger.orders) == 2


async def test_of_two_legs_one_places_its_order(shop: Shop) -> None:
    number = await shop.place("two-leg", [950.0, 1050.0], 1030.0)
    shop.step(300)
    row = await shop.row(number)
    assert row["status"] == "triggered"
    assert row["orders"][0]["result"] is None
    assert row["orders"][1]["result"]["order_result"]["status"] == "success"
    assert len(shop.broker.exchange.ledger.orders) == 1


async def test_what_the_exchange_refuses_is_told_in_the_result(shop: Shop) -> None:
    number = await shop.place("single", [1050.0], 1040.03)
    shop.step(100)
    result = (await shop.row(number))["orders"][0]["result"]["order_result"]
    assert result["status"] == "failed"
    assert "tick size" in result["rejection_reason"]


async def test_changed_and_deleted_triggers(shop: Shop) -> None:
    first, second = await shop.place("single", [1050.0], 1040.0), await shop.place("single", [1050.0], 1040.0)
    changed = await shop.ask("PUT", f"/{first}", type="single", condition=condition([900.0]), orders=[order(900.0)])
    assert changed.json()["data"] == {"trigger_id": first}
    assert (await shop.ask("DELETE", f"/{second}")).json()["data"] == {"trigger_id": second}
    shop.step(300)
    assert shop.broker.exchange.ledger.orders == {}
    listed = (await shop.ask("GET")).json()["data"]
    assert [(row["id"], row["status"]) for row in listed] == [(first, "active")]
    assert (await shop.row(second))["status"] == "deleted"
    for path in (f"/{second}", "/1"):
        assert (await shop.ask("DELETE", path)).status_code == 404
    assert (await shop.ask("GET", "/1")).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "three-leg"},
        {"type": "two-leg"},
        {"condition": "{"},
        {"condition": condition([1.0, 2.0])},
        {"condition": condition([1050.0]) | {"tradingsymbol": "NOBODY"}},
        {"condition": condition([1050.0]) | {"tradingsymbol": "NIFTY 50"}},
        {"orders": [order(1040.0, order_type="MARKET")]},
        {"orders": [order(1040.0, product="MIS")]},
        {"orders": [order(1040.0, quantity=0)]},
        {"type": "two-leg", "condition": condition([1040.0, 1050.0]), "orders": [order(1.0), order(2.0)]},
    ],
)
async def test_wrong_triggers(shop: Shop, wrong: dict[str, Any]) -> None:
    asked = {"type": "single", "condition": condition([1050.0]), "orders": [order(1040.0)]} | wrong
    refused = await shop.ask("POST", **asked)
    assert (refused.status_code, refused.json()["error_type"]) == (400, "InputException")
    assert shop.broker.gtt.triggers.all == {}


async def test_nobody_watches_after_the_last_trigger(shop: Shop) -> None:
    market = shop.broker.exchange.market("SBIN", Code.NSE)
    number = await shop.place("single", [1500.0], 1040.0)
    assert shop.broker.exchange.step(5.0) == [market]
    await shop.ask("DELETE", f"/{number}")
    assert shop.broker.exchange.step(5.0) == []
