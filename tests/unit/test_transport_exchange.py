"""What became of a request whose connection fails at any step, against raw TCP servers.

NotSent only where no byte of the request can have left, Unknown for all else, and never a second try of a write."""

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import msgspec
import pytest
from tests.http_server import get, one, post, session_for
from tests.support import free_port
from tests.toy_broker import toy_spec

from sangam.brokers.contract import Request, WireRequest
from sangam.model.clock import SystemClock
from sangam.model.errors import BrokerError, NotSent, Unknown
from sangam.transport import exchange
from sangam.transport.exchange import Lost, Unreachable
from sangam.transport.http import HttpDriver, HttpTiming

QUICK = HttpTiming(read=0.3, write=0.3, pause=0.01)
PATIENT = HttpTiming(pause=0.01)
BIG = b"x" * 8_000_000
"""More than the buffers of both ends hold: a request that cannot have left as a whole."""

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Raw:
    """A server that does anything with a connection but answer it properly; it counts them."""

    script: Script
    port: int = 0
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self.script(reader, writer)


@asynccontextmanager
async def raw(script: Script) -> AsyncIterator[Raw]:
    server = Raw(script)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        for writer in server.writers:
            writer.transport.abort()
        listener.close()
        await listener.wait_closed()


async def outcome(
    port: int, request: Request, scheme: str = "http", egress: str = "", timing: HttpTiming = PATIENT
) -> BrokerError:
    """How the driver says that the request ended."""
    driver = HttpDriver(SystemClock(), timing)
    hosts = {"api": f"{scheme}://127.0.0.1:{port}"}
    session = msgspec.structs.replace(session_for(port), hosts=hosts, egress=egress)
    try:
        with pytest.raises(BrokerError) as told:
            await driver.run(toy_spec(), session, one(request))
        return told.value
    finally:
        await driver.close()


def write(content: bytes = b"order") -> Request:
    return post(effect="write", content=content)


def reset(writer: asyncio.StreamWriter) -> None:
    """Hang up with a RST instead of a FIN."""
    raw_socket = writer.get_extra_info("socket")
    raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def request_of(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), b":0")
    await reader.readexactly(int(length.split(b":")[1]))


# --- before the first byte: not sent ----------------------------------------------------------------------------------


async def test_nobody_listens() -> None:
    assert isinstance(await outcome(free_port(), write()), Unreachable)


@pytest.mark.skipif(sys.platform != "linux", reason="how a full backlog behaves differs")
async def test_a_full_backlog_where_nobody_accepts() -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        error = await outcome(listener.getsockname()[1], write(), timing=QUICK)
    assert isinstance(error, NotSent)
    assert not error.sent


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(5)


async def _talk_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\x01 this is no TLS\r\n\r\n")
    await asyncio.sleep(5)


@pytest.mark.parametrize("script", [_hang_up, _say_nothing, _talk_nonsense])
async def test_a_peer_that_does_not_get_through_the_tls_handshake(script: Script) -> None:
    async with raw(script) as server:
        timing = QUICK if script is _say_nothing else PATIENT
        error = await outcome(server.port, write(), "https", timing=timing)
    assert isinstance(error, NotSent)
    assert server.connections == 2 or script is _say_nothing, "no byte left: once more, where there is time"


async def _refuse_the_tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


async def _fall_silent_in_the_tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await reader.read(1000)
    reset(writer)


@pytest.mark.parametrize("script", [_refuse_the_tunnel, _fall_silent_in_the_tunnel])
async def test_a_proxy_that_lets_nothing_through(script: Script) -> None:
    async with raw(script) as proxy:
        error = await outcome(free_port(), write(), "https", egress=f"http://me:s3cret@127.0.0.1:{proxy.port}")
    assert isinstance(error, NotSent)
    assert "s3cret" not in str(error)
    assert proxy.connections == 2


async def test_a_proxy_that_is_not_there() -> None:
    assert isinstance(await outcome(free_port(), write(), egress=f"http://127.0.0.1:{free_port()}"), NotSent)


async def test_an_address_that_this_machine_does_not_have() -> None:
    async with raw(_say_nothing) as server:
        error = await outcome(server.port, write(), egress="203.0.113.7")
    assert isinstance(error, NotSent)
    assert server.connections == 0


async def test_an_egress_that_means_nothing() -> None:
    error = await outcome(1, write(), egress="somewhere")
    assert isinstance(error, NotSent)
    assert "somewhere" in str(error)


# --- from the first byte on: unknown ----------------------------------------------------------------------------------


async def _reset_mid_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(1000)
    reset(writer)


