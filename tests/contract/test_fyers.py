"""Fyers against its sheet (7a, 7b): two sockets, HSM binary and TBT protobuf, that meet in one instrument."""

import base64
import json
import struct

import pytest
from tests.contract.driver import CTX, Feed, Rest, Socket
from tests.contract.wire_fyers import HSM, SPEC, TBT

from sangam.brokers.contract import AuthExpired, Confirmed, Notice
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import SessionExpired
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Patch

AUTH = "0023010401000441424344020001500300010104000f507974686f6e53444b2d332e322e30"
AUTH_OK = bytes.fromhex("0000010201" + "00014b" + "02" + "0004" + "00000003")
MODE_FULL = "00000c02010008000000000000080002000146"
SUBSCRIBE = "0039040201001100010e73667c6e73655f636d7c333034350200010b"
SUBSCRIBED = bytes.fromhex("000004010100014b")
ACK_7 = "0009030101000400000007"
SNAPSHOT = bytes.fromhex(
    "0084060000000100015300000e73667c6e73655f636d7c33303435150000ece0002e775c64c9e79664c9e7960000082100000387"
    "0000ece00000ece500000005000b71880010a9df0000ed94800000000000eca90000ee7a80000000800000000000da0c00010a7c0000ee39"
    "0000f2440000000102034e53450433303435075342494e2d4551"
)
UPDATE = bytes.fromhex("005f06000000020001550000150000ecea" + 20 * "80000000")
LITE = bytes.fromhex("000e060000000300014c00000000ecef")
LIMIT_REACHED = bytes.fromhex("001d33030100040000c73902000d6c696d6974207265616368656403000104")
BOOK = bytes.fromhex(
    "080612780a114e53453a4e4946545932354d415246555412632a310a0308e80712030884071a120a0508f4aa890112030896011a02080322"
    "0022110a050895aa89011202084b1a0208022200320608ded985be06420f313031313235303332373335303839480750015a114e53453a4e"
    "4946545932354d41524655541801"
)


def access_token(expires: int = 1_738_800_000, **claims: object) -> str:
    payload = json.dumps({"hsm_key": "ABCD", "exp": expires, **claims}).encode()
    return f"eyJ0.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.sig"


def rest(token: str = "") -> Rest:
    found = (200, {"s": "ok", "data": {"socket_url": "wss://rtsocket-api.fyers.in/versova"}})
    return Rest(SPEC, {"app_id": "X-100", "access_token": token or access_token()}, {"GET /indus/home/tbtws": [found]})


def opened() -> Socket:
    socket = Socket(rest(), HSM)
    assert [bytes(frame).hex() for frame in socket.take_sent() if isinstance(frame, bytes)] == [AUTH]
    assert not socket.logged_in
    socket.receive(AUTH_OK)
    assert socket.logged_in
    assert socket.take_sent() == [bytes.fromhex(MODE_FULL)]
    return socket


KEY = "sf|nse_cm|3045"


def test_login_mode_and_subscription_are_the_sheets_frames() -> None:
    socket = opened()
    socket.want({KEY: Level(Mode.QUOTE)})
    (frame,) = socket.take_sent()
    assert isinstance(frame, bytes)
    assert frame[2:].hex() == SUBSCRIBE[4:]  # the length word counts the token's own length
    assert socket.take_events() == []
    socket.receive(SUBSCRIBED)
    assert socket.take_events() == [Confirmed((KEY,))]


def test_snapshot_update_lite_and_acknowledgement() -> None:
    socket = opened()
    socket.receive(SNAPSHOT, UPDATE)
    assert socket.sent == []
    socket.receive(LITE[:3] + struct.pack(">I", 7) + LITE[7:])
    assert socket.sent == [bytes.fromhex(ACK_7)]
    snapshot = {
        "ltp": 606.4, "volume": 3045212, "ltt": 1_690_953_622_000, "timestamp": 1_690_953_622_000,
        "bid_size": 2081, "ask_size": 903, "bid_price": 606.4, "ask_price": 606.45, "last_trade_quantity": 5,
        "total_buy_quantity": 749960, "total_sell_quantity": 1092063, "avg_trade_price": 608.2,
        "low": 605.85, "high": 610.5, "open": 609.85, "close": 620.2,
    }  # fmt: skip
    assert socket.patches == [
        Patch(KEY, snapshot),  # type: ignore[arg-type]
        Patch(KEY, {"ltp": 606.5}),
        Patch(KEY, {"ltp": 606.55}),
    ]


