"""REST load: keep-alive connections that always have one ping under way, in a process of their own.

First line in: ``{"port", "key", "connections"}``. Each ``{"seconds"}`` answers with how long it took in all, and after
how many microseconds each reply came."""

import json
import selectors
import socket
import sys
import time

ROOM = 65536
GOOD = b'"message":"pong"'


class Pinger:
    """One connection. A reply is complete with its body, which ends the first read that holds it."""

    def __init__(self, port: int, request: bytes) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._sent = 0
        self._received = b""

    def ask(self) -> None:
        self._sent = time.monotonic_ns()
        self._received = b""
        self.sock.sendall(self._request)

    def answered(self) -> int | None:
        """Microseconds since the question, once the whole reply is there."""
        self._received += self.sock.recv(ROOM)
        if not self._received.endswith(b"}}"):
            return None
        assert GOOD in self._received, self._received
        return (time.monotonic_ns() - self._sent) // 1000


def main() -> None:
    config = json.loads(sys.stdin.readline())
    body = json.dumps({"apikey": config["key"]})
    request = (
        f"POST /api/v1/ping HTTP/1.1\r\nHost: 127.0.0.1:{config['port']}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    selector = selectors.DefaultSelector()
    for _ in range(config["connections"]):
        pinger = Pinger(config["port"], request.encode())
        selector.register(pinger.sock, selectors.EVENT_READ, pinger)
    print("{}", flush=True)
    for line in sys.stdin:
        started = time.monotonic()
        end = started + json.loads(line)["seconds"]
        took: list[int] = []
        waiting = [key.data for key in selector.get_map().values()]
        open_questions = len(waiting)
        for pinger in waiting:
            pinger.ask()
        while open_questions:
            for key, _ in selector.select(1):
                delay = key.data.answered()
                if delay is None:
                    continue
                took.append(delay)
                if time.monotonic() < end:
                    key.data.ask()
                else:
                    open_questions -= 1
        print(json.dumps({"seconds": time.monotonic() - started, "took": took}), flush=True)


if __name__ == "__main__":
    main()
