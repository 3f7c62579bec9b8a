"""The ticker's wire: the official mock packets, every kind and divisor, damaged frames, requests and text frames."""

import contextlib
import json
import struct
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import shared_data

from sangam.brokers.contract import Confirmed, Ctx, Notice, Result, Send, Session
from sangam.brokers.wire import NatsMessage
from sangam.brokers.zerodha import SPEC
from sangam.brokers.zerodha.stream import KiteCodec
from sangam.brokers.zerodha.tables import SUBSCRIBE_BATCH
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Fields, Key, Patch
from sangam.model.order import OrderUpdate

# kiteconnect-mocks, ticker_full.packet and ticker_quote.packet
FULL = bytes.fromhex(
    "00063a01000266ba000000070002656d001232170003e9bb00058a01000264f30002673c000261c90002646c60e2947f"
    "00000000000000000000000060e2947f"
    "000000050002669c000100000000008c0002667400020000000000020002666f00010000000000db0002666a00070000000000320002666500010000"
    "000000ac000266ba000300000000002c000266bf000300000000012e000266c9000300000000008d000266ce00020000000002d4000266d300050000"
)
QUOTE = bytes.fromhex("00063a010002668300000001000265690011f1b20003e9ff00058037000264f30002673c000261c90002646c")

CTX = Ctx(0, bytes)
SESSION = Session(
    account="a1", broker="zerodha", generation=1, secrets={"api_key": "k", "access_token": "t&1"}, hosts={}
)


def frame(*packets: bytes) -> bytes:
    body = b"".join(struct.pack(">H", len(packet)) + packet for packet in packets)
    return struct.pack(">H", len(packets)) + body


def patches(*packets: bytes) -> list[Patch]:
    results = list(KiteCodec().received(frame(*packets)))
    assert all(isinstance(result, Patch) for result in results)
    return [result for result in results if isinstance(result, Patch)]


def test_official_full_packet() -> None:
    (patch,) = patches(FULL)
    assert patch.key == 408065
    assert patch.full
    assert patch.fields == {
        "ltp": 1573.70,
        "ltt": 1625461887000,
        "timestamp": 1625461887000,
        "open": 1569.15,
        "high": 1575.00,
        "low": 1561.05,
        "close": 1567.80,
        "volume": 1192471,
        "oi": 0,
        "last_trade_quantity": 7,
        "avg_trade_price": 1570.37,
        "total_buy_quantity": 256443,
        "total_sell_quantity": 363009,
        "oi_day_high": 0,
        "oi_day_low": 0,
    }
    assert patch.depth == Depth(
        [DepthLevel(1573.40, 5, 1), DepthLevel(1573.00, 140, 2), DepthLevel(1572.95, 2, 1), DepthLevel(1572.90, 219, 7),
         DepthLevel(1572.85, 50, 1)],
        [DepthLevel(1573.70, 172, 3), DepthLevel(1573.75, 44, 3), DepthLevel(1573.85, 302, 3),
         DepthLevel(1573.90, 141, 2), DepthLevel(1573.95, 724, 5)],
    )  # fmt: skip


def test_official_quote_packet() -> None:
    (patch,) = patches(QUOTE)
    assert patch.key == 408065
    assert patch.depth is None
    assert patch.fields == {
        "ltp": 1573.15,
        "open": 1569.15,
        "high": 1575.00,
        "low": 1561.05,
        "close": 1567.80,
        "volume": 1175986,
        "last_trade_quantity": 1,
        "avg_trade_price": 1570.33,
        "total_buy_quantity": 256511,
        "total_sell_quantity": 360503,
    }


def test_ltp_packet_tells_nothing_else() -> None:
    assert patches(FULL[:8]) == [Patch(408065, {"ltp": 1573.70}, None, True)]


