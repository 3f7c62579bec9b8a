"""Channels against servers that speak the raw protocol, well and badly."""

import asyncio
import base64
import gc
import hashlib
import socket
import struct
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.http_server import proxying
from tests.support import free_port, wait_for

from sangam.background import LoopThread
from sangam.brokers.contract import Endpoint
from sangam.model.errors import BrokerError, NotSent, SessionExpired
from sangam.transport import channel
from sangam.transport.channel import Channel, open_channel
from sangam.transport.framing.base import Wire

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


def frame(kind: int, payload: bytes = b"", fin: bool = True) -> bytes:
    """A server's frame: unmasked."""
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes([kind | (0x80 if fin else 0)]) + length + payload


def upgrade(head: bytes) -> bytes:
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n") if b": " in line)
    key = next(value for name, value in lines.items() if name.lower() == b"sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())  # noqa: S324
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


class Ears:
    """What a channel's owner hears."""

    def __init__(self) -> None:
        self.data: list[Wire] = []
        self.closed: list[str] = []
        self.dead = False

    def wire_data(self, data: Wire) -> None:
        self.data.append(data)

    def wire_closed(self, reason: str, auth: bool = False) -> None:
        self.closed.append(reason)
        self.dead = auth


class Peer:
    """The server's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        self.reader, self.writer, self.head = reader, writer, head

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def read_frame(self) -> tuple[int, bytes]:
        """One short frame of the client, unmasked."""
        first, second = await asyncio.wait_for(self.reader.readexactly(2), 5)
        mask = await self.reader.readexactly(4)
        masked = await self.reader.readexactly(second & 0x7F)
        return first & 0x0F, bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))


@asynccontextmanager
async def listening(answer: Callable[[bytes], bytes], stays: bool = True, raw: bool = False) -> AsyncIterator["Server"]:
    server = Server(answer, stays, raw)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        for peer in server.peers:
            peer.writer.transport.abort()
        listener.close()
        await listener.wait_closed()


class Server:
    def __init__(self, answer: Callable[[bytes], bytes], stays: bool, raw: bool) -> None:
        self.answer, self.stays, self.raw = answer, stays, raw
        self.port = 0
        self.peers: list[Peer] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b"" if self.raw else await reader.readuntil(b"\r\n\r\n")
        self.peers.append(Peer(reader, writer, head))
        writer.write(self.answer(head))
        if not self.stays:
            writer.close()

    async def open(
        self, ears: Ears, scheme: str = "ws", ping: float | None = None, egress: str = "", **fields: object
    ) -> Channel:
        url = f"{scheme}://127.0.0.1:{self.port}/feed?token=planted"
        return await open_channel(Endpoint(url=url, **fields), ears, ping, egress)  # type: ignore[arg-type]

    @property
    async def peer(self) -> Peer:
        await wait_for(lambda: self.peers, what="connection")
        return self.peers[-1]


# --- WebSocket --------------------------------------------------------------------------------------------------------


async def test_text_and_binary_in_both_directions_and_headers_on_the_upgrade() -> None:
    ears = Ears()
    async with listening(upgrade) as server:
        opened = await server.open(ears, headers={"Authorization": "token a:b"})
        peer = await server.peer
        assert b"GET /feed?token=planted HTTP/1.1" in peer.head
        assert b"Authorization: token a:b" in peer.head
        peer.send(frame(TEXT, "प्र".encode()) + frame(BINARY, b"\x00\xff") + frame(BINARY))
        await wait_for(lambda: len(ears.data) == 3)
        assert ears.data == ["प्र", b"\x00\xff", b""]
        opened.send("hello")
        opened.send(b"\x01\x02")
        assert await peer.read_frame() == (TEXT, b"hello")
        assert await peer.read_frame() == (BINARY, b"\x01\x02")
        opened.close()
        await wait_for(lambda: ears.closed == ["closed by us"])


async def test_fragments_are_joined_with_pings_between_them() -> None:
    ears = Ears()
    async with listening(upgrade) as server:
        opened = await server.open(ears)
        peer = await server.peer
        peer.send(frame(TEXT, b"\xe0\xa4", fin=False) + frame(PING, b"are you there"))
        peer.send(frame(CONTINUATION, b"\xaa", fin=False) + frame(CONTINUATION, b"!"))
        peer.send(frame(BINARY, b"ab", fin=False) + frame(CONTINUATION, b"cd"))
        assert await peer.read_frame() == (PONG, b"are you there")
        await wait_for(lambda: len(ears.data) == 2)
        assert ears.data == ["प!", b"abcd"]
        opened.close()


async def test_frames_glued_to_the_upgrade_are_heard() -> None:
    ears = Ears()
    async with listening(lambda head: upgrade(head) + frame(TEXT, b"first")) as server:
        opened = await server.open(ears)
        await wait_for(lambda: ears.data == ["first"])
        opened.close()


async def test_text_that_is_no_utf8_is_passed_on_as_damaged_text() -> None:
    ears = Ears()
    async with listening(lambda head: upgrade(head) + frame(TEXT, b"a\xff")) as server:
        opened = await server.open(ears)
        await wait_for(lambda: ears.data == ["a\ufffd"])
        opened.close()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ((4001).to_bytes(2, "big") + b"logged in elsewhere", "closed by the broker (4001 logged in elsewhere)"),
        ((1000).to_bytes(2, "big"), "closed by the broker (1000)"),
        (b"", "closed by the broker"),
    ],
)
async def test_the_brokers_goodbye_is_told_with_its_code(payload: bytes, reason: str) -> None:
    ears = Ears()
    async with listening(upgrade) as server:
        await server.open(ears)
        peer = await server.peer
        peer.send(frame(CLOSE, payload))
        await wait_for(lambda: ears.closed == [reason], what=reason)
        assert (await peer.read_frame())[0] == CLOSE
    assert not ears.dead


async def test_close_codes_and_statuses_that_mean_a_dead_credential_are_the_endpoints() -> None:
    ears = Ears()
    async with listening(lambda head: upgrade(head) + frame(CLOSE, (4001).to_bytes(2, "big"))) as server:
        await server.open(ears, dead_credential=frozenset({4001}))
        await wait_for(lambda: ears.dead, what="dead credential")
    answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    async with listening(lambda head: answer) as server:
        with pytest.raises(BrokerError, match="HTTP 403") as told:
            await server.open(Ears(), dead_credential=frozenset({401}))
        assert not isinstance(told.value, SessionExpired)


async def test_fragments_without_end_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "MAX_FRAME", 1000)
    ears = Ears()
    async with listening(upgrade) as server:
        await server.open(ears)
        peer = await server.peer
        peer.send(frame(TEXT, b"x" * 400, fin=False) + 2 * frame(CONTINUATION, b"x" * 400, fin=False))
        await wait_for(lambda: ears.closed == ["connection lost"])
    assert ears.data == []


async def test_a_peer_that_vanishes_is_told_once() -> None:
    ears = Ears()
    async with listening(upgrade) as server:
        opened = await server.open(ears)
        (await server.peer).writer.transport.abort()
        await wait_for(lambda: ears.closed == ["connection lost"])
        opened.send("into the void")
        opened.close()
    assert ears.closed == ["connection lost"]


async def test_nothing_is_heard_after_closing() -> None:
    ears = Ears()
    async with listening(upgrade) as server:
        opened = await server.open(ears)
        peer = await server.peer
        opened.close()
        peer.send(frame(TEXT, b"late"))
        await wait_for(lambda: ears.closed == ["closed by us"])
        opened.close()
        opened.send("late")
    assert ears.data == []
    assert ears.closed == ["closed by us"]


@asynccontextmanager
async def undecided() -> AsyncIterator[tuple[Endpoint, threading.Event, asyncio.Event]]:
    """A server that never answers the upgrade: where it is, that it was asked, that the client hung up."""
    asked, ended = threading.Event(), asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        ended.set()
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        yield Endpoint(url=f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"), asked, ended


async def test_an_upgrade_that_nobody_waits_for_ends_at_once() -> None:
    ears = Ears()
    async with undecided() as (endpoint, asked, ended):
        opening = asyncio.create_task(open_channel(endpoint, ears))
        await asyncio.to_thread(asked.wait, 5)
        opening.cancel()
        async with asyncio.timeout(5):
            await ended.wait()
    assert opening.cancelled()
    assert (ears.data, ears.closed) == ([], [])


async def test_whoever_stops_its_loop_in_the_middle_of_an_upgrade_leaves_no_socket() -> None:
    async def begin(endpoint: Endpoint) -> asyncio.Task[Channel]:
        return asyncio.create_task(open_channel(endpoint, Ears()))

    async with undecided() as (endpoint, asked, ended):
        thread = LoopThread("opener")
        gc.disable()  # it would close what is left over, some time
        try:
            opening = thread.run(begin(endpoint))
            await asyncio.to_thread(asked.wait, 5)
            await asyncio.to_thread(thread.stop)
            async with asyncio.timeout(5):
                await ended.wait()
        finally:
            gc.enable()
    assert opening.cancelled()


async def test_a_connection_that_is_reset_before_it_is_used_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[socket.socket] = []
    dial = channel._WebSocket.dial
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)

    async def reset_at_once(*given: Any) -> socket.socket:
        dialled.append(await dial(*given))
        peer, _ = door.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        peer.close()
        return dialled[0]

    monkeypatch.setattr(channel._WebSocket, "dial", reset_at_once)
    with socket.create_server(("127.0.0.1", 0)) as door, pytest.raises(NotSent, match="cannot be reached"):
        await open_channel(Endpoint(url=f"ws://127.0.0.1:{door.getsockname()[1]}"), Ears())
    assert [line.fileno() for line in dialled] == [-1]


@pytest.mark.parametrize("damage", [b"\x81\x82abcdhi", b"\x88\x01\x10", b"\x82\x7f" + b"\x7f" + b"\xff" * 7])
async def test_a_broken_protocol_ends_the_connection_and_nothing_else(
    damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    ears = Ears()
    async with listening(lambda head: upgrade(head) + damage) as server:
        await server.open(ears)
        await wait_for(lambda: ears.closed, what="end")
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_half_open_socket_is_found_by_pings() -> None:
    ears = Ears()
    async with listening(upgrade) as server:
        await server.open(ears, ping=0.1)
        peer = await server.peer
        assert (await peer.read_frame())[0] == PING
        await wait_for(lambda: ears.closed, what="end of a peer that answers no ping")


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
async def test_a_refused_credential_says_that_it_is_dead(status: str) -> None:
    answer = f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno".encode()
    async with listening(lambda head: answer) as server:
        with pytest.raises(SessionExpired, match=f"refused the socket: HTTP {status[:3]}") as told:
            await server.open(Ears())
        assert told.value.broker_code == status[:3]
        assert "planted" not in str(told.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/planted\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
        b"\x00\xff" * 300 + b"\r\n\r\n",
    ],
)
async def test_any_other_answer_to_the_upgrade_is_a_brokers_error(answer: bytes) -> None:
    async with listening(lambda head: answer) as server:
        with pytest.raises(BrokerError) as told:
            await server.open(Ears())
        assert not isinstance(told.value, SessionExpired)
        assert "planted" not in str(told.value)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Swi"])
async def test_a_peer_that_hangs_up_before_the_upgrade_is_no_open_socket(answer: bytes) -> None:
    async with listening(lambda head: answer, stays=False) as server:
        with pytest.raises(BrokerError, match="closed before the upgrade"):
            await server.open(Ears())


@pytest.mark.parametrize("scheme", ["ws", "tls"])
async def test_a_peer_that_says_nothing_is_given_up(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "CONNECT_TIMEOUT", 0.1)
    async with listening(lambda head: b"", raw=True) as server:
        with pytest.raises(NotSent, match=r"did not answer within 0\.1 s"):
            await server.open(Ears(), scheme)


@pytest.mark.parametrize("scheme", ["ws", "wss", "tcp", "tls"])
async def test_nobody_listening(scheme: str) -> None:
    async with listening(upgrade) as server:
        pass
    with pytest.raises(NotSent, match="cannot be reached"):
        await server.open(Ears(), scheme)


@pytest.mark.parametrize("url", ["ws://", "ws://127.0.0.1:99999/", "http://127.0.0.1:1/", "tcp://127.0.0.1", ""])
async def test_a_url_that_means_nothing_is_a_brokers_error(url: str) -> None:
    with pytest.raises(BrokerError):
        await open_channel(Endpoint(url=url), Ears())


# --- raw streams ------------------------------------------------------------------------------------------------------


async def test_a_raw_stream_carries_bytes_both_ways() -> None:
    ears = Ears()
    async with listening(lambda head: b"INFO\r\n", raw=True) as server:
        opened = await server.open(ears, "tcp")
        await wait_for(lambda: b"".join(map(_bytes, ears.data)) == b"INFO\r\n")
        opened.send("CONNECT ")
        opened.send(b"\x00\x01")
        peer = await server.peer
        assert await asyncio.wait_for(peer.reader.readexactly(10), 5) == b"CONNECT \x00\x01"
        opened.close()
        await wait_for(lambda: ears.closed == ["closed by us"])


async def test_the_end_of_a_raw_stream() -> None:
    ears = Ears()
    async with listening(lambda head: b"x", stays=False, raw=True) as server:
        await server.open(ears, "tcp")
        await wait_for(lambda: ears.closed == ["connection lost: end of stream"])
    assert ears.data == [b"x"]


def _bytes(data: Wire) -> bytes:
    assert isinstance(data, bytes)
    return data


# --- egress -----------------------------------------------------------------------------------------------------------


both_kinds = pytest.mark.parametrize(("scheme", "raw"), [("ws", False), ("tcp", True)])


def greet(head: bytes) -> bytes:
    return upgrade(head) + frame(TEXT, b"hello") if head else b"hello"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems answer to 127.0.0.1 only")
@both_kinds
async def test_a_socket_leaves_from_the_accounts_address(scheme: str, raw: bool) -> None:
    ears = Ears()
    async with listening(greet, raw=raw) as server:
        opened = await server.open(ears, scheme, egress="127.0.0.2")
        peer = await server.peer
        assert peer.writer.get_extra_info("peername")[0] == "127.0.0.2"
        await wait_for(lambda: ears.data in (["hello"], [b"hello"]), what="greeting")
        opened.close()
        await wait_for(lambda: ears.closed, what="close")


@both_kinds
async def test_a_socket_leaves_by_the_accounts_proxy(scheme: str, raw: bool) -> None:
    ears = Ears()
    async with listening(greet, raw=raw) as server, proxying() as proxy:
        opened = await server.open(ears, scheme, egress=f"http://me:pass@127.0.0.1:{proxy.port}")
        assert proxy.heard[0].startswith(f"CONNECT 127.0.0.1:{server.port} ")
        assert "Proxy-Authorization: Basic bWU6cGFzcw==" in proxy.heard[0]
        await wait_for(lambda: ears.data in (["hello"], [b"hello"]), what="greeting")
        opened.close()
        await wait_for(lambda: ears.closed, what="close")


@both_kinds
async def test_a_proxy_that_refuses_is_named_without_its_password(scheme: str, raw: bool) -> None:
    refuse = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with listening(lambda head: refuse) as proxy:
        url = f"{scheme}://127.0.0.1:{free_port()}"
        with pytest.raises(NotSent, match=f"the proxy 127.0.0.1:{proxy.port}") as told:
            await open_channel(Endpoint(url=url), Ears(), egress=f"http://me:s3cret@127.0.0.1:{proxy.port}")
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("egress", ["somewhere", "203.0.113.7"])
@both_kinds
async def test_an_egress_that_cannot_be_used_is_not_sent(scheme: str, raw: bool, egress: str) -> None:
    async with listening(greet, raw=raw) as server:
        with pytest.raises(NotSent):
            await server.open(Ears(), scheme, egress=egress)
        assert not server.peers
