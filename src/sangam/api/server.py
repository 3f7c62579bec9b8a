"""Serves an ASGI application inside our loop: uvicorn without its own signal handlers and log files."""

import asyncio
import contextlib
from collections.abc import Generator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from sangam.listening import listen
from sangam.model.errors import ConfigError

from .correlation import Correlated


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """The composition root stops us; signals are its business."""
        yield


class ApiServer:
    """A running server. `port` is the one really bound; `stop` lets open requests finish."""

    def __init__(self, server: uvicorn.Server, task: asyncio.Task[None], port: int) -> None:
        self._server = server
        self._task = task
        self.port = port

    async def stop(self) -> None:
        self._server.should_exit = True
        await self._task


async def serve_api(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    auto_port: bool = False,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
) -> ApiServer:
    """Start and return once requests are answered. Port 0 takes any free one; `auto_port` the next free one.

    Raises ConfigError where the port is busy or the certificate cannot be used."""
    listener = listen(host, port, "API", auto_port=auto_port)
    config = uvicorn.Config(
        Correlated(app),
        log_config=None,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
        timeout_graceful_shutdown=5,
    )
    try:
        config.load()
    except OSError as error:
        listener.close()
        raise ConfigError(f"TLS_CERT {tls_cert} and TLS_KEY {tls_key} cannot be used: {error}.") from error
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="api")
    while not server.started:
        if task.done():
            await task
        await asyncio.sleep(0)
    return ApiServer(server, task, listener.getsockname()[1])
