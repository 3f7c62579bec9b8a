"""Order events as clients hear them (issue 4, item 10, and contract-ws.md 3.5)."""

import json
from decimal import Decimal

import pytest
from tests.orders_support import ACCOUNT, NOW_MS, an_order

from sangam.model.enums import PriceType
from sangam.model.order import OrderState, TradingMode
from sangam.orders.events import iso_time, order_news
from sangam.orders.journal import EventKind

ORDER = an_order(
    order_id="250803000001",
    client_order_id="mine-1",
    price_type=PriceType.SL,
    trigger_price=Decimal("620"),
    state=OrderState.PARTIALLY_FILLED,
    filled_quantity=4,
    average_price=625.25,
    tag="ABC",
    strategy="momentum",
    updated_at=NOW_MS + 5,
)


def test_the_event_has_every_field() -> None:
    news = order_news(EventKind.PARTIALLY_FILLED, 7, ORDER)
    assert (news.seq, news.account) == (7, ACCOUNT)
    message = json.loads(news.event)
    assert message == {
        "type": "ORDER_PARTIALLY_FILLED",
        "order_id": "250803000001",
        "client_order_id": "mine-1",
        "symbol": "SBIN",
        "exchange": "NSE",
        "quantity": 10,
        "price": 625.5,
        "side": "BUY",
        "status": "PARTIALLY FILLED",
        "timestamp": "2025-11-26T04:00:00.005Z",
        "seq": 7,
        "id": "L-AAAAAAAAAA",
        "account": ACCOUNT,
        "broker": "toy",
        "mode": "live",
        "product": "MIS",
        "price_type": "SL",
        "trigger_price": 620.0,
        "filled_quantity": 4,
        "pending_quantity": 6,
        "average_price": 625.25,
        "reason": "",
        "code": "",
        "tag": "ABC",
        "strategy": "momentum",
    }


def test_the_order_update_has_every_field_of_the_contract() -> None:
    message = json.loads(order_news(EventKind.PARTIALLY_FILLED, 7, ORDER).update)
    assert message == {
        "type": "order_update",
        "user_id": "u",
        "account": ACCOUNT,
        "mode": "live",
        "broker": "toy",
        "orderid": "250803000001",
        "symbol": "SBIN",
        "exchange": "NSE",
        "action": "BUY",
        "quantity": 10,
        "filled_quantity": 4,
        "pending_quantity": 6,
        "price": 625.5,
        "trigger_price": 620.0,
        "average_price": 625.25,
        "pricetype": "SL",
        "product": "MIS",
        "order_status": "open",
        "rejection_reason": "",
        "tag": "ABC",
        "timestamp": NOW_MS + 5,
    }
    for name in ("price", "trigger_price", "average_price"):
        assert type(message[name]) is float
    for name in ("quantity", "filled_quantity", "pending_quantity", "timestamp"):
        assert type(message[name]) is int


@pytest.mark.parametrize(
    ("state", "status", "outward"),
    [
        (OrderState.PENDING, "PENDING", "open"),
        (OrderState.SENT, "PENDING", "open"),
        (OrderState.UNKNOWN, "UNKNOWN", "open"),
        (OrderState.TRIGGER_PENDING, "TRIGGER PENDING", "trigger pending"),
        (OrderState.DENIED, "DENIED", "rejected"),
        (OrderState.REJECTED, "REJECTED", "rejected"),
        (OrderState.EXPIRED, "EXPIRED", "cancelled"),
    ],
)
def test_states_in_both_languages(state: OrderState, status: str, outward: str) -> None:
    order = an_order(state=state, reason="why", code="ORDER_ERROR")
    news = order_news(EventKind.PLACED, 1, order)
    event, update = json.loads(news.event), json.loads(news.update)
    assert (event["status"], event["reason"], update["order_status"]) == (status, "why", outward)
    assert update["rejection_reason"] == ("why" if outward == "rejected" else "")


def test_paper_is_said_to_be_paper_and_our_id_stands_where_there_is_no_other() -> None:
    order = an_order(mode=TradingMode.PAPER, id="P-AAAAAAAAAA")
    news = order_news(EventKind.UNKNOWN, 1, order)
    event, update = json.loads(news.event), json.loads(news.update)
    assert (event["mode"], update["mode"]) == ("analyze", "analyze")
    assert (event["order_id"], update["orderid"]) == ("", "P-AAAAAAAAAA")


def test_times_have_milliseconds() -> None:
    assert iso_time(1_770_028_245_000) == "2026-02-02T10:30:45.000Z"
