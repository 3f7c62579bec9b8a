"""Trading sessions: when data may be expected on an exchange (specs: contract-rest.md, 8; times are IST)."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import NamedTuple

import msgspec

from .clock import ist_from_ms
from .enums import Exchange


class Session(NamedTuple):
    start: time
    end: time


_ALL_DAY = Session(time(0, 0), time(23, 59, 59))
_CASH = Session(time(9, 15), time(15, 30))
_DERIVATIVES = Session(time(9, 15), time(15, 40))
_CURRENCY = Session(time(9, 0), time(17, 0))
_COMMODITY = Session(time(9, 0), time(23, 55))

SESSIONS: Mapping[Exchange, Session] = {
    Exchange.NSE: _CASH,
    Exchange.BSE: _CASH,
    Exchange.NSE_INDEX: _CASH,
    Exchange.BSE_INDEX: _CASH,
    Exchange.NFO: _DERIVATIVES,
    Exchange.BFO: _DERIVATIVES,
    Exchange.CDS: _CURRENCY,
    Exchange.BCD: _CURRENCY,
    Exchange.MCX: _COMMODITY,
    Exchange.MCX_INDEX: _COMMODITY,
    Exchange.NCO: _COMMODITY,
    Exchange.NCDEX: Session(time(9, 0), time(17, 0)),
    Exchange.GLOBAL_INDEX: _ALL_DAY,
    Exchange.CRYPTO: _ALL_DAY,
}


class Holiday(msgspec.Struct, frozen=True, kw_only=True):
    """A day unlike others: who is closed all day, and who trades in a session of its own (Muhurat trading, a working
    Saturday, the evening of a commodity exchange)."""

    date: date
    description: str
    closed: frozenset[Exchange] = frozenset()
    sessions: Mapping[Exchange, Session] = {}


class Calendar:
    """Knows sessions, weekends and holidays."""

    def __init__(self, holidays: Iterable[Holiday] = ()) -> None:
        self._holidays = {holiday.date: holiday for holiday in holidays}

    def holidays(self, year: int) -> list[Holiday]:
        """The days of a year that are unlike others, in order."""
        return sorted((day for day in self._holidays.values() if day.date.year == year), key=lambda day: day.date)

    def session(self, day: date, exchange: Exchange) -> Session | None:
        """The session of an exchange on a date, or None when it is closed."""
        holiday = self._holidays.get(day)
        if holiday is not None and exchange in holiday.sessions:
            return holiday.sessions[exchange]
        if exchange is Exchange.CRYPTO:
            return _ALL_DAY
        if day.weekday() >= 5 or (holiday is not None and exchange in holiday.closed):
            return None
        return SESSIONS[exchange]

    def trades_on(self, now_ms: int, exchanges: Iterable[Exchange]) -> bool:
        """Whether any of these is open; an index is no market."""
        return any(self.is_open(now_ms, exchange) for exchange in exchanges if not exchange.is_index)

    def is_open(self, now_ms: int, exchange: Exchange) -> bool:
        moment: datetime = ist_from_ms(now_ms)
        session = self.session(moment.date(), exchange)
        return session is not None and session.start <= moment.time() < session.end


class AlwaysOpen(Calendar):
    """The calendar of simulated exchanges: they trade day and night."""

    def is_open(self, now_ms: int, exchange: Exchange) -> bool:
        return True
