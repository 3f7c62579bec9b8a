"""The true table of a broker that counts, under a burst from everywhere at once: promise 6."""

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.simulator_thread import SimulatorThread
from tests.support import wait_for_sync

from .order_rig import OrderRig

TERMS: dict[str, Any] = {
    "symbol": "SBIN",
    "exchange": "NSE",
    "action": "BUY",
    "pricetype": "LIMIT",
    "price": 950.0,
    "product": "MIS",
}
IMPATIENCE = 1.0
"""Seconds that a single order may wait for its turn."""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[OrderRig]:
    built = OrderRig(tmp_path / "home", ORDER_TABLE="true")
    with SimulatorThread("zerodha", holdings=False, limits=True) as simulator, built.server:
        built.open([simulator])
        yield built


class Single:
    """One order of a key that asks for many at once: when it was asked for, and what came of it."""

    def __init__(self, rig: OrderRig, key: str, number: int) -> None:
        self.name = f"s{number:03d}"
        self.asked_ms = time.time() * 1000
        wait = {"timeout_ms": int(IMPATIENCE * 1000)}
        answer = rig.post("placeorder", key=key, **TERMS, quantity=1, tag=self.name, client_order_id=self.name, **wait)
        self.told: dict[str, Any] = answer.json()


def test_promise_6_baskets_splits_and_keys_share_the_accounts_limits(rig: OrderRig) -> None:
    """Sixty orders of three keys at once: the broker never has to say 429, and what came too late was not sent."""
    keys = [rig.new_key() for _ in range(3)]
    standing = rig.place("standing").json()["orderid"]
    legs = [{**TERMS, "quantity": 1, "tag": f"b{number:03d}"} for number in range(20)]
    with ThreadPoolExecutor(24) as pool:
        singles = [pool.submit(Single, rig, keys[2], number) for number in range(20)]
        basket = pool.submit(rig.post, "basketorder", key=keys[0], orders=legs)
        split = pool.submit(rig.post, "splitorder", key=keys[1], **TERMS, quantity=20, splitsize=1, tag="slice")
        wait_for_sync(lambda: len(rig.ledger().orders) > 6, 5, "the burst to begin")
        begun = time.monotonic()
        cancelled = rig.post("cancelorder", orderid=standing)
        took = time.monotonic() - begun
        results = [*basket.result().json()["results"], *split.result().json()["results"]]
        placed = [one.result() for one in singles]
    assert (cancelled.status_code, took < 1.5) == (200, True), "part of the limit is kept for cancels"
    assert not [row for row in results if row["status"] != "success"], "what may wait, waits"
    late = [one for one in placed if one.told["status"] == "error"]
    assert 0 < len(late) < 20
    assert {one.told["error_code"] for one in late} == {"RATE_LIMITED"}
    assert all("Nothing was sent" in one.told["message"] for one in late)

    rig.agree()
    rows = sorted(rig.ledger().orders.values(), key=lambda row: row.placed)
    assert len(rows) == 1 + 40 + 20 - len(late)
    by_name = {row.tag[10:]: row for row in rows}
    for one in placed:
        assert (one.name in by_name) == (one not in late), "denied, and sent all the same"
        if one not in late:
            assert by_name[one.name].placed - one.asked_ms < IMPATIENCE * 1000 + 700, "sent late"
    assert rig.broker.simulator.too_many == 0
    for earlier, later in pairwise(rows[at] for at in range(0, len(rows), 9)):
        assert later.placed - earlier.placed > 900


def test_promise_6_the_limits_outlive_the_process(rig: OrderRig) -> None:
    """What went out before a kill -9 counts after it: neither the second nor the minute begins anew."""
    with ThreadPoolExecutor(12) as pool:
        burst = [pool.submit(_tried, rig, number) for number in range(12)]
        wait_for_sync(lambda: len(rig.ledger().orders) > 5, 5, "the burst to begin")
        rig.server.kill()
        rig.server.start()
        for one in burst:
            one.result()
    rig.wait_until_it_trades()
    before = len(rig.ledger().orders)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda number: _tried(rig, number), range(20, 32)))
    assert len(rig.ledger().orders) > before
    assert rig.broker.simulator.too_many == 0
    rig.agree(20)


def _tried(rig: OrderRig, number: int) -> None:
    with contextlib.suppress(httpx.TransportError):  # the server was killed
        rig.post("placeorder", **TERMS, quantity=1, client_order_id=f"k{number}")
