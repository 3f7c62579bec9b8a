"""Kite's order routes: what they take, what they refuse at once, what they reject in the book, and their limits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx
import pytest

from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Action, PriceType
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange
from sangam.simulators.zerodha import Zerodha

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)
SHARE = {"exchange": "NSE", "tradingsymbol": "SBIN", "transaction_type": "BUY", "quantity": "10", "product": "MIS"}
LIMIT = SHARE | {"order_type": "LIMIT", "price": "1000", "validity": "DAY"}
MARKET = SHARE | {"order_type": "MARKET"}
STOP = SHARE | {"order_type": "SL-M", "trigger_price": "1050"}


class Desk:
    """The simulator, a client, and the clock of both."""

    def __init__(self, broker: Zerodha, clock: ManualClock, rest: httpx.AsyncClient) -> None:
        self.broker, self.clock, self.rest = broker, clock, rest

    async def place(self, form: dict[str, str], variety: str = "regular") -> httpx.Response:
        return await self.rest.post(f"/orders/{variety}", data=form)

    async def placed(self, form: dict[str, str], variety: str = "regular") -> str:
        reply = await self.place(form, variety)
        assert reply.status_code == 200, reply.text
        order_id: str = reply.json()["data"]["order_id"]
        return order_id

    async def row(self, order_id: str) -> dict[str, Any]:
        book = (await self.rest.get("/orders")).json()["data"]
        (row,) = (row for row in book if row["order_id"] == order_id)
        found: dict[str, Any] = row
        return found


@asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[Desk]:
    clock = ManualClock(MORNING)
    async with Zerodha(Exchange(clock=clock), **options) as broker:
        headers = {"Authorization": f"token {broker.login.api_key}:{broker.login.access_token}"}
        async with httpx.AsyncClient(base_url=broker.hosts["api"], headers=headers, trust_env=False) as rest:
            yield Desk(broker, clock, rest)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with opened() as desk:
        yield desk


def told(reply: httpx.Response) -> tuple[int, str, str]:
    body = reply.json()
    assert (body["status"], body["data"]) == ("error", None)
    return reply.status_code, body["error_type"], body["message"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"quantity": ""}, "Missing or empty field `quantity`"),
        ({"quantity": "1.5"}, "Invalid `quantity`."),
        ({"quantity": "0"}, "Invalid `quantity`."),
        ({"price": "nan"}, "Invalid `price`."),
        ({"price": ""}, "Missing or empty field `price`"),
        ({"order_type": "ICEBERG"}, "Invalid `order_type`."),
        ({"order_type": "SL"}, "Missing or empty field `trigger_price`"),
        ({"transaction_type": "HOLD"}, "Invalid `transaction_type`."),
        ({"product": "NRML"}, "Invalid `product`."),
        ({"validity": "GTC"}, "Invalid `validity`."),
        ({"tag": "twenty one characters"}, "Invalid `tag`. It should be alphanumeric and at most 20 characters."),
        ({"tag": "a" * 21}, "Invalid `tag`. It should be alphanumeric and at most 20 characters."),
        ({"market_protection": "101"}, "Invalid `market_protection`."),
        ({"tradingsymbol": "X"}, "The instrument you are placing an order for has either expired or does not exist."),
    ],
)
async def test_wrong_fields_are_told_at_once(desk: Desk, wrong: dict[str, str], message: str) -> None:
    assert told(await desk.place(LIMIT | wrong)) == (400, "InputException", message)
    assert desk.broker.exchange.ledger.orders == {}


async def test_what_the_exchange_refuses_is_rejected_in_the_book(desk: Desk) -> None:
    row = await desk.row(await desk.placed(LIMIT | {"price": "1000.03", "tag": "off"}))
    assert (row["status"], row["exchange_order_id"], row["tag"]) == ("REJECTED", None, "off")
    assert "tick size" in row["status_message"]


async def test_money_and_shares_are_checked(desk: Desk) -> None:
    dear = await desk.row(await desk.placed(LIMIT | {"quantity": "60000"}))
    assert dear["status_message"].startswith("Insufficient funds. Required margin is 12000000.00 but available margin")
    short = LIMIT | {"transaction_type": "SELL", "product": "CNC", "quantity": "101"}
    assert (await desk.row(await desk.placed(short)))["status"] == "REJECTED"
    desk.broker.refuses_early = True
    count = len(desk.broker.exchange.ledger.orders)
    assert told(await desk.place(LIMIT | {"quantity": "60000"}))[:2] == (400, "MarginException")
    assert told(await desk.place(short))[:2] == (400, "HoldingException")
    assert len(desk.broker.exchange.ledger.orders) == count
    assert (await desk.row(await desk.placed(short | {"quantity": "100"})))["status"] in ("OPEN", "COMPLETE")


async def test_strict_protection_refuses_naked_market_orders() -> None:
    async with opened(strict_protection=True) as desk:
        for form in (MARKET, STOP):
            assert told(await desk.place(form))[:2] == (400, "InputException")
            await desk.placed(form | {"market_protection": "-1"})
        order_id = await desk.placed(LIMIT)
        changed = {"order_type": "MARKET"}
        assert (await desk.rest.put(f"/orders/regular/{order_id}", data=changed)).status_code == 400
        protected = changed | {"market_protection": "5"}
        assert (await desk.rest.put(f"/orders/regular/{order_id}", data=protected)).status_code == 200
        assert (await desk.row(order_id))["status"] == "COMPLETE"


async def test_a_protected_market_order_is_a_limit_order_of_the_book(desk: Desk) -> None:
    market = desk.broker.named("NSE:SBIN")
    assert market is not None
    last = market.rupees(market.ltp)
    row = await desk.row(await desk.placed(MARKET | {"market_protection": "3", "tag": "mine"}))
    assert (row["order_type"], row["status"], row["market_protection"]) == ("LIMIT", "COMPLETE", 3)
    assert row["price"] == pytest.approx(last * 1.03, abs=0.1)
    assert row["average_price"] < row["price"]
    assert row["tags"] == ["mine", "mktp", "mktp:3.00"]
    stop = await desk.row(await desk.placed(STOP | {"market_protection": "-1"}))
    assert (stop["order_type"], stop["status"]) == ("SL", "TRIGGER PENDING")
    assert stop["price"] == pytest.approx(1050 * 1.02, abs=0.1)
    desk.broker.protects_as_limit = False
    plain = await desk.row(await desk.placed(MARKET | {"market_protection": "-1"}))
    assert (plain["order_type"], plain["price"], plain["market_protection"]) == ("MARKET", 0, -1)


async def test_after_market_orders_wait_for_the_morning(desk: Desk) -> None:
    order_id = await desk.placed(MARKET, "amo")
    assert (await desk.row(order_id))["status"] == "AMO REQ RECEIVED"
    path = f"/orders/amo/{order_id}"
    assert (await desk.rest.put(path, data={"quantity": "20"})).status_code == 200
    assert (await desk.row(order_id))["status"] == "MODIFY AMO REQ RECEIVED"
    assert told(await desk.rest.delete(f"/orders/regular/{order_id}"))[2] == "Invalid `variety`."
    desk.broker.exchange.release(order_id)
    row = await desk.row(order_id)
    assert (row["status"], row["filled_quantity"], row["variety"]) == ("COMPLETE", 20, "amo")


async def test_icebergs_and_ioc(desk: Desk) -> None:
    iceberg = LIMIT | {"iceberg_legs": "5", "iceberg_quantity": "2"}
    assert (await desk.row(await desk.placed(iceberg, "iceberg")))["meta"]["iceberg"]["legs"] == 5
    for wrong in ({"iceberg_legs": "1"}, {"iceberg_legs": "51"}, {"iceberg_quantity": "1"}):
        assert (await desk.place(iceberg | wrong, "iceberg")).status_code == 400
    row = await desk.row(await desk.placed(LIMIT | {"validity": "IOC"}))
    assert (row["validity"], row["status"], row["cancelled_quantity"]) == ("IOC", "CANCELLED", 10)


async def test_slices_answer_one_by_one(desk: Desk) -> None:
    future = {"exchange": "NFO", "tradingsymbol": "NIFTY26AUGFUT", "product": "NRML", "autoslice": "true"}
    form = LIMIT | future | {"price": "24000", "tag": "big"}
    small = (await desk.place(form | {"quantity": "65"})).json()["data"]
    assert "children" not in small
    desk.broker.refuses_early = True
    answer = (await desk.place(form | {"quantity": "3510"})).json()["data"]
    children = answer["children"]
    assert [row.keys() for row in children] == [{"order_id"}, {"error"}]
    assert children[1]["error"]["error_type"] == "MarginException"
    assert len(desk.broker.exchange.ledger.tagged(desk.broker.user_id, "big")) == 2
    parent = answer["order_id"]
    assert (await desk.row(children[0]["order_id"]))["tags"] == ["big", "autoslice", f"autoslice:{parent}"]


async def test_more_than_the_freeze_quantity_is_rejected(desk: Desk) -> None:
    future = {"exchange": "NFO", "tradingsymbol": "NIFTY26AUGFUT", "product": "NRML", "price": "24000"}
    row = await desk.row(await desk.placed(LIMIT | future | {"quantity": "1820"}))
    assert (row["status"], row["status_message"]) == (
        "REJECTED",
        "Quantity 1820 is more than the freeze quantity 1800.",
    )


async def test_only_ones_own_waiting_orders_are_changed(desk: Desk) -> None:
    order_id = await desk.placed(LIMIT)
    path = f"/orders/regular/{order_id}"
    for n in range(25):
        assert (await desk.rest.put(path, data={"quantity": str(20 + n)})).status_code == 200
    enough = "Maximum allowed order modifications exceeded."
    assert told(await desk.rest.put(path, data={"quantity": "7"})) == (429, "NetworkException", enough)
    assert desk.broker.too_many == 1
    assert (await desk.rest.delete(path)).json()["data"] == {"order_id": order_id}
    late = "Order cannot be cancelled as it is being processed. Try later."
    assert told(await desk.rest.delete(path)) == (400, "InputException", late)
    other = desk.broker.exchange.place("ELSE", "SBIN", Code.NSE, Action.BUY, 10, PriceType.LIMIT, price=1000.0)
    assert told(await desk.rest.delete(f"/orders/regular/{other.order_id}"))[2] == "Couldn't find that `order_id`."


async def test_the_limits_of_orders() -> None:
    async with opened(limits=True) as desk:
        replies = [await desk.place(LIMIT | {"tag": f"t{n}"}) for n in range(12)]
        assert [reply.status_code for reply in replies] == [200] * 10 + [429] * 2
        assert told(replies[11])[1] == "NetworkException"
        assert (desk.broker.too_many, len(desk.broker.exchange.ledger.orders)) == (2, 10)
        assert (await desk.rest.get("/orders")).status_code == 200, "reads have a lane of their own"
        for _ in range(39):
            desk.clock.advance(1.0)
            assert [(await desk.place(LIMIT)).status_code for _ in range(10)] == [200] * 10
        desk.clock.advance(1.0)
        assert (await desk.place(LIMIT)).status_code == 429, "400 a minute"
        desk.clock.advance(21.0)
        assert (await desk.place(LIMIT)).status_code == 200


async def test_nobody_trades_without_a_session(desk: Desk) -> None:
    desk.broker.expire_token()
    assert told(await desk.place(LIMIT))[:2] == (403, "TokenException")
    assert desk.broker.exchange.ledger.orders == {}
