"""Where fair prices go: random walks, recordings, and prices derived from another path.

A path answers `at(elapsed)`: rupees after so many seconds of trading. Calls never go back in time."""

import csv
import gzip
import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path as File
from statistics import mode
from typing import Any, Protocol

from sangam.model.errors import ConfigError

TRADING_SECONDS = 252 * 22_500
"""Seconds that NSE trades in a year."""

INTEREST = 0.065


class Path(Protocol):
    start: float
    """The price at the beginning: the previous day's close."""

    def at(self, elapsed: float) -> float: ...


class RandomWalk:
    """A geometric walk that is drawn back to its start over days, so that it never leaves the neighbourhood.

    Steps are exact draws of an Ornstein-Uhlenbeck process: one long step is distributed as many short ones."""

    _PULL = 86_400.0
    _OVERNIGHT = 0.03
    """The first price differs from the start by this part of a year's volatility."""

    def __init__(self, start: float, volatility: float, rng: random.Random) -> None:
        self.start = start
        self._variance = volatility**2 / TRADING_SECONDS * self._PULL / 2
        self._rng = rng
        self._elapsed = 0.0
        self._deviation = rng.gauss(0.0, volatility * self._OVERNIGHT)
        self._price = start * math.exp(self._deviation)

    def at(self, elapsed: float) -> float:
        if elapsed > self._elapsed:
            kept = math.exp((self._elapsed - elapsed) / self._PULL)
            spread = math.sqrt(self._variance * (1 - kept * kept))
            self._deviation = self._deviation * kept + self._rng.gauss(0.0, spread)
            self._elapsed = elapsed
            self._price = self.start * math.exp(self._deviation)
        return self._price


class Derived:
    """A price that follows another path: a future, an option."""

    def __init__(self, spot: Path, price: Callable[[float], float]) -> None:
        self._spot = spot
        self._price = price
        self.start = price(spot.start)

    def at(self, elapsed: float) -> float:
        return self._price(self._spot.at(elapsed))


class Recorded:
    """Recorded points (seconds from the first, rupees); `smooth` moves between them, else the last one holds.
    After the end the last price stands."""

    def __init__(self, times: list[float], prices: list[float], *, smooth: bool) -> None:
        self.start = prices[0]
        self._times = times
        self._prices = prices
        self._smooth = smooth

    def at(self, elapsed: float) -> float:
        after = bisect_right(self._times, elapsed)
        before = max(after - 1, 0)
        price = self._prices[before]
        if not self._smooth or after == len(self._times):
            return price
        share = (elapsed - self._times[before]) / (self._times[after] - self._times[before])
        return price + (self._prices[after] - price) * share


def future_price(spot: float, years: float) -> float:
    return spot * math.exp(INTEREST * years)


def option_price(spot: float, strike: float, years: float, volatility: float, *, call: bool) -> float:
    """Black and Scholes, without dividends."""
    discounted = strike * math.exp(-INTEREST * years)
    spread = volatility * math.sqrt(years)
    if spread < 1e-9:
        return max(spot - discounted if call else discounted - spot, 0.0)
    d1 = math.log(spot / discounted) / spread + spread / 2
    value = spot * _normal(d1) - discounted * _normal(d1 - spread)
    return max(value if call else value - spot + discounted, 0.0)


def _normal(x: float) -> float:
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def replay(file: File) -> dict[str, Path]:
    """Paths by symbol from a CSV, plain or gzipped.

    Bars (``date,open,high,low,close,volume``) are named by the file (``RELIANCE.csv.gz``) and run one after the other
    without nights; ticks (``Symbol,exchange_timestamp,last_price,...``) are named by their first column."""
    try:
        content = file.read_bytes()
        text = (gzip.decompress(content) if file.suffix == ".gz" else content).decode()
        rows = csv.DictReader(text.splitlines())
        columns = set(rows.fieldnames or ())
        if {"date", "open", "high", "low", "close"} <= columns:
            return {file.name.split(".", 1)[0]: _bars(rows)}
        if {"Symbol", "exchange_timestamp", "last_price"} <= columns:
            return _ticks(rows)
    except (OSError, EOFError, csv.Error, ValueError, TypeError, IndexError) as error:
        raise ConfigError(f"Cannot replay {file}: {error}") from error
    raise ConfigError(f"Cannot replay {file}: its header is neither that of bars nor of ticks")


def _bars(rows: Iterator[Mapping[str, Any]]) -> Path:
    """Each bar visits its open, the extreme against its direction, the other extreme, and its close."""
    bars = [[float(row[name]) for name in ("open", "high", "low", "close")] + [_seconds(row["date"])] for row in rows]
    length = mode(later[4] - earlier[4] for earlier, later in pairwise(bars))
    times: list[float] = []
    prices: list[float] = []
    for n, (first, high, low, last, _) in enumerate(bars):
        turns = (first, low, high, last) if last >= first else (first, high, low, last)
        times += [(n + part) * length for part in (0.0, 0.3, 0.6, 0.9)]
        prices += turns
    return Recorded(times, prices, smooth=True)


def _ticks(rows: Iterator[Mapping[str, Any]]) -> dict[str, Path]:
    """Recorders tear lines and swap neighbours: torn ones are left out, the others put in order."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if row["exchange_timestamp"] and row["last_price"]:
            point = (_seconds(row["exchange_timestamp"]), float(row["last_price"]))
            found.setdefault(row["Symbol"], []).append(point)
    begin = min(min(points)[0] for points in found.values())
    return {
        symbol: Recorded([moment - begin for moment, _ in points], [price for _, price in points], smooth=False)
        for symbol, points in ((symbol, sorted(points)) for symbol, points in found.items())
    }


def _seconds(text: str) -> float:
    """Only differences are used, so a missing zone does no harm."""
    return datetime.fromisoformat(text).timestamp()
