"""MQTT 3.1.1 over a byte stream, as far as a subscriber needs it (OASIS MQTT 3.1.1, chapter 3).

Clean session, subscriptions at QoS 0. Packets may arrive split and joined at any byte. Once a packet is damaged the
stream has lost its bounds: DecodeError is raised once, whatever comes after is answered by Closed."""

from collections.abc import Iterable, Iterator

from sangam.brokers.wire import Command, Granted, MqttMessage, MqttSubscribe, MqttUnsubscribe
from sangam.model.errors import DecodeError

from .base import Closed, Framed, Opened, Out, Wire

MAX_PACKET = 1 << 20
_CONNACK, _PUBLISH, _SUBACK, _UNSUBACK, _PINGRESP, _DISCONNECT = 2, 3, 9, 11, 13, 14
_PINGREQ = b"\xc0\x00"
_NOT_GRANTED = 0x80
_REFUSALS = {
    1: "unacceptable protocol version",
    2: "client id refused",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorized",
}
_BAD_CREDENTIALS = (4, 5)


def _text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw


def _packet(head: int, body: bytes) -> bytes:
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes((head, *digits)) + body


class Mqtt:
    """`keep_alive` is in seconds: the server hangs up after one and a half of it without a packet from us."""

    def __init__(self, client_id: str, username: str = "", password: str = "", keep_alive: int = 20) -> None:
        self.ping_interval: float | None = keep_alive * 0.75
        flags = 0x02 | (0x80 if username else 0) | (0x40 if password else 0)
        credentials = b"".join(_text(part) for part in (username, password) if part)
        settings = bytes((4, flags)) + keep_alive.to_bytes(2, "big")
        self._connect = _packet(0x10, _text("MQTT") + settings + _text(client_id) + credentials)
        self._open = False
        self._broken = False
        self._buffer = bytearray()
        self._last_id = 0
        self._asked: dict[int, tuple[str, ...]] = {}

    def start(self) -> Iterable[Framed]:
        return (Out(self._connect),)

    def feed(self, data: Wire) -> Iterator[Framed]:
        if isinstance(data, str):
            raise DecodeError("MQTT is binary")
        if self._broken:
            yield Closed("the MQTT stream is damaged")
            return
        self._buffer += data
        try:
            while (packet := self._next_packet()) is not None:
                yield from self._read(*packet)
        except DecodeError:
            self._broken = True
            raise

    def _next_packet(self) -> tuple[int, bytes] | None:
        """Head byte and body of the first whole packet, taken out of the buffer."""
        buffer, length = self._buffer, 0
        for digit in range(4):
            if len(buffer) < digit + 2:
                return None
            length |= (buffer[digit + 1] & 0x7F) << (7 * digit)
            if buffer[digit + 1] < 0x80:
                break
        else:
            raise DecodeError("MQTT packet length of more than four digits")
        if length > MAX_PACKET:
            raise DecodeError(f"MQTT packet of {length} bytes")
        start = digit + 2
        if len(buffer) < start + length:
            return None
        head, body = buffer[0], bytes(buffer[start : start + length])
        del buffer[: start + length]
        return head, body

    def _read(self, head: int, body: bytes) -> Iterator[Framed]:
        kind, flags = head >> 4, head & 0x0F
        if self._open != (kind != _CONNACK):
            raise DecodeError(f"MQTT packet type {kind} out of order")
        if kind == _PUBLISH:
            yield from self._publish(flags, body)
            return
        if flags:
            raise DecodeError(f"MQTT packet type {kind} with flags {flags}")
        if kind == _CONNACK and len(body) == 2:
            self._open = body[1] == 0
            reason = _REFUSALS.get(body[1], f"code {body[1]}")
            yield Opened() if self._open else Closed(f"MQTT login refused: {reason}", body[1] in _BAD_CREDENTIALS)
        elif kind == _SUBACK and len(body) > 2:
            yield self._granted(int.from_bytes(body[:2], "big"), body[2:])
        elif kind == _DISCONNECT:
            yield Closed("the server disconnected")
        elif not (kind == _UNSUBACK and len(body) == 2) and not (kind == _PINGRESP and not body):
            raise DecodeError(f"unknown or damaged MQTT packet of type {kind}")

    def _publish(self, flags: int, body: bytes) -> Iterator[Framed]:
        qos = flags >> 1 & 3
        end = 2 + int.from_bytes(body[:2], "big")
        start = end + (2 if qos else 0)
        if qos > 1 or len(body) < start or end == 2:
            raise DecodeError("damaged MQTT PUBLISH")
        try:
            topic = body[2:end].decode()
        except UnicodeDecodeError:
            raise DecodeError("MQTT topic is not UTF-8") from None
        if qos:
            yield Out(_packet(0x40, body[end:start]))
        yield MqttMessage(topic, body[start:])

    def _granted(self, packet_id: int, codes: bytes) -> Granted:
        topics = self._asked.pop(packet_id, None)
        if topics is None or len(topics) != len(codes) or any(2 < code != _NOT_GRANTED for code in codes):
            raise DecodeError(f"MQTT SUBACK {packet_id} answers no subscription of ours")
        answers = list(zip(topics, codes, strict=True))
        return Granted(
            taken=tuple(topic for topic, code in answers if code != _NOT_GRANTED),
            refused=tuple(topic for topic, code in answers if code == _NOT_GRANTED),
        )

    def encode(self, command: Command) -> Iterable[Wire]:
        if not isinstance(command, (MqttSubscribe, MqttUnsubscribe)):
            raise TypeError(f"MQTT carries subscriptions, not {type(command).__name__}")
        self._last_id = self._last_id % 0xFFFF + 1
        head = self._last_id.to_bytes(2, "big")
        if isinstance(command, MqttUnsubscribe):
            return (_packet(0xA2, head + b"".join(_text(topic) for topic in command.topics)),)
        self._asked[self._last_id] = command.topics
        return (_packet(0x82, head + b"".join(_text(topic) + b"\x00" for topic in command.topics)),)

    def ping(self) -> Iterable[Wire]:
        return (_PINGREQ,)
