"""The server's half of MQTT 3.1.1 (OASIS, chapter 3), as far as clients that only listen need it: CONNECT with user and
password, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT; what is published goes out at QoS 0."""

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from picows import WSCloseCode

from .session import Client

CONNECT, CONNACK, PUBLISH, SUBSCRIBE, SUBACK = 1, 2, 3, 8, 9
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 10, 11, 12, 13, 14
ACCEPTED, UNAVAILABLE, NOT_AUTHORISED = 0, 3, 5
NOT_GRANTED = 0x80
MOST = 1 << 18
"""Bytes of a packet from a client."""

Packet = tuple[int, int, bytes]
"""Kind, flags and body."""


class Malformed(Exception):
    """What is no MQTT; a server hangs up."""


class Connect(NamedTuple):
    client_id: str
    username: str
    password: str
    keep_alive: int


class Asked(NamedTuple):
    """A SUBSCRIBE or UNSUBSCRIBE."""

    number: int
    topics: list[str]


# --- packets ----------------------------------------------------------------------------------------------------------


def packet(kind: int, body: bytes = b"", flags: int = 0) -> bytes:
    head, left = bytearray((kind << 4 | flags,)), len(body)
    while left > 127:
        head.append(left & 127 | 128)
        left >>= 7
    head.append(left)
    return bytes(head) + body


def text(value: str) -> bytes:
    raw = value.encode()
    return len(raw).to_bytes(2, "big") + raw


def publish(topic: str, payload: bytes, *, retained: bool = False) -> bytes:
    return packet(PUBLISH, text(topic) + payload, int(retained))


def packets(buffer: bytearray) -> Iterator[Packet]:
    """The whole packets at a buffer's begin, which are taken out of it. Raises Malformed."""
    while len(buffer) > 1:
        length = place = 0
        while True:
            if place == 4:
                raise Malformed("a length of more than four digits")
            if len(buffer) < place + 2:
                return
            digit = buffer[place + 1]
            length += (digit & 127) * 128**place
            place += 1
            if digit < 128:
                break
        if length > MOST:
            raise Malformed(f"a packet of {length} bytes")
        end = 1 + place + length
        if len(buffer) < end:
            return
        found = buffer[0] >> 4, buffer[0] & 15, bytes(buffer[1 + place : end])
        del buffer[:end]
        yield found


class _Reader:
    """A body from its begin to its end."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._body)

    def take(self, count: int) -> bytes:
        self._at += count
        if self._at > len(self._body):
            raise Malformed("a body that ends too early")
        return self._body[self._at - count : self._at]

    def number(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def text(self) -> str:
        try:
            return self.take(self.number()).decode()
        except UnicodeDecodeError:
            raise Malformed("a text that is not UTF-8") from None


def read_connect(body: bytes) -> Connect:
    """Raises Malformed. A level other than 3.1.1's has no user, and so is let in by nobody."""
    reader = _Reader(body)
    if reader.text() != "MQTT":
        raise Malformed("another protocol")
    level, flags = reader.take(2)
    keep_alive = reader.number()
    client_id = reader.text()
    if flags & 1 or flags & 4:
        raise Malformed("reserved flags, or a will")
    username = reader.text() if flags & 0x80 else ""
    password = reader.text() if flags & 0x40 else ""
    if reader:
        raise Malformed("more than a CONNECT has")
    return Connect(client_id, username if level == 4 else "", password, keep_alive)


def read_topics(body: bytes, *, with_quality: bool) -> Asked:
    """Raises Malformed."""
    reader = _Reader(body)
    number, topics = reader.number(), []
    while reader:
        topics.append(reader.text())
        if with_quality and reader.take(1)[0] > 2:
            raise Malformed("a quality of service that is none")
    if not number or not topics:
        raise Malformed("a subscription without a number or topics")
    return Asked(number, topics)


# --- a client ---------------------------------------------------------------------------------------------------------


