"""Socket.IO over one WebSocket: Engine.IO 3 with Socket.IO 2, or Engine.IO 4 with Socket.IO 5.

The transport starts with WebSocket, never with polling; only the default namespace speaks. Differences of the two
(Socket.IO protocol, "Difference between v3 and v4"): in 3 the client pings and binary messages carry a leading type
byte; in 4 the server pings and the client must join the namespace itself. Pings are answered in both."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from sangam.brokers.wire import Command, SocketIOEvent
from sangam.model.errors import DecodeError

from .base import Closed, Framed, Opened, Out, Wire

MAX_ATTACHMENTS = 64
_BINARY_MESSAGE = 0x04
_PACKET = re.compile(r"([0-6])(?:(\d{1,4})-)?(?:(/[^,]*),)?(\d{0,18})(.*)", re.DOTALL)
_CONNECT, _DISCONNECT, _EVENT, _ACK, _ERROR, _BINARY_EVENT, _BINARY_ACK = "0123456"


class _Opening(msgspec.Struct, rename="camel"):
    ping_interval: int
    """Milliseconds."""


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DecodeError(f"Socket.IO packet with unreadable JSON: {error}") from None


def _fill(value: Any, attachments: list[bytes]) -> Any:
    """The value with each placeholder replaced by the attachment it names."""
    if isinstance(value, list):
        return [_fill(item, attachments) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("_placeholder") is not True:
        return {name: _fill(item, attachments) for name, item in value.items()}
    number = value.get("num")
    if not isinstance(number, int) or not 0 <= number < len(attachments):
        raise DecodeError(f"Socket.IO placeholder names attachment {number!r} of {len(attachments)}")
    return attachments[number]


def _event(args: Any) -> SocketIOEvent:
    if not isinstance(args, list) or not args or not isinstance(args[0], str):
        raise DecodeError("Socket.IO event without a name")
    return SocketIOEvent(args[0], args[1:])


class SocketIO:
    """`auth` is the payload of the namespace join (Engine.IO 4 only)."""

    def __init__(self, eio: int = 3, auth: Mapping[str, Any] | None = None) -> None:
        if eio not in (3, 4):
            raise ValueError(f"Engine.IO {eio} is not known; 3 and 4 are")
        self.ping_interval: float | None = None
        self._eio = eio
        self._join = "40" + (json.dumps(auth, separators=(",", ":")) if auth else "")
        self._pending: Any = None
        self._missing = 0
        self._attachments: list[bytes] = []

    def start(self) -> Iterable[Framed]:
        """The server speaks first."""
        return ()

    def feed(self, data: Wire) -> Iterator[Framed]:
        if isinstance(data, bytes):
            yield from self._attachment(data)
            return
        kind, body = data[:1], data[1:]
        if kind == "0":
            try:
                opening = msgspec.json.decode(body, type=_Opening)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise DecodeError(f"Engine.IO opening is unreadable: {error}") from None
            if self._eio == 3:
                self.ping_interval = opening.ping_interval / 1000 if opening.ping_interval > 0 else None
            else:
                yield Out(self._join)
        elif kind == "1":
            yield Closed("the server closed the connection")
        elif kind == "2":
            yield Out("3" + body)
        elif kind == "4":
            yield from self._packet(body)
        elif kind not in ("3", "6"):
            raise DecodeError(f"unknown Engine.IO packet {data[:20]!r}")

    def _packet(self, text: str) -> Iterator[Framed]:
        # A new packet ends the wait for attachments: the broken event is lost, what follows is not.
        unfinished, self._missing = self._missing, 0
        match = _PACKET.fullmatch(text)
        if match is None:
            raise DecodeError(f"unknown Socket.IO packet {text[:20]!r}")
        kind, count, namespace, _, body = match.groups()
        if namespace not in (None, "/"):
            return
        if kind == _CONNECT:
            yield Opened()
        elif kind == _DISCONNECT:
            yield Closed("the server closed the namespace")
        elif kind == _EVENT:
            yield _event(_json(body))
        elif kind == _ERROR:
            yield Closed(f"the server refused the connection: {body[:200]}", auth=True)
        elif kind in (_BINARY_EVENT, _BINARY_ACK):
            if count is None or int(count) > MAX_ATTACHMENTS:
                raise DecodeError(f"Socket.IO packet with {count or 'no'} attachments")
            self._attachments = []
            self._pending, self._missing = _json(body) if kind == _BINARY_EVENT else None, int(count)
            if not self._missing:
                yield from self._complete()
        if unfinished:
            raise DecodeError(f"Socket.IO event lost: {unfinished} attachments never came")

    def _attachment(self, data: bytes) -> Iterator[Framed]:
        if not self._missing:
            raise DecodeError("Socket.IO attachment without an event")
        if self._eio == 3:
            if not data or data[0] != _BINARY_MESSAGE:
                raise DecodeError("Engine.IO 3 binary frame is not a message")
            data = data[1:]
        self._attachments.append(data)
        self._missing -= 1
        if not self._missing:
            yield from self._complete()

    def _complete(self) -> Iterator[Framed]:
        """Acknowledgements (None) are nobody's: we never ask for one."""
        if self._pending is not None:
            try:
                yield _event(_fill(self._pending, self._attachments))
            except RecursionError:
                raise DecodeError("Socket.IO event is nested too deeply") from None

    def encode(self, command: Command) -> Iterable[Wire]:
        if not isinstance(command, SocketIOEvent):
            raise TypeError(f"Socket.IO carries events, not {type(command).__name__}")
        return ("42" + json.dumps([command.name, *command.args], separators=(",", ":"), ensure_ascii=False),)

    def ping(self) -> Iterable[Wire]:
        return ("2",)
