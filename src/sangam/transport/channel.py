"""One open socket to a broker: WebSocket or raw stream, seen as "wire data in, wire data out".

Input goes straight from the receive buffer to the callback: no queue, no task."""

import asyncio
import contextlib
import socket
import ssl
from functools import cache
from typing import Protocol, cast
from urllib.parse import urlsplit

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSParsedURL,
    WSTransport,
    ws_connect,
)
from python_socks import ProxyError
from python_socks.async_.asyncio import Proxy

from sangam.brokers.contract import Endpoint
from sangam.model.errors import BrokerError, InvalidInput, NotSent, SessionExpired

from .egress import Egress, parse_egress
from .framing.base import Wire

CONNECT_TIMEOUT = 10.0
MAX_FRAME = 16 * 1024 * 1024


class Owner(Protocol):
    """Who hears of a channel. Neither call may raise."""

    def wire_data(self, data: Wire) -> None: ...

    def wire_closed(self, reason: str, auth: bool = False) -> None:
        """Told once, whoever closed; `auth` when the peer did so because the credential is dead."""
        ...


class Channel(Protocol):
    def send(self, data: Wire) -> None: ...

    def close(self) -> None:
        """Close now; nothing more is heard but `wire_closed`."""
        ...


async def open_channel(endpoint: Endpoint, owner: Owner, ping: float | None = None, egress: str = "") -> Channel:
    """Open the endpoint's socket, leaving from `egress` (see egress.py). Raises SessionExpired when the upgrade is
    refused with a status of the endpoint's `dead_credential`, NotSent when the peer or the proxy cannot be reached,
    BrokerError for any other refusal."""
    if endpoint.dial is not None:
        channel: Channel = await endpoint.dial(owner)
        return channel
    parts = urlsplit(endpoint.url)
    where = parts.netloc
    try:
        way = parse_egress(egress)
    except InvalidInput as error:
        raise NotSent(str(error)) from None
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            if parts.scheme in ("ws", "wss"):
                return await _open_websocket(endpoint, owner, ping, way)
            return await _open_stream(parts.scheme == "tls", parts.hostname or "", parts.port or 0, owner, way)
    except WSHandshakeError as error:
        status = error.response.status if error.response else None
        if status is not None and status in endpoint.dead_credential:
            raise SessionExpired(f"{where} refused the socket: HTTP {int(status)}", str(int(status))) from None
        raise BrokerError(f"{where} refused the socket: {f'HTTP {int(status)}' if status else error}") from None
    except ProxyError as error:
        raise NotSent(f"{where} cannot be reached: {way} says {error}") from None
    except TimeoutError:
        raise NotSent(f"{where} did not answer within {CONNECT_TIMEOUT:g} s") from None
    except OSError as error:
        raise NotSent(f"{where} cannot be reached: {error.strerror or error}") from None
    except (WSError, ValueError) as error:
        # The text of these repeats the URL, which may hold a token.
        raise BrokerError(f"{where or 'the stream'} is no usable address ({type(error).__name__})") from None


# --- WebSocket --------------------------------------------------------------------------------------------------------


