"""When a master is of today."""

from datetime import datetime

import pytest

from sangam.instruments.daily import day_began, due_since, next_due
from sangam.model.clock import IST


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=IST).timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "began", "due"),
    [
        ("2026-08-18 10:00", "2026-08-18 06:00", "2026-08-18 08:30"),
        ("2026-08-18 08:30", "2026-08-18 06:00", "2026-08-18 08:30"),
        ("2026-08-18 08:29", "2026-08-18 06:00", "2026-08-18 06:00"),
        ("2026-08-18 06:00", "2026-08-18 06:00", "2026-08-18 06:00"),
        ("2026-08-18 05:59", "2026-08-17 06:00", "2026-08-17 08:30"),
        ("2026-08-18 00:00", "2026-08-17 06:00", "2026-08-17 08:30"),
    ],
)
def test_what_was_due_last(now: str, began: str, due: str) -> None:
    assert day_began(at(now)) == at(began)
    assert due_since(at(now), "08:30") == at(due)
    assert due_since(at(now), "") == at(began)


def test_what_is_due_next() -> None:
    assert next_due(at("2026-08-18 08:29"), "08:30") == at("2026-08-18 08:30")
    assert next_due(at("2026-08-18 08:30"), "08:30") == at("2026-08-19 08:30")
    assert next_due(at("2026-08-18 23:00"), "") == at("2026-08-19 06:00")
