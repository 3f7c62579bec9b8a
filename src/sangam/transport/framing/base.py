"""What every framing answers. A framing does no I/O and keeps no clock; the connection loop asks and carries.

`Wire` is one WebSocket message (str for text, bytes for binary) or, on a raw stream, some bytes in order."""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from sangam.brokers.wire import Command, Message

Wire = str | bytes


class Out(msgspec.Struct, frozen=True):
    """The framing itself answers the peer (a pong, an acknowledgement)."""

    data: Wire


class Opened(msgspec.Struct, frozen=True):
    """The framing's own handshake is done; the codec may speak."""


class Closed(msgspec.Struct, frozen=True):
    """The peer ended the conversation. `auth` tells that it did so because the credential is dead."""

    reason: str
    auth: bool = False


Framed = Message | Out | Opened | Closed


class Framing(Protocol):
    """Damaged input raises DecodeError and nothing else."""

    ping_interval: float | None
    """Seconds between `ping` calls once opened; may change when the handshake tells; None for never."""

    def start(self) -> Iterable[Framed]:
        """The transport is up: what to send first, or Opened at once."""
        ...

    def feed(self, data: Wire) -> Iterable[Framed]:
        """Some input: messages for the codec, answers for the peer, or the end."""
        ...

    def encode(self, command: Command) -> Iterable[Wire]:
        """A codec's command as wire data."""
        ...

    def ping(self) -> Iterable[Wire]:
        """What keeps the connection alive."""
        ...


class Plain:
    """No layer at all: messages are the codec's own text and bytes."""

    ping_interval: float | None = None

    def start(self) -> Iterable[Framed]:
        return (Opened(),)

    def feed(self, data: Wire) -> Iterable[Framed]:
        return (data,)

    def encode(self, command: Command) -> Iterable[Wire]:
        if not isinstance(command, (str, bytes)):
            raise TypeError(f"a plain socket carries text and bytes, not {type(command).__name__}")
        return (command,)

    def ping(self) -> Iterable[Wire]:
        return ()
