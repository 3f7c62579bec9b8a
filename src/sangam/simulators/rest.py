"""uvicorn as a guest of our loop."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

Application = Callable[[Scope, Receive, Send], Any]


_TRANSPORT = "sangam.transport"


class _Quiet(H11Protocol):
    """Without access lines: whoever reads the log of a server with a market inside asks what its clients did.

    Each request knows its connection, so that it can be cut."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.access_log = False
        inner = self.app

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            scope[_TRANSPORT] = self.transport
            await inner(scope, receive, send)

        self.app = application

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # asyncio leaves Nagle on where the listening socket was made without naming TCP; a small answer of two
        # writes would wait 40 ms for the client's delayed acknowledgement
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)


class Rest:
    """An application on a listening socket: no signal handlers, no access log, stopped for certain."""

    class _Server(uvicorn.Server):
        def __init__(self, config: uvicorn.Config) -> None:
            super().__init__(config)
            self.up = asyncio.Event()
            self.leave = asyncio.Event()

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            self.up.set()

        async def main_loop(self) -> None:
            """No ten wake-ups a second in a process that has better things to do."""
            await self.on_tick(0)
            await self.leave.wait()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Nobody has to be waited for where nobody is connected; uvicorn would sleep a tenth of a second."""
            if self.server_state.connections or self.server_state.tasks:
                await super().shutdown(sockets)
                return
            for server in self.servers:
                server.close()
                await server.wait_closed()

    def __init__(self, application: Application, listening: socket.socket, idle: int = 5) -> None:
        config = uvicorn.Config(
            application,
            http=_Quiet,
            ws="none",
            lifespan="off",
            log_config=None,
            date_header=False,
            timeout_keep_alive=idle,
            timeout_graceful_shutdown=1,
        )
        self._server = self._Server(config)
        self._listening = listening
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listening]))
        await self._server.up.wait()

    async def stop(self) -> None:
        if self._task is not None:
            self._server.leave.set()
            await self._task
            self._task = None
        self._listening.close()


async def reset(request: Request) -> None:
    """Cut the connection of a request without a word (RST); its handler may answer then, nobody hears it."""
    transport: asyncio.Transport = request.scope[_TRANSPORT]
    linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    if not transport.is_closing():
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def joined(head: bytes, parts: Iterable[bytes], tail: bytes) -> AsyncIterator[bytes]:
    """The elements of a JSON list, made portion by portion; others on the loop have their turn in between."""
    yield head
    comma = b""
    for part in parts:
        if part:
            yield comma + part
            comma = b","
        await asyncio.sleep(0)
    yield tail
