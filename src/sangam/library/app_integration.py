"""The server in the process of a web application (Flask), on a thread of its own.

It is the whole server: gateway, feed, orders and REST, on a home folder that one process may hold. Of several worker
processes the first serves; the others refuse to start."""

import asyncio
import atexit
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from sangam.app import loop
from sangam.app.server import App
from sangam.model.errors import ConfigError
from sangam.settings import Settings, load_settings
from sangam.store.home import Home, HomeLocked, RunInfo

log = logging.getLogger("sangam.library")

PATIENCE = 10.0
"""Seconds to wait for a process that is just leaving, as when a worker is replaced."""
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_NAME = "sangam"
_starting = threading.Lock()


_at_exit: Callable[[Callable[[], object]], object] = getattr(threading, "_register_atexit", atexit.register)
"""Functions that `atexit` calls come too late: by then no thread pool takes work any more, and a server that ends has
some. The standard library's own pools end by this one, which calls what was registered last first."""


class WebApp(Protocol):
    """What is needed of a Flask application."""

    config: Any
    extensions: dict[str, Any]


class Proxy:
    """A running server. `run` tells where it listens; `stop` ends it, as the end of the process does."""

    run: RunInfo

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings = settings
        self._home = home
        self._process = os.getpid()
        self._ready = threading.Event()
        self._fault: BaseException | None = None
        self._stopping: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._live, name=_NAME, daemon=True)

    @property
    def running(self) -> bool:
        return self._process == os.getpid() and self._thread.is_alive()

    def start(self) -> None:
        """Returns once its ports answer. Raises what kept it from it, and leaves nothing behind."""
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            self.stop()
            raise ConfigError(f"The server did not stand within {_START_SECONDS:g} s.")
        if self._fault is not None:
            self._thread.join()
            raise self._fault
        _at_exit(self.stop)

    def stop(self) -> None:
        """May be called again, and by a process that was forked: its parent's server goes on."""
        if not self.running or self._loop is None or self._stopping is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            log.error("The server did not stop within %g s", _STOP_SECONDS)

    def _live(self) -> None:
        try:
            loop.run(self._serve())
        except BaseException as error:
            if self._ready.is_set():
                log.exception("The server ended by a fault")
            self._fault = error
        finally:
            self._home.unlock()
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        app = App(self._settings, self._home)
        self.run = await app.start()
        self._ready.set()
        log.info("WebSocket on %s, REST on %s", self.run.websocket_url, self.run.api_url)
        try:
            await self._stopping.wait()
        finally:
            await app.stop()


def start_websocket_proxy(app: WebApp, *, patience: float = PATIENCE, **settings: Any) -> Proxy:
    """Run the server beside a Flask application; one that runs for it already is returned.

    Settings are those of the server, by their names: the environment, then ``app.config``, then `settings`. REST takes
    any free port where none is named, since the application has its own. Raises ConfigError."""
    with _starting:  # by several threads at once it is still one
        held = app.extensions.get(_NAME)
        if isinstance(held, Proxy) and held.running:
            return held
        chosen = _settings(app, settings)
        home = Home(chosen.sangam_home)
        _lock(home, patience)
        try:
            proxy = Proxy(chosen, home)
        except BaseException:
            home.unlock()
            raise
        proxy.start()
        app.extensions[_NAME] = proxy
        return proxy


def _settings(app: WebApp, given: dict[str, Any]) -> Settings:
    configured = {name: app.config[name.upper()] for name in Settings.model_fields if name.upper() in app.config}
    chosen = load_settings(**{**configured, **given})
    if "api_port" in chosen.model_fields_set:
        return chosen
    return load_settings(**{**configured, **given, "api_port": 0})


def _lock(home: Home, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            home.lock()
        except HomeLocked as error:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            raise ConfigError(
                f"The WebSocket server runs in one process only, and another one has it: {error} Start Gunicorn with "
                "one worker (-w 1), and Flask without its reloader (use_reloader=False)."
            ) from None
        else:
            return
