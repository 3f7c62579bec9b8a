"""Orders, conversions and GTTs: what goes out, and what an answer proves."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import shared_data

from sangam.brokers.contract import Ctx, Operation, Reply, Request, Session, Tag
from sangam.brokers.zerodha import SPEC
from sangam.brokers.zerodha.tables import EVIDENCE
from sangam.model.books import Gtt, GttLeg
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import BrokerError, RateLimited, Refused, SessionExpired, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, TradingMode, Validity

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="zerodha", generation=1, secrets={"api_key": "key", "access_token": "tok"})
INFY = Instrument(symbol="INFY", exchange=Exchange.NSE, brsymbol="INFY", brexchange="NSE", token="408065::::1594")
ORDER = Order(
    id="L-ABCDEFGHJK",
    account="a1",
    user="u1",
    broker="zerodha",
    mode=TradingMode.LIVE,
    symbol="INFY",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=10,
    price_type=PriceType.LIMIT,
    product=Product.CNC,
    price=Decimal("1500.50"),
)
OPEN = msgspec.structs.replace(ORDER, order_id="151220000000000", native={"variety": "regular"})
CHANGE = Change(quantity=10, price_type=PriceType.LIMIT, price=Decimal("1501"))
assert SPEC.trading is not None
TRADING = SPEC.trading
assert TRADING.gtt is not None
GTT = TRADING.gtt
assert TRADING.convert is not None
convert = TRADING.convert


def mock(name: str) -> Any:
    return json.loads(shared_data("zerodha", "mocks", name).read_text())


def success(data: Any) -> dict[str, Any]:
    return {"status": "success", "data": data}


def error(kind: str, message: str = "no") -> dict[str, Any]:
    return {"status": "error", "message": message, "data": None, "error_type": kind}


def asked(operation: Operation[Any]) -> Request:
    request = next(operation)
    assert isinstance(request, Request)
    return request


def answer(operation: Operation[Any], request: Request, envelope: Any, status: int = 200) -> Any:
    """What an operation makes of one reply, as a driver hands it over; the operation ends with it."""
    try:
        payload = SPEC.check(request, Reply(status, {}, envelope))
    except BrokerError as refused:
        with pytest.raises(StopIteration) as stop:
            operation.throw(refused)
    else:
        with pytest.raises(StopIteration) as stop:
            operation.send(payload)
    return stop.value.value


def placed(order: Order) -> Request:
    return asked(TRADING.place(order, INFY, SESSION, CTX))


def form_of(request: Request) -> Mapping[str, str | int]:
    assert request.form is not None
    return request.form


# --- what goes out ----------------------------------------------------------------------------------------------------


def test_a_limit_order() -> None:
    operation = TRADING.place(ORDER, INFY, SESSION, CTX)
    request = asked(operation)
    assert (request.method, request.host, request.path) == ("POST", "api", "/orders/regular")
    assert (request.effect, request.lane) == ("write", "orders")
    assert request.form == {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "BUY",
        "quantity": 10,
        "product": "CNC",
        "order_type": "LIMIT",
        "price": "1500.50",
        "validity": "DAY",
        "tag": "ABCDEFGHJK",
    }
    accepted = answer(operation, request, mock("order_response.json"))
    assert accepted == Accepted(order_id="151220000000000", native={"variety": "regular"})


@pytest.mark.parametrize(
    ("price_type", "terms"),
    [
        (PriceType.MARKET, {"order_type": "MARKET", "market_protection": -1}),
        (PriceType.LIMIT, {"order_type": "LIMIT", "price": "1500.50"}),
        (PriceType.SL, {"order_type": "SL", "price": "1500.50", "trigger_price": "1490"}),
        (PriceType.SL_M, {"order_type": "SL-M", "trigger_price": "1490", "market_protection": -1}),
    ],
)
def test_each_price_type_has_its_terms(price_type: PriceType, terms: dict[str, str | int]) -> None:
    every = {"order_type", "price", "trigger_price", "market_protection"}
    order = msgspec.structs.replace(ORDER, price_type=price_type, trigger_price=Decimal(1490))
    assert {name: value for name, value in form_of(placed(order)).items() if name in every} == terms
    change = Change(
        quantity=10, price_type=price_type, price=Decimal("1500.50"), trigger_price=Decimal(1490), validity=Validity.IOC
    )
    modified = form_of(asked(TRADING.modify(OPEN, change, INFY, SESSION, CTX)))
    assert modified == {**terms, "validity": "IOC", "quantity": 10}


@given(st.decimals(min_value=Decimal("0.0001"), max_value=Decimal(10**9), places=4))
def test_prices_are_exact_and_without_exponent(price: Decimal) -> None:
    for written in (price, price.normalize()):
        text = form_of(placed(msgspec.structs.replace(ORDER, price=written)))["price"]
        assert isinstance(text, str)
        assert Decimal(text) == price
        assert set(text) <= set("0123456789.")


@given(st.text(max_size=20))
def test_the_tag_is_ours_and_what_fits_of_the_callers(tag: str) -> None:
    sent = str(form_of(placed(msgspec.structs.replace(ORDER, tag=tag)))["tag"])
    assert sent.startswith("ABCDEFGHJK")
    assert sent.isascii()
    assert sent.isalnum()
    assert len(sent) <= 20


def test_a_callers_tag_loses_what_kite_does_not_take() -> None:
    assert form_of(placed(msgspec.structs.replace(ORDER, tag="my-momentum 2026!")))["tag"] == "ABCDEFGHJKmymomentum"


def test_disclosed_quantity_and_ioc() -> None:
    order = msgspec.structs.replace(ORDER, disclosed_quantity=4, validity=Validity.IOC)
    assert form_of(placed(order)).items() >= {"disclosed_quantity": 4, "validity": "IOC"}.items()


def test_modify_and_cancel_use_the_orders_own_variety() -> None:
    cover = msgspec.structs.replace(OPEN, native={"variety": "co", "parent_order_id": "77"})
    operation = TRADING.modify(cover, CHANGE, INFY, SESSION, CTX)
    request = asked(operation)
    assert (request.method, request.path) == ("PUT", "/orders/co/151220000000000")
    assert (request.effect, request.lane) == ("write", "orders")
    assert form_of(request)["parent_order_id"] == "77"
    accepted = answer(operation, request, mock("order_modify.json"))
    assert accepted == Accepted(order_id="151220000000000", native=cover.native)
    operation = TRADING.cancel(cover, SESSION, CTX)
    request = asked(operation)
    assert (request.method, request.path, request.query) == (
        "DELETE",
        "/orders/co/151220000000000",
        {"parent_order_id": "77"},
    )
    assert (request.effect, request.lane) == ("write", "orders")
    assert answer(operation, request, mock("order_cancel.json")).order_id == "151220000000000"
    plain = asked(TRADING.cancel(OPEN, SESSION, CTX))
    assert (plain.path, plain.query) == ("/orders/regular/151220000000000", None)


def test_an_order_without_native_facts_is_regular_and_ids_cannot_leave_their_place() -> None:
    strange = msgspec.structs.replace(OPEN, native={}, order_id="../../session/token?x=1")
    assert asked(TRADING.cancel(strange, SESSION, CTX)).path == "/orders/regular/..%2F..%2Fsession%2Ftoken%3Fx%3D1"


@pytest.mark.parametrize(("filled", "quantity", "told"), [(0, 10, True), (3, 10, False), (3, 8, True), (0, 12, True)])
def test_the_quantity_of_a_partly_filled_order_is_told_only_where_it_changes(
    filled: int, quantity: int, told: bool
) -> None:
    order = msgspec.structs.replace(OPEN, filled_quantity=filled)
    change = msgspec.structs.replace(CHANGE, quantity=quantity)
    form = form_of(asked(TRADING.modify(order, change, INFY, SESSION, CTX)))
    assert form.get("quantity") == (quantity if told else None)


def test_a_disclosed_quantity_can_be_taken_back() -> None:
    order = msgspec.structs.replace(OPEN, disclosed_quantity=5)
    assert form_of(asked(TRADING.modify(order, CHANGE, INFY, SESSION, CTX)))["disclosed_quantity"] == 0
    assert "disclosed_quantity" not in form_of(asked(TRADING.modify(OPEN, CHANGE, INFY, SESSION, CTX)))


def test_the_tables_of_the_house() -> None:
    assert TRADING.tag == Tag("text", 20)
    assert TRADING.market == "native"
    assert TRADING.modifications == 25
    assert TRADING.find is None
    assert TRADING.products[Exchange.NSE] == {Product.CNC, Product.MIS}
    assert TRADING.products[Exchange.NFO] == TRADING.products[Exchange.MCX] == {Product.NRML, Product.MIS}
    assert Exchange.NSE_INDEX not in TRADING.products
    assert TRADING.no_ioc == {Exchange.MCX}


# --- what an answer proves --------------------------------------------------------------------------------------------

WRITE = Request(method="POST", host="api", path="/orders/regular", effect="write", lane="orders")


def verdict(status: int, payload: Any) -> BrokerError:
    with pytest.raises(BrokerError) as caught:
        SPEC.check(WRITE, Reply(status, {}, payload))
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind", "text", "expected", "code"),
    [
        (400, "InputException", "Invalid `tradingsymbol`.", Refused, "INVALID_INPUT"),
        (400, "MarginException", "Insufficient funds. Check the orderbook.", Refused, "INSUFFICIENT_FUNDS"),
        (400, "HoldingException", "Insufficient stock holding.", Refused, "INSUFFICIENT_HOLDINGS"),
        (403, "PermissionException", "No IPs configured", Refused, "INSUFFICIENT_PERMISSION"),
        (400, "OrderException", "Enter Valid Price", Refused, "INVALID_ORDER"),
        (
            400,
            "OrderException",
            "MIS (intraday) are blocked as the markets are not open for trading today. Try placing an AMO order.",
            Refused,
            "MARKET_CLOSED",
        ),
        (
            400,
            "OrderException",
            "The order quantity 6300 (21 lots) is higher than the maximum quantity of 6000 (20 lots) allowed by the "
            "exchanges.",
            Refused,
            "INVALID_ORDER",
        ),
        (403, "OrderException", "Your IP is not allowed to place orders", Refused, "INSUFFICIENT_PERMISSION"),
        (400, "NetworkException", "Maximum allowed order modifications exceeded.", Refused, "ORDER_ERROR"),
        (
            400,
            "InputException",
            "Order cannot be modified as it is being processed. Try later.",
            Refused,
            "ORDER_ERROR",
        ),
        (403, "TokenException", "Incorrect `api_key`", SessionExpired, "INVALID_TOKEN"),
        (429, "NetworkException", "Too many requests", RateLimited, "RATE_LIMITED"),
        (400, "OrderException", "Something else went wrong", Unknown, "OUTCOME_UNKNOWN"),
        (500, "OrderException", "Enter Valid Price", Unknown, "OUTCOME_UNKNOWN"),
        (503, "InputException", "Invalid `tradingsymbol`.", Unknown, "OUTCOME_UNKNOWN"),
        (500, "TokenException", "who knows", Unknown, "OUTCOME_UNKNOWN"),
        (200, "InputException", "Invalid `tradingsymbol`.", Unknown, "OUTCOME_UNKNOWN"),
        (504, "NetworkException", "Gateway timed out", Unknown, "OUTCOME_UNKNOWN"),
    ],
)
def test_a_refusal_needs_a_client_error_and_evidence(
    status: int, kind: str, text: str, expected: type[BrokerError], code: str
) -> None:
    found = verdict(status, error(kind, text))
    assert (type(found), found.code) == (expected, code)
    assert text in str(found)


TIMED_OUT = "Order request timed out. Please check the order book and confirm before placing again."


@pytest.mark.parametrize("kind", ["OrderException", "InputException", "NetworkException", "MarginException", ""])
def test_a_time_out_is_never_a_refusal_whatever_it_comes_with(kind: str) -> None:
    """Promise 2: seen with HTTP 400 for orders that were executed."""
    for text in (TIMED_OUT, TIMED_OUT.upper(), *(f"{phrase}; {TIMED_OUT}" for phrase in EVIDENCE.texts)):
        assert type(verdict(400, error(kind, text))) is Unknown


def test_the_text_tables_are_in_lower_case_and_apart() -> None:
    assert all(text == text.casefold() for text in (*EVIDENCE.doubts, *EVIDENCE.texts))
    assert not [text for text in EVIDENCE.texts if any(doubt in text for doubt in EVIDENCE.doubts)]


@given(
    st.integers(200, 599),
    st.sampled_from(["InputException", "OrderException", "MarginException", "TokenException", "", None, 7]),
    st.text(max_size=40) | st.none() | st.integers(),
)
def test_only_client_errors_refuse(status: int, kind: Any, text: Any) -> None:
    found = verdict(status, {"status": "error", "message": text, "error_type": kind})
    assert type(found) is Unknown or 400 <= status < 500


@pytest.mark.parametrize(
    "data", [None, True, [], {}, "151220000000000", {"order_id": ""}, {"order_id": None}, {"order_id": 7}]
)
def test_a_success_without_an_order_id_is_unknown(data: Any) -> None:
    operations: list[Operation[Any]] = [
        TRADING.place(ORDER, INFY, SESSION, CTX),
        TRADING.modify(OPEN, CHANGE, INFY, SESSION, CTX),
        TRADING.cancel(OPEN, SESSION, CTX),
    ]
    for operation in operations:
        request = asked(operation)
        with pytest.raises(Unknown):
            operation.send(SPEC.check(request, Reply(200, {}, success(data))))


def test_every_write_is_one_request() -> None:
    refused = Refused("no", "INVALID_INPUT", "InputException")
    legs = [GttLeg(trigger=Decimal(1), action=Action.BUY, quantity=1, price=Decimal(1))]
    operations: list[Operation[Any]] = [
        TRADING.place(ORDER, INFY, SESSION, CTX),
        TRADING.modify(OPEN, CHANGE, INFY, SESSION, CTX),
        TRADING.cancel(OPEN, SESSION, CTX),
        GTT.place(INFY, legs, 1.0, SESSION, CTX),
        GTT.modify("1", INFY, legs, 1.0, SESSION, CTX),
        GTT.cancel("1", SESSION, CTX),
    ]
    for operation in operations:
        assert asked(operation).effect == "write"
        with pytest.raises(Refused) as caught:
            operation.throw(refused)
        assert caught.value is refused


# --- conversions ------------------------------------------------------------------------------------------------------


def position(quantity: int, overnight: int, product: str = "MIS") -> dict[str, Any]:
    return {
        "tradingsymbol": "INFY",
        "exchange": "NSE",
        "product": product,
        "quantity": quantity,
        "overnight_quantity": overnight,
        "multiplier": 1,
        "average_price": 1500.0,
        "last_price": 1501.0,
        "pnl": 1.0,
    }


@pytest.mark.parametrize(
    ("net", "overnight", "asks", "kind", "side"),
    [
        (10, 0, 10, "day", "BUY"),
        (10, 0, 4, "day", "BUY"),
        (-10, 0, -10, "day", "SELL"),
        (10, 10, 10, "overnight", "BUY"),
        (6, 10, 6, "overnight", "BUY"),
        (15, 10, 5, "day", "BUY"),
        (15, 10, 8, "overnight", "BUY"),
    ],
)
def test_a_conversion_tells_which_part_of_the_position_it_means(
    net: int, overnight: int, asks: int, kind: str, side: str
) -> None:
    operation = convert(INFY, Product.MIS, Product.CNC, asks, SESSION, CTX)
    read = asked(operation)
    assert (read.method, read.path, read.effect) == ("GET", "/portfolio/positions", "read")
    rows = [position(99, 0, "CNC"), position(net, overnight)]
    write = operation.send({"net": rows, "day": []})
    assert isinstance(write, Request)
    assert (write.method, write.path, write.effect) == ("PUT", "/portfolio/positions", "write")
    assert write.form == {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": side,
        "position_type": kind,
        "quantity": abs(asks),
        "old_product": "MIS",
        "new_product": "CNC",
    }
    assert answer(operation, write, mock("convert_position.json")) is None


@pytest.mark.parametrize(
    ("rows", "asks"),
    [([], 5), ([position(5, 0)], 6), ([position(5, 0)], -5), ([position(15, 10)], 12), ([position(5, 0, "CNC")], 5)],
)
def test_what_cannot_be_converted_is_never_sent(rows: list[dict[str, Any]], asks: int) -> None:
    operation = convert(INFY, Product.MIS, Product.CNC, asks, SESSION, CTX)
    next(operation)
    with pytest.raises(Refused, match="cannot be converted by one call") as caught:
        operation.send({"net": rows, "day": []})
    assert not caught.value.sent


@pytest.mark.parametrize("data", [None, False, {}, "true"])
def test_an_odd_answer_to_a_conversion_is_unknown(data: Any) -> None:
    operation = convert(INFY, Product.MIS, Product.CNC, 5, SESSION, CTX)
    next(operation)
    operation.send({"net": [position(5, 0)], "day": []})
    with pytest.raises(Unknown):
        operation.send(data)


# --- good till triggered ----------------------------------------------------------------------------------------------

STOP = GttLeg(trigger=Decimal("1400.5"), action=Action.SELL, quantity=10, price=Decimal("1399.95"))
TARGET = GttLeg(trigger=Decimal(1600), action=Action.SELL, quantity=10, price=Decimal("1601.00"))


def test_a_single_trigger() -> None:
    operation = GTT.place(INFY, [STOP], 1500.5, SESSION, CTX)
    request = asked(operation)
    assert (request.method, request.path) == ("POST", "/gtt/triggers")
    assert (request.effect, request.lane) == ("write", "orders")
    form = form_of(request)
    assert form["type"] == "single"
    assert json.loads(str(form["condition"])) == {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "trigger_values": [1400.5],
        "last_price": 1500.5,
    }
    assert json.loads(str(form["orders"])) == [
        {
            "exchange": "NSE",
            "tradingsymbol": "INFY",
            "transaction_type": "SELL",
            "quantity": 10,
            "order_type": "LIMIT",
            "product": "CNC",
            "price": 1399.95,
        }
    ]
    assert answer(operation, request, mock("gtt_place_order.json")) == "123"


def test_two_legs_are_replaced_whole_and_cancelled() -> None:
    operation = GTT.modify("123", INFY, [STOP, TARGET], 1500.0, SESSION, CTX)
    request = asked(operation)
    assert (request.method, request.path, request.effect) == ("PUT", "/gtt/triggers/123", "write")
    form = form_of(request)
    assert form["type"] == "two-leg"
    assert json.loads(str(form["condition"]))["trigger_values"] == [1400.5, 1600.0]
    assert [leg["price"] for leg in json.loads(str(form["orders"]))] == [1399.95, 1601.0]
    assert answer(operation, request, mock("gtt_modify_order.json")) == "123"
    operation = GTT.cancel("123", SESSION, CTX)
    request = asked(operation)
    assert (request.method, request.path, request.effect) == ("DELETE", "/gtt/triggers/123", "write")
    assert answer(operation, request, mock("gtt_delete_order.json")) == "123"
    assert GTT.oco
    assert GTT.price_types == {PriceType.LIMIT}


@given(
    st.decimals(Decimal("0.0025"), Decimal(999_999), places=4), st.decimals(Decimal("0.05"), Decimal(999_999), places=2)
)
def test_trigger_prices_are_numbers_that_keep_every_digit(trigger: Decimal, price: Decimal) -> None:
    leg = msgspec.structs.replace(STOP, trigger=trigger, price=price)
    form = form_of(asked(GTT.place(INFY, [leg], 1.0, SESSION, CTX)))
    (value,) = json.loads(str(form["condition"]), parse_float=Decimal)["trigger_values"]
    (order,) = json.loads(str(form["orders"]), parse_float=Decimal)
    assert (value, order["price"]) == (trigger, price)


def test_the_official_list_of_triggers() -> None:
    operation = GTT.list(SESSION, CTX)
    request = asked(operation)
    assert (request.method, request.path, request.effect) == ("GET", "/gtt/triggers", "read")
    single, two = answer(operation, request, mock("gtt_get_orders.json"))
    assert single == Gtt(
        trigger_id="112127",
        brsymbol="INFY",
        brexchange="NSE",
        legs=(GttLeg(trigger=Decimal(702), action=Action.BUY, quantity=1, price=Decimal("702.5")),),
        status="active",
        last_price=798.0,
        created_at=1568274916000,  # 2019-09-12 13:25:16 IST
        updated_at=1568274916000,
        expires_at=1599897316000,
    )
    assert (two.trigger_id, two.status, [leg.trigger for leg in two.legs]) == (
        "105099",
        "triggered",
        [Decimal("102.0"), Decimal("103.7")],
    )


def trigger(**more: Any) -> dict[str, Any]:
    leg = {"transaction_type": "BUY", "quantity": 1, "order_type": "LIMIT", "product": "CNC", "price": 702.5}
    condition = {"exchange": "NSE", "tradingsymbol": "INFY", "trigger_values": [702], "last_price": 798}
    return {"id": 7, "status": "active", "condition": condition, "orders": [leg]} | more


def test_triggers_of_other_products_are_left_out() -> None:
    mtf = trigger(id=8, orders=[trigger()["orders"][0] | {"product": "MTF"}])
    operation = GTT.list(SESSION, CTX)
    (found,) = answer(operation, asked(operation), success([trigger(), mtf]))
    assert found.trigger_id == "7"


@pytest.mark.parametrize(
    "data", [None, {}, [{}], [trigger(orders=[])], [trigger(orders=trigger()["orders"] * 2)], [trigger(id="x")]]
)
def test_odd_triggers_are_unknown(data: Any) -> None:
    operation = GTT.list(SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown):
        operation.send(data)
