"""The same fan-out through `nats-server`'s WebSocket, where it is installed: the yardstick of DESIGN §6."""

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support import free_port

from . import stamp
from .machine import Cores, pinned

DEFAULT_MESSAGE = (
    b'{"type":"market_data","symbol":"SYM0","exchange":"NSE","mode":2,"broker":"zerodha","data":{"symbol":"SYM0",'
    b'"exchange":"NSE","mode":2,"epoch":1,"seq":1,"ltp":1000.5,"open":995.0,"high":1006.0,"low":993.0,"close":998.8,'
    b'"volume":1000000000,"last_trade_quantity":25,"avg_trade_price":999.6,"total_buy_quantity":250000,'
    b'"total_sell_quantity":260000,"timestamp":1763706896000,"last_quantity":25,"average_price":999.6,"change":1.7,'
    b'"change_percent":0.17}}'
)


def binary() -> str | None:
    return shutil.which("nats-server")


class NatsServer:
    """A `nats-server` of our own on free ports, pinned like our server."""

    def __init__(self, folder: Path, cores: Cores) -> None:
        self.port, self.ws_port = free_port(), free_port()
        config = folder / "nats.conf"
        config.write_text(
            f"host: 127.0.0.1\nport: {self.port}\nmax_pending: 256MB\n"
            f"websocket {{ host: 127.0.0.1, port: {self.ws_port}, no_tls: true }}\n"
        )
        path = binary()
        assert path is not None
        with pinned(cores), (folder / "nats.log").open("wb") as log:
            self.process = subprocess.Popen([path, "-c", str(config)], stdout=log, stderr=log)

    def __enter__(self) -> Self:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.ws_port), 1).close()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.terminate()
        self.process.wait(10)

    def version(self) -> str:
        done = subprocess.run([binary() or "", "--version"], capture_output=True, text=True, check=True)
        return done.stdout.split(":")[-1].strip()


class Publisher:
    """The publisher's end of NATS' TCP protocol."""

    def __init__(self, port: int, symbols: list[str], message: bytes) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.recv(4096)
        self.sock.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\n')
        at = message.index(stamp.VOLUME) + len(stamp.VOLUME)
        end = message.index(b",", at)
        size = at + 10 + len(message) - end
        self.heads = [f"PUB {symbol} {size}\r\n".encode() + message[:at] for symbol in symbols]
        self.end = message[end:] + b"\r\n"

    def go(self, rate: float, seconds: float) -> dict[str, Any]:
        started = time.perf_counter()
        count, total = 0, int(rate * seconds)
        heads, end = self.heads, self.end
        while count < total:
            due = min(total, int((time.perf_counter() - started) * rate) + 1)
            now = b"%10d" % stamp.now()  # blanks before a number are JSON too
            self.sock.sendall(b"".join(heads[n % len(heads)] + now + end for n in range(count, due)))
            count = due
            time.sleep(0.001)
        return {"sent": count, "seconds": time.perf_counter() - started}


def main() -> None:
    config = json.loads(sys.stdin.readline())
    publisher = Publisher(config["port"], config["symbols"], config["message"].encode())
    print("{}", flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        print(json.dumps(publisher.go(command["rate"], command["seconds"])), flush=True)


if __name__ == "__main__":
    main()
