"""A broker that does not answer is left alone for a growing time; one probe decides."""

from datetime import datetime

import pytest

from sangam.model.clock import IST, ManualClock
from sangam.transport.backoff import Backoff
from sangam.transport.breaker import THRESHOLD, Breaker


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 5, 10, 0, tzinfo=IST))


@pytest.fixture
def breaker(clock: ManualClock) -> Breaker:
    return Breaker(clock, Backoff(first=1.0, cap=4.0, rand=lambda: 0.0))


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        assert breaker.admit()
        breaker.settle(False)


def test_failures_in_a_row_open_it_and_answers_between_do_not(breaker: Breaker) -> None:
    fail(breaker, THRESHOLD - 1)
    breaker.settle(True)
    fail(breaker, THRESHOLD - 1)
    assert breaker.admit()
    breaker.settle(False)
    assert not breaker.admit()
    assert breaker.resting == 1.0


def test_one_probe_decides(breaker: Breaker, clock: ManualClock) -> None:
    fail(breaker, THRESHOLD)
    clock.advance(1.0)
    assert breaker.admit()
    assert not breaker.admit(), "one probe at a time"
    breaker.settle(True)
    assert breaker.admit()
    assert breaker.admit()


def test_the_rest_grows_up_to_its_cap_and_starts_anew_after_an_answer(breaker: Breaker, clock: ManualClock) -> None:
    fail(breaker, THRESHOLD)
    rests = []
    for _ in range(4):
        rests.append(breaker.resting)
        clock.advance(breaker.resting)
        fail(breaker)
    assert rests == [1.0, 2.0, 4.0, 4.0]
    clock.advance(breaker.resting)
    assert breaker.admit()
    breaker.settle(True)
    fail(breaker, THRESHOLD)
    assert breaker.resting == 1.0


def test_calls_that_were_under_way_do_not_prolong_the_rest(breaker: Breaker) -> None:
    fail(breaker, THRESHOLD)
    for _ in range(10):
        breaker.settle(False)
    assert breaker.resting == 1.0


def test_a_probe_that_went_away_lets_another_try(breaker: Breaker, clock: ManualClock) -> None:
    fail(breaker, THRESHOLD)
    clock.advance(1.0)
    assert breaker.admit()
    breaker.settle(None)
    assert breaker.admit()


def test_what_may_not_wait_always_goes(breaker: Breaker) -> None:
    fail(breaker, THRESHOLD)
    assert not breaker.admit()
    assert breaker.admit(urgent=True)
    breaker.settle(True)
    assert breaker.admit()
