"""Trading sessions: when data may be expected on an exchange (specs: contract-rest.md, 8; times are IST)."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import NamedTuple

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


class Calendar:
    """Knows sessions, weekends and holidays.

    `holidays` maps a date to the exchanges closed on it; `special` maps (date, exchange) to a session that replaces
    the usual one (Muhurat trading, a working Saturday)."""

    def __init__(
        self,
        holidays: Mapping[date, frozenset[Exchange]] | None = None,
        special: Mapping[tuple[date, Exchange], Session] | None = None,
    ) -> None:
        self._holidays = dict(holidays or {})
        self._special = dict(special or {})

    def session(self, day: date, exchange: Exchange) -> Session | None:
        """The session of an exchange on a date, or None when it is closed."""
        if (override := self._special.get((day, exchange))) is not None:
            return override
        if exchange is Exchange.CRYPTO:
            return _ALL_DAY
        if day.weekday() >= 5 or exchange in self._holidays.get(day, frozenset()):
            return None
        return SESSIONS[exchange]

    def is_open(self, now_ms: int, exchange: Exchange) -> bool:
        moment: datetime = ist_from_ms(now_ms)
        session = self.session(moment.date(), exchange)
        return session is not None and session.start <= moment.time() < session.end


class AlwaysOpen(Calendar):
    """The calendar of simulated exchanges: they trade day and night."""

    def is_open(self, now_ms: int, exchange: Exchange) -> bool:
        return True
