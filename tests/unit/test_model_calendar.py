"""Sessions, weekends, holidays and special sessions."""

from datetime import date, datetime, time

import pytest

from sangam.model.calendar import SESSIONS, AlwaysOpen, Calendar, Holiday, Session
from sangam.model.clock import IST
from sangam.model.enums import Exchange

MONDAY = date(2026, 8, 17)
SATURDAY = date(2026, 8, 22)


def ms(day: date, at: str) -> int:
    return int(datetime.combine(day, time.fromisoformat(at), IST).timestamp() * 1000)


@pytest.mark.parametrize(
    ("exchange", "at", "is_open"),
    [
        (Exchange.NSE, "09:14:59", False),
        (Exchange.NSE, "09:15:00", True),
        (Exchange.NSE, "15:29:59", True),
        (Exchange.NSE, "15:30:00", False),
        (Exchange.CDS, "16:59:00", True),
        (Exchange.MCX, "23:54:00", True),
        (Exchange.MCX, "23:55:00", False),
        (Exchange.CRYPTO, "03:00:00", True),
    ],
)
def test_hours(exchange: Exchange, at: str, is_open: bool) -> None:
    assert Calendar().is_open(ms(MONDAY, at), exchange) is is_open


def test_every_exchange_has_hours() -> None:
    assert set(SESSIONS) == set(Exchange)


def test_weekends_close_all_but_crypto() -> None:
    calendar = Calendar()
    assert [exchange for exchange in Exchange if calendar.session(SATURDAY, exchange)] == [Exchange.CRYPTO]


def test_holidays_close_the_exchanges_they_name() -> None:
    calendar = Calendar([Holiday(date=MONDAY, description="Test", closed=frozenset({Exchange.NSE}))])
    assert calendar.session(MONDAY, Exchange.NSE) is None
    assert calendar.session(MONDAY, Exchange.MCX) == SESSIONS[Exchange.MCX]


def test_special_sessions_replace_weekends_and_holidays() -> None:
    muhurat = Session(time(18, 0), time(19, 0))
    calendar = Calendar([Holiday(date=SATURDAY, description="Muhurat", sessions={Exchange.NSE: muhurat})])
    assert calendar.is_open(ms(SATURDAY, "18:30:00"), Exchange.NSE)
    assert not calendar.is_open(ms(SATURDAY, "10:00:00"), Exchange.NSE)
    assert not calendar.is_open(ms(SATURDAY, "18:30:00"), Exchange.BSE)


def test_simulated_exchanges_never_close() -> None:
    assert AlwaysOpen().is_open(ms(SATURDAY, "03:00:00"), Exchange.NSE)


def test_a_broker_trades_while_one_of_its_exchanges_does() -> None:
    calendar = Calendar()
    exchanges = (Exchange.NSE, Exchange.MCX, Exchange.GLOBAL_INDEX)
    assert calendar.trades_on(ms(MONDAY, "10:00:00"), exchanges)
    assert calendar.trades_on(ms(MONDAY, "20:00:00"), exchanges)
    assert calendar.is_open(ms(MONDAY, "23:58:00"), Exchange.GLOBAL_INDEX)
    assert not calendar.trades_on(ms(MONDAY, "23:58:00"), exchanges), "an index is no market"
    assert AlwaysOpen().trades_on(ms(SATURDAY, "03:00:00"), exchanges)
