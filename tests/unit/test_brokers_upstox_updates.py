"""News of orders: rows of the book, pushes and postbacks (samples of the documentation)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.contract import BooksChanged, Ctx, Endpoint, Notice, Session, unsigned
from sangam.brokers.upstox import SPEC
from sangam.brokers.wire import NatsMessage
from sangam.model.errors import DecodeError
from sangam.model.order import OrderUpdate

SESSION = Session(account="a1", broker="upstox", generation=1)
NEWS = SPEC.streams[1]
CODEC = NEWS.codec(SESSION, Endpoint(url="wss://x"), Ctx(0, bytes))
assert SPEC.trading is not None
POSTBACK = SPEC.trading.postback
assert POSTBACK is not None

PUSH: dict[str, Any] = {
    "update_type": "order", "user_id": "******", "exchange": "NSE", "instrument_token": "NSE_EQ|INE848E01016",
    "instrument_key": "NSE_EQ|INE848E01016", "trading_symbol": "NHPC-EQ", "product": "D", "order_type": "MARKET",
    "average_price": 0, "price": 0, "trigger_price": 0, "quantity": 1, "disclosed_quantity": 0, "pending_quantity": 1,
    "transaction_type": "BUY", "order_ref_id": "57744821658411", "exchange_order_id": "", "validity": "DAY",
    "status": "put order req received", "is_amo": False, "variety": "SIMPLE", "order_id": "240221025997024",
    "order_timestamp": "2024-02-21 14:40:02", "filled_quantity": 0, "placed_by": "******",
}  # fmt: skip


def told(**fields: Any) -> OrderUpdate:
    (update,) = CODEC.received(json.dumps(PUSH | fields))
    assert isinstance(update, OrderUpdate)
    assert POSTBACK is not None
    assert POSTBACK.read(json.dumps(PUSH | fields).encode(), {}) == update
    return update


def test_the_sample() -> None:
    assert told() == OrderUpdate(
        order_id="240221025997024",
        brsymbol="",
        brexchange="NSE_EQ",
        token="NSE_EQ|INE848E01016",
        action="BUY",
        quantity=1,
        status="open",
        product="CNC",
        price_type="MARKET",
        pending_quantity=1,
        timestamp=1708506602000,
    )


def test_anybody_could_have_posted_it() -> None:
    assert POSTBACK is not None
    assert POSTBACK.verified is unsigned


@pytest.mark.parametrize(
    ("status", "stop", "ours"),
    [
        ("complete", False, "complete"),
        ("rejected", False, "rejected"),
        ("cancelled", False, "cancelled"),
        ("cancelled after market order", False, "cancelled"),
        ("trigger pending", True, "trigger pending"),
        ("open", True, "open"),
        ("open", False, "open"),
        ("modified", False, "open"),
        ("modified", True, "trigger pending"),
        ("not cancelled", False, "open"),
        ("not modified", True, "trigger pending"),
        ("validation pending", False, "open"),
        ("put order req received", True, "trigger pending"),
        ("open pending", False, "open"),
        ("modify pending", False, "open"),
        ("modify validation pending", True, "trigger pending"),
        ("cancel pending", False, "open"),
        ("after market order req received", False, "open"),
        ("modify after market order req received", False, "open"),
        ("Complete", False, "complete"),
    ],
)
def test_statuses(status: str, stop: bool, ours: str) -> None:
    assert told(status=status, order_type="SL" if stop else "LIMIT").status == ours


def test_a_stop_of_which_something_is_filled_waits_no_more() -> None:
    assert told(status="modify pending", order_type="SL", filled_quantity=1, quantity=2).status == "open"


@pytest.mark.parametrize(
    ("token", "code", "product"),
    [
        ("NSE_EQ|INE848E01016", "D", "CNC"),
        ("BSE_EQ|INE848E01016", "D", "CNC"),
        ("NSE_EQ|INE848E01016", "I", "MIS"),
        ("NSE_FO|52567", "D", "NRML"),
        ("NCD_FO|14294", "D", "NRML"),
        ("MCX_FO|462523", "I", "MIS"),
        ("NSE_EQ|INE848E01016", "MTF", "CNC"),
        ("NSE_EQ|INE848E01016", "CO", "MIS"),
        ("NSE_EQ|INE848E01016", "??", ""),
        ("NSE_EQ|INE848E01016", None, ""),
    ],
)
def test_delivery_is_what_the_segment_makes_of_it(token: str, code: str | None, product: str) -> None:
    assert told(instrument_token=token, product=code).product == product


def test_a_number_of_another_age_is_no_token() -> None:
    row = told(instrument_token="151064324", trading_symbol="GMRINFRA-EQ")
    assert (row.token, row.brsymbol, row.brexchange) == ("", "GMRINFRA", "NSE_EQ")
    older = told(instrument_token="1", trading_symbol="", tradingsymbol="SBIN23OCTFUT", exchange="NFO")
    assert (older.token, older.brsymbol, older.brexchange) == ("", "SBIN23OCTFUT", "NSE_FO")


def test_a_symbol_may_be_null() -> None:
    """One such row would spoil the order book, and with it every order in doubt."""
    assert told(trading_symbol=None, tradingsymbol=None) == told()
    odd = told(instrument_token="151064324", trading_symbol=None, tradingsymbol="NHPC-EQ")
    assert (odd.token, odd.brexchange, odd.brsymbol) == ("", "NSE_EQ", "NHPC")


def test_the_newest_of_both_times_and_the_reason_of_a_rejection() -> None:
    row = told(
        status="rejected",
        exchange_timestamp="2024-02-21 14:40:03",
        status_message="You need to add Rs. 138385.27 in your account to place this trade.",
        tag="ABCDEFGHJK",
        validity="IOC",
    )
    assert (row.timestamp, row.tag, row.validity) == (1708506603000, "ABCDEFGHJK", "IOC")
    assert row.rejection_reason.startswith("You need to add")
    assert told(order_timestamp=None).timestamp == 0


@pytest.mark.parametrize("kind", ["gtt_order", "position", "holding"])
def test_other_news_make_us_read_the_books(kind: str) -> None:
    assert list(CODEC.received(json.dumps({"update_type": kind, "rules": []}))) == [BooksChanged()]


def test_news_of_an_unknown_kind_are_logged() -> None:
    (notice,) = CODEC.received('{"hello": 1}')
    assert isinstance(notice, Notice)


@pytest.mark.parametrize("kind", [{}, {"update_type": "order_update"}])
def test_an_order_in_news_of_an_unknown_kind_is_looked_for_in_the_book(kind: dict[str, str]) -> None:
    odd = {name: value for name, value in PUSH.items() if name != "update_type"} | kind
    notice, changed = CODEC.received(json.dumps(odd))
    assert isinstance(notice, Notice)
    assert changed == BooksChanged()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '"order"',
        '{"update_type": "order"}',
        '{"update_type": 1}',
        json.dumps(PUSH | {"quantity": 1.5}),
        json.dumps(PUSH | {"transaction_type": "HOLD"}),
    ],
)
def test_damaged_news(text: str) -> None:
    with pytest.raises(DecodeError):
        CODEC.received(text)


@given(st.text() | st.binary())
def test_any_message_is_read_or_damaged(message: str | bytes) -> None:
    try:
        list(CODEC.received(message))
    except DecodeError:
        return


def test_what_is_no_message_of_this_wire() -> None:
    with pytest.raises(DecodeError):
        CODEC.received(NatsMessage("a", b""))


def test_the_stream_opens_with_the_session_and_carries_no_instruments() -> None:
    assert NEWS.opens == "with_session"
    assert NEWS.carries.orders
    assert list(CODEC.update({})) == []
