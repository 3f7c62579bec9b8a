"""The simulator's rows beside Kite's published samples: the same fields, of the same kinds."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from tests.support import shared_data

from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Action, PriceType, Product
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange
from sangam.simulators.zerodha import Zerodha

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)
ORDER = {"exchange": "NSE", "tradingsymbol": "SBIN", "transaction_type": "BUY", "quantity": 1, "product": "CNC"}
ORDER |= {"variety": "regular", "order_type": "LIMIT", "price": 1000}
TRIGGER = {"exchange": "NSE", "tradingsymbol": "SBIN", "trigger_values": [500.0], "last_price": 1027.0}
OPTIONAL = {"validity_ttl", "iceberg", "tags", "auction_number", "terminal_id", "account_id", "meta_raw"}
"""What only some of the samples' order rows have."""


@pytest.fixture
async def rest() -> AsyncIterator[httpx.AsyncClient]:
    async with Zerodha(Exchange(clock=ManualClock(MORNING))) as broker:
        sbin, user = ("SBIN", Code.NSE), broker.user_id
        broker.exchange.place(user, *sbin, Action.BUY, 5, PriceType.LIMIT, price=1000.0, product=Product.CNC, tag="a")
        broker.exchange.place(user, *sbin, Action.BUY, 5, product=Product.CNC)
        headers = {"Authorization": f"token {broker.login.api_key}:{broker.login.access_token}"}
        async with httpx.AsyncClient(base_url=broker.hosts["api"], headers=headers, trust_env=False) as client:
            form = {"type": "single", "condition": json.dumps(TRIGGER), "orders": json.dumps([ORDER])}
            await client.post("/gtt/triggers", data=form)
            yield client


def kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def alike(ours: Any, sample: Any, at: str = "") -> list[str]:
    """Where our value lacks a field of the sample or has another kind there; null says nothing of the kind."""
    if ours is None or sample is None:
        return []
    if kind(ours) != kind(sample):
        return [f"{at}: {kind(ours)} for {kind(sample)}"]
    if isinstance(sample, dict):
        missing = [f"{at}/{name} is missing" for name in sample if name not in ours and name not in OPTIONAL]
        return missing + [w for name in sample if name in ours for w in alike(ours[name], sample[name], f"{at}/{name}")]
    if isinstance(sample, list) and sample and ours:
        return [wrong for one in sample for wrong in alike(ours[0], one, f"{at}[]")]
    return []


@pytest.mark.parametrize(
    ("path", "sample"),
    [
        ("/orders", "orders.json"),
        ("/trades", "order_trades.json"),
        ("/portfolio/holdings", "holdings.json"),
        ("/user/margins/equity", "margins_equity.json"),
        ("/user/margins/commodity", "margin_commodity.json"),
        ("/gtt/triggers", "gtt_get_orders.json"),
    ],
)
async def test_books(rest: httpx.AsyncClient, path: str, sample: str) -> None:
    published = json.loads(shared_data("zerodha", "mocks", sample).read_text())
    ours = (await rest.get(path)).json()
    assert ours["data"], path
    assert alike(ours, published) == []


@pytest.mark.parametrize(
    ("path", "sample"),
    [
        ("/margins/orders", "order_margins.json"),
        ("/margins/basket", "basket_margins.json"),
        ("/charges/orders", "virtual_contract_note.json"),
    ],
)
async def test_calculators(rest: httpx.AsyncClient, path: str, sample: str) -> None:
    published = json.loads(shared_data("zerodha", "mocks", sample).read_text())
    assert alike((await rest.post(path, json=[ORDER])).json(), published) == []


async def test_writes(rest: httpx.AsyncClient) -> None:
    form = {name: str(value) for name, value in ORDER.items() if name != "variety"}
    published = json.loads(shared_data("zerodha", "mocks", "order_response.json").read_text())
    assert alike((await rest.post("/orders/regular", data=form)).json(), published) == []
    history = json.loads(shared_data("zerodha", "mocks", "order_info.json").read_text())
    order_id = (await rest.get("/orders")).json()["data"][0]["order_id"]
    assert alike((await rest.get(f"/orders/{order_id}")).json(), history) == []


async def test_postbacks() -> None:
    published = json.loads(shared_data("zerodha", "mocks", "postback.json").read_text())
    broker = Zerodha(Exchange(clock=ManualClock(MORNING)))
    order = broker.exchange.place(broker.user_id, "SBIN", Code.NSE, Action.BUY, 5)
    ours = json.loads(broker.webhook(order.order_id))
    assert alike(ours, published) == []
    assert ours.keys() - published.keys() == {"validity_ttl"}
