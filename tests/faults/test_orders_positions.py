"""Closing and smart orders while an earlier one is still under way: no position is closed twice, none is reversed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any

import pytest
from tests.simulator_thread import SimulatorThread
from tests.support import wait_for_sync

from sangam.simulators.orders import Order as Taken

from .order_rig import OrderRig

FLAT: dict[str, Any] = {
    "symbol": "SBIN", "exchange": "NSE", "action": "SELL", "product": "MIS", "quantity": 0, "position_size": 0,
    "strategy": "faults",
}  # fmt: skip


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrderRig]:
    built = OrderRig(tmp_path_factory.mktemp("positions") / "home")
    with SimulatorThread("zerodha", holdings=False, run=True) as simulator, built.server:
        built.open([simulator])
        yield built


@pytest.fixture
def bought(rig: OrderRig) -> OrderRig:
    """A position of 5, and the news of it told."""
    answer = rig.place(pricetype="MARKET", price=0)
    assert answer.status_code == 200, answer.text
    wait_for_sync(lambda: held(rig) == 5, 10, "the position")
    wait_for_sync(lambda: all(order.state.is_final for order in rig.journal().values()), 10, "the news")
    return rig


def held(rig: OrderRig) -> int:
    answer = rig.post("openposition", symbol="SBIN", exchange="NSE", product="MIS", strategy="faults")
    return int(answer.json().get("quantity", 0))


@contextmanager
def late_fills(rig: OrderRig) -> Iterator[None]:
    """The broker takes orders, and the exchange fills none until the end."""
    exchange = rig.broker.simulator.exchange
    place = exchange.place

    def held_back(*what: Any, **how: Any) -> Taken:
        taken: Taken = place(*what, **{**how, "held": True})
        return taken

    rig.broker.call(lambda: setattr(exchange, "place", held_back))
    try:
        yield
    finally:
        rig.broker.call(lambda: setattr(exchange, "place", place))
        for order in list(rig.ledger().orders.values()):
            if order.held:
                rig.broker.call(partial(exchange.release, order.order_id))


def sold(rig: OrderRig, before: int) -> list[Taken]:
    return list(rig.ledger().orders.values())[before:]


def test_a_position_is_closed_once_whoever_asks(bought: OrderRig) -> None:
    before = len(bought.ledger().orders)
    with ThreadPoolExecutor(4) as threads:
        with late_fills(bought):
            first = bought.post("closeposition", strategy="faults").json()
            assert len(first["closed_positions"]) == 1, first
            others = [threads.submit(bought.post, "closeposition", strategy="faults") for _ in range(2)]
            others.append(threads.submit(bought.post, "placesmartorder", **FLAT))
            began = monotonic()
            wait_for_sync(lambda: monotonic() > began + 0.5, 2, "them to have been answered, were they to be")
            assert [one.result().text for one in others if one.done()] == []
        told = [one.result().json() for one in others]
    assert [one["status"] for one in told] == ["success"] * 3
    assert told[0]["message"] == told[1]["message"] == "No Open Positions Found"
    assert held(bought) == 0
    assert [order.quantity for order in sold(bought, before)] == [5]


def test_a_position_is_closed_once_though_no_news_come(bought: OrderRig) -> None:
    """The order book is read where pushes do not come."""
    before, faults = len(bought.ledger().orders), bought.broker.simulator.faults
    bought.broker.call(faults.hold_updates)
    try:
        told = [bought.post("closeposition", strategy="faults").json() for _ in range(2)]
    finally:
        bought.broker.call(faults.release_updates)
    assert [len(one["closed_positions"]) for one in told] == [1, 0]
    assert [one["failed_closures"] for one in told] == [[], []]
    assert [order.quantity for order in sold(bought, before)] == [5]


def test_an_order_that_does_not_end_is_named(bought: OrderRig) -> None:
    before = len(bought.ledger().orders)
    with late_fills(bought):
        first = bought.post("placesmartorder", **FLAT).json()
        assert first["status"] == "success", first
        answer = bought.post("placesmartorder", **FLAT)
        told = answer.json()
        assert (answer.status_code, told["orderid"]) == (409, first["orderid"]), told
        assert "still changes this position" in told["message"]
        closing = bought.post("closeposition", strategy="faults").json()
        assert closing["closed_positions"] == []
        assert [one["orderid"] for one in closing["failed_closures"]] == [first["orderid"]]
    wait_for_sync(lambda: held(bought) == 0, 10, "the position to be flat")
    assert [order.quantity for order in sold(bought, before)] == [5]