class _WebSocket(WSListener):
    """Joins fragments and forwards text and binary messages."""

    def __init__(self, owner: Owner, dead_credential: frozenset[int]) -> None:
        self._owner = owner
        self._dead_credential = dead_credential
        self._transport: WSTransport | None = None
        self._whole = bytearray()
        self._text = False
        self._closing = self._abandoned = False
        self._farewell: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None

    async def dial(self, url: WSParsedURL, local: tuple[str, int] | None) -> socket.socket:
        """The TCP connection of an upgrade, kept here for `abandon`: picows gives none away before it is answered."""
        loop, fault = asyncio.get_running_loop(), OSError(f"{url.host} has no address")
        for family, kind, protocol, _, address in await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM):
            line = socket.socket(family, kind, protocol)
            try:
                line.setblocking(False)
                if local is not None:
                    line.bind(local)
                await loop.sock_connect(line, address)
            except OSError as error:
                line.close()
                fault = error
            except BaseException:
                line.close()
                raise
            else:
                self._socket = line
                return line
        raise fault

    @property
    def connected(self) -> bool:
        """Whether the upgrade was answered; picows tells nothing when the peer hangs up before."""
        return self._transport is not None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        if self._abandoned:
            self.close()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self._closing:
            return
        kind = frame.msg_type
        if kind is WSMsgType.BINARY or kind is WSMsgType.TEXT:
            data = frame.get_payload_as_bytes()
            if frame.fin:
                self._owner.wire_data(data if kind is WSMsgType.BINARY else data.decode("utf-8", "replace"))
            else:
                self._text = kind is WSMsgType.TEXT
                self._whole = bytearray(data)
        elif kind is WSMsgType.CONTINUATION:
            self._whole += frame.get_payload_as_bytes()
            if len(self._whole) > MAX_FRAME:
                transport.disconnect()
            elif frame.fin:
                whole = bytes(self._whole)
                self._whole.clear()
                self._owner.wire_data(whole.decode("utf-8", "replace") if self._text else whole)
        elif kind is WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        handshake = transport.close_handshake
        told = handshake.recv if handshake else None
        reason = _goodbye(told.code.value, told.reason) if told else "connection lost"
        auth = told is not None and told.code.value in self._dead_credential
        if not self._abandoned:
            self._owner.wire_closed("closed by us" if self._closing else reason, auth and not self._closing)
        # picows keeps a protocol error for whoever waits for the end; taken here, lest the loop log it as unhandled.
        self._farewell = asyncio.create_task(transport.wait_disconnected(), name="farewell")
        self._farewell.add_done_callback(lambda task: task.cancelled() or task.exception())

    def send(self, data: Wire) -> None:
        if self._transport is not None:
            kind = WSMsgType.TEXT if isinstance(data, str) else WSMsgType.BINARY
            self._transport.send(kind, data.encode() if isinstance(data, str) else data)

    def abandon(self) -> None:
        """Nobody waits for it any more: it ends at once, also where its loop is about to stop, and its owner hears
        nothing of it."""
        self._abandoned = True
        self.close()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def hang_up(self) -> None:
        """Nothing came of it. A transport has closed its socket by now; one that was reset before has none."""
        if self._socket is not None:
            self._socket.close()

    def close(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect(graceful=False)


async def _open_websocket(endpoint: Endpoint, owner: Owner, ping: float | None, way: Egress) -> Channel:
    websocket = _WebSocket(owner, endpoint.dead_credential)
    try:
        await ws_connect(
            lambda: websocket,
            endpoint.url,
            extra_headers=dict(endpoint.headers),
            max_frame_size=MAX_FRAME,
            max_redirects=2,
            websocket_handshake_timeout=CONNECT_TIMEOUT,  # its own is shorter
            enable_auto_ping=ping is not None,
            auto_ping_idle_timeout=ping or CONNECT_TIMEOUT,
            auto_ping_reply_timeout=ping or CONNECT_TIMEOUT,
            logger_name="client",
            proxy=way.proxy,
            socket_factory=lambda url: websocket.dial(url, way.local),
        )
    except asyncio.CancelledError:  # also after a timeout: the upgrade may be answered yet
        websocket.abandon()
        raise
    except OSError:
        websocket.hang_up()
        raise
    if not websocket.connected:
        raise ConnectionResetError("the connection was closed before the upgrade was answered")
    return websocket


def _goodbye(code: int, reason: str | None) -> str:
    told = f"{code or ''} {reason or ''}".strip()
    return f"closed by the broker ({told})" if told else "closed by the broker"


# --- raw stream -------------------------------------------------------------------------------------------------------


class _Stream(asyncio.Protocol):
    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self._closing:
            self._owner.wire_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.wire_closed("closed by us" if self._closing else f"connection lost: {exc or 'end of stream'}")

    def send(self, data: Wire) -> None:
        if self._transport is not None:
            self._transport.write(data.encode() if isinstance(data, str) else data)

    def close(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.abort()


@cache
def _tls() -> ssl.SSLContext:
    """One for the process: reading all certificate authorities takes tens of milliseconds."""
    return ssl.create_default_context()


async def _open_stream(tls: bool, host: str, port: int, owner: Owner, way: Egress) -> Channel:
    loop = asyncio.get_running_loop()
    context = _tls() if tls else None
    if way.proxy is not None:
        tunnel = await Proxy.from_url(way.proxy).connect(host, port)
        name = host if tls else None
        _, protocol = await loop.create_connection(
            lambda: _Stream(owner), sock=tunnel, ssl=context, server_hostname=name
        )
    else:
        _, protocol = await loop.create_connection(
            lambda: _Stream(owner), host, port, ssl=context, local_addr=way.local
        )
    return protocol
