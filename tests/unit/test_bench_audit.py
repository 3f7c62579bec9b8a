"""The judge of the bench is judged on made-up recordings."""

import array
import struct
from pathlib import Path

import pytest
from bench import audit, stamp


def message(symbol: str, seq: int, left: int) -> bytes:
    return (
        f'{{"type":"market_data","symbol":"{symbol}","exchange":"NSE","mode":2,"broker":"b","data":'
        f'{{"symbol":"{symbol}","epoch":1,"seq":{seq},"ltp":1.0,"volume":{left},"change":0.1}}}}'
    ).encode()


def recording(path: Path, chunks: list[tuple[int, bytes]]) -> str:
    path.write_bytes(b"".join(struct.pack("<II", at, len(chunk)) + chunk for at, chunk in chunks))
    return str(path)


def log(path: Path, sent: list[tuple[int, int]]) -> str:
    path.write_bytes(array.array("I", [value for pair in sent for value in pair]).tobytes())
    return str(path)


def test_a_message_arrives_with_the_chunk_that_ends_it(tmp_path: Path) -> None:
    content = message("A", 1, 100) + message("B", 1, 110)
    path = recording(tmp_path / "r", [(150, content[:200]), (400, content[200:])])
    received = audit.read(path)
    assert [(one.symbol, one.seq, one.stamp) for one in received] == [("A", 1, 100), ("B", 1, 110)]
    assert [one.arrival for one in received] == [150, 400]
    assert audit.delays(received) == [50, 290]
    assert audit.sample(path) == message("A", 1, 100)


@pytest.mark.parametrize(
    ("seqs", "missing"), [([1, 2, 3], 0), ([1, 3], 1), ([5, 9, 10], 3), ([1, 2, 2], 1), ([2, 1], 2), ([7], 0)]
)
def test_gaps_count_what_is_missing_twice_or_out_of_order(seqs: list[int], missing: int) -> None:
    assert audit.gaps([audit.Received("A", seq, 0, 0) for seq in seqs]) == missing


def test_edges(tmp_path: Path) -> None:
    """A's last value is delivered late, its second is conflated away; B's update after a rest goes at once; C's never
    comes."""
    sent = log(tmp_path / "s", [(0, 0), (1, 0), (0, 1000), (0, 2000), (1, 100_000), (2, 100_500)])
    got = [
        audit.Received("A", 1, 0, 300),
        audit.Received("B", 1, 0, 300),
        audit.Received("A", 2, 2000, 50_400),
        audit.Received("B", 2, 100_000, 100_700),
    ]
    edges = audit.edges(got, sent, ["A", "B", "C"], 50_000)
    assert edges.leading == [700]
    assert edges.stale == [300, 300, 49_400, 48_400, 700]
    assert edges.never == 1


def test_the_clock_may_pass_its_end() -> None:
    assert stamp.elapsed_us(5, 0xFFFFFFFE) == 7
    assert stamp.elapsed_us(0xFFFFFFFE, 5) == -7


def test_percentiles_are_milliseconds() -> None:
    assert audit.percentile([1000, 3000, 2000], 0.5) == 2.0
    assert audit.percentile([1000, 3000, 2000], 1.0) == 3.0
