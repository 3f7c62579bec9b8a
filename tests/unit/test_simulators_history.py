"""The past of a market: its bars agree with one another, with its quotes, and with what was really traded."""

import itertools
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sangam.model.calendar import SESSIONS
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Exchange as Code
from sangam.simulators.exchange import Exchange
from sangam.simulators.market import Market
from sangam.simulators.paths import Recorded
from sangam.simulators.tape import Bar, Tape

MORNING = datetime(2026, 8, 18, 9, 15, tzinfo=IST)
TODAY, YESTERDAY = date(2026, 8, 18), date(2026, 8, 17)
SAMPLE = (
    ("NIFTY", Code.NSE_INDEX),
    ("SBIN", Code.NSE),
    ("NIFTY25AUG26FUT", Code.NFO),
    ("NIFTY25AUG2624400CE", Code.NFO),
    ("USDINR27AUG26FUT", Code.CDS),
    ("CRUDEOIL19AUG26FUT", Code.MCX),
)


class Floor:
    def __init__(self, seed: int = 1, **options: Any) -> None:
        self.clock = ManualClock(MORNING)
        self.exchange = Exchange(clock=self.clock, seed=seed, **options)

    def step(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.exchange.step(seconds)

    def market(self, symbol: str = "SBIN", code: Code = Code.NSE) -> Market:
        return self.exchange.market(symbol, code)

    def bars(self, market: Market, minutes: int, first: date, last: date, **more: Any) -> list[Bar]:
        return [bar for portion in self.exchange.candles(market, minutes, first, last, **more) for bar in portion]


def total(bars: list[Bar]) -> tuple[int, ...]:
    """Open, high, low, close and volume of all of them together."""
    high, low = max(bar.high for bar in bars), min(bar.low for bar in bars)
    return (bars[0].open, high, low, bars[-1].close, sum(bar.volume for bar in bars))


def when(bar: Bar) -> datetime:
    return datetime.fromtimestamp(bar.time, IST)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(SAMPLE), st.sampled_from([1, 3, 5, 15, 60]))
def test_minutes_add_up_to_their_day(seed: int, key: tuple[str, Code], length: int) -> None:
    floor = Floor(seed)
    market = floor.market(*key)
    hours = SESSIONS[key[1]]
    for day in (YESTERDAY, date(2026, 8, 14), date(2026, 7, 1)):
        (whole,) = floor.bars(market, 0, day, day)
        assert whole.time == datetime.combine(day, time(), UTC).timestamp()
        parts = floor.bars(market, length, day, day)
        assert total(parts) == whole[1:6]
        assert when(parts[0]) == datetime.combine(day, hours.start, IST)
        assert all(0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in parts)
        assert all(bar.volume % market.contract.lot_size == 0 for bar in parts)
        starts = [when(bar) for bar in parts]
        assert starts == sorted(set(starts))
        assert all(start.date() == day and start.time() < hours.end for start in starts)
        assert all((start - starts[0]) % timedelta(minutes=length) == timedelta(0) for start in starts)


@pytest.mark.parametrize("key", SAMPLE)
def test_the_past_ends_where_the_market_began(key: tuple[str, Code]) -> None:
    floor = Floor()
    market = floor.market(*key)
    *past, today = floor.bars(market, 0, date(2026, 1, 1), date(2030, 1, 1))
    assert past[-1].close == market.close
    assert [today.open, today.high, today.low, today.close] == [market.open, market.high, market.low, market.ltp]
    assert (today.volume, today.oi) == (market.volume, market.oi)
    days = [datetime.fromtimestamp(bar.time, UTC).date() for bar in (*past, today)]
    assert days[-2:] == [YESTERDAY, TODAY]
    assert all(day.weekday() < 5 for day in days)
    assert len(set(days)) == len(days) > 40
    assert all(bar.volume > 0 for bar in past) is not market.is_index
    closes = [bar.close for bar in past]
    if market.contract.strike == 0:
        assert all(0.9 < after / before < 1.1 for before, after in itertools.pairwise(closes))


