"""The REST API on a small house, for tests: in memory through `client`, or to be served for real as `app`."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from tests import listed
from tests.house import FIELDS, House
from tests.scripted_desk import ScriptedDesk

from sangam.accounts.admin import ensure_admin_key
from sangam.api.app import create_api
from sangam.api.deps import ApiDeps
from sangam.api.logins import make_login_router
from sangam.brokers.contract import Candle
from sangam.instruments.master import Master
from sangam.model.calendar import Calendar
from sangam.model.enums import Mode, Scope
from sangam.model.holidays import shipped
from sangam.model.instrument import Instrument
from sangam.model.market import Fields, Patch
from sangam.prices.last import Last

FULL: Fields = {"open": 1.0, "high": 2.0, "low": 0.5, "close": 0.9, "ltp": 1.5, "ask_price": 1.6, "bid_price": 1.4}
INTERVALS = ["1m", "5m", "1h", "D", "W"]


class Served:
    """An API on a house with one user and one account. `fetched` is what was quoted, `bars` what history answers;
    `silent` instruments have no price, prices may be `simulated`, `desk` takes the orders. `key` reads data,
    `trading_key` trades."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.account = house.accounts.create("asha", "example", FIELDS)
        self.key, _ = house.accounts.keys.create("asha", [Scope.DATA])
        self.trading_key, _ = house.accounts.keys.create("asha", [Scope.ORDERS_READ, Scope.ORDERS_WRITE])
        self.admin_key = ensure_admin_key(house.accounts, house.home)
        self.master = listed.master(house.home.path)
        self.desk = ScriptedDesk(self.master, house.clock.now_ms())
        self.feed: dict[str, Last] = {}
        self.fetched: list[str] = []
        self.silent: set[str] = set()
        self.simulated = False
        self.bars: list[Candle] = []
        self.asked: list[tuple[Any, ...]] = []
        self.fault: Exception | None = None
        self.state: Mapping[str, Any] = {"status": "ok", "websocket_port": 8765}
        self.app = create_api(
            ApiDeps(
                authenticate=house.accounts.authenticate,
                master=self._master,
                quotes=self._quotes,
                simulated=lambda account: self.simulated,
                history=self._history,
                intervals=lambda account: INTERVALS,
                calendar=Calendar(shipped()),
                health=lambda: self.state,
                metrics=lambda: {"websocket_clients": 3, "messages_out_total": 7},
                admin=house.desk.admin.call,
                clock=house.clock,
                version="0.0.1",
                rate_limit=5,
                greeks_rate_limit=3,
                order_rate_limit=3,
                smart_order_rate_limit=2,
                desk=self.desk,
                analyzer=lambda identity: self.desk.analyzer,
                set_analyzer=self.desk.switch,
                paper=self.desk.paper,
                resolve=self.desk.resolve,
                events=self.desk.since,
            )
        )
        self.app.include_router(make_login_router(house.desk, house.clock, secure=False))
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://sangam")

    def stream(self, fields: Fields, symbol: str = "SBIN") -> Last:
        last = self.feed[symbol] = Last()
        last.merge(Patch("k", dict(fields)), self.house.clock.now_ms())  # type: ignore[arg-type]
        return last

    def _master(self, account: str) -> Master:
        if self.fault:
            raise self.fault
        return self.master

    async def _quotes(self, account: str, instruments: Sequence[Instrument], mode: Mode) -> dict[Instrument, Last]:
        if self.fault:
            raise self.fault
        assert account == self.account.id
        self.fetched += [instrument.symbol for instrument in instruments]
        return {one: self._last(one) for one in instruments if one.symbol not in self.silent}

    def _last(self, instrument: Instrument) -> Last:
        fields: Fields = {**FULL, "ltp": listed.price(instrument)}
        return self.feed.get(instrument.symbol) or self.stream(fields, instrument.symbol)

    async def _history(self, *asked: Any) -> list[Candle]:
        if self.fault:
            raise self.fault
        self.asked.append(asked[1:])
        return self.bars

    async def get(self, path: str, **query: Any) -> httpx.Response:
        self.house.clock.advance(1)
        return await self.client.get(f"/api/v1/{path}", params={"apikey": self.key, **query})

    async def post(self, path: str, **body: Any) -> httpx.Response:
        self.house.clock.advance(1)
        return await self.client.post(f"/api/v1/{path}", json={"apikey": self.key, **body})

    async def order(self, path: str, headers: Any = None, **body: Any) -> httpx.Response:
        """With the trading key."""
        self.house.clock.advance(1)
        return await self.client.post(f"/api/v1/{path}", json={"apikey": self.trading_key, **body}, headers=headers)
