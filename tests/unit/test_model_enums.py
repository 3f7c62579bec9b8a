"""Wire spellings that clients see."""

import pytest

from sangam.model.enums import Action, Exchange, Mode, OrderStatus, PriceType


def test_the_fourteen_exchanges() -> None:
    assert len(Exchange) == 14
    assert {exchange for exchange in Exchange if exchange.is_index} == {
        Exchange.NSE_INDEX,
        Exchange.BSE_INDEX,
        Exchange.MCX_INDEX,
        Exchange.GLOBAL_INDEX,
    }


@pytest.mark.parametrize(("mode", "label"), [(Mode.LTP, "LTP"), (Mode.QUOTE, "Quote"), (Mode.DEPTH, "Depth")])
def test_mode_labels(mode: Mode, label: str) -> None:
    assert mode.label == label


def test_modes_include_the_ones_below() -> None:
    assert Mode.LTP < Mode.QUOTE < Mode.DEPTH


def test_final_statuses() -> None:
    assert {status for status in OrderStatus if status.is_final} == {
        OrderStatus.COMPLETE,
        OrderStatus.REJECTED,
        OrderStatus.CANCELLED,
    }


def test_spellings_with_blanks_and_hyphens() -> None:
    assert (OrderStatus.TRIGGER_PENDING.value, PriceType.SL_M.value) == ("trigger pending", "SL-M")


def test_the_prices_of_a_price_type() -> None:
    assert {kind for kind in PriceType if kind.has_price} == {PriceType.LIMIT, PriceType.SL}
    assert {kind for kind in PriceType if kind.has_trigger} == {PriceType.SL, PriceType.SL_M}


def test_the_side_of_a_signed_quantity() -> None:
    assert [Action.of(quantity) for quantity in (5, -5)] == [Action.BUY, Action.SELL]
