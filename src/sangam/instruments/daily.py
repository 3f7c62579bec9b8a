"""When a master is of today: from the hour the trading day begins, and anew from the hour the broker's file is ready.

Hours are ``HH:MM`` IST, moments epoch milliseconds."""

from datetime import date, datetime, time, timedelta
from functools import cache

from sangam.model.clock import IST, ist_from_ms

ROLL = "06:00"
"""The trading day begins: brokers' sessions have died, and tokens may mean other contracts than yesterday."""

_DAY_MS = 86_400_000


def day_began(now_ms: int) -> int:
    """The last roll: a master made before it is yesterday's."""
    return _last(now_ms, ROLL)


def due_since(now_ms: int, ready: str) -> int:
    """The moment from which the newest master must be: the last roll, or the hour `ready` where that came later."""
    return max(day_began(now_ms), _last(now_ms, ready or ROLL))


def next_due(now_ms: int, ready: str) -> int:
    """When an account that stays logged in needs the next master."""
    hour = time.fromisoformat(ready or ROLL)
    now = ist_from_ms(now_ms)
    due = datetime.combine(now.date(), hour, IST)
    return _ms(due if due > now else due + timedelta(days=1))


def _last(now_ms: int, hour: str) -> int:
    """IST never shifts, so a remainder does; every row of a broker's order book asks."""
    return now_ms - (now_ms - _first(hour)) % _DAY_MS


@cache
def _first(hour: str) -> int:
    return _ms(datetime.combine(date(1970, 1, 2), time.fromisoformat(hour), IST))


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
