"""One server: every room built, connected, and run until told to stop."""

import asyncio
import contextlib
import logging
import os
import signal
import ssl
from collections.abc import Callable

from sangam import __version__, simulators
from sangam.accounts.accounts import Accounts
from sangam.accounts.admin import Admin, ensure_admin_key
from sangam.accounts.demo import Demo, ensure_demo
from sangam.accounts.vault import open_vault
from sangam.api.app import create_api
from sangam.api.deps import ApiDeps
from sangam.api.server import ApiServer, serve_api
from sangam.brokers import registry
from sangam.feed.adopt import Adopter
from sangam.feed.feed import Feed
from sangam.feed.pool import Caps
from sangam.feed.quote import quote
from sangam.gateway.server import Gateway
from sangam.gateway.settings import GatewaySettings
from sangam.instruments.masters import Masters
from sangam.model.calendar import Calendar
from sangam.model.clock import Clock, SystemClock
from sangam.model.errors import BrokerError, ConfigError
from sangam.model.instrument import Instrument
from sangam.prices.last import Last
from sangam.prices.prices import Prices
from sangam.settings import Settings
from sangam.simulators import Simulator
from sangam.store.database import Database
from sangam.store.home import Home, RunInfo
from sangam.transport.http import HttpDriver
from sangam.transport.socket import Timing

from . import loop
from .logins import Logins
from .loop import LagMeter
from .observe import Observer

log = logging.getLogger("sangam.app")


class App:
    """One server. `start` returns once both ports answer; `run` tells where; `stop` leaves nothing running."""

    def __init__(
        self,
        settings: Settings,
        home: Home,
        *,
        clock: Clock | None = None,
        calendar: Calendar | None = None,
        timing: Timing | None = None,
    ) -> None:
        """Clock, calendar and the timing of broker sockets are the real ones unless a test brings its own."""
        self.run: RunInfo | None = None
        self.demo: Demo | None = None
        self._settings = settings
        self._home = home
        self._clock = clock or SystemClock()
        self._calendar = calendar or Calendar()
        self._timing = timing or Timing()
        self._stack = contextlib.AsyncExitStack()

    async def start(self, auto_port: bool = False) -> RunInfo:
        """Raises ConfigError and leaves nothing behind where anything cannot start."""
        try:
            self.run = await self._start(auto_port)
        except BaseException:
            await self.stop()
            raise
        return self.run

    async def stop(self) -> None:
        await self._stack.aclose()

    async def _start(self, auto_port: bool) -> RunInfo:
        settings, home, clock, stack = self._settings, self._home, self._clock, self._stack
        lag = LagMeter()
        stack.push_async_callback(lag.stop)
        self._brokers = registry.load(_broken).narrowed(settings.valid_brokers)
        database = Database(settings.database)
        stack.callback(database.close)
        key = settings.sangam_key.get_secret_value() if settings.sangam_key else None
        self._accounts = Accounts(database, open_vault(database, home, key), self._brokers, clock)
        ensure_admin_key(self._accounts, home)
        embedded = await self._simulate()

        http = HttpDriver(clock)
        stack.push_async_callback(http.close)
        caps = Caps(settings.max_symbols_per_websocket, settings.max_websocket_connections)
        self._feed = Feed(http.run, Prices(), clock, self._calendar, self._timing, caps)
        stack.push_async_callback(self._feed.stop)
        self._gateway = Gateway(
            self._feed,
            self._accounts.authenticate,
            brokers=self._brokers.names,
            settings=_gateway_settings(settings),
            clock=clock,
        )
        self._feed.attach(self._gateway.hub)
        self._feed.start()
        masters = Masters(home.path, clock)
        stack.callback(masters.close)
        adopter = Adopter(self._feed, masters, self._brokers, http.run, http.ctx, clock)
        adopter.on_client(self._accounts.name_client)
        stack.push_async_callback(adopter.stop)
        self._observer = Observer(self._feed, self._gateway, lag)

        websocket_port = await self._gateway.start(
            settings.websocket_host, settings.websocket_port, _tls(settings), auto_port=auto_port
        )
        stack.push_async_callback(self._gateway.stop)
        here = asyncio.get_running_loop()
        self._accounts.keys.on_revoked(lambda key: here.call_soon_threadsafe(self._gateway.revoke, key))
        api = await self._serve_api(auto_port)
        stack.push_async_callback(api.stop)
        logins = Logins(self._accounts, self._brokers, self._feed, adopter, embedded)
        stack.callback(logins.stop)
        logins.start()
        run = RunInfo(
            pid=os.getpid(),
            api_host=settings.api_host,
            api_port=api.port,
            websocket_host=settings.websocket_host,
            websocket_port=websocket_port,
            tls=settings.tls_cert is not None,
            version=__version__,
            started_at=clock.now_ms(),
        )
        home.write_run(run)
        return run

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _simulate(self) -> dict[str, Simulator]:
        """The embedded market: a simulator for each simulated broker, and the demo that streams from it."""
        embedded = {}
        for spec in self._brokers:
            if spec.simulated and spec.name in simulators.names():
                simulator = embedded[spec.name] = simulators.create(spec.name)
                await simulator.start()
                self._stack.push_async_callback(simulator.stop)
                self.demo = ensure_demo(self._accounts, self._home, spec.name, simulator.credentials)
        return embedded

    async def _serve_api(self, auto_port: bool) -> ApiServer:
        settings = self._settings
        deps = ApiDeps(
            authenticate=self._accounts.authenticate,
            last=self._feed.last,
            quote=self._quote,
            symbol=self._symbol,
            health=self._observer.health,
            metrics=self._observer.metrics,
            admin=Admin(self._accounts).call,
            clock=self._clock,
            version=__version__,
            rate_limit=settings.api_rate_limit,
        )
        return await serve_api(
            create_api(deps),
            settings.api_host,
            settings.api_port,
            auto_port=auto_port,
            tls_cert=settings.tls_cert,
            tls_key=settings.tls_key,
        )

    # --- what the API asks --------------------------------------------------------------------------------------------

    async def _quote(self, account: str, symbol: str, exchange: str) -> Last:
        return await quote(self._feed, account, symbol, exchange)

    def _symbol(self, account: str, symbol: str, exchange: str) -> Instrument:
        master = self._feed.master(account)
        if master is None:
            raise BrokerError("The instruments of this account are not loaded yet; log in, or try again in a moment.")
        return master.lookup(symbol, exchange)


