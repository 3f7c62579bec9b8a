"""The same bytes through the official SDK's decoder and ours: every kind of packet, all segments, any numbers."""

import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.peers.decoding import asking

from sangam.brokers.dhan.stream import BookCodec, FeedCodec
from sangam.model.enums import Mode
from sangam.model.instrument import Level
from sangam.model.market import DepthLevel, Patch

EXAMPLES = 2_000
SEGMENTS = st.sampled_from([0, 1, 2, 4, 5, 8, 3, 7])
CURRENCIES = (3, 7)
IDS = st.integers(0, 2**31 - 1)
WORDS = st.integers(0, 2**32 - 1)
HALVES = st.integers(0, 2**16 - 1)
PRICES = st.one_of(
    st.integers(0, 30_000_000).map(lambda paise: struct.unpack("<f", struct.pack("<f", paise / 100))[0]),
    st.floats(0, 300_000, width=32),
)
IST = 19_800

Decode = Callable[[str, bytes], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def official() -> Iterator[Decode]:
    """The SDK in one process of its own."""
    with asking("dhanhq", Path(__file__).with_name("dhanhq_decode.py")) as ask:
        yield lambda kind, message: ask(f"{kind} {message.hex()}")


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """Any numbers where they belong; quiet markets have empty rows and no times."""
    kind = draw(st.sampled_from([2, 4, 5, 6, 8]))
    head = struct.pack("<BI", draw(SEGMENTS), draw(IDS))
    time = draw(st.one_of(st.just(0), st.integers(1_700_000_000, 1_900_000_000)))
    if kind == 2:
        body = struct.pack("<fI", draw(PRICES), time)
    elif kind == 5:
        body = struct.pack("<I", draw(WORDS))
    elif kind == 6:
        body = struct.pack("<fI", draw(PRICES), draw(WORDS))
    else:
        body = struct.pack("<fHIfIII", draw(PRICES), draw(HALVES), time, draw(PRICES), *(draw(WORDS) for _ in range(3)))
        if kind == 8:
            body += struct.pack("<III", *(draw(WORDS) for _ in range(3)))
        body += struct.pack("<ffff", *(draw(PRICES) for _ in range(4)))
        if kind == 8:
            for _ in range(5):
                row = (draw(WORDS), draw(WORDS), draw(HALVES), draw(HALVES), draw(PRICES), draw(PRICES))
                body += struct.pack("<IIHHff", *(row if draw(st.booleans()) else (0,) * 6))
    return struct.pack("<BH", kind, 8 + len(body)) + head + body


NEVER_AHEAD = 2**32 * 1000
"""When all that 32 bits of seconds can tell is past."""


def same_price(ours: float, theirs: str, segment: int) -> None:
    """The SDK writes two decimals, of currencies too."""
    if segment in CURRENCIES:
        assert abs(ours - float(theirs)) <= 0.005_051
    else:
        assert f"{ours:.2f}" == theirs


def same_rows(ours: list[DepthLevel], theirs: list[dict[str, Any]], side: str, segment: int) -> None:
    told = [(row[f"{side}_quantity"], row[f"{side}_orders"], row[f"{side}_price"]) for row in theirs]
    told = [row for row in told if row[0] or row[1] or float(row[2])]
    kept = [row for row in ours if row.quantity or row.orders or row.price >= 0.01]
    assert [(row.quantity, row.orders) for row in kept] == [row[:2] for row in told]
    for row, (_, _, price) in zip(kept, told, strict=True):
        same_price(row.price, price, segment)


def test_any_numbers_decode_the_same(official: Decode) -> None:
    cases = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    @given(packets())
    def compare(packet: bytes) -> None:
        nonlocal cases
        cases += 1
        (told,) = official("feed", packet)
        (patch,) = FeedCodec(NEVER_AHEAD).received(packet)[:1]  # type: ignore[index]
        assert isinstance(patch, Patch)
        segment, fields = told["exchange_segment"], patch.fields
        assert patch.key == (segment, told["security_id"])
        prices = {"ltp": "LTP", "avg_trade_price": "avg_price", "open": "open", "high": "high", "low": "low"}
        prices["close"] = "prev_close"
        for name, theirs in prices.items():
            if theirs in told and (segment or name != "avg_trade_price"):
                same_price(fields[name], told[theirs], segment)  # type: ignore[literal-required]
        counts = {"last_trade_quantity": "LTQ", "volume": "volume", "total_buy_quantity": "total_buy_quantity"}
        counts["total_sell_quantity"] = "total_sell_quantity"
        for name, theirs in counts.items():
            if theirs in told and segment:
                assert fields[name] == told[theirs]  # type: ignore[literal-required]
        if told["type"] == "OI Data" or (told["type"] == "Full Data" and segment not in (0, 1, 4)):
            assert fields["oi"] == told["OI"]
        if "ltt" in fields:
            seconds = fields["ltt"] // 1000
            clocks = {datetime.fromtimestamp(seconds + ahead, UTC).strftime("%H:%M:%S") for ahead in (0, IST)}
            assert told["LTT"] in clocks
        if told["type"] == "Full Data" and segment:
            assert patch.depth is not None
            same_rows(patch.depth.buy, told["depth"], "bid", segment)
            same_rows(patch.depth.sell, told["depth"], "ask", segment)

    compare()
    assert cases >= EXAMPLES


ROWS = st.tuples(st.integers(0, 30_000_000).map(lambda paise: paise / 100), WORDS, WORDS)


@pytest.mark.parametrize("levels", [20, 200])
def test_deep_books_decode_the_same(official: Decode, levels: int) -> None:
    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    @given(st.sampled_from([1, 2]), IDS, st.lists(ROWS, max_size=levels), st.lists(ROWS, max_size=levels))
    def compare(segment: int, token: int, bids: list[Any], asks: list[Any]) -> None:
        message = b""
        for code, rows in ((41, bids), (51, asks)):
            told = rows + [(0.0, 0, 0)] * (20 - len(rows)) if levels == 20 else rows
            body = b"".join(struct.pack("<dII", *row) for row in told)
            message += struct.pack("<hBBiI", 12 + len(body), code, segment, token, len(told)) + body
        theirs = official(str(levels), message)
        codec = BookCodec(levels)
        list(codec.update({(segment, token): Level(Mode.DEPTH, levels)}))
        (patch,) = codec.received(message)
        assert isinstance(patch, Patch)
        assert patch.depth is not None
        for side, packet in zip((patch.depth.buy, patch.depth.sell), theirs, strict=True):
            rows = [(row["price"], row["quantity"], row["orders"]) for row in packet["depth"]]
            assert [(row.price, row.quantity, row.orders) for row in side] == [row for row in rows if any(row)]

    compare()
