"""The broker's side of the load: Kite's REST and ticker wire (brokers/zerodha.md 6, 7), bytes prepared beforehand.

It shares nothing with our codec or simulator. First line in: ``{"symbols": […], "rows": n}``, the rows being ballast of
its instruments file; it answers with its URLs. Then ``go`` (symbols, rate, seconds, hot), ``script`` (recorded ticks),
``reset`` and ``state``."""

import array
import asyncio
import json
import random
import struct
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from . import listing, stamp

COLUMNS = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
    "segment,exchange"
)
FIRST_CODE = 1000
SIZES = {"ltp": 8, "quote": 44, "full": 184}
VOLUME_AT = 16
PULSE = 0.001


def token_of(number: int) -> int:
    return (FIRST_CODE + number) << 8 | 1


def dump(symbols: list[str], more: int) -> bytes:
    rows = (
        f"{token_of(number)},{FIRST_CODE + number},{symbol},BENCH {number},0,,0,0.05,1,EQ,NSE,NSE"
        for number, symbol in enumerate(symbols)
    )
    return "\n".join((COLUMNS, *rows, *listing.rows(more), "")).encode()


def packet(token: int) -> bytearray:
    """A full packet with its length before it; shorter modes are its beginning."""
    seconds = int(time.time())
    price = 100_000 + token % 50_000
    words = (price, 25, price - 40, 0, 250_000, 260_000, price - 500, price + 600, price - 700, price - 120)
    body = struct.pack(">I10I5I", token, *words, seconds, 0, 0, 0, seconds)
    for level in range(10):
        away = -5 * (level + 1) if level < 5 else 5 * (level - 4)
        body += struct.pack(">IIHH", 100 + level, price + away, 1 + level, 0)
    return bytearray(b"\0\0" + body)


class Socket(WSListener):
    """One ticker socket: what it is subscribed to, and its buffer."""

    def __init__(self, ticker: "Ticker") -> None:
        self.ticker = ticker
        self.modes: dict[int, str] = {}
        self.transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.ticker.sockets.append(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.ticker.sockets.remove(self)
        self.ticker.retarget()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            self.asked(json.loads(frame.get_payload_as_bytes()))

    def asked(self, request: dict[str, Any]) -> None:
        values = request["v"]
        if request["a"] == "subscribe":
            self.modes.update((token, "quote") for token in values)
        elif request["a"] == "unsubscribe":
            for token in values:
                self.modes.pop(token, None)
        else:
            mode, tokens = values
            self.modes.update((token, mode) for token in tokens)
        self.ticker.retarget()


class Ticker:
    """All sockets, the prepared packets, and who gets which."""

    def __init__(self, symbols: list[str]) -> None:
        self.symbols = symbols
        self.packets = [packet(token_of(number)) for number in range(len(symbols))]
        self.sockets: list[Socket] = []
        self.homes: dict[int, tuple[Socket, int]] = {}
        self.log = array.array("I")

    def retarget(self) -> None:
        """Which socket carries a symbol, and how many bytes of its packet."""
        self.homes = {
            (token >> 8) - FIRST_CODE: (one, SIZES[mode]) for one in self.sockets for token, mode in one.modes.items()
        }

    def send(self, numbers: list[int]) -> int:
        """One frame per socket with these symbols' packets, stamped now."""
        frames: dict[Socket, list[bytes]] = {}
        now = stamp.now()
        for number in numbers:
            home = self.homes.get(number)
            if home is None:
                continue
            one, size = home
            body = self.packets[number]
            struct.pack_into(">H", body, 0, size)
            struct.pack_into(">I", body, 2 + VOLUME_AT, now)
            frames.setdefault(one, []).append(bytes(body[: 2 + size]))
            self.log.extend((number, now))
        sent = 0
        for one, bodies in frames.items():
            if one.transport is not None:
                one.transport.send(WSMsgType.BINARY, b"".join((struct.pack(">H", len(bodies)), *bodies)))
                sent += len(bodies)
        return sent

    async def go(self, symbols: int, rate: float, seconds: float, hot: float) -> dict[str, Any]:
        """Updates at a steady rate. `hot` is the share that goes to the first 1 % of the symbols."""
        order = self._order(symbols, hot)
        started = time.perf_counter()
        count = sent = 0
        total = int(rate * seconds)
        lag = 0.0
        while count < total:
            due = min(total, int((time.perf_counter() - started) * rate) + 1)
            lag = max(lag, (due - count) / rate)
            sent += self.send([next(order) for _ in range(due - count)])
            count = due
            await asyncio.sleep(PULSE)
        return {"sent": sent, "seconds": time.perf_counter() - started, "lag": lag}

    @staticmethod
    def _order(symbols: int, hot: float) -> Iterator[int]:
        dice = random.Random(7)
        few = max(1, symbols // 100)
        turn = 0
        while True:
            if hot and dice.random() < hot:
                yield dice.randrange(few)
            else:
                yield turn % symbols
                turn += 1

    async def play(self, script: list[tuple[float, int, int]]) -> dict[str, Any]:
        """Recorded ticks as (seconds from the start, symbol, price in paise)."""
        started = time.perf_counter()
        sent = 0
        for at, number, price in script:
            if (early := at - (time.perf_counter() - started)) > 0:
                await asyncio.sleep(early)
            struct.pack_into(">I", self.packets[number], 6, price)
            sent += self.send([number])
        return {"sent": sent, "seconds": time.perf_counter() - started}

    def save(self, path: str) -> None:
        """What was sent, as (symbol number, stamp) pairs."""
        Path(path).write_bytes(self.log.tobytes())

    async def pulse(self) -> None:
        """Kite's heartbeat: one byte a second."""
        while True:
            for one in self.sockets:
                if one.transport is not None:
                    one.transport.send(WSMsgType.BINARY, b"\0")
            await asyncio.sleep(1)

    def reset(self) -> None:
        for one in list(self.sockets):
            if one.transport is not None:
                one.transport.underlying_transport.abort()


def serve_rest(symbols: list[str], more: int) -> ThreadingHTTPServer:
    content = dump(symbols, more)
    profile = json.dumps({"status": "success", "data": {"user_id": "BENCH1", "user_name": "Bench"}}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, kind = (content, "text/csv") if "/instruments" in self.path else (profile, "application/json")
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


async def main() -> None:
    loop = asyncio.get_running_loop()
    config = json.loads(sys.stdin.readline())
    ticker = Ticker(config["symbols"])
    rest = serve_rest(ticker.symbols, config["rows"])
    server = await ws_create_server(lambda _: Socket(ticker), "127.0.0.1", 0, enable_auto_ping=False)
    heart = asyncio.create_task(ticker.pulse())
    stream = server.sockets[0].getsockname()[1]
    say({"api": f"http://127.0.0.1:{rest.server_address[1]}", "stream": f"ws://127.0.0.1:{stream}"})
    while not heart.done():
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            return
        command = json.loads(line)
        if command["do"] == "go":
            ticker.log = array.array("I")
            told = await ticker.go(command["symbols"], command["rate"], command["seconds"], command["hot"])
            ticker.save(command["log"])
            say(told)
        elif command["do"] == "script":
            say(await ticker.play([tuple(row) for row in command["rows"]]))
        elif command["do"] == "reset":
            ticker.reset()
            say({"at": stamp.now()})
        else:
            say({"carried": len(ticker.homes), "sockets": len(ticker.sockets)})


def say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())
