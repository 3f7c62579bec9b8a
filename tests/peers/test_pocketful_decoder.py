"""The same bytes through the official client's decoder (pocketful 0.1.2) and ours: packets of every kind, and news.

The client leaves prices as the wire's integers, so the scales are ours alone; it reads the change of a price unsigned,
which we do not read at all."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.peers.decoding import decoding

from sangam.brokers.contract import BooksChanged, Ctx, Endpoint, Session
from sangam.brokers.pocketful import SPEC
from sangam.brokers.wire import Message
from sangam.model.enums import Mode
from sangam.model.instrument import Level
from sangam.model.market import DepthLevel, Patch
from sangam.model.order import OrderUpdate

EXAMPLES = 200
PACKETS = 5  # in every example

CODES = {1: False, 2: True, 6: False, 7: True}
"""Exchange codes, and whether they are of derivatives."""

WORDS = st.one_of(st.just(0), st.integers(0, 10**8), st.integers(0, 2**32 - 1))
LONG = st.one_of(st.just(0), st.integers(0, 2**64 - 1))
SHAPES = {1: "8I2Q12I", 2: "9I", 4: "35I2QI"}

Decode = Callable[[bytes], dict[str, Any]]
SESSION = Session(account="a", broker="pocketful", generation=1, client_id="YG1234")


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """Any numbers in any kind of packet; many are zero, as they are in quiet markets."""
    kind = draw(st.sampled_from([1, 2, 4]))
    head = struct.pack(">bbI", kind, draw(st.sampled_from(list(CODES))), draw(st.integers(0, 2**32 - 1)))
    numbers = [draw(LONG if shape == "Q" else WORDS) for count, shape in _parts(SHAPES[kind]) for _ in range(count)]
    return head + struct.pack(f">{SHAPES[kind]}", *numbers)


def _parts(shape: str) -> Iterator[tuple[int, str]]:
    digits = ""
    for letter in shape:
        if letter.isdecimal():
            digits += letter
        else:
            yield int(digits or 1), letter
            digits = ""


@pytest.fixture(scope="module")
def official() -> Iterator[Decode]:
    """The client in one process of its own."""
    with decoding("pocketful", Path(__file__).with_name("pocketful_decode.py")) as decode:
        yield decode


def ours(message: Message) -> Any:
    """What a socket of ours makes of it, where the instrument is wanted with its book, or in mode LTP."""
    codec = SPEC.streams[0].codec(SESSION, Endpoint(url="wss://x"), Ctx(0, bytes))
    assert isinstance(message, bytes)
    if message[0] < 50:
        key = struct.unpack_from(">xBI", message)
        list(codec.update({key: Level(Mode.LTP if message[0] == 2 else Mode.DEPTH)}))
    (result,) = codec.received(message)
    return result


def shown(patch: Patch) -> dict[str, Any]:
    found: dict[str, Any] = {"key": patch.key, **patch.fields}
    return found if patch.depth is None else found | {"buy": patch.depth.buy, "sell": patch.depth.sell}


def theirs(told: dict[str, Any]) -> dict[str, Any]:
    """The client's words in ours, without what we do not tell: sides and times that are none, the circuits of an index,
    and the open interest of shares."""
    found: dict[str, Any] = {"key": (told["exchange_code"], told["instrument_token"])}
    if told["mode"] == 4:
        for side, prices, sizes, orders in (
            ("buy", "bidPrices", "bidQtys", "buyers"),
            ("sell", "askPrices", "askQtys", "sellers"),
        ):
            rows = zip(told[prices], told[sizes], told[orders], strict=True)
            found[side] = [
                DepthLevel(price / 100, size, count) for price, size, count in rows if price or size or count
            ]
        return found | {"total_buy_quantity": told["totalBuyQty"], "total_sell_quantity": told["totalSellQty"]}
    found["ltp"] = told["last_traded_price"] / 100
    if told["last_traded_time"]:
        found["ltt"] = told["last_traded_time"] * 1000
    if told["highDPR"]:
        found |= {"lower_circuit": told["lowDPR"] / 100, "upper_circuit": told["highDPR"] / 100}
    if CODES[told["exchange_code"]]:
        found["oi"] = told["currentOpenInterest"]
    if told["mode"] == 2:
        return found
    found |= {name: told[f"{name}_price"] / 100 for name in ("open", "high", "low", "close")}
    found |= {"volume": told["trade_volume"], "last_trade_quantity": told["last_traded_quantity"]}
    found |= {"avg_trade_price": told["average_trade_price"] / 100}
    found |= {name: told[name] for name in ("total_buy_quantity", "total_sell_quantity")}
    for side in ("bid", "ask"):
        if told[f"best_{side}_price"] or told[f"best_{side}_quantity"]:
            found[f"{side}_price"] = told[f"best_{side}_price"] / 100
            found[f"{side}_size"] = told[f"best_{side}_quantity"]
    if told["exchange_timestamp"]:
        found["timestamp"] = told["exchange_timestamp"] * 1000
    return found


def test_random_packets_decode_the_same(official: Decode) -> None:
    cases = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    @given(st.lists(packets(), min_size=PACKETS, max_size=PACKETS + 2))
    def same(chosen: list[bytes]) -> None:
        nonlocal cases
        for packet in chosen:
            assert shown(ours(packet)) == theirs(official(packet))
        cases += len(chosen)

    same()
    assert cases >= EXAMPLES * PACKETS


def test_news_are_the_same_object(official: Decode) -> None:
    row = {
        "oms_order_id": "1", "exchange": "NSE", "instrument_token": 3045, "order_side": "BUY", "quantity": 10,
        "filled_quantity": 4, "order_status": "NEW_CONFIRMED", "product": "MIS", "order_type": "LIMIT", "price": 10.5,
        "user_order_id": "123456789", "rejection_reason": "नहीं",
    }  # fmt: skip
    told = official(b"\x32\0\0\0\0" + json.dumps(row, ensure_ascii=False).encode())
    assert told == row
    update = ours(b"\x32\0\0\0\0" + json.dumps(row, ensure_ascii=False).encode())
    assert isinstance(update, OrderUpdate)
    assert (update.order_id, update.filled_quantity, update.tag) == ("1", 4, "123456789")
    assert official(b"\x33\0\0\0\0" + json.dumps(row).encode()) == row
    assert ours(b"\x33\0\0\0\0" + json.dumps(row).encode()) == BooksChanged()
