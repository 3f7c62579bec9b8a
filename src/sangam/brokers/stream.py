"""The half of the contract that listens: streams, codecs, and what they tell and want."""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import msgspec

from sangam.model.enums import Exchange, Mode
from sangam.model.errors import BrokerError
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key, Patch
from sangam.model.order import OrderUpdate

from .operation import Ctx, Operation, Session
from .wire import Command, Message

T = TypeVar("T")


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how to open a socket. `framing` names the layer between bytes and codec, `framing_options` feed it.

    `url` is ``ws://``, ``wss://``, ``tcp://`` or ``tls://`` (the last two for framings that bring their own stream
    protocol). `facts` carries what the codec needs from the opening (ids, tokens). `dead_credential` lists the HTTP
    statuses of the upgrade and the WebSocket close codes that mean "log in again". `dial` opens a line that is none of
    the network's (a program in this process speaks to the broker): it takes who hears of the channel, and answers with
    the channel (`transport.channel`); then the URL is only a name."""

    url: str
    headers: Mapping[str, str] = {}
    framing: Literal["plain", "socketio", "nats", "mqtt"] = "plain"
    framing_options: Mapping[str, Any] = {}
    facts: Mapping[str, Any] = {}
    dead_credential: frozenset[int] = frozenset({401, 403})
    dial: Callable[[Any], Awaitable[Any]] | None = None

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

    def follow(self, before: "Codec") -> None:
        """Called first of all where a socket takes the place of another one of its session: what outlives a socket can
        be had of that one's codec."""
        ...

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

    def follow(self, before: Codec) -> None:
        """Nothing outlives a socket."""

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


class NewsCodec(BaseCodec):
    """A socket that carries news of orders alone: no instrument is ever wanted of it."""

    def update(self, wanted: Mapping[Key, Level]) -> Iterable[Result]:
        return ()

    def received(self, message: Message) -> Iterable[Result]:
        raise NotImplementedError


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
    """The broker's figures. Streams that name the same `group` share its socket budget, the largest `sockets` of them;
    each keeps its own figure, too."""

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

    `auth` names the credential of its sockets, as that of a request does: the end of one that is not the "default"
    ends no orders. `key` names an instrument as this stream's frames do (None: not carried). `silence` is how long
    a healthy socket may say nothing at all (heartbeats included) before it is taken for dead; None where the wire
    has no heartbeat and quiet is normal. `ping` is how often the transport asks for a sign of life: by WebSocket's
    ping, or by that of the framing, which has a pace of its own unless this names one. `linger` is how long the
    last want is kept after its client left. `stays` says that the first socket is kept when nothing is wanted of it
    any more: where subscriptions outlive a socket, somebody must be there to leave them."""

    name: str
    carries: Carries
    open: Callable[[Session, Ctx], Operation[Endpoint]]
    codec: Callable[[Session, Endpoint, Ctx], Codec]
    key: Callable[[Instrument], Key | None]
    limits: StreamLimits
    auth: str = "default"
    opens: Literal["on_want", "with_session"] = "on_want"
    stays: bool = False
    cost: Callable[[Instrument, Level], int] = _no_cost
    partition: Callable[[Instrument, Level], Hashable] = _one_part
    silence: float | None = None
    heartbeat: float | None = None
    ping: float | None = None
    linger: float = 5.0
    cooldown: float = 0.0
    login_timeout: float = 10.0


def news_stream(
    open: Callable[[Session, Ctx], Operation[Endpoint]],
    codec: Callable[[Session, Endpoint, Ctx], Codec],
    **times: float | None,
) -> Stream:
    """A broker's socket for news of orders; `times` are fields of `Stream` (silence, heartbeat, ping)."""
    return Stream(
        name="orders",
        carries=Carries(orders=True),
        open=open,
        codec=codec,
        key=lambda instrument: None,
        limits=StreamLimits(symbols_per_socket=1, sockets=1),
        opens="with_session",
        **times,  # type: ignore[arg-type]
    )
