"""IIFL Capital against its sheet (7): MQTT with the session as password, packed little-endian packets."""

import base64
import json

import pytest
from tests.contract.driver import Feed, Rest, Socket
from tests.contract.wire_iiflcapital import SPEC, STREAM

from sangam.brokers.contract import Confirmed, Refusal
from sangam.model.enums import Exchange, Mode
from sangam.model.instrument import Instrument, Level
from sangam.model.market import DepthLevel

CONNACK = bytes.fromhex("20020000")
SUBSCRIBE = "82250001002070726f642f6d61726b6574666565642f6d772f76312f6e736565712f3238383500"
MARKET = bytes.fromhex(
    "10f3010074000000e454750058f60100ecee010097f3010077f5010063f2010000003e0000000bf301008b05000015f3010001740700f4d7"
    "0a0064000000e8c4eb663e0000000bf30100030000003300000006f30100020000008800000001f301000400000082010000fcf201000800"
    "000032010000f7f20100080000008b05000015f3010003000000630000001af3010003000000610000001ff3010002000000e500000024f3"
    "0100060000004901000029f30100050000000000"
)
OPEN_INTEREST = bytes.fromhex("40e2010050c3000010270000a0860100")
CLAIMS = base64.urlsafe_b64encode(json.dumps({"preferred_username": "31625881"}).encode()).decode().rstrip("=")
TOKEN = f"eyJ.{CLAIMS}.sig"
KEY = "nseeq/2885"
MW, OI = "prod/marketfeed/mw/v1/nseeq/2885", "prod/marketfeed/oi/v1/nseeq/2885"
SHARE = Instrument(symbol="RELIANCE", exchange=Exchange.NSE, brsymbol="RELIANCE-EQ", brexchange="NSEEQ", token="2885")


def rest() -> Rest:
    return Rest(SPEC, {"user_session": TOKEN}, {})


def opened() -> Socket:
    socket = Socket(rest(), STREAM)
    socket.receive(CONNACK)
    assert socket.logged_in
    socket.take_sent()
    return socket


def publish(topic: str, payload: bytes) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic.encode() + payload
    return b"\x30" + bytes((len(body) & 0x7F | 0x80, len(body) >> 7)) + body


def test_login_names_the_user_of_the_token() -> None:
    socket = Socket(rest(), STREAM)
    (frame,) = socket.sent
    assert isinstance(frame, bytes)
    assert b"MQTT\x04\xc2\x00\x14\x00\x12sangam000102030405\x00\x0831625881" in frame
    assert frame.endswith(f"OPENID~~{TOKEN}~".encode())
    assert socket.endpoint.url == "tls://bridge.iiflcapital.com:8883"
    assert socket.framing.ping_interval == 15.0
    assert TOKEN not in repr(socket.endpoint)


@pytest.mark.parametrize("code", [4, 5])
def test_a_dead_session_closes_for_good(code: int) -> None:
    socket = Socket(rest(), STREAM)
    socket.receive(bytes((0x20, 2, 0, code)))
    assert socket.closed is not None
    assert socket.closed.auth


def test_subscription_is_the_sheets_frame_and_waits_for_its_answer() -> None:
    socket = opened()
    socket.want({KEY: Level(Mode.LTP)})
    assert socket.take_sent() == [bytes.fromhex(SUBSCRIBE)]
    assert socket.take_events() == []
    socket.receive(bytes.fromhex("9003000100"))
    assert socket.take_events() == [Confirmed((KEY,))]


def test_each_topic_is_granted_or_refused_and_differences_are_sent() -> None:
    socket = opened()
    socket.want({KEY: Level(Mode.LTP), "nseeq/1594": Level(Mode.LTP)})
    socket.receive(bytes.fromhex("900400010080"))
    assert socket.take_events() == [Confirmed((KEY,)), Refusal("nseeq/1594", "not granted")]
    socket.take_sent()
    socket.want({KEY: Level(Mode.QUOTE)})
    unsubscribe, subscribe = socket.take_sent()
    assert isinstance(unsubscribe, bytes)
    assert isinstance(subscribe, bytes)
    assert unsubscribe[0] == 0xA2
    assert unsubscribe.endswith(b"/mw/v1/nseeq/1594")
    assert subscribe[0] == 0x82
    assert subscribe.endswith(OI.encode() + b"\x00")
    assert MW.encode() not in subscribe


def test_many_topics_go_in_batches_of_1024() -> None:
    socket = opened()
    socket.want({f"nsefo/{number}": Level(Mode.LTP) for number in range(2500)})
    assert len(socket.take_sent()) == 3


def test_prices_book_and_open_interest_meet_in_one_instrument() -> None:
    feed = Feed(rest())
    last = feed.want(SHARE, Level(Mode.DEPTH))
    stream = CONNACK + publish(MW, MARKET) + publish(OI, OPEN_INTEREST)
    feed.sockets["data"].receive(*(stream[at : at + 11] for at in range(0, len(stream), 11)))
    told = {
        "ltp": 1277.6, "last_trade_quantity": 116, "volume": 7689444, "high": 1286.0, "low": 1267.0, "open": 1278.95,
        "close": 1283.75, "avg_trade_price": 1275.87, "bid_size": 62, "bid_price": 1277.55, "ask_size": 1419,
        "ask_price": 1277.65, "total_buy_quantity": 488449, "total_sell_quantity": 710644, "ltt": 1_726_727_400_000,
        "oi": 123456, "oi_day_high": 50000, "oi_day_low": 10000,
    }  # fmt: skip
    assert {name: value for name, value in last.fields.items() if name != "timestamp"} == told
    assert last.depth is not None
    assert (len(last.depth.buy), len(last.depth.sell)) == (5, 5)
    assert last.depth.buy[0] == DepthLevel(1277.55, 62, 3)
    assert last.depth.sell[0] == DepthLevel(1277.65, 1419, 3)
    assert last.depth.sell[4] == DepthLevel(1277.85, 329, 5)


def test_a_damaged_packet_costs_itself_only() -> None:
    socket = opened()
    socket.receive(publish(MW, MARKET[:150]), publish(OI, b"\x00"), publish(MW, MARKET[:186]))
    assert len(socket.damaged) == 2
    assert [patch.fields["ltp"] for patch in socket.patches] == [1277.6]
