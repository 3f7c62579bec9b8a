"""Orders, conversions and GTTs: what goes out, and what an answer proves."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.canned import conduct, result

from sangam.brokers.contract import Ctx, Session
from sangam.brokers.fyers import SPEC
from sangam.model.books import Gtt, GttLeg
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import Refused, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, TradingMode, Validity

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="fyers", generation=1, secrets={"api_key": "X-100", "access_token": "tok"})
SBIN = Instrument(
    symbol="SBIN", exchange=Exchange.NSE, brsymbol="NSE:SBIN-EQ", brexchange="nse_cm", token="10100000003045"
)
ORDER = Order(
    id="L-ABCDEFGHJK", account="a1", user="u1", broker="fyers", mode=TradingMode.LIVE, symbol="SBIN",
    exchange=Exchange.NSE, action=Action.BUY, quantity=10, price_type=PriceType.LIMIT, product=Product.CNC,
    price=Decimal("800.50"), tag="my own tag!",
)  # fmt: skip
OPEN = msgspec.structs.replace(ORDER, order_id="808058117761")
CHANGE = Change(quantity=7, price_type=PriceType.LIMIT, price=Decimal(801))
TAKEN = {"s": "ok", "code": 1101, "message": "Order submitted successfully.", "id": "808058117761"}
assert SPEC.trading is not None
TRADING = SPEC.trading
assert TRADING.gtt is not None
GTT = TRADING.gtt
assert TRADING.convert is not None
convert = TRADING.convert


def placed(**terms: Any) -> dict[str, Any]:
    order = msgspec.structs.replace(ORDER, **terms)
    (request,), taken = conduct(SPEC, TRADING.place(order, SBIN, SESSION, CTX), (200, TAKEN))
    assert taken == Accepted(order_id="808058117761")
    assert (request.method, request.path, request.effect, request.lane) == (
        "POST", "/api/v3/orders/sync", "write", "orders",
    )  # fmt: skip
    body: dict[str, Any] = request.json
    return body


def test_a_limit_order() -> None:
    assert placed() == {
        "symbol": "NSE:SBIN-EQ", "qty": 10, "type": 1, "limitPrice": 800.5, "stopPrice": 0, "side": 1,
        "productType": "CNC", "validity": "DAY", "disclosedQty": 0, "offlineOrder": False,
        "orderTag": "ABCDEFGHJKmyowntag",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "number", "limit", "stop"),
    [("MARKET", 2, 0, 0), ("SL-M", 3, 0, 790.0), ("SL", 4, 800.5, 790.0), ("LIMIT", 1, 800.5, 0)],
)
def test_types(kind: str, number: int, limit: float, stop: float) -> None:
    body = placed(price_type=PriceType(kind), trigger_price=Decimal(790))
    assert (body["type"], body["limitPrice"], body["stopPrice"]) == (number, limit, stop)


def test_sides_products_and_the_rest() -> None:
    body = placed(action=Action.SELL, product=Product.MIS, validity=Validity.IOC, disclosed_quantity=5)
    assert (body["side"], body["productType"], body["validity"], body["disclosedQty"]) == (-1, "INTRADAY", "IOC", 5)
    assert placed(product=Product.NRML)["productType"] == "MARGIN"


@pytest.mark.parametrize(
    "answer", [{"s": "ok", "code": 1101}, TAKEN | {"id": ""}, TAKEN | {"id": 7}, TAKEN | {"code": 201}]
)
def test_an_answer_without_a_number_is_unknown(answer: dict[str, Any]) -> None:
    with pytest.raises(Unknown):
        result(SPEC, TRADING.place(ORDER, SBIN, SESSION, CTX), (200, answer))


def test_a_change_tells_what_changes() -> None:
    answer = (200, TAKEN | {"code": 1102})
    (request,), taken = conduct(SPEC, TRADING.modify(OPEN, CHANGE, SBIN, SESSION, CTX), answer)
    assert taken.order_id == "808058117761"
    assert (request.method, request.path) == ("PATCH", "/api/v3/orders/sync")
    assert request.json == {"id": "808058117761", "type": 1, "limitPrice": 801.0, "stopPrice": 0, "qty": 7}
    partly = msgspec.structs.replace(OPEN, filled_quantity=3, quantity=7, disclosed_quantity=2)
    (request,), _ = conduct(SPEC, TRADING.modify(partly, CHANGE, SBIN, SESSION, CTX), answer)
    assert "qty" not in request.json
    assert request.json["disclosedQty"] == 0


def test_the_validity_of_an_order_stays() -> None:
    ioc = msgspec.structs.replace(CHANGE, validity=Validity.IOC)
    with pytest.raises(Refused) as caught:
        result(SPEC, TRADING.modify(OPEN, ioc, SBIN, SESSION, CTX))
    assert not caught.value.sent


def test_a_cancel() -> None:
    (request,), taken = conduct(SPEC, TRADING.cancel(OPEN, SESSION, CTX), (200, TAKEN | {"code": 1103}))
    assert (request.method, request.json, taken.order_id) == ("DELETE", {"id": "808058117761"}, "808058117761")
    late = {"s": "error", "code": -52, "message": "Not a pending order"}
    with pytest.raises(Refused, match="Not a pending order"):
        result(SPEC, TRADING.cancel(OPEN, SESSION, CTX), (400, late))


# --- conversions ------------------------------------------------------------------------------------------------------


def position(net: int, bought_before: int = 0, sold_before: int = 0) -> dict[str, Any]:
    return {
        "id": "NSE:SBIN-EQ-INTRADAY", "symbol": "NSE:SBIN-EQ", "productType": "INTRADAY", "netQty": net, "buyAvg": 1.0,
        "sellAvg": 1.0, "ltp": 1.0, "pl": 0.0, "fyToken": "10100000003045", "cfBuyQty": bought_before,
        "cfSellQty": sold_before,
    }  # fmt: skip


DONE = {"s": "ok", "code": 200, "message": "Position Converted Successfully!!", "positionDetails": 1101}


@pytest.mark.parametrize(
    ("held", "asked", "side", "overnight"),
    [
        (position(10), 10, 1, 0),
        (position(-10), -4, -1, 0),
        (position(10, 10), 10, 1, 1),
        (position(-10, sold_before=10), -10, -1, 1),
        (position(15, 10), 5, 1, 0),
    ],
)
def test_a_conversion_says_whether_it_was_carried_over(
    held: dict[str, Any], asked: int, side: int, overnight: int
) -> None:
    operation = convert(SBIN, Product.MIS, Product.CNC, asked, SESSION, CTX)
    requests, _ = conduct(SPEC, operation, (200, {"s": "ok", "netPositions": [held]}), (200, DONE))
    assert (requests[1].method, requests[1].path, requests[1].effect) == ("POST", "/api/v3/positions", "write")
    assert requests[1].json == {
        "symbol": "NSE:SBIN-EQ-INTRADAY", "positionSide": side, "convertQty": abs(asked), "convertFrom": "INTRADAY",
        "convertTo": "CNC", "overnight": overnight,
    }  # fmt: skip


def test_what_is_not_held_is_not_converted() -> None:
    for rows in ([], [position(3)], [position(-10)]):
        operation = convert(SBIN, Product.MIS, Product.CNC, 10, SESSION, CTX)
        with pytest.raises(Refused) as caught:
            result(SPEC, operation, (200, {"s": "ok", "netPositions": rows}))
        assert not caught.value.sent


# --- triggers ---------------------------------------------------------------------------------------------------------

LOW = GttLeg(trigger=Decimal(700), action=Action.SELL, quantity=5, price=Decimal(699))
HIGH = GttLeg(trigger=Decimal(900), action=Action.SELL, quantity=4, price=Decimal("900.5"))
SET = {"s": "ok", "code": 1101, "message": "Successfully placed order", "id": "25012400002074"}
ROW = {
    "clientId": "X******", "exchange": 10, "fy_token": "10100000003045", "id_fyers": "c6697c04", "id": "25012400002074",
    "instrument": 0, "lot_size": 1, "multiplier": 0, "ord_status": 1, "precision": 2, "price_limit": 1020,
    "price2_limit": 620, "price_trigger": 1020, "price2_trigger": 620, "product_type": "CNC", "qty": 5, "qty2": 5,
    "report_type": "CANCELLED", "segment": 10, "symbol": "NSE:SBIN-EQ", "symbol_desc": "STATE BANK OF INDIA",
    "symbol_exch": "SBIN", "tick_size": 0.05, "tran_side": 1, "gtt_oco_ind": 2, "create_time": "24-Jan-2025 16:13:31",
    "create_time_epoch": 1737715411, "oms_msg": "GTT/OCO order cancelled successfully.", "ltp_ch": 0, "ltp_chp": 0,
    "ltp": 0,
}  # fmt: skip
"""The documentation's sample (fyers.md, 3)."""
WAITING = ROW | {"id": "7", "ord_status": 6, "tran_side": -1, "gtt_oco_ind": 1}


