from datetime import datetime

import pytest

from sangam.accounts.expiry import next_expiry
from sangam.model.clock import IST


def ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=IST).timestamp() * 1000)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("now", "ends", "expected"),
    [
        (ms(2026, 8, 3, 9, 15), "06:00", ms(2026, 8, 4, 6, 0)),
        (ms(2026, 8, 3, 5, 59), "06:00", ms(2026, 8, 3, 6, 0)),
        (ms(2026, 8, 3, 6, 0), "06:00", ms(2026, 8, 4, 6, 0)),
        (ms(2026, 12, 31, 23, 0), "00:00", ms(2027, 1, 1, 0, 0)),
        (ms(2026, 8, 3, 2, 0), "03:30", ms(2026, 8, 3, 3, 30)),
    ],
)
def test_a_session_ends_at_the_next_such_hour_in_ist(now: int, ends: str, expected: int) -> None:
    assert next_expiry(now, ends) == expected


def test_some_sessions_do_not_end_by_the_clock() -> None:
    assert next_expiry(ms(2026, 8, 3, 9, 15), "") is None
