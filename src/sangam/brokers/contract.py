"""What a broker is: tables plus pure functions.

*Operations* are generators that yield `Request`s (or a list of them, run side by side) and receive payloads; they do no
I/O and run under any driver. *Streams* open endpoints and make one *codec* per socket; a codec turns messages into
events and a wanted set into effects. Clock and randomness come in as `Ctx`; credentials and hosts as `Session`."""

from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import msgspec

from sangam.model.enums import Exchange, Mode
from sangam.model.errors import BrokerError
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key, OrderUpdate, Patch

from .wire import Command, Message

T = TypeVar("T")


# --- who asks, and with what ------------------------------------------------------------------------------------------


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials an account holds now. `generation` rises at each login; `secrets` never leave the process.

    `secrets` holds what login gave (api_key, access_token, feed_token ...) and what the user stored; `hosts` overrides
    rows of the broker's host table (simulators, host look-ups); `client_id` is the broker's name for the user."""

    account: str
    broker: str
    generation: int
    client_id: str = ""
    secrets: Mapping[str, str] = {}
    hosts: Mapping[str, str] = {}
    expires_at: int | None = None

    def host(self, row: str, hosts: Mapping[str, str]) -> str:
        """A row of the broker's host table, unless this session has its own."""
        return self.hosts.get(row) or hosts[row]

    def __repr__(self) -> str:
        return f"Session(account={self.account!r}, broker={self.broker!r}, generation={self.generation})"


class Ctx(NamedTuple):
    """What purity may not reach for: the wall clock in epoch milliseconds, and random bytes."""

    now_ms: int
    random: Callable[[int], bytes]


# --- requests and operations ------------------------------------------------------------------------------------------


class _Empty(Enum):
    EMPTY = "empty"


EMPTY = _Empty.EMPTY
"""The payload of an answer that means "nothing there" (several brokers answer an empty book with an error)."""


class Request(msgspec.Struct, kw_only=True):
    """One HTTP call. `host` names a row of the host table, or is a whole ``https://`` base; at most one body is set.

    `auth` names the credential that `authorize` should use ("none" for public files); `effect` decides whether the
    driver may repeat it (reads) or never (writes); `lane` names the row of the limit table it counts against."""

    method: Literal["GET", "POST", "PUT", "DELETE", "PATCH"]
    host: str
    path: str
    query: Mapping[str, str | int | Sequence[str]] | None = None
    form: Mapping[str, str | int] | None = None
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = {}
    auth: str = "default"
    effect: Literal["read", "write"] = "read"
    reply: Literal["json", "text", "file"] = "json"
    lane: str = "default"


class WireRequest(msgspec.Struct, frozen=True):
    """A request as it will be sent: the body is encoded once, and `authorize` sees exactly these bytes."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes


class Reply(msgspec.Struct, frozen=True):
    """What came back. `payload` is decoded as the request asked: JSON, text, or the bytes of a file."""

    status: int
    headers: Mapping[str, str]
    payload: Any


Operation = Generator[Request | list[Request], Any, T]
Authorize = Callable[[Session, Request, WireRequest, Ctx], Mapping[str, str]]
Check = Callable[[Request, Reply], Any]
"""The one place that knows the envelope: returns the payload or EMPTY, or raises a BrokerError. `Refused` only with
evidence; any other failed or odd reply to a write, HTTP 200 included, is `Unknown`."""


def done(value: T) -> Operation[T]:
    """An operation that asks nothing (a stream whose endpoint is known beforehand)."""
    return value
    yield  # makes this function a generator


# --- streams ----------------------------------------------------------------------------------------------------------


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how to open a socket. `framing` names the layer between bytes and codec, `framing_options` feed it.

    `url` is ``ws://``, ``wss://``, ``tcp://`` or ``tls://`` (the last two for framings that bring their own stream
    protocol). `facts` carries what the codec needs from the opening (ids, tokens). `dead_credential` lists the HTTP
    statuses of the upgrade and the WebSocket close codes that mean "log in again"."""

    url: str
    headers: Mapping[str, str] = {}
    framing: Literal["plain", "socketio", "nats", "mqtt"] = "plain"
    framing_options: Mapping[str, Any] = {}
    facts: Mapping[str, Any] = {}
    dead_credential: frozenset[int] = frozenset({401, 403})

    def __repr__(self) -> str:
        return f"Endpoint(url={self.url.split('?', 1)[0]!r}, framing={self.framing!r})"


