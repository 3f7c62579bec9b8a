"""Kite's books over its REST: today's orders and trades, histories, positions, holdings and funds."""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Action, PriceType, Product
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange
from sangam.simulators.orders import Order
from sangam.simulators.zerodha import Zerodha

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)
BUY, SELL = Action.BUY, Action.SELL


class Books:
    def __init__(self, broker: Zerodha, clock: ManualClock, rest: httpx.AsyncClient) -> None:
        self.broker, self.clock, self.rest = broker, clock, rest

    def place(self, action: Action, quantity: int, **more: Any) -> Order:
        return self.broker.exchange.place(self.broker.user_id, "SBIN", Code.NSE, action, quantity, **more)

    def wait(self, quantity: int = 10, **more: Any) -> Order:
        return self.place(BUY, quantity, price_type=PriceType.LIMIT, price=1000.0, **more)

    async def get(self, path: str) -> Any:
        reply = await self.rest.get(path)
        assert reply.status_code == 200, reply.text
        return reply.json()["data"]

    async def sleep(self) -> None:
        self.clock.advance(86_400)
        self.broker.exchange.step(0.0)
        known = self.broker.new_login()
        self.rest.headers["Authorization"] = f"token {known['api_key']}:{known['access_token']}"


@pytest.fixture
async def books() -> AsyncIterator[Books]:
    clock = ManualClock(MORNING)
    async with Zerodha(Exchange(clock=clock)) as broker:
        headers = {"Authorization": f"token {broker.login.api_key}:{broker.login.access_token}"}
        async with httpx.AsyncClient(base_url=broker.hosts["api"], headers=headers, trust_env=False) as rest:
            yield Books(broker, clock, rest)


async def test_the_order_book_is_todays_and_ones_own(books: Books) -> None:
    first, second = books.wait(tag="a"), books.place(BUY, 5)
    held = books.place(BUY, 5, held=True, variety="amo")
    books.broker.exchange.place("ELSE", "SBIN", Code.NSE, BUY, 5)
    rows = await books.get("/orders")
    assert [row["order_id"] for row in rows] == [first.order_id, second.order_id, held.order_id]
    assert [row["status"] for row in rows] == ["OPEN", "COMPLETE", "AMO REQ RECEIVED"]
    assert (rows[0]["tag"], rows[0]["tags"], rows[0]["pending_quantity"]) == ("a", ["a"], 10)
    assert "tags" not in rows[1]
    assert await books.get("/orders") == rows
    books.broker.exchange.cancel(first.order_id)
    assert (await books.get("/orders"))[0]["status"] == "CANCELLED"
    await books.sleep()
    assert await books.get("/orders") == []
    assert await books.get("/trades") == []
    assert (await books.get(f"/orders/{first.order_id}"))[-1]["status"] == "CANCELLED"


async def test_five_thousand_open_orders(books: Books) -> None:
    orders = [books.wait(1, tag=f"t{n}") for n in range(5000)]
    rows = await books.get("/orders")
    assert [row["tag"] for row in rows] == [order.tag for order in orders]
    books.broker.exchange.modify(orders[7].order_id, quantity=9)
    assert (await books.get("/orders"))[7]["quantity"] == 9
    assert (await books.get("/user/margins/equity"))["utilised"]["span"] == pytest.approx(5008 * 200.0)


async def test_histories_and_trades(books: Books) -> None:
    stop = books.place(BUY, 5, price_type=PriceType.SL_M, trigger_price=1080.0)
    books.broker.exchange.modify(stop.order_id, trigger_price=1000.0)
    states = [row["status"] for row in await books.get(f"/orders/{stop.order_id}")]
    begin = ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "TRIGGER PENDING"]
    assert states == [*begin, "MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED", "OPEN", "COMPLETE"]
    (trade,) = await books.get(f"/orders/{stop.order_id}/trades")
    assert trade["order_timestamp"] == trade["fill_timestamp"][11:] == "10:00:00"
    assert await books.get("/trades") == [trade]
    rejected = books.place(BUY, 5, price_type=PriceType.LIMIT, price=1.0)
    states = [row["status"] for row in await books.get(f"/orders/{rejected.order_id}")]
    assert states == [*begin[:2], "REJECTED"]
    other = books.broker.exchange.place("ELSE", "SBIN", Code.NSE, BUY, 5)
    for path in (f"/orders/{other.order_id}", "/orders/1", "/orders/1/trades"):
        assert (await books.rest.get(path)).json()["error_type"] == "OrderException"


async def test_positions_of_the_day_and_of_yesterday(books: Books) -> None:
    future = ("NIFTY25AUG26FUT", Code.NFO)
    books.broker.exchange.place(books.broker.user_id, *future, BUY, 65, product=Product.NRML)
    await books.sleep()
    sold = books.broker.exchange.place(books.broker.user_id, *future, SELL, 130, product=Product.NRML)
    told = await books.get("/portfolio/positions")
    (net,), (day,) = told["net"], told["day"]
    assert (net["quantity"], net["overnight_quantity"], net["buy_quantity"], net["sell_quantity"]) == (-65, 65, 65, 130)
    assert (day["quantity"], day["overnight_quantity"], day["day_sell_quantity"]) == (-130, 0, 130)
    assert net["average_price"] == day["average_price"] == pytest.approx(sold.average_price)
    assert net["tradingsymbol"] == "NIFTY26AUGFUT"
    assert net["close_price"] > 0
    assert net["pnl"] == pytest.approx(net["sell_value"] - net["buy_value"] - 65 * net["last_price"], abs=0.01)


async def test_sold_shares_are_used(books: Books) -> None:
    books.place(SELL, 30, product=Product.CNC)
    rows = {row["tradingsymbol"]: row for row in await books.get("/portfolio/holdings")}
    assert [rows["SBIN"][name] for name in ("quantity", "used_quantity", "opening_quantity")] == [70, 30, 100]
    assert rows["INFY"]["quantity"] == 50
    await books.sleep()
    rows = {row["tradingsymbol"]: row for row in await books.get("/portfolio/holdings")}
    assert (rows["SBIN"]["quantity"], rows["SBIN"]["used_quantity"]) == (70, 0)


async def test_a_wrong_conversion_changes_nothing(books: Books) -> None:
    books.place(BUY, 10)
    form = {"exchange": "NSE", "tradingsymbol": "SBIN", "transaction_type": "BUY", "position_type": "day"}
    form |= {"quantity": "10", "old_product": "MIS", "new_product": "CNC"}
    for wrong in ({"quantity": "11"}, {"old_product": "X"}, {"tradingsymbol": "X"}, {"position_type": "week"}):
        refused = await books.rest.put("/portfolio/positions", data=form | wrong)
        assert (refused.status_code, refused.json()["error_type"]) == (400, "InputException")
    (net,) = (await books.get("/portfolio/positions"))["net"]
    assert (net["product"], net["quantity"]) == ("MIS", 10)


async def test_the_webhook_is_signed(books: Books) -> None:
    order = books.wait(tag="hook")
    told = json.loads(books.broker.webhook(order.order_id))
    signed = told["order_id"] + told["order_timestamp"] + books.broker.login.api_secret
    assert told["checksum"] == hashlib.sha256(signed.encode()).hexdigest()
    assert (told["status"], told["tag"], told["unfilled_quantity"]) == ("OPEN", "hook", 10)
