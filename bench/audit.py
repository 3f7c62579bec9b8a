"""Judgement of what one client received: loss, order, and the delay of every message."""

import array
import bisect
import struct
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from . import stamp

LEADING_MARGIN_US = 10_000
"""A send that comes this much after the interval ended must go out at once."""


@dataclass(frozen=True)
class Received:
    """One message: when it left the broker and when it was read, in microseconds of the bench's clock."""

    symbol: str
    seq: int
    stamp: int
    arrival: int


@dataclass(frozen=True)
class Edges:
    """How an interval served a client: delays of updates that had to go at once, how long a newer value was missing,
    and how many last values never came."""

    leading: list[int]
    stale: list[int]
    never: int


def read(path: str) -> list[Received]:
    content = Path(path).read_bytes()
    ends: list[int] = []
    arrivals: list[int] = []
    pieces: list[bytes] = []
    at = total = 0
    while at < len(content):
        arrival, size = struct.unpack_from("<II", content, at)
        pieces.append(content[at + 8 : at + 8 + size])
        at += 8 + size
        total += size
        ends.append(total)
        arrivals.append(arrival)
    return [
        Received(found[1].decode(), int(found[2]), int(found[3]), arrivals[bisect.bisect_left(ends, found.end())])
        for found in stamp.MESSAGE.finditer(b"".join(pieces))
    ]


def sample(path: str) -> bytes:
    """One whole message as it came."""
    found = stamp.WHOLE.search(Path(path).read_bytes())
    return found[0] if found else b""


def delays(messages: list[Received]) -> list[int]:
    return [stamp.elapsed_us(one.arrival, one.stamp) for one in messages]


def gaps(messages: list[Received]) -> int:
    """Messages missing by `seq`, plus those out of order."""
    last: dict[str, int] = {}
    missing = 0
    for one in messages:
        if one.symbol in last:
            missing += abs(one.seq - last[one.symbol] - 1)
        last[one.symbol] = one.seq
    return missing


def edges(messages: list[Received], log: str, symbols: list[str], interval_us: int) -> Edges:
    """Compare with the broker's log of (symbol number, stamp) pairs."""
    sent = array.array("I")
    sent.frombytes(Path(log).read_bytes())
    arrived: dict[str, list[Received]] = defaultdict(list)
    for one in messages:
        arrived[one.symbol].append(one)
    leading: list[int] = []
    stale: list[int] = []
    never = 0
    before: dict[int, int] = {}
    position: dict[int, int] = defaultdict(int)
    for number, left in zip(sent[::2], sent[1::2], strict=True):
        got = arrived[symbols[number]]
        at = position[number]
        while at < len(got) and stamp.elapsed_us(got[at].stamp, left) < 0:
            at += 1
        position[number] = at
        if at == len(got):
            never += 1
            continue
        delay = stamp.elapsed_us(got[at].arrival, left)
        stale.append(delay)
        quiet = number in before and stamp.elapsed_us(left, before[number]) > interval_us + LEADING_MARGIN_US
        if quiet and got[at].stamp == left:
            leading.append(delay)
        before[number] = left
    return Edges(leading, stale, never)


def percentile(values: list[int], share: float) -> float:
    """Milliseconds; NaN of nothing."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1000
