"""The plumbing that every simulated broker shares: REST by uvicorn, WebSockets by picows, one exchange behind them."""

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, urlsplit

from picows import (
    WSCloseCode,
    WSListener,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from .exchange import Exchange
from .faults import Faults, Line
from .market import Market
from .orders import Order
from .rest import Application, Rest
from .session import Client, Moved, Refused, Session

log = logging.getLogger("sangam.simulators")


class Simulator:
    """A fake broker. `hosts` are the rows of the broker's host table to override, `credentials` what a client needs.

    It runs its own exchange in real time unless one was given: then the giver steps it, or asks with `run=True`.
    `rate` is steps a second, `speed` the market's seconds in a real one, `heartbeat` the seconds between two,
    `idle` those that an HTTP connection without requests lives."""

    name: ClassVar[str]
    moves: ClassVar[int | None] = None
    """How many markets may move in one step, where the loop is shared with others."""
    scheme: ClassVar[str] = "ws"
    """How the address of its sockets begins."""
    hosts: dict[str, str]

    def __init__(
        self,
        exchange: Exchange | None = None,
        *,
        run: bool | None = None,
        speed: float = 1.0,
        rate: float = 50.0,
        heartbeat: float = 1.0,
        idle: int = 5,
    ) -> None:
        self.exchange = exchange or Exchange()
        self.faults = Faults(self)
        self.hosts = {}
        self.sessions: list[Client] = []
        self._run = exchange is None if run is None else run
        self._speed = speed
        self._rate = rate
        self._heartbeat = heartbeat
        self._idle = idle
        self._tasks: list[asyncio.Task[None]] = []
        self._undo: list[Callable[[], None]] = []
        self._rest: Rest | None = None
        self._sockets: asyncio.Server | None = None

    # --- for the brokers ----------------------------------------------------------------------------------------------

    @property
    def credentials(self) -> dict[str, str]:
        raise NotImplementedError

    def routes(self) -> list[BaseRoute]:
        raise NotImplementedError

    def middleware(self) -> list[Middleware]:
        """What stands between the line and the routes."""
        return []

    def refusal(self, status: int) -> Response:
        """The broker's error envelope for a planned refusal."""
        raise NotImplementedError

    def accept(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Session | Refused | Moved:
        """Decide about an upgrade; header names are in lower case."""
        raise NotImplementedError

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Open the door for sockets. Raises OSError when the port is taken."""
        return await ws_create_server(self._upgrade, host, port, logger_name="simulator")

    def new_login(self) -> dict[str, str]:
        """Log in anew: the former access token is dead from now on, its sockets are cut. Returns the credentials."""
        raise NotImplementedError

    def expire_token(self) -> None:
        """End the session: nobody is let in until `new_login`."""
        raise NotImplementedError

    def replace_session(self) -> None:
        """Somebody else logs in."""
        self.new_login()

    def ordered(self, order: Order) -> None:
        """A client's order changed."""

    def check(self) -> None:
        """Called after every step and with every heartbeat: what happens by the hour."""

    def stepped(self, moved: list[Market]) -> None:
        """After every step of the exchange."""
        self.check()
        if moved:
            for session in list(self.sessions):
                if not session.congested:
                    session.moved(moved)

    def broadcast(self, text: bytes) -> None:
        """Send a text message to every socket that hears of orders."""
        for session in list(self.sessions):
            if session.hears_of_orders:
                session.send_text(text)

    def cut(self) -> None:
        """Close every socket, as at the end of a session."""
        for session in list(self.sessions):
            session.close(WSCloseCode.OK)

    # --- life ---------------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> list[Line]:
        return list(self.sessions)

    async def start(self, host: str = "127.0.0.1", rest_port: int = 0, ws_port: int = 0) -> None:
        """Listen (port 0: any free one) and fill `hosts`. Raises OSError when a port is taken."""
        listening = socket.create_server((host, rest_port))
        try:
            self._sockets = await self.listen(host, ws_port)
        except OSError:
            listening.close()
            raise
        self._rest = Rest(self._application(), listening, self._idle)
        await self._rest.start()
        self.hosts = {
            "api": f"http://{host}:{listening.getsockname()[1]}",
            "stream": f"{self.scheme}://{host}:{self._sockets.sockets[0].getsockname()[1]}",
        }
        self._undo += (self.exchange.on_step(self.stepped), self.exchange.on_order(self.ordered))
        self._spawn(self._beat())
        if self._run:
            self._spawn(self.exchange.run(self._rate, self._speed, self.moves))

    async def stop(self) -> None:
        """Close everything; nothing of this simulator is left on the loop."""
        self.faults.orders.clear()
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

    async def __aenter__(self) -> Self:
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
            answer: Session | Refused | Moved = Refused(status)
        else:
            headers = {name.lower(): value for name, value in request.headers.items()}
            answer = self.accept(url.path, dict(parse_qsl(url.query)), headers)
        if isinstance(answer, Session):
            return answer
        if isinstance(answer, Moved):
            return WSUpgradeResponseWithListener(WSUpgradeResponse.create_redirect_response(302, answer.url), None)
        response = WSUpgradeResponse.create_error_response(answer.status, answer.body or None)
        return WSUpgradeResponseWithListener(response, None)

    def _application(self) -> Application:
        inner = Starlette(routes=self.routes(), middleware=self.middleware())

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and (status := self.faults.request_status(scope["path"])) is not None:
                await self.refusal(status)(scope, receive, send)
            else:
                await inner(scope, receive, send)

        return application
