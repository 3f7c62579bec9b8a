"""Socket.IO on the frames of the XTS sheet (7.2, 7.6) and the ICICI sheet (7)."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.wire import NatsSubscribe, SocketIOEvent
from sangam.model.errors import DecodeError
from sangam.transport.framing.base import Closed, Framed, Opened, Out
from sangam.transport.framing.socketio import SocketIO

OPENING = '0{"sid":"x","upgrades":[],"pingInterval":20000,"pingTimeout":60000}'
PLACEHOLDER = '451-["xts-binary-packet",{"_placeholder":true,"num":0}]'


def opened(eio: int = 3, **options: Any) -> SocketIO:
    framing = SocketIO(eio, **options)
    assert list(framing.start()) == []
    list(framing.feed(OPENING))
    assert list(framing.feed("40")) == [Opened()]
    return framing


def test_eio3_handshake_sets_the_clients_ping() -> None:
    framing = SocketIO()
    assert framing.ping_interval is None
    assert list(framing.feed(OPENING)) == []
    assert framing.ping_interval == 20.0
    assert list(framing.feed("40")) == [Opened()]
    assert list(framing.ping()) == ["2"]
    assert list(framing.feed("3")) == []


def test_eio4_joins_with_its_credentials_and_leaves_pings_to_the_server() -> None:
    framing = SocketIO(4, {"user": "u", "token": "t"})
    assert list(framing.feed(OPENING)) == [Out('40{"user":"u","token":"t"}')]
    assert framing.ping_interval is None
    assert list(framing.feed('40{"sid":"y"}')) == [Opened()]
    assert list(framing.feed("2")) == [Out("3")]


@pytest.mark.parametrize("eio", [3, 4])
def test_server_pings_are_answered_in_both_versions(eio: int) -> None:
    assert list(opened(eio).feed("2probe")) == [Out("3probe")]


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        ('42["1501-json-full","{}"]', SocketIOEvent("1501-json-full", ["{}"])),
        ('42["logout"]', SocketIOEvent("logout", [])),
        ('4217["asks",1]', SocketIOEvent("asks", [1])),
        ('42/,["root",null]', SocketIOEvent("root", [None])),
        (
            '42["stock",["4.1!2885",1219.45,{"_placeholder":true,"num":0}]]',
            SocketIOEvent("stock", [["4.1!2885", 1219.45, {"_placeholder": True, "num": 0}]]),
        ),
    ],
)
def test_events(frame: str, event: SocketIOEvent) -> None:
    assert list(opened().feed(frame)) == [event]


def test_other_namespaces_and_acknowledgements_are_nobodys() -> None:
    framing = opened()
    assert list(framing.feed('42/admin,["x"]')) == []
    assert list(framing.feed("4312[]")) == []
    assert list(framing.feed('461-12[{"_placeholder":true,"num":0}]')) == []
    assert list(framing.feed(b"\x04x")) == []


def test_binary_event_strips_the_type_byte_of_eio3_only() -> None:
    three, four = opened(3), opened(4)
    assert list(three.feed(PLACEHOLDER)) == list(four.feed(PLACEHOLDER)) == []
    assert list(three.feed(b"\x04\x00\xdd\x05")) == [SocketIOEvent("xts-binary-packet", [b"\x00\xdd\x05"])]
    assert list(four.feed(b"\x04\x00\xdd\x05")) == [SocketIOEvent("xts-binary-packet", [b"\x04\x00\xdd\x05"])]


def test_attachments_stand_where_their_placeholders_stood_and_pings_may_come_between() -> None:
    framing = opened()
    frame = '452-["e",{"a":[{"_placeholder":true,"num":1}],"b":"text"},{"_placeholder":true,"num":0}]'
    assert list(framing.feed(frame)) == []
    assert list(framing.feed(b"\x04first")) == []
    assert list(framing.feed("2")) == [Out("3")]
    assert list(framing.feed(b"\x04second")) == [SocketIOEvent("e", [{"a": [b"second"], "b": "text"}, b"first"])]


def test_a_lost_attachment_costs_its_event_only() -> None:
    framing = opened()
    list(framing.feed(PLACEHOLDER))
    heard: list[Framed] = []
    with pytest.raises(DecodeError, match="1 attachments never came"):
        heard.extend(framing.feed('42["next"]'))
    assert heard == [SocketIOEvent("next", [])]
    assert list(framing.feed('42["after"]')) == [SocketIOEvent("after", [])]


@pytest.mark.parametrize("frame", ["41", "1"])
def test_server_leaves(frame: str) -> None:
    (closed,) = opened().feed(frame)
    assert isinstance(closed, Closed)
    assert not closed.auth


def test_refused_login_is_about_the_credential() -> None:
    (closed,) = SocketIO(4).feed('44{"message":"invalid session"}')
    assert closed == Closed('the server refused the connection: {"message":"invalid session"}', auth=True)


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "9",
        "0{}",
        "0",
        "4",
        "49",
        "42",
        "42{}",
        "42[]",
        "42[1]",
        '42["cut',
        '45-["e"]',
        '4599-["e"]',
        "42" + "[" * 5000,
        b"\x04 without an event",
    ],
)
def test_damaged_frames(frame: str | bytes) -> None:
    with pytest.raises(DecodeError):
        list(opened().feed(frame))


@pytest.mark.parametrize("num", ["1", "-1", '"0"', "null"])
def test_placeholder_without_attachment(num: str) -> None:
    framing = opened()
    list(framing.feed(f'451-["e",{{"_placeholder":true,"num":{num}}}]'))
    with pytest.raises(DecodeError, match="placeholder"):
        list(framing.feed(b"\x04x"))


def test_binary_frame_of_another_engine_type() -> None:
    framing = opened()
    list(framing.feed(PLACEHOLDER))
    with pytest.raises(DecodeError, match="not a message"):
        list(framing.feed(b"\x02x"))


def test_encode() -> None:
    framing = opened()
    assert list(framing.encode(SocketIOEvent("join", ["4.1!2885"]))) == ['42["join","4.1!2885"]']
    with pytest.raises(TypeError, match="NatsSubscribe"):
        framing.encode(NatsSubscribe(("a",)))
    with pytest.raises(TypeError):
        framing.encode(SocketIOEvent("e", [b"binary"]))
    with pytest.raises(ValueError, match=r"Engine\.IO 5"):
        SocketIO(5)


JSON = st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists, max_leaves=8)


@given(st.text(min_size=1), st.lists(JSON))
def test_events_survive_the_round_trip(name: str, args: list[Any]) -> None:
    framing = opened()
    (frame,) = framing.encode(SocketIOEvent(name, args))
    assert list(framing.feed(frame)) == [SocketIOEvent(name, args)]


@given(st.lists(st.text() | st.binary() | st.text().map("4".__add__) | st.text().map("451-".__add__), max_size=8))
def test_garbage_raises_nothing_but_decode_errors_and_leaves_the_framing_well(frames: list[str | bytes]) -> None:
    framing = opened()
    for frame in frames:
        with suppress(DecodeError):
            list(framing.feed(frame))
    with suppress(DecodeError):  # an event of the garbage may still wait for its attachments
        list(framing.feed('42["well"]'))
    assert list(framing.feed('42["well"]')) == [SocketIOEvent("well", [])]


@given(st.data())
def test_damaged_sheet_frames_raise_nothing_but_decode_errors(data: st.DataObject) -> None:
    frame = data.draw(st.sampled_from([OPENING, PLACEHOLDER, '42["1501-json-full","{}"]', '40{"sid":"y"}']))
    at = data.draw(st.integers(0, len(frame)))
    damage = data.draw(st.sampled_from([frame[:at], frame[:at] + "\x00" + frame[at + 1 :], frame + frame[at:]]))
    with suppress(DecodeError):
        list(opened().feed(damage))
