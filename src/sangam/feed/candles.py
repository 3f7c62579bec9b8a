"""Candles of an interval that a broker lacks, made from finer ones where that is exact."""

from collections.abc import Callable, Collection, Iterable
from datetime import date, time, timedelta
from functools import cache

import msgspec

from sangam.brokers.contract import Candle
from sangam.model.clock import IST_SECONDS

INTERVALS = (
    "1s", "5s", "10s", "15s", "30s", "45s", "1m", "2m", "3m", "5m", "10m", "15m", "20m", "30m", "1h", "2h", "3h", "4h",
    "D", "W", "M", "Q", "Y",
)  # fmt: skip
"""The unified names. `m` are minutes, `M` is a month."""

_MINUTES = {name: int(name[:-1]) * (60 if name.endswith("h") else 1) for name in INTERVALS if name[-1] in "mh"}
_PERIODS: dict[str, Callable[[date], date]] = {
    "W": lambda day: day - timedelta(days=day.weekday()),
    "M": lambda day: day.replace(day=1),
    "Q": lambda day: day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1),
    "Y": lambda day: day.replace(month=1, day=1),
}

_DAY = 86_400
"""Seconds: of a day, and by which India is ahead of UTC."""

_EPOCH = date(1970, 1, 1).toordinal()


def source(interval: str, native: Collection[str]) -> str | None:
    """The interval to ask the broker for: the same, else the coarsest that it is made of; None where there is none."""
    if interval in native:
        return interval
    if interval in _PERIODS:
        return "D" if "D" in native else None
    minutes = _MINUTES.get(interval, 0)
    parts = [name for name in native if name in _MINUTES and minutes and minutes % _MINUTES[name] == 0]
    return max(parts, key=_MINUTES.__getitem__, default=None)


def supported(native: Collection[str]) -> list[str]:
    """All intervals that can be had where a broker has these, shortest first."""
    return [name for name in INTERVALS if source(name, native) is not None]


def first_day(interval: str, day: date) -> date:
    """From when finer candles are needed so that the first one of this interval is whole."""
    begin = _PERIODS.get(interval)
    return begin(day) if begin else day


def resample(candles: Iterable[Candle], interval: str, opens: Callable[[date], time]) -> list[Candle]:
    """Ascending candles joined to a coarser interval.

    Weeks begin on Monday. Intraday bars are counted from the day's opening, as the exchanges' own are: `opens` tells it
    (IST) for a date. A simulated market trades before it too; no bar begins on the day before."""
    begin = _PERIODS.get(interval)
    start = _by_period(begin) if begin else _by_clock(_MINUTES[interval] * 60, opens)
    joined: list[Candle] = []
    for candle in candles:
        at = start(candle.timestamp)
        if joined and joined[-1].timestamp == at:
            joined[-1] = _join(joined[-1], candle)
        else:
            joined.append(msgspec.structs.replace(candle, timestamp=at))
    return joined


def _by_period(begin: Callable[[date], date]) -> Callable[[int], int]:
    @cache
    def first(day: int) -> int:
        return _DAY * (begin(_date(day)).toordinal() - _EPOCH)

    return lambda second: first(second // _DAY)


def _by_clock(width: int, opens: Callable[[date], time]) -> Callable[[int], int]:
    @cache
    def opening(day: int) -> int:
        at = opens(_date(day))
        return _DAY * day - IST_SECONDS + 3600 * at.hour + 60 * at.minute + at.second

    def start(second: int) -> int:
        day = (second + IST_SECONDS) // _DAY
        return max(_DAY * day - IST_SECONDS, second - (second - opening(day)) % width)

    return start


def _date(day: int) -> date:
    return date.fromordinal(_EPOCH + day)


def _join(bar: Candle, later: Candle) -> Candle:
    return Candle(
        timestamp=bar.timestamp,
        open=bar.open,
        high=max(bar.high, later.high),
        low=min(bar.low, later.low),
        close=later.close,
        volume=bar.volume + later.volume,
        oi=later.oi,
    )
