"""A whole server between fault proxies and clients, with a witness whose stream no fault may touch."""

import asyncio
import gc
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx
import pytest
from tests.support import wait_for

from sangam.accounts.admin import ADMIN_KEY_FILE
from sangam.app.loop import settle
from sangam.app.server import App
from sangam.gateway.server import Gateway
from sangam.model.calendar import AlwaysOpen, Calendar
from sangam.model.clock import IST
from sangam.model.enums import Exchange as Code
from sangam.settings import load_settings
from sangam.simulators import create
from sangam.simulators.exchange import Exchange
from sangam.simulators.listing import Contract, listing
from sangam.simulators.market import Market
from sangam.store.home import Home
from sangam.transport.socket import Timing

from .brokers import pasted
from .clients import Client
from .proxy import FaultProxy

TUESDAY = datetime(2026, 8, 18, 10, 0, tzinfo=IST)
QUICK = Timing(stale_after=0.8, stuck_after=1.6, check=0.05, settled=0.3, backoff_first=0.05, backoff_cap=0.2)
SYMBOLS = ("SBIN", "RELIANCE", "INFY")
PATIENCE = 1.5
"""Seconds that a healthy client may hear nothing; its market moves ten times a second and more."""

Listing = Callable[[date], Iterable[Contract]]

_DESCRIPTORS = Path("/proc/self/fd")


def descriptors() -> int:
    """How many this process has open; 0 where the system does not say."""
    return len(os.listdir(_DESCRIPTORS)) if _DESCRIPTORS.exists() else 0


def _port(urls: Mapping[str, SplitResult], scheme: str) -> int:
    """The one port that a simulator has for a protocol."""
    (port,) = {url.port for url in urls.values() if url.scheme == scheme}
    assert port is not None
    return port


class ShiftedClock:
    """The real clock at an hour of our own."""

    def __init__(self, start: datetime) -> None:
        self._ahead = 0
        self.jump(start)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._ahead

    def monotonic(self) -> float:
        return time.monotonic()

    def jump(self, moment: datetime) -> None:
        self._ahead += int(moment.timestamp() * 1000) - self.now_ms()


