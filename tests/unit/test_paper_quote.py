"""What of a streamed price may be traded on."""

from decimal import Decimal
from typing import Any

import pytest

from sangam.model.enums import Action
from sangam.model.market import Depth, DepthLevel, Patch
from sangam.paper.quote import Row, exact, read
from sangam.prices.last import Last

TODAY = 1_000_000
BOOK = Depth([DepthLevel(99.95, 10)], [DepthLevel(100.05, 30), DepthLevel(100.1, 5)])


def last(depth: Depth | None = None, received: int = TODAY + 5, **fields: Any) -> Last:
    made = Last()
    made.merge(Patch("k", {"timestamp": TODAY + 1, **fields}, depth), received)  # type: ignore[typeddict-item]
    return made


def test_a_price_of_today_is_read_exactly() -> None:
    quote = read(last(BOOK, ltp=0.1 + 0.2 - 0.2, low=0.05, high=1.0, volume=7, last_trade_quantity=3), TODAY)
    assert quote is not None
    assert (quote.bid, quote.ask) == (Decimal("99.95"), Decimal("100.05"))
    assert quote.asks == (Row(Decimal("100.05"), 30), Row(Decimal("100.1"), 5))
    assert quote.last_quantity == 3
    assert exact(82.0025) == Decimal("82.0025")
    assert (quote.touch(Action.BUY), quote.touch(Action.SELL)) == (Decimal("100.05"), Decimal("99.95"))


@pytest.mark.parametrize(
    "told",
    [
        None,
        Last(),
        last(received=TODAY - 1, ltp=100.0),
        last(timestamp=TODAY - 1, ltp=100.0),
        last(ltp=100.0, high=99.0),
        last(ltp=100.0, low=101.0),
    ],
)
def test_what_is_old_or_cannot_be_is_no_price(told: Last | None) -> None:
    assert read(told, TODAY) is None


@pytest.mark.parametrize("fields", [{}, {"ltp": 0.0}, {"ltp": 100.0, "ltt": TODAY - 1}])
def test_without_a_trade_of_today_only_the_book_counts(fields: dict[str, Any]) -> None:
    quote = read(last(BOOK, **fields), TODAY)
    assert quote is not None
    assert quote.ltp == 0
    assert quote.touch(Action.SELL) == Decimal("99.95")
    bare = read(last(**fields), TODAY)
    assert bare is not None
    assert not bare.touch(Action.BUY)
