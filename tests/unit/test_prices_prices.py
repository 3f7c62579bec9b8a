"""Where every price of the house is found."""

from sangam.prices.last import Last
from sangam.prices.prices import Prices


def test_rows_are_found_by_account_symbol_and_exchange_until_they_are_dropped() -> None:
    prices = Prices()
    ours, theirs = Last(), Last()
    prices.put(("a", "SBIN", "NSE"), ours)
    prices.put(("b", "SBIN", "NSE"), theirs)
    assert prices.get("a", "SBIN", "NSE") is ours
    assert prices.get("b", "SBIN", "NSE") is theirs
    assert prices.get("a", "SBIN", "BSE") is None
    prices.drop(("a", "SBIN", "NSE"))
    prices.drop(("a", "SBIN", "NSE"))
    assert prices.get("a", "SBIN", "NSE") is None
    assert len(prices) == 1
