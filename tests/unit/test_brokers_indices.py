"""Index names of exchanges and brokers as ours."""

import pytest

from sangam.brokers.indices import NAMES, index_symbol
from sangam.model.enums import Exchange


@pytest.mark.parametrize(
    ("exchange", "name", "symbol"),
    [
        (Exchange.NSE_INDEX, "NIFTY 50", "NIFTY"),
        (Exchange.NSE_INDEX, "Nifty Bank", "BANKNIFTY"),
        (Exchange.NSE_INDEX, "BANKNIFTY", "BANKNIFTY"),
        (Exchange.NSE_INDEX, "NIFTY MID SELECT", "MIDCPNIFTY"),
        (Exchange.NSE_INDEX, "India VIX", "INDIAVIX"),
        (Exchange.NSE_INDEX, "HANGSENG BEES-NAV", "HANGSENGBEESNAV"),
        (Exchange.BSE_INDEX, "SENSEX", "SENSEX"),
        (Exchange.BSE_INDEX, "BSE CG", "BSECAPITALGOODS"),
        (Exchange.BSE_INDEX, "OILGAS", "BSEOIL&GAS"),
        (Exchange.MCX_INDEX, "MCX BULLDEX", "MCXBULLDEX"),
    ],
)
def test_an_index_has_one_symbol_whatever_its_spelling(exchange: Exchange, name: str, symbol: str) -> None:
    assert index_symbol(exchange, name) == symbol


def test_index_names_are_unique() -> None:
    for names in NAMES.values():
        assert len(set(names.values())) == len(names)
