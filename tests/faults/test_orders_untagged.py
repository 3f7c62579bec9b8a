"""A broker that echoes nothing of ours: promise 2 where no evidence can exist."""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.simulator_thread import SimulatorThread
from tests.support import wait_for_sync

from sangam.model.order import OrderState
from sangam.simulators.mishaps import Mishap
from sangam.simulators.orders import Order as Taken

from .order_rig import OrderRig
from .order_server import PACE

S = OrderState
LATER = PACE.settle + 1.0
"""Seconds after which a book without an order would prove something, where a tag could be looked for."""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[OrderRig]:
    built = OrderRig(tmp_path / "home", ORDER_TAG="none")
    with SimulatorThread("zerodha", holdings=False) as simulator, built.server:
        built.open([simulator])
        yield built


def test_promise_2_what_nobody_can_know_stays_unknown_until_its_user_settles_it(rig: OrderRig) -> None:
    """Pushes, books that look alike, reconnects and a kill -9 prove nothing. Each order is told by its quantity."""
    faults = rig.broker.simulator.faults
    mishaps = [kind for kind in Mishap if kind is not Mishap.LOST_TOO_MANY]
    names = {f"u{number}": number for number, _ in enumerate(mishaps, 11)}

    def place(name: str) -> httpx.Response:
        return rig.place(name, quantity=names[name], tag="")

    for kind in mishaps:
        rig.broker.call(lambda kind=kind: faults.mishap(kind, seconds=1.5))  # type: ignore[misc]
    with ThreadPoolExecutor(len(names)) as pool:
        answers = list(pool.map(place, names))
    assert {(answer.status_code, answer.json()["error_code"]) for answer in answers} == {(504, "OUTCOME_UNKNOWN")}
    calm = (rig.place(f"calm{number}", tag="") for number in range(1000))
    wait_for_sync(lambda: next(calm).status_code == 200, 10, "the broker to be asked again")
    _dies_with_one_on_its_way(rig)
    names["u99"] = 99
    begun = time.monotonic()

    def reached() -> dict[int, list[Taken]]:
        rows: dict[int, list[Taken]] = {}
        for row in rig.ledger().orders.values():
            if row.quantity in names.values():
                rows.setdefault(row.quantity, []).append(row)
        return rows

    def states() -> set[OrderState]:
        return {order.state for name in names if (order := rig.order(name)) is not None}

    wait_for_sync(lambda: time.monotonic() - begun > LATER, LATER + 1, "time in which a tag would have been found")
    rig.broker.call(faults.close_sockets)
    rig.wait_until_it_trades()
    assert rig.post("orderbook").status_code == 200
    assert states() == {S.UNKNOWN}
    assert not [order for order in rig.journal().values() if order.foreign], "it may be ours: it is nobody else's"

    taken = reached()
    with ThreadPoolExecutor(len(names)) as pool:
        for again in pool.map(place, names):
            assert (again.status_code, again.json()["error_code"]) == (504, "OUTCOME_UNKNOWN")
    for quantity in names.values():
        alike = rig.place("", quantity=quantity, tag="")
        assert (alike.status_code, alike.json()["state"]) == (409, "unknown"), "an equal order might be the second one"
    assert reached() == taken, "nothing was sent a second time"
    assert {len(rows) for rows in taken.values()} == {1}

    for name, quantity in names.items():
        outcome = "open" if quantity in taken else "rejected"
        order = rig.order(name)
        assert order is not None
        ours = {"orderid": order.id, "strategy": "", "note": "seen in the broker's own pages"}
        settled = rig.post("orders/resolve", outcome=outcome, **ours)
        assert settled.json()["data"]["state"] == outcome, settled.text
        assert rig.post("orders/resolve", outcome=outcome, **ours).status_code == 409, "once settled, it is settled"
        _is_told(rig, order.id, outcome)
    assert states() == {S.OPEN, S.REJECTED}
    assert len(_audit(rig)) == len(names)
    assert all("seen in the broker's own pages" in body for body in _audit(rig))


def _dies_with_one_on_its_way(rig: OrderRig) -> None:
    rig.broker.call(lambda: rig.broker.simulator.faults.mishap(Mishap.TAKEN_IN_SILENCE))

    def place() -> None:
        with pytest.raises(httpx.TransportError):
            rig.place("u99", quantity=99, tag="")

    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(place)
        wait_for_sync(lambda: any(row.quantity == 99 for row in rig.ledger().orders.values()), 5, "it to arrive")
        rig.server.kill()
        lost.result()
    rig.server.start()
    rig.wait_until_it_trades()


def _audit(rig: OrderRig) -> list[str]:
    with closing(sqlite3.connect(f"{(rig.home / 'journal.db').as_uri()}?mode=ro", uri=True)) as file:
        rows: list[Any] = file.execute("SELECT body FROM order_events WHERE kind = 'ORDER_RESOLVED'").fetchall()
    return [row[0] for row in rows]


def _is_told(rig: OrderRig, id: str, outcome: str) -> None:
    """The event follows the reply, once it is durable."""

    def newest() -> str:
        return str([event["status"] for event in rig.events() if event["id"] == id][-1])

    wait_for_sync(lambda: newest() == outcome.upper(), 5, f"the event of {id}")
