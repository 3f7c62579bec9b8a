"""The same bytes through the official client's decoder (smartapi-python 1.5.5) and ours: all packets, all segments.

The client leaves prices as the wire's integers, so the scales are ours alone (docs: WebSocket streaming 2.0)."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.peers.decoding import decoding

from sangam.brokers.angel.packets import DECODERS
from sangam.model.market import DepthLevel, Patch

EXAMPLES = 300
PACKETS = 5  # in every example

SEGMENTS = st.sampled_from([1, 2, 3, 4, 5, 7, 13])
TOKENS = st.one_of(st.sampled_from([b"3045", b"99926000", b"99919000"]), st.from_regex(rb"[0-9]{1,25}", fullmatch=True))
SUMS = st.one_of(st.integers(0, 10**12).map(float), st.floats(-1e14, 1e14))
LONG = st.one_of(st.integers(0, 10**9), st.integers(-(2**63), 2**63 - 1))
SHORT = st.integers(0, 0xFFFF)
FLAGS = st.one_of(st.just([1] * 5 + [0] * 5), st.lists(st.integers(0, 1), min_size=10, max_size=10))

Decode = Callable[[bytes], dict[str, Any]]


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """Any numbers in any kind of packet; some are empty, as they are in quiet markets."""
    mode, token = draw(st.sampled_from([1, 2, 3, 4])), draw(TOKENS)
    padding = draw(st.sampled_from([bytes(25), b"\0" + b"7" * 24]))
    head = bytes((mode, draw(SEGMENTS))) + (token + padding)[:25]
    if mode == 4:
        level = st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**31 - 1), st.integers(-(2**15), 2**15 - 1))
        rows = draw(st.lists(st.one_of(level, st.just((0, 0, 0))), min_size=40, max_size=40))
        return head + struct.pack("<qq", draw(LONG), draw(LONG)) + b"".join(struct.pack("<iih", *row) for row in rows)
    packet = head + struct.pack("<3q", draw(LONG), draw(LONG), draw(LONG))
    if mode == 1:
        return packet
    quantity, average, volume = draw(LONG), draw(LONG), draw(st.one_of(st.just(0), LONG))
    packet += struct.pack("<3q2d", quantity, average, volume, draw(SUMS), draw(SUMS))
    packet += struct.pack("<4q", *(draw(LONG) for _ in range(4)))
    if mode == 2:
        return packet
    packet += struct.pack("<2q", draw(LONG), draw(LONG)) + draw(st.binary(min_size=8, max_size=8))
    for flag in draw(FLAGS):
        row = draw(st.one_of(st.just((0, 0, 0)), st.tuples(LONG, LONG, SHORT)))
        packet += struct.pack("<HqqH", flag, *row)
    return packet + struct.pack("<4q", *(draw(LONG) for _ in range(4)))


@pytest.fixture(scope="module")
def official() -> Iterator[Decode]:
    """The client in one process of its own."""
    with decoding("smartapi", Path(__file__).with_name("smartapi_decode.py")) as decode:
        yield decode


def theirs(told: dict[str, Any]) -> dict[str, Any]:
    """The client's words in ours, without what we do not tell: times that are none, empty rows, what an index has not,
    and the open interest that shares are said to have."""
    segment = told["exchange_type"]
    div = 10_000_000.0 if segment == 13 else 100.0
    found: dict[str, Any] = {"key": bytes((segment,)) + told["token"].encode()}
    if 0 < told["exchange_timestamp"] < 10**15:
        found["timestamp"] = told["exchange_timestamp"]
    if told["subscription_mode"] == 4:
        found["buy"] = _rows(told["depth_20_buy_data"], 100, "num_of_orders")
        found["sell"] = _rows(told["depth_20_sell_data"], 100, "num_of_orders")
        return found
    found["ltp"] = told["last_traded_price"] / div
    if told["subscription_mode"] == 1:
        return found
    names = {"open": "open_price_of_the_day", "high": "high_price_of_the_day", "low": "low_price_of_the_day"}
    found |= {ours: told[name] / div for ours, name in (names | {"close": "closed_price"}).items()}
    is_index = not told["volume_trade_for_the_day"] and len(told["token"]) == 8 and told["token"].startswith("999")
    if not is_index:
        found["volume"] = told["volume_trade_for_the_day"]
        found["last_trade_quantity"] = told["last_traded_quantity"]
        found["avg_trade_price"] = told["average_traded_price"] / div
        found["total_buy_quantity"] = int(told["total_buy_quantity"])
        found["total_sell_quantity"] = int(told["total_sell_quantity"])
    if told["subscription_mode"] == 3:
        found["buy"] = _rows(told["best_5_buy_data"], div, "no of orders")
        found["sell"] = _rows(told["best_5_sell_data"], div, "no of orders")
        if 0 < told["last_traded_timestamp"] < 10**12:
            found["ltt"] = told["last_traded_timestamp"] * 1000
        if not is_index:
            found["upper_circuit"] = told["upper_circuit_limit"] / div
            found["lower_circuit"] = told["lower_circuit_limit"] / div
            if segment not in (1, 3):
                found["oi"] = told["open_interest"]
    return found


def _rows(rows: list[dict[str, int]], div: float, orders: str) -> list[DepthLevel]:
    levels = [DepthLevel(row["price"] / div, row["quantity"], row[orders]) for row in rows]
    return [row for row in levels if row.price or row.quantity or row.orders]


def ours(patch: Patch) -> dict[str, Any]:
    found: dict[str, Any] = {"key": patch.key, **patch.fields}
    return found if patch.depth is None else found | {"buy": patch.depth.buy, "sell": patch.depth.sell}


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
            size, decode = DECODERS[packet[:1]]
            assert len(packet) == size
            told = official(packet)
            if told["subscription_mode"] == 4:
                told["exchange_timestamp"] = struct.unpack_from("<q", packet, 27)[0]  # it calls that the sequence
            assert ours(decode(packet)) == theirs(told)
        cases += len(chosen)

    same()
    assert cases >= EXAMPLES * PACKETS