def test_one_trigger() -> None:
    (request,), number = conduct(SPEC, GTT.place(SBIN, [LOW], 800.0, SESSION, CTX), (200, SET))
    assert (request.method, request.path, request.effect, number) == (
        "POST", "/api/v3/gtt/orders/sync", "write", "25012400002074",
    )  # fmt: skip
    assert request.json == {
        "side": -1, "symbol": "NSE:SBIN-EQ", "productType": "CNC",
        "orderInfo": {"leg1": {"price": 699.0, "triggerPrice": 700.0, "qty": 5}},
    }  # fmt: skip


def test_of_two_the_upper_is_the_first() -> None:
    (request,), _ = conduct(SPEC, GTT.place(SBIN, [LOW, HIGH], 800.0, SESSION, CTX), (200, SET))
    assert request.json["orderInfo"] == {
        "leg1": {"price": 900.5, "triggerPrice": 900.0, "qty": 4},
        "leg2": {"price": 699.0, "triggerPrice": 700.0, "qty": 5},
    }
    other = msgspec.structs.replace(HIGH, action=Action.BUY)
    with pytest.raises(Refused) as caught:
        result(SPEC, GTT.place(SBIN, [LOW, other], 800.0, SESSION, CTX))
    assert not caught.value.sent


def test_triggers_are_changed_and_cancelled_by_their_number() -> None:
    waiting = (200, {"s": "ok", "orderBook": [WAITING]})
    (asked, request), number = conduct(
        SPEC, GTT.modify("7", SBIN, [LOW], 800.0, SESSION, CTX), waiting, (200, SET | {"id": "7"})
    )
    assert (asked.method, asked.effect) == ("GET", "read")
    assert (request.method, request.json["id"], number) == ("PATCH", "7", "7")
    assert request.json["orderInfo"]["leg1"]["qty"] == 5
    (request,), _ = conduct(SPEC, GTT.cancel("7", SESSION, CTX), (200, SET | {"id": "7"}))
    assert (request.method, request.json) == ("DELETE", {"id": "7"})


