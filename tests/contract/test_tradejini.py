"""Tradejini against its sheet (7): whole lists on every change, key-value packets."""

import json
import zlib

import pytest
from tests.contract.driver import Rest, Socket
from tests.contract.wire_tradejini import SPEC, STREAM

from sangam.brokers.contract import AuthExpired, BooksChanged, Confirmed
from sangam.model.enums import Exchange, Mode
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Patch

L1 = bytes.fromhex(
    "3300000001002d000a1a011b450b00001d7c2c02001ec82602001f982e020020d424020021e82902002840e201002e9c75df68"
)
L5 = bytes.fromhex(
    "58000000010052000b1a031b49ee00002fe10000003058020000370231122f0000324b0000003301000000310d2f00003296000000330200"
    "000034172f000035e10000003603000000341c2f0000352c0100003604000000"
)
OHLC = bytes.fromhex(
    "3c00000001002d000c1a011b450b00001eb02a02001fa42c0200204c2a0200217c2c020028881300002e9c75df684b314d0000"
)
PING = bytes.fromhex("0b00000001000500103e01")
AUTH = bytes.fromhex("0b000000010005000d1901")
EVENT = bytes.fromhex("2200000001001c000f3815003d7b2265766e7454797065223a226f7264657273227d")
SHARE, OPTION, INDEX = "2885_NSE", "61001_NFO", "-1_NSE"


def opened() -> Socket:
    socket = Socket(Rest(SPEC, {"api_key": "k", "access_token": "t"}, {}), STREAM)
    assert socket.logged_in
    return socket


def test_every_change_sends_the_whole_list_of_its_feed() -> None:
    socket = opened()
    assert socket.endpoint.url == "wss://api.tradejini.com/v2.1/stream?token=k:t&version=3.1"
    assert 4001 in socket.endpoint.dead_credential
    socket.want({SHARE: Level(Mode.QUOTE)})
    socket.want({SHARE: Level(Mode.QUOTE), OPTION: Level(Mode.DEPTH)})
    socket.want({SHARE: Level(Mode.DEPTH), OPTION: Level(Mode.DEPTH)})
    socket.want({OPTION: Level(Mode.LTP)})
    socket.want({})
    assert all(isinstance(frame, str) and frame.endswith("\n") for frame in socket.sent)
    assert [json.loads(frame) for frame in socket.take_sent()] == [
        {"type": "L1", "action": "sub", "tokens": [{"t": SHARE}]},
        {"type": "L1", "action": "sub", "tokens": [{"t": SHARE}, {"t": OPTION}]},
        {"type": "L5", "action": "sub", "tokens": [{"t": OPTION}]},
        {"type": "L5", "action": "sub", "tokens": [{"t": SHARE}, {"t": OPTION}]},
        {"type": "L1", "action": "sub", "tokens": [{"t": OPTION}]},
        {"type": "L5", "action": "unsub"},
        {"type": "L1", "action": "unsub"},
    ]
    assert socket.take_events() == [Confirmed((SHARE,)), Confirmed((OPTION,))]


def test_an_unchanged_set_sends_nothing() -> None:
    socket = opened()
    socket.want({SHARE: Level(Mode.LTP)})
    socket.take_sent()
    socket.want({SHARE: Level(Mode.QUOTE)})
    assert socket.sent == []


@pytest.mark.parametrize("compressed", [False, True])
def test_quotes_and_books_of_the_sheet(compressed: bool) -> None:
    socket = opened()
    for frame in (L1, L5):
        socket.receive(frame[:5] + b"\x64" + zlib.compress(frame[6:]) if compressed else frame)
    told = {
        "ltp": 1424.6, "open": 1410.0, "high": 1430.0, "low": 1405.0, "close": 1418.0, "volume": 123456,
        "ltt": 1_759_475_100_000,
    }  # fmt: skip
    bids = [DepthLevel(120.5, 75, 1), DepthLevel(120.45, 150, 2)]
    asks = [DepthLevel(120.55, 225, 3), DepthLevel(120.6, 300, 4)]
    assert socket.patches == [
        Patch(SHARE, told),  # type: ignore[arg-type]
        Patch(OPTION, {"total_buy_quantity": 225, "total_sell_quantity": 600}, Depth(bids, asks)),
    ]


def test_several_packets_in_one_frame_and_packets_of_no_interest() -> None:
    socket = opened()
    socket.receive(L1[:6] + PING[6:] + L1[6:] + OHLC[6:] + AUTH[6:] + EVENT[6:])
    assert [patch.key for patch in socket.patches] == [SHARE]
    assert socket.events == [BooksChanged()]
    assert socket.damaged == []


def test_the_stream_refuses_a_dead_token() -> None:
    socket = opened()
    socket.receive(AUTH[:-1] + b"\x00")
    assert socket.events == [AuthExpired("the stream refused the token")]


def test_indices_have_negative_tokens_on_the_plain_exchange() -> None:
    nifty = Instrument(symbol="NIFTY", exchange=Exchange.NSE_INDEX, brsymbol="NIFTY", brexchange="NSE", token="-1")
    assert STREAM.key(nifty) == INDEX


@pytest.mark.parametrize("frame", [L1[:20], L1[:4] + b"\x02" + L1[5:], L1[:9] + b"\xff" + L1[10:], b"", "text"])
def test_a_damaged_frame_costs_itself_only(frame: bytes | str) -> None:
    socket = opened()
    socket.receive(frame, L1)
    assert len(socket.damaged) == 1
    assert [patch.key for patch in socket.patches] == [SHARE]
