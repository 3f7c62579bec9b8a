"""Order load: connections of REST or WebSocket, each with one request under way, in a process of their own.

First line in: ``{"wire", "port", "key", "connections"}``. Each command ``{"name", "fields", "seconds", "count",
"rate", "later"}`` sends numbered requests until the time or the count is over, as fast as answers come or at a steady
rate, and answers with how long it took in all, after how many microseconds each answer came (at a rate: since it was
due), what failed, and when each order left."""

import json
import selectors
import socket
import sys
import time
from typing import Any

from . import stamp
from .sink import masked, read_until, upgrade

ROOM = 1 << 20
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
SLOW = 30.0
SYMBOLS = 100


class Rest:
    """One keep-alive connection. A reply is complete with its body."""

    def __init__(self, port: int, key: str) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._port = port
        self._key = key
        self._received: list[bytes] = []
        self._missing: int | None = None

    def ask(self, name: str, fields: dict[str, Any], number: int) -> None:
        body = json.dumps({"apikey": self._key, **fields})
        self._received, self._missing = [], None
        self.sock.sendall(
            f"POST /api/v1/{name} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )

    def answered(self) -> bytes | None:
        chunk = self.sock.recv(ROOM)
        self._received.append(chunk)
        if self._missing is None:
            head, end, rest = b"".join(self._received).partition(HEAD_END)
            if not end:
                return None
            at = head.lower().index(LENGTH) + len(LENGTH)
            self._missing = int(head[at:].split(b"\r\n", 1)[0]) - len(rest)
        else:
            self._missing -= len(chunk)
        return b"".join(self._received) if self._missing <= 0 or not chunk else None


class WebSocket:
    """One socket that hears nothing but its answers. An answer ends with the number of its request."""

    def __init__(self, port: int, key: str) -> None:
        self.sock = upgrade(port)
        self.sock.sendall(masked(json.dumps({"action": "authenticate", "api_key": key}).encode()))
        read_until(self.sock, b'"auth"')
        self._received: list[bytes] = []
        self._end = b""

    def ask(self, name: str, fields: dict[str, Any], number: int) -> None:
        self._received, self._end = [], f'"request_id":"{number}"}}'.encode()
        self.sock.sendall(masked(json.dumps({"action": name, **fields, "request_id": str(number)}).encode()))

    def answered(self) -> bytes | None:
        chunk = self.sock.recv(ROOM)
        self._received.append(chunk)
        tail = b"".join(self._received[-2:])
        return b"".join(self._received) if tail.endswith(self._end) or not chunk else None


Line = Rest | WebSocket
WIRES: dict[str, type[Rest] | type[WebSocket]] = {"rest": Rest, "ws": WebSocket}


class Trader:
    def __init__(self, wire: str, port: int, key: str, connections: int) -> None:
        self.selector = selectors.DefaultSelector()
        self.idle: list[Line] = []
        self.number = 0
        for _ in range(connections):
            line = WIRES[wire](port, key)
            self.selector.register(line.sock, selectors.EVENT_READ, line)
            self.idle.append(line)

    def run(
        self,
        name: str,
        fields: dict[str, Any],
        seconds: float = SLOW,
        count: int = 0,
        rate: float = 0.0,
        later: float = 0.0,
    ) -> dict[str, Any]:
        """A text in `fields` may hold `{n}`, the request's number, and `{turn}`, which goes round the symbols; the text
        `n` is the number itself."""
        time.sleep(later)
        first, began = self.number, time.monotonic()
        took: list[int] = []
        left: list[tuple[int, int]] = []
        since: dict[Line, float] = {}
        failed: list[str] = []
        over = False
        while True:
            now = time.monotonic()
            due = int((now - began) * rate) + 1 if rate else sys.maxsize
            over = over or now - began > seconds or bool(count and self.number - first >= count)
            while self.idle and not over and self.number - first < due:
                line = self.idle.pop()
                since[line] = began + (self.number - first) / rate if rate else time.monotonic()
                self.number += 1
                left.append((self.number, stamp.now()))
                line.ask(name, numbered(fields, self.number), self.number)
                over = bool(count and self.number - first >= count)
            if over and not since:
                break
            for key, _ in self.selector.select(0.0005 if rate else 1.0):
                answer = key.data.answered()
                if answer is None:
                    continue
                took.append(round((time.monotonic() - since.pop(key.data)) * 1e6))
                if b'"status":"error"' in answer[:1000]:
                    failed.append(answer[-500:].decode(errors="replace"))
                self.idle.append(key.data)
        lasted = time.monotonic() - began
        return {"seconds": lasted, "took": took, "failed": len(failed), "why": failed[:1], "left": left}


def numbered(fields: dict[str, Any], number: int) -> dict[str, Any]:
    turn = number % SYMBOLS
    return {
        name: number if value == "n" else value.format(n=number, turn=turn) if isinstance(value, str) else value
        for name, value in fields.items()
    }


def main() -> None:
    trader = Trader(**json.loads(sys.stdin.readline()))
    print("{}", flush=True)
    for line in sys.stdin:
        print(json.dumps(trader.run(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
