"""ZeroMQ sockets on an event loop: no thread, no future per message.

A socket's descriptor only says that something changed, and only once: so whenever it fires, and after each send, what
is there is taken in batches until nothing is left. Loops that cannot watch descriptors (Windows) look every few
milliseconds instead."""

import asyncio
import os
from collections.abc import Callable

import zmq

from sangam.model.errors import ConfigError

BATCH = 200
"""Messages taken in one turn of the loop."""
_LOOK_SECONDS = 0.004
_PATH_MAX = 100


class Socket:
    """A plain socket whose messages are handed to `received`, as lists of frames."""

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        kind: int,
        received: Callable[[list[bytes]], object] | None = None,
        *,
        queue: int = 1000,
    ) -> None:
        """`queue` bounds what waits per peer in either direction."""
        self.raw = context.socket(kind)
        self.raw.setsockopt(zmq.LINGER, 0)
        self.raw.setsockopt(zmq.SNDHWM, queue)
        self.raw.setsockopt(zmq.RCVHWM, queue)
        self.raw.setsockopt(zmq.RECONNECT_IVL, 20)
        self.raw.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
        self._received = received
        self._loop = asyncio.get_running_loop()
        self._due = False
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._descriptor: int | None = None
        if received is not None:
            self._watch()

    def bind(self, endpoint: str) -> str:
        """Returns the endpoint really bound; raises ConfigError."""
        try:
            self.raw.bind(endpoint)
        except zmq.ZMQError as error:
            raise ConfigError(f"{endpoint} cannot be used: {error.strerror or error}.") from error
        return self.raw.getsockopt_string(zmq.LAST_ENDPOINT)

    def connect(self, endpoint: str) -> None:
        self.raw.connect(endpoint)

    def send(self, *frames: bytes) -> bool:
        """Never waits. False when the peer is unknown or takes no more."""
        try:
            self.raw.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        finally:
            self._soon()
        return True

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
        self.raw.close()

    def _watch(self) -> None:
        descriptor = self.raw.fileno()
        try:
            self._loop.add_reader(descriptor, self._take)
        except NotImplementedError:
            self._look()
        else:
            self._descriptor = descriptor
        self._soon()

    def _look(self) -> None:
        self._take()
        self._timer = self._loop.call_later(_LOOK_SECONDS, self._look)

    def _soon(self) -> None:
        if self._received is not None and not self._due:
            self._due = True
            self._loop.call_soon(self._again)

    def _again(self) -> None:
        self._due = False
        self._take()

    def _take(self) -> None:
        received = self._received
        if received is None:
            return
        for _ in range(BATCH):
            if self._closed:
                return
            try:
                frames = self.raw.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                received(frames)
            except BaseException:
                self._soon()  # one message's fault must not leave the next ones lying
                raise
        self._soon()


def local_endpoint(folder: str, name: str, port: int) -> str:
    """Where processes of one machine meet: a socket file in a folder of ours, else (Windows, or a path too long for a
    socket) a loopback port; 0 lets the system choose."""
    path = f"{folder}/{name}"
    if os.name == "posix" and zmq.has("ipc") and len(path.encode()) <= _PATH_MAX:
        return f"ipc://{path}"
    return f"tcp://127.0.0.1:{port or '*'}"
