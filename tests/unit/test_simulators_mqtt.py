"""The server's half of MQTT: packets that are read to the letter, and clients that come, listen, fall silent and go."""

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.model.clock import IST, ManualClock
from sangam.simulators import mqtt
from sangam.simulators.exchange import Exchange
from sangam.simulators.faults import Faults
from sangam.simulators.mqtt import Asked, Connect, Malformed, MqttClient, packet, packets, read_connect, read_topics

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)

# iiflcapital.md, 7.2
SUBSCRIBE = bytes.fromhex("82250001002070726f642f6d61726b6574666565642f6d772f76312f6e736565712f3238383500")
TOPIC = "prod/marketfeed/mw/v1/nseeq/2885"
CONNECT = b"\x10\x2b\x00\x04MQTT\x04\xc2\x00\x14\x00\x07bridge1\x00\x0831625881\x00\x0cOPENID~~jwt~"


def read(*data: bytes) -> list[mqtt.Packet]:
    buffer = bytearray()
    found: list[mqtt.Packet] = []
    for piece in data:
        buffer += piece
        found += packets(buffer)
    return found


def test_the_sample_of_a_subscription() -> None:
    ((kind, flags, body),) = read(SUBSCRIBE)
    assert (kind, flags) == (mqtt.SUBSCRIBE, 2)
    assert read_topics(body, with_quality=True) == Asked(1, [TOPIC])
    assert read(b"\xc0\x00") == [(mqtt.PINGREQ, 0, b"")]


def test_a_login() -> None:
    ((kind, flags, body),) = read(CONNECT)
    assert (kind, flags) == (mqtt.CONNECT, 0)
    assert read_connect(body) == Connect("bridge1", "31625881", "OPENID~~jwt~", 20)


def test_what_is_published() -> None:
    assert mqtt.publish("t", b"ok") == b"\x30\x05\x00\x01tok"
    assert mqtt.publish("t", b"", retained=True) == b"\x31\x03\x00\x01t"
    assert mqtt.publish("t", bytes(200))[:3] == b"\x30\xcb\x01"


@given(
    st.integers(0, 15), st.integers(0, 15), st.binary(max_size=40) | st.binary(min_size=120, max_size=300),
    st.integers(1, 9),
)  # fmt: skip
def test_every_packet_is_read_as_it_was_written_however_it_is_cut(kind: int, flags: int, body: bytes, cut: int) -> None:
    data = packet(kind, body, flags) * 2
    assert read(*(data[at : at + cut] for at in range(0, len(data), cut))) == [(kind, flags, body)] * 2


@given(st.binary())
def test_garbage_is_malformed_or_read(data: bytes) -> None:
    for reader in (
        lambda: read(data), lambda: read_connect(data), lambda: read_topics(data, with_quality=True),
        lambda: read_topics(data, with_quality=False),
    ):  # fmt: skip
        with suppress(Malformed):
            reader()


@pytest.mark.parametrize(
    "body",
    [
        b"\x00\x06MQIsdp\x04\xc2\x00\x14\x00\x00\x00\x01u\x00\x01p",
        b"\x00\x04MQTT\x04\xc3\x00\x14\x00\x00\x00\x01u\x00\x01p",
        b"\x00\x04MQTT\x04\xc2\x00\x14\x00\x00\x00\x01u\x00\x01p!",
        b"\x00\x04MQTT\x04\xc2\x00\x14\x00\x00\x00\x01u\x00\x02p",
        b"\x00\x04MQTT\x04\x02\x00\x14\x00\x01\xff",
    ],
)
def test_what_is_no_login(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_connect(body)


def test_another_version_has_no_user() -> None:
    assert read_connect(b"\x00\x04MQTT\x05\xc2\x00\x14\x00\x00\x00\x01u\x00\x01p").username == ""


# --- a client ---------------------------------------------------------------------------------------------------------


class House:
    """As much of a simulator as a client needs."""

    def __init__(self) -> None:
        self.clock = ManualClock(MORNING)
        self.exchange = Exchange(clock=self.clock)
        self.sessions: list[Any] = []
        self.faults = Faults(self)  # type: ignore[arg-type]


class Line:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True


class Listener(MqttClient):
    def admit(self, login: Connect) -> int:
        return mqtt.ACCEPTED if login.password == "OPENID~~jwt~" else mqtt.NOT_AUTHORISED

    def granted(self, topic: str) -> bool:
        return topic != "secret"


def connected(house: House, login: bytes = CONNECT) -> tuple[Listener, Line]:
    client, line = Listener(house), Line()
    client.connection_made(line)  # type: ignore[arg-type]
    client.data_received(login)
    return client, line


def test_who_has_the_password_is_in() -> None:
    house = House()
    client, line = connected(house)
    assert line.written == b"\x20\x02\x00\x00"
    assert house.sessions == [client]
    client.connection_lost(None)
    assert house.sessions == []
    _, line = connected(house, CONNECT.replace(b"jwt", b"no!"))
    assert line.written == b"\x20\x02\x00\x05"
    assert line.closed
    assert house.sessions == []


def test_topics_are_granted_one_by_one_and_left() -> None:
    client, line = connected(House())
    line.written = b""
    client.data_received(packet(mqtt.SUBSCRIBE, b"\x00\x07\x00\x01a\x00\x00\x06secret\x00\x00\x01b\x01", 2))
    assert line.written == b"\x90\x05\x00\x07\x00\x80\x00"
    assert client.topics == {"a", "b"}
    line.written = b""
    client.data_received(packet(mqtt.UNSUBSCRIBE, b"\x00\x08\x00\x01a\x00\x01z", 2))
    assert line.written == b"\xb0\x02\x00\x08"
    assert client.topics == {"b"}


def test_pings_are_answered_unless_the_house_is_mute() -> None:
    house = House()
    client, line = connected(house)
    line.written = b""
    client.data_received(b"\xc0\x00")
    assert line.written == b"\xd0\x00"
    house.faults.mute = True
    client.data_received(b"\xc0\x00")
    client.publish("t", b"x")
    assert line.written == b"\xd0\x00"


def test_who_is_silent_for_too_long_is_cut() -> None:
    house = House()
    client, line = connected(house)
    house.clock.advance(29)
    client.heartbeat()
    assert not line.closed
    house.clock.advance(2)
    client.heartbeat()
    assert line.closed


def test_of_two_with_one_id_the_elder_goes() -> None:
    house = House()
    _, elder = connected(house)
    _, younger = connected(house)
    assert elder.closed
    assert not younger.closed


@pytest.mark.parametrize(
    "data", [CONNECT, b"\xd0\x00", b"\x30\x03\x00\x01t", b"\x80\x00", b"\x82\x02\x00\x01", b"\xc1\x00", b"\xe0\x00"]
)
def test_what_a_listener_may_not_send_ends_it(data: bytes) -> None:
    client, line = connected(House())
    client.data_received(data)
    assert line.closed


def test_nothing_is_heard_before_the_login() -> None:
    client, line = Listener(House()), Line()
    client.connection_made(line)  # type: ignore[arg-type]
    client.data_received(SUBSCRIBE)
    assert line.closed
    assert isinstance(client, asyncio.Protocol)
