"""The same bytes through the official SDK's decoders and ours: both sockets, all records, any values."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.peers.decoding import asking

from sangam.brokers.fyers.stream import codec as hsm_codec
from sangam.brokers.fyers.tbt import TbtCodec
from sangam.model.enums import Mode
from sangam.model.instrument import Level
from sangam.model.market import Depth, Key, Patch
from sangam.simulators import proto

EXAMPLES = 250
LEVELS = 50
ABSENT = -(2**31)

Decode = Callable[[str, list[bytes]], dict[str, Any]]

RAREST = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
)


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Decode]:
    script = Path(__file__).with_name("fyers_decode.py")
    with asking("fyers", script, str(tmp_path_factory.mktemp("fyers"))) as ask:
        yield lambda wire, frames: ask(json.dumps({"wire": wire, "frames": [frame.hex() for frame in frames]}))


# --- the data socket --------------------------------------------------------------------------------------------------

TOPICS = {"sf|nse_cm|3045": 21, "dp|nse_cm|3045": 30, "if|nse_cm|Nifty 50": 6, "sf|cde_fo|1": 21, "dp|mcx_fo|9": 30}
NUMBERS = {name: 7 * place + 300 for place, name in enumerate(TOPICS)}
VALUES = st.one_of(st.just(ABSENT), st.integers(-(2**31), 2**31 - 1), st.integers(0, 100_000))


@st.composite
def lives(draw: st.DrawFn) -> list[bytes]:
    """Snapshots of some topics, and then any updates and lite records of them."""
    chosen = draw(st.lists(st.sampled_from(sorted(TOPICS)), min_size=1, unique=True))
    frames = [[snapshot(draw, name) for name in chosen]]
    for _ in range(draw(st.integers(0, 4))):
        frames.append([draw(records(chosen)) for _ in range(draw(st.integers(1, 4)))])
    return [message(number, rows) for number, rows in enumerate(frames, 1)]


def snapshot(draw: st.DrawFn, name: str) -> bytes:
    """The SDK cannot do without a last price, and divides by an index's previous close."""
    values = draw(st.lists(VALUES, min_size=TOPICS[name], max_size=TOPICS[name]))
    if not name.startswith("dp"):
        values[:2] = draw(st.lists(st.integers(1, 10**8), min_size=2, max_size=2))
    head = struct.pack(">BHB", 0x53, NUMBERS[name], len(name)) + name.encode() + bytes((len(values),))
    scale = struct.pack(">2xHB", draw(st.sampled_from([1, 100, 7])), draw(st.integers(0, 9)))
    return head + struct.pack(f">{len(values)}i", *values) + scale + b"\x03NSE\x043045\x07SBIN-EQ"


@st.composite
def records(draw: st.DrawFn, chosen: list[str]) -> bytes:
    name = draw(st.sampled_from(chosen))
    if not name.startswith("dp") and draw(st.booleans()):
        return struct.pack(">BHi", 0x4C, NUMBERS[name], draw(VALUES))
    size = draw(st.integers(1, TOPICS[name]))
    values = draw(st.lists(VALUES, min_size=size, max_size=size))
    if name.startswith("if") and size > 1:
        values[1] = ABSENT
    return struct.pack(f">BHB{size}i", 0x55, NUMBERS[name], size, *values)


def message(number: int, rows: list[bytes]) -> bytes:
    return struct.pack(">HBIH", 7, 6, number, len(rows)) + b"".join(rows)


NAMES = {
    "ltp": "ltp", "volume": "vol_traded_today", "bid_size": "bid_size", "ask_size": "ask_size",
    "bid_price": "bid_price", "ask_price": "ask_price", "last_trade_quantity": "last_traded_qty",
    "total_buy_quantity": "tot_buy_qty", "total_sell_quantity": "tot_sell_qty", "avg_trade_price": "avg_trade_price",
    "low": "low_price", "high": "high_price", "open": "open_price", "close": "prev_close_price",
    "ltt": "last_traded_time", "timestamp": "exch_feed_time",
}  # fmt: skip


