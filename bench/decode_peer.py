"""The official SDK's share of decode.py; runs in its own environment: frame as hex on stdin, figures as JSON out."""

import json
import sys
import time
from collections.abc import Callable

from kiteconnect import KiteTicker  # type: ignore[import-not-found,unused-ignore]

PACKETS, ROUNDS = int(sys.argv[1]), int(sys.argv[2])
FRAME = bytes.fromhex(sys.stdin.read())
TICKER = KiteTicker("key", "token")


def best_us(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best / PACKETS * 1e6


TICKS = TICKER._parse_binary(FRAME)
assert len(TICKS) == PACKETS
print(
    json.dumps(
        {
            "decode": best_us(lambda: TICKER._parse_binary(FRAME)),
            "dumps": best_us(lambda: [json.dumps(tick, default=str) for tick in TICKS]),
        }
    )
)
