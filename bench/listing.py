"""A generated instruments file as large as the largest broker's: Kite's columns, shares of two exchanges, and option
strips of two hundred underlyings."""

import random
import string
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice

FIRST_CODE = 100_000
FIRST_EXPIRY = date(2026, 11, 24)
SHARES = 9000
INDICES = (("NIFTY", 24_000, 50, 18), ("BANKNIFTY", 56_000, 100, 8), ("FINNIFTY", 26_000, 50, 6))
SHARE_OPTIONS = 216
STRIKES = 180
"""On each expiry of a share: more than exist, to fill the file."""


def rows(count: int) -> Iterator[str]:
    """`count` different rows, the same in every run."""
    for code, row in enumerate(islice(_rows(), count), FIRST_CODE):
        yield f"{code << 8 | 2},{code},{row}"


def _rows() -> Iterator[str]:
    dice = random.Random(270_000)
    names = sorted({"".join(dice.choices(string.ascii_uppercase, k=dice.randint(4, 10))) for _ in range(SHARES)})
    names = ["RELIANCE", "BANKBARODA", "AXISBANK", *names]
    for name in names:
        for exchange in ("NSE", "BSE"):
            yield f"{name},{name} INDUSTRIES LIMITED,0,,0,0.05,1,EQ,{exchange},{exchange}"
    for name in ("NIFTY 50", "NIFTY BANK", "NIFTY FIN SERVICE"):
        yield f"{name},{name},0,,0,0,0,EQ,INDICES,NSE"
    shares = [(name, dice.randint(400, 5000), 0, 3) for name in names[: SHARE_OPTIONS + 3]]
    for name, price, step, expiries in (*INDICES, *shares):
        yield from _derivatives(name, price, step or max(1, price // 100), expiries)


def _derivatives(name: str, price: int, step: int, expiries: int) -> Iterator[str]:
    for week in range(expiries):
        day = FIRST_EXPIRY + timedelta(days=7 * week)
        if week < 3:
            yield f"{name}{day:%y%m%d}FUT,{name},0,{day},0,0.05,65,FUT,NFO-FUT,NFO"
        middle = price // step
        for number in range(max(1, middle - STRIKES), middle + STRIKES):
            for right in ("CE", "PE"):
                strike = number * step
                yield f"{name}{day:%y%m%d}{strike}{right},{name},0,{day},{strike},0.05,65,{right},NFO-OPT,NFO"
