"""Equal questions asked at the same time share one answer; nobody's leaving harms the others."""

import asyncio

import pytest
from tests.support import wait_for

from sangam.transport.sharing import JOINABLE, Flights


class Work:
    def __init__(self) -> None:
        self.started = self.cancelled = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.started += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return self.started


async def test_equal_questions_share_and_one_of_them_started_it() -> None:
    flights, work = Flights[int](), Work()
    waiting = [asyncio.create_task(flights.join("a", work)) for _ in range(5)]
    await asyncio.sleep(0)
    work.go.set()
    assert sorted(await asyncio.gather(*waiting)) == [(1, False)] * 4 + [(1, True)]


async def test_other_questions_and_later_ones_are_asked_anew() -> None:
    flights, work = Flights[int](), Work()
    work.go.set()
    assert await flights.join("a", work) == (1, True)
    assert await flights.join("a", work) == (2, True)
    both = [await each for each in (flights.join("a", work), flights.join("b", work))]
    assert both == [(3, True), (4, True)]


async def test_a_failure_reaches_everybody() -> None:
    flights, work = Flights[int](), Work()
    work.error = ValueError("no")
    work.go.set()
    results = await asyncio.gather(*(flights.join("a", work) for _ in range(3)), return_exceptions=True)
    assert [str(result) for result in results] == ["no"] * 3
    assert work.started == 1


async def test_who_leaves_does_not_cancel_the_others_not_even_the_one_who_started() -> None:
    flights, work = Flights[int](), Work()
    first, second, third = (asyncio.create_task(flights.join("a", work)) for _ in range(3))
    await asyncio.sleep(0)
    first.cancel()
    third.cancel()
    await asyncio.gather(first, third, return_exceptions=True)
    work.go.set()
    assert await second == (1, False)
    assert (work.started, work.cancelled) == (1, 0)


async def test_with_the_last_one_the_work_ends_and_a_newcomer_starts_again() -> None:
    flights, work = Flights[int](), Work()
    waiting = [asyncio.create_task(flights.join("a", work)) for _ in range(2)]
    await wait_for(lambda: work.started, what="start")
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    newcomer = asyncio.create_task(flights.join("a", work))
    await wait_for(lambda: work.cancelled == 1, what="the end of the work nobody waits for")
    work.go.set()
    assert await newcomer == (2, True)


async def test_a_cancelled_caller_hears_of_its_cancellation() -> None:
    flights, work = Flights[int](), Work()
    task = asyncio.create_task(flights.join("a", work))
    await wait_for(lambda: work.started, what="start")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_old_question_is_not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer may be older than what is asked for now: an order book of before the order proves nothing."""
    flights, work = Flights[int](), Work()
    first = asyncio.create_task(flights.join("book", work))
    await wait_for(lambda: work.started == 1, what="the first")
    loop = asyncio.get_running_loop()
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + JOINABLE + 0.1)
    second, third = (asyncio.create_task(flights.join("book", work)) for _ in range(2))
    await wait_for(lambda: work.started == 2, what="the second")
    monkeypatch.undo()
    work.go.set()
    assert [own for _, own in await asyncio.gather(first, second, third)] == [True, True, False]
    assert flights._flights == {}
