"""The plumbing that every simulated broker shares: REST by uvicorn, WebSockets by picows, one exchange behind them."""

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import uvicorn
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from .exchange import Exchange
from .faults import Faults, Line
from .market import Market

log = logging.getLogger("sangam.simulators")

MAX_UNSENT = 4 << 20
"""A client that leaves so many bytes unread misses updates, as at the brokers."""


class Refused(NamedTuple):
    """An upgrade that is not accepted."""

    status: int
    body: bytes = b""


class Session(WSListener):
    """One client's socket. Brokers add what they say in `received`, `tick` and `heartbeat`."""

    def __init__(self, simulator: "Simulator") -> None:
        self.simulator = simulator
        self._transport: WSTransport | None = None
        self._frozen = False
        self._last = b""
        self._watched: dict[Market, int] = {}

    # --- for the brokers ----------------------------------------------------------------------------------------------

    def received(self, text: bytes) -> None:
        """A text message of the client."""

    def moved(self, markets: list[Market]) -> None:
        """These markets moved: tell the client what it subscribed."""

    def heartbeat(self) -> None:
        """Called every `heartbeat` seconds."""

    def watch(self, market: Market) -> None:
        if market not in self._watched:
            self._watched[market] = 1
            self.simulator.exchange.watch(market)

    def unwatch(self, market: Market) -> None:
        if self._watched.pop(market, None):
            self.simulator.exchange.unwatch(market)

    def send_text(self, payload: bytes) -> None:
        self._send(WSMsgType.TEXT, payload)

    def send_binary(self, payload: bytes) -> None:
        self._send(WSMsgType.BINARY, payload)

    @property
    def congested(self) -> bool:
        transport = self._transport
        return transport is not None and transport.underlying_transport.get_write_buffer_size() > MAX_UNSENT

    # --- faults -------------------------------------------------------------------------------------------------------

    def close(self, code: WSCloseCode = WSCloseCode.GOING_AWAY) -> None:
        if self._transport is not None:
            self._transport.send_close(code)
            self._transport.disconnect()

    def reset(self) -> None:
        if self._transport is not None:
            raw = self._transport.underlying_transport
            raw.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.abort()

    def reset_mid_frame(self) -> None:
        if self._transport is not None:
            self._transport.underlying_transport.write(b"\x82\x7e\x10\x00" + b"\x00" * 100)
            self.reset()

    def send_damaged(self, payload: bytes) -> None:
        if self._transport is not None:
            self._transport.send(WSMsgType.BINARY, payload)

    def last_frame(self) -> bytes:
        return self._last

    def freeze(self) -> None:
        if self._transport is not None:
            self._frozen = True
            self._transport.underlying_transport.pause_reading()

    # --- the socket ---------------------------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self.simulator.sessions.append(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.TEXT:
            self.received(frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._transport = None
        if self in self.simulator.sessions:
            self.simulator.sessions.remove(self)
        for market in list(self._watched):
            self.unwatch(market)

    def _send(self, kind: WSMsgType, payload: bytes) -> None:
        if self._transport is None or self._frozen or self.simulator.faults.mute:
            return
        if len(payload) > 1:
            self._last = payload
        self._transport.send(kind, payload)


class Simulator:
    """A fake broker. `hosts` are the rows of the broker's host table to override, `credentials` what a client needs.

    It runs its own exchange in real time unless one was given: then the giver steps it, or asks with `run=True`.
    `rate` is steps a second, `speed` the market's seconds in a real one, `heartbeat` the seconds between two."""

    name: ClassVar[str]
    moves: ClassVar[int | None] = None
    """How many markets may move in one step, where the loop is shared with others."""
    hosts: dict[str, str]

    def __init__(
        self,
        exchange: Exchange | None = None,
        *,
        run: bool | None = None,
        speed: float = 1.0,
        rate: float = 50.0,
        heartbeat: float = 1.0,
    ) -> None:
        self.exchange = exchange or Exchange()
        self.faults = Faults(self)
        self.hosts = {}
        self.sessions: list[Session] = []
        self._run = exchange is None if run is None else run
        self._speed = speed
        self._rate = rate
        self._heartbeat = heartbeat
        self._tasks: list[asyncio.Task[None]] = []
        self._undo: list[Callable[[], None]] = []
        self._rest: _Rest | None = None
        self._sockets: asyncio.Server | None = None

    # --- for the brokers ----------------------------------------------------------------------------------------------

    @property
    def credentials(self) -> dict[str, str]:
        raise NotImplementedError

    def routes(self) -> list[BaseRoute]:
        raise NotImplementedError

    def refusal(self, status: int) -> Response:
        """The broker's error envelope for a planned refusal."""
        raise NotImplementedError

    def accept(self, path: str, query: dict[str, str]) -> Session | Refused:
        """Decide about an upgrade."""
        raise NotImplementedError

    def expire_token(self) -> None:
        raise NotImplementedError

    def replace_session(self) -> None:
        raise NotImplementedError

    def check(self) -> None:
        """Called after every step and with every heartbeat: what happens by the hour."""

    def stepped(self, moved: list[Market]) -> None:
        """After every step of the exchange."""
        self.check()
        if moved:
            for session in list(self.sessions):
                if not session.congested:
                    session.moved(moved)

    # --- life ---------------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> list[Line]:
        return list(self.sessions)

    async def start(self, host: str = "127.0.0.1", rest_port: int = 0, ws_port: int = 0) -> None:
        """Listen (port 0: any free one) and fill `hosts`. Raises OSError when a port is taken."""
        listening = socket.create_server((host, rest_port))
        try:
            self._sockets = await ws_create_server(self._upgrade, host, ws_port, logger_name="simulator")
        except OSError:
            listening.close()
            raise
        self._rest = _Rest(self._application(), listening)
        await self._rest.start()
        self.hosts = {
            "api": f"http://{host}:{listening.getsockname()[1]}",
            "stream": f"ws://{host}:{self._sockets.sockets[0].getsockname()[1]}",
        }
        self._undo.append(self.exchange.on_step(self.stepped))
        self._spawn(self._beat())
        if self._run:
            self._spawn(self.exchange.run(self._rate, self._speed, self.moves))

    async def stop(self) -> None:
        """Close everything; nothing of this simulator is left on the loop."""
        for undo in self._undo:
            undo()
        self._undo.clear()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._sockets is not None:
            self._sockets.close()
            for session in list(self.sessions):
                session.close()
                session.reset()
            await self._sockets.wait_closed()
            self._sockets = None
        if self._rest is not None:
            await self._rest.stop()
            self._rest = None

    async def __aenter__(self) -> "Simulator":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("The simulated %s stands still: %r", self.name, error, exc_info=error)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat)
            self.check()
            for session in list(self.sessions):
                session.heartbeat()

    def _upgrade(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener:
        url = urlsplit(request.path.decode("latin-1"))
        if (status := self.faults.upgrade_status()) is not None:
            answer: Session | Refused = Refused(status)
        else:
            answer = self.accept(url.path, dict(parse_qsl(url.query)))
        if isinstance(answer, Session):
            return answer
        response = WSUpgradeResponse.create_error_response(answer.status, answer.body or None)
        return WSUpgradeResponseWithListener(response, None)

    def _application(self) -> Callable[[Scope, Receive, Send], Any]:
        inner = Starlette(routes=self.routes())

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and (status := self.faults.request_status()) is not None:
                await self.refusal(status)(scope, receive, send)
            else:
                await inner(scope, receive, send)

        return application


class _Rest:
    """uvicorn inside our loop: no signal handlers, no logs, stopped for certain."""

    class _Server(uvicorn.Server):
        def __init__(self, config: uvicorn.Config) -> None:
            super().__init__(config)
            self.up = asyncio.Event()
            self.leave = asyncio.Event()

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            self.up.set()

        async def main_loop(self) -> None:
            """No ten wake-ups a second in a process that has better things to do."""
            await self.on_tick(0)
            await self.leave.wait()

    def __init__(self, application: Callable[[Scope, Receive, Send], Any], listening: socket.socket) -> None:
        config = uvicorn.Config(
            application,
            http="h11",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            date_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = self._Server(config)
        self._listening = listening
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listening]))
        await self._server.up.wait()

    async def stop(self) -> None:
        if self._task is not None:
            self._server.leave.set()
            await self._task
            self._task = None
        self._listening.close()