@dataclass(frozen=True)
class Send:
    """Effect: hand this command to the framing. `keys` are the instruments whose fate hangs on it."""

    command: Command
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Call:
    """Effect: run an operation; its result goes to `Codec.replied`, its failure to `Codec.failed`."""

    operation: Operation[Any]
    keys: tuple[Key, ...] = ()
    purpose: str = ""


Effect = Send | Call


class Confirmed(msgspec.Struct, frozen=True):
    """The broker took these subscriptions (or the wire has no answer and they were sent)."""

    keys: tuple[Key, ...]


class Refusal(msgspec.Struct, frozen=True):
    """The broker refused one subscription."""

    key: Key
    reason: str


class LoggedIn(msgspec.Struct, frozen=True):
    """The socket's own login succeeded; subscriptions may follow."""


class AuthExpired(msgspec.Struct, frozen=True):
    """The credential is dead. The loop stops until a new session generation."""

    reason: str


class Replaced(msgspec.Struct, frozen=True):
    """Somebody else took the session. The loop stops until a new session generation."""

    reason: str


class LimitChanged(msgspec.Struct, frozen=True):
    """The broker told that this socket may carry only so many instruments."""

    symbols: int


class BooksChanged(msgspec.Struct, frozen=True):
    """Orders or positions changed without detail: read the books."""


class Notice(msgspec.Struct, frozen=True):
    """A text of the broker for the log."""

    level: Literal["info", "warning", "error"]
    text: str


Event = (
    Patch | OrderUpdate | Confirmed | Refusal | LoggedIn | AuthExpired | Replaced | LimitChanged | BooksChanged | Notice
)
Result = Event | Effect


class Codec(Protocol):
    """One per socket and connection; holds only what decoding needs. Bad bytes raise DecodeError and nothing else."""

    def opened(self) -> Iterable[Result]:
        """The socket is up: what to say first (a login frame), or LoggedIn at once."""
        ...

    def update(self, wanted: Mapping[Key, Level]) -> Iterable[Result]:
        """The whole set this socket should carry now; emits what differs from the last call, within batch caps."""
        ...

    def received(self, message: Message) -> Iterable[Result]:
        """One message of the framing."""
        ...

    def replied(self, call: Call, payload: Any) -> Iterable[Result]:
        """The result of a `Call` of this codec."""
        ...

    def failed(self, call: Call, error: BrokerError) -> Iterable[Result]:
        """A `Call` of this codec failed."""
        ...

    def heartbeat(self) -> Iterable[Result]:
        """Called every `Stream.heartbeat` seconds."""
        ...


class BaseCodec:
    """The answers of a wire that needs nothing special; `received` and `update` are each codec's own.

    Remembers what was last wanted in `sent`, so that `changes` can tell a difference."""

    sent: dict[Key, Level]

    def __init__(self) -> None:
        self.sent = {}

    def opened(self) -> Iterable[Result]:
        return (LoggedIn(),)

    def replied(self, call: Call, payload: Any) -> Iterable[Result]:
        return ()

    def failed(self, call: Call, error: BrokerError) -> Iterable[Result]:
        return [Refusal(key, str(error)) for key in call.keys]

    def heartbeat(self) -> Iterable[Result]:
        return ()

    def changes(self, wanted: Mapping[Key, Level]) -> "Changes":
        """What differs from the last call, which is remembered as sent."""
        sent = self.sent
        added = [key for key in wanted if key not in sent]
        changed = [key for key, level in wanted.items() if key in sent and sent[key] != level]
        removed = [key for key in sent if key not in wanted]
        self.sent = dict(wanted)
        return Changes(added, changed, removed)


