"""Rate logs as arithmetic, and the queue before a lane in real time."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.contract import Limit
from sangam.model.clock import IST, ManualClock, SystemClock
from sangam.model.errors import RateLimited
from sangam.transport.limits import GUARD, Gate, LaneLog

TEN = Limit("orders", 10, 1.0, reserve=2)


def send(log: LaneLog, at: float, count: int, urgent: bool = False) -> list[float]:
    """So many at once, each as early as its rows allow."""
    times = []
    for _ in range(count):
        at = max(at, log.free_at(urgent))
        log.take(at)
        times.append(at)
    return times


def test_a_window_of_one_second_is_one_and_a_tenth() -> None:
    log = LaneLog([Limit("quote", 1, 1.0)])
    assert send(log, 100.0, 3) == pytest.approx([100.0, 101.1, 102.2])


def test_all_rows_of_a_lane_hold_together() -> None:
    log = LaneLog([Limit("orders", 2, 1.0), Limit("orders", 3, 60.0)])
    assert send(log, 0.0, 5) == pytest.approx([0.0, 0.0, 1.1, 60.1, 60.1])


def test_a_lane_without_rows_is_free() -> None:
    log = LaneLog([])
    assert send(log, 5.0, 1000) == [5.0] * 1000


def test_the_last_slots_are_kept_for_what_may_not_wait() -> None:
    log = LaneLog([TEN])
    assert send(log, 0.0, 9)[8] == pytest.approx(1.1), "the ninth of the patient waits"
    log = LaneLog([TEN])
    send(log, 0.0, 8)
    assert send(log, 0.5, 3, urgent=True) == pytest.approx([0.5, 0.5, 1.1])


def test_after_urgent_calls_the_patient_leave_the_reserve_alone() -> None:
    log = LaneLog([TEN])
    send(log, 0.0, 5, urgent=True)
    assert send(log, 0.0, 4) == pytest.approx([0.0, 0.0, 0.0, 1.1])
    assert log.free_at(urgent=True) <= 1.1


def test_a_log_begins_with_what_went_out_before() -> None:
    log = LaneLog([Limit("orders", 2, 1.0), Limit("orders", 3, 60.0)], [10.0])
    log.seed([-5.0, 9.5, -70.0])
    assert log.free_at() == pytest.approx(max(9.5 + 1.1, -5.0 + 60.1))


async def test_a_moment_to_come_counts_as_now() -> None:
    gate = Gate("Toy orders", [Limit("orders", 1, 0.2)], SystemClock())
    gate.seed([SystemClock().monotonic() + 3600.0])
    assert await through(gate, 1.0) == pytest.approx(0.3, abs=0.15)


def test_a_pause_holds_everybody_and_never_gets_shorter() -> None:
    log = LaneLog([TEN])
    log.pause(7.0)
    log.pause(3.0)
    assert log.free_at() == log.free_at(urgent=True) == 7.0


def test_a_plan_changes_nothing() -> None:
    log = LaneLog([TEN])
    send(log, 0.0, 7)
    assert log.planned(0.0, [False] * 10) == pytest.approx(2.2)
    assert log.free_at() == 0.0


rows = st.lists(
    st.builds(Limit, st.just("x"), st.integers(3, 8), st.sampled_from([1.0, 2.0, 10.0]), st.integers(0, 2)),
    min_size=1,
    max_size=3,
)
arrivals = st.lists(st.tuples(st.floats(0.0, 3.0), st.booleans()), max_size=60)


@given(rows, arrivals)
def test_no_window_ever_holds_more_than_its_row_allows(
    rows: Sequence[Limit], arrivals: list[tuple[float, bool]]
) -> None:
    """Whatever comes when: any window of a broker's clock, even one that runs a little unevenly, keeps its count."""
    log, now = LaneLog(rows), 0.0
    sent: list[tuple[float, bool]] = []
    for pause, urgent in arrivals:
        now = max(now + pause, log.free_at(urgent))
        log.take(now)
        sent.append((now, urgent))
    for row in rows:
        for number, (at, urgent) in enumerate(sent):
            within = sum(1 for other, _ in sent[: number + 1] if other > at - row.window - GUARD + 1e-9)
            assert within <= (row.count if urgent else row.count - row.reserve)


# --- the queue --------------------------------------------------------------------------------------------------------


def gate(*rows: Limit) -> Gate:
    return Gate("Toy orders", rows, SystemClock())


async def through(lane: Gate, allowed: float, urgent: bool = False) -> float:
    """One request that leaves as soon as it has its slot."""
    waited = await lane.enter(allowed, urgent)
    lane.left()
    return waited


SHORT = Limit("orders", 2, 0.05)
"""Two in 0.15 s, guard included."""


