"""Upstox against its sheet (7): a one-time URL at each connect, JSON in binary frames, protobuf ticks."""

import json
import struct

import pytest
from tests.contract.driver import Answer, Rest, Socket
from tests.contract.wire_upstox import SPEC, STREAM

from sangam.brokers.contract import Confirmed
from sangam.model.enums import Mode
from sangam.model.errors import SessionExpired, Unknown
from sangam.model.instrument import Level
from sangam.model.market import Depth, DepthLevel, Patch

LTPC = bytes.fromhex(
    "0801122d0a0c4e53455f464f7c3435343530121d0a1b099a99999999696b4010d39ec4dcd432184b21cdcccccccce07e4018d786c5dcd432"
)
MARKET_INFO = bytes.fromhex("08021895b3c18bb732220c0a0a0a064e53455f45511002")
AUTHORIZE = "/v3/feed/market-data-feed/authorize"
OPTION, SHARE = "NSE_FO|45450", "NSE_EQ|INE848E01016"


def rest(*answers: Answer) -> Rest:
    return Rest(SPEC, {"access_token": "t0"}, {f"GET {AUTHORIZE}": answers or [url("wss://one.time/1")]})


def url(address: str, name: str = "authorized_redirect_uri") -> Answer:
    return 200, {"status": "success", "data": {name: address}}


def field(number: int, value: int | float | bytes | str) -> bytes:
    """One protobuf field; numbers below 2^21 and short texts only."""
    if isinstance(value, float):
        return bytes((number << 3 | 1,)) + struct.pack("<d", value)
    if isinstance(value, int):
        return bytes((number << 3, value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14))
    data = value.encode() if isinstance(value, str) else value
    return bytes((number << 3 | 2, len(data) & 0x7F | 0x80, len(data) >> 7)) + data


def test_each_connect_asks_for_a_url_of_its_own() -> None:
    peer = rest(url("wss://one.time/1?code=x"), url("wss://one.time/2", "authorizedRedirectUri"))
    first, second = Socket(peer, STREAM), Socket(peer, STREAM)
    assert [request.url for request in peer.sent] == [f"https://api.upstox.com{AUTHORIZE}"] * 2
    assert peer.sent[0].headers["Authorization"] == "Bearer t0"
    assert (first.endpoint.url, second.endpoint.url) == ("wss://one.time/1?code=x", "wss://one.time/2")
    assert first.endpoint.headers == {}
    assert "code=x" not in repr(first.endpoint)


@pytest.mark.parametrize(("status", "error"), [(401, SessionExpired), (500, Unknown)])
def test_no_url_no_socket(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        Socket(rest((status, {"status": "error", "errors": []})), STREAM)


def test_requests_are_json_in_binary_frames_one_per_mode() -> None:
    socket = Socket(rest(), STREAM)
    socket.want({OPTION: Level(Mode.LTP), SHARE: Level(Mode.QUOTE)})
    socket.want({OPTION: Level(Mode.DEPTH, 30), SHARE: Level(Mode.DEPTH, 5)})
    socket.want({OPTION: Level(Mode.DEPTH, 30)})
    frames = socket.take_sent()
    assert all(isinstance(frame, bytes) for frame in frames)
    requests = [json.loads(frame) for frame in frames]
    assert {request["guid"] for request in requests} == {"00010203040506070809"}
    assert [(request["method"], request["data"]) for request in requests] == [
        ("sub", {"mode": "ltpc", "instrumentKeys": [OPTION]}),
        ("sub", {"mode": "full", "instrumentKeys": [SHARE]}),
        ("change_mode", {"mode": "full_d30", "instrumentKeys": [OPTION]}),
        ("change_mode", {"mode": "full", "instrumentKeys": [SHARE]}),
        ("unsub", {"instrumentKeys": [SHARE]}),
    ]
    assert socket.take_events() == [Confirmed((OPTION, SHARE))]


def test_frames_of_the_sheet() -> None:
    socket = Socket(rest(), STREAM)
    socket.receive(MARKET_INFO, LTPC)
    told = {"ltp": 219.3, "ltt": 1_740_729_552_723, "last_trade_quantity": 75, "close": 494.05}
    assert socket.patches == [Patch(OPTION, {**told, "timestamp": 1_740_729_566_039})]  # type: ignore[typeddict-item]
    assert socket.damaged == []


def test_a_full_feed_has_the_days_bar_and_the_book() -> None:
    """Values of the documents' full sample, encoded by hand."""
    ltpc = field(1, field(1, 1313.7) + field(3, 234) + field(4, 1309.85))
    bar = field(1, "1d") + field(2, 1305.6) + field(3, 1316.2) + field(4, 1302.15) + field(5, 1313.7)
    minute = field(1, "I1") + field(2, 1.0) + field(3, 2.0)
    quote = field(1, 62) + field(2, 1313.65) + field(3, 40) + field(4, 1313.7)
    market = ltpc + field(2, field(1, quote)) + field(4, field(1, minute) + field(1, bar)) + field(5, 1310.68)
    market += field(6, 1790518) + field(9, 359157.0) + field(10, 421241.0)
    entry = field(1, SHARE) + field(2, field(2, field(1, market)))
    socket = Socket(rest(), STREAM)
    socket.receive(field(1, 1) + field(2, entry))
    (patch,) = socket.patches
    assert patch.fields == {
        "ltp": 1313.7, "last_trade_quantity": 234, "close": 1309.85, "open": 1305.6, "high": 1316.2, "low": 1302.15,
        "avg_trade_price": 1310.68, "volume": 1790518, "total_buy_quantity": 359157, "total_sell_quantity": 421241,
    }  # fmt: skip
    assert patch.depth == Depth([DepthLevel(1313.65, 62)], [DepthLevel(1313.7, 40)])


def test_an_index_has_no_book() -> None:
    ltpc = field(1, field(1, 21226.95) + field(4, 21298.7))
    bars = field(2, field(1, field(1, "1d") + field(2, 21200.0)))
    entry = field(1, "NSE_INDEX|Nifty 50") + field(2, field(2, field(2, ltpc + bars)))
    socket = Socket(rest(), STREAM)
    socket.receive(field(2, entry))
    (patch,) = socket.patches
    assert patch == Patch("NSE_INDEX|Nifty 50", {"ltp": 21226.95, "close": 21298.7, "open": 21200.0})


@pytest.mark.parametrize("frame", [LTPC[:30], LTPC[:2] + b"\x10" + LTPC[3:], b"\xff" * 12, '{"status":"failed"}'])
def test_a_damaged_frame_costs_itself_only(frame: bytes | str) -> None:
    socket = Socket(rest(), STREAM)
    socket.receive(frame, LTPC)
    assert len(socket.damaged) == 1
    assert [patch.key for patch in socket.patches] == [OPTION]
