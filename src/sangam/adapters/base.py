"""The base class of adapters: what one has to offer, and what it is given.

Names and arguments are those that adapters of the reference implementation are written against."""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol, Self

import msgspec
import zmq

from sangam.bus.topic import Topic, topic_text
from sangam.model.enums import Exchange, Mode
from sangam.settings import load_settings

_LINGER_MS = 1000
_QUEUE = 1000
_ASKED = ("symbol", "exchange", "mode", "depth_level")


class Host(Protocol):
    """Who runs an adapter for somebody else. Called in any thread."""

    def opened(self) -> None: ...

    def closed(self, reason: str) -> None: ...


class Subscriptions(dict[Any, dict[str, Any]]):
    """What an adapter carries: (symbol, exchange, mode) to the same by name. Some adapters keep theirs as a set, so it
    can be added to and discarded from like one."""

    def add(self, key: tuple[Any, ...]) -> None:
        self[key] = dict(zip(_ASKED, key, strict=False))

    def discard(self, key: tuple[Any, ...]) -> None:
        self.pop(key, None)


class BaseBrokerWebSocketAdapter(ABC):
    """Symbols and exchanges are ours; `mode` is 1 LTP, 2 quote, 3 depth (4 means 3).

    `MAX_SYMBOLS` is how many instruments one connection carries, `DEPTH_LEVELS` which books it offers, `LOGIN_FIELDS`
    what its accounts are asked for: names that end in ``_token`` with each login, the others once. All of them come to
    `initialize` as `auth_data`. The attributes are there whether or not a subclass calls `super().__init__`."""

    MAX_SYMBOLS: int = 1000
    DEPTH_LEVELS: tuple[int, ...] = (5,)
    LOGIN_FIELDS: tuple[str, ...] = ("api_key", "client_id", "auth_token", "feed_token")

    broker_name: str
    user_id: str
    subscriptions: Subscriptions
    logger: logging.Logger
    lock: Any

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        self.broker_name = self.user_id = ""
        self.subscriptions = Subscriptions()
        self.logger = logging.getLogger(f"sangam.adapters.{cls.__name__}")
        self.lock = threading.RLock()
        self._connected = False
        self._host = None
        self._zmq_socket = None
        self._publishing = threading.RLock()
        return self

    _connected: bool
    _host: Host | None
    _zmq_socket: Any
    _publishing: Any

    # --- what an adapter offers ---------------------------------------------------------------------------------------

    @abstractmethod
    def initialize(self, broker_name: str, user_id: str, auth_data: dict[str, Any] | None = None) -> object:
        """Take the credentials; nothing is opened yet."""

    @abstractmethod
    def connect(self) -> dict[str, Any] | None:
        """Begin, and return. With ``{"status": "connecting"}`` or None, `on_open` or ``connected = True`` tells later
        that it is up; ``{"status": "error", "message": ...}`` is a failure, any other status says that it is up now."""

    @abstractmethod
    def subscribe(self, symbol: str, exchange: str, mode: int = 2, depth_level: int = 5) -> dict[str, Any] | None:
        """``{"status": "error", "message": ...}`` says that it is refused."""

    @abstractmethod
    def unsubscribe(self, symbol: str, exchange: str, mode: int = 2) -> dict[str, Any] | None: ...

    @abstractmethod
    def disconnect(self) -> None:
        """End, and leave nothing behind. The one here closes the ZeroMQ socket."""
        self._close_socket()

    # --- what its vendor's client calls -------------------------------------------------------------------------------

    def on_open(self, ws: Any = None) -> None:
        """The line is up: what was subscribed is subscribed again."""
        self.connected = True
        self.logger.info("connected")
        self._resubscribe_all()

    def on_data(self, ws: Any, data: Any) -> None:
        """A price (as `publish_to_zmq` takes it), or a list of them."""
        for row in data if isinstance(data, (list, tuple)) else (data,):
            self.publish_to_zmq(row)

    def on_close(self, ws: Any = None, code: Any = None, reason: Any = None) -> None:
        text = f"closed ({code or ''} {reason or ''})".replace("( ", "(").replace(" )", ")").replace(" ()", "")
        self.logger.info("%s", text)
        if self._host is not None:
            self._host.closed(text)
        self.connected = False

    def on_error(self, ws: Any, error: Any) -> None:
        self.logger.error("%s", error)

    def publish_to_zmq(self, data: Mapping[str, Any]) -> None:
        """Publish a price: ``symbol``, ``exchange``, ``ltp`` and what else is known. The topic names broker, exchange,
        symbol and mode; the mode is the data's own, else what its fields make of it. Any thread may call this.

        Raises ValueError for what is no price; the server counts that as a damaged message instead."""
        try:
            frames = [topic_of(data, self.broker_name).encode(), encode(data)]
        except ValueError:
            if self._host is None:
                raise
            frames = [b"", b""]
        with self._publishing:
            self.zmq_socket.send_multipart(frames)

    # --- attributes ---------------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        return self._connected

    @connected.setter
    def connected(self, up: bool) -> None:
        before, self._connected = self._connected, bool(up)
        if self._host is not None and before != self._connected:
            if self._connected:
                self._host.opened()
            else:
                self._host.closed("disconnected")

    @property
    def zmq_socket(self) -> Any:
        """A publisher that connects to ``tcp://ZMQ_HOST:ZMQ_PORT``, made when it is first used; whoever listens binds
        there. In the server it leads to the feed instead."""
        with self._publishing:
            if self._zmq_socket is None:
                settings = load_settings()
                made: zmq.Socket[bytes] = zmq.Context(io_threads=1).socket(zmq.PUB)
                made.setsockopt(zmq.LINGER, _LINGER_MS)
                made.setsockopt(zmq.SNDHWM, _QUEUE)
                made.connect(f"tcp://{settings.zmq_host}:{settings.zmq_port}")
                self._zmq_socket = made
            return self._zmq_socket

    @zmq_socket.setter
    def zmq_socket(self, socket: Any) -> None:
        self._zmq_socket = socket

    def _close_socket(self) -> None:
        """Of what stands in its place the server keeps hold: a late price must not open a socket."""
        with self._publishing:
            if isinstance(made := self._zmq_socket, zmq.Socket):
                self._zmq_socket = None
                context = made.context
                made.close()
                context.term()

    def _resubscribe_all(self) -> None:
        """Subclasses may keep records of their own, or tuples, in `subscriptions`."""
        with self.lock:
            held = self.subscriptions.values() if isinstance(self.subscriptions, Mapping) else self.subscriptions
            rows = [dict(zip(_ASKED, row, strict=False)) if isinstance(row, tuple) else row for row in held]
        for row in rows:
            self.subscribe(**{name: row[name] for name in _ASKED if name in row})


