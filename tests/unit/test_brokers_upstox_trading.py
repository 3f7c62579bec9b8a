"""Orders, conversions and GTTs: what goes out, and what an answer proves. Answers are the documentation's samples."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.canned import Canned, drive

from sangam.brokers.contract import Ctx, Session
from sangam.brokers.upstox import SPEC
from sangam.brokers.upstox.tables import DEAD, EVIDENCE
from sangam.model.books import Gtt, GttLeg
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import NotSent, RateLimited, Refused, SessionExpired, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, TradingMode, Validity

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="upstox", generation=1, secrets={"access_token": "tok"})
NHPC = Instrument(
    symbol="NHPC", exchange=Exchange.NSE, brsymbol="NHPC", brexchange="NSE_EQ", token="NSE_EQ|INE848E01016"
)
ORDER = Order(
    id="L-ABCDEFGHJK",
    account="a1",
    user="u1",
    broker="upstox",
    mode=TradingMode.LIVE,
    symbol="NHPC",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=10,
    price_type=PriceType.LIMIT,
    product=Product.CNC,
    price=Decimal("92.35"),
    tag="the caller's",
)
OPEN = msgspec.structs.replace(ORDER, order_id="1644490272000")
assert SPEC.trading is not None
TRADING = SPEC.trading
assert TRADING.gtt is not None
GTT = TRADING.gtt
assert TRADING.convert is not None
convert = TRADING.convert

PLACED = {"status": "success", "data": {"order_ids": ["1644490272000"]}, "metadata": {"latency": 30}}
CHANGED = {"status": "success", "data": {"order_id": "1644490272000"}, "metadata": {"latency": 40}}
TAKEN = Accepted(order_id="1644490272000")


def error(code: str, message: str = "no", status: int = 400) -> Canned:
    told = {"error_code": code, "message": message, "property_path": None, "invalid_value": None}
    return Canned({"status": "error", "errors": [told]}, status)


# --- what goes out ----------------------------------------------------------------------------------------------------


def test_a_limit_order() -> None:
    accepted, (request,) = drive(SPEC, TRADING.place(ORDER, NHPC, SESSION, CTX), PLACED)
    assert accepted == TAKEN
    assert (request.method, request.host, request.path) == ("POST", "orders", "/v3/order/place")
    assert (request.effect, request.lane) == ("write", "orders")
    assert request.json == {
        "instrument_token": "NSE_EQ|INE848E01016",
        "quantity": 10,
        "product": "D",
        "validity": "DAY",
        "transaction_type": "BUY",
        "order_type": "LIMIT",
        "price": 92.35,
        "trigger_price": 0,
        "disclosed_quantity": 0,
        "is_amo": False,
        "slice": False,
        "tag": "ABCDEFGHJKthecallers",
    }


@pytest.mark.parametrize(
    ("price_type", "terms"),
    [
        (PriceType.MARKET, {"price": 0, "trigger_price": 0, "market_protection": -1}),
        (PriceType.LIMIT, {"price": 92.35, "trigger_price": 0}),
        (PriceType.SL, {"price": 92.35, "trigger_price": 92.0}),
        (PriceType.SL_M, {"price": 0, "trigger_price": 92.0, "market_protection": -1}),
    ],
)
def test_each_price_type_has_its_terms(price_type: PriceType, terms: dict[str, float]) -> None:
    every = {"price", "trigger_price", "market_protection"}
    order = msgspec.structs.replace(ORDER, price_type=price_type, trigger_price=Decimal(92))
    _, (request,) = drive(SPEC, TRADING.place(order, NHPC, SESSION, CTX), PLACED)
    assert {name: value for name, value in request.json.items() if name in every} == terms
    change = Change(
        quantity=10, price_type=price_type, price=Decimal("92.35"), trigger_price=Decimal(92), validity=Validity.IOC
    )
    accepted, (request,) = drive(SPEC, TRADING.modify(OPEN, change, NHPC, SESSION, CTX), CHANGED)
    assert accepted == TAKEN
    assert (request.method, request.host, request.path) == ("PUT", "orders", "/v3/order/modify")
    fixed = {"order_id": "1644490272000", "validity": "IOC", "order_type": price_type.value, "quantity": 10}
    assert request.json == fixed | terms


def test_the_quantity_of_a_partly_filled_order_is_told_where_it_changes() -> None:
    partly = msgspec.structs.replace(OPEN, filled_quantity=4)
    for quantity, told in ((10, None), (12, 12)):
        change = Change(quantity=quantity, price_type=PriceType.LIMIT, price=Decimal(93))
        _, (request,) = drive(SPEC, TRADING.modify(partly, change, NHPC, SESSION, CTX), CHANGED)
        assert request.json.get("quantity") == told


@pytest.mark.parametrize(("product", "code"), [(Product.CNC, "D"), (Product.NRML, "D"), (Product.MIS, "I")])
def test_products(product: Product, code: str) -> None:
    order = msgspec.structs.replace(ORDER, product=product)
    _, (request,) = drive(SPEC, TRADING.place(order, NHPC, SESSION, CTX), PLACED)
    assert request.json["product"] == code


def test_a_cancel() -> None:
    accepted, (request,) = drive(SPEC, TRADING.cancel(OPEN, SESSION, CTX), CHANGED)
    assert accepted == TAKEN
    assert (request.method, request.host, request.path) == ("DELETE", "orders", "/v3/order/cancel")
    assert request.query == {"order_id": "1644490272000"}


def test_a_disclosed_quantity_goes_out_and_can_be_taken_back() -> None:
    change = Change(quantity=10, price_type=PriceType.LIMIT, price=Decimal(93))
    shown = msgspec.structs.replace(OPEN, disclosed_quantity=5)
    _, (request,) = drive(SPEC, TRADING.modify(shown, change, NHPC, SESSION, CTX), CHANGED)
    assert request.json["disclosed_quantity"] == 0


# --- what an answer proves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "envelope",
    [
        {"status": "success", "data": {}},
        {"status": "success", "data": {"order_ids": []}},
        {"status": "success", "data": {"order_ids": [""]}},
        {"status": "success", "data": {"order_ids": ["1", "2"]}},
        {"status": "success", "data": {"order_ids": [1]}},
        {"status": "success", "data": None},
        {"status": "success"},
        {"status": "partial_success", "data": {"order_ids": ["1"]}},
        {},
        [],
        None,
        "text",
    ],
)
def test_an_answer_without_one_number_is_unknown(envelope: Any) -> None:
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.place(ORDER, NHPC, SESSION, CTX), envelope)


@pytest.mark.parametrize("code", sorted(EVIDENCE.kinds))
def test_each_code_of_the_table_is_a_refusal(code: str) -> None:
    with pytest.raises(Refused) as caught:
        drive(SPEC, TRADING.place(ORDER, NHPC, SESSION, CTX), error(code))
    assert (caught.value.code, caught.value.broker_code) == (EVIDENCE.kinds[code], code)


@pytest.mark.parametrize(
    "reply",
    [
        error("UDAPI100500", status=500),
        error("UDAPI1052", status=500),
        error("UDAPI1052", "Request timed out, check the order book"),
        error("UDAPI999999"),
        error(""),
        Canned({"status": "error", "errors": []}, 400),
        Canned({"status": "error", "errors": ["UDAPI1052"]}, 400),
        Canned({"status": "error", "errors": {"error_code": "UDAPI1052"}}, 400),
        Canned("<html>", 400),
        Canned(None, 502),
    ],
)
def test_all_else_is_unknown(reply: Canned) -> None:
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.place(ORDER, NHPC, SESSION, CTX), reply)


def test_both_spellings_of_an_error_are_read() -> None:
    told = {"errorCode": "UDAPI1158", "message": "no market orders", "propertyPath": None}
    with pytest.raises(Refused, match="no market orders") as caught:
        drive(SPEC, TRADING.place(ORDER, NHPC, SESSION, CTX), Canned({"status": "error", "errors": [told]}, 400))
    assert caught.value.code == "INVALID_ORDER"


def test_a_dead_token_is_told_as_such() -> None:
    for reply in (*(error(code, status=401) for code in DEAD), Canned(None, 401)):
        with pytest.raises(SessionExpired):
            drive(SPEC, TRADING.place(ORDER, NHPC, SESSION, CTX), reply)
    with pytest.raises(Refused) as caught:  # it lives, and may only read
        drive(SPEC, TRADING.place(ORDER, NHPC, SESSION, CTX), error("UDAPI100067", status=401))
    assert not isinstance(caught.value, SessionExpired)
    assert caught.value.code == "INSUFFICIENT_PERMISSION"


def test_too_many_requests_and_the_closed_hours() -> None:
    with pytest.raises(RateLimited):
        drive(SPEC, TRADING.place(ORDER, NHPC, SESSION, CTX), error("UDAPI10005", status=429))
    with pytest.raises(Refused) as caught:
        drive(SPEC, TRADING.place(ORDER, NHPC, SESSION, CTX), error("UDAPI100074", status=423))
    assert caught.value.code == "MARKET_CLOSED"


def test_missing_money_is_known_by_its_words() -> None:
    text = "You need to add Rs. 138385.27 in your account to place this trade."
    with pytest.raises(Refused) as caught:
        drive(SPEC, TRADING.place(ORDER, NHPC, SESSION, CTX), error("UDAPI1", text))
    assert caught.value.code == "INSUFFICIENT_FUNDS"


# --- conversions ------------------------------------------------------------------------------------------------------


def test_a_conversion() -> None:
    done = {"status": "success", "data": {"status": "complete"}}
    _, (request,) = drive(SPEC, convert(NHPC, Product.MIS, Product.CNC, -7, SESSION, CTX), done)
    assert (request.method, request.host, request.effect) == ("PUT", "api", "write")
    assert request.json == {
        "instrument_token": "NSE_EQ|INE848E01016",
        "old_product": "I",
        "new_product": "D",
        "transaction_type": "SELL",
        "quantity": 7,
    }
    for odd in ({"status": "success", "data": {"status": "pending"}}, {"status": "success", "data": True}):
        with pytest.raises(Unknown):
            drive(SPEC, convert(NHPC, Product.MIS, Product.CNC, -7, SESSION, CTX), odd)


# --- GTT --------------------------------------------------------------------------------------------------------------

LEG = GttLeg(
    trigger=Decimal("90.5"),
    action=Action.BUY,
    quantity=3,
    price=Decimal(0),
    price_type=PriceType.MARKET,
    product=Product.CNC,
)
NUMBER = "GTT-CU25280200021013"
GIVEN = {"status": "success", "data": {"gtt_order_ids": [NUMBER]}, "metadata": {"latency": 88}}


def row(**fields: Any) -> dict[str, Any]:
    rule = {
        "strategy": "ENTRY",
        "status": fields.pop("state", "SCHEDULED"),
        "trigger_type": "BELOW",
        "trigger_price": 90.5,
        "transaction_type": "BUY",
        "message": None,
        "order_id": None,
        "trailing_gap": None,
    }
    plain = {
        "type": "SINGLE",
        "exchange": "NSE_EQ",
        "quantity": 3,
        "product": "D",
        "trading_symbol": "NHPC",
        "instrument_token": "NSE_EQ|INE848E01016",
        "gtt_order_id": NUMBER,
        "expires_at": 1769472000000000,
        "created_at": 1740729552723000,
        "rules": [rule],
    }
    return plain | fields


def listed(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"status": "success", "data": list(rows)}


@pytest.mark.parametrize(("last", "side"), [(100.0, "BELOW"), (80.0, "ABOVE")])
def test_a_trigger_knows_from_which_side_it_is_reached(last: float, side: str) -> None:
    number, (request,) = drive(SPEC, GTT.place(NHPC, [LEG], last, SESSION, CTX), GIVEN)
    assert number == NUMBER
    assert (request.host, request.path, request.effect) == ("api", "/v3/order/gtt/place", "write")
    assert request.json == {
        "type": "SINGLE",
        "quantity": 3,
        "product": "D",
        "instrument_token": "NSE_EQ|INE848E01016",
        "transaction_type": "BUY",
        "rules": [{"strategy": "ENTRY", "trigger_type": side, "trigger_price": 90.5, "market_protection": -1}],
    }


def test_what_a_trigger_releases_has_no_price_of_ours() -> None:
    assert not GTT.oco
    assert set(GTT.price_types) == {PriceType.MARKET}


def test_a_change_reads_first_and_names_no_side() -> None:
    changed = msgspec.structs.replace(LEG, quantity=5)
    operation = GTT.modify(NUMBER, NHPC, [changed], 100.0, SESSION, CTX)
    number, (read, written) = drive(SPEC, operation, listed(row()), GIVEN)
    assert number == NUMBER
    assert (read.effect, read.query) == ("read", {"gtt_order_id": NUMBER})
    assert (written.method, written.path) == ("PUT", "/v3/order/gtt/modify")
    assert written.json.keys() == {"type", "quantity", "gtt_order_id", "rules"}


@pytest.mark.parametrize(
    "found",
    [
        [],
        [row(product="I")],
        [row(instrument_token="NSE_EQ|INE000000000")],
        [row(rules=row()["rules"] * 2)],
    ],
)
def test_what_a_change_cannot_say_is_not_sent(found: list[dict[str, Any]]) -> None:
    operation = GTT.modify(NUMBER, NHPC, [LEG], 100.0, SESSION, CTX)
    with pytest.raises(Refused) as caught:
        drive(SPEC, operation, listed(*found))
    assert not caught.value.sent
    assert not isinstance(caught.value, NotSent)


def test_a_cancelled_trigger() -> None:
    number, (request,) = drive(SPEC, GTT.cancel(NUMBER, SESSION, CTX), GIVEN)
    assert number == NUMBER
    assert (request.method, request.json) == ("DELETE", {"gtt_order_id": NUMBER})


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("SCHEDULED", "active"),
        ("PENDING", "active"),
        ("INACTIVE", "disabled"),
        ("TRIGGERED", "triggered"),
        ("OPEN", "triggered"),
        ("COMPLETED", "triggered"),
        ("EXPIRED", "expired"),
        ("CANCELLED", "cancelled"),
        ("FAILED", "rejected"),
    ],
)
def test_triggers_are_listed(state: str, status: str) -> None:
    found, _ = drive(SPEC, GTT.list(SESSION, CTX), listed(row(state=state)))
    assert found == [
        Gtt(
            trigger_id=NUMBER,
            brsymbol="",
            brexchange="NSE_EQ",
            token="NSE_EQ|INE848E01016",
            legs=(LEG,),
            status=status,
            created_at=1740729552723,
            expires_at=1769472000000,
        )
    ]


def test_triggers_of_other_kinds_are_left_out_and_unknown_states_are_no_list() -> None:
    others = (row(product="MTF"), row(type="MULTIPLE", rules=row()["rules"] * 2))
    assert drive(SPEC, GTT.list(SESSION, CTX), listed(*others))[0] == []
    with pytest.raises(Unknown):
        drive(SPEC, GTT.list(SESSION, CTX), listed(row(state="DREAMING")))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5))
def test_no_answer_of_any_form_is_more_than_unknown(data: Any) -> None:
    for operation in (
        TRADING.place(ORDER, NHPC, SESSION, CTX),
        TRADING.cancel(OPEN, SESSION, CTX),
        GTT.place(NHPC, [LEG], 100.0, SESSION, CTX),
    ):
        with pytest.raises(Unknown):
            drive(SPEC, operation, {"status": "success", "data": data})
