"""Figures of a server's life: start to first tick, memory at rest, a broker socket that is reset, recorded ticks."""

import csv
import gzip
import tempfile
import time
from datetime import datetime
from pathlib import Path

from tests.server_process import ServerProcess
from tests.support import ROOT

from . import audit, stamp
from .fanout import Bench, Figures, Load, measure, sinks
from .machine import layout, pinned, resident_bytes, until
from .sink import log_in_sangam, upgrade

RECORDED = ROOT.parent / "shared" / "data" / "intraday" / "futures_ticks_2025-11-17.csv.gz"
REST_SECONDS = 2.0


def start_to_first_tick() -> tuple[float, float]:
    """(seconds from `sangam serve` on an empty home to a client's first tick, megabytes resident at rest after)."""
    core, _ = layout()
    with (
        tempfile.TemporaryDirectory(prefix="sangam-bench-") as folder,
        ServerProcess(Path(folder) / "home", LOG_LEVEL="WARNING") as server,
    ):
        started = time.monotonic()
        with pinned(core):
            server.start()
        sock = upgrade(server.ws_port)
        config = {"key": server.demo_key, "mode": 2, "exchange": "NSE", "interval": None}
        answer = log_in_sangam(sock, config, ["RELIANCE"])
        while stamp.MARK not in answer:
            answer += sock.recv(65536)
        elapsed = time.monotonic() - started
        sock.close()
        time.sleep(REST_SECONDS)
        return elapsed, resident_bytes(server.pid) / 1e6


def reset(one: Bench, symbols: int) -> tuple[float, float]:
    """The broker cuts the socket: seconds until the first update, and until every symbol streams again."""
    load = Load("reset", 1, symbols, 5000, interval=0)
    with sinks(load, "sangam", one.server.ws_port, one.key) as children:
        until(lambda: one.ticker.ask({"do": "state"})["carried"] >= symbols, "the broker's subscriptions")
        children[0].ask({"do": "begin"})
        cut = one.ticker.ask({"do": "reset"})["at"]
        until(lambda: one.ticker.ask({"do": "state"})["carried"] >= symbols, "the subscriptions after the reset")
        order = {"do": "go", "symbols": symbols, "rate": 10_000, "seconds": 2 * symbols / 10_000, "hot": 0.0}
        one.ticker.ask({**order, "log": str(one.folder / "sent")})
        until(lambda: children[0].ask({"do": "quiet"})["since"] > 0.3, "the end of the data")
        result = children[0].ask({"do": "end", "folder": str(one.folder)})
    messages = audit.read(result["audit"])
    first: dict[str, int] = {}
    for message in messages:
        first.setdefault(message.symbol, message.arrival)
    assert len(first) == symbols, f"only {len(first)} of {symbols} symbols stream after the reset"
    times = [stamp.elapsed_us(arrival, cut) / 1e6 for arrival in first.values()]
    return min(times), max(times)


def replay(one: Bench, clients: int, speed: float) -> Figures | None:
    """Recorded ticks of four futures, `speed` times as fast as they came; None where the recording is absent."""
    if not RECORDED.exists():
        return None
    script = recorded(speed)
    symbols = 1 + max(number for _, number, _ in script)
    load = Load(f"recorded ticks, {speed:g} times as fast", clients, symbols, round(len(script) / script[-1][0]))
    with sinks(load, "sangam", one.server.ws_port, one.key) as children:
        until(lambda: one.ticker.ask({"do": "state"})["carried"] >= symbols, "the broker's subscriptions")
        order = {"do": "script", "rows": script}
        return measure(load, children, one.server.pid, one.folder, lambda: one.ticker.ask(order))


def recorded(speed: float) -> list[tuple[float, int, int]]:
    """(seconds from the start, symbol number, price in paise)"""
    with gzip.open(RECORDED, "rt", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["exchange_timestamp"]]  # the last line is cut off
    numbers: dict[str, int] = {}
    begin = datetime.fromisoformat(rows[0]["exchange_timestamp"])
    script = []
    for row in rows:
        number = numbers.setdefault(row["Symbol"], len(numbers))
        at = (datetime.fromisoformat(row["exchange_timestamp"]) - begin).total_seconds() / speed
        script.append((at, number, round(float(row["last_price"]) * 100)))
    return sorted(script)
