"""Candles joined to coarser intervals."""

from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.contract import Candle
from sangam.feed.candles import INTERVALS, first_day, resample, source, supported
from sangam.model.clock import IST

KITE = ("1m", "3m", "5m", "10m", "15m", "30m", "1h", "D")


def bar(second: int, price: float, volume: int = 1) -> Candle:
    return Candle(timestamp=second, open=price, high=price + 2, low=price - 1, close=price + 1, volume=volume, oi=7)


def at(day: date, hour: int = 0, minute: int = 0, zone: object = IST) -> int:
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).timestamp())  # type: ignore[arg-type]


def opens(day: date) -> time:
    return time(9, 15)


@pytest.mark.parametrize(
    ("interval", "from_"),
    [("5m", "5m"), ("2m", "1m"), ("20m", "10m"), ("45s", None), ("2h", "1h"), ("4h", "1h"), ("W", "D"), ("Y", "D"),
     ("7m", None), ("1s", None)],
)  # fmt: skip
def test_the_coarsest_part_is_asked_for(interval: str, from_: str | None) -> None:
    assert source(interval, KITE) == from_


def test_what_can_be_had() -> None:
    assert supported(KITE) == [name for name in INTERVALS if not name.endswith("s")]
    assert supported(()) == []
    assert supported(("5m",)) == ["5m", "10m", "15m", "20m", "30m", "1h", "2h", "3h", "4h"]


def test_two_hours_are_counted_from_the_opening() -> None:
    day = date(2026, 8, 3)
    hours = [bar(at(day, hour, 15), 100 + hour) for hour in range(9, 16)]
    joined = resample(hours, "2h", opens)
    assert [candle.timestamp for candle in joined] == [at(day, hour, 15) for hour in (9, 11, 13, 15)]
    assert joined[0] == Candle(timestamp=at(day, 9, 15), open=109, high=112, low=108, close=111, volume=2, oi=7)
    assert joined[-1].volume == 1


def test_a_bar_never_spans_two_days() -> None:
    first, second = date(2026, 8, 3), date(2026, 8, 4)
    minutes = [bar(at(first, 15, 29), 100), bar(at(second, 9, 15), 200)]
    assert [candle.timestamp for candle in resample(minutes, "4h", opens)] == [at(first, 13, 15), at(second, 9, 15)]
    night = [bar(at(first, 23, 15), 100), bar(at(second, 0, 15), 200), bar(at(second, 1, 15), 300)]
    joined = resample(night, "2h", opens)
    assert [candle.timestamp for candle in joined] == [at(first, 23, 15), at(second, 0, 0), at(second, 1, 15)]
    assert resample(joined, "2h", opens) == joined


@pytest.mark.parametrize(
    ("interval", "begin"), [("W", (2026, 7, 27)), ("M", (2026, 8, 1)), ("Q", (2026, 7, 1)), ("Y", (2026, 1, 1))]
)
def test_longer_periods_begin_with_themselves(interval: str, begin: tuple[int, int, int]) -> None:
    day = date(2026, 8, 1)
    joined = resample([bar(at(day, zone=UTC), 100), bar(at(date(2026, 8, 2), zone=UTC), 90)], interval, opens)
    assert [candle.timestamp for candle in joined] == [at(date(*begin), zone=UTC)]
    assert (joined[0].open, joined[0].close, joined[0].low) == (100, 91, 89)
    assert first_day(interval, day) == date(*begin)
    assert first_day("5m", day) == day


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 374), st.floats(1, 1e5), st.integers(0, 10**9)), max_size=60),
    st.sampled_from(["2m", "3m", "1h", "4h"]),
)
def test_nothing_is_lost(rows: list[tuple[int, int, float, int]], interval: str) -> None:
    opening = at(date(2026, 8, 3), 9, 15)
    minutes = {opening + day * 86_400 + minute * 60: (price, volume) for day, minute, price, volume in rows}
    candles = [bar(second, *minutes[second]) for second in sorted(minutes)]
    joined = resample(candles, interval, opens)
    assert sum(candle.volume for candle in joined) == sum(candle.volume for candle in candles)
    stamps = [candle.timestamp for candle in joined]
    assert stamps == sorted(set(stamps))
    if candles:
        assert max(candle.high for candle in joined) == max(candle.high for candle in candles)
        assert min(candle.low for candle in joined) == min(candle.low for candle in candles)
        assert (joined[0].open, joined[-1].close) == (candles[0].open, candles[-1].close)
    assert resample(joined, interval, opens) == joined
