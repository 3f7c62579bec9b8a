"""Clients of the server: one that behaves, and one that need not."""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import re
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self

from tests.support import wait_for
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

TEXT, BINARY, CLOSE = 1, 2, 8


class Tick(NamedTuple):
    """One update as a client got it; `at` is monotonic seconds."""

    at: float
    symbol: str
    data: Mapping[str, Any]


class Client:
    """A well-behaved client that keeps what it hears."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.ticks: list[Tick] = []
        self.states: list[str] = []
        self.news: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}

    @classmethod
    @asynccontextmanager
    async def login(cls, port: int, key: str) -> AsyncIterator[Self]:
        async with connect(f"ws://127.0.0.1:{port}", compression=None, ping_interval=None, max_queue=None) as socket:
            client = cls(socket)
            listening = asyncio.create_task(client._listen())
            try:
                answer = await client.ask("authenticate", api_key=key, features=["feed_state", "refusals"])
                assert answer["status"] == "success", answer
                yield client
            finally:
                await socket.close()
                await listening

    async def ask(self, action: str, **fields: object) -> dict[str, Any]:
        """Say something and return its answer."""
        number = f"r{next(self._numbers)}"
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps({"action": action, "request_id": number, **fields}))
        return await asyncio.wait_for(answer, 10)

    async def subscribe(
        self, *symbols: str, exchange: str = "NSE", mode: str = "Quote", **fields: object
    ) -> dict[str, Any]:
        rows = [{"symbol": symbol, "exchange": exchange} for symbol in symbols]
        return await self.ask("subscribe", symbols=rows, mode=mode, **{"interval": 0, **fields})

    async def hears(self, count: int = 1, *symbols: str, timeout: float = 10.0) -> None:
        """Wait for so many more updates, of each symbol where some are named."""
        start = len(self.ticks)

        def enough() -> bool:
            fresh = [tick.symbol for tick in self.ticks[start:]]
            return all(fresh.count(symbol) >= count for symbol in symbols) if symbols else len(fresh) >= count

        await wait_for(enough, timeout, f"{count} updates of {symbols or 'anything'}")

    async def reaches(self, state: str, timeout: float = 10.0) -> None:
        """Wait until the newest feed state told is this one."""
        await wait_for(lambda: self.states[-1:] == [state], timeout, f"the feed to be {state}")

    def newest(self, symbol: str) -> Mapping[str, Any]:
        return next(tick.data for tick in reversed(self.ticks) if tick.symbol == symbol)

    def longest_silence(self, since: float) -> float:
        heard = [since, *(tick.at for tick in self.ticks if tick.at > since), time.monotonic()]
        return max(later - earlier for earlier, later in itertools.pairwise(heard))

    async def _listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in self.socket:
                told = json.loads(text)
                if told.get("type") == "market_data":
                    self.ticks.append(Tick(time.monotonic(), told["symbol"], told["data"]))
                elif (answer := self._answers.pop(told.get("request_id", ""), None)) is not None:
                    answer.set_result(told)
                elif told.get("type") == "feed_state":
                    self.states.append(told["state"])
                else:
                    self.news.append(told)


class RawClient:
    """A WebSocket client made by hand on a bare socket: it reads when it is told to, if at all."""

    def __init__(self, raw: socket.socket) -> None:
        self._socket = raw
        self._heard = bytearray()
        self._loop = asyncio.get_running_loop()

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int, window: int | None = None) -> AsyncIterator[Self]:
        """Connected, not authenticated. `window` bounds what the system takes for it while it does not read."""
        with socket.socket() as raw:
            raw.setblocking(False)
            if window is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
            client = cls(raw)
            await client._loop.sock_connect(raw, ("127.0.0.1", port))
            key = base64.b64encode(os.urandom(16)).decode()
            await client.send_bytes(
                f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            while not client._heard.endswith(b"\r\n\r\n"):
                assert await client.read(1), client._heard
            assert client._heard.startswith(b"HTTP/1.1 101"), client._heard
            client._heard.clear()
            yield client

    @property
    def name(self) -> str:
        """What the server's log calls it."""
        return ":".join(map(str, self._socket.getsockname()))

    async def send_bytes(self, data: bytes) -> None:
        """Raises ConnectionError once the server has closed."""
        await asyncio.wait_for(self._loop.sock_sendall(self._socket, data), 10)

    async def say(self, action: str, **fields: object) -> None:
        await self.send_bytes(frame(TEXT, json.dumps({"action": action, **fields}).encode()))

    async def read(self, count: int) -> bytes:
        """At most so many bytes; none at the end of the stream."""
        data = await asyncio.wait_for(self._loop.sock_recv(self._socket, count), 10)
        self._heard += data
        return data

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Read all that comes, as fast as it comes, beside what the block does."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        task = asyncio.create_task(self.close_code())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close_code(self) -> int | None:
        """Read everything that still comes; the code that the server closed with, None where it said none."""
        with contextlib.suppress(ConnectionError):
            while await self.read(1 << 16):
                pass
        *_, (kind, payload) = frames(self._heard)
        return int.from_bytes(payload[:2], "big") if kind == CLOSE else None

    def hears(self, text: bytes) -> bool:
        """Whether this was in anything read so far."""
        return text in self._heard

    def newest_timestamp(self) -> int:
        """Of the last update read, epoch milliseconds; 0 where only other messages came lately."""
        times = re.findall(rb'"timestamp":(\d+)', self._heard[-(1 << 16) :])
        return int(times[-1]) if times else 0

    def reset(self) -> None:
        """Die: RST, no goodbye."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def frame(kind: int, payload: bytes) -> bytes:
    """A client's frame, masked with zeros."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | kind, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | kind, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | kind, 0xFF)) + size.to_bytes(8, "big")
    return head + bytes(4) + payload


def frames(data: bytes | bytearray) -> Iterator[tuple[int, bytes]]:
    """The whole frames of a server, as (kind, payload)."""
    at = 0
    while at + 2 <= len(data):
        kind, size = data[at] & 15, data[at + 1]
        at += 2
        if size > 125:
            width = 2 if size == 126 else 8
            size = int.from_bytes(data[at : at + width], "big")
            at += width
        if at + size > len(data):
            return
        yield kind, bytes(data[at : at + size])
        at += size