async def _read_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(1000)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(5)


async def _reset_after_the_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    reset(writer)


async def _leave_after_the_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    writer.close()


async def _say_nothing_after_the_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    await asyncio.sleep(5)


def _answer(text: bytes, close: bool = True) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(text)
        await writer.drain()
        if close:
            writer.close()
        else:
            await asyncio.sleep(5)

    return script


OK = b"HTTP/1.1 200 OK\r\n"

STEPS: dict[str, tuple[bytes, Script]] = {
    "accepted, then reset": (b"order", _hang_up),
    "accepted, then silence": (b"order", _say_nothing),
    "reset amid the request": (BIG, _reset_mid_request),
    "the request does not get through": (BIG, _read_slowly),
    "reset after the request": (b"order", _reset_after_the_request),
    "closed after the request": (b"order", _leave_after_the_request),
    "silence after the request": (b"order", _say_nothing_after_the_request),
    "closed amid the status line": (b"order", _answer(b"HTTP/1.1 2")),
    "closed amid the headers": (b"order", _answer(OK + b"Content-Le")),
    "silence amid the headers": (b"order", _answer(OK + b"Content-Le", close=False)),
    "closed after the headers": (b"order", _answer(OK + b"Content-Length: 5\r\n\r\n")),
    "silence after the headers": (b"order", _answer(OK + b"Content-Length: 5\r\n\r\n", close=False)),
    "closed amid the body": (b"order", _answer(OK + b"Content-Length: 5\r\n\r\n{}")),
    "closed amid a chunk": (b"order", _answer(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}")),
    "no HTTP": (b"order", _answer(b"SSH-2.0-OpenSSH\r\n")),
    "headers without end": (b"order", _answer(OK + b"X: " + b"y" * 200_000)),
    "no gzip": (b"order", _answer(OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello")),
    "no JSON": (b"order", _answer(OK + b"Content-Length: 5\r\n\r\nhello")),
}


def timing_of(step: str) -> HttpTiming:
    """Only silence has to be waited for."""
    return QUICK if "silence" in step or "get through" in step else PATIENT


@pytest.mark.parametrize("step", STEPS)
async def test_a_write_that_fails_on_the_way_is_unknown_and_was_tried_once(step: str) -> None:
    content, script = STEPS[step]
    async with raw(script) as server:
        error = await outcome(server.port, write(content), timing=timing_of(step))
    assert isinstance(error, Unknown)
    assert error.sent
    assert server.connections == 1


REPEATED = {
    "accepted, then reset",
    "reset amid the request",
    "reset after the request",
    "closed after the request",
    "closed amid the status line",
    "closed amid the headers",
    "no HTTP",
    "headers without end",
}
"""The connection broke before an answer. Silence is not repeated: it has cost the caller's time already."""


@pytest.mark.parametrize("step", STEPS)
async def test_a_read_is_repeated_once_where_the_connection_broke_before_an_answer(step: str) -> None:
    content, script = STEPS[step]
    async with raw(script) as server:
        error = await outcome(server.port, get(content=content), timing=timing_of(step))
    assert isinstance(error, Unknown)
    assert isinstance(error, Lost) == (step in REPEATED)
    assert server.connections == (2 if step in REPEATED else 1)


async def test_a_reply_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(10_000):
            writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            await writer.drain()

    monkeypatch.setattr(exchange, "MAX_REPLY", 100_000)
    async with raw(pour) as server:
        error = await outcome(server.port, get())
    assert isinstance(error, Unknown)
    assert "more than anybody reads" in str(error)
    assert server.connections == 1


class Faulty(httpx.AsyncBaseTransport):
    """Fails as anyio does on uvloop where a connection is reset as it opens: with no error of httpx."""

    def __init__(self, *steps: str) -> None:
        self._steps = steps

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for step in self._steps:
            await request.extensions["trace"](f"http11.{step}", {})
        raise AttributeError("'NoneType' object has no attribute 'getpeername'")


@pytest.mark.parametrize(
    ("steps", "kind"), [((), Unreachable), (("send_request_headers.started",), Unknown)], ids=["unsent", "sent"]
)
async def test_a_fault_below_httpx_says_as_honestly_what_became_of_it(
    steps: tuple[str, ...], kind: type[BrokerError]
) -> None:
    wire = WireRequest("POST", "http://broker.example/orders", {}, b"a")
    async with httpx.AsyncClient(transport=Faulty(*steps)) as client:
        with pytest.raises(kind, match="getpeername") as told:
            await exchange.exchange(client, wire, 1.0, "Toy")
    assert told.value.sent == bool(steps)