def topic_of(data: Mapping[str, Any], broker: str = "") -> str:
    """The topic of a price. Raises ValueError where it names no instrument of an exchange that we know."""
    symbol, exchange = (
        (data.get(name) for name in ("symbol", "exchange")) if isinstance(data, Mapping) else (None, None)
    )
    if not isinstance(symbol, str) or not symbol or exchange not in Exchange.__members__:
        raise ValueError("A price needs a 'symbol', and an 'exchange' that is one of ours.")
    return topic_text(Topic(symbol, str(exchange), _mode(data), broker=broker))


def _mode(data: Mapping[str, Any]) -> Mode:
    told = data.get("mode")
    if isinstance(told, int) and 1 <= told <= 4:
        return Mode(min(told, Mode.DEPTH))
    if isinstance(told, str) and told.upper() in Mode.__members__:
        return Mode[told.upper()]
    return Mode.DEPTH if data.get("depth") else Mode.QUOTE if "open" in data else Mode.LTP


def encode(data: Mapping[str, Any]) -> bytes:
    """As JSON; numbers of numerical libraries as their shortest text says. Raises ValueError."""
    try:
        return msgspec.json.encode(data, enc_hook=lambda value: float(str(value)))
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise ValueError(f"This price cannot be written: {error}") from error
