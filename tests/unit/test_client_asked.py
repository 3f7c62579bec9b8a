"""Arguments of strategy programs."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.client import asked
from sangam.client.asked import Terms
from sangam.model.enums import Exchange, Mode, PriceType, Product
from sangam.model.errors import InvalidInput
from sangam.model.order import Ticket

BASE: dict[str, Any] = {
    "exchange": "NSE", "product": "MIS", "price_type": None, "trigger_price": None, "client_order_id": "c", "tag": "",
    "strategy": "", "validity": "DAY", "wait_ms": 5000,
}  # fmt: skip


def ticket(price: Any = None, **more: Any) -> Ticket:
    return asked.ticket("sbin", 10, "buy", price, **{**BASE, **more})


@pytest.mark.parametrize(
    ("price", "trigger", "kind"),
    [
        (None, None, PriceType.MARKET),
        (0, 0, PriceType.MARKET),
        (800, None, PriceType.LIMIT),
        (None, 790, PriceType.SL_M),
        (789.95, "790", PriceType.SL),
    ],
)
def test_an_order_is_what_its_prices_say(price: Any, trigger: Any, kind: PriceType) -> None:
    found = ticket(price, trigger_price=trigger)
    assert (found.price_type, found.symbol, found.action) == (kind, "SBIN", "BUY")


@pytest.mark.parametrize(
    "wrong",
    [
        {"price_type": "LIMIT"},
        {"price_type": "SL", "trigger_price": 790},
        {"price_type": "SL-M"},
        {"price_type": "ICEBERG"},
        {"exchange": "NASDAQ"},
        {"product": "CO"},
        {"validity": "GTC"},
        {"tag": "x" * 21},
        {"client_order_id": ""},
        {"client_order_id": "x" * 37},
        {"client_order_id": "a\nb"},
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        ticket(**wrong)


@pytest.mark.parametrize("qty", [0, -1, 1.5, "10", True, None])
def test_quantities_are_whole_and_positive(qty: Any) -> None:
    with pytest.raises(InvalidInput, match="qty"):
        asked.ticket("SBIN", qty, "BUY", 1, **BASE)


@given(st.decimals(min_value=0, max_value=10**6, places=4))
def test_a_price_is_taken_to_the_digit(price: Decimal) -> None:
    assert asked.rupees("price", price) == price
    assert asked.rupees("price", str(price)) == price
    assert asked.rupees("price", float(price)) == price


@pytest.mark.parametrize("price", [-1, "many", float("nan"), float("inf"), "-0.05", object()])
def test_prices_that_are_none(price: Any) -> None:
    with pytest.raises(InvalidInput, match="price must be"):
        asked.rupees("price", price)


def test_symbols_in_all_spellings() -> None:
    named = asked.instruments(["sbin", "NFO:NIFTY24NOV26FUT", ("INFY", "bse"), "M&M"], "NSE")
    assert named == [
        ("SBIN", Exchange.NSE),
        ("NIFTY24NOV26FUT", Exchange.NFO),
        ("INFY", Exchange.BSE),
        ("M&M", Exchange.NSE),
    ]
    assert asked.instruments("SBIN", "BSE") == [("SBIN", Exchange.BSE)]
    for wrong in ([], [""], [("SBIN", "X")], [(7, "NSE")]):
        with pytest.raises(InvalidInput):
            asked.instruments(wrong, "NSE")  # type: ignore[arg-type]


def test_modes() -> None:
    assert [asked.mode(each) for each in ("ltp", "DEPTH", 2, Mode.LTP)] == [Mode.LTP, Mode.DEPTH, Mode.QUOTE, Mode.LTP]
    for wrong in ("FULL", 9):
        with pytest.raises(InvalidInput):
            asked.mode(wrong)


def test_terms_keep_what_they_do_not_name() -> None:
    assert asked.terms(800, None, None, None) == Terms(price=Decimal(800))
    assert asked.terms(None, 5, 790, "SL").price_type is PriceType.SL
    with pytest.raises(InvalidInput, match="must name"):
        asked.terms(None, None, None, None)


def test_a_trigger_is_its_own_limit_unless_told() -> None:
    leg = asked.gtt_leg(790, 5, "BUY", None, "CNC", "LIMIT")
    assert (leg.trigger, leg.price, leg.product) == (Decimal(790), Decimal(790), Product.CNC)
    assert asked.gtt_leg(790, 5, "BUY", 791, "CNC", "LIMIT").price == 791
    with pytest.raises(InvalidInput, match="trigger_price"):
        asked.gtt_leg(0, 5, "BUY", 791, "CNC", "LIMIT")
