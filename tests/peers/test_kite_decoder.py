"""The same bytes through the official SDK's decoder and ours: all packet kinds, all segments, any words."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.peers.decoding import Decode, decoding

from sangam.brokers.zerodha.stream import KiteCodec
from sangam.model.market import DepthLevel, Patch

EXAMPLES = 2_000
PACKETS = 5  # in every frame, so 10,000 cases at least

SEGMENTS = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 0, 10, 11, 255])
SIZES = st.sampled_from([8, 28, 32, 44, 184])
ROW = 12


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """Any words, with some book rows and times emptied as they are in quiet markets."""
    size = draw(SIZES)
    packet = bytearray(draw(st.binary(min_size=size, max_size=size)))
    packet[3] = draw(SEGMENTS)
    if size == 184:
        for row in draw(st.sets(st.integers(0, 9), max_size=10)):
            packet[64 + row * ROW : 64 + (row + 1) * ROW] = bytes(ROW)
        if draw(st.booleans()):
            packet[44:48] = packet[60:64] = bytes(4)
    return bytes(packet)


@pytest.fixture(scope="module")
def official() -> Iterator[Decode]:
    with decoding("kiteconnect", Path(__file__).with_name("kite_decode.py")) as decode:
        yield decode


def ours(patch: Patch) -> dict[str, Any]:
    """A patch in the SDK's words. `change` is derived and `mode`, `tradable` follow from size and segment."""
    fields = patch.fields
    tick: dict[str, Any] = {"instrument_token": patch.key, "last_price": fields["ltp"]}
    if "open" in fields:
        tick["ohlc"] = {name: fields[name] for name in ("open", "high", "low", "close")}
    if "volume" in fields:
        tick |= {
            "last_traded_quantity": fields["last_trade_quantity"],
            "average_traded_price": fields["avg_trade_price"],
            "volume_traded": fields["volume"],
            "total_buy_quantity": fields["total_buy_quantity"],
            "total_sell_quantity": fields["total_sell_quantity"],
        }
    if "oi" in fields:
        assert patch.depth is not None
        tick |= {
            "oi": fields["oi"],
            "oi_day_high": fields["oi_day_high"],
            "oi_day_low": fields["oi_day_low"],
            "last_trade_time": fields.get("ltt", 0) / 1000,
            "depth": {"buy": _rows(patch.depth.buy), "sell": _rows(patch.depth.sell)},
        }
    if patch.depth is not None:
        tick["exchange_timestamp"] = fields.get("timestamp", 0) / 1000
    return tick


def _rows(side: list[DepthLevel]) -> list[dict[str, float]]:
    return [{"quantity": row.quantity, "price": row.price, "orders": row.orders} for row in side]


def theirs(tick: dict[str, Any]) -> dict[str, Any]:
    """A tick without what is derived and without the empty rows that we drop."""
    tick = {name: value for name, value in tick.items() if name not in ("tradable", "mode", "change")}
    if "depth" in tick:
        tick["depth"] = {side: [row for row in rows if any(row.values())] for side, rows in tick["depth"].items()}
    return tick


def test_random_packets_decode_the_same(official: Decode) -> None:
    cases = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    @given(st.lists(packets(), min_size=PACKETS, max_size=2 * PACKETS))
    def same(chosen: list[bytes]) -> None:
        nonlocal cases
        frame = struct.pack(">H", len(chosen)) + b"".join(struct.pack(">H", len(one)) + one for one in chosen)
        patches = [patch for patch in KiteCodec().received(frame) if isinstance(patch, Patch)]
        assert [ours(patch) for patch in patches] == [theirs(tick) for tick in official(frame)]
        cases += len(patches)

    same()
    assert cases >= 10_000
