"""A full disk, a session that ends, a book that cannot be read: what the order side does meanwhile, and afterwards."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tests.simulator_thread import SimulatorThread
from tests.support import wait_for, wait_for_sync

from sangam.model.order import OrderState

from .clients import Client
from .order_rig import OrderRig

S = OrderState


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrderRig]:
    built = OrderRig(tmp_path_factory.mktemp("trouble") / "home")
    with SimulatorThread("zerodha", holdings=False, run=True) as simulator, built.server:
        built.open([simulator])
        yield built


async def test_promise_5_on_a_full_disk_nothing_is_sent_and_prices_stream_on(rig: OrderRig) -> None:
    """The journal comes before the first byte. What happens meanwhile is written down when there is room again."""
    standing = rig.place("standing").json()["orderid"]
    async with Client.login(rig.server.ws_port, rig.key) as client:
        await client.subscribe("SBIN")
        await client.hears(3, "SBIN")
        rig.fill_disk(True)

        async def denied() -> bool:
            """The last free rows of the last page may still take an order or two."""
            answer = await asyncio.to_thread(rig.place, "")
            if answer.status_code == 200:
                return False
            told = answer.json()
            assert (answer.status_code, told["error_code"]) == (503, "STORE_ERROR"), told
            return True

        await wait_for(denied, 20, "the disk to be full")
        before = len(rig.ledger().orders)
        for _ in range(5):
            assert await denied()
        book = await asyncio.to_thread(rig.post, "orderbook")
        assert book.status_code == 200, "what needs no journal goes on"
        rig.broker.call(lambda: rig.broker.simulator.exchange.cancel(standing))
        await client.hears(20, "SBIN")
        assert len(rig.ledger().orders) == before, "denied, and sent all the same"
        assert rig.server.metrics()["sangam_journal_in_trouble"] == 1.0

        rig.fill_disk(False)
        await wait_for(lambda: rig.journal_has(standing, S.CANCELLED), 10, "the news of meanwhile in the journal")
        again = await asyncio.to_thread(rig.place, "room")
        assert again.status_code == 200, again.text
        await client.hears(3, "SBIN")
    assert not rig.differences()


def test_promise_6_a_session_that_ends_under_orders_is_not_hammered(rig: OrderRig) -> None:
    """Each order is there or refused, and the refused credential is not tried again before the next login."""
    simulator = rig.broker.simulator
    knocks: list[bool] = []
    knows = simulator.login.knows

    def counted(*credentials: str | None) -> bool:
        knocks.append(bool(knows(*credentials)))
        return knocks[-1]

    simulator.login.knows = counted
    try:
        outcomes = []
        for number in range(12):
            if number == 4:
                rig.broker.call(simulator.expire_token)
            outcomes.append(rig.place(f"ends{number}"))
        refused = [answer.json() for answer in outcomes[4:]]
        assert [answer.status_code for answer in outcomes[:4]] == [200] * 4
        assert {told["error_code"] for told in refused} == {"INVALID_TOKEN"}
        assert knocks.count(False) <= 3, "one write, one read and one stream may meet the end"
        rig.broker.call(simulator.new_login)
        rig.log_in(rig.account)
        rig.wait_until_it_trades()
    finally:
        simulator.login.knows = knows
    assert rig.place("begins").status_code == 200
    rig.agree()
    marks = [row.tag[10:] for rows in rig.taken().values() for row in rows]
    assert {mark for mark in marks if mark.startswith("ends")} == {f"ends{number}" for number in range(4)}


@pytest.mark.parametrize("status", [503, 429, 403])
def test_promise_7_a_position_read_that_fails_is_not_flat(rig: OrderRig, status: int) -> None:
    """Closing everything does nothing and says so; once the book can be read it closes what is there."""
    assert rig.place(f"pos{status}", pricetype="MARKET", price=0).status_code == 200

    def held() -> int:
        answer = rig.post("openposition", symbol="SBIN", exchange="NSE", product="MIS", strategy="faults")
        return int(answer.json().get("quantity", 0))

    wait_for_sync(lambda: held() == 5, 10, "the position")
    before = len(rig.ledger().orders)
    rig.broker.call(lambda: rig.broker.simulator.faults.refuse_requests(status, times=20, path="/portfolio/positions"))
    smart: dict[str, Any] = {"symbol": "SBIN", "exchange": "NSE", "action": "SELL", "quantity": 0, "position_size": 0}
    for path, body in (("closeposition", {}), ("placesmartorder", {**smart, "product": "MIS"})):
        answer = rig.post(path, strategy="faults", **body)
        told = answer.json()
        assert (answer.status_code >= 400, told["status"]) == (True, "error"), told
        assert "closed_positions" not in told
    assert len(rig.ledger().orders) == before
    rig.broker.call(rig.broker.simulator.faults.clear)
    if status == 403:
        rig.log_in(rig.account)
        rig.wait_until_it_trades()

    def closed() -> bool:
        answer = rig.post("closeposition", strategy="faults")
        return answer.status_code == 200 and held() == 0

    wait_for_sync(closed, 10, "the position to be closed")
    assert len(rig.ledger().orders) == before + 1
