"""News of orders: one row in three places, statuses, webhooks and their signatures, damage."""

import json
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import shared_data

from sangam.brokers.contract import Ctx, Session
from sangam.brokers.zerodha import SPEC
from sangam.brokers.zerodha.stream import KiteCodec
from sangam.brokers.zerodha.updates import decode
from sangam.model.enums import OrderStatus
from sangam.model.errors import DecodeError
from sangam.model.order import OrderUpdate

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="zerodha", generation=1, secrets={"api_secret": "secret"})
ROW: dict[str, Any] = {
    "order_id": "220303000308932",
    "parent_order_id": None,
    "status": "OPEN",
    "status_message": None,
    "order_timestamp": "2022-03-03 09:24:25",
    "exchange_update_timestamp": "2022-03-03 09:24:27",
    "variety": "amo",
    "exchange": "MCX",
    "tradingsymbol": "GOLDPETAL22MARFUT",
    "order_type": "SL",
    "transaction_type": "SELL",
    "validity": "DAY",
    "product": "NRML",
    "quantity": 3,
    "disclosed_quantity": 1,
    "price": 4850.5,
    "trigger_price": 4851,
    "average_price": 4852,
    "filled_quantity": 1,
    "pending_quantity": 2,
    "tag": "ABCDEFGHJKmine",
}
assert SPEC.trading is not None
assert SPEC.trading.postback is not None
TRADING, POSTBACK = SPEC.trading, SPEC.trading.postback


def told(**more: Any) -> OrderUpdate:
    return decode(msgspec.json.encode(ROW | more))


def test_every_fact_of_a_row() -> None:
    """MCX counts in lots at Kite, as its instruments file does (lot size 1): nothing is converted."""
    assert told() == OrderUpdate(
        order_id="220303000308932",
        brsymbol="GOLDPETAL22MARFUT",
        brexchange="MCX",
        action="SELL",
        quantity=3,
        status="open",
        product="NRML",
        price_type="SL",
        price=4850.5,
        trigger_price=4851.0,
        filled_quantity=1,
        pending_quantity=2,
        average_price=4852.0,
        tag="ABCDEFGHJKmine",
        timestamp=1646279667000,  # 2022-03-03 09:24:27 IST
        disclosed_quantity=1,
        native={"variety": "amo"},
    )


def test_book_ticker_and_webhook_say_the_same() -> None:
    body = msgspec.json.encode(ROW)
    (pushed,) = KiteCodec().received(json.dumps({"type": "order", "data": ROW}))
    operation = TRADING.orders(SESSION, CTX)
    next(operation)
    with pytest.raises(StopIteration) as stop:
        operation.send([ROW])
    assert [pushed] == stop.value.value == [POSTBACK.read(body, {})] == [told()]


@pytest.mark.parametrize(
    ("status", "unified"),
    [
        ("COMPLETE", "complete"),
        ("REJECTED", "rejected"),
        ("CANCELLED", "cancelled"),
        ("CANCELLED AMO", "cancelled"),
        ("TRIGGER PENDING", "trigger pending"),
        ("OPEN", "open"),
        ("UPDATE", "open"),
        ("PUT ORDER REQ RECEIVED", "open"),
        ("VALIDATION PENDING", "open"),
        ("OPEN PENDING", "open"),
        ("MODIFY VALIDATION PENDING", "open"),
        ("MODIFY PENDING", "open"),
        ("CANCEL PENDING", "open"),
        ("AMO REQ RECEIVED", "open"),
        ("A STATUS OF TOMORROW", "open"),
        ("", "open"),
    ],
)
def test_statuses(status: str, unified: str) -> None:
    assert told(status=status).status == unified


def test_a_rejection_carries_its_text() -> None:
    text = "Insufficient funds. Required margin is 95417.84 but available margin is 74251.80."
    assert told(status="REJECTED", status_message=text).rejection_reason == text


def test_the_time_is_the_exchanges_or_else_kites() -> None:
    for missing in (None, "", "soon"):
        assert told(exchange_update_timestamp=missing).timestamp == 1646279665000
    assert told(exchange_update_timestamp=None, order_timestamp=None).timestamp == 0


