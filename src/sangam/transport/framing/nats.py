"""The NATS client protocol, as far as a subscriber needs it (NATS docs: Client Protocol), over WebSocket or TCP.

Frames carry several commands or a part of one. Login is a JWT, a signature of the server's nonce, or both. Once the
stream is damaged it has lost its bounds: DecodeError is raised once, whatever comes after is answered by Closed."""

import base64
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

import sangam
from sangam.brokers import nkey
from sangam.brokers.wire import Command, Granted, NatsMessage, NatsSubscribe, NatsUnsubscribe
from sangam.model.errors import DecodeError

from .base import Closed, Framed, Opened, Out, Wire

MAX_LINE = 1 << 16
MAX_PAYLOAD = 1 << 20
_CRLF = b"\r\n"
_DEAD_CREDENTIAL = ("authorization violation", "authentication expired", "authentication revoked")
_FORBIDDEN_SUBJECT = re.compile(r'permissions violation for subscription to "([^"]+)"', re.IGNORECASE)


class _Info(msgspec.Struct):
    nonce: str = ""


class Nats:
    """`seed` is a user seed in nkey text (``SU...``); `jwt` the token that names its public key, if the server asks."""

    ping_interval: float | None = 60.0

    def __init__(self, jwt: str = "", seed: str = "", tls_required: bool = True) -> None:
        self._jwt = jwt
        self._seed = seed
        self._public_key = nkey.public_key(seed) if seed else ""
        self._tls_required = tls_required
        self._greeted = False
        self._open = False
        self._broken = False
        self._buffer = bytearray()
        self._scanned = 0
        self._last_sid = 0
        self._sids: dict[str, int] = {}

    def start(self) -> Iterable[Framed]:
        """The server speaks first."""
        return ()

    def feed(self, data: Wire) -> Iterator[Framed]:
        if self._broken:
            yield Closed("the NATS stream is damaged")
            return
        self._buffer += data.encode(errors="surrogatepass") if isinstance(data, str) else data
        try:
            while (item := self._next()) is not None:
                yield from self._command(item) if isinstance(item, bytes) else (item,)
        except DecodeError:
            self._broken = True
            raise

    def _next(self) -> bytes | NatsMessage | None:
        """The first whole message or command line, taken out of the buffer."""
        buffer = self._buffer
        if (end := self._line_end()) < 0:
            return None
        line, start = bytes(buffer[:end]), end + len(_CRLF)
        if (head := _head(line)) is None:
            self._drop(start)
            return line
        stop = start + head.size
        if len(buffer) < stop + len(_CRLF):
            return None
        if buffer[stop : stop + len(_CRLF)] != _CRLF:
            raise DecodeError("NATS message does not end where its head says")
        payload = bytes(buffer[start + head.headers : stop])
        self._drop(stop + len(_CRLF))
        return NatsMessage(head.subject, payload)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._scanned = 0

    def _line_end(self) -> int:
        """Where the first line ends, -1 while it has not; bytes seen once are not searched again."""
        end = self._buffer.find(_CRLF, self._scanned)
        if end < 0:
            self._scanned = max(len(self._buffer) - 1, 0)
        if (end if end >= 0 else len(self._buffer)) > MAX_LINE:
            raise DecodeError(f"NATS line longer than {MAX_LINE} bytes")
        return end

    def _command(self, line: bytes) -> Iterator[Framed]:
        verb, _, rest = line.partition(b" ")
        match verb.upper():
            case b"PING":
                yield Out(b"PONG\r\n")
            case b"PONG":
                if not self._open:
                    self._open = True
                    yield Opened()
            case b"INFO":
                yield from self._info(rest)
            case b"-ERR":
                yield self._error(rest.decode(errors="replace").strip(" '"))
            case b"+OK":
                pass
            case _:
                raise DecodeError(f"unknown NATS command {line[:20]!r}")

    def _info(self, text: bytes) -> Iterator[Framed]:
        """The first one asks for our login; later ones tell of changes in the server's cluster."""
        try:
            info = msgspec.json.decode(text, type=_Info)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise DecodeError(f"NATS INFO is unreadable: {error}") from None
        if self._greeted:
            return
        self._greeted = True
        login: dict[str, Any] = {
            "verbose": False,
            "pedantic": False,
            "tls_required": self._tls_required,
            "protocol": 1,
            "lang": "python3",
            "version": sangam.__version__,
            "headers": True,
            "no_responders": True,
            "echo": True,
        }
        if self._jwt:
            login["jwt"] = self._jwt
        if self._seed:
            login["nkey"] = self._public_key
            login["sig"] = base64.b64encode(nkey.sign(self._seed, info.nonce.encode())).decode()
        yield Out(b"CONNECT " + msgspec.json.encode(login) + b"\r\nPING\r\n")

    def _error(self, text: str) -> Framed:
        if (forbidden := _FORBIDDEN_SUBJECT.search(text)) is not None:
            self._sids.pop(forbidden[1], None)
            return Granted(refused=(forbidden[1],))
        return Closed(f"NATS: {text}", auth=any(words in text.lower() for words in _DEAD_CREDENTIAL))

    def encode(self, command: Command) -> Iterable[Wire]:
        lines = []
        if isinstance(command, NatsSubscribe):
            for subject in command.subjects:
                if subject not in self._sids:
                    self._last_sid += 1
                    self._sids[subject] = self._last_sid
                    lines.append(f"SUB {subject} {self._last_sid}\r\n")
        elif isinstance(command, NatsUnsubscribe):
            lines = [f"UNSUB {self._sids.pop(subject)}\r\n" for subject in command.subjects if subject in self._sids]
        else:
            raise TypeError(f"NATS carries subscriptions, not {type(command).__name__}")
        return ("".join(lines).encode(),) if lines else ()

    def ping(self) -> Iterable[Wire]:
        return (b"PING\r\n",)


class _Head(NamedTuple):
    """The line of a MSG or HMSG; sizes are bytes, `size` counts headers and payload together."""

    subject: str
    headers: int
    size: int


def _head(line: bytes) -> _Head | None:
    """None for commands that carry no payload."""
    verb, *words = line.split() or (b"",)
    numbers = {b"MSG": 1, b"HMSG": 2}.get(verb.upper())
    if numbers is None:
        return None
    sizes = words[-numbers:]
    if len(words) - numbers not in (2, 3) or not all(size.isdigit() and len(size) < 9 for size in sizes):
        raise DecodeError(f"damaged NATS message head {line[:80]!r}")
    headers, size = (int(sizes[0]) if numbers == 2 else 0), int(sizes[-1])
    if not headers <= size <= MAX_PAYLOAD:
        raise DecodeError(f"NATS message of {size} bytes with {headers} bytes of headers")
    try:
        return _Head(words[0].decode(), headers, size)
    except UnicodeDecodeError:
        raise DecodeError("NATS subject is not UTF-8") from None
