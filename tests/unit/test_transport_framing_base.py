"""The plain framing and the factory."""

import pytest

from sangam.brokers.wire import MqttSubscribe
from sangam.transport.framing import make_framing
from sangam.transport.framing.base import Opened, Plain
from sangam.transport.framing.mqtt import Mqtt
from sangam.transport.framing.nats import Nats
from sangam.transport.framing.socketio import SocketIO


@pytest.mark.parametrize("data", ["text", b"bytes", "", b""])
def test_plain_hands_everything_through(data: str | bytes) -> None:
    plain = Plain()
    assert list(plain.start()) == [Opened()]
    assert list(plain.feed(data)) == [data]
    assert list(plain.encode(data)) == [data]
    assert list(plain.ping()) == []


def test_plain_refuses_commands_of_other_wires() -> None:
    with pytest.raises(TypeError, match="MqttSubscribe"):
        Plain().encode(MqttSubscribe(("a",)))


def test_factory_makes_each_framing_with_its_options() -> None:
    assert isinstance(make_framing("plain", {}), Plain)
    assert isinstance(make_framing("socketio", {"eio": 4, "auth": {"user": "u"}}), SocketIO)
    assert isinstance(make_framing("nats", {"jwt": "j"}), Nats)
    assert isinstance(make_framing("mqtt", {"client_id": "c", "keep_alive": 20}), Mqtt)


def test_factory_names_the_known_framings() -> None:
    with pytest.raises(ValueError, match="'smoke'; known: plain, socketio, nats, mqtt"):
        make_framing("smoke", {})
