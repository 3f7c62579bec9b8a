"""How an update carries the time it left the broker: microseconds of the machine's monotonic clock, modulo 2**32, as
the day's volume. It survives every layer, reads back from the client's bytes, and is one clock for all processes."""

import re
import time

MARK = b'"type":"market_data"'
"""Once in every message, nowhere else."""
VOLUME = b'"volume":'
WHOLE = re.compile(rb'\{"type":"market_data".*?\}\}')
MESSAGE = re.compile(rb'"type":"market_data","symbol":"([^"]+)".*?"seq":(\d+).*?"volume": *(\d+)')


def now() -> int:
    return (time.monotonic_ns() // 1000) & 0xFFFFFFFF


def elapsed_us(later: int, earlier: int) -> int:
    """Signed, so that an impossible order shows."""
    return ((later - earlier + 0x80000000) & 0xFFFFFFFF) - 0x80000000