def test_derivatives_follow_their_underlying_and_begin_when_they_are_listed() -> None:
    floor = Floor()
    spot, future = floor.market("NIFTY", Code.NSE_INDEX), floor.market("NIFTY25AUG26FUT", Code.NFO)
    first = date(2026, 1, 1)
    days = floor.bars(future, 0, first, YESTERDAY)
    assert datetime.fromtimestamp(days[0].time, UTC).date() >= date(2026, 8, 25) - timedelta(days=90)
    spots = {bar.time: spot.rupees(bar.close) for bar in floor.bars(spot, 0, first, YESTERDAY)}
    assert all(0 <= future.rupees(bar.close) / spots[bar.time] - 1 < 0.02 for bar in days)
    longer = floor.bars(future, 0, first, YESTERDAY, continuous=True)
    assert longer[-len(days) :] == days
    assert len(longer) == len(spots) > len(days)


def test_the_past_is_the_same_whenever_it_is_asked_for() -> None:
    first, second = Floor(), Floor()
    whole = first.bars(first.market(), 0, date(2020, 1, 1), YESTERDAY)
    some = [second.bars(second.market(), 0, day, day) for day in (date(2024, 5, 6), date(2021, 3, 3), YESTERDAY)]
    assert all(bar in whole for (bar,) in some)
    day = (first.bars(first.market(), 5, YESTERDAY, YESTERDAY), second.bars(second.market(), 5, YESTERDAY, YESTERDAY))
    assert day[0] == day[1]
    other = Floor(seed=2)
    assert other.bars(other.market(), 5, YESTERDAY, YESTERDAY) != day[0]


def test_todays_bars_are_todays_trades() -> None:
    floor = Floor()
    market = floor.market()
    floor.exchange.watch(market)
    for _ in range(90):
        floor.step(20.0)
    minutes = floor.bars(market, 1, TODAY, TODAY)
    assert len(minutes) == 31
    assert total(minutes) == (market.open, market.high, market.low, market.ltp, market.volume)
    quarters = floor.bars(market, 15, TODAY, TODAY)
    assert [when(bar).time() for bar in quarters] == [time(9, 15), time(9, 30), time(9, 45)]
    assert total(quarters) == total(minutes)
    assert floor.bars(market, 1, TODAY + timedelta(days=1), TODAY + timedelta(days=9)) == []


def test_a_day_that_was_traded_stays_as_it_was() -> None:
    floor = Floor()
    market = floor.market()
    floor.exchange.watch(market)
    for _ in range(20):
        floor.step(60.0)
    (lived,) = floor.bars(market, 0, TODAY, TODAY)
    before = floor.bars(market, 0, date(2026, 8, 1), YESTERDAY)
    floor.clock.set(MORNING + timedelta(days=1))
    floor.exchange.step(1.0)
    assert floor.bars(market, 0, date(2026, 8, 1), TODAY) == [*before, lived]
    assert market.close == lived.close
    assert total(floor.bars(market, 1, TODAY, TODAY)) == lived[1:6]
    floor.clock.set(MORNING + timedelta(days=3))
    floor.exchange.step(1.0)
    skipped = TODAY + timedelta(days=2)
    assert floor.bars(market, 0, skipped, skipped) == [], "nobody traded"


def test_a_recording_has_a_past_too() -> None:
    floor = Floor(paths={"SBIN": Recorded([0.0, 60.0], [500.0, 501.0], smooth=True)})
    market = floor.market()
    past = floor.bars(market, 0, date(2026, 8, 1), YESTERDAY)
    assert market.rupees(past[-1].close) == 500.0


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 50), st.integers(0, 90_000)), max_size=30))
def test_a_tape_adds_up(trades: list[tuple[int, int, int]]) -> None:
    tape, now = Tape(100), 1_787_024_700_000
    for price, quantity, wait in trades:
        now += wait
        tape.add(price, quantity, quantity * 2, now)
    bars = list(tape.bars())
    if not trades:
        assert bars == []
        return
    prices = [100, *(price for price, _, _ in trades)]
    assert total(bars) == (100, max(prices), min(prices), prices[-1], sum(quantity for _, quantity, _ in trades))
    assert bars[-1].oi == trades[-1][1] * 2
    assert all(after.time - before.time >= 60 for before, after in itertools.pairwise(bars))