class Rig:
    """The server (`app`), its broker (`simulator`) behind the proxies `stream` and `rest`, a `trader` who listens to
    `SYMBOLS` there, and a `witness` at another broker."""

    app: App
    account: str
    key: str
    trader: Client
    witness: Client

    def __init__(self, log: pytest.LogCaptureFixture, contracts: Listing, pace: float, broker: str) -> None:
        self.log = log
        self.broker = broker
        self.clock = ShiftedClock(TUESDAY)
        self.exchange = Exchange(clock=self.clock, contracts=contracts, pace=pace)
        self.simulator: Any = create(broker, self.exchange, run=True, heartbeat=0.2, idle=1)

    @property
    def gateway(self) -> Gateway:
        assert isinstance(self.app.front, Gateway)
        return self.app.front

    @property
    def port(self) -> int:
        assert self.app.run is not None
        return self.app.run.websocket_port

    async def start(
        self, stack: AsyncExitStack, home: Path, calendar: Calendar, timing: Timing, logged_in: bool, **settings: object
    ) -> None:
        await stack.enter_async_context(self.simulator)
        urls = {name: urlsplit(url) for name, url in self.simulator.hosts.items()}
        self.stream = await stack.enter_async_context(FaultProxy(_port(urls, "ws")))
        self.rest = await stack.enter_async_context(FaultProxy(_port(urls, "http")))
        allowed = f"paper,{self.broker}"
        told = {"sangam_home": home, "api_port": 0, "websocket_port": 0, "valid_brokers": allowed, **settings}
        self.home = stack.enter_context(Home(home))
        self.app = App(
            load_settings(None, **told),
            self.home,
            clock=self.clock,
            calendar=calendar,
            timing=timing,
        )
        stack.push_async_callback(self.app.stop)
        await self.app.start()
        ports = {"ws": self.stream.port, "http": self.rest.port}
        hosts = {name: url._replace(netloc=f"127.0.0.1:{ports[url.scheme]}").geturl() for name, url in urls.items()}
        added = await self.admin("account/add", user="asha", broker=self.broker, fields=self.credentials, hosts=hosts)
        self.account = added["account"]
        if logged_in:
            await self.login()
        self.key = (await self.admin("key/create", user="asha"))["api_key"]
        assert self.app.demo is not None
        self.witness = await stack.enter_async_context(Client.login(self.port, self.app.demo.api_key))
        await self.witness.subscribe("HDFCBANK", "TCS", "ITC", "SBIN", "RELIANCE")
        self.trader = await stack.enter_async_context(Client.login(self.port, self.key))
        await self.trader.subscribe(*SYMBOLS)
        await self.witness.hears()
        if logged_in:
            await self.trader.hears(1, *SYMBOLS)
            self.trader.states.clear()

    @property
    def credentials(self) -> dict[str, str]:
        """What the user types in after a login at the broker."""
        return pasted(self.broker, self.simulator.credentials)

    async def admin(self, verb: str, **arguments: object) -> dict[str, Any]:
        """What `sangam account ...` asks of the running server."""
        answer = await self._http("POST", f"/api/v1/admin/{verb}", self.home.read(ADMIN_KEY_FILE), arguments)
        data: dict[str, Any] = answer["data"]
        return data

    async def login(self) -> None:
        """The user types in what the broker gave today."""
        await self.admin("account/login", account=self.account, fields=self.credentials)

    # --- what must hold -----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def trouble(self, *unharmed: Client, resumes: bool = True) -> AsyncIterator[None]:
        """Around a fault and its end: the witness (and whoever else is named) hears its market all the time, the
        trader's stream goes on, under a new epoch where it was cut, and no descriptor or task stays behind."""
        before, tasks, begun = descriptors(), len(asyncio.all_tasks()), time.monotonic()
        epochs = {symbol: self.trader.newest(symbol)["epoch"] for symbol in SYMBOLS} if resumes else {}
        yield
        await wait_for(
            lambda: all(self.trader.newest(symbol)["epoch"] > epoch for symbol, epoch in epochs.items()),
            what="a new epoch of every symbol",
        )
        for client in (self.witness, *unharmed):
            assert client.longest_silence(begun) < PATIENCE
        await self.settles(before, tasks)

    async def settles(self, descriptors_before: int, tasks_before: int) -> None:
        """Idle HTTP connections live for a second; what was logged must not keep anything alive."""
        for phase in ("setup", "call", "teardown"):
            for record in self.log.get_records(phase):
                record.msg, record.args, record.exc_info = record.getMessage(), (), None

        def settled() -> bool:
            gc.collect()
            return descriptors() <= descriptors_before and len(asyncio.all_tasks()) <= tasks_before

        await wait_for(settled, 8, f"{descriptors_before} descriptors and {tasks_before} tasks")

    def health(self) -> dict[str, Any]:
        """The account's row of /health."""
        rows = {row["account"]: row for row in self.app._observer.health()["accounts"]}
        row: dict[str, Any] = rows[self.account]
        return row

    def is_live_again(self, tries: int) -> bool:
        """Live, on a socket that was opened after so many."""
        return self.stream.accepted > tries and self.health()["state"] == "live"

    async def shown(self) -> list[tuple[str, str]]:
        """(state, detail) of the account as `/health` and as `get_broker_info` tell them, and whether they agree."""
        health = await self._http("GET", "/health", self.key)
        info = await self.trader.ask("get_broker_info")
        own = [row for row in health["accounts"] if row["account"] == self.account]
        own += [row for row in info["accounts"] if row["id"] == self.account]
        return [(row["state"], row["detail"]) for row in own]

    async def _http(self, method: str, path: str, key: str | None, body: object = None) -> dict[str, Any]:
        assert self.app.run is not None
        headers = {"X-API-KEY": key or ""}
        async with httpx.AsyncClient(base_url=self.app.run.api_url, trust_env=False, headers=headers) as http:
            answer = await http.request(method, path, json=body)
        assert answer.status_code == httpx.codes.OK, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def logged(self, pattern: str, level: str = "") -> bool:
        return any(
            re.search(pattern, record.getMessage()) and level in ("", record.levelname) for record in self.log.records
        )

    def master_version(self) -> str:
        master = self.app._feed.master(self.account)
        return master.version if master else ""

    async def instruments_file(self, lines: int) -> bytes:
        """The beginning of what the broker lists today."""
        known = self.simulator.credentials
        headers = {"Authorization": f"token {known['api_key']}:{known['access_token']}"}
        async with httpx.AsyncClient(trust_env=False, headers=headers) as http:
            whole = await http.get(f"{self.simulator.hosts['api']}/instruments")
        return b"".join(whole.content.splitlines(keepends=True)[:lines])

    def market(self, symbol: str) -> Market:
        return self.exchange.market(symbol, Code.NSE)

    def streams_truly(self, symbol: str) -> bool:
        """Whether the trader's newest update is of that very instrument: yesterday's close names it."""
        market = self.market(symbol)
        return bool(self.trader.newest(symbol)["close"] == market.rupees(market.close))


@asynccontextmanager
async def rig(
    home: Path,
    log: pytest.LogCaptureFixture,
    calendar: Calendar | None = None,
    timing: Timing = QUICK,
    logged_in: bool = True,
    contracts: Listing = listing,
    pace: float = 20,
    broker: str = "zerodha",
    **settings: object,
) -> AsyncIterator[Rig]:
    """A running rig, with everything streaming if `logged_in`; at its end nothing of it is left."""
    log.set_level("INFO", "sangam")
    settle()  # as the served process does; besides, a full collection of pytest's own heap takes a quarter of a second
    before, tasks = descriptors(), len(asyncio.all_tasks())
    built = Rig(log, contracts, pace, broker)
    try:
        async with AsyncExitStack() as stack:
            await built.start(stack, home, calendar or AlwaysOpen(), timing, logged_in, **settings)
            yield built
        await built.settles(before, tasks)
    finally:
        gc.unfreeze()
