"""Groww against its sheet (7): socket token by REST, nkey login, protobuf over NATS."""

import json

import pytest
from tests.contract.driver import Feed, Rest, Socket
from tests.contract.wire_groww import SPEC, STREAM

from sangam.brokers.contract import Confirmed, Refusal
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import SessionExpired
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Patch

PUBLIC = "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK"
SIGNATURE = "Aj/HcjDZwFlZktcyYu97JAgWYctxzcaFc0SikCYG0tfchHcFVhub4zZnHvakWWBUcdmRZEtv5hiISSzXSYZ5BA=="
PRICE = bytes.fromhex("0a0852454c49414e43451801221b0900008056febc7842310000000000408f4069000000000089a340")
BOOK = bytes.fromhex(
    "0a0852454c49414e434518012a390900008056febc784212160801121209000000000088a3401100000000000024401a1608011212090000"
    "00000089a340110000000000003440"
)
INDEX = bytes.fromhex("0a054e49465459180132120900008056febc7842110000000020f9d540")
INFO = b'INFO {"nonce":"nonce-1"}\r\n'
RELIANCE = Instrument(symbol="RELIANCE", exchange=Exchange.NSE, brsymbol="RELIANCE", brexchange="NSE", token="2885")
NIFTY = Instrument(symbol="NIFTY", exchange=Exchange.NSE_INDEX, brsymbol="NIFTY", brexchange="NSE", token="NIFTY")
KEY = ("eq/nse", "2885")
TOKEN = "POST /api/apex/v1/socket/token/create/"


def rest(**reply: object) -> Rest:
    answer = reply or {"token": "jwt", "subscriptionId": "s1"}
    return Rest(SPEC, {"access_token": "t0"}, {TOKEN: [(200, answer)]})


def opened() -> Socket:
    socket = Socket(rest(), STREAM)
    socket.receive(INFO, b"PONG\r\n")
    socket.take_sent()
    assert socket.logged_in
    return socket


def message(subject: str, payload: bytes) -> bytes:
    return b"MSG %s 1 %d\r\n%s\r\n" % (subject.encode(), len(payload), payload)


@pytest.mark.parametrize("wrapped", [False, True])
def test_each_socket_posts_a_fresh_key_and_signs_with_it(wrapped: bool) -> None:
    reply: dict[str, object] = {"token": "jwt", "subscriptionId": "s1"}
    peer = rest(status="SUCCESS", payload=reply) if wrapped else rest(**reply)
    socket = Socket(peer, STREAM)
    (request,) = peer.sent
    assert request.url == "https://api.groww.in/v1/api/apex/v1/socket/token/create/"
    assert request.headers["Authorization"] == "Bearer t0"
    assert json.loads(request.content) == {"socketKey": PUBLIC}
    assert socket.endpoint.facts == {"subscription_id": "s1"}
    socket.receive(INFO[:9], INFO[9:])
    (frame,) = socket.sent
    assert isinstance(frame, bytes)
    login = json.loads(frame.split(b"\r\n")[0].removeprefix(b"CONNECT "))
    assert (login["jwt"], login["nkey"], login["sig"]) == ("jwt", PUBLIC, SIGNATURE)
    assert not socket.logged_in
    socket.receive(b"PONG\r\n")
    assert socket.logged_in


def test_a_dead_token_stops_the_opening() -> None:
    peer = Rest(SPEC, {"access_token": "t0"}, {TOKEN: [(401, {"status": "FAILURE"})]})
    with pytest.raises(SessionExpired):
        Socket(peer, STREAM)


def test_subjects_follow_the_levels() -> None:
    socket = opened()
    socket.want({KEY: Level(Mode.QUOTE)})
    assert socket.take_sent() == [b"SUB /ld/eq/nse/price.2885 1\r\n"]
    assert socket.take_events() == [Confirmed((KEY,))]
    socket.want({KEY: Level(Mode.DEPTH)})
    assert socket.take_sent() == [b"SUB /ld/eq/nse/book.2885 2\r\n"]
    socket.want({KEY: Level(Mode.LTP)})
    assert socket.take_sent() == [b"UNSUB 2\r\n"]
    socket.want({})
    assert socket.take_sent() == [b"UNSUB 1\r\n"]


def test_vectors_of_the_sheet_split_anywhere() -> None:
    stream = (
        message("/ld/eq/nse/price.2885", PRICE)
        + b"PING\r\n"
        + message("/ld/eq/nse/book.2885", BOOK)
        + message("/ld/indices/nse/price.NIFTY", INDEX)
    )
    socket = opened()
    socket.receive(*(stream[at : at + 7] for at in range(0, len(stream), 7)))
    now = 1_700_000_000_000
    assert socket.patches == [
        Patch(KEY, {"timestamp": now, "volume": 1000, "ltp": 2500.5}),
        Patch(KEY, {"timestamp": now}, Depth([DepthLevel(2500.0, 10)], [DepthLevel(2500.5, 20)])),
        Patch(("indices/nse", "NIFTY"), {"timestamp": now, "ltp": 22500.5}),
    ]
    assert socket.sent == [b"PONG\r\n"]


def test_price_and_book_meet_in_one_instrument() -> None:
    feed = Feed(rest())
    last = feed.want(RELIANCE, Level(Mode.DEPTH))
    index = feed.want(NIFTY, Level(Mode.LTP))
    feed.sockets["data"].receive(INFO, b"PONG\r\n", message("/ld/eq/nse/price.2885", PRICE))
    feed.sockets["data"].receive(message("/ld/eq/nse/book.2885", BOOK))
    feed.sockets["data"].receive(message("/ld/indices/nse/price.NIFTY", INDEX))
    assert last.fields["ltp"] == 2500.5
    assert (last.fields["bid_price"], last.fields["ask_size"]) == (2500.0, 20)
    assert index.fields["ltp"] == 22500.5


def test_a_forbidden_subject_is_refused_by_its_key() -> None:
    socket = opened()
    socket.receive(b"-ERR 'Permissions Violation for Subscription to \"/ld/eq/nse/price.2885\"'\r\n")
    assert socket.events == [Refusal(KEY, "not permitted")]


def test_the_server_ends_a_dead_credential() -> None:
    socket = opened()
    socket.receive(b"-ERR 'User Authentication Expired'\r\n")
    assert socket.closed is not None
    assert socket.closed.auth


def test_a_damaged_payload_costs_itself_only() -> None:
    socket = opened()
    socket.receive(message("/ld/eq/nse/price.2885", PRICE[:-3]), message("nonsense", PRICE))
    socket.receive(message("/ld/eq/nse/price.2885", PRICE))
    assert len(socket.damaged) == 2
    assert [patch.fields["ltp"] for patch in socket.patches] == [2500.5]