@pytest.mark.parametrize(
    ("product", "ours"),
    [("CNC", "CNC"), ("MIS", "MIS"), ("MTF", "CNC"), ("CO", "MIS"), ("BO", "MIS"), ("NEW", ""), (None, "")],
)
def test_products_are_ours_or_nothing(product: str | None, ours: str) -> None:
    assert told(product=product).product == ours


def test_validity_is_one_of_ours() -> None:
    assert [told(validity=each).validity for each in ("DAY", "IOC", "TTL", None)] == ["DAY", "IOC", "DAY", "DAY"]


def test_second_legs_remember_their_parent() -> None:
    assert told(variety="co", parent_order_id="77").native == {"variety": "co", "parent_order_id": "77"}
    assert told(variety=None).native == {}


def test_whole_floats_are_quantities_and_parts_are_damage() -> None:
    update = told(quantity=3.0, filled_quantity=1.0, pending_quantity=2.0, disclosed_quantity=0.0)
    assert (update.quantity, update.filled_quantity, update.pending_quantity) == (3, 1, 2)
    assert all(type(each) is int for each in (update.quantity, update.filled_quantity, update.disclosed_quantity))
    for name in ("quantity", "filled_quantity", "pending_quantity", "disclosed_quantity"):
        with pytest.raises(DecodeError, match=r"multiple of 1\.0"):
            told(**{name: 1.5})
        with pytest.raises(DecodeError, match=name):
            told(**{name: 1e300})


# --- webhooks ---------------------------------------------------------------------------------------------------------


def signed(secret: str = "secret", **more: Any) -> bytes:
    row = ROW | more
    checksum = sha256(f"{row['order_id']}{row['order_timestamp']}{secret}".encode()).hexdigest()
    return json.dumps({"checksum": checksum} | row).encode()


def test_a_signature_needs_the_secret() -> None:
    assert POSTBACK.verified(signed(), {}, SESSION)
    assert not POSTBACK.verified(signed("guess"), {}, SESSION)
    assert not POSTBACK.verified(signed(""), {}, msgspec.structs.replace(SESSION, secrets={}))
    assert not POSTBACK.verified(signed(""), {}, msgspec.structs.replace(SESSION, secrets={"api_secret": ""}))


@pytest.mark.parametrize("name", ["order_id", "order_timestamp", "checksum"])
def test_what_is_signed_cannot_be_changed_or_left_out(name: str) -> None:
    body = json.loads(signed())
    assert not POSTBACK.verified(json.dumps(body | {name: "1"}).encode(), {}, SESSION)
    assert not POSTBACK.verified(json.dumps(body | {name: None}).encode(), {}, SESSION)
    del body[name]
    assert not POSTBACK.verified(json.dumps(body).encode(), {}, SESSION)


def test_the_official_postback_is_read_and_is_not_ours() -> None:
    body = shared_data("zerodha", "mocks", "postback.json").read_bytes()
    assert POSTBACK.read(body, {}).order_id == "220303000308932"
    assert not POSTBACK.verified(body, {}, SESSION)


ENCODED = signed()
inserted = st.builds(lambda at, more: ENCODED[:at] + more + ENCODED[at:], st.integers(0, 500), st.binary(max_size=3))


@given(st.binary(max_size=60) | inserted)
def test_any_body_is_read_or_damaged(body: bytes) -> None:
    assert isinstance(POSTBACK.verified(body, {}, SESSION), bool)
    try:
        update = POSTBACK.read(body, {})
    except DecodeError:
        return
    assert isinstance(update.quantity, int)


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from(sorted(ROW)), values, max_size=4), st.sets(st.sampled_from(sorted(ROW))))
def test_a_damaged_row_is_read_in_our_words_or_refused(damage: dict[str, Any], lost: set[str]) -> None:
    row = {name: value for name, value in (ROW | damage).items() if name not in lost}
    try:
        update = decode(json.dumps(row).encode())
    except DecodeError:
        return
    assert OrderStatus(update.status)
    assert update.action in ("BUY", "SELL")
    assert update.product in ("CNC", "NRML", "MIS", "")
    assert update.validity in ("DAY", "IOC")
    assert all(isinstance(each, int) for each in (update.quantity, update.filled_quantity, update.pending_quantity))
    assert all(isinstance(value, str) for value in update.native.values())
    assert msgspec.json.decode(msgspec.json.encode(update), type=OrderUpdate) == update
