"""News of orders: the socket's and the webhook's published samples, states, tags."""

import json
from typing import Any

import pytest
from tests.canned import result

from sangam.brokers.contract import BooksChanged, Ctx, LoggedIn, Notice, Send, Session
from sangam.brokers.fyers import SPEC
from sangam.brokers.fyers.updates import ORDERS, POSTBACK, OrderCodec
from sangam.model.errors import DecodeError
from sangam.model.order import OrderUpdate

SESSION = Session(account="a1", broker="fyers", generation=1, secrets={"api_key": "X-100", "access_token": "tok"})

RAW = {
    "client_id": "XP0001", "exchange": 10, "fy_token": "10100000001628", "id": "23121800292158",
    "id_fyers": "df013f50-6925-4e2d-ba0f-0becf1229298", "instrument": 0, "lot_size": 1, "offline_flag": False,
    "oms_flag": "K:1", "ord_source": "W", "ord_status": 20, "ord_type": 2, "ordertag": "2:Untagged",
    "org_ord_status": 4, "pan": "", "precision": 2, "price_multiplier": 1, "product_type": "CNC", "qty": 1,
    "qty_multiplier": 1, "qty_remaining": 1, "report_type": "New Ack", "segment": 10, "status_msg": "New Ack",
    "symbol": "NSE:BECTORFOOD-EQ", "symbol_desc": "MRS BECTORS FOOD SPE LTD", "symbol_exch": "BECTORFOOD",
    "tick_size": 0.05, "time_epoch_oms": 1702887690, "time_exch": "NA", "time_oms": "18-Dec-2023 13:51:30",
    "tran_side": 1, "update_time_epoch_oms": 1702887690, "update_time_exch": "01-Jan-1970 05:30:00", "validity": "DAY",
}  # fmt: skip
"""The official sample of the order socket (FyersDev/fyers-api-sample-code)."""

WEBHOOK = {
    "orderDateTime": "18-Jul-2023 11:44:29", "id": "23071800238607", "exchOrdId": "2500000061319029", "side": -1,
    "segment": 11, "instrument": 15, "productType": "MARGIN", "status": 2, "qty": 5400, "remainingQuantity": 0,
    "filledQty": 5400, "limitPrice": 2.15, "stopPrice": 0, "type": 2, "discloseQty": 0, "dqQtyRem": 0,
    "orderValidity": "DAY", "source": "M", "fyToken": "101123072754619", "offlineOrder": False, "message": "Completed",
    "orderNumStatus": "23071800238607:2", "tradedPrice": 2.15, "exchange": 10, "pan": "", "clientId": "xxxx",
    "symbol": "NSE:ABCAPITAL23JUL190CE",
}  # fmt: skip
"""The documentation's sample of a postback."""


def told(**fields: Any) -> OrderUpdate:
    (news,) = OrderCodec().received(json.dumps({"orders": RAW | fields, "s": "ok"}))
    assert isinstance(news, OrderUpdate)
    return news


def test_the_sample_of_the_order_socket() -> None:
    assert told() == OrderUpdate(
        order_id="23121800292158", brsymbol="NSE:BECTORFOOD-EQ", brexchange="nse_cm", action="BUY", quantity=1,
        status="open", product="CNC", price_type="MARKET", pending_quantity=1, timestamp=1_702_887_690_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("number", "kind", "filled", "status"),
    [
        (1, 1, 0, "cancelled"), (2, 1, 1, "complete"), (4, 1, 0, "open"), (5, 1, 0, "rejected"), (6, 1, 0, "open"),
        (7, 1, 0, "cancelled"), (6, 3, 0, "trigger pending"), (6, 4, 0, "trigger pending"),
        (4, 4, 0, "trigger pending"),
        (6, 4, 1, "open"), (2, 4, 1, "complete"), (99, 1, 0, "open"),
    ],
)  # fmt: skip
def test_states(number: int, kind: int, filled: int, status: str) -> None:
    assert told(org_ord_status=number, ord_type=kind, qty=2, qty_filled=filled).status == status


def test_a_reason_is_one_of_rejections_only() -> None:
    text = "RED:Margin Shortfall:INR 5,25,690.20 Available:INR 0.00 for C-XS45474 [FYERS_RISK_CUG]"
    assert told(org_ord_status=5, oms_msg=text).rejection_reason == text
    assert told(org_ord_status=2, oms_msg="Completed").rejection_reason == ""


@pytest.mark.parametrize(
    ("tag", "own"), [("1:ABC", "ABC"), ("1:1:x", "1:x"), ("2:Untagged", ""), ("2:auto", ""), (None, "")]
)
def test_tags_of_ours_have_a_one_before_them(tag: str | None, own: str) -> None:
    assert told(ordertag=tag).tag == own


def test_products_of_others_are_shown_by_the_nearest_and_strange_ones_by_none() -> None:
    found = [told(product_type=name).product for name in ("CNC", "INTRADAY", "MARGIN", "MTF", "CO", "BO", "NEW")]
    assert found == ["CNC", "MIS", "NRML", "CNC", "MIS", "MIS", ""]


def test_the_life_of_the_socket() -> None:
    endpoint = result(SPEC, ORDERS.open(SESSION, Ctx(0, bytes)))
    assert (endpoint.url, endpoint.headers) == ("wss://socket.fyers.in/trade/v3", {"authorization": "X-100:tok"})
    codec = ORDERS.codec(SESSION, endpoint, Ctx(0, bytes))
    assert list(codec.opened()) == [Send('{"T":"SUB_ORD","SLIST":["orders"],"SUB_T":1}')]
    assert list(codec.received('{"code":1605,"message":"Successfully subscribed","s":"ok"}')) == [LoggedIn()]
    assert list(codec.heartbeat()) == [Send("ping")]
    assert (
        list(codec.received("pong")) == list(codec.received('{"trades":{},"s":"ok"}')) == list(codec.update({})) == []
    )
    assert list(codec.received('{"code":-1,"message":"no","s":"error"}')) == [Notice("error", "no")]


@pytest.mark.parametrize("message", ["", "{", "[]", "null", '{"orders":7}', b"\xff\xfe", '{"orders":' + "[" * 9999, 7])
def test_damaged_news_is_damage(message: Any) -> None:
    with pytest.raises(DecodeError):
        list(OrderCodec().received(message))


@pytest.mark.parametrize("fields", [{"tran_side": 0}, {"qty": None}, {"org_ord_status": "2"}, {"id": 7}])
def test_news_in_an_unknown_form_sends_us_to_the_book(fields: dict[str, Any]) -> None:
    notice, changed = OrderCodec().received(json.dumps({"orders": RAW | fields, "s": "ok"}))
    assert isinstance(notice, Notice)
    assert changed == BooksChanged()


def test_the_sample_of_the_webhook() -> None:
    body = json.dumps(WEBHOOK).encode()
    assert POSTBACK.read(body, {}) == OrderUpdate(
        order_id="23071800238607", brsymbol="NSE:ABCAPITAL23JUL190CE", brexchange="nse_fo", action="SELL",
        quantity=5400, status="complete", product="NRML", price_type="MARKET", price=2.15,
        filled_quantity=5400, average_price=2.15, timestamp=1_689_660_869_000,
    )  # fmt: skip
    assert not POSTBACK.verified(body, {}, SESSION)
    with pytest.raises(DecodeError):
        POSTBACK.read(body[:50], {})
