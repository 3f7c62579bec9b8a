"""The broker's REST of the load where orders go to it: Kite's wire (brokers/zerodha.md 3, 4), answers prepared.

It keeps when each placement arrived, by its quantity, which is the order's number; every order stays open. First line
in: ``{"symbols": […]}``; it answers with its URL. Then ``open`` (so many orders placed elsewhere) and ``arrivals``."""

import asyncio
import json
import sys
from typing import Any
from urllib.parse import parse_qsl

from . import stamp
from .ticker import dump, say

HEAD_END = b"\r\n\r\n"
PROFILE = {"user_id": "BENCH1", "user_name": "Bench"}
TAKEN_AT = "2026-11-20 10:00:00"


class Book:
    """The orders, and when each of ours arrived."""

    def __init__(self, symbols: list[str]) -> None:
        self.symbols = symbols
        self.listing = dump(symbols, 0)
        self.rows: list[dict[str, Any]] = []
        self.arrivals: dict[int, int] = {}

    def place(self, form: dict[str, str]) -> dict[str, str]:
        row = self._row(form["tradingsymbol"], int(form["quantity"]), float(form["price"]), form.get("tag"))
        self.rows.append(row)
        return {"order_id": row["order_id"]}

    def open(self, count: int) -> None:
        """Orders that came from elsewhere."""
        self.rows += [self._row(self.symbols[n % len(self.symbols)], 1, 10.0, None) for n in range(count)]

    def _row(self, symbol: str, quantity: int, price: float, tag: str | None) -> dict[str, Any]:
        return {
            "order_id": f"2611200{len(self.rows):08d}",
            "tradingsymbol": symbol,
            "exchange": "NSE",
            "transaction_type": "BUY",
            "quantity": quantity,
            "pending_quantity": quantity,
            "filled_quantity": 0,
            "status": "OPEN",
            "variety": "regular",
            "product": "CNC",
            "order_type": "LIMIT",
            "validity": "DAY",
            "price": price,
            "tag": tag,
            "order_timestamp": TAKEN_AT,
            "exchange_update_timestamp": TAKEN_AT,
        }


class Line(asyncio.Protocol):
    """One connection: requests in their order, each answered at once."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.received = b""
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        now = stamp.now()
        self.received += data
        while HEAD_END in self.received:
            head, rest = self.received.split(HEAD_END, 1)
            first, *lines = head.decode().split("\r\n")
            fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
            size = int(fields.get("content-length", 0))
            if len(rest) < size:
                return
            self.received = rest[size:]
            method, path, _ = first.split(" ")
            self.answer(method, path.split("?")[0], dict(parse_qsl(rest[:size].decode())), now)

    def answer(self, method: str, path: str, form: dict[str, str], now: int) -> None:
        if path == "/instruments":
            self.write(self.book.listing, "text/csv")
            return
        data: Any = []
        if method == "POST" and path.startswith("/orders/"):
            self.book.arrivals[int(form["quantity"])] = now
            data = self.book.place(form)
        elif path == "/orders":
            data = self.book.rows
        elif path == "/user/profile":
            data = PROFILE
        elif path.startswith("/orders/"):
            data = [row for row in self.book.rows if row["order_id"] == path.rsplit("/", 1)[1]]
        self.write(json.dumps({"status": "success", "data": data}).encode(), "application/json")

    def write(self, body: bytes, kind: str) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)


async def main() -> None:
    loop = asyncio.get_running_loop()
    book = Book(json.loads(sys.stdin.readline())["symbols"])
    server = await loop.create_server(lambda: Line(book), "127.0.0.1", 0)
    say({"api": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"})
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        if command["do"] == "open":
            book.open(command["count"])
            say({})
        else:
            say({"arrivals": [[number, at] for number, at in book.arrivals.items()]})


if __name__ == "__main__":
    asyncio.run(main())
