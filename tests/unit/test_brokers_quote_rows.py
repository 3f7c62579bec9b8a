"""Quotes and candles over REST."""

import msgspec
import pytest

from sangam.brokers.contract import Candle
from sangam.brokers.quote_rows import BookRow, CandleRow, LevelRow, candles, told
from sangam.model.errors import Unknown
from sangam.model.market import DepthLevel


class Quote(msgspec.Struct, rename={"ltp": "last", "ltt": "traded"}):
    ltp: float
    open: float | None = None
    volume: float | None = None
    ltt: str | None = None
    net_change: float = 0.0


def test_only_what_is_told_under_our_names_is_a_field() -> None:
    assert told(Quote(5.5, None, 7.0, "10:00", 3.0)) == {"ltp": 5.5, "volume": 7}
    assert told(Quote(5.5, 0.0)) == {"ltp": 5.5, "open": 0.0}


def test_empty_rows_of_a_book_are_left_out() -> None:
    book = BookRow([LevelRow(5.0, 10, 1), LevelRow(0.0, 0)], []).depth
    assert (book.buy, book.sell) == ([DepthLevel(5.0, 10, 1)], [])


def test_candles_ascend_and_come_once() -> None:
    late, early = ("2026-08-18T09:16:00+05:30", 2.0), ("2026-08-18T09:15:00+0530", 1.0)
    rows = [CandleRow(time, price, price, price, price, 5.0) for time, price in (late, early, early)]
    found = candles(rows, "Acme", daily=False)
    assert [(candle.timestamp % 3600, candle.open, candle.volume) for candle in found] == [
        (2700, 1.0, 5),
        (2760, 2.0, 5),
    ]


@pytest.mark.parametrize("hour", [0, 9, 23])
def test_a_day_starts_at_00_utc_of_its_date_in_india(hour: int) -> None:
    midnight = 1_786_991_400  # 2026-08-18 00:00 IST
    rows = [CandleRow(midnight + hour * 3600, 1.0, 1.0, 1.0, 1.0, 5.0, 2.0)]
    assert candles(rows, "Acme", daily=True) == [Candle(midnight + 19_800, 1.0, 1.0, 1.0, 1.0, 5, 2)]
    assert candles(rows, "Acme", daily=False)[0].timestamp == midnight + hour * 3600


def test_an_unreadable_time_is_unknown() -> None:
    with pytest.raises(Unknown, match="Acme: a candle has no readable time"):
        candles([CandleRow("yesterday", 1.0, 1.0, 1.0, 1.0, 5.0)], "Acme", daily=True)
