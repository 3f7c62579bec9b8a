"""The same bytes through the official SDK's decoder and ours: every kind of message, whole and in parts.

The bytes are written by the simulator's writer, which knows nothing of either."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.peers.decoding import Decode, decoding

from sangam.brokers.upstox.packets import patches
from sangam.model.market import Depth, DepthLevel, Patch
from sangam.simulators.proto import chunk, double, integer
from sangam.simulators.upstox_wire import response

EXAMPLES = 600

KEYS = st.lists(
    st.sampled_from(["NSE_EQ|INE002A01018", "NSE_FO|35346", "NSE_INDEX|Nifty 50", "NCD_FO|14294", "BSE_EQ|INE1"]),
    unique=True,
    max_size=5,
)
PRICES = st.one_of(st.just(0.0), st.floats(0.0025, 1e7), st.integers(1, 10**9).map(lambda paise: paise / 100))
COUNTS = st.one_of(st.just(0), st.integers(1, 2**53))
AMOUNTS = st.one_of(st.just(0.0), st.integers(1, 2**53 - 1).map(float))
TIMES = st.one_of(st.just(0), st.integers(1, 2**45))


def part(field: int, content: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """A message that may be missing, as live ones lack what did not change."""
    return st.one_of(st.just(b""), content.map(lambda payload: chunk(field, payload)))


def fields(*strategies: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(*strategies).map(b"".join)


def doubles(field: int, values: st.SearchStrategy[float] = PRICES) -> st.SearchStrategy[bytes]:
    return values.map(lambda value: double(field, value))


def integers(field: int, values: st.SearchStrategy[int] = COUNTS) -> st.SearchStrategy[bytes]:
    return values.map(lambda value: integer(field, value))


LTPC = fields(doubles(1), integers(2, TIMES), integers(3), doubles(4))
QUOTE = fields(integers(1), doubles(2), integers(3), doubles(4))
BAR = fields(
    st.sampled_from([b"1d", b"I1"]).map(lambda name: chunk(1, name)),
    *(doubles(number) for number in (2, 3, 4, 5)),
    integers(6),
    integers(7, TIMES),
)
BARS = st.lists(BAR, max_size=3).map(lambda bars: b"".join(chunk(1, bar) for bar in bars))
LEVELS = st.lists(QUOTE, max_size=30).map(lambda rows: b"".join(chunk(1, row) for row in rows))
GREEKS = fields(*(doubles(number, st.floats(-1, 1)) for number in range(1, 6)))
MARKET = fields(
    part(1, LTPC), part(2, LEVELS), part(3, GREEKS), part(4, BARS), doubles(5), integers(6), doubles(7, AMOUNTS),
    doubles(8), doubles(9, AMOUNTS), doubles(10, AMOUNTS), doubles(11), integers(13), integers(16, st.integers(0, 1)),
)  # fmt: skip
INDEX = fields(part(1, LTPC), part(2, BARS))
FIRST_LEVEL = fields(part(1, LTPC), part(2, QUOTE), part(3, GREEKS), integers(4), doubles(5, AMOUNTS))
FEEDS = st.one_of(
    LTPC.map(lambda content: chunk(1, content)),
    MARKET.map(lambda content: chunk(2, chunk(1, content)) + integer(4, 1)),
    INDEX.map(lambda content: chunk(2, chunk(2, content)) + integer(4, 1)),
    FIRST_LEVEL.map(lambda content: chunk(3, content) + integer(4, 2)),
    st.just(b""),
)


@pytest.fixture(scope="module")
def official() -> Iterator[Decode]:
    with decoding("upstox", Path(__file__).with_name("upstox_decode.py")) as decode:
        yield decode


def theirs(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the SDK's object says, in our words and by our rule of what a missing zero means."""
    found = {}
    for key, feed in told.get("feeds", {}).items():
        full = feed.get("fullFeed", {})
        kind = next((kind for kind in ("marketFF", "indexFF") if kind in full), "ltpc" if "ltpc" in feed else "")
        if not kind and "fullFeed" not in feed:
            continue
        patch = _fields(told, feed if kind in ("", "ltpc") else full[kind], kind)
        if "currentTs" in told:
            patch["timestamp"] = int(told["currentTs"])
        found[key] = patch
    return found


def _fields(told: dict[str, Any], feed: dict[str, Any], kind: str) -> dict[str, Any]:
    ltpc = feed.get("ltpc", {})
    fields: dict[str, Any] = {
        name: ltpc[theirs] for name, theirs in (("ltp", "ltp"), ("close", "cp")) if theirs in ltpc
    }
    counts = (("ltt", "ltt"), ("last_trade_quantity", "ltq"))
    fields |= {name: int(ltpc[theirs]) for name, theirs in counts if theirs in ltpc}
    bars = [bar for bar in feed.get("marketOHLC", {}).get("ohlc", []) if bar.get("interval") == "1d"]
    if bars:
        fields |= {name: bars[0][name] for name in ("open", "high", "low") if name in bars[0]}
    if kind == "indexFF":
        fields["depth"] = ([], [])
    if kind == "marketFF":
        whole = told.get("type", "initial_feed") == "initial_feed"
        book = None
        if "marketLevel" in feed:
            rows = feed["marketLevel"].get("bidAskQuote", [])
            book = fields["depth"] = tuple(
                [(row[p], int(row[q])) for row in rows if p in row and q in row]
                for p, q in (("bidP", "bidQ"), ("askP", "askQ"))
            )
        if "atp" in feed:
            fields["avg_trade_price"] = feed["atp"]
        for name, code, empty in (
            ("volume", "vtt", whole),
            ("oi", "oi", whole),
            ("total_buy_quantity", "tbq", whole or (book is not None and not book[0])),
            ("total_sell_quantity", "tsq", whole or (book is not None and not book[1])),
        ):
            if code in feed or empty:
                fields[name] = int(feed.get(code, 0))
    return fields


def ours(patch: Patch) -> dict[str, Any]:
    fields: dict[str, Any] = dict(patch.fields)
    if patch.depth is not None:
        fields["depth"] = tuple(_rows(side) for side in (patch.depth.buy, patch.depth.sell))
        if patch.depth == Depth([], []):
            fields["depth"] = ([], [])
    return fields


def _rows(side: list[DepthLevel]) -> list[tuple[float, int]]:
    return [(row.price, row.quantity) for row in side]


def test_any_messages_decode_the_same(official: Decode) -> None:
    cases = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    @given(st.integers(0, 1), KEYS, st.lists(FEEDS, min_size=5, max_size=5), TIMES)
    def same(kind: int, keys: list[str], feeds: list[bytes], now: int) -> None:
        nonlocal cases
        frame = response(kind, zip(keys, feeds, strict=False), now)
        told = theirs(official(frame))
        assert {str(patch.key): ours(patch) for patch in patches(frame)} == told
        cases += len(told)

    same()
    assert cases >= EXAMPLES


def test_a_message_about_the_market_is_no_instruments(official: Decode) -> None:
    frame = bytes.fromhex("08021895b3c18bb732220c0a0a0a064e53455f45511002")
    told = official(frame)
    assert told == {
        "type": "market_info",
        "currentTs": "1732775008661",
        "marketInfo": {"segmentStatus": {"NSE_EQ": "NORMAL_OPEN"}},
    }
    assert patches(frame) == []
