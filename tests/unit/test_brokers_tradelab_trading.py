"""Place, modify and cancel: the bodies of the documents' samples, and what an answer must have."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.canned import conduct
from tests.unit.test_brokers_tradelab_books import ORDER, SESSION, book, ok

from sangam.brokers import mastertrust
from sangam.brokers.contract import Ctx, Tag
from sangam.brokers.pocketful import SPEC
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import Refused, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, TradingMode, Validity

CTX = Ctx(0, bytes)
assert SPEC.trading is not None
assert mastertrust.SPEC.trading is not None
TRADING, MASTER = SPEC.trading, mastertrust.SPEC.trading
SHARE = Instrument(symbol="DISHTV", exchange=Exchange.NSE, brsymbol="DISHTV-EQ", brexchange="NSE", token="14537")
PLAIN = Order(
    id="L-123456789",
    account="a1",
    user="u1",
    broker="pocketful",
    mode=TradingMode.LIVE,
    symbol="DISHTV",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=1,
    price_type=PriceType.LIMIT,
    product=Product.CNC,
    price=Decimal("5.5"),
    tag="mine",
)
PLACED = msgspec.structs.replace(PLAIN, order_id="2024030943")
CHANGE = Change(quantity=3, price_type=PriceType.SL, price=Decimal("5.7"), trigger_price=Decimal("5.6"))
TAKEN = ok({"oms_order_id": "2024030943"})


def test_an_order_of_pocketful() -> None:
    requests, taken = conduct(SPEC, TRADING.place(PLAIN, SHARE, SESSION, CTX), TAKEN)
    assert taken == Accepted(order_id="2024030943")
    (request,) = requests
    assert (request.method, request.path, request.effect, request.lane) == ("POST", "/api/v1/orders", "write", "orders")
    assert request.json == {
        "exchange": "NSE", "instrument_token": "14537", "client_id": "YG1234", "order_type": "LIMIT", "amo": False,
        "price": 5.5, "quantity": 1, "disclosed_quantity": 0, "validity": "DAY", "product": "CNC", "order_side": "BUY",
        "device": "WEB", "user_order_id": 123456789, "trigger_price": 0, "execution_type": "REGULAR",
    }  # fmt: skip


def test_an_order_of_master_trust() -> None:
    requests, _ = conduct(mastertrust.SPEC, MASTER.place(PLAIN, SHARE, SESSION, CTX), TAKEN)
    assert requests[0].json == {
        "client_id": "YG1234", "disclosed_quantity": 0, "exchange": "NSE", "instrument_token": "14537",
        "market_protection_percentage": 10, "order_side": "BUY", "order_type": "LIMIT", "price": 5.5, "product": "CNC",
        "quantity": 1, "trigger_price": 0, "validity": "DAY", "user_order_id": 123456789,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "word", "price", "trigger"),
    [
        (PriceType.MARKET, "MARKET", 0, 0),
        (PriceType.LIMIT, "LIMIT", 5.5, 0),
        (PriceType.SL, "SL", 5.5, 5.4),
        (PriceType.SL_M, "SLM", 0, 5.4),
    ],
)
def test_each_type_has_its_word_and_its_prices(kind: PriceType, word: str, price: float, trigger: float) -> None:
    order = msgspec.structs.replace(PLAIN, price_type=kind, trigger_price=Decimal("5.4"), validity=Validity.IOC)
    requests, _ = conduct(SPEC, TRADING.place(order, SHARE, SESSION, CTX), TAKEN)
    body = requests[0].json
    assert (body["order_type"], body["price"], body["trigger_price"], body["validity"]) == (word, price, trigger, "IOC")


def test_a_number_of_ours_is_nine_digits_and_nothing_of_the_callers_is_in_it() -> None:
    assert TRADING.tag == Tag("int", 9)
    assert TRADING.tag.text(PLAIN) == "123456789"


def test_a_change_repeats_what_the_book_says_of_the_order() -> None:
    row = {
        **ORDER, "exchange_order_id": "1200000019706097", "filled_quantity": 150, "remaining_quantity": 1350,
        "last_activity_reference": 1386762580344098300, "execution_type": "REGULAR",
    }  # fmt: skip
    other = {**row, "oms_order_id": "7", "exchange_order_id": "8"}
    operation = TRADING.modify(PLACED, CHANGE, SHARE, SESSION, CTX)
    requests, taken = conduct(SPEC, operation, book(other, row), TAKEN)
    assert taken.order_id == "2024030943"
    look, change = requests
    assert (look.effect, look.query) == ("read", {"type": "pending", "client_id": "YG1234"})
    assert (change.method, change.path, change.effect) == ("PUT", "/api/v1/orders", "write")
    assert change.json == {
        "exchange": "NSE", "instrument_token": 14537, "client_id": "YG1234", "order_type": "SL", "price": 5.7,
        "quantity": 3, "disclosed_quantity": 0, "validity": "DAY", "product": "CNC", "order_side": "BUY",
        "oms_order_id": "2024030943", "trigger_price": 5.6, "exchange_order_id": "1200000019706097",
        "filled_quantity": 150, "remaining_quantity": 1350, "last_activity_reference": 1386762580344098300,
        "execution_type": "REGULAR",
    }  # fmt: skip
    assert type(change.json["filled_quantity"]) is int


def test_of_an_order_that_waits_no_more_nothing_is_repeated() -> None:
    requests, _ = conduct(SPEC, TRADING.modify(PLACED, CHANGE, SHARE, SESSION, CTX), book(), TAKEN)
    assert "exchange_order_id" not in requests[1].json


def test_a_change_at_master_trust_is_one_call_and_its_number_comes_in_a_list() -> None:
    told = ok({"oms_order_id": [" 2024030943"]})
    requests, taken = conduct(mastertrust.SPEC, MASTER.modify(PLACED, CHANGE, SHARE, SESSION, CTX), told)
    assert (len(requests), taken.order_id) == (1, "2024030943")


def test_a_cancel_names_client_and_kind() -> None:
    requests, taken = conduct(SPEC, TRADING.cancel(PLACED, SESSION, CTX), TAKEN)
    assert taken.order_id == "2024030943"
    assert (requests[0].method, requests[0].path) == ("DELETE", "/api/v1/orders/2024030943")
    assert requests[0].query == {"client_id": "YG1234", "execution_type": "REGULAR"}
    after_market = msgspec.structs.replace(PLACED, native={"execution_type": "AMO"})
    requests, _ = conduct(SPEC, TRADING.cancel(after_market, SESSION, CTX), TAKEN)
    assert requests[0].query == {"client_id": "YG1234", "execution_type": "AMO"}
    requests, _ = conduct(mastertrust.SPEC, MASTER.cancel(PLACED, SESSION, CTX), TAKEN)
    assert requests[0].query == {"client_id": "YG1234"}


@pytest.mark.parametrize("native", [{"product": "CO"}, {"execution_type": "BO"}])
def test_orders_with_legs_are_left_alone_and_nothing_is_sent(native: dict[str, str]) -> None:
    order = msgspec.structs.replace(PLACED, native=native)
    for operation in (TRADING.cancel(order, SESSION, CTX), TRADING.modify(order, CHANGE, SHARE, SESSION, CTX)):
        with pytest.raises(Refused, match="own pages") as caught:
            next(operation)
        assert not caught.value.sent


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"oms_order_id": ""}, {"oms_order_id": None}, {"oms_order_id": []}, {"oms_order_id": ["1", "2"]}],
)
def test_an_answer_without_the_orders_number_is_unknown(data: Any) -> None:
    for operation in (TRADING.place(PLAIN, SHARE, SESSION, CTX), TRADING.cancel(PLACED, SESSION, CTX)):
        with pytest.raises(Unknown):
            conduct(SPEC, operation, ok(data))


def test_what_is_not_documented_is_not_offered() -> None:
    for trading in (TRADING, MASTER):
        absent = (trading.order, trading.find, trading.margin, trading.convert, trading.gtt, trading.postback)
        assert absent == (None,) * 6
    assert Exchange.MCX not in TRADING.products
    assert MASTER.products[Exchange.MCX] == {Product.NRML, Product.MIS}
