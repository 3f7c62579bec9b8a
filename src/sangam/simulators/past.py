"""Closing prices of days before a market began, drawn backwards from its start."""

import math
import random
from collections.abc import Callable
from datetime import date, timedelta

_DAYS_A_YEAR = 252
_GROWTH = 0.08
"""What prices gained in a year."""


class PastCloses:
    """Closes before `begin`, whose last one was `start`: drawn as far back as somebody asks, and always the same."""

    def __init__(self, start: float, volatility: float, begin: date, dice: Callable[[int], random.Random]) -> None:
        """`volatility` is a year's; `dice` gives those of a year."""
        self._spread = volatility / math.sqrt(_DAYS_A_YEAR)
        self._dice = dice
        self._changes: dict[int, list[float]] = {}
        self._earliest = day_before(begin)
        self._prices = {self._earliest: start}

    def at(self, day: date) -> float:
        """The close of a weekday before the begin."""
        while self._earliest > day:
            price = self._prices[self._earliest] * math.exp(-self._change(self._earliest))
            self._earliest = day_before(self._earliest)
            self._prices[self._earliest] = price
        return self._prices[day]

    def _change(self, day: date) -> float:
        """From the close before to the close of a day: the same on each day, wherever the walk began."""
        if (changes := self._changes.get(day.year)) is None:
            gauss = self._dice(day.year).gauss
            changes = [gauss(_GROWTH / _DAYS_A_YEAR, self._spread) for _ in range(366)]
            self._changes[day.year] = changes
        return changes[day.timetuple().tm_yday - 1]


def day_before(day: date) -> date:
    """The weekday before a date (holidays are not known here)."""
    day -= timedelta(days=1)
    while day.weekday() >= 5:
        day -= timedelta(days=1)
    return day
