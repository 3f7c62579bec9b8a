"""One server: every room built, connected, and run until told to stop."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sangam import __version__, simulators
from sangam.accounts.accounts import Accounts
from sangam.accounts.admin import ensure_admin_key
from sangam.accounts.demo import Demo, ensure_demo
from sangam.accounts.desk import open_desk
from sangam.accounts.first import ensure_first
from sangam.accounts.vault import open_vault
from sangam.adapters import finding
from sangam.api.app import create_api
from sangam.api.deps import ApiDeps
from sangam.api.logins import make_login_router
from sangam.api.postbacks import make_postback_router
from sangam.api.server import ApiServer, serve_api
from sangam.bus.ingress import Ingress
from sangam.feed.adopt import Adopter
from sangam.feed.assess import Dead
from sangam.feed.external import External, WithExternal
from sangam.feed.feed import Feed
from sangam.feed.market import Market
from sangam.feed.pool import Caps
from sangam.feed.unlisted import Unlisted
from sangam.gateway.server import Gateway
from sangam.instruments.daily import day_began
from sangam.instruments.master import Master
from sangam.instruments.masters import Masters
from sangam.model import holidays
from sangam.model.calendar import Calendar
from sangam.model.clock import Clock, SystemClock
from sangam.model.enums import AccountState
from sangam.model.errors import BrokerError, SessionExpired, Unsupported
from sangam.model.identity import Identity
from sangam.prices.prices import Prices
from sangam.settings import Settings
from sangam.simulators import Simulator
from sangam.store.database import Database
from sangam.store.home import Home, RunInfo
from sangam.transport.http import HttpDriver
from sangam.transport.socket import Timing
from sangam.verify.subject import Rooms

from . import loop
from .alerts import Alerts
from .front import Front, Here, MakeFront
from .instruments import InstrumentDesk
from .keeper import Keeper
from .lending import Lending
from .logins import Logins
from .loop import LagMeter
from .observe import Observer
from .orders import OrderRoom
from .trace import Target, Tracer
from .verify import VerifyVerbs

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
        front: MakeFront = Here,
    ) -> None:
        """Clock, calendar and the timing of broker sockets are the real ones unless a test brings its own. Who holds
        the lock of `home` notes there where the server listens."""
        self.run: RunInfo | None = None
        self.demo: Demo | None = None
        self.front: Front
        self.tracer: Tracer
        self.verify: VerifyVerbs
        self.ingress: Ingress | None = None
        self._settings = settings
        self._home = home
        self._clock = clock or SystemClock()
        self._own_calendar = calendar
        self._timing = timing or Timing()
        self._make_front = front
        self._stack = contextlib.AsyncExitStack()

    async def start(self, auto_port: bool = False) -> RunInfo:
        """Raises ConfigError and leaves nothing behind where anything cannot start."""
        try:
            return await self._start(auto_port)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        await self._stack.aclose()

    async def _start(self, auto_port: bool) -> RunInfo:
        settings, home, clock, stack = self._settings, self._home, self._clock, self._stack
        self._calendar = self._own_calendar or Calendar(holidays.load(home.path / "holidays.json"))
        lag = LagMeter()
        stack.push_async_callback(lag.stop)
        self._brokers = finding.brokers(home.path).narrowed(settings.valid_brokers)
        database = Database(settings.database)
        stack.callback(database.close)
        key = settings.sangam_key.get_secret_value() if settings.sangam_key else None
        vault = open_vault(database, home, key)
        self._accounts = Accounts(database, vault, self._brokers, clock)
        ensure_admin_key(self._accounts, home)
        embedded = await self._simulate()

        http = self._http = HttpDriver(clock)
        stack.push_async_callback(http.close)
        caps = Caps(settings.max_symbols_per_websocket, settings.max_websocket_connections)
        self._feed = Feed(http.run, Prices(), clock, self._calendar, self._timing, caps)
        stack.push_async_callback(self._feed.stop)
        self._feed.lend(Lending(self._accounts, self._brokers).lender)
        front = self.front = self._connect()
        self._feed.start()
        masters = self._masters = Masters(home.path, clock)
        stack.callback(masters.close)
        self._market = Market(self._feed, http, self._calendar, clock)
        stack.push_async_callback(self._market.close)
        adopter = Adopter(self._feed, masters, self._brokers, http.run, http.ctx, clock)
        adopter.on_client(self._accounts.name_client)
        stack.push_async_callback(adopter.stop)
        self._instruments = InstrumentDesk(adopter, masters)
        orders = self._orders = OrderRoom(
            home,
            settings.database,
            clock=clock,
            calendar=self._calendar,
            http=http,
            feed=self._feed,
            market=self._market,
            accounts=self._accounts,
            brokers=self._brokers,
            master=self._master,
            tell=front.sink.order,
        )
        stack.push_async_callback(orders.stop)
        orders.start()
        front.attach_orders(orders.actions)
        hook = settings.alert_webhook.get_secret_value() if settings.alert_webhook else ""
        alerts = Alerts(
            self._feed.all_health,
            lambda: [source.progress() for source in adopter.sources],
            home.path,
            clock,
            hook,
            orders.troubles,
        )
        stack.push_async_callback(alerts.stop)
        alerts.start()
        self._observer = Observer(self._feed, front, lag, alerts, http.trace)
        self._desk = open_desk(
            self._accounts, self._brokers, vault, clock, http.run, http.ctx, self._address, self._standing
        )

        websocket_port = await front.open(auto_port)
        stack.push_async_callback(front.stop)
        api = await self._serve_api(auto_port)
        stack.push_async_callback(api.stop)
        stack.push_async_callback(orders.drain)
        self._open_verifications(http, adopter)
        run = self.run = RunInfo(
            pid=os.getpid(),
            api_host=settings.api_host,
            api_port=api.port,
            websocket_host=settings.websocket_host,
            websocket_port=websocket_port,
            tls=settings.tls_cert is not None,
            version=__version__,
            started_at=clock.now_ms(),
        )
        self._bring_up(adopter, embedded)
        orders.serve()
        if home.locked:
            home.write_run(run)
        return run

    def _connect(self) -> Front:
        """All that can be listened to, and where clients come in: each knows the other afterwards."""
        settings, clock = self._settings, self._clock
        external = External(clock) if settings.legacy_zmq_ingress else None
        served = WithExternal(self._feed, external) if external is not None else self._feed
        front = self._make_front(served, self._accounts, self._brokers.names, settings, clock)
        self._feed.attach(front.sink)
        self.tracer = Tracer(clock, self._feed, front if isinstance(front, Gateway) else None)
        self._stack.callback(self.tracer.close)
        if external is not None:
            external.attach(front.sink)
            ingress = self.ingress = Ingress(external, self._brokers.names, clock)
            ingress.start(f"tcp://{settings.zmq_host}:{settings.zmq_port or '*'}")
            self._stack.callback(ingress.close)
        return front

    def _bring_up(self, adopter: Adopter, embedded: Mapping[str, Simulator]) -> None:
        """The accounts, and the watch over their sessions."""
        first = ensure_first(self._accounts, self._brokers, *self._given())
        logins = Logins(self._accounts, self._brokers, self._feed, adopter, embedded, self._address)
        self._stack.callback(logins.stop)
        logins.start()
        if first is not None:
            log.info("%s: made of BROKER_API_KEY; log in: sangam account login %s", first.id, first.id)
        keeper = Keeper(self._desk, self._dead, self._clock)
        self._stack.push_async_callback(keeper.stop)
        keeper.start()

    def _dead(self, account: str) -> Dead | None:
        """Of a session that a stream found dead, or a call did: not every stream ends with it, and some have none."""
        told, session = self._feed.dead(account), self._feed.session(account)
        if session is None or (told is not None and told.whole):
            return told
        why = self._http.refusal(self._feed.broker(account), session)
        return told if why is None else Dead(session.generation, AccountState.AUTH_EXPIRED, why)

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
        settings, orders = self._settings, self._orders
        deps = ApiDeps(
            authenticate=self._accounts.authenticate,
            master=self._master,
            quotes=self._market.quotes,
            history=self._market.history,
            intervals=self._market.intervals,
            calendar=self._calendar,
            health=self._observer.health,
            metrics=self._figures,
            families=lambda: (*self._observer.families(), *orders.families()),
            admin=self.administer,
            clock=self._clock,
            version=__version__,
            rate_limit=settings.api_rate_limit,
            greeks_rate_limit=settings.greeks_rate_limit,
            order_rate_limit=settings.order_rate_limit,
            smart_order_rate_limit=settings.smart_order_rate_limit,
            desk=orders.desk,
            simulated=self._feed.simulated,
            analyzer=lambda identity: self._accounts.users[identity.user].analyzer,
            set_analyzer=self._analyze,
            paper=orders.paper_figures,
            resolve=orders.desk.resolve,
            events=orders.events,
        )
        api = create_api(deps)
        api.include_router(
            make_login_router(
                self._desk, self._clock, settings.tls_cert is not None or self._address().startswith("https")
            )
        )
        api.include_router(make_postback_router(orders.addressee, orders.posted, orders.read, self._clock))
        return await serve_api(
            api,
            settings.api_host,
            settings.api_port,
            auto_port=auto_port,
            tls_cert=settings.tls_cert,
            tls_key=settings.tls_key,
        )

    def _open_verifications(self, http: HttpDriver, adopter: Adopter) -> None:
        """They end before the order room drains, so that their orders can be cancelled."""

        def trouble(account: str) -> str:
            source = adopter.source(account)
            return source.progress().trouble if source is not None else ""

        rooms = Rooms(
            driver=http,
            feed=self._feed,
            market=self._market,
            desk=self._orders.desk,
            live=self._orders.live,
            master=self._master,
            trouble=trouble,
            analyzed=lambda user: self._accounts.users[user].analyzer,
            calendar=self._calendar,
            clock=self._clock,
        )
        self.verify = VerifyVerbs(rooms, self._accounts, self._brokers, self._desk.admin.find, __version__)
        self._stack.push_async_callback(self.verify.stop)

    def _figures(self) -> Mapping[str, float]:
        ingress = self.ingress.figures() if self.ingress is not None else {}
        return {**self._observer.metrics(), **self._orders.metrics(), **ingress}

    def _address(self) -> str:
        """Where browsers reach us: `HOST_SERVER`, or where the API listens."""
        return self._settings.host_server.rstrip("/") or (self.run.api_url if self.run is not None else "")

    def _standing(self, account: str) -> tuple[str, str]:
        health = self._feed.health(account)
        return health.state.value, health.detail

    def _given(self) -> tuple[str, str]:
        key, secret = self._settings.broker_api_key, self._settings.broker_api_secret
        return key.get_secret_value() if key else "", secret.get_secret_value() if secret else ""

    async def _analyze(self, identity: Identity, on: bool) -> None:
        self._accounts.analyze(identity.user, on)

    # --- what the API asks --------------------------------------------------------------------------------------------

    async def administer(self, verb: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        for desk in (self._instruments, self.tracer, self._orders.verbs, self.verify):
            if verb in desk:
                return await desk.call(verb, arguments)
        return await self._desk.admin.call(verb, arguments)

    def _master(self, account: str) -> Master:
        """What the account's feed reads; before a login what stands of its broker, unless it has hosts of its own, and
        while a session's instruments are loaded that of today: yesterday's tokens may mean other contracts."""
        master = self._feed.master(account)
        if isinstance(master, Unlisted):
            raise Unsupported("The broker of this account gives no list of instruments: it can only be streamed.")
        if master is None and account in self._accounts and not self._accounts[account].hosts:
            master = self._masters.current(self._feed.broker(account).name)
            of_today = master is not None and master.made_at >= day_began(self._clock.now_ms())
            if not of_today and self._feed.session(account) is not None:
                master = None
        if not isinstance(master, Master) and self._feed.session(account) is None:
            raise SessionExpired("The instruments of this account are not loaded: log in.").unsent()
        if not isinstance(master, Master):
            raise BrokerError("The instruments of this account are not loaded yet; try again in a moment.")
        return master


def serve(
    settings: Settings,
    *,
    auto_port: bool = False,
    ready: Callable[[App], None] | None = None,
    traced: Iterable[Target] = (),
) -> None:
    """Run a server until SIGINT or SIGTERM; `ready` is told when its ports answer. Raises ConfigError."""
    with Home(settings.sangam_home) as home:
        loop.run(_serve(App(settings, home), auto_port, ready, traced))


async def _serve(app: App, auto_port: bool, ready: Callable[[App], None] | None, traced: Iterable[Target]) -> None:
    stopping = asyncio.Event()
    loop.on_signals(stopping.set, signal.SIGINT, signal.SIGTERM)
    await app.start(auto_port)
    app.tracer.start_all(traced)
    loop.settle()
    try:
        if ready is not None:
            ready(app)
        await stopping.wait()
        log.info("stopping")
    finally:
        await app.stop()