class Changes(NamedTuple):
    added: list[Key]
    changed: list[Key]
    removed: list[Key]


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Slices of at most `size`, in order."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


@dataclass(frozen=True)
class Carries:
    """What a stream can tell: modes with their depth levels, exchanges, and account news. `book_only` streams tell
    nothing but the book; prices and volumes of the same instrument come from another stream of the broker."""

    modes: Mapping[Mode, tuple[int, ...]] = field(default_factory=dict)
    exchanges: frozenset[Exchange] = frozenset()
    orders: bool = False
    book_only: bool = False

    def serves(self, instrument: Instrument, level: Level) -> bool:
        return instrument.exchange in self.exchanges and level.mode in self.modes

    def granted(self, level: Level) -> Level:
        """The nearest level on offer: the smallest book that is deep enough, else the deepest."""
        if level.mode is not Mode.DEPTH:
            return Level(level.mode)
        depths = sorted(self.modes[Mode.DEPTH])
        return Level(level.mode, next((depth for depth in depths if depth >= level.depth), depths[-1]))


@dataclass(frozen=True)
class StreamLimits:
    """The broker's figures. Streams that name the same `group` share its socket budget."""

    symbols_per_socket: int
    sockets: int
    group: str = ""


def _no_cost(instrument: Instrument, level: Level) -> int:
    return 1


def _one_part(instrument: Instrument, level: Level) -> Hashable:
    return None


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One kind of socket of a broker. Times are seconds.

    `key` names an instrument as this stream's frames do (None: not carried). `silence` is how long a healthy socket may
    say nothing at all (heartbeats included) before it is taken for dead; None where the wire has no heartbeat and
    quiet is normal. `linger` is how long the last want is kept after its client left."""

    name: str
    carries: Carries
    open: Callable[[Session, Ctx], Operation[Endpoint]]
    codec: Callable[[Session, Endpoint, Ctx], Codec]
    key: Callable[[Instrument], Key | None]
    limits: StreamLimits
    opens: Literal["on_want", "with_session"] = "on_want"
    cost: Callable[[Instrument, Level], int] = _no_cost
    partition: Callable[[Instrument, Level], Hashable] = _one_part
    silence: float | None = None
    heartbeat: float | None = None
    ping: float | None = None
    linger: float = 5.0
    cooldown: float = 0.0
    login_timeout: float = 10.0


# --- instruments and login --------------------------------------------------------------------------------------------


class RowRefused(msgspec.Struct, frozen=True):
    """One row of a master file that was not taken, with a countable reason."""

    reason: str
    row: str = ""


@dataclass(frozen=True)
class Instruments:
    """How to get and read a broker's master: `download` yields the files, `parse` their rows (in a child process)."""

    download: Callable[[Session, Ctx], Operation[list[bytes]]]
    parse: Callable[[Sequence[bytes]], Iterator[Instrument | RowRefused]]


class FieldKind(StrEnum):
    TEXT = "text"
    SECRET = "secret"  # noqa: S105 - the kind of a form field


@dataclass(frozen=True)
class LoginField:
    """One thing the user must supply; `name` is its key in `Session.secrets`."""

    name: str
    label: str
    kind: FieldKind = FieldKind.SECRET
    required: bool = True


@dataclass(frozen=True)
class Login:
    """How a session is made. `check` is one harmless call that proves the credentials and tells the client id."""

    fields: tuple[LoginField, ...]
    check: Callable[[Session, Ctx], Operation[str]]


@dataclass(frozen=True)
class Limit:
    """At most `count` requests of a lane in any `window` seconds."""

    lane: str
    count: int
    window: float


@dataclass(frozen=True, kw_only=True)
class BrokerSpec:
    """Everything the house knows about a broker. `simulated` marks brokers whose market is our own exchange."""

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    hosts: Mapping[str, str]
    exchanges: frozenset[Exchange]
    login: Login
    authorize: Authorize
    check: Check
    streams: tuple[Stream, ...]
    instruments: Instruments
    limits: tuple[Limit, ...] = ()
    session_ends: str = ""
    simulated: bool = False
