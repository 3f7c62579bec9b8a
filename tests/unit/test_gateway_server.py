"""The server on real sockets, with an official WebSocket library, with picows, and with clients that misbehave."""

import asyncio
import datetime
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import picows
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.gateway_support import FakeFeed, authenticate
from tests.support import wait_for
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from sangam.gateway.server import Gateway
from sangam.gateway.settings import GatewaySettings
from sangam.model.errors import ConfigError

LOGIN = json.dumps({"action": "authenticate", "api_key": "key-u1"})
UPGRADE = (
    b"GET /any/path HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Server:
    def __init__(self, **settings: Any) -> None:
        self.feed = FakeFeed()
        self.gateway = Gateway(
            self.feed, authenticate, brokers=["alpha"], settings=GatewaySettings(**({"interval_ms": 0} | settings))
        )
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"

    def publish(self, symbol: str, payload: bytes) -> None:
        self.gateway.hub.publish(self.feed.id(symbol), payload)


Start = Callable[..., Awaitable[Server]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    servers: list[Server] = []

    async def begin(**settings: Any) -> Server:
        server = Server(**settings)
        servers.append(server)
        server.port = await server.gateway.start("127.0.0.1", 0)
        return server

    yield begin
    for server in servers:
        await server.gateway.stop()
        assert server.gateway.clients == server.feed.total_held == 0


async def ask(client: ClientConnection, **message: Any) -> dict[str, Any]:
    await client.send(json.dumps(message))
    return await hear(client)


async def hear(client: ClientConnection) -> dict[str, Any]:
    reply: dict[str, Any] = json.loads(await asyncio.wait_for(client.recv(), 5))
    return reply


async def subscribed(server: Server, *symbols: str, **more: Any) -> ClientConnection:
    client = await connect(server.url, compression=None, **more)
    await ask(client, action="authenticate", api_key="key-u1")
    await ask(client, action="subscribe", symbols=[{"symbol": s, "exchange": "NSE"} for s in symbols])
    return client


async def close_of(client: ClientConnection) -> tuple[int, str]:
    """The code and reason a server closes with, whatever it says before."""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(5):
            while True:
                await client.recv()
    assert client.close_code is not None
    return client.close_code, client.close_reason or ""


def masked(payload: bytes, opcode: int = 1, fin: bool = True) -> bytes:
    size = len(payload)
    head = bytes(((0x80 if fin else 0) | opcode,))
    head += bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + payload


async def raw_client(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(UPGRADE)
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


class TestConversation:
    async def test_a_tick_reaches_a_client(self, start: Start) -> None:
        server = await start()
        async with connect(server.url + "some/path?x=1") as client:
            assert (await ask(client, action="authenticate", api_key="key-u1"))["status"] == "success"
            ack = await ask(client, action="subscribe", symbol="A", exchange="NSE", mode="Quote")
            assert ack["subscriptions"][0]["mode"] == 2
            server.publish("A", b'{"ltp":5.0}')
            assert await hear(client) == {
                "type": "market_data",
                "symbol": "A",
                "exchange": "NSE",
                "mode": 2,
                "broker": "alpha",
                "data": {"ltp": 5.0},
            }
        await wait_for(lambda: server.feed.total_held == 0)
        assert server.gateway.metrics()["lanes"] == 0

    async def test_picows_client(self, start: Start) -> None:
        server = await start()
        heard: list[dict[str, Any]] = []

        class Listener(picows.WSListener):
            def on_ws_connected(self, transport: picows.WSTransport) -> None:
                transport.send(picows.WSMsgType.TEXT, LOGIN)
                transport.send(picows.WSMsgType.BINARY, b'{"action":"ping","timestamp":1}')

            def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
                heard.append(json.loads(frame.get_payload_as_bytes()))

        transport, _ = await picows.ws_connect(Listener, server.url)
        await wait_for(lambda: len(heard) == 2)
        assert [row["type"] for row in heard] == ["auth", "pong"]
        transport.disconnect()
        await transport.wait_disconnected()

    async def test_flat_dialect_by_url(self, start: Start) -> None:
        server = await start()
        async with connect(server.url + "?format=flat") as client:
            reply = await ask(client, action="authenticate", api_key="key-u1")
            assert reply == {"status": "authenticated", "message": "Connected"}

    async def test_fragments_are_joined(self, start: Start) -> None:
        server = await start()
        async with connect(server.url) as client:
            await client.send(iter([LOGIN[:5], LOGIN[5:20], LOGIN[20:]]))
            assert (await hear(client))["status"] == "success"

    async def test_3000_symbols_in_one_frame(self, start: Start) -> None:
        server = await start()
        async with connect(server.url) as client:
            await ask(client, action="authenticate", api_key="key-u1")
            rows = [{"symbol": f"SYMBOL{n}", "exchange": "NSE"} for n in range(3000)]
            ack = await ask(client, action="subscribe", symbols=rows, mode=2, depth=5)
            assert (ack["status"], ack["count"]) == ("success", 3000)
            for want in range(1, 3001):
                server.gateway.hub.publish(want, b"{}")
            symbols = {(await hear(client))["symbol"] for _ in range(3000)}
            assert len(symbols) == 3000

    async def test_connections_of_all_clients_go_on_after_one_dies(self, start: Start) -> None:
        server = await start()
        alive = await subscribed(server, "A")
        dead = await subscribed(server, "A")
        dead.transport.abort()
        await wait_for(lambda: server.gateway.clients == 1)
        server.publish("A", b'{"n":1}')
        assert (await hear(alive))["data"] == {"n": 1}
        assert server.feed.total_held == 1
        await alive.close()


class TestClosing:
    async def test_an_unauthenticated_socket_is_closed(self, start: Start) -> None:
        server = await start(auth_grace=0.1)
        async with connect(server.url) as client:
            assert await close_of(client) == (4401, "auth timeout")

    async def test_a_bad_key_is_answered_before_the_close(self, start: Start) -> None:
        server = await start()
        async with connect(server.url) as client:
            assert (await ask(client, action="authenticate", api_key="wrong"))["code"] == "AUTHENTICATION_ERROR"
            assert await close_of(client) == (4401, "invalid API key")

    async def test_a_silent_peer_is_closed(self, start: Start) -> None:
        server = await start(ping_interval=0.1, ping_timeout=0.1)
        reader, writer = await raw_client(server)
        writer.write(masked(LOGIN.encode()))
        await wait_for(lambda: server.gateway.clients == 0)
        said = await reader.read()
        assert b"\x89\x00" in said
        assert b"keepalive ping timeout" in said
        writer.close()

    async def test_a_peer_that_answers_pings_stays(self, start: Start) -> None:
        server = await start(ping_interval=0.05, ping_timeout=0.05)
        async with connect(server.url) as client:
            await ask(client, action="authenticate", api_key="key-u1")
            pings = 0

            async def count() -> bool:
                nonlocal pings
                pings += 1
                return (await ask(client, action="ping"))["type"] == "pong" and pings > 20

            await wait_for(count)
            assert server.gateway.clients == 1

    async def test_shutdown_says_goodbye(self, start: Start) -> None:
        server = await start()
        clients = [await subscribed(server, "A", "B") for _ in range(3)]
        goodbyes = asyncio.gather(*map(close_of, clients))
        await server.gateway.stop()
        assert await goodbyes == [(1001, "server shutting down")] * 3
        assert server.feed.total_held == 0

    async def test_a_revoked_key_loses_its_sockets(self, start: Start) -> None:
        server = await start()
        client, other = await subscribed(server, "A"), await connect(server.url)
        await ask(other, action="authenticate", api_key="key-u2")
        server.gateway.revoke("k1")
        assert await close_of(client) == (4401, "API key revoked")
        assert (await ask(other, action="ping"))["type"] == "pong"
        await other.close()

    @pytest.mark.parametrize("login", [False, True])
    async def test_too_long_messages(self, start: Start, login: bool) -> None:
        server = await start(max_message=20_000, max_message_unauthenticated=1_000)
        limit = 20_000 if login else 1_000
        for send_parts in (False, True):
            async with connect(server.url) as client:
                if login:
                    await ask(client, action="authenticate", api_key="key-u1")
                assert (await ask(client, action="ping", x="y" * (limit - 100)))["type"] == "pong"
                text = "x" * (limit + 1)
                with suppress(ConnectionClosed):
                    await client.send(iter([text[:500], text[500:]]) if send_parts else text)
                assert (await close_of(client))[0] == 1009

    async def test_continuation_without_a_start(self, start: Start) -> None:
        server = await start()
        reader, writer = await raw_client(server)
        writer.write(masked(b"x", opcode=0))
        assert b"fragments out of order" in await asyncio.wait_for(reader.read(), 5)
        writer.close()


class TestMisbehaviour:
    async def test_garbage_costs_that_connection_only(self, start: Start) -> None:
        server = await start(message_burst=100, max_refused_messages=500)
        good = await subscribed(server, "A")
        bad = await connect(server.url, compression=None)
        await ask(bad, action="authenticate", api_key="key-u1")
        closing = asyncio.create_task(close_of(bad))
        with suppress(ConnectionClosed):
            for n in range(10_000):
                await bad.send(b"\xff garbage" if n % 2 else "{garbage")
        assert (await closing)[0] == 4429
        server.publish("A", b'{"n":1}')
        assert (await hear(good))["data"] == {"n": 1}
        await wait_for(lambda: server.gateway.clients == 1)
        await good.close()

    async def test_bytes_that_are_no_websocket(self, start: Start) -> None:
        server = await start()
        reader, writer = await raw_client(server)
        writer.write(b"\xff" * 1000)
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await wait_for(lambda: server.gateway.clients == 0)

    async def test_a_client_that_never_reads_is_cut_and_nobody_notices(self, start: Start) -> None:
        server = await start(stuck_seconds=0.4, write_high=64 << 10)
        good = await subscribed(server, "A")
        reader, writer = await raw_client(server)
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        writer.write(masked(LOGIN.encode()))
        writer.write(masked(b'{"action":"subscribe","symbol":"A","exchange":"NSE"}'))
        await reader.readuntil(b'"subscriptions"')
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        sent, heard = 0, 0
        payload = b'{"n":%d,"x":"' + b"x" * 4000 + b'"}'

        async def stream() -> bool:
            nonlocal sent, heard
            for _ in range(50):
                sent += 1
                server.publish("A", payload % sent)
            for _ in range(50):
                heard += 1
                assert (await hear(good))["data"]["n"] == heard
            return server.gateway.metrics()["cut_total"] == 1

        await wait_for(stream, 20, "the cut")
        assert server.gateway.metrics()["slow_clients"] == 0
        await wait_for(lambda: server.gateway.clients == 1)
        writer.transport.abort()
        await good.close()

    async def test_a_client_that_reads_again_gets_the_newest(self, start: Start) -> None:
        server = await start(write_high=64 << 10)
        reader, writer = await raw_client(server)
        login = {"action": "authenticate", "api_key": "key-u1", "features": ["conflated"]}
        writer.write(masked(json.dumps(login).encode()))
        writer.write(masked(b'{"action":"subscribe","symbol":"A","exchange":"NSE"}'))
        await reader.readuntil(b'"subscriptions"')
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        sent = 0
        payload = b'{"n":%d,"x":"' + b"x" * 4000 + b'"}'

        def fill() -> bool:
            nonlocal sent
            for _ in range(100):
                sent += 1
                server.publish("A", payload % sent)
            return server.gateway.metrics()["slow_clients"] == 1

        await wait_for(fill, 20, "the stall")
        fill()
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        said = b""
        while b'"n":%d,' % sent not in said:
            said = said[-10_000:] + await asyncio.wait_for(reader.read(1 << 16), 5)
        assert b'{"type":"conflated","count":' in said
        await wait_for(lambda: server.gateway.metrics()["slow_clients"] == 0)
        writer.close()


class TestListening:
    async def test_a_busy_port_is_named(self, start: Start) -> None:
        server = await start()
        other = Server()
        with pytest.raises(ConfigError, match=rf"WEBSOCKET_PORT {server.port} on .* is busy or forbidden"):
            await other.gateway.start("127.0.0.1", server.port)

    async def test_auto_port_takes_the_next_free_one(self, start: Start) -> None:
        server = await start()
        other = Server()
        bound = await other.gateway.start("127.0.0.1", server.port, auto_port=True)
        assert server.port < bound <= server.port + 50
        await other.gateway.stop()

    async def test_an_impossible_address_is_an_error_for_people(self) -> None:
        with pytest.raises(ConfigError, match=r"WEBSOCKET_HOST 192\.0\.2\.1"):
            await Server().gateway.start("192.0.2.1", 0)

    async def test_plain_http_gets_a_hint(self, start: Start) -> None:
        server = await start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        said = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert b" 426 " in said
        assert b"This port speaks WebSocket" in said

    async def test_tls(self, start: Start, tmp_path: Path) -> None:
        certificate = self_signed(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server = Server()
        port = await server.gateway.start("127.0.0.1", 0, context)
        trust = ssl.create_default_context(cafile=str(certificate))
        async with connect(f"wss://localhost:{port}/", ssl=trust, host="127.0.0.1") as client:
            await ask(client, action="authenticate", api_key="key-u1")
            await ask(client, action="subscribe", symbol="A", exchange="NSE")
            server.publish("A", b'{"n":1}')
            assert (await hear(client))["data"] == {"n": 1}
        await server.gateway.stop()

    @pytest.mark.parametrize("path", ["//[", "http://[::1", "/?format=%ff&&=", "*"])
    async def test_any_path_is_served(self, start: Start, path: str) -> None:
        server = await start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(UPGRADE.replace(b"/any/path", path.encode()))
        assert b" 101 " in await asyncio.wait_for(reader.readline(), 5)
        writer.close()

    async def test_start_and_stop_again(self, start: Start) -> None:
        server = await start()
        await server.gateway.stop()
        await server.gateway.stop()
        assert await server.gateway.start("127.0.0.1", server.port) == server.port
        client = await subscribed(server, "A")
        await client.close()


def self_signed(folder: Path) -> Path:
    """A key and certificate for localhost in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    plain = serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
