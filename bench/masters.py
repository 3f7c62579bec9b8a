"""Masters of 270,000 rows: built beside a streaming server, then looked up and searched."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import httpx

from sangam.instruments.master import Master

from . import fanout
from .fanout import Figures, Load

ROWS = 270_000
SYMBOLS = 1000
LOAD = Load(f"10 clients × 10,000/s over {SYMBOLS:,} symbols", 10, SYMBOLS, 10_000)
QUERIES = ("nifty 24000 ce", "relianc", "bank fut", "24000", "nifty26112", "industries limited", "e", "zzz")
LOOKUPS = 20_000
LOOK_SECONDS = 0.1


@dataclass
class Refresh:
    """One refresh as seen from outside: seconds in all and in the child, and how late the loop was (ms, p99), beside
    `calm_lag`, that of the same stream without a refresh."""

    seconds: float = 0.0
    reading: float = 0.0
    version: str = ""
    rows: int = 0
    trouble: str = ""
    lag: float = 0.0
    calm_lag: float = 0.0


@dataclass(frozen=True)
class Lookups:
    """Microseconds each; `searches` in milliseconds by query."""

    warm: float
    cold: float
    chain: float
    searches: dict[str, float]


def measure() -> tuple[Figures, Figures, Refresh, Lookups]:
    """(a calm run, the same run with a refresh beside it, the refresh, look-ups in the new master)."""
    with fanout.bench(SYMBOLS, ROWS - SYMBOLS, cores=2) as one:
        refresh = Refresh()
        with lags(one.server.metrics) as late:
            calm = one.run(LOAD)
        refresh.calm_lag = percentile_99(late)
        with httpx.Client(base_url=f"{one.server.api_url}/api/v1/admin/instruments", trust_env=False) as rest:
            rest.headers["X-API-KEY"] = (one.server.home / "admin.key").read_text()
            watch = threading.Thread(target=_refresh, args=(rest, one.server.metrics, refresh))
            watch.start()
            busy = one.run(replace(LOAD, seconds=8.0))
            watch.join()
        return calm, busy, refresh, look_up(one.server.home / "masters" / f"{refresh.version}.db")


@contextmanager
def lags(metrics: Callable[[], dict[str, float]]) -> Iterator[list[float]]:
    """How late the loop was at worst in each tenth of a second (ms), while the block runs."""
    found: list[float] = []
    over = threading.Event()

    def watch() -> None:
        metrics()  # reading begins a new period
        while not over.wait(LOOK_SECONDS):
            found.append(metrics()["sangam_loop_lag_ms"])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def percentile_99(values: list[float]) -> float:
    return sorted(values)[int(0.99 * (len(values) - 1))]


def _refresh(rest: httpx.Client, metrics: Callable[[], dict[str, float]], told: Refresh) -> None:
    begun = time.monotonic()
    with lags(metrics) as late:
        (wanted,) = _ask(rest, "refresh")
        reading = None
        while True:
            time.sleep(LOOK_SECONDS)
            (now,) = _ask(rest, "status")
            if now["stage"] == "reading" and reading is None:
                reading = time.monotonic()
            if now["tried_at"] >= wanted["from"]:
                break
        told.seconds = time.monotonic() - begun
        told.reading = time.monotonic() - (reading or begun)
    told.lag = percentile_99(late)
    told.version, told.rows, told.trouble = now["version"], now["rows"], now["trouble"]


def _ask(rest: httpx.Client, verb: str) -> list[dict[str, Any]]:
    reply = rest.post(f"/{verb}", json={"name": fanout.BROKER}).raise_for_status()
    sources: list[dict[str, Any]] = reply.json()["data"]["sources"]
    return sources


def look_up(path: Path) -> Lookups:
    master = Master(path, path.stem)
    names = [(row[0], row[3]) for chunk in master.rows() for row in chunk]
    picked = random.Random(1).sample(names, min(LOOKUPS, len(names)))
    cold = fmean(_timed(partial(master.lookup, *name)) for name in picked)
    few = picked[-1000:]
    warm = min(_timed(lambda: [master.lookup(*name) for name in few]) for _ in range(20)) / len(few)
    day = master.expiries("NIFTY", "NFO", "options")[0]
    chain = min(_timed(lambda: master.chain("NIFTY", "NFO", day, 24_010.0, 20)) for _ in range(20))
    searches = {query: min(_timed(partial(master.search, query, None, 500)) for _ in range(5)) / 1000
                for query in QUERIES}  # fmt: skip
    return Lookups(warm, cold, chain, searches)


def _timed(work: Callable[[], object]) -> float:
    """Microseconds."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1e6