@pytest.mark.parametrize(
    ("segment", "divisor"),
    [(1, 100), (2, 100), (3, 10_000_000), (4, 100), (5, 100), (6, 10_000), (7, 100), (8, 100), (9, 100), (12, 10_000)],
)
def test_every_segment_has_its_divisor(segment: int, divisor: int) -> None:
    token = 1234 << 8 | segment
    raw = 834_525_000
    ltp, quote, full = patches(
        struct.pack(">2I", token, raw),
        struct.pack(">11I", token, *[raw] * 10),
        struct.pack(">16I", token, *[raw] * 15) + struct.pack(">IIH2x", 1, raw, 1) * 10,
    )
    price = raw / divisor
    assert (ltp.key, ltp.fields["ltp"]) == (token, price)
    for patch in (quote, full):
        assert {patch.fields[name] for name in ("ltp", "open", "high", "low", "close", "avg_trade_price")} == {price}
        assert patch.fields["volume"] == raw  # quantities are never divided
    assert full.depth is not None
    assert {row.price for row in (*full.depth.buy, *full.depth.sell)} == {price}


def test_index_packets_have_their_own_order_and_no_volume() -> None:
    words = (256265, 2_512_345, 2_520_000, 2_500_000, 2_510_000, 2_505_050)  # token, ltp, high, low, open, close
    change = struct.pack(">i", -725)
    fields: Fields = {"ltp": 25123.45, "open": 25100.0, "high": 25200.0, "low": 25000.0, "close": 25050.5}
    quote, full, unset = patches(
        struct.pack(">6I", *words) + change,
        struct.pack(">6I", *words) + change + struct.pack(">I", 1_760_000_000),
        struct.pack(">6I", *words) + change + bytes(4),
    )
    assert quote == Patch(256265, fields, None, True)
    assert full == Patch(256265, {**fields, "timestamp": 1_760_000_000_000}, Depth([], []), True)
    assert unset.fields == fields


def test_times_of_zero_are_absent() -> None:
    packet = FULL[:44] + bytes(4) + FULL[48:60] + bytes(4) + FULL[64:]
    (patch,) = patches(packet)
    assert "ltt" not in patch.fields
    assert "timestamp" not in patch.fields


def test_empty_book_rows_are_dropped() -> None:
    thin, empty = patches(FULL[:76] + bytes(48) + FULL[124:172] + bytes(12), FULL[:64] + bytes(120))
    assert thin.depth is not None
    assert [row.quantity for row in thin.depth.buy] == [5]
    assert [row.quantity for row in thin.depth.sell] == [172, 44, 302, 141]
    assert empty.depth == Depth([], [])


def test_frames_hold_many_packets_and_one_byte_is_a_heartbeat() -> None:
    codec = KiteCodec()
    assert len(list(codec.received(frame(*[FULL, QUOTE, FULL[:8]] * 100)))) == 300
    assert list(codec.received(b"\x00")) == []
    assert list(codec.received(frame())) == []


def test_unknown_packet_sizes_are_skipped_and_told_once() -> None:
    codec = KiteCodec()
    first = list(codec.received(frame(QUOTE, bytes(10), QUOTE)))
    assert [type(result) for result in first] == [Patch, Notice, Patch]
    assert len(list(codec.received(frame(QUOTE, bytes(10), QUOTE)))) == 2


@pytest.mark.parametrize(
    "data", [frame(FULL)[:-1], frame(FULL) + b"\0", b"\x00\x01", b"\x00\x01\x00", b"\xff\xff\x00\x08"]
)
def test_frames_that_do_not_add_up_are_damaged(data: bytes) -> None:
    with pytest.raises(DecodeError):
        list(KiteCodec().received(data))


def test_messages_of_other_framings_are_damaged() -> None:
    with pytest.raises(DecodeError, match="NatsMessage"):
        list(KiteCodec().received(NatsMessage("s", b"")))


packets = st.sampled_from([FULL, QUOTE, FULL[:8], QUOTE[:28], QUOTE[:32]])


