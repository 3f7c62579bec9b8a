"""A server with one account whose broker is a simulator, on a trading morning: for tests of verifications."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.conformance.rig import Morning

from sangam import simulators
from sangam.app.server import App
from sangam.brokers import registry
from sangam.brokers.contract import BrokerSpec
from sangam.brokers.registry import Registry
from sangam.model.calendar import AlwaysOpen, Calendar
from sangam.model.enums import Exchange as Code
from sangam.settings import load_settings
from sangam.simulators import Exchange, Simulator
from sangam.simulators.orders import Order
from sangam.store.home import Home
from sangam.verify.subject import Patience

QUICK = Patience(told=3.0, moved=3.0, listed=10.0, settled=6.0, check=30.0)


class Verified:
    """`told` is what the running server says of a verification, to its end."""

    def __init__(self, app: App, simulator: Simulator, account: str) -> None:
        self.app = app
        self.simulator = simulator
        self.account = account

    async def start(self, **options: Any) -> str:
        begun = await self.app.administer("verify/start", {"account": self.account, **options})
        return str(begun["run"])

    async def told(self, run: str) -> dict[str, Any]:
        """Asked as the command line does."""
        told: dict[str, Any] = {"done": False}
        results: list[dict[str, Any]] = []
        while not told["done"]:
            known = {"run": run, "known": len(results), "wait": 20.0}
            told = dict(await self.app.administer("verify/look", known))
            results += told["results"]
        return {**told, "results": results}

    async def results(self, **options: Any) -> dict[str, tuple[str, str]]:
        """Verdict and reason of each check, where no order stands."""
        told = await self.told(await self.start(**options))
        assert told["standing"] == ""
        return verdicts(told)

    @property
    def orders(self) -> list[Order]:
        """All that the simulated exchange ever heard of."""
        return list(self.simulator.exchange.ledger.snapshot().orders.values())

    def at_the_first_order(self, act: Callable[[], object]) -> None:
        """Do it once the exchange has an order of ours."""
        done: list[Order] = []

        def heard(order: Order) -> None:
            if not done:
                done.append(order)
                act()

        self.simulator.exchange.on_order(heard)


def verdicts(told: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {row["id"]: (row["verdict"], row["reason"]) for row in told["results"]}


def failed(results: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {number: reason for number, (verdict, reason) in results.items() if verdict == "failed"}


def hasty(spec: BrokerSpec) -> BrokerSpec:
    """Its limits need not be waited for here: the simulator keeps none. A few instruments are more than one request."""
    return replace(spec, limits=(), data=spec.data and replace(spec.data, quote_batch=min(spec.data.quote_batch, 5)))


@asynccontextmanager
async def verified(
    home: Path,
    broker: str,
    *,
    calendar: Calendar | None = None,
    patience: Patience = QUICK,
    change: Callable[[BrokerSpec], BrokerSpec] = lambda spec: spec,
    **options: Any,
) -> AsyncIterator[Verified]:
    """`change` alters the broker's table, `options` are the simulator's."""
    clock = Morning()
    settings = load_settings(None, sangam_home=home, api_port=0, websocket_port=0)
    specs = Registry(change(hasty(spec)) for spec in registry.load() if spec.name == broker)
    exchange = Exchange(clock=clock)
    exchange.market("SBIN", Code.NSE).deepen(200)
    async with simulators.create(broker, exchange, run=True, **options) as simulator:
        with Home(home) as locked, patch.object(registry, "load", lambda *_: specs):
            app = App(settings, locked, clock=clock, calendar=calendar or AlwaysOpen())
            await app.start()
            try:
                app.verify.patience = patience
                yield Verified(app, simulator, await _logged_in(app, specs[broker], simulator))
            finally:
                await app.stop()


async def _logged_in(app: App, spec: BrokerSpec, simulator: Simulator) -> str:
    fields = {field.name for field in spec.login.fields}
    secrets = {name: value for name, value in simulator.credentials.items() if name in fields}
    added = {"broker": spec.name, "user": "asha", "fields": secrets, "hosts": simulator.hosts}
    account = (await app.administer("account/add", added))["account"]
    told = await app.administer("account/login", {"account": account, "fields": secrets, "hosts": simulator.hosts})
    assert not told["open"], told
    return str(account)
