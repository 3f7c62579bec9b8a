"""A TCP proxy that does to a connection what bad networks do."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from enum import Enum
from typing import Self


class Way(Enum):
    """The direction of bytes: `UP` from who connected to the server, `DOWN` back."""

    UP = "up"
    DOWN = "down"


@dataclass(eq=False)
class _Link:
    """One connection through the proxy. Once frozen, the fate of one side is hidden from the other."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    frozen: bool = False

    def abort(self) -> None:
        for writer in (self.near, self.far):
            reset(writer.transport)


def reset(transport: asyncio.WriteTransport) -> None:
    """Close with RST in place of FIN, unsent bytes forgotten."""
    raw = transport.get_extra_info("socket")
    with contextlib.suppress(OSError, ValueError):  # closed already
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class FaultProxy:
    """Listens on a port of its own and passes everything on to `target`, until told otherwise.

    Switches last until set back: `swallows` drops all bytes of these directions, `slice` sends so many bytes at a time
    as packets of their own, `rate` is bytes a second downwards, `refuses` resets every new connection. `accepted`
    counts connections."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.accepted = 0
        self.swallows: frozenset[Way] = frozenset()
        self.slice: int | None = None
        self.rate: float | None = None
        self.refuses = False
        self._target = target
        self._cut_after: int | None = None
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._enter, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        await asyncio.sleep(0)  # who is being accepted comes in now
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # aborted transports close in a turn of their own

    @property
    def open(self) -> int:
        """Connections that are carried now."""
        return len(self._links)

    def reset(self) -> None:
        """RST to both sides of every connection."""
        for link in self._links:
            link.abort()

    def reset_after(self, count: int) -> None:
        """Pass on `count` more bytes downwards, then reset: in the middle of a frame."""
        self._cut_after = count

    def freeze(self) -> None:
        """Half-open: the connections stay, nothing passes any more, not even their end. New ones work."""
        for link in self._links:
            link.frozen = True

    def thaw(self) -> None:
        """Forget what was frozen: both sides hear an RST at last."""
        for link in self._links:
            if link.frozen:
                link.abort()

    def calm(self) -> None:
        """Set every switch back, and begin with new connections."""
        self.swallows, self.slice, self.rate, self.refuses, self._cut_after = frozenset(), None, None, False, None
        self.reset()

    def inject(self, data: bytes) -> None:
        """Send bytes of our own downwards."""
        for link in self._links:
            link.near.write(data)

    def _enter(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.create_task(self._carry(reader, near), name="proxied connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: reset(near.transport))

    async def _carry(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        if self.refuses:
            return
        far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
        link = _Link(near, far)
        self._links.add(link)
        try:
            await asyncio.gather(
                self._pump(link, Way.UP, reader, near, far), self._pump(link, Way.DOWN, far_reader, far, near)
            )
        finally:
            self._links.discard(link)
            link.abort()

    async def _pump(
        self,
        link: _Link,
        way: Way,
        reader: asyncio.StreamReader,
        origin: asyncio.StreamWriter,
        to: asyncio.StreamWriter,
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                if not link.frozen and way not in self.swallows:
                    await self._pass(link, way, data, to)
        if link.frozen:
            reset(origin.transport)
        else:
            link.abort()

    async def _pass(self, link: _Link, way: Way, data: bytes, to: asyncio.StreamWriter) -> None:
        if way is Way.DOWN and self._cut_after is not None:
            data = data[: self._cut_after]
            self._cut_after -= len(data)
        size = self.slice or len(data)
        for start in range(0, len(data), size):
            to.write(data[start : start + size])
            await to.drain()
            if self.slice:
                await asyncio.sleep(0)  # so that the next piece is a packet of its own
            if self.rate is not None and way is Way.DOWN:
                await asyncio.sleep(size / self.rate)
        if way is Way.DOWN and self._cut_after == 0:
            self._cut_after = None
            link.abort()