@given(st.lists(packets, max_size=4), st.data())
def test_damage_raises_decode_error_and_nothing_else(chosen: list[bytes], data: st.DataObject) -> None:
    whole = bytearray(frame(*chosen))
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    damaged = bytes(whole[: data.draw(st.integers(0, len(whole)))]) + data.draw(st.binary(max_size=8))
    try:
        results = list(KiteCodec().received(damaged))
    except DecodeError:
        return
    assert all(isinstance(result, (Patch, Notice)) for result in results)


@given(st.text() | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_read_or_damaged(text: str) -> None:
    with contextlib.suppress(DecodeError):
        list(KiteCodec().received(text))


def test_deep_nesting_is_damaged() -> None:
    with pytest.raises(DecodeError):
        list(KiteCodec().received('{"type":"order","data":' + "[" * 100_000))


# --- requests ---------------------------------------------------------------------------------------------------------


def sent(results: Iterable[Result]) -> list[object]:
    return [msgspec.json.decode(result.command) for result in results if isinstance(result, Send)]  # type: ignore[arg-type]


def confirmed(results: Iterable[Result]) -> set[Key]:
    return {key for result in results if isinstance(result, Confirmed) for key in result.keys}


def test_update_sends_only_what_differs() -> None:
    codec = KiteCodec()
    first = list(codec.update({1: Level(Mode.LTP), 2: Level(Mode.DEPTH), 3: Level(Mode.QUOTE)}))
    assert sent(first) == [
        {"a": "subscribe", "v": [1, 2, 3]},
        {"a": "mode", "v": ["ltp", [1]]},
        {"a": "mode", "v": ["quote", [3]]},
        {"a": "mode", "v": ["full", [2]]},
    ]
    assert confirmed(first) == {1, 2, 3}
    second = list(codec.update({2: Level(Mode.LTP), 3: Level(Mode.QUOTE), 4: Level(Mode.DEPTH)}))
    assert sent(second) == [
        {"a": "unsubscribe", "v": [1]},
        {"a": "subscribe", "v": [4]},
        {"a": "mode", "v": ["ltp", [2]]},
        {"a": "mode", "v": ["full", [4]]},
    ]
    assert confirmed(second) == {2, 4}
    assert list(codec.update({2: Level(Mode.LTP), 3: Level(Mode.QUOTE), 4: Level(Mode.DEPTH)})) == []
    assert sent(codec.update({})) == [{"a": "unsubscribe", "v": [2, 3, 4]}]


def test_update_keeps_within_the_batch_size() -> None:
    codec = KiteCodec()
    tokens = range(2 * SUBSCRIBE_BATCH + 1)
    results = list(codec.update({token: Level(Mode.DEPTH) for token in tokens}))
    sizes = [len(result.keys) for result in results if isinstance(result, Send)]
    assert sizes == [SUBSCRIBE_BATCH, SUBSCRIBE_BATCH, 1] * 2
    assert confirmed(results) == set(tokens)
    assert len(sent(codec.update({}))) == 3


# --- text frames ------------------------------------------------------------------------------------------------------


def test_order_postback() -> None:
    data = json.loads(shared_data("zerodha", "mocks", "postback.json").read_text())
    (update,) = KiteCodec().received(json.dumps({"type": "order", "data": data}))
    assert update == OrderUpdate(
        order_id="220303000308932",
        brsymbol="SBIN",
        brexchange="NSE",
        action="BUY",
        quantity=1,
        status="complete",
        product="CNC",
        price_type="MARKET",
        filled_quantity=1,
        average_price=470.0,
        timestamp=1646279665000,  # 2022-03-03 09:24:25 IST
        native={"variety": "regular"},
    )


@pytest.mark.parametrize(
    ("status", "unified"),
    [
        ("REJECTED", "rejected"),
        ("CANCELLED", "cancelled"),
        ("CANCELLED AMO", "cancelled"),
        ("TRIGGER PENDING", "trigger pending"),
        ("OPEN", "open"),
        ("UPDATE", "open"),
        ("PUT ORDER REQ RECEIVED", "open"),
        ("SOMETHING NEW", "open"),
    ],
)
def test_order_statuses(status: str, unified: str) -> None:
    data = {"order_id": "1", "tradingsymbol": "SBIN", "exchange": "NSE", "transaction_type": "SELL", "quantity": 5}
    data |= {"status": status, "status_message": "why", "order_timestamp": "yesterday", "tag": "T1"}
    (update,) = KiteCodec().received(json.dumps({"type": "order", "data": data}))
    assert isinstance(update, OrderUpdate)
    assert (update.status, update.rejection_reason, update.tag, update.timestamp) == (unified, "why", "T1", 0)


@pytest.mark.parametrize(
    ("status", "filled", "unified"),
    [
        ("VALIDATION PENDING", 0, "trigger pending"),
        ("UPDATE", 0, "trigger pending"),
        ("UPDATE", 3, "open"),
        ("OPEN", 0, "open"),
        ("CANCELLED", 0, "cancelled"),
    ],
)
def test_a_stop_is_triggered_only_when_the_broker_says_so(status: str, filled: int, unified: str) -> None:
    data = {"order_id": "1", "tradingsymbol": "SBIN", "exchange": "NSE", "transaction_type": "SELL", "quantity": 5}
    data |= {"status": status, "order_type": "SL-M", "filled_quantity": filled}
    (update,) = KiteCodec().received(json.dumps({"type": "order", "data": data}))
    assert isinstance(update, OrderUpdate)
    assert update.status == unified


def test_notices_and_unknown_types() -> None:
    codec = KiteCodec()
    assert list(codec.received('{"type":"error","data":"Too many tokens"}')) == [Notice("error", "Too many tokens")]
    assert list(codec.received('{"type":"message","data":{"a": 1}}')) == [Notice("info", '{"a": 1}')]
    assert list(codec.received('{"type":"instruments_meta","data":{"count":1}}')) == []


@pytest.mark.parametrize(
    "text", ["", "pong", "[]", '{"data":1}', '{"type":"order","data":{"order_id":7}}', '{"type":"order"}']
)
def test_unreadable_text_is_damaged(text: str) -> None:
    with pytest.raises(DecodeError):
        list(KiteCodec().received(text))


# --- the stream row ---------------------------------------------------------------------------------------------------


def test_endpoint_carries_escaped_credentials_and_hides_them() -> None:
    (stream,) = SPEC.streams
    with pytest.raises(StopIteration) as stop:
        next(stream.open(SESSION, CTX))
    endpoint = stop.value.value
    assert endpoint.url == "wss://ws.kite.trade?api_key=k&access_token=t%261"
    assert endpoint.headers == {"X-Kite-Version": "3"}
    assert "t%261" not in repr(endpoint)
    moved = msgspec.structs.replace(SESSION, hosts={"stream": "ws://127.0.0.1:1"})
    with pytest.raises(StopIteration) as stop:
        next(stream.open(moved, CTX))
    assert stop.value.value.url == "ws://127.0.0.1:1?api_key=k&access_token=t%261"


def test_stream_row() -> None:
    (stream,) = SPEC.streams
    nifty = Instrument(
        symbol="NIFTY", exchange=Exchange.NSE_INDEX, brsymbol="NIFTY 50", brexchange="NSE", token="256265::::1001"
    )
    assert stream.key(nifty) == 256265
    assert stream.carries.orders
    assert stream.opens == "with_session"
    assert (stream.limits.symbols_per_socket, stream.limits.sockets) == (3000, 3)
    assert stream.carries.granted(Level(Mode.DEPTH, 20)) == Level(Mode.DEPTH, 5)
    assert stream.carries.serves(nifty, Level(Mode.DEPTH))
    assert Exchange.NCDEX not in stream.carries.exchanges
