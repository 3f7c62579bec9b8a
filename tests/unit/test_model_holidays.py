"""The shipped holidays, and files of one's own."""

from datetime import date, time
from pathlib import Path

import pytest

from sangam.model.calendar import Calendar, Session
from sangam.model.enums import Exchange
from sangam.model.errors import ConfigError
from sangam.model.holidays import load, parse, shipped

EVENING = Session(time(17), time(23, 55))


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return Calendar(shipped())


def test_the_year_2026_has_the_days_of_the_exchanges_circulars(calendar: Calendar) -> None:
    """NSE/CMTR/71775 names 15 weekdays, NSE/CMTR/72260 adds one; NSE/CD/71962 names 19, NSE/CD/72233 adds one."""
    closed = {
        exchange: {day.date for day in calendar.holidays(2026) if exchange in day.closed and day.date.weekday() < 5}
        for exchange in Exchange
    }
    assert len(closed[Exchange.NSE]) == 16
    assert len(closed[Exchange.CDS]) == 20
    assert closed[Exchange.NSE] == closed[Exchange.BSE] == closed[Exchange.NFO] == closed[Exchange.BFO]
    assert closed[Exchange.NSE] <= closed[Exchange.CDS] == closed[Exchange.BCD]
    assert len(closed[Exchange.MCX]) == 4
    assert closed[Exchange.CRYPTO] == set()


@pytest.mark.parametrize(
    ("day", "exchange", "session"),
    [
        ("2026-01-26", Exchange.NSE, None),
        ("2026-11-24", Exchange.NFO, None),
        ("2026-11-24", Exchange.MCX, EVENING),
        ("2026-01-01", Exchange.MCX, Session(time(9), time(17))),
        ("2026-01-01", Exchange.NSE, Session(time(9, 15), time(15, 30))),
        ("2026-02-01", Exchange.NSE, Session(time(9, 15), time(15, 30))),
        ("2026-02-01", Exchange.CDS, None),
        ("2026-08-26", Exchange.CDS, None),
        ("2026-08-26", Exchange.NSE, Session(time(9, 15), time(15, 30))),
    ],
)
def test_single_days(calendar: Calendar, day: str, exchange: Exchange, session: Session | None) -> None:
    assert calendar.session(date.fromisoformat(day), exchange) == session


def test_a_year_without_a_file_has_only_weekends(calendar: Calendar) -> None:
    assert calendar.holidays(2031) == []
    assert calendar.session(date(2031, 1, 27), Exchange.NSE) is not None


def test_a_file_of_ones_own_overrides_a_day(tmp_path: Path) -> None:
    own = tmp_path / "holidays.json"
    assert load(own) == shipped()
    own.write_bytes(
        b'{"days": [{"date": "2026-11-08", "description": "Muhurat", "sessions": {"NSE": ["18:00:00", "19:00:00"]}},'
        b'{"date": "2026-12-25", "description": "Open after all"}]}'
    )
    calendar = Calendar(load(own))
    assert calendar.session(date(2026, 11, 8), Exchange.NSE) == Session(time(18), time(19))
    assert calendar.session(date(2026, 12, 25), Exchange.NSE) is not None
    assert len(calendar.holidays(2026)) == len(Calendar(shipped()).holidays(2026))


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"\xff", b'{"days": [{"date": "2026-13-01", "description": ""}]}',
     b'{"days": [{"date": "2026-01-01", "description": "", "closed": ["MOON"]}]}',
     b'{"days": [{"date": "2026-01-01", "description": "", "sessions": {"NSE": ["9"]}}]}',
     b'{"days": [{"date": "2026-01-01", "description": "", "open": []}]}'],
)  # fmt: skip
def test_a_damaged_file_is_told(content: bytes) -> None:
    with pytest.raises(ConfigError, match="The holidays in my\\.json cannot be read"):
        parse(content, "my.json")
