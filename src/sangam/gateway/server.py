"""The WebSocket server: sockets, TLS, keep-alive, closing. What is said on them is the session's business."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from ssl import SSLContext
from typing import cast
from urllib.parse import parse_qs

from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from sangam.feed.port import Dialect, FeedPort
from sangam.feed.trace import Tell
from sangam.listening import listen
from sangam.model.clock import Clock, SystemClock
from sangam.model.errors import AuthError
from sangam.model.histogram import Histogram
from sangam.model.identity import Identity
from sangam.orders.ports import Actions

from .hub import Hub
from .session import Services, Session
from .settings import Close, GatewaySettings

log = logging.getLogger("sangam.gateway")
_wire_log = logging.getLogger("sangam.gateway.wire")
_wire_log.setLevel(logging.WARNING)

_FAREWELL_SECONDS = 1.0
_NOT_A_WEBSOCKET = b"This port speaks WebSocket. REST is on the API port; see docs/websocket.md.\n"


class _LoopTimers:
    """The running loop, looked up when it is needed: the hub is built before there is one."""

    def call_soon(self, callback: Callable[[], object], /) -> object:
        return asyncio.get_running_loop().call_soon(callback)

    def call_later(self, delay: float, callback: Callable[[], object], /) -> object:
        return asyncio.get_running_loop().call_later(delay, callback)


class Gateway:
    """Serves clients of one feed. `hub` is the sink that the feed tells its updates to."""

    def __init__(
        self,
        feed: FeedPort,
        authenticate: Callable[[str], Identity],
        *,
        brokers: list[str],
        settings: GatewaySettings | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings or GatewaySettings()
        self.clock = clock or SystemClock()
        self.hub = Hub(self.settings, self.clock, _LoopTimers())
        self.services = Services(feed, self.hub, authenticate, brokers, self.settings, self.clock)
        self.connections: set[Connection] = set()
        self.cut = 0
        self._server: asyncio.Server | None = None
        self._sweep_handle: asyncio.TimerHandle | None = None
        self._deserted = asyncio.Event()
        self._connected_ever = 0

    def attach_orders(self, orders: Actions) -> None:
        """From now on clients may act on orders and resume their events."""
        self.services.orders = orders

    @property
    def clients(self) -> int:
        return len(self.connections)

    @property
    def written(self) -> Histogram:
        """How long what was due to clients took to be written."""
        return self.hub.delivery.written

    async def start(
        self,
        host: str,
        port: int,
        ssl_context: SSLContext | None = None,
        *,
        auto_port: bool = False,
        shared: bool = False,
    ) -> int:
        """Listen, and return the port really bound. Raises `ConfigError` when it is taken. With `shared` other gateways
        of ours may listen there as well."""
        listener = listen(host, port, "WEBSOCKET", auto_port=auto_port, shared=shared)
        settings = self.settings
        self._server = await ws_create_server(
            self._accept,
            sock=listener,
            ssl=ssl_context,
            logger_name=_wire_log,
            max_frame_size=settings.max_message,
            read_buffer_init_size=2048,
        )
        self._sweep()
        bound: int = listener.getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Take no more clients, say goodbye to those there are (1001), release all wants."""
        if self._server is None:
            return
        self._server.close()
        if self._sweep_handle is not None:
            self._sweep_handle.cancel()
        for connection in tuple(self.connections):
            connection.close(WSCloseCode.GOING_AWAY.value, "server shutting down")
        if self.connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._deserted.wait(), _FAREWELL_SECONDS)
        for connection in tuple(self.connections):
            connection.abort()
        self.hub.chores.finish()
        await self._server.wait_closed()
        self._server = None

    def revoke(self, key_id: str) -> None:
        """An API key is no longer valid: its sockets are closed."""
        for connection in tuple(self.connections):
            identity = connection.session.identity if connection.session is not None else None
            if identity is not None and identity.key_id == key_id:
                connection.close(Close.AUTH, "API key revoked")

    def renew(self, user: str, identity: Callable[[str], Identity]) -> None:
        """A user's accounts or defaults changed. `identity` is what a key stands for now; it raises `AuthError`."""
        for connection in tuple(self.connections):
            session = connection.session
            if session is not None and session.identity is not None and session.identity.user == user:
                with suppress(AuthError):  # revoked in this moment: the socket is being closed
                    session.renew(identity(session.identity.key_id))

    def trace(self, symbol: str, exchange: str, tell: Tell | None) -> None:
        """Tell what is written of an instrument, to whomever; None ends it."""
        self.hub.trace(symbol, exchange, tell)

    def trace_key(self, key_id: str, tell: Tell | None) -> None:
        """Tell every message from and to the clients of a key, those that come later included; None ends it."""
        if tell is None:
            self.services.traced.pop(key_id, None)
        else:
            self.services.traced[key_id] = tell
        for connection in self.connections:
            if connection.session is not None:
                connection.session.trace()

    def metrics(self) -> dict[str, int]:
        return {
            **self.hub.metrics(),
            "connections": len(self.connections),
            "connections_total": self._connected_ever,
            "cut_total": self.cut,
        }

    def entered(self, connection: Connection) -> None:
        self.connections.add(connection)
        self._deserted.clear()
        self._connected_ever += 1

    def left(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if not self.connections:
            self._deserted.set()

    def _accept(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener:
        """Any path is served. Some browsers send ``Connection: keep-alive, Upgrade``, which picows does not know."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            response = WSUpgradeResponse.create_error_response(
                426, _NOT_A_WEBSOCKET, {"Upgrade": "websocket", "Content-Type": "text/plain; charset=utf-8"}
            )
            return WSUpgradeResponseWithListener(response, None)
        if "upgrade" in request.headers.get("Connection", "").lower():
            request.headers["Connection"] = "Upgrade"
        query = parse_qs(request.path.decode("latin-1").partition("?")[2])
        return Connection(self, Dialect.FLAT if query.get("format") == ["flat"] else Dialect.CANONICAL)

    def _sweep(self) -> None:
        settings = self.settings
        shortest = min(settings.ping_interval, settings.ping_timeout, settings.auth_grace, settings.stuck_seconds)
        self._sweep_handle = asyncio.get_running_loop().call_later(min(1.0, shortest / 4), self._sweep)
        now = self.clock.monotonic()
        for connection in tuple(self.connections):
            connection.check(now)


class Connection(WSListener):
    """One socket: fragments joined, pings, and an orderly end."""

    __slots__ = (
        "_closing",
        "_dialect",
        "_gateway",
        "_heard_at",
        "_opened_at",
        "_partial",
        "_pinged_at",
        "_raw",
        "_transport",
        "peer",
        "session",
        "write",
    )

    _transport: WSTransport
    _raw: asyncio.Transport
    write: Callable[[bytes], object]

    def __init__(self, gateway: Gateway, dialect: Dialect) -> None:
        super().__init__()
        self.peer = "?"
        self.session: Session | None = None
        self._gateway = gateway
        self._dialect = dialect
        self._partial: bytearray | None = None
        self._closing = False
        self._opened_at = self._heard_at = self._pinged_at = gateway.clock.monotonic()

    # What picows tells

    def on_ws_connected(self, transport: WSTransport) -> None:
        gateway = self._gateway
        self._transport = transport
        self._raw = transport.underlying_transport
        self.write = self._raw.write
        high = gateway.settings.write_high
        self._raw.set_write_buffer_limits(high=high, low=high // 4)
        address = self._raw.get_extra_info("peername") or ("?",)
        self.peer = ":".join(map(str, address[:2]))
        self.session = Session(gateway.services, self, self._dialect)
        gateway.entered(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self._heard_at = self._gateway.clock.monotonic()
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            self._farewell(frame)
        elif kind in (WSMsgType.PING, WSMsgType.PONG) or self._closing or self.session is None:
            return
        else:
            data = self._whole(frame)
            if data is not None:
                self.session.receive(data)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._closing = True
        self._end(flush=False)
        self._gateway.left(self)

    def pause_writing(self) -> None:
        if self.session is not None:
            self._gateway.hub.delivery.pause(self.session.outbox)

    def resume_writing(self) -> None:
        if self.session is not None:
            self._gateway.hub.delivery.resume(self.session.outbox)

    # What sessions and the sweep ask

    def unsent(self) -> int:
        return self._raw.get_write_buffer_size()

    def close(self, code: int, reason: str) -> None:
        """Say why, then wait a moment for the client's answer: a socket closed with unread input is reset, and the
        client would never read the reason."""
        if self._closing:
            return
        self._closing = True
        if code == Close.SLOW_CONSUMER:
            self._gateway.cut += 1
        self._end(flush=True)
        self._transport.send_close(cast(WSCloseCode, code), reason)
        asyncio.get_running_loop().call_later(_FAREWELL_SECONDS, self.abort)

    def close_later(self, delay: float, code: int, reason: str) -> None:
        asyncio.get_running_loop().call_later(delay, self.close, code, reason)

    def abort(self) -> None:
        if not self._transport.is_disconnected:
            self._raw.abort()

    def check(self, now: float) -> None:
        """Enforce the deadlines: authentication, reading, answering pings."""
        session, settings = self.session, self._gateway.settings
        if session is None or self._closing:
            return
        paused_at = session.outbox.paused_at
        if session.identity is None and now - self._opened_at > settings.auth_grace:
            self.close(Close.AUTH, "auth timeout")
        elif paused_at is not None:
            if now - paused_at > settings.stuck_seconds:
                session.cut(f"nothing read for {settings.stuck_seconds:g} s")
        elif self._heard_at < self._pinged_at and now - self._pinged_at > settings.ping_timeout:
            log.info("Client %s closed: no answer to a ping for %g s", self.peer, settings.ping_timeout)
            self.close(WSCloseCode.INTERNAL_ERROR.value, "keepalive ping timeout")
        elif self._heard_at >= self._pinged_at and now - self._pinged_at >= settings.ping_interval:
            self._pinged_at = now
            self._transport.send_ping()

    def _whole(self, frame: WSFrame) -> bytes | None:
        """The message that this frame completes, if it does and is not too long."""
        settings, session = self._gateway.settings, self.session
        unknown = session is None or session.identity is None
        limit = settings.max_message_unauthenticated if unknown else settings.max_message
        partial = self._partial
        if frame.payload_size + (len(partial) if partial else 0) > limit:
            self.close(WSCloseCode.MESSAGE_TOO_BIG.value, f"a message may have {limit} bytes")
            return None
        if (frame.msg_type == WSMsgType.CONTINUATION) != (partial is not None):
            self.close(WSCloseCode.PROTOCOL_ERROR.value, "fragments out of order")
            return None
        data = frame.get_payload_as_bytes()
        if partial is None:
            if frame.fin:
                return data
            self._partial = bytearray(data)
            return None
        partial += data
        if not frame.fin:
            return None
        self._partial = None
        return bytes(partial)

    def _farewell(self, frame: WSFrame) -> None:
        if not self._closing:
            self._closing = True
            self._end(flush=True)
            self._transport.send_close(WSCloseCode.OK)
        self._transport.disconnect()

    def _end(self, flush: bool) -> None:
        if self.session is not None:
            session, self.session = self.session, None
            session.end(flush)
