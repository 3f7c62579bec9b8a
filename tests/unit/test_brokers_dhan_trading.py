"""Orders, conversions and forever orders: what goes out, and what an answer proves."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.contract import EMPTY, Ctx, Operation, Reply, Request, Session, Tag
from sangam.brokers.dhan import SPEC
from sangam.brokers.families.dhan.tables import EVIDENCE
from sangam.model.books import GttLeg
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import BrokerError, RateLimited, Refused, SessionExpired, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, TradingMode, Validity

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="dhan", generation=1, secrets={"client_id": "1000000001", "access_token": "jwt"})
TCS = Instrument(symbol="TCS", exchange=Exchange.NSE, brsymbol="TCS", brexchange="NSE_EQ", token="11536")
ORDER = Order(
    id="L-ABCDEFGHJK",
    account="a1",
    user="u1",
    broker="dhan",
    mode=TradingMode.LIVE,
    symbol="TCS",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=10,
    price_type=PriceType.LIMIT,
    product=Product.CNC,
    price=Decimal("3345.80"),
)
OPEN = msgspec.structs.replace(ORDER, order_id="112111182198")
CHANGE = Change(quantity=10, price_type=PriceType.LIMIT, price=Decimal("3340"))
TAKEN = {"orderId": "112111182198", "orderStatus": "TRANSIT"}
assert SPEC.trading is not None
TRADING = SPEC.trading
assert TRADING.gtt is not None
assert TRADING.convert is not None
GTT, convert = TRADING.gtt, TRADING.convert


def asked(operation: Operation[Any]) -> Request:
    request = next(operation)
    assert isinstance(request, Request)
    return request


def outcome(operation: Operation[Any], request: Request, payload: Any, status: int = 200) -> Any:
    """What an operation makes of one reply, as a driver hands it over; the operation ends with it."""
    with pytest.raises(StopIteration) as stop:
        operation.send(SPEC.check(request, Reply(status, {}, payload)))
    return stop.value.value


def body(request: Request) -> Mapping[str, Any]:
    told: Mapping[str, Any] = request.json
    return told


# --- what goes out ----------------------------------------------------------------------------------------------------


def test_a_limit_order() -> None:
    operation = TRADING.place(ORDER, TCS, SESSION, CTX)
    request = asked(operation)
    assert (request.method, request.host, request.path) == ("POST", "api", "/orders")
    assert (request.effect, request.lane) == ("write", "orders")
    assert request.json == {
        "dhanClientId": "1000000001",
        "correlationId": "ABCDEFGHJK",
        "transactionType": "BUY",
        "exchangeSegment": "NSE_EQ",
        "productType": "CNC",
        "securityId": "11536",
        "quantity": 10,
        "validity": "DAY",
        "afterMarketOrder": False,
        "orderType": "LIMIT",
        "price": 3345.8,
    }
    assert outcome(operation, request, TAKEN) == Accepted(order_id="112111182198")


@pytest.mark.parametrize(
    ("price_type", "terms"),
    [
        (PriceType.MARKET, {"orderType": "MARKET"}),
        (PriceType.LIMIT, {"orderType": "LIMIT", "price": 3345.8}),
        (PriceType.SL, {"orderType": "STOP_LOSS", "price": 3345.8, "triggerPrice": 3340.0}),
        (PriceType.SL_M, {"orderType": "STOP_LOSS_MARKET", "triggerPrice": 3340.0}),
    ],
)
def test_each_price_type_has_its_terms_and_no_empty_ones(price_type: PriceType, terms: dict[str, Any]) -> None:
    order = msgspec.structs.replace(ORDER, price_type=price_type, trigger_price=Decimal(3340))
    sent = body(asked(TRADING.place(order, TCS, SESSION, CTX)))
    assert {name: sent[name] for name in sent if name in ("orderType", "price", "triggerPrice")} == terms
    assert "" not in sent.values()
    change = Change(
        quantity=7, price_type=price_type, price=Decimal("3345.8"), trigger_price=Decimal(3340), validity=Validity.IOC
    )
    modified = body(asked(TRADING.modify(OPEN, change, TCS, SESSION, CTX)))
    assert modified == {
        "dhanClientId": "1000000001", "orderId": "112111182198", "quantity": 7, "validity": "IOC", **terms,
    }  # fmt: skip


@given(st.text(max_size=20))
def test_the_tag_is_ours_and_what_fits_of_the_callers(tag: str) -> None:
    sent = body(asked(TRADING.place(msgspec.structs.replace(ORDER, tag=tag), TCS, SESSION, CTX)))["correlationId"]
    assert sent.startswith("ABCDEFGHJK")
    assert sent.isalnum()
    assert len(sent) <= 25


def test_a_disclosed_quantity_is_told_and_taken_back() -> None:
    hidden = msgspec.structs.replace(OPEN, disclosed_quantity=5)
    assert body(asked(TRADING.place(hidden, TCS, SESSION, CTX)))["disclosedQuantity"] == 5
    assert body(asked(TRADING.modify(hidden, CHANGE, TCS, SESSION, CTX)))["disclosedQuantity"] == 0
    assert "disclosedQuantity" not in body(asked(TRADING.modify(OPEN, CHANGE, TCS, SESSION, CTX)))


def test_ids_cannot_leave_their_place() -> None:
    strange = msgspec.structs.replace(OPEN, order_id="../killswitch?x=1")
    request = asked(TRADING.cancel(strange, SESSION, CTX))
    assert (request.method, request.path, request.json) == ("DELETE", "/orders/..%2Fkillswitch%3Fx%3D1", None)


def test_the_tables_of_the_house() -> None:
    assert TRADING.tag == Tag("text", 25)
    assert [TRADING.takes(each) for each in PriceType] == [True, True, True, False]
    assert TRADING.products[Exchange.NSE] == {Product.CNC, Product.MIS}
    assert TRADING.products[Exchange.MCX] == {Product.NRML, Product.MIS}
    assert not [exchange for exchange in TRADING.products if exchange.is_index]


# --- what an answer proves --------------------------------------------------------------------------------------------

WRITE = Request(method="POST", host="api", path="/orders", effect="write", lane="orders")


def error(code: str, text: str, kind: str = "") -> dict[str, Any]:
    return {"errorType": kind, "errorCode": code, "errorMessage": text}


def verdict(status: int, payload: Any, request: Request = WRITE) -> BrokerError:
    with pytest.raises(BrokerError) as caught:
        SPEC.check(request, Reply(status, {}, payload))
    return caught.value


@pytest.mark.parametrize(
    ("status", "payload", "expected", "code"),
    [
        (400, error("DH-905", "quantity is required"), Refused, "INVALID_INPUT"),
        (400, error("DH-905", "Invalid IP"), Refused, "INSUFFICIENT_PERMISSION"),
        (400, error("DH-911", "Invalid IP"), Refused, "INSUFFICIENT_PERMISSION"),
        (400, error("DH-906", "Incorrect request for order and cannot be processed"), Refused, "ORDER_ERROR"),
        (400, error("DH-906", "Order is in Transit state"), Refused, "ORDER_ERROR"),
        (400, error("DH-906", "RMS:1:Fund Limit Insufficient By 2872.08"), Refused, "INSUFFICIENT_FUNDS"),
        (400, error("DH-906", "Invalid Token", "Order_Error"), SessionExpired, "INVALID_TOKEN"),
        (401, error("DH-901", "Client ID or token invalid"), SessionExpired, "INVALID_TOKEN"),
        (401, {}, SessionExpired, "INVALID_TOKEN"),
        (400, {"data": {"808": "Authentication Failed"}, "status": "failed"}, SessionExpired, "INVALID_TOKEN"),
        (400, {"data": {"806": "Not subscribed"}, "status": "failed"}, Refused, "INSUFFICIENT_PERMISSION"),
        (400, {"data": {"813": "Invalid SecurityId"}, "status": "failed"}, Refused, "INVALID_INPUT"),
        (429, error("DH-904", "Too many requests"), RateLimited, "RATE_LIMITED"),
        (400, {"data": {"805": "Too many requests"}, "status": "failed"}, RateLimited, "RATE_LIMITED"),
        (500, error("DH-908", "Internal"), Unknown, "OUTCOME_UNKNOWN"),
        (400, error("DH-909", "Network"), Unknown, "OUTCOME_UNKNOWN"),
        (400, error("DH-910", "Others"), Unknown, "OUTCOME_UNKNOWN"),
        (500, error("DH-905", "quantity is required"), Unknown, "OUTCOME_UNKNOWN"),
        (200, error("DH-905", "quantity is required"), Unknown, "OUTCOME_UNKNOWN"),
        (200, {"status": "failed", "remarks": "no"}, Unknown, "OUTCOME_UNKNOWN"),
        (404, {"timestamp": 1, "status": 404, "error": "Not Found", "path": "/"}, Unknown, "OUTCOME_UNKNOWN"),
        (502, "<html>Bad gateway", Unknown, "OUTCOME_UNKNOWN"),
        (500, error("DH-1111", "No holdings available"), Unknown, "OUTCOME_UNKNOWN"),
    ],
)
def test_a_refusal_needs_a_client_error_and_evidence(
    status: int, payload: Any, expected: type[BrokerError], code: str
) -> None:
    found = verdict(status, payload)
    assert (type(found), found.code) == (expected, code)


@pytest.mark.parametrize("code", ["DH-905", "DH-906", "806"])
def test_a_time_out_is_never_a_refusal_whatever_it_comes_with(code: str) -> None:
    """Promise 2."""
    for text in ("Request timed out", "INVALID IP: TIMEOUT"):
        assert type(verdict(400, error(code, text))) is Unknown


def test_the_text_tables_are_in_lower_case_and_apart() -> None:
    assert all(text == text.casefold() for text in (*EVIDENCE.doubts, *EVIDENCE.texts))
    assert not [text for text in EVIDENCE.texts if any(doubt in text for doubt in EVIDENCE.doubts)]


@pytest.mark.parametrize(
    ("code", "path"),
    [
        ("DH-1111", "/holdings"),
        ("DH-907", "/charts/intraday"),
        ("DH-907", "/marketfeed/quote"),
        ("DH-907", "/orders/external/x"),
    ],
)
def test_errors_that_say_that_nothing_is_there(code: str, path: str) -> None:
    read = Request(method="GET", host="api", path=path)
    assert SPEC.check(read, Reply(500, {}, error(code, "No holdings available"))) is EMPTY
    assert type(verdict(500, error(code, "No holdings available"))) is Unknown


@pytest.mark.parametrize("code", ["DH-907", "DH-1111"])
@pytest.mark.parametrize("path", ["/orders", "/orders/1", "/trades", "/positions", "/fundlimit", "/forever/orders"])
def test_data_that_could_not_be_had_are_no_empty_book(code: str, path: str) -> None:
    """Of DH-907 the documents say "unable to fetch data", too; what the order book lacks may be placed again."""
    read = Request(method="GET", host="api", path=path)
    for status in (200, 400, 500):
        assert type(verdict(status, error(code, "System is unable to fetch data"), read)) is Unknown


@given(
    st.integers(200, 599).filter(lambda status: not 200 <= status < 300),
    st.sampled_from(["DH-905", "DH-906", "DH-901", "DH-910", "", None, 7]),
    st.text(max_size=40) | st.none() | st.integers(),
)
def test_only_client_errors_refuse(status: int, code: Any, text: Any) -> None:
    assert type(verdict(status, {"errorCode": code, "errorMessage": text})) is Unknown or 400 <= status < 500


@pytest.mark.parametrize(
    "data", [None, True, [], {}, "1", {"orderId": ""}, {"orderId": None}, {"orderStatus": "PENDING"}]
)
def test_a_success_without_an_order_id_is_unknown(data: Any) -> None:
    for operation in (
        TRADING.place(ORDER, TCS, SESSION, CTX),
        TRADING.modify(OPEN, CHANGE, TCS, SESSION, CTX),
        TRADING.cancel(OPEN, SESSION, CTX),
    ):
        request = asked(operation)
        with pytest.raises(Unknown):
            operation.send(SPEC.check(request, Reply(200, {}, data)))


# --- conversions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("quantity", "side"), [(4, "LONG"), (-4, "SHORT")])
def test_a_conversion(quantity: int, side: str) -> None:
    operation = convert(TCS, Product.MIS, Product.CNC, quantity, SESSION, CTX)
    request = asked(operation)
    assert (request.path, request.effect) == ("/positions/convert", "write")
    assert request.json == {
        "dhanClientId": "1000000001",
        "fromProductType": "INTRADAY",
        "exchangeSegment": "NSE_EQ",
        "positionType": side,
        "securityId": "11536",
        "tradingSymbol": "TCS",
        "convertQty": 4,
        "toProductType": "CNC",
    }
    assert outcome(operation, request, "", 202) is None
    operation = convert(TCS, Product.MIS, Product.CNC, quantity, SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown):
        operation.send("<html>")


# --- forever orders ---------------------------------------------------------------------------------------------------

STOP = GttLeg(trigger=Decimal(1419), action=Action.SELL, quantity=5, price=Decimal(1418))
TARGET = GttLeg(trigger=Decimal(1500), action=Action.SELL, quantity=4, price=Decimal("1499.5"))
ROW = {
    "dhanClientId": "1000000132", "orderId": "1132208051115", "orderStatus": "CONFIRM", "transactionType": "SELL",
    "exchangeSegment": "NSE_EQ", "productType": "CNC", "orderType": "SINGLE", "tradingSymbol": "TCS",
    "securityId": "11536", "quantity": 5, "price": 1418, "triggerPrice": 1419, "legName": "TARGET_LEG",
    "createTime": "2022-08-05 12:41:19", "updateTime": None, "exchangeTime": None, "drvExpiryDate": None,
    "drvOptionType": None, "drvStrikePrice": 0,
}  # fmt: skip
BOTH = [
    ROW | {"orderType": "OCO", "legName": "STOP_LOSS_LEG"},
    ROW | {"orderType": "OCO", "legName": "TARGET_LEG", "quantity": 4, "price": 1499.5, "triggerPrice": 1500},
]


def test_a_single_trigger() -> None:
    operation = GTT.place(TCS, [STOP], 1450.0, SESSION, CTX)
    request = asked(operation)
    assert (request.method, request.path, request.effect) == ("POST", "/forever/orders", "write")
    assert request.json == {
        "dhanClientId": "1000000001", "orderFlag": "SINGLE", "transactionType": "SELL", "exchangeSegment": "NSE_EQ",
        "productType": "CNC", "securityId": "11536", "orderType": "LIMIT", "validity": "DAY", "quantity": 5,
        "price": 1418.0, "triggerPrice": 1419.0,
    }  # fmt: skip
    assert outcome(operation, request, {"orderId": "5132208051112", "orderStatus": "PENDING"}) == "5132208051112"


def test_the_fields_that_end_in_one_are_the_targets() -> None:
    sale = body(asked(GTT.place(TCS, [STOP, TARGET], 1450.0, SESSION, CTX)))
    assert (sale["orderFlag"], sale["triggerPrice"], sale["triggerPrice1"], sale["quantity1"]) == ("OCO", 1419, 1500, 4)
    back = [msgspec.structs.replace(leg, action=Action.BUY) for leg in (STOP, TARGET)]
    purchase = body(asked(GTT.place(TCS, back, 1450.0, SESSION, CTX)))
    assert (purchase["triggerPrice"], purchase["triggerPrice1"]) == (1500, 1419)
    mixed = [STOP, msgspec.structs.replace(TARGET, action=Action.BUY)]
    with pytest.raises(Refused) as caught:
        next(GTT.place(TCS, mixed, 1450.0, SESSION, CTX))
    assert not caught.value.sent


def test_triggers_are_listed_by_their_legs() -> None:
    operation = GTT.list(SESSION, CTX)
    request = asked(operation)
    odd = ROW | {"orderId": "9", "productType": "MTF"}
    (two,) = outcome(operation, request, [BOTH[1], BOTH[0], odd])
    assert (two.trigger_id, two.legs, two.status) == ("1132208051115", (STOP, TARGET), "active")
    assert (two.token, two.brexchange, two.created_at) == ("11536", "NSE_EQ", 1_659_683_479_000)
    for told, status in (
        ("TRADED", "triggered"),
        ("CANCELLED", "cancelled"),
        ("EXPIRED", "expired"),
        ("PENDING", "active"),
    ):
        operation = GTT.list(SESSION, CTX)
        (one,) = outcome(operation, asked(operation), [ROW | {"orderStatus": told}])
        assert one.status == status
    fired = [BOTH[0] | {"orderStatus": "CANCELLED"}, BOTH[1] | {"orderStatus": "TRADED"}]
    operation = GTT.list(SESSION, CTX)
    assert outcome(operation, asked(operation), fired)[0].status == "triggered"
    operation = GTT.list(SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown):
        operation.send([*BOTH, ROW])


@pytest.mark.parametrize("price", ["NaN", "sNaN", "Infinity"])
def test_a_trigger_at_no_price_spoils_the_list(price: str) -> None:
    for name in ("price", "triggerPrice"):
        operation = GTT.list(SESSION, CTX)
        next(operation)
        with pytest.raises(Unknown):
            operation.send([ROW, ROW | {name: price}])


def test_a_trigger_that_is_taken_without_an_id_is_unknown() -> None:
    for operation in (GTT.place(TCS, [STOP], 1450.0, SESSION, CTX), GTT.cancel("7", SESSION, CTX)):
        request = asked(operation)
        with pytest.raises(Unknown):
            operation.send(SPEC.check(request, Reply(200, {}, {"orderId": "", "orderStatus": "PENDING"})))


def changed(legs: list[GttLeg], rows: list[dict[str, Any]]) -> Request:
    operation = GTT.modify("1132208051115", TCS, legs, 1450.0, SESSION, CTX)
    read = asked(operation)
    assert (read.method, read.effect) == ("GET", "read")
    request = operation.send(SPEC.check(read, Reply(200, {}, rows)))
    assert isinstance(request, Request)
    assert (request.method, request.path, request.effect) == ("PUT", "/forever/orders/1132208051115", "write")
    return request


def test_one_leg_is_changed_at_a_time() -> None:
    moved = msgspec.structs.replace(STOP, trigger=Decimal(1410))
    assert body(changed([moved], [ROW]))["legName"] == "TARGET_LEG"
    assert body(changed([moved, TARGET], BOTH)) == {
        "dhanClientId": "1000000001", "orderId": "1132208051115", "orderFlag": "OCO", "legName": "STOP_LOSS_LEG",
        "orderType": "LIMIT", "validity": "DAY", "quantity": 5, "price": 1418.0, "triggerPrice": 1410.0,
    }  # fmt: skip
    dearer = msgspec.structs.replace(TARGET, price=Decimal(1498))
    assert body(changed([STOP, dearer], BOTH))["legName"] == "TARGET_LEG"
    assert body(changed([STOP, TARGET], BOTH))["quantity"] == 5  # nothing is another
    for legs, rows in (([moved, dearer], BOTH), ([moved], BOTH), ([moved], [])):
        operation = GTT.modify("1132208051115", TCS, legs, 1450.0, SESSION, CTX)
        next(operation)
        with pytest.raises(Refused, match="one leg of a trigger at a time") as caught:
            operation.send(rows)
        assert not caught.value.sent


def test_a_trigger_is_cancelled() -> None:
    operation = GTT.cancel("7", SESSION, CTX)
    request = asked(operation)
    assert (request.method, request.path, request.effect) == ("DELETE", "/forever/orders/7", "write")
    assert outcome(operation, request, {"orderId": "7", "orderStatus": "CANCELLED"}) == "7"
