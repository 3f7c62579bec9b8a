"""What passes between a framing and a codec: messages coming in, commands going out.

A plain socket carries text and bytes as they are. The other framings carry their protocol's own units, so that a codec
never sees packet ids, pings or attachments."""

from collections.abc import Sequence
from typing import Any

import msgspec


class SocketIOEvent(msgspec.Struct, frozen=True):
    """A Socket.IO event; binary attachments already stand in `args` where their placeholders were."""

    name: str
    args: Sequence[Any] = ()


class NatsMessage(msgspec.Struct, frozen=True):
    subject: str
    payload: bytes


class NatsSubscribe(msgspec.Struct, frozen=True):
    subjects: tuple[str, ...]


class NatsUnsubscribe(msgspec.Struct, frozen=True):
    subjects: tuple[str, ...]


class MqttMessage(msgspec.Struct, frozen=True):
    topic: str
    payload: bytes


class MqttSubscribe(msgspec.Struct, frozen=True):
    """One SUBSCRIBE packet, QoS 0."""

    topics: tuple[str, ...]


class MqttUnsubscribe(msgspec.Struct, frozen=True):
    topics: tuple[str, ...]


class Granted(msgspec.Struct, frozen=True):
    """The framing's own answer to a subscription: which names were taken and which refused."""

    taken: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


Message = str | bytes | SocketIOEvent | NatsMessage | MqttMessage | Granted
Command = str | bytes | SocketIOEvent | NatsSubscribe | NatsUnsubscribe | MqttSubscribe | MqttUnsubscribe
