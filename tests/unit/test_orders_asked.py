"""The fields of order messages: what is taken, what is refused, and that a refusal names the field."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import InvalidInput
from sangam.model.order import Change, Order, Ticket, Validity
from sangam.orders.asked import Asked, change, ticket, trigger_legs

LEAST = {"symbol": "SBIN", "exchange": "NSE", "action": "BUY", "quantity": 5}
ORDER = msgspec.convert(
    {
        **{"id": "L-1", "account": "a", "user": "u", "broker": "b", "mode": "live", "symbol": "SBIN"},
        **{"exchange": "NSE", "action": "BUY", "quantity": 5, "price_type": "SL", "product": "MIS"},
        **{"price": "100.05", "trigger_price": "100", "disclosed_quantity": 2, "validity": "IOC"},
    },
    Order,
)


def test_the_least_that_is_an_order() -> None:
    assert ticket(Asked(LEAST)) == Ticket(
        symbol="SBIN", exchange=Exchange.NSE, action=Action.BUY, quantity=5, price_type=PriceType.MARKET
    )


def test_all_fields_as_texts_and_by_their_other_names() -> None:
    fields = {
        "symbol": " SBIN ",
        "exchange": "nse",
        "side": "sell",
        "qty": "10",
        "pricetype": "sl-m",
        "product": "cnc",
        "price": "1034.35",
        "trigger_price": 1034.1,
        "disclosed_quantity": "3",
        "validity": "ioc",
        "strategy": "s",
        "tag": "t",
        "client_order_id": 77,
        "timeout_ms": "250",
        "unknown": {"is": "ignored"},
    }
    assert ticket(Asked(fields)) == Ticket(
        symbol="SBIN",
        exchange=Exchange.NSE,
        action=Action.SELL,
        quantity=10,
        price_type=PriceType.SL_M,
        product=Product.CNC,
        price=Decimal("1034.35"),
        trigger_price=Decimal("1034.1"),
        disclosed_quantity=3,
        validity=Validity.IOC,
        strategy="s",
        tag="t",
        client_order_id="77",
        wait_ms=250,
    )


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("symbol", "", "symbol is missing."),
        ("symbol", ["SBIN"], "symbol must be a text, not \"['SBIN']\"."),
        ("exchange", None, "exchange is missing."),
        ("exchange", "LSE", "exchange must be one of NSE, NFO"),
        ("action", None, "side is missing."),
        ("action", "HOLD", "action must be one of BUY, SELL, not 'HOLD'."),
        ("side", True, "side must be one of BUY, SELL, not 'True'."),
        ("quantity", None, "quantity is missing."),
        ("quantity", 0, "quantity must be a whole number from 1"),
        ("quantity", -5, "quantity must be a whole number from 1"),
        ("quantity", 1.5, "quantity must be a whole number from 1"),
        ("quantity", True, "quantity must be a number, not 'True'."),
        ("quantity", "ten", "quantity must be a number, not 'ten'."),
        ("quantity", 10**12, "quantity must be a whole number from 1"),
        ("price", -0.05, "price must be rupees from 0 to 1000000000, not '-0.05'."),
        ("price", "NaN", "price must be a number, not 'NaN'."),
        ("price", "Infinity", "price must be a number"),
        ("price", "1e40", "price must be rupees from 0 to 1000000000, not '1e40'."),
        ("price", "1_000", "price must be a number, not '1_000'."),
        ("quantity", "1_0", "quantity must be a number, not '1_0'."),
        ("price", "1" * 50, "price must be a number, not '11111"),
        ("price", {}, "price must be a number"),
        ("price_type", "ICEBERG", "price_type must be one of MARKET, LIMIT, SL, SL-M"),
        ("product", "BO", "product must be one of"),
        ("validity", "GTC", "validity must be one of DAY, IOC"),
        ("tag", "x" * 21, "tag must have at most 20 printable characters"),
        ("client_order_id", "x" * 37, "client_order_id must have at most 36"),
        ("client_order_id", "a\x00b", "client_order_id must have at most 36"),
        ("timeout_ms", 60_001, "timeout_ms must be a whole number from 0 to 60000"),
    ],
)
def test_what_is_refused_names_the_field(name: str, value: Any, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ticket(Asked({**LEAST, name: value}))
    assert str(refused.value).startswith(text)


def test_the_name_that_was_used_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"^qty must be a number"):
        ticket(Asked({**LEAST, "quantity": None, "qty": "x"}))


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
NAMES = [*LEAST, "price", "trigger_price", "price_type", "timeout_ms", "tag", "client_order_id", "validity", "product"]


@given(st.dictionaries(st.sampled_from(NAMES), json))
def test_garbage_is_invalid_input_and_nothing_else(fields: dict[str, Any]) -> None:
    try:
        read = ticket(Asked({**LEAST, **fields}))
    except InvalidInput:
        return
    assert read.quantity >= 1
    assert read.price.is_finite()
    assert read.price >= 0


@given(st.integers(0, 10**9), st.sampled_from([str, float]))
def test_prices_are_exactly_what_was_written(paise: int, kind: Any) -> None:
    written = Decimal(paise) / 100
    assert Asked({"price": kind(written)}).price("price") == written


def test_entries_name_their_place() -> None:
    asked = Asked({"orders": [LEAST, {**LEAST, "quantity": "x"}]})
    with pytest.raises(InvalidInput, match=r"^orders\[1\]\.quantity must be a number"):
        [ticket(entry) for entry in asked.entries("orders", 2)]
    with pytest.raises(InvalidInput, match=r"orders\[0\]\.exchange is missing"):
        ticket(Asked({"orders": [{**LEAST, "exchange": None}]}).entries("orders", 2)[0])
    nothing: list[Any] = [None, [], {}, ["x"], [LEAST, 1]]
    for rows in nothing:
        with pytest.raises(InvalidInput, match="orders must be a list"):
            Asked({"orders": rows}).entries("orders", 2)
    with pytest.raises(InvalidInput, match="at most 2 entries, not 3"):
        Asked({"orders": [LEAST] * 3}).entries("orders", 2)


def test_a_change_keeps_what_it_does_not_name() -> None:
    assert change(Asked({}), ORDER) == Change(
        quantity=5,
        price_type=PriceType.SL,
        price=Decimal("100.05"),
        trigger_price=Decimal(100),
        disclosed_quantity=2,
        validity=Validity.IOC,
    )
    assert change(
        Asked({"qty": 7, "price": 0, "pricetype": "MARKET", "trigger_price": "0", "disclosed_quantity": 0}), ORDER
    ) == Change(quantity=7, price_type=PriceType.MARKET, validity=Validity.IOC)


def test_one_trigger_or_two() -> None:
    (leg,) = trigger_legs(Asked({**LEAST, "trigger_price": "95.5"}))
    assert (leg.trigger, leg.price, leg.price_type, leg.product) == (
        Decimal("95.5"),
        Decimal("95.5"),
        PriceType.LIMIT,
        Product.CNC,
    )
    (leg,) = trigger_legs(Asked({**LEAST, "triggerprice_tg": 110, "price": 109, "trigger_type": "single"}))
    assert (leg.trigger, leg.price) == (Decimal(110), Decimal(109))
    oco = {"trigger_type": "oco", "triggerprice_sl": 90, "triggerprice_tg": 110, "stoploss": 89.5, "target": 110.5}
    low, high = trigger_legs(Asked({**LEAST, **oco}))
    assert [(leg.trigger, leg.price) for leg in (low, high)] == [
        (Decimal(90), Decimal("89.5")),
        (Decimal(110), Decimal("110.5")),
    ]


def test_a_single_trigger_is_asked_for_by_its_own_name() -> None:
    with pytest.raises(InvalidInput, match=r"^trigger_price is missing\."):
        trigger_legs(Asked(LEAST))


@pytest.mark.parametrize(
    "fields",
    [
        {"trigger_price": 0},
        {"trigger_price": 90, "trigger_type": "TRAILING"},
        {"trigger_type": "OCO", "triggerprice_sl": 90},
        {"trigger_price": 90, "product": "MIS"},
    ],
)
def test_a_trigger_that_is_none(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        trigger_legs(Asked({**LEAST, **fields}))
