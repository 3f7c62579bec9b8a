"""IIFL Capital: orders and margins: what goes out, and what an answer proves."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.canned import Canned, drive

from sangam.brokers.contract import Ctx, Operation, Session, Tag
from sangam.brokers.iiflcapital import SPEC
from sangam.brokers.iiflcapital.tables import EVIDENCE
from sangam.model.books import Margin, MarginLeg
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import BrokerError, RateLimited, Refused, SessionExpired, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, TradingMode, Validity

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="iiflcapital", generation=1)
INFY = Instrument(symbol="INFY", exchange=Exchange.NSE, brsymbol="INFY-EQ", brexchange="NSEEQ", token="1594")
ORDER = Order(
    id="L-ABCDEFGHJK",
    account="a1",
    user="u1",
    broker="iiflcapital",
    mode=TradingMode.LIVE,
    symbol="INFY",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=10,
    price_type=PriceType.LIMIT,
    product=Product.MIS,
    price=Decimal("1800.50"),
)
OPEN = msgspec.structs.replace(ORDER, order_id="240919000000041")
LEG = {
    "status": "Success", "message": "Success", "brokerOrderId": "240919000000041",
    "requestTime": "19-Sep-2024 18:48:46",
}  # fmt: skip
assert SPEC.trading is not None
TRADING = SPEC.trading
assert TRADING.margin is not None
margin = TRADING.margin


def ok(result: Any) -> dict[str, Any]:
    return {"status": "Ok", "message": "Success", "result": result}


def placed(**terms: Any) -> dict[str, Any]:
    """What goes out for an order with these terms."""
    order = msgspec.structs.replace(ORDER, **terms)
    (form,) = drive(SPEC, TRADING.place(order, INFY, SESSION, CTX), ok([LEG])).request.json
    found: dict[str, Any] = form
    return found


def test_an_order_goes_out_in_an_array_of_one() -> None:
    told = drive(SPEC, TRADING.place(ORDER, INFY, SESSION, CTX), ok([LEG]))
    assert told.result == Accepted(order_id="240919000000041")
    assert (told.request.method, told.request.path) == ("POST", "/orders")
    assert (told.request.effect, told.request.lane) == ("write", "orders")
    assert told.request.json == [
        {
            "instrumentId": "1594",
            "exchange": "NSEEQ",
            "transactionType": "BUY",
            "quantity": "10",
            "orderComplexity": "REGULAR",
            "product": "INTRADAY",
            "orderType": "LIMIT",
            "validity": "DAY",
            "price": 1800.5,
            "orderTag": "ABCDEFGHJK",
        }
    ]


@pytest.mark.parametrize(
    ("kind", "has"),
    [(PriceType.MARKET, set()), (PriceType.LIMIT, {"price"}), (PriceType.SL, {"price", "slTriggerPrice"})],
)
def test_a_price_goes_only_where_its_type_has_it(kind: PriceType, has: set[str]) -> None:
    form = placed(price_type=kind, trigger_price=Decimal(1790))
    assert form.keys() & {"price", "slTriggerPrice"} == has


def test_terms_that_are_not_the_usual_ones() -> None:
    form = placed(validity=Validity.IOC, disclosed_quantity=5, product=Product.CNC, action=Action.SELL)
    assert (form["validity"], form["disclosedQuantity"]) == ("IOC", 5)
    assert (form["product"], form["transactionType"]) == ("DELIVERY", "SELL")
    assert placed(tag="the caller's own tag!")["orderTag"] == "ABCDEFGHJKthecallersowntag"
    assert TRADING.tag == Tag("text", 50, in_news=False)


def test_what_is_and_what_is_not_offered() -> None:
    assert not TRADING.takes(PriceType.SL_M)
    assert TRADING.takes(PriceType.MARKET)
    assert not {Exchange.MCX, Exchange.NCO} & TRADING.products.keys()
    assert TRADING.products[Exchange.NFO] == {Product.NRML, Product.MIS}


def test_a_change_tells_what_changes() -> None:
    same = Change(quantity=10, price_type=PriceType.LIMIT, price=Decimal("1799.95"))
    told = drive(SPEC, TRADING.modify(OPEN, same, INFY, SESSION, CTX), ok(LEG))
    assert told.result == Accepted(order_id="240919000000041")
    assert (told.request.method, told.request.path) == ("PUT", "/orders/240919000000041")
    assert told.request.json == {"orderType": "LIMIT", "price": 1799.95}
    other = Change(
        quantity=7, price_type=PriceType.SL, price=Decimal(1810), trigger_price=Decimal(1805), disclosed_quantity=2,
        validity=Validity.IOC,
    )  # fmt: skip
    assert drive(SPEC, TRADING.modify(OPEN, other, INFY, SESSION, CTX), ok(LEG)).request.json == {
        "orderType": "SL", "price": 1810.0, "slTriggerPrice": 1805.0, "quantity": "7", "validity": "IOC",
        "disclosedQuantity": 2,
    }  # fmt: skip


def test_a_cancel_is_a_deletion() -> None:
    strange = msgspec.structs.replace(OPEN, order_id="24/1")
    told = drive(SPEC, TRADING.cancel(strange, SESSION, CTX), ok(LEG))
    assert (told.request.method, told.request.path, told.request.json) == ("DELETE", "/orders/24%2F1", None)
    assert told.result == Accepted(order_id="240919000000041")


WRITES: list[Callable[[], Operation[Accepted]]] = [
    lambda: TRADING.place(ORDER, INFY, SESSION, CTX),
    lambda: TRADING.modify(OPEN, Change(quantity=10, price_type=PriceType.MARKET), INFY, SESSION, CTX),
    lambda: TRADING.cancel(OPEN, SESSION, CTX),
]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(
    ("leg", "error", "code"),
    [
        ({"status": "EC901", "message": "Invalid parameter: 'exchange'"}, Refused, "INVALID_ORDER"),
        ({"status": "EC947", "message": "Invalid instrumentId"}, Refused, "SYMBOL_NOT_FOUND"),
        ({"status": "EC992", "message": "not modifiable"}, Refused, "ORDER_ERROR"),
        ({"status": "Failure", "message": "RMS:Margin Exceeds,Required:1, Available:0"}, Refused, "INSUFFICIENT_FUNDS"),
        ({"status": "Failure", "message": "RMS:Rule: blocked"}, Refused, "ORDER_ERROR"),
        ({"status": "EC044", "message": "Invalid token"}, SessionExpired, "INVALID_TOKEN"),
        ({"status": "EC901", "message": "the exchange timed out"}, Unknown, "OUTCOME_UNKNOWN"),
        ({"status": "EC942", "message": "no word about it"}, Unknown, "OUTCOME_UNKNOWN"),
        ({"status": "Success", "message": "Success"}, Unknown, "OUTCOME_UNKNOWN"),
        ({"status": "Success", "brokerOrderId": ""}, Unknown, "OUTCOME_UNKNOWN"),
        ({"brokerOrderId": "1"}, Unknown, "OUTCOME_UNKNOWN"),
        ({}, Unknown, "OUTCOME_UNKNOWN"),
        (None, Unknown, "OUTCOME_UNKNOWN"),
        ("Success", Unknown, "OUTCOME_UNKNOWN"),
    ],
)
def test_what_the_leg_of_an_order_proves(write: Any, leg: Any, error: type[BrokerError], code: str) -> None:
    for result in (leg, [leg]):
        with pytest.raises(error) as caught:
            drive(SPEC, write(), ok(result))
        assert (type(caught.value), caught.value.code) == (error, code)


def test_two_answers_to_one_order_are_none() -> None:
    for result in ([], [LEG, LEG]):
        with pytest.raises(Unknown):
            drive(SPEC, WRITES[0](), ok(result))


@given(
    st.integers(100, 599),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["status", "message", "result", "brokerOrderId"]), inner)),
)  # fmt: skip
def test_no_odd_answer_to_a_write_is_a_refusal(status: int, payload: Any) -> None:
    """Only a code of the table, or a text of it, with a status that can carry a proof."""
    for write in WRITES:
        told: Any = None
        try:
            told = drive(SPEC, write(), Canned(payload, status)).result
        except BrokerError as error:
            told = error
        if isinstance(told, RateLimited | SessionExpired):
            assert status == (429 if isinstance(told, RateLimited) else 401)
        elif isinstance(told, Refused):
            assert told.broker_code in EVIDENCE.kinds or "rms:" in str(told).casefold()
        else:
            assert isinstance(told, Unknown) or told.order_id


def test_margins_are_asked_one_by_one_and_summed() -> None:
    leg = MarginLeg(
        action=Action.BUY, quantity=10, product=Product.MIS, price_type=PriceType.LIMIT, price=Decimal("1800.5")
    )
    answer = {"totalCashAvailable": 1, "currentOrderMargin": "3601.0", "rmsvalidationMessage": "OK", "fundShort": 0}
    told = drive(SPEC, margin([(INFY, leg)], SESSION, CTX), ok(answer))
    assert told.result == Margin(total=3601.0)
    assert told.request.effect == "read"
    assert told.request.json == {
        "instrumentId": "1594", "exchange": "NSEEQ", "transactionType": "BUY", "orderComplexity": "REGULAR",
        "product": "INTRADAY", "orderType": "LIMIT", "price": 1800.5, "quantity": "10", "validity": "DAY",
    }  # fmt: skip
    both = drive(SPEC, margin([(INFY, leg), (INFY, leg)], SESSION, CTX), ok(answer), ok(answer))
    assert both.result.total == 7202.0
    with pytest.raises(Unknown):
        drive(SPEC, margin([(INFY, leg)], SESSION, CTX), ok({}))