def test_books_come_as_differences_under_the_same_key() -> None:
    socket = opened()
    socket.want({KEY: Level(Mode.DEPTH)})
    (frame,) = socket.take_sent()
    assert isinstance(frame, bytes)
    assert b"\x0edp|nse_cm|3045\x0esf|nse_cm|3045" in frame
    values = [*range(60640, 60635, -1), *range(60645, 60650), *range(100, 110), *range(1, 11)]
    name = b"dp|nse_cm|3045"
    record = b"\x53\x00\x09" + bytes((len(name),)) + name + b"\x1e" + struct.pack(">30i", *values)
    record += b"\x00\x00\x00\x01\x02\x03NSE\x043045\x07SBIN-EQ"
    change = b"\x55\x00\x09\x1e" + struct.pack(">30i", *([-(2**31)] * 10 + [0] + [-(2**31)] * 19))
    socket.receive(b"\x00\x00\x06\x00\x00\x00\x01\x00\x02" + record + change)
    first, second = socket.patches
    assert (first.key, first.fields) == (KEY, {})
    assert first.depth is not None
    assert first.depth.buy[0] == DepthLevel(606.4, 100, 1)
    assert first.depth.sell[4] == DepthLevel(606.49, 109, 10)
    assert second.depth == Depth(first.depth.buy[1:], first.depth.sell)


def test_texts_refusals_and_heartbeats() -> None:
    socket = opened()
    socket.receive(LIMIT_REACHED)
    socket.beat()
    assert socket.take_events() == [Notice("error", "51001 limit reached")]
    assert socket.take_sent() == [b"\x00\x01\x0b"]
    refused = Socket(rest(), HSM)
    refused.receive(bytes.fromhex("00000101010001" + "45"))
    assert refused.events == [AuthExpired("the data socket refused the key")]


def test_a_token_past_its_hour_opens_nothing() -> None:
    with pytest.raises(SessionExpired):
        Socket(rest(access_token(CTX.now_ms // 1000)), HSM)


def test_fifty_levels_of_the_second_socket() -> None:
    peer = rest()
    socket = Socket(peer, TBT)
    assert socket.endpoint.headers == {"authorization": f"X-100:{access_token()}"}
    socket.want({"NSE:NIFTY25MARFUT": Level(Mode.DEPTH, 50)})
    assert socket.take_sent() == [
        '{"type":1,"data":{"subs":1,"symbols":["NSE:NIFTY25MARFUT"],"mode":"depth","channel":"1"}}',
        '{"type":2,"data":{"resumeChannels":["1"],"pauseChannels":[]}}',
    ]
    socket.receive(BOOK)
    (patch,) = socket.take_patches()
    assert patch.fields == {"total_buy_quantity": 1000, "total_sell_quantity": 900}
    assert patch.depth == Depth([DepthLevel(22500.05, 75, 2)], [DepthLevel(22501.0, 150, 3)])
    difference = b"\x0a\x11NSE:NIFTY25MARFUT\x12\x08\x2a\x06\x22\x04\x12\x02\x08\x0a"
    socket.receive(b"\x08\x06\x12" + bytes((len(difference),)) + difference)
    (patch,) = socket.take_patches()
    assert patch.depth == Depth([DepthLevel(22500.05, 10, 2)], [DepthLevel(22501.0, 150, 3)])
    socket.want({})
    assert len(socket.take_sent()) == 1
    socket.beat()
    socket.receive("pong")
    assert socket.sent == ["ping"]


FUTURE = Instrument(
    symbol="NIFTY27MAR25FUT", exchange=Exchange.NFO, brsymbol="NSE:NIFTY25MARFUT", brexchange="NSE",
    token="10112503273045",
)  # fmt: skip
SHARE = Instrument(
    symbol="SBIN", exchange=Exchange.NSE, brsymbol="NSE:SBIN-EQ", brexchange="NSE", token="10100000003045"
)


def test_both_sockets_tell_of_one_instrument() -> None:
    feed = Feed(rest())
    last = feed.want(FUTURE, Level(Mode.DEPTH, 50))
    assert feed.sockets["hsm"].wanted == {"sf|nse_fo|3045": Level(Mode.QUOTE)}
    assert feed.sockets["tbt"].wanted == {"NSE:NIFTY25MARFUT": Level(Mode.DEPTH, 50)}
    hsm = feed.sockets["hsm"]
    hsm.receive(AUTH_OK, SNAPSHOT.replace(b"nse_cm", b"nse_fo"))
    feed.sockets["tbt"].receive(BOOK)
    hsm.receive(UPDATE)
    assert (last.fields["ltp"], last.fields["volume"]) == (606.5, 3045212)
    assert (last.fields["total_buy_quantity"], last.fields["bid_price"]) == (1000, 22500.05)
    assert last.depth == Depth([DepthLevel(22500.05, 75, 2)], [DepthLevel(22501.0, 150, 3)])


def test_five_levels_need_one_socket_only() -> None:
    feed = Feed(rest())
    feed.want(SHARE, Level(Mode.DEPTH, 5))
    assert list(feed.sockets) == ["hsm"]


@pytest.mark.parametrize("data", [SNAPSHOT[:40], SNAPSHOT[:9] + b"\x99" + SNAPSHOT[10:], b"", b"\x00\x01", "text"])
def test_damaged_frames_cost_themselves_only(data: bytes | str) -> None:
    socket = opened()
    socket.receive(data, SNAPSHOT)
    assert len(socket.damaged) <= 1
    assert socket.patches[-1].fields["ltp"] == 606.4
