from decimal import Decimal
from typing import Any

import pytest

from sangam.model.enums import Action, PriceType, Product
from sangam.model.errors import InvalidInput
from sangam.orders.gtt import gtt_legs

OCO: dict[str, Any] = {"trigger_sl": 90, "trigger_tg": 110, "stoploss": 89, "target": 111}


def legs(kind: Any, product: Product = Product.CNC, **prices: Any) -> list[tuple[int, int]]:
    price_type = prices.pop("price_type", PriceType.LIMIT)
    decimals = {name: Decimal(value) for name, value in prices.items()}
    made = gtt_legs(kind, Action.SELL, 5, product, price_type, **decimals)
    assert {(leg.action, leg.quantity, leg.product) for leg in made} == {(Action.SELL, 5, product)}
    return [(int(leg.trigger), int(leg.price)) for leg in made]


def test_a_single_one_has_one_trigger_and_the_stop_wins() -> None:
    assert legs("SINGLE", price=99, trigger_sl=100) == [(100, 99)]
    assert legs("SINGLE", price=99, trigger_tg=110) == [(110, 99)]
    assert legs("SINGLE", price=99, trigger_sl=90, trigger_tg=110) == [(90, 99)]
    assert legs("SINGLE", price=0, trigger_sl=90, price_type=PriceType.MARKET) == [(90, 0)]


def test_an_oco_has_the_lower_trigger_first() -> None:
    assert legs("OCO", Product.NRML, **OCO) == [(90, 89), (110, 111)]


@pytest.mark.parametrize(
    ("kind", "prices"),
    [
        ("SINGLE", {"price": 99}),
        ("SINGLE", {"trigger_sl": 90}),
        *(("OCO", {**OCO, name: 0}) for name in OCO),
        ("OCO", {**OCO, "trigger_tg": 90}),
        ("OCO", {**OCO, "trigger_tg": 80}),
    ],
)
def test_refused(kind: str, prices: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        legs(kind, **prices)


def test_mis_is_refused() -> None:
    with pytest.raises(InvalidInput, match="CNC and NRML"):
        legs("SINGLE", Product.MIS, price=99, trigger_sl=90)
