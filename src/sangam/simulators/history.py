"""The past of a market: what it traded itself, and before that days drawn from seeded dice.

Drawn days end where the market began, follow their underlying, and are the same whenever they are asked for; the
minutes of a day add up to its daily bar."""

import math
import random
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import accumulate, pairwise
from typing import NamedTuple

from sangam.model.calendar import SESSIONS
from sangam.model.calendar import Session as Hours
from sangam.model.clock import IST, ist_from_ms

from .fair import FairPrices
from .market import Market
from .past import day_before
from .tape import Bar

_LISTED = timedelta(days=90)
"""How long before its expiry a contract began to trade."""

_REACH = timedelta(days=10 * 366)
"""How far the past goes back."""
_PORTION = 25
"""Days that are handed out at once."""


class Birth(NamedTuple):
    """When a market was first looked at, and its previous close (ticks) and open interest then."""

    day: date
    close: int
    oi: int


class History:
    def __init__(self, fair: FairPrices) -> None:
        self._fair = fair

    def days(
        self, market: Market, birth: Birth, today: date, first: date, last: date, *, continuous: bool = False
    ) -> Iterator[list[Bar]]:
        """Daily bars, oldest first, in handy portions. `continuous` goes on before a contract was listed."""
        bars: list[Bar] = []
        for day in _dates(max(first, today - _REACH), min(last, today)):
            bar = _today(market, today) if day == today else self._day(market, birth, day, continuous)
            if bar is not None:
                bars.append(bar)
            if len(bars) == _PORTION:
                yield bars
                bars = []
        yield bars

    def minutes(
        self, market: Market, birth: Birth, today: date, first: date, last: date, length: int
    ) -> Iterator[list[Bar]]:
        """Bars of `length` minutes that begin on IST dates `first` to `last`, a day at a time."""
        hours = SESSIONS[market.contract.exchange]
        for day in _dates(max(first, today - _REACH), min(last, today - timedelta(days=1))):
            if (bar := self._day(market, birth, day)) is not None:
                dice = self._fair.dice(f"minutes {day}", market.contract.id)
                yield joined(_minutes(bar, day, hours, market.contract.lot_size, dice), hours, length)
        live = (bar for bar in market.tape.bars() if first <= ist_from_ms(bar.time * 1000).date() <= last)
        yield joined(live, hours, length)

    def _day(self, market: Market, birth: Birth, day: date, continuous: bool = False) -> Bar | None:
        """The bar of a day before today; None where there was no trading."""
        if (bar := market.days.get(day)) is not None:
            return bar
        contract = market.contract
        unlisted = contract.expiry is not None and day < contract.expiry - _LISTED
        if day >= birth.day or day.weekday() >= 5 or (unlisted and not continuous):
            return None
        dice = self._fair.dice(f"bar {day}", contract.id)
        before = self._close(market, birth, day_before(day))
        close = self._close(market, birth, day)
        opened = round(before + (close - before) * dice.uniform(0.0, 0.4))
        wing = max(abs(close - opened) * 0.5, close * 0.004)
        high = max(opened, close) + round(wing * dice.random())
        low = max(1, min(opened, close) - round(wing * dice.random()))
        volume = 0 if market.is_index else market.clip * int(dice.uniform(150_000, 450_000))
        lot = contract.lot_size
        oi = 0 if contract.expiry is None else int(birth.oi / lot * dice.uniform(0.7, 1.0)) * lot
        return Bar(_midnight(day), opened, high, low, close, volume, oi)

    def _close(self, market: Market, birth: Birth, day: date) -> int:
        if day == day_before(birth.day):
            return birth.close
        return max(1, round(self._fair.close(market.contract, birth.day, day) / market.contract.tick_size))


def joined(minutes: Iterable[Bar], hours: Hours, length: int) -> list[Bar]:
    """Minute bars as bars of `length` minutes, counted from the opening of the exchange."""
    opening = _seconds(hours.start.hour, hours.start.minute)
    bars: list[Bar] = []
    for minute in minutes:
        start = opening + (minute.time - opening) // (length * 60) * (length * 60)
        if not bars or bars[-1].time != start:
            bars.append(minute._replace(time=start))
            continue
        bar = bars[-1]
        bars[-1] = Bar(
            start,
            bar.open,
            max(bar.high, minute.high),
            min(bar.low, minute.low),
            minute.close,
            bar.volume + minute.volume,
            minute.oi,
        )
    return bars


def _minutes(bar: Bar, day: date, hours: Hours, lot: int, dice: random.Random) -> list[Bar]:
    """A way from open to close that touches high and low, with more volume at both ends of the session."""
    begin = _midnight(day) + _seconds(hours.start.hour, hours.start.minute)
    count = hours.end.hour * 60 + hours.end.minute - hours.start.hour * 60 - hours.start.minute
    walk = list(accumulate((dice.gauss(0.0, 1.0) for _ in range(count)), initial=0.0))
    bridge = [height - walk[-1] * n / count for n, height in enumerate(walk)]
    scale = 0.9 * (bar.high - bar.low) / (max(bridge) - min(bridge))
    drift = (bar.close - bar.open) / count
    prices = [
        min(max(round(bar.open + drift * n + scale * height), bar.low), bar.high) for n, height in enumerate(bridge)
    ]
    lots = _shares(bar.volume // lot, count, dice)
    highs, lows = [max(pair) for pair in pairwise(prices)], [min(pair) for pair in pairwise(prices)]
    highs[highs.index(max(highs))] = bar.high
    lows[lows.index(min(lows))] = bar.low
    return [
        Bar(begin + 60 * n, prices[n], highs[n], lows[n], prices[n + 1], lots[n] * lot, bar.oi) for n in range(count)
    ]


def _shares(total: int, count: int, dice: random.Random) -> list[int]:
    """`total` in `count` parts, the first and the last ones larger."""
    weights = [
        (1 + 3 * math.exp(-n / 15) + 1.5 * math.exp((n - count) / 15)) * (0.5 + dice.random()) for n in range(count)
    ]
    whole = sum(weights)
    ends = [round(total * part / whole) for part in accumulate(weights, initial=0.0)]
    return [after - before for before, after in pairwise(ends)]


def _today(market: Market, today: date) -> Bar:
    prices = (market.open, market.high, market.low, market.ltp)
    return Bar(_midnight(today), *prices, market.volume, market.oi)


def _midnight(day: date) -> int:
    """00:00 UTC of a date."""
    return (day - date(1970, 1, 1)).days * 86_400


def _seconds(hour: int, minute: int) -> int:
    """From 00:00 UTC to an hour of the same date in India."""
    return int(datetime(1970, 1, 1, hour, minute, tzinfo=IST).timestamp())


def _dates(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))