def serve(settings: Settings, *, auto_port: bool = False, ready: Callable[[App], None] | None = None) -> None:
    """Run a server until SIGINT or SIGTERM; `ready` is told when its ports answer. Raises ConfigError."""
    with Home(settings.sangam_home) as home:
        loop.run(_serve(App(settings, home), auto_port, ready))


async def _serve(app: App, auto_port: bool, ready: Callable[[App], None] | None) -> None:
    stopping = asyncio.Event()
    here = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            here.add_signal_handler(number, stopping.set)
        except NotImplementedError:  # Windows: Ctrl-C raises KeyboardInterrupt instead
            signal.signal(number, lambda *_: here.call_soon_threadsafe(stopping.set))
    await app.start(auto_port)
    loop.settle()
    try:
        if ready is not None:
            ready(app)
        await stopping.wait()
        log.info("stopping")
    finally:
        await app.stop()


def _broken(folder: str, error: Exception) -> None:
    log.error("the broker folder '%s' cannot be loaded and is skipped: %s", folder, error)


def _gateway_settings(settings: Settings) -> GatewaySettings:
    return GatewaySettings(
        interval_ms=settings.market_data_interval_ms,
        ping_interval=settings.ws_ping_interval,
        ping_timeout=settings.ws_ping_timeout,
        auth_grace=settings.ws_auth_grace_seconds,
        max_message=settings.ws_max_message_bytes,
        message_rate=settings.ws_max_messages_per_second,
        max_subscriptions=settings.ws_max_subscriptions,
    )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"TLS_CERT {settings.tls_cert} and TLS_KEY cannot be used: {error}.") from error
    return context
