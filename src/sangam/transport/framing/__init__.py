"""Sans-I/O layers between a socket's bytes and a codec's messages."""

from collections.abc import Callable, Mapping
from typing import Any

from .base import Framing, Plain
from .mqtt import Mqtt
from .nats import Nats
from .socketio import SocketIO

_FRAMINGS: Mapping[str, Callable[..., Framing]] = {
    "plain": Plain,
    "socketio": SocketIO,
    "nats": Nats,
    "mqtt": Mqtt,
}


def make_framing(name: str, options: Mapping[str, Any]) -> Framing:
    """A fresh framing for one connection: `Endpoint.framing` with its `framing_options`."""
    try:
        make = _FRAMINGS[name]
    except KeyError:
        raise ValueError(f"unknown framing '{name}'; known: {', '.join(_FRAMINGS)}") from None
    return make(**options)
