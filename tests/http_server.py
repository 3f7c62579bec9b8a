"""A plain HTTP server that answers as it is told, or not at all, and what tests of the driver ask it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sangam.brokers.contract import BrokerSpec, Ctx, Operation, Request, Session
from sangam.transport.http import HttpDriver

SECRET = "s3cret-token"
CTX = Ctx(1_700_000_000_000, bytes)


class Heard(NamedTuple):
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


Answer = Callable[[Heard, asyncio.StreamWriter], Awaitable[None]]


class HttpServer:
    """Speaks just enough HTTP/1.1 to show the exact bytes of a request. `answer` may do anything with the socket."""

    def __init__(self, port: int = 0) -> None:
        self.heard: list[Heard] = []
        self.connections = 0
        self.peers: list[str] = []
        self.answer: Answer = self.json(b"{}")
        self.port = port
        self._tasks: set[asyncio.Task[Any]] = set()

    @staticmethod
    def json(body: bytes, status: str = "200 OK", extra: str = "") -> Answer:
        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body)

        return answer

    async def __aenter__(self) -> "HttpServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.peers.append(writer.get_extra_info("peername")[0])
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                first, *lines = head.rstrip().split("\r\n")
                method, target, _ = first.split(" ")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.heard.append(Heard(method, target, headers, body))
                await self.answer(self.heard[-1], writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        finally:
            self._tasks.discard(task)
            writer.close()


class House(NamedTuple):
    server: HttpServer
    driver: HttpDriver
    spec: BrokerSpec
    session: Session

    async def ask(self, request: Request) -> Any:
        return await self.driver.run(self.spec, self.session, one(request))


def one(request: Request) -> Operation[Any]:
    return (yield request)


def get(path: str = "/x", **fields: Any) -> Request:
    return Request(method="GET", host="api", path=path, **fields)


def post(path: str = "/x", **fields: Any) -> Request:
    return Request(method="POST", host="api", path=path, **fields)


def session_for(port: int, token: str = SECRET, account: str = "u-toy") -> Session:
    return Session(
        account=account,
        broker="toy",
        generation=1,
        secrets={"token": token},
        hosts={"api": f"http://127.0.0.1:{port}/base/"},
    )


@dataclass
class Proxy:
    """What a proxy was asked: target and headers of each CONNECT."""

    port: int = 0
    heard: list[str] = field(default_factory=list)


@asynccontextmanager
async def proxying() -> AsyncIterator[Proxy]:
    """An HTTP proxy that tunnels (CONNECT), and forwards plain requests by the first one's address."""
    proxy, tasks = Proxy(), set[asyncio.Task[Any]]()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # one end left; the other is told by closing
        finally:
            writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        proxy.heard.append(head.decode())
        method, target, _ = head.split(b" ", 2)
        host, _, port = target.removeprefix(b"http://").partition(b"/")[0].decode().partition(":")
        there = await asyncio.open_connection(host, int(port))
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            there[1].write(head)
        for source, drain in ((reader, there[1]), (there[0], writer)):
            tasks.add(asyncio.create_task(pipe(source, drain)))

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
