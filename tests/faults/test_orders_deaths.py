"""The process dies at each step of an order's way, and comes back: promises 1, 2 and 3."""

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.simulator_thread import SimulatorThread
from tests.support import wait_for_sync

from sangam.model.order import OrderState
from sangam.orders.states import NEVER_REACHED

from .order_rig import OrderRig
from .order_server import ACT_STEPS, DEAD, STEPS

S = OrderState


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrderRig]:
    built = OrderRig(tmp_path_factory.mktemp("deaths") / "home")
    with SimulatorThread("zerodha", holdings=False) as simulator, built.server:
        built.open([simulator])
        yield built


class Death:
    """A server that dies when it writes to the broker, and another on the same home."""

    def __init__(self, rig: OrderRig) -> None:
        self._rig = rig
        self.heard = 0
        """The number of the last event that a client had before the end."""

    def at(self, step: str, method: str, path: str, **body: Any) -> None:
        """The request whose write is the end. Its caller hears nothing, unless a push was faster than the death."""
        server = self._rig.server
        events = self._rig.events()
        self.heard = events[-1]["seq"] if events else 0
        server.stop()
        server.environment["ORDER_DIES"] = f"{method} {step}"
        server.start()
        self._rig.wait_until_it_trades()
        with contextlib.suppress(httpx.TransportError):
            self._rig.post(path, **body)
        assert server.wait_for_death() == DEAD
        del server.environment["ORDER_DIES"]
        server.start()

    def news(self, client_order_id: str) -> list[str]:
        """What a client hears of an order who comes back with the last number it had."""
        return [each["type"] for each in self._rig.events(self.heard) if each["client_order_id"] == client_order_id]


LEFT = ("written", "answered", "accepted", "journalled")
"""Steps at which the order is on its way to the broker or beyond."""


@pytest.mark.parametrize("step", STEPS)
def test_promises_1_and_3_a_placement(rig: OrderRig, step: str) -> None:
    """What was never sent is denied, what was sent is found out, and asking again places nothing a second time."""
    name, death = f"die{step}"[:10], Death(rig)
    terms = {"symbol": "SBIN", "exchange": "NSE", "action": "BUY", "quantity": 5, "pricetype": "LIMIT", "price": 950}
    body: dict[str, Any] = {**terms, "strategy": "faults", "client_order_id": name, "tag": name}
    death.at(step, "POST", "placeorder", **body)

    def reached() -> int:
        return sum(row.tag.endswith(name) for rows in rig.taken().values() for row in rows)

    found = rig.order(name)
    if found is None:
        assert step in ("checked", "added", "announcing")
        rig.wait_until_it_trades()
        again = rig.post("placeorder", **body)
        assert again.status_code == 200, f"nothing was known of it, so it is simply placed: {again.text}"
        assert reached() == 1
    else:
        assert step != "checked"

        def settled() -> bool:
            order = rig.order(name)
            return order is not None and order.state not in (S.PENDING, S.SENT, S.UNKNOWN)

        wait_for_sync(settled, 10, f"evidence of {name}")
        found, again = rig.order(name), rig.post("placeorder", **body)
        assert found is not None
        assert reached() == (step in LEFT)
        if step in LEFT:
            assert found.state is S.OPEN
            assert (again.status_code, again.json()["orderid"]) == (200, found.order_id)
            assert death.news(name)[-1] == "ORDER_PLACED"
            if step == "journalled":
                assert death.news(name) == ["ORDER_PLACED"], "it was known, and never in doubt"
        else:
            sent = step == "sent" or found.code == NEVER_REACHED
            assert (found.state, found.code == NEVER_REACHED) == (S.REJECTED if sent else S.DENIED, sent)
            assert again.status_code == 400
            assert death.news(name) == (["ORDER_UNKNOWN", "ORDER_REJECTED"] if sent else ["ORDER_REJECTED"])
    rig.agree()


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("step", ACT_STEPS)
def test_promises_1_and_2_a_change_or_a_cancel(rig: OrderRig, step: str, method: str) -> None:
    """It is never repeated, its own outcome is told in the journal, and the order is what it is at the broker."""
    name, death = f"act{step}{method}"[:14], Death(rig)
    order_id = rig.place(name, tag="").json()["orderid"]
    body = {"orderid": order_id, "strategy": "faults"}
    if method == "PUT":
        terms = {"symbol": "SBIN", "exchange": "NSE", "action": "BUY", "product": "MIS", "pricetype": "LIMIT"}
        death.at(step, method, "modifyorder", **body, **terms, price=951.5, quantity=7)
    else:
        death.at(step, method, "cancelorder", **body)
    (act,) = [act for act in rig.acts() if act["order"].endswith(rig.order(name).our_tag)]  # type: ignore[union-attr]
    assert act["state"] == ("denied" if step == "pending" else "unknown")
    done = step in ("written", "answered")
    wait_for_sync(lambda: rig.ledger().orders[order_id].changes == 1 + done, 5, "what left to arrive")
    rig.agree()
    order = rig.order(name)
    assert order is not None
    if method == "PUT":
        assert (order.state, order.quantity) == (S.OPEN, 7 if done else 5)
    else:
        assert order.state is (S.CANCELLED if done else S.OPEN)
    assert rig.ledger().orders[order_id].changes == 1 + done, "it was repeated"