async def test_who_comes_in_time_does_not_wait() -> None:
    lane = gate(SHORT)
    assert [await through(lane, 1.0), await through(lane, 1.0)] == [0.0, 0.0]


async def test_the_patient_go_in_the_order_they_came() -> None:
    lane, passed = gate(SHORT), list[int]()

    async def enter(number: int) -> float:
        waited = await through(lane, 20.0)
        passed.append(number)
        return waited

    waits = await asyncio.gather(*(enter(number) for number in range(6)))
    assert passed == [0, 1, 2, 3, 4, 5]
    assert waits[:2] == [0.0, 0.0]
    assert all(wait >= 0.14 for wait in waits[2:4])
    assert all(wait >= 0.29 for wait in waits[4:])


async def test_what_may_not_wait_goes_before_those_who_came_first() -> None:
    lane, passed = gate(SHORT), list[str]()

    async def enter(name: str, urgent: bool = False) -> None:
        await through(lane, 20.0, urgent)
        passed.append(name)

    patient = [asyncio.create_task(enter(f"place {number}")) for number in range(4)]
    await asyncio.sleep(0)
    await asyncio.gather(enter("cancel", urgent=True), *patient)
    assert passed == ["place 0", "place 1", "cancel", "place 2", "place 3"]


async def test_the_reserve_lets_a_cancel_through_a_full_lane() -> None:
    lane = gate(Limit("orders", 3, 0.5, reserve=1))
    await through(lane, 0.0)
    await through(lane, 0.0)
    with pytest.raises(RateLimited):
        await through(lane, 0.0)
    assert await through(lane, 0.0, urgent=True) == 0.0


async def test_a_wait_that_would_be_too_long_is_refused_at_once_and_takes_no_slot() -> None:
    lane = gate(Limit("orders", 1, 60.0))
    await through(lane, 0.0)
    for _ in range(3):
        started = asyncio.get_running_loop().time()
        with pytest.raises(RateLimited, match=r"Toy orders: .* ask again in 60\.\d s\. Nothing was sent") as told:
            await through(lane, 5.0)
        assert asyncio.get_running_loop().time() - started < 1.0
        assert not told.value.sent


async def test_the_queue_ahead_counts() -> None:
    lane = gate(SHORT)
    waiting = [asyncio.create_task(through(lane, 20.0)) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(RateLimited, match="is used up"):
        await through(lane, 0.2)
    await asyncio.gather(*waiting)


async def test_who_leaves_the_queue_gives_its_place_to_the_next() -> None:
    lane = gate(Limit("orders", 1, 0.4))
    await through(lane, 0.0)
    first, second = (asyncio.create_task(through(lane, 20.0)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert 0.49 <= await second < 0.99
    assert first.cancelled()


async def test_a_pause_while_waiting_ends_in_a_refusal_when_it_is_too_long() -> None:
    lane = gate(SHORT)
    await through(lane, 0.0)
    await through(lane, 0.0)
    waiting = asyncio.create_task(through(lane, 0.2))
    await asyncio.sleep(0)
    lane.pause(30.0)
    with pytest.raises(RateLimited, match="left no room"):
        await waiting


async def test_a_window_begins_when_a_request_leaves_and_not_when_it_has_its_slot() -> None:
    """Between the two lie a commit and perhaps a new connection: the broker counts from what reaches it."""
    lane, loop = gate(SHORT), asyncio.get_running_loop()
    await lane.enter(0.0)
    await lane.enter(0.0)
    waiting = asyncio.create_task(through(lane, 20.0))
    loop.call_later(0.1, lane.left)
    loop.call_later(0.1, lane.left)
    assert await waiting >= 0.24


async def test_what_has_not_left_yet_holds_its_slot_however_long_it_takes() -> None:
    lane = gate(SHORT)
    await lane.enter(0.0)
    await lane.enter(0.0)
    waiting = asyncio.create_task(through(lane, 20.0))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.4)
    lane.left()
    lane.left()
    assert await waiting >= 0.54


async def test_who_gave_up_as_its_turn_came_holds_no_slot() -> None:
    clock = ManualClock(datetime(2026, 1, 5, 10, 0, tzinfo=IST))
    lane = Gate("Toy orders", [Limit("orders", 1, 0.05)], clock)
    await through(lane, 0.0)
    giving_up = asyncio.create_task(lane.enter(20.0))
    await asyncio.sleep(0)
    clock.advance(1)
    lane._admit()
    giving_up.cancel()
    await asyncio.gather(giving_up, return_exceptions=True)
    assert giving_up.cancelled()
    clock.advance(1)
    assert await through(lane, 0.0) == 0.0
