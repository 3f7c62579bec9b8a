"""A server in several processes: one feed (with accounts, instruments and REST) and gateways that share a port.

This process serves nobody. It holds the home's lock, chooses the ports, starts the parts, and starts again what ends
unasked; when it is told to stop, or dies, its parts end."""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from sangam.accounts.demo import Demo
from sangam.bus.sockets import local_endpoint
from sangam.listening import hold, listen
from sangam.model.errors import ConfigError
from sangam.settings import Settings
from sangam.store.home import Home, RunInfo
from sangam.transport.backoff import Backoff

from . import loop
from .part import Standing, Task, reveal

log = logging.getLogger("sangam.app")

_SETTLED_SECONDS = 30.0
"""A part that lived so long is not in a loop of failures."""
_STOP_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the command line says of a split server."""

    gateways: int = 1
    auto_port: bool = False
    log_json: bool = False
    trace: tuple[str, ...] = ()


class Part:
    """One child. `start` returns what it answered; `keep` starts it again whenever it ends; `stop` ends it."""

    def __init__(self, module: str, task: Task) -> None:
        self.task = task
        self._module = module
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    async def start(self) -> Standing:
        """Raises ConfigError where it does not come to stand."""
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self._module, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a part without pipes")
        if self._stopping.is_set():
            process.stdin.close()
        with contextlib.suppress(ConnectionError):
            process.stdin.write(msgspec.json.encode(self.task) + b"\n")
            await process.stdin.drain()
        line = await process.stdout.readline()
        standing = (
            msgspec.json.decode(line, type=Standing) if line else Standing(error=f"{self.task.name} ended at its start")
        )
        if standing.error:
            await process.wait()
            raise ConfigError(standing.error)
        log.info("%s stands as process %d", self.task.name, process.pid)
        return standing

    async def keep(self) -> None:
        name, here = self.task.name, asyncio.get_running_loop()
        backoff = Backoff(first=0.2, cap=15.0)
        while self._process is not None:
            started = here.time()
            code = await self._process.wait()
            if self._stopping.is_set():
                return
            if here.time() - started > _SETTLED_SECONDS:
                backoff.reset()
            delay = backoff.next()
            log.error("%s (process %d) ended with code %s; starting it again", name, self._process.pid, code)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
                return
            try:
                await self.start()
            except ConfigError as error:
                log.error("%s does not start: %s", name, error)

    async def stop(self) -> None:
        """Close its lifeline and wait; kill it if it does not go."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            log.error("%s does not stop; killing it", self.task.name)
            process.kill()
            await process.wait()


class Split:
    """The parts of one server. `run` tells where it listens."""

    def __init__(self, settings: Settings, home: Home, plan: Plan) -> None:
        self.run: RunInfo | None = None
        self.demo: Demo | None = None
        self._settings = settings
        self._home = home
        self._plan = plan
        self._keepers: list[asyncio.Task[None]] = []
        self._stack = contextlib.ExitStack()
        self._parts: list[Part] = []

    async def start(self) -> None:
        """Raises ConfigError and leaves nothing behind where anything cannot start."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        plan, settings = self._plan, self._settings
        port = self._stack.enter_context(_port(settings, plan))
        folder = str(self._home.path)
        task = Task(
            name="feed",
            settings=reveal(settings) | {"websocket_port": port},
            requests=local_endpoint(folder, "requests.ipc", settings.zmq_port),
            data=local_endpoint(folder, "data.ipc", 0),
            secret=secrets.token_hex(16),
            shared=plan.gateways > 1,
            auto_port=plan.auto_port,
            log_json=plan.log_json,
            trace=list(plan.trace),
        )
        if settings.legacy_zmq_ingress and not task.requests.startswith("ipc"):
            raise ConfigError("Here a split server's processes need ZMQ_PORT themselves: unset LEGACY_ZMQ_INGRESS.")
        feed = Part("sangam.app.feed_process", task)
        self._parts.append(feed)
        standing = await feed.start()
        if standing.run is None:
            raise RuntimeError("a feed that stands says where")
        task.settings["api_port"] = standing.run.api_port  # a feed that comes back is found where it was
        task.auto_port = False
        gateways = [
            Part("sangam.app.gateway_process", msgspec.structs.replace(task, name=f"gateway-{number}"))
            for number in range(1, plan.gateways + 1)
        ]
        self._parts += gateways
        await asyncio.gather(*(gateway.start() for gateway in gateways))
        self.demo = standing.demo
        self.run = msgspec.structs.replace(standing.run, pid=os.getpid())
        self._home.write_run(self.run)
        self._keepers = [asyncio.create_task(part.keep(), name=part.task.name) for part in self._parts]

    async def stop(self) -> None:
        """Gateways first: they say goodbye to their clients and give their wants back."""
        feed, gateways = self._parts[:1], self._parts[1:]
        for parts in (gateways, feed):
            await asyncio.gather(*(part.stop() for part in parts))
        await asyncio.gather(*self._keepers)
        self._stack.close()


@contextlib.contextmanager
def _port(settings: Settings, plan: Plan) -> Iterator[int]:
    """The WebSocket port: free now, and while several gateways share it nobody else's."""
    listener = listen(settings.websocket_host, settings.websocket_port, "WEBSOCKET", auto_port=plan.auto_port)
    port: int = listener.getsockname()[1]
    if plan.gateways > 1:
        holder: socket.socket = hold(listener)
    else:
        holder = listener
        listener.close()
    with holder:
        yield port


def serve(settings: Settings, plan: Plan, ready: Callable[[Split], None] | None = None) -> None:
    """Run a split server until SIGINT or SIGTERM; `ready` is told when its ports answer. Raises ConfigError."""
    with Home(settings.sangam_home) as home:
        loop.run(_serve(Split(settings, home, plan), ready))


async def _serve(split: Split, ready: Callable[[Split], None] | None) -> None:
    stopping = asyncio.Event()
    loop.on_signals(stopping.set, signal.SIGINT, signal.SIGTERM)
    await split.start()
    try:
        if ready is not None:
            ready(split)
        await stopping.wait()
        log.info("stopping")
    finally:
        await split.stop()
