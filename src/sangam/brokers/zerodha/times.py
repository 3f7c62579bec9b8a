"""Kite writes moments as India's wall clock, without a zone."""

from datetime import datetime

from sangam.model.clock import IST


def milliseconds(text: str | None) -> int:
    """``2022-03-03 09:24:25`` as epoch milliseconds; 0 for what cannot be read: news is worth more than its time."""
    try:
        return int(datetime.fromisoformat(text or "").replace(tzinfo=IST).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0
