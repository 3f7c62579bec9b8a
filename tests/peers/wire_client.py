"""A WebSocket client without manners of its own: it sends what it is told and shows what comes."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.peers.served import Served
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

WAIT = 5.0

Message = dict[str, Any]


class WireClient:
    """A raw client. Replies and data come mixed; `data` keeps what `reply` passed over, in order."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.data: list[Message] = []
        self.order: list[str] = []
        """What arrived, in order: the type of each message."""

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def next(self, timeout: float = WAIT) -> Message:
        text = await asyncio.wait_for(self.socket.recv(), timeout)
        message: Message = json.loads(text)
        self.order.append(str(message.get("type")))
        if message.get("type") == "market_data":
            assert isinstance(text, str)
            assert '": ' not in text, "separators are compact"
            self.data.append(message)
        return message

    async def reply(self) -> Message:
        """The next message that is not data."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            message = await self.next(end - time.monotonic())
            if message.get("type") != "market_data":
                return message
        raise AssertionError(f"no reply within {WAIT:g} s")

    async def ask(self, **message: Any) -> Message:
        await self.send(**message)
        return await self.reply()

    async def tick(self, wanted: Callable[[Message], object] = lambda _: True) -> Message:
        """The next data message that fits."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            message = await self.next(end - time.monotonic())
            if message.get("type") == "market_data" and wanted(message):
                return message
        raise AssertionError(f"no such data within {WAIT:g} s")

    async def settle(self) -> None:
        """Everything the server had to say before now is read: its pong comes last."""
        while (await self.ask(action="ping"))["type"] != "pong":
            pass

    async def closed(self, timeout: float = WAIT) -> tuple[int, float]:
        """The server closes: its code, and after how many seconds."""
        started = time.monotonic()
        try:
            while True:
                await self.next(timeout)
        except ConnectionClosed as end:
            return end.rcvd.code if end.rcvd else 1006, time.monotonic() - started


@asynccontextmanager
async def dial(served: Served, path: str = "") -> AsyncIterator[WireClient]:
    async with connect(served.server.ws_url + path, proxy=None, max_size=None) as socket:
        yield WireClient(socket)


@asynccontextmanager
async def logged_in(served: Served, **extra: Any) -> AsyncIterator[WireClient]:
    async with dial(served) as wire:
        assert (await wire.ask(action="authenticate", api_key=served.key, **extra))["status"] == "success"
        yield wire


def named(pair: tuple[str, str], **extra: Any) -> Message:
    return {"symbol": pair[0], "exchange": pair[1], **extra}
