"""MQTT 3.1.1 on the frames of the IIFL Capital sheet (7), and against a real broker where one is installed."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.mosquitto import mosquitto

from sangam.brokers.wire import Granted, MqttMessage, MqttSubscribe, MqttUnsubscribe
from sangam.model.errors import DecodeError
from sangam.transport.framing.base import Closed, Framed, Opened, Out
from sangam.transport.framing.mqtt import MAX_PACKET, Mqtt

TOPIC = "prod/marketfeed/mw/v1/nseeq/2885"
SUBSCRIBE = "82250001002070726f642f6d61726b6574666565642f6d772f76312f6e736565712f3238383500"
CONNACK = bytes.fromhex("20020000")
PUBLISH = bytes.fromhex("3024") + b"\x00\x20" + TOPIC.encode() + b"\x02\x00"


def opened() -> Mqtt:
    framing = Mqtt("c")
    assert list(framing.feed(CONNACK)) == [Opened()]
    return framing


def test_connect_carries_the_credentials() -> None:
    framing = Mqtt("bridge1", "31625881", "OPENID~~jwt~", keep_alive=20)
    assert list(framing.start()) == [
        Out(b"\x10\x2b\x00\x04MQTT\x04\xc2\x00\x14\x00\x07bridge1\x00\x0831625881\x00\x0cOPENID~~jwt~")
    ]
    assert framing.ping_interval == 15.0
    assert list(framing.ping()) == [bytes.fromhex("c000")]


def test_connect_without_credentials() -> None:
    assert list(Mqtt("c").start()) == [Out(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x14\x00\x01c")]


@pytest.mark.parametrize(("code", "auth"), [(1, False), (2, False), (3, False), (4, True), (5, True), (9, False)])
def test_refused_login(code: int, auth: bool) -> None:
    (closed,) = Mqtt("c").feed(bytes((0x20, 2, 0, code)))
    assert isinstance(closed, Closed)
    assert closed.auth is auth


def test_subscribe_as_in_the_sheet_and_its_answer() -> None:
    framing = opened()
    (frame,) = framing.encode(MqttSubscribe((TOPIC,)))
    assert isinstance(frame, bytes)
    assert frame.hex() == SUBSCRIBE
    assert list(framing.feed(bytes.fromhex("9003000100"))) == [Granted(taken=(TOPIC,))]


def test_each_topic_is_granted_or_refused() -> None:
    framing = opened()
    framing.encode(MqttSubscribe(("a", "b", "c")))
    framing.encode(MqttSubscribe(("d",)))
    assert list(framing.feed(b"\x90\x03\x00\x02\x80" + b"\x90\x05\x00\x01\x00\x80\x01")) == [
        Granted(refused=("d",)),
        Granted(taken=("a", "c"), refused=("b",)),
    ]


def test_unsubscribe() -> None:
    framing = opened()
    assert list(framing.encode(MqttUnsubscribe(("a", "b")))) == [b"\xa2\x08\x00\x01\x00\x01a\x00\x01b"]
    assert list(framing.feed(b"\xb0\x02\x00\x01")) == []


def test_packet_ids_wrap_and_are_never_zero() -> None:
    framing = opened()
    ids = {frame[2:4] for _ in range(0x10000) for frame in framing.encode(MqttUnsubscribe(("a",)))}
    assert len(ids) == 0xFFFF
    assert b"\x00\x00" not in ids


def test_publish_with_and_without_acknowledgement() -> None:
    framing = opened()
    assert list(framing.feed(PUBLISH)) == [MqttMessage(TOPIC, b"\x02\x00")]
    assert list(framing.feed(b"\x32\x07\x00\x01t\x12\x34ok")) == [Out(b"\x40\x02\x12\x34"), MqttMessage("t", b"ok")]


def test_long_packets_have_long_lengths() -> None:
    body = b"\x00\x01t" + bytes(200)
    assert list(opened().feed(b"\x30" + b"\xcb\x01" + body)) == [MqttMessage("t", bytes(200))]
    (frame,) = opened().encode(MqttSubscribe(tuple(f"topic/{n:04d}" for n in range(1024))))
    assert len(frame) == 1 + 2 + 2 + 1024 * 13


def test_server_leaves() -> None:
    assert list(opened().feed(b"\xe0\x00")) == [Closed("the server disconnected")]


@pytest.mark.parametrize(
    "data",
    [
        b"\x20\x02\x00\x00",
        b"\x30\xff\xff\xff\xff",
        b"\x30\xff\xff\xff\x7f",
        b"\x30\x01\x00",
        b"\x30\x02\x00\x00",
        b"\x30\x03\x00\x01\xff",
        b"\x34\x05\x00\x01t\x00\x01",
        b"\x32\x03\x00\x01t",
        b"\x90\x03\x00\x07\x00",
        b"\x91\x03\x00\x01\x00",
        b"\xb0\x00",
        b"\xf0\x00",
        b"\x10\x00",
        "text",
    ],
)
def test_damaged_packets(data: bytes | str) -> None:
    with pytest.raises(DecodeError):
        list(opened().feed(data))


def test_damaged_answers_to_a_subscription() -> None:
    for answer in (b"\x90\x04\x00\x01\x00\x00", b"\x90\x03\x00\x01\x03"):
        framing = opened()
        framing.encode(MqttSubscribe(("a",)))
        with pytest.raises(DecodeError):
            list(framing.feed(answer))


def test_nothing_comes_before_the_login_and_a_damaged_stream_stays_damaged() -> None:
    framing = Mqtt("c")
    with pytest.raises(DecodeError, match="out of order"):
        list(framing.feed(PUBLISH))
    assert list(framing.feed(CONNACK)) == [Closed("the MQTT stream is damaged")]


def test_encode_refuses_other_commands() -> None:
    with pytest.raises(TypeError, match="str"):
        opened().encode("text")


STREAM = CONNACK + PUBLISH + b"\xd0\x00" + b"\x32\x07\x00\x01t\x00\x09ok" + PUBLISH + b"\xe0\x00"


def messages(*chunks: bytes) -> list[Framed]:
    framing = Mqtt("c")
    return [item for chunk in chunks for item in framing.feed(chunk)]


@given(st.sets(st.integers(1, len(STREAM) - 1)))
def test_any_slicing_tells_the_same(cuts: set[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[start:end] for start, end in pairwise(edges)]
    assert messages(*chunks) == messages(STREAM)
    assert len(messages(STREAM)) == 6


@given(st.binary() | st.integers(0, len(STREAM) - 1).map(lambda at: STREAM[:at] + b"\xff" + STREAM[at + 1 :]))
def test_damage_raises_nothing_but_decode_errors(data: bytes) -> None:
    with suppress(DecodeError):
        messages(data)
    with suppress(DecodeError):
        list(opened().feed(data))


def test_the_buffer_is_bounded() -> None:
    with pytest.raises(DecodeError, match=str(MAX_PACKET + 1)):
        list(opened().feed(b"\x30\x81\x80\x40"))


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with mosquitto(tmp_path_factory.mktemp("mosquitto"), {"trader": "secret"}) as port:
        yield port


class Client:
    """A framing on a real connection; `heard` is what it told."""

    def __init__(self, port: int, framing: Mqtt) -> None:
        self.framing = framing
        self.heard: list[Framed] = []
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._take(framing.start())

    def _take(self, items: object) -> None:
        assert isinstance(items, (tuple, Iterator))
        for item in items:
            if isinstance(item, Out):
                assert isinstance(item.data, bytes)
                self.socket.sendall(item.data)
            else:
                self.heard.append(item)

    def send(self, *frames: str | bytes) -> None:
        for frame in frames:
            assert isinstance(frame, bytes)
            self.socket.sendall(frame)

    def hear(self, *expected: Framed) -> None:
        while len(self.heard) < len(expected):
            data = self.socket.recv(7)
            assert data, f"the server hung up after {self.heard}"
            self._take(self.framing.feed(data))
        assert tuple(self.heard) == expected
        self.heard.clear()


def test_against_a_real_server(port: int) -> None:
    client = Client(port, Mqtt("sangam-test", "trader", "secret"))
    with client.socket:
        client.hear(Opened())
        client.send(*client.framing.encode(MqttSubscribe((TOPIC, "prod/updates/order/v1/+"))))
        client.hear(Granted(taken=(TOPIC, "prod/updates/order/v1/+")))
        client.send(PUBLISH, *client.framing.ping())
        client.hear(MqttMessage(TOPIC, b"\x02\x00"))
        client.send(*client.framing.encode(MqttUnsubscribe((TOPIC,))), PUBLISH)
        client.send(*client.framing.encode(MqttSubscribe(("last",))))
        client.hear(Granted(taken=("last",)))


def test_a_real_server_refuses_a_bad_password(port: int) -> None:
    client = Client(port, Mqtt("sangam-bad", "trader", "wrong"))
    with client.socket:
        client.hear(Closed("MQTT login refused: not authorized", auth=True))
