"""Load: many raw WebSocket clients in one process that cost less than the server they load.

Reads are counted by searching, not by parsing. The first client of a process is *audited*: all it received is kept, so
that loss, order and delay of every one of its messages can be judged afterwards. The others give samples of the oldest
and newest message of a read. First line in: the configuration; then ``begin`` and ``end``."""

import base64
import json
import os
import selectors
import socket
import struct
import sys
import threading
import time
from typing import Any

from . import stamp

ROOM = 1 << 20
EDGE = len(stamp.MARK) - 1
SAMPLE_EVERY = 5
CONNECT_TIMEOUT = 30.0


class Client:
    """One socket. `tail` is the end of the last read, where a mark may have been cut in two."""

    __slots__ = ("chunks", "count", "sock", "tail")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.tail = bytes(EDGE)
        self.count = 0
        self.chunks: list[tuple[int, bytes]] | None = None


def upgrade(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), CONNECT_TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    read_until(sock, b"\r\n\r\n")
    return sock


def masked(payload: bytes) -> bytes:
    """A client's text frame; the mask is zero, so the payload goes as it is."""
    length = len(payload)
    if length < 126:
        head = struct.pack(">BB", 0x81, 0x80 | length)
    elif length < 65536:
        head = struct.pack(">BBH", 0x81, 0xFE, length)
    else:
        head = struct.pack(">BBQ", 0x81, 0xFF, length)
    return head + bytes(4) + payload


def read_until(sock: socket.socket, mark: bytes) -> bytes:
    received = b""
    while mark not in received:
        chunk = sock.recv(65536)
        if not chunk:
            raise ConnectionError(f"closed while waiting for {mark!r}: {received[-300:]!r}")
        received += chunk
    return received


def log_in_sangam(sock: socket.socket, config: dict[str, Any], symbols: list[str]) -> bytes:
    """Returns what was read from the subscribe ack on."""
    sock.sendall(masked(json.dumps({"action": "authenticate", "api_key": config["key"]}).encode()))
    read_until(sock, b'"auth"')
    request: dict[str, Any] = {"action": "subscribe", "mode": config["mode"]}
    request["symbols"] = [{"symbol": symbol, "exchange": config["exchange"]} for symbol in symbols]
    if config["interval"] is not None:
        request["interval"] = config["interval"]
    sock.sendall(masked(json.dumps(request).encode()))
    answer = read_until(sock, b'"subscribe"')
    if b'"partial"' in answer or b'"status":"error"' in answer:
        raise RuntimeError(f"subscribe failed: {answer[:600]!r}")
    return answer


def log_in_nats(sock: socket.socket, config: dict[str, Any], symbols: list[str]) -> bytes:
    lines = "".join(f"SUB {symbol} {number}\r\n" for number, symbol in enumerate(symbols, 1))
    sock.sendall(masked(f'CONNECT {{"verbose":false,"pedantic":false}}\r\n{lines}PING\r\n'.encode()))
    return read_until(sock, b"PONG")


LOG_IN = {"sangam": log_in_sangam, "nats": log_in_nats}


class Sink:
    """All clients of this process on one selector."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.selector = selectors.DefaultSelector()
        self.clients: list[Client] = []
        self.oldest: list[int] = []
        self.newest: list[int] = []
        self.closed = 0
        self.reads = 0
        self.last_at = 0.0
        self.cpu = 0.0
        self.buffer = bytearray(EDGE + ROOM)
        for number in range(config["first"], config["first"] + config["clients"]):
            symbols = list(config["symbols"])
            if config["different"]:
                symbols.pop(number % len(symbols))
            sock = upgrade(config["port"])
            LOG_IN[config["wire"]](sock, config, symbols)
            sock.setblocking(False)
            client = Client(sock)
            self.clients.append(client)
            self.selector.register(sock, selectors.EVENT_READ, client)

    def begin(self) -> None:
        self.oldest.clear()
        self.newest.clear()
        self.reads = 0
        for client in self.clients:
            client.count = 0
        self.clients[0].chunks = []
        self.cpu = time.process_time()

    def turn(self) -> None:
        """Read whatever is there; wait a moment if nothing is."""
        buffer = self.buffer
        view = memoryview(buffer)[EDGE:]
        for key, _ in self.selector.select(0.05):
            client: Client = key.data
            try:
                size = client.sock.recv_into(view)
            except BlockingIOError:
                continue
            except ConnectionError:
                size = 0
            if not size:
                self.closed += 1
                self.selector.unregister(client.sock)
                continue
            now = stamp.now()
            buffer[:EDGE] = client.tail
            end = EDGE + size
            client.count += buffer.count(stamp.MARK, 0, end)
            client.tail = bytes(buffer[size:end])
            if client.chunks is not None:
                client.chunks.append((now, bytes(view[:size])))
            self.reads += 1
            if self.reads % SAMPLE_EVERY == 0:
                self._sample(now, end)
            self.last_at = time.monotonic()

    def _sample(self, now: int, end: int) -> None:
        buffer = self.buffer
        first = buffer.find(stamp.VOLUME, EDGE, end)
        if first < 0:
            return
        last = buffer.rfind(stamp.VOLUME, EDGE, end)
        for at, into in ((first, self.oldest), (last, self.newest)):
            start = at + len(stamp.VOLUME)
            stop = buffer.find(b",", start, end)
            if stop > 0:
                into.append(stamp.elapsed_us(now, int(buffer[start:stop])))

    def result(self, folder: str) -> dict[str, Any]:
        audited = self.clients[0]
        path = f"{folder}/audit-{os.getpid()}"
        with open(path, "wb") as file:
            for at, chunk in audited.chunks or ():
                file.write(struct.pack("<II", at, len(chunk)) + chunk)
        audited.chunks = None
        return {
            "counts": [client.count for client in self.clients],
            "oldest": self.oldest,
            "newest": self.newest,
            "closed": self.closed,
            "cpu": time.process_time() - self.cpu,
            "reads": self.reads,
            "audit": path,
        }


def main() -> None:
    config = json.loads(sys.stdin.readline())
    sink = Sink(config)
    commands: list[str] = []
    threading.Thread(target=lambda: commands.extend(sys.stdin), daemon=True).start()
    print(json.dumps({"ready": len(sink.clients)}), flush=True)
    while True:
        sink.turn()
        if not commands:
            continue
        command = json.loads(commands.pop(0))
        if command["do"] == "begin":
            sink.begin()
            print("{}", flush=True)
        elif command["do"] == "quiet":
            print(json.dumps({"since": time.monotonic() - sink.last_at}), flush=True)
        else:
            print(json.dumps(sink.result(command["folder"])), flush=True)


if __name__ == "__main__":
    main()
