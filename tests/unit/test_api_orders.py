"""Single orders over REST: what the desk is asked, how its answers and errors read."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.served import Served

from sangam.model.enums import Action, Exchange, PriceType, Product, Scope
from sangam.model.errors import (
    Conflict,
    Denied,
    InDoubt,
    NotSent,
    OrderNotFound,
    RateLimited,
    Refused,
    Rejected,
    SessionExpired,
    StoreError,
    Unknown,
    Unsupported,
)
from sangam.model.order import Change, Order, OrderNews, OrderState, Ticket, TradingMode, Validity

ORDER = {"symbol": "SBIN", "exchange": "NSE", "action": "BUY", "quantity": "5"}
LIMIT = {**ORDER, "pricetype": "LIMIT", "product": "CNC", "price": "1033.50"}
MODIFY = {**LIMIT, "trigger_price": "0", "disclosed_quantity": "0"}


async def placed(served: Served, **changes: Any) -> Order:
    reply = await served.order("placeorder", **{**LIMIT, **changes})
    assert reply.status_code == 200, reply.text
    return served.desk.book[0]


async def test_an_order_is_placed(served: Served) -> None:
    reply = await served.order(
        "placeorder",
        **{**LIMIT, "action": "buy", "trigger_price": "0", "disclosed_quantity": "2"},
        strategy="Python",
        tag="mine",
        target=5,
        underlying_ltp=None,
    )
    assert reply.content == b'{"status":"success","orderid":"260803000001","mode":"live"}'
    assert served.desk.placed() == [
        Ticket(
            symbol="SBIN",
            exchange=Exchange.NSE,
            action=Action.BUY,
            quantity=5,
            price_type=PriceType.LIMIT,
            product=Product.CNC,
            price=Decimal("1033.50"),
            disclosed_quantity=2,
            strategy="Python",
            tag="mine",
        )
    ]


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({}, "price_type", PriceType.MARKET),
        ({}, "product", Product.MIS),
        ({"price_type": "LIMIT", "price": 3.05}, "price_type", PriceType.LIMIT),
        ({"price": 3.05}, "price", Decimal("3.05")),
        ({"price": "0.0025"}, "price", Decimal("0.0025")),
        ({"price": 7}, "price", Decimal(7)),
        ({"quantity": 5.0}, "quantity", 5),
        ({"quantity": "5.0"}, "quantity", 5),
        ({"quantity": 5}, "quantity", 5),
        ({"validity": "IOC"}, "validity", Validity.IOC),
        ({"timeout_ms": "500"}, "wait_ms", 500),
        ({"symbol": 500112}, "symbol", "500112"),
    ],
)
async def test_leniencies(served: Served, changes: dict[str, Any], field: str, value: Any) -> None:
    reply = await served.order("placeorder", **{**ORDER, **changes})
    assert reply.status_code == 200, reply.text
    assert getattr(served.desk.placed()[0], field) == value


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"quantity": 0}, "{'quantity': ['Must be greater than 0.']}"),
        ({"quantity": "1.9"}, "Fractional quantity (1.9) is not allowed for non-crypto exchanges."),
        ({"quantity": True}, "{'quantity': ['Not a valid number.']}"),
        ({"quantity": "nan"}, "Special numeric values"),
        ({"quantity": None}, "{'quantity': ['Field may not be null.']}"),
        ({"quantity": []}, "Not a valid number."),
        ({"price": -1}, "{'price': ['Must be greater than or equal to 0.']}"),
        ({"price": "x"}, "{'price': ['Not a valid number.']}"),
        ({"price": "1e-999999"}, "{'price': ['Not a valid number.']}"),
        ({"price": "1e999999"}, "{'price': ['Not a valid number.']}"),
        ({"price": "Infinity"}, "Special numeric values"),
        ({"action": "Buy"}, "{'action': ['Must be one of: BUY, SELL, buy, sell.']}"),
        ({"pricetype": "limit"}, "{'pricetype': ['Must be one of: MARKET, LIMIT, SL, SL-M.']}"),
        ({"product": "BO"}, "{'product': ['Must be one of: CNC, NRML, MIS.']}"),
        ({"exchange": "nse"}, "{'exchange': ['Must be one of: NSE, "),
        ({"disclosed_quantity": -1}, "Must be greater than or equal to 0."),
        ({"tag": "x" * 21}, "Longer than maximum length 20."),
        ({"client_order_id": "x" * 37}, "Longer than maximum length 36."),
        ({"timeout_ms": 60_001}, "Must be less than or equal to 60000."),
    ],
)
async def test_faults_are_a_text_and_nothing_is_asked(served: Served, changes: dict[str, Any], told: str) -> None:
    reply = await served.order("placeorder", **{**ORDER, **changes})
    body = reply.json()
    assert (reply.status_code, body["error_code"], body["mode"]) == (400, "INVALID_INPUT", "live")
    assert told in body["message"]
    assert served.desk.asked == []


async def test_what_is_missing_and_whose_mode(served: Served) -> None:
    served.desk.mode = TradingMode.PAPER
    body = (await served.order("placeorder", symbol="SBIN")).json()
    assert body["message"].startswith("{'exchange': ['Missing data for required field.'], 'action': [")
    assert body["mode"] == "analyze"
    nobody = (await served.client.post("/api/v1/placeorder", json={})).json()
    assert "'apikey': ['Missing data for required field.']" in nobody["message"]
    reply = await served.client.post("/api/v1/placeorder", json={"apikey": "wrong"})
    assert "mode" not in reply.json()
    reply = await served.client.post("/api/v1/placeorder", json=[1])
    assert reply.status_code == 400


async def test_a_client_order_id_by_field_or_header(served: Served) -> None:
    told = (await served.order("placeorder", **ORDER, client_order_id="A-1")).json()
    assert told == {"status": "success", "orderid": "260803000001", "client_order_id": "A-1", "mode": "live"}
    again = await served.order("placeorder", {"Idempotency-Key": "A-1"}, **ORDER)
    assert again.json() == told
    reply = await served.order("placeorder", {"Idempotency-Key": "A-2"}, **ORDER, client_order_id="A-1")
    assert (reply.status_code, "differ. Nothing was sent." in reply.json()["message"]) == (400, True)
    reply = await served.order("placeorder", {"Idempotency-Key": "x" * 37}, **ORDER)
    assert (reply.status_code, "longer than 36" in reply.json()["message"]) == (400, True)
    assert len(served.desk.placed()) == 2


STANDING = {"orderid": "260803000001", "state": "unknown", "client_order_id": "A-1"}


@pytest.mark.parametrize(
    ("fault", "status", "code", "text"),
    [
        (Denied("off tick", "INVALID_ORDER"), 400, "INVALID_ORDER", "off tick"),
        (Denied("closed", "MARKET_CLOSED"), 400, "MARKET_CLOSED", "closed"),
        (Conflict("an equal order is in doubt"), 409, "ORDER_ERROR", "an equal order is in doubt"),
        (OrderNotFound("Order 5 not found"), 404, "INVALID_INPUT", "Order 5 not found"),
        (Rejected("RMS: margin", "INSUFFICIENT_MARGIN"), 400, "INSUFFICIENT_MARGIN", "RMS: margin"),
        (Rejected("no", "ODD"), 400, "ORDER_ERROR", "no"),
        (InDoubt("no evidence in 8 s"), 504, "OUTCOME_UNKNOWN", "Outcome unknown, do not repeat. no evidence in 8 s"),
        (InDoubt("outcome unknown, do not repeat"), 504, "OUTCOME_UNKNOWN", "outcome unknown, do not repeat"),
        (Unknown("reset"), 504, "OUTCOME_UNKNOWN", "Outcome unknown, do not repeat. reset"),
        (Unknown("reset").unsent(), 504, "NETWORK_ERROR", "reset"),
        (Unsupported("not for this broker"), 501, "UNSUPPORTED", "not for this broker"),
        (StoreError("disk full"), 503, "STORE_ERROR", "disk full"),
        (RateLimited("slow down"), 429, "RATE_LIMITED", "slow down Nothing was sent."),
        (SessionExpired("log in again"), 403, "INVALID_TOKEN", "log in again"),
        (Refused("bad price", "INVALID_ORDER"), 400, "INVALID_ORDER", "bad price"),
        (Refused("bad price"), 400, "ORDER_ERROR", "bad price"),
        (NotSent("no route"), 502, "NETWORK_ERROR", "no route"),
    ],
)
async def test_errors_of_a_placement(served: Served, fault: Exception, status: int, code: str, text: str) -> None:
    served.desk.mode = TradingMode.PAPER
    served.desk.faults["place"] = fault
    reply = await served.order("placeorder", **ORDER)
    body = reply.json()
    assert (reply.status_code, body["status"], body["error_code"], body["message"]) == (status, "error", code, text)
    assert (body["broker"], body["mode"]) == ("example", "analyze")
    assert "orderid" not in body


async def test_an_error_names_its_order(served: Served) -> None:
    order = await placed(served, client_order_id="A-1")
    served.desk.faults["place"] = InDoubt("?", order=_with(order, state=OrderState.UNKNOWN))
    body = (await served.order("placeorder", **ORDER)).json()
    assert {name: body[name] for name in STANDING} == STANDING
    served.desk.faults["place"] = InDoubt("?", order=_with(order, order_id="", client_order_id=""))
    body = (await served.order("placeorder", **ORDER)).json()
    assert (body["orderid"], "client_order_id" in body) == (order.id, False)


def _with(order: Order, **changes: Any) -> Order:
    return msgspec.structs.replace(order, **changes)


async def test_what_the_desk_refuses_about_the_caller(served: Served) -> None:
    served.desk.faults["caller"] = Denied("This key trades live only.")
    reply = await served.order("placeorder", **ORDER)
    assert (reply.status_code, reply.json()["message"]) == (400, "This key trades live only.")
    reply = await served.order("placeorder", **ORDER, account="nowhere")
    assert (reply.status_code, reply.json()["message"]) == (404, "You have no account 'nowhere'.")


async def test_the_rate_of_orders_is_their_own_and_says_that_nothing_was_sent(served: Served) -> None:
    def ask(path: str, **body: Any) -> Any:
        return served.client.post(f"/api/v1/{path}", json={"apikey": served.trading_key, **body})

    assert [(await ask("placeorder", **ORDER)).status_code for _ in range(4)] == [200, 200, 200, 429]
    reply = await ask("cancelorder", orderid="1")
    assert reply.status_code == 429
    assert reply.json()["message"] == ("Rate limit exceeded. Please slow down your requests. Nothing was sent.")
    assert reply.headers["Retry-After"] == "1"
    served.house.clock.advance(1)
    smart = {**ORDER, "position_size": 1}
    assert [(await ask("placesmartorder", **smart)).status_code for _ in range(3)] == [200, 200, 429]
    assert [(await ask("orderbook")).status_code for _ in range(3)] == [200, 200, 429]
    assert "Nothing" not in (await ask("orderbook")).json()["message"]


async def test_scopes(served: Served) -> None:
    reader, _ = served.house.accounts.keys.create("asha", [Scope.ORDERS_READ])
    reply = await served.order("placeorder", **{**ORDER, "apikey": reader})
    assert (reply.status_code, reply.json()["error_code"]) == (403, "INSUFFICIENT_PERMISSION")
    assert (await served.order("orderbook", apikey=reader)).status_code == 200
    reply = await served.order("orderbook", apikey=served.key)
    assert (reply.status_code, reply.json()["error_code"]) == (403, "INSUFFICIENT_PERMISSION")


# --- smart order ------------------------------------------------------------------------------------------------------


async def test_a_smart_order(served: Served) -> None:
    told = (await served.order("placesmartorder", **{**LIMIT, "quantity": 0}, position_size="-5")).json()
    assert told == {"status": "success", "orderid": "260803000001", "mode": "live"}
    ticket = served.desk.placed()[0]
    assert (ticket.action, ticket.quantity, ticket.price_type) == (Action.SELL, 5, PriceType.LIMIT)
    told = (await served.order("placesmartorder", **{**ORDER, "quantity": "0"}, position_size=0)).json()
    assert told == {
        "status": "success",
        "message": "No OpenPosition Found. Not placing Exit order.",
        "mode": "live",
    }
    reply = await served.order("placesmartorder", **ORDER)
    assert reply.json()["message"] == "{'position_size': ['Missing data for required field.']}"
    served.desk.faults["positions"] = Unknown("no answer")
    reply = await served.order("placesmartorder", **ORDER, position_size=0)
    assert (reply.status_code, reply.json()["error_code"]) == (504, "NETWORK_ERROR")
    reply = await served.order("placesmartorder", **{**ORDER, "symbol": "NOPE"}, position_size=0)
    assert (reply.status_code, reply.json()["message"][:21]) == (400, "Symbol 'NOPE' not fou")


# --- modify, cancel, status -------------------------------------------------------------------------------------------


async def test_a_modification_is_a_whole_set_of_terms(served: Served) -> None:
    order = await placed(served)
    reply = await served.order(
        "modifyorder", **{**MODIFY, "quantity": "7", "price": "1034.05"}, orderid=int(order.order_id), strategy="x"
    )
    assert reply.json() == {
        "status": "success",
        "orderid": order.order_id,
        "message": "Order modified successfully",
        "mode": "live",
    }
    change = Change(quantity=7, price_type=PriceType.LIMIT, price=Decimal("1034.05"))
    assert served.desk.asked[-1] == ("modify", order.order_id, change)


@pytest.mark.parametrize(
    "changes", [{"symbol": "TCS"}, {"exchange": "BSE"}, {"action": "SELL"}, {"product": "MIS"}], ids=str
)
async def test_a_modification_of_another_order_than_named(served: Served, changes: dict[str, str]) -> None:
    order = await placed(served)
    reply = await served.order("modifyorder", **{**MODIFY, **changes}, orderid=order.order_id)
    assert (reply.status_code, reply.json()["error_code"]) == (400, "INVALID_ORDER")
    assert reply.json()["message"].startswith(f"Order {order.order_id} is BUY NSE:SBIN in CNC: ")
    assert reply.json()["orderid"] == order.order_id
    assert served.desk.asked[-1][0] == "place"


async def test_modifications_that_fail(served: Served) -> None:
    reply = await served.order("modifyorder", **MODIFY, orderid="404")
    assert (reply.status_code, reply.json()["message"]) == (404, "Order 404 not found")
    reply = await served.order("modifyorder", orderid="404")
    assert set(_complaints(reply.json()["message"])) == {
        "exchange", "symbol", "action", "product", "pricetype", "price", "quantity",
    }  # fmt: skip
    order = await placed(served)
    served.desk.faults["modify"] = Denied("Cannot modify order in complete status", order=order)
    reply = await served.order("modifyorder", **MODIFY, orderid=order.order_id)
    assert (reply.status_code, reply.json()["message"]) == (400, "Cannot modify order in complete status")


def _complaints(message: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(message.replace("'", '"'))
    return fields


async def test_a_cancel(served: Served) -> None:
    order = await placed(served)
    reply = await served.order("cancelorder", orderid=order.order_id, strategy="Python")
    assert reply.json() == {
        "status": "success",
        "orderid": order.order_id,
        "message": "Order cancelled successfully",
        "mode": "live",
    }
    reply = await served.order("cancelorder", orderid="404")
    assert (reply.status_code, reply.json()["message"], reply.json()["mode"]) == (404, "Order 404 not found", "live")
    reply = await served.order("cancelorder")
    assert reply.json()["message"] == "{'orderid': ['Missing data for required field.']}"


async def test_the_status_of_an_order(served: Served) -> None:
    served.desk.fills = OrderState.PARTIALLY_FILLED
    order = await placed(served, strategy="S", client_order_id="A")
    for reference in (order.order_id, int(order.order_id), order.id, "A"):
        data = (await served.order("orderstatus", orderid=reference)).json()["data"]
        assert data == {
            "action": "BUY",
            "symbol": "SBIN",
            "exchange": "NSE",
            "orderid": "260803000001",
            "product": "CNC",
            "quantity": 5,
            "price": 1033.5,
            "pricetype": "LIMIT",
            "order_status": "open",
            "trigger_price": 0.0,
            "timestamp": "2026-08-03 10:00:00",
            "average_price": 0.0,
            "filled_quantity": 0,
            "pending_quantity": 5,
            "rejection_reason": "",
            "strategy": "S",
            "state": "partially filled",
            "reason": "",
            "error_code": "",
            "id": "L-0000000001",
            "client_order_id": "A",
            "tag": "",
            "validity": "DAY",
            "conversion": "",
            "price_type": "LIMIT",
        }
    reply = await served.order("orderstatus", orderid="404")
    assert (reply.status_code, reply.json()["message"]) == (404, "Order 404 not found")


async def test_an_order_that_only_the_book_tells(served: Served) -> None:
    order = await placed(served)
    served.desk.unheard = [served.desk.book.pop()]
    assert (await served.order("orderstatus", orderid=order.order_id)).json()["data"]["id"] == order.id


# --- ours -------------------------------------------------------------------------------------------------------------


async def test_an_order_in_doubt_is_settled_on_the_record(served: Served) -> None:
    served.desk.fills = OrderState.UNKNOWN
    order = await placed(served)
    body = {"orderid": order.id, "outcome": "complete", "note": "seen in the broker's app"}
    told = (await served.order("orders/resolve", **body)).json()
    assert (told["data"]["state"], told["mode"]) == ("complete", "live")
    assert served.desk.asked[-1] == ("resolve", order.id, "complete", "seen in the broker's app")
    for wrong in ({"outcome": "unknown"}, {"note": ""}):
        assert (await served.order("orders/resolve", **{**body, **wrong})).status_code == 400
    served.desk.faults["resolve"] = Denied("Order is complete already.")
    assert (await served.order("orders/resolve", **body)).status_code == 400


async def test_events_since_a_number(served: Served) -> None:
    served.desk.news = [
        OrderNews(1, served.account.id, b'{"type":"ORDER_PLACED","seq":1}', b"{}"),
        OrderNews(2, "foreign", b'{"type":"ORDER_PLACED","seq":2}', b"{}"),
        OrderNews(3, served.account.id, b'{"type":"ORDER_FILLED","seq":3}', b"{}"),
    ]
    told = (await served.order("orders/events")).json()
    assert told == {
        "status": "success",
        "data": [{"type": "ORDER_PLACED", "seq": 1}, {"type": "ORDER_FILLED", "seq": 3}],
        "last_event": 3,
    }
    assert [row["seq"] for row in (await served.order("orders/events", since="1")).json()["data"]] == [3]
    assert (await served.order("orders/events", since=-1)).status_code == 400
