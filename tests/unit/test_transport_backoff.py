"""Pauses between attempts."""

import pytest

from sangam.transport.backoff import Backoff


def test_doubles_up_to_the_cap() -> None:
    backoff = Backoff(first=1.0, cap=10.0, rand=lambda: 0.0)
    assert [backoff.next() for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_jitter_shortens_by_up_to_half() -> None:
    assert Backoff(first=2.0, rand=lambda: 1.0).next() == pytest.approx(1.0)
    delays = [Backoff(first=2.0).next() for _ in range(200)]
    assert all(1.0 <= delay <= 2.0 for delay in delays)
    assert len(set(delays)) > 100


def test_reset_starts_over() -> None:
    backoff = Backoff(first=1.0, cap=10.0, rand=lambda: 0.0)
    backoff.next()
    backoff.next()
    backoff.reset()
    assert backoff.attempts == 0
    assert backoff.next() == 1.0


def test_weeks_of_failure_neither_overflow_nor_exceed_the_cap() -> None:
    backoff = Backoff(first=1.0, cap=60.0, rand=lambda: 0.0)
    assert {backoff.next() for _ in range(5000)} == {1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0}
