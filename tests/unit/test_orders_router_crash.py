"""Promise 1 under storms and sudden deaths: one client order id never reaches the broker twice."""

import asyncio
import random
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.router_process import CLIENT_ID, STEPS
from tests.router_rig import House, caller, ticket
from tests.support import ROOT

from sangam.model.errors import BrokerError, Denied, InDoubt, NotSent, RateLimited, Refused, SangamError, Unknown
from sangam.model.order import Accepted, Order, OrderState
from sangam.orders.ports import Sending
from sangam.orders.timing import RouterTiming

S = OrderState


@pytest.mark.parametrize("step", STEPS)
async def test_promise_1_a_process_that_dies_at_any_step_repeats_nothing(tmp_path: Path, step: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.router_process", str(tmp_path), step, cwd=ROOT
    )
    assert await process.wait() == 9
    ledger = tmp_path / "ledger"
    left = ledger.read_text().splitlines() if ledger.exists() else []
    assert len(left) == (step in ("left", "answered"))
    async with House(tmp_path) as house:
        found = house.journal.by_client("u-toy", CLIENT_ID)
        assert found is not None or not left, "sent without a word in the journal"
        (result,) = await house.place_all(ticket(client_order_id=CLIENT_ID))
        assert len(house.live.asked) + len(left) <= 1
        if found is None:
            assert step in ("checked", "added", "announcing")
            assert isinstance(result, Order), "nothing was known of it, so it is simply placed"
            assert result.state is S.OPEN
        elif found.state is S.DENIED:
            assert step in ("added", "queued", "announcing")
            assert isinstance(result, Denied)
        elif found.state is S.UNKNOWN:
            assert step in ("announcing", "announced", "left", "answered")
            assert isinstance(result, InDoubt)
        else:
            assert (step, found.state) == ("answered", S.OPEN)
            assert result == found


@pytest.mark.parametrize("seed", range(5))
async def test_promise_1_in_a_storm_of_repetitions_and_failures(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    expected: dict[str, OrderState] = {}
    reached: Counter[str] = Counter()

    async def broker(order: Order, sending: Sending) -> Accepted:
        fate = dice.randrange(7)
        await asyncio.sleep(dice.random() * 0.01)
        error: BrokerError | None = None
        if fate == 0:
            expected[order.client_order_id] = S.DENIED
            raise RateLimited("used up").unsent()
        await sending()
        if fate == 1:
            expected[order.client_order_id] = S.DENIED
            raise NotSent("unreachable")
        reached[order.client_order_id] += 1
        await asyncio.sleep(dice.random() * 0.01)
        if fate == 2:
            expected[order.client_order_id], error = S.REJECTED, Refused("no margin")
        elif fate in (3, 4):
            expected[order.client_order_id], error = S.UNKNOWN, Unknown("no answer")
        if error is not None:
            raise error
        expected[order.client_order_id] = S.OPEN
        return Accepted(order_id=f"B-{order.id}")

    async with House(tmp_path, RouterTiming(evidence=0.05)) as house:
        house.live.placing = broker

        async def client(names: list[str]) -> None:
            dice.shuffle(names)
            while names:
                some = [names.pop() for _ in range(min(len(names), dice.randint(1, 4)))]
                asked = asyncio.create_task(
                    house.router.place_all(caller(), [ticket(client_order_id=name) for name in some])
                )
                await asyncio.sleep(dice.random() * 0.01)
                if dice.random() < 0.3:
                    asked.cancel()
                for result in await asyncio.gather(asked, return_exceptions=True):
                    assert isinstance(result, list | asyncio.CancelledError)
                    if isinstance(result, list):
                        assert all(isinstance(one, Order | SangamError) for one in result)

        names = [f"c{number}" for number in range(40)]
        await asyncio.gather(*(client(list(names)) for _ in range(5)))
        await house.router.close(5.0)
        orders = house.journal.of("u-toy")
        assert {order.client_order_id: order.state for order in orders} == expected
        assert len(orders) == len(names)
        assert max(reached.values()) == 1
