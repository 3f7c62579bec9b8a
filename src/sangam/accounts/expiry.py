"""When a broker's sessions end: the trading day's hour in IST, from the broker's table."""

from datetime import datetime, time, timedelta

from sangam.model.clock import IST, ist_from_ms


def next_expiry(now_ms: int, session_ends: str) -> int | None:
    """The next ``HH:MM`` IST strictly after now, in epoch milliseconds; None where the clock ends none."""
    if not session_ends:
        return None
    now = ist_from_ms(now_ms)
    end = datetime.combine(now.date(), time.fromisoformat(session_ends), IST)
    if end <= now:
        end += timedelta(days=1)
    return int(end.timestamp() * 1000)