class MqttClient(Client, asyncio.Protocol):
    """One client's connection. Brokers say who is let in (`admit`), what becomes of a topic (`granted`, `left`), and
    call `publish`."""

    half_a_frame = b"\x30\x90\x20" + bytes(100)

    def __init__(self, simulator: Any) -> None:
        super().__init__(simulator)
        self.client_id = ""
        self.topics: set[str] = set()
        self._wire: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._in = False
        self._keep_alive = 0
        self._heard = 0.0
        self._last_topic = ""

    # --- for the brokers ----------------------------------------------------------------------------------------------

    def admit(self, login: Connect) -> int:
        """The code of the CONNACK."""
        raise NotImplementedError

    def granted(self, topic: str) -> bool:
        """A topic that is asked for: whether it is granted."""
        raise NotImplementedError

    def subscribed(self, topics: list[str]) -> None:
        """These were granted, and the client knows it."""

    def left(self, topic: str) -> None:
        """The client leaves a topic."""

    def publish(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        self._last, self._last_topic = payload, topic
        if not self._silent:
            self._write(publish(topic, payload, retained=retained))

    def heartbeat(self) -> None:
        """Who is silent for one and a half times the keep-alive is taken for dead."""
        if self._keep_alive and self._now() - self._heard > 1.5 * self._keep_alive:
            self.close()

    # --- faults -------------------------------------------------------------------------------------------------------

    def close(self, code: WSCloseCode = WSCloseCode.GOING_AWAY) -> None:
        if self._wire is not None:
            self._wire.close()

    def send_damaged(self, payload: bytes) -> None:
        """Nonsense between packets would end the connection; it comes as the payload of one."""
        if self._wire is not None and self._last_topic:
            self._write(publish(self._last_topic, payload))

    @property
    def _line(self) -> Any:
        return self._wire

    # --- the socket ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.Transport, transport)
        self._heard = self._now()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire = None
        self._left()

    def data_received(self, data: bytes) -> None:
        if self._frozen:
            return
        self._heard = self._now()
        self._buffer += data
        try:
            for kind, flags, body in packets(self._buffer):
                self._obey(kind, flags, body)
        except Malformed:
            self.close()

    def _obey(self, kind: int, flags: int, body: bytes) -> None:
        if self._in == (kind == CONNECT) or flags != (2 if kind in (SUBSCRIBE, UNSUBSCRIBE) else 0):
            raise Malformed("a packet out of its order, or with flags of another")
        if kind == CONNECT:
            self._enter(read_connect(body))
        elif kind == SUBSCRIBE:
            self._subscribe(read_topics(body, with_quality=True))
        elif kind == UNSUBSCRIBE:
            asked = read_topics(body, with_quality=False)
            for topic in self.topics.intersection(asked.topics):
                self.topics.discard(topic)
                self.left(topic)
            self._write(packet(UNSUBACK, asked.number.to_bytes(2, "big")))
        elif kind == PINGREQ:
            if not self._silent:
                self._write(packet(PINGRESP))
        elif kind == DISCONNECT:
            self.close()
        else:
            raise Malformed(f"packets of kind {kind} are not for a listener to send")

    def _enter(self, login: Connect) -> None:
        code = self.admit(login)
        self._write(packet(CONNACK, bytes((0, code))))
        if code != ACCEPTED:
            self.close()
            return
        for other in list(self.simulator.sessions):
            if isinstance(other, MqttClient) and other.client_id == login.client_id:
                other.close()  # of two with one id, the one before is ended
        self.client_id, self._keep_alive, self._in = login.client_id, login.keep_alive, True
        self._arrived()

    def _subscribe(self, asked: Asked) -> None:
        forgets = self.simulator.faults.swallow_subscriptions
        taken = [topic for topic in asked.topics if topic in self.topics or forgets or self.granted(topic)]
        known = frozenset(taken)
        codes = bytes(0 if topic in known else NOT_GRANTED for topic in asked.topics)
        self._write(packet(SUBACK, asked.number.to_bytes(2, "big") + codes))
        if not forgets:
            self.topics.update(taken)
            self.subscribed(taken)

    def _write(self, data: bytes) -> None:
        if self._wire is not None:
            self._wire.write(data)

    def _now(self) -> float:
        return self.simulator.exchange.clock.monotonic()