def ours(frames: list[bytes]) -> dict[str, Any]:
    """What we know in the end, by the SDK's names. It hides open interest, and shows empty rows of a book."""
    codec = hsm_codec("key", "token")
    keys: list[Key] = ["sf" + name[2:] if name.startswith("dp") else name for name in TOPICS]
    list(codec.update(dict.fromkeys(keys, Level(Mode.DEPTH))))
    fields: dict[str, dict[str, Any]] = {}
    books: dict[str, Depth] = {}
    for frame in frames:
        for event in codec.received(frame):
            if isinstance(event, Patch):
                fields.setdefault(str(event.key), {}).update(event.fields)
                if event.depth is not None:
                    books["dp" + str(event.key)[2:]] = event.depth
    told: dict[str, Any] = {key: _words(known) for key, known in fields.items() if known}
    return told | {name: _rows(book) for name, book in books.items()}


def _words(known: dict[str, Any]) -> dict[str, Any]:
    words = {NAMES[name]: value for name, value in known.items() if name in NAMES}
    times = ("last_traded_time", "exch_feed_time")
    return {name: value // 1000 if name in times else value for name, value in words.items()}


def _rows(book: Depth) -> list[list[tuple[float, int, int]]]:
    return [[(row.price, row.quantity, row.orders) for row in side] for side in (book.buy, book.sell)]


def theirs(told: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for topic, words in told.items():
        if topic.startswith("dp"):
            found[topic] = [[row for row in side if row[1] > 0] for side in (_side(words, "bid"), _side(words, "ask"))]
        else:
            found[topic] = {name: words[name] for name in NAMES.values() if name in words}
    return found


def _side(words: dict[str, Any], side: str) -> list[tuple[float, int, int]]:
    return [
        (words[f"{side}_price{n}"], words.get(f"{side}_size{n}", 0), max(words.get(f"{side}_order{n}", 0), 0))
        for n in range(1, 6)
        if f"{side}_price{n}" in words
    ]


def test_the_data_socket_is_read_the_same(official: Decode) -> None:
    @RAREST
    @given(lives())
    def same(frames: list[bytes]) -> None:
        assert ours(frames) == theirs(official("hsm", frames))

    same()


# --- the tick-by-tick socket ------------------------------------------------------------------------------------------

TICKER = "NSE:NIFTY26AUGFUT"
FIGURES = st.one_of(st.none(), st.integers(0, 5), st.integers(0, 2**32 - 1))


@st.composite
def feeds(draw: st.DrawFn) -> bytes:
    sides = [[level(draw) for _ in range(draw(st.integers(0, 6)))] for _ in range(2)]
    totals = [(field, draw(FIGURES)) for field in (1, 2)]
    depth = b"".join(proto.wrapped(field, value) for field, value in totals if value is not None)
    depth += b"".join(proto.chunk(field, row) for field, side in zip((3, 4), sides, strict=True) for row in side)
    feed = (
        proto.chunk(5, depth)
        + proto.wrapped(6, 1)
        + proto.number(9, draw(st.integers(0, 9)))
        + proto.chunk(11, TICKER.encode())
    )
    return proto.chunk(2, proto.chunk(1, TICKER.encode()) + proto.chunk(2, feed))


def level(draw: st.DrawFn) -> bytes:
    told = [(field, draw(FIGURES)) for field in (1, 2, 3)]
    row = b"".join(proto.wrapped(field, value) for field, value in told if value is not None)
    number = draw(st.one_of(st.none(), st.integers(0, LEVELS + 3)))
    return row if number is None else row + proto.wrapped(4, number)


def test_the_books_of_fifty_levels_are_read_the_same(official: Decode) -> None:
    """The SDK never forgets a book: there is one snapshot, and then differences."""

    @RAREST
    @given(st.lists(feeds(), min_size=1, max_size=5))
    def same(chosen: list[bytes]) -> None:
        frames = [
            proto.number(1, 6) + feed + (proto.number(3, 1) if not place else b"") for place, feed in enumerate(chosen)
        ]
        codec = TbtCodec()
        list(codec.update({TICKER: Level(Mode.DEPTH, LEVELS)}))
        patches = [event for frame in frames for event in codec.received(frame) if isinstance(event, Patch)]
        depth, fields = patches[-1].depth, {name: value for patch in patches for name, value in patch.fields.items()}
        assert depth is not None
        told = official("tbt", frames)[TICKER]
        assert _rows(depth) == [
            [
                row
                for row in zip(told[f"{side}price"], told[f"{side}qty"], told[f"{side}ordn"], strict=True)
                if row[0] and row[1]
            ]
            for side in ("bid", "ask")
        ]
        assert (fields.get("total_buy_quantity", 0), fields.get("total_sell_quantity", 0)) == (told["tbq"], told["tsq"])

    same()
