"""Clocks: IST is fixed, tests set the hour, time never runs backwards."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from sangam.model.clock import IST, ManualClock, SystemClock, ist_from_ms

START = datetime(2026, 8, 17, 9, 15, tzinfo=IST)


def test_ist_is_five_and_a_half_hours_ahead() -> None:
    assert IST.utcoffset(None) == timedelta(hours=5, minutes=30)
    assert ist_from_ms(0).isoformat() == "1970-01-01T05:30:00+05:30"


def test_system_clock_agrees_with_the_system() -> None:
    clock = SystemClock()
    before = time.time() * 1000
    assert before - 1 <= clock.now_ms() <= time.time() * 1000
    first = clock.monotonic()
    assert clock.monotonic() >= first


def test_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(START)
    assert (ist_from_ms(clock.now_ms()), clock.monotonic()) == (START, 0.0)
    clock.advance(1.5)
    assert (clock.now_ms() - int(START.timestamp() * 1000), clock.monotonic()) == (1500, 1.5)


def test_manual_clock_jumps_forward_in_any_zone() -> None:
    clock = ManualClock(START)
    tomorrow = datetime(2026, 8, 18, 0, 30, tzinfo=UTC)
    clock.set(tomorrow)
    assert ist_from_ms(clock.now_ms()).isoformat() == "2026-08-18T06:00:00+05:30"
    assert clock.monotonic() == (tomorrow - START).total_seconds()
    with pytest.raises(ValueError, match="backwards"):
        clock.set(START)