@pytest.mark.parametrize(
    "other",
    [{"tran_side": 1}, {"product_type": "MARGIN"}, {"symbol": "NSE:TCS-EQ"}, {"gtt_oco_ind": 2}, {"id": "8"}],
)
def test_a_change_that_would_leave_another_trigger_is_refused(other: dict[str, Any]) -> None:
    """It tells prices and quantities alone: side and product would stay as they were."""
    waiting = (200, {"s": "ok", "orderBook": [WAITING | other]})
    with pytest.raises(Refused) as caught:
        result(SPEC, GTT.modify("7", SBIN, [LOW], 800.0, SESSION, CTX), waiting)
    assert not caught.value.sent


def test_a_trigger_that_is_answered_without_its_number_is_unknown() -> None:
    for answer in (SET | {"id": ""}, {"s": "ok", "code": 1101}):
        with pytest.raises(Unknown):
            result(SPEC, GTT.place(SBIN, [LOW], 800.0, SESSION, CTX), (200, answer))


def test_the_published_row() -> None:
    (found,) = result(SPEC, GTT.list(SESSION, CTX), (200, {"s": "ok", "orderBook": [ROW]}))
    legs = [
        GttLeg(trigger=Decimal(price), action=Action.BUY, quantity=5, price=Decimal(price)) for price in (620, 1020)
    ]
    assert found == Gtt(
        trigger_id="25012400002074", brsymbol="NSE:SBIN-EQ", brexchange="nse_cm", legs=tuple(legs), status="cancelled",
        created_at=1_737_715_411_000,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["price_trigger", "price_limit", "price2_trigger"])
def test_a_trigger_without_a_price_is_no_list(name: str) -> None:
    with pytest.raises(Unknown):
        result(SPEC, GTT.list(SESSION, CTX), (200, {"s": "ok", "orderBook": [ROW | {name: "NaN"}]}))


def test_states_of_triggers_and_those_of_others() -> None:
    single = ROW | {"gtt_oco_ind": 1}
    rows = [single | {"ord_status": number} for number in (6, 4, 2, 5, 7, 1)] + [single | {"product_type": "MTF"}]
    found = result(SPEC, GTT.list(SESSION, CTX), (200, {"s": "ok", "orderBook": rows}))
    assert [each.status for each in found] == ["active", "active", "triggered", "rejected", "expired", "cancelled"]
    assert {len(each.legs) for each in found} == {1}
    assert result(SPEC, GTT.list(SESSION, CTX), (200, {"s": "ok", "orderBook": []})) == []
    with pytest.raises(Unknown):
        result(SPEC, GTT.list(SESSION, CTX), (200, {"s": "ok"}))
