"""News of orders: the socket's words, glued and damaged frames, the postback."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.contract import Ctx, Endpoint, LoggedIn, Send, Session, unsigned
from sangam.brokers.dhan import SPEC
from sangam.brokers.dhan.updates import OrderCodec, decode
from sangam.model.errors import DecodeError
from sangam.model.order import OrderUpdate

# dhan.md, 8: the documents' sample
SAMPLE: dict[str, Any] = {
    "Exchange": "NSE", "Segment": "E", "Source": "N", "SecurityId": "14366", "ClientId": "1000000001",
    "ExchOrderNo": "1400000000404591", "OrderNo": "1124091136546", "Product": "C", "TxnType": "B", "OrderType": "LMT",
    "Validity": "DAY", "DiscQuantity": 1, "DiscQtyRem": 1, "RemainingQuantity": 1, "Quantity": 1, "TradedQty": 0,
    "Price": 13, "TriggerPrice": 0, "TradedPrice": 0, "AvgTradedPrice": 0, "OffMktFlag": "0",
    "OrderDateTime": "2024-09-11 14:39:29", "ExchOrderTime": "2024-09-11 14:39:29",
    "LastUpdatedTime": "2024-09-11 14:39:30", "Remarks": "NR", "MktType": "NL", "ReasonDescription": "CONFIRMED",
    "LegNo": 1, "Instrument": "EQUITY", "Symbol": "IDEA", "ProductName": "CNC", "Status": "Cancelled", "LotSize": 1,
    "ExpiryDate": "0001-01-01 00:00:00", "OptType": "XX", "DisplayName": "Vodafone Idea", "Isin": "INE669E01016",
    "Series": "EQ", "GoodTillDaysDate": "2024-09-11", "RefLtp": 13.21, "TickSize": 0.01, "AlgoId": "0",
    "Multiplier": 1, "CorrelationId": "",
}  # fmt: skip


def frame(**changes: Any) -> str:
    return json.dumps({"Data": SAMPLE | changes, "Type": "order_alert"})


def only(text: str) -> OrderUpdate:
    (found,) = decode(text)
    return found


def test_the_documents_sample() -> None:
    assert only(frame()) == OrderUpdate(
        order_id="1124091136546",
        brsymbol="",
        brexchange="NSE_EQ",
        token="14366",
        action="BUY",
        quantity=1,
        status="cancelled",
        product="CNC",
        price_type="LIMIT",
        price=13.0,
        disclosed_quantity=1,
        timestamp=1_726_045_770_000,
    )


def test_the_sockets_own_spelling_is_the_same() -> None:
    camel = {name[0].lower() + name[1:]: value for name, value in SAMPLE.items()}
    texts = {name: str(value) for name, value in camel.items()}
    for data in (camel, texts, camel | {"orderNo": 1124091136546, "strikePrice": "", "algoOrdNo": None}):
        assert only(json.dumps({"type": "ORDER_ALERT", "data": data})) == only(frame())


@pytest.mark.parametrize(
    ("told", "kind", "traded", "status"),
    [
        ("Traded", "MKT", 10, "complete"),
        ("TRADED", "LMT", 10, "complete"),
        ("Rejected", "LMT", 0, "rejected"),
        ("Expired", "LMT", 0, "cancelled"),
        ("Transit", "LMT", 0, "open"),
        ("Part_Traded", "LMT", 3, "open"),
        ("Part Traded", "SL", 3, "open"),
        ("Pending", "SL", 0, "trigger pending"),
        ("TRANSIT", "SLM", 0, "trigger pending"),
    ],
)
def test_statuses(told: str, kind: str, traded: int, status: str) -> None:
    found = only(frame(Status=told, OrderType=kind, TradedQty=traded, Quantity=10))
    assert (found.status, found.filled_quantity) == (status, traded)
    assert found.pending_quantity == (0 if status in ("complete", "rejected", "cancelled") else 10 - traded)


def test_a_healthy_order_has_no_reason() -> None:
    assert only(frame(Status="TRADED", TradedQty=1)).rejection_reason == ""
    assert only(frame(Status="CANCELLED", ReasonDescription="Confirmed ")).rejection_reason == ""
    assert only(frame(Status="CANCELLED", ReasonDescription="by exchange")).rejection_reason == "by exchange"
    assert only(frame(Status="PENDING")).rejection_reason == ""
    assert only(frame(Status="REJECTED", ReasonDescription="RMS: no")).rejection_reason == "RMS: no"


@pytest.mark.parametrize(
    ("exchange", "segment", "named"),
    [("NSE", "D", "NSE_FNO"), ("BSE", "E", "BSE_EQ"), ("BSE", "D", "BSE_FNO"), ("MCX", "M", "MCX_COMM"),
     ("NSE", "C", "NSE_CURRENCY")],
)  # fmt: skip
def test_segments(exchange: str, segment: str, named: str) -> None:
    assert only(frame(Exchange=exchange, Segment=segment)).brexchange == named


def test_glued_objects_and_other_messages() -> None:
    several = list(decode(f'{frame()}{frame(OrderNo="2")}\n{{"Type":"hello"}} {frame(OrderNo="3")}'))
    assert [each.order_id for each in several] == ["1124091136546", "2", "3"]
    assert list(decode('{"Type":"order_alert","Data":null}')) == []
    assert list(decode("")) == []


def test_the_first_message_logs_in() -> None:
    session = Session(account="a1", broker="dhan", generation=1, secrets={"client_id": "1", "access_token": "jwt"})
    orders = next(each for each in SPEC.streams if each.carries.orders)
    codec = orders.codec(session, Endpoint(url="ws://x"), Ctx(0, bytes))
    login, done = codec.opened()
    assert isinstance(login, Send)
    assert json.loads(str(login.command)) == {
        "LoginReq": {"MsgCode": 42, "ClientId": "1", "Token": "jwt"},
        "UserType": "SELF",
    }
    assert done == LoggedIn()
    assert list(codec.update({})) == []
    assert codec.received(frame().encode()) == codec.received(frame())


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "7",
        "null",
        frame()[:-5],
        frame(Segment="Z"),
        frame(TxnType="X"),
        frame(Quantity=1.5),
        frame(Quantity="many"),
        frame(Quantity=1e300),
        frame(Price="nan"),
        frame(AvgTradedPrice=float("nan")),
        frame(TriggerPrice="inf"),
        '{"Type":"order_alert","Data":{}}',
        "[" * 100_000,
    ],
)
def test_damage_is_a_decode_error(text: str) -> None:
    with pytest.raises(DecodeError):
        OrderCodec("1", "t").received(text)


@pytest.mark.parametrize("message", [b"\xff\xfe", 7])
def test_other_messages_are_none_of_this_wire(message: Any) -> None:
    with pytest.raises(DecodeError):
        OrderCodec("1", "t").received(message)


@given(st.data())
def test_damaged_news_raise_decode_errors_and_nothing_else(data: st.DataObject) -> None:
    values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers())
    text = frame(**data.draw(st.dictionaries(st.sampled_from(sorted(SAMPLE)), values, max_size=4)))
    cut = data.draw(st.integers(0, len(text)))
    with contextlib.suppress(DecodeError):
        OrderCodec("1", "t").received(text[:cut] + data.draw(st.text(max_size=5)))


def test_the_postback() -> None:
    """The order row of the book with another name of what is filled (documents: Postback)."""
    body = {
        "dhanClientId": "1000000003", "orderId": "112111182198", "correlationId": "123abc678",
        "orderStatus": "PENDING", "transactionType": "BUY", "exchangeSegment": "NSE_EQ", "productType": "INTRADAY",
        "orderType": "LIMIT", "validity": "DAY", "tradingSymbol": "", "securityId": "11536", "quantity": 5,
        "disclosedQuantity": 0, "price": 10.0, "triggerPrice": 0.0, "afterMarketOrder": False,
        "createTime": "2021-11-24 13:33:03", "updateTime": "2021-11-24 13:33:03", "omsErrorCode": None,
        "omsErrorDescription": None, "filled_qty": 1, "algoId": None,
    }  # fmt: skip
    assert SPEC.trading is not None
    post = SPEC.trading.postback
    assert post is not None
    found = post.read(json.dumps(body).encode(), {})
    assert (found.order_id, found.status, found.filled_quantity, found.pending_quantity) == (
        "112111182198",
        "open",
        1,
        4,
    )
    assert (found.tag, found.token, found.product) == ("123abc678", "11536", "MIS")
    assert post.verified is unsigned
    assert not post.verified(b"", {}, Session(account="a1", broker="dhan", generation=1))
    with pytest.raises(DecodeError):
        post.read(b"{", {})
