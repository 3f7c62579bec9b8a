"""The REST API on a small house, for tests: in memory through `client`, or to be served for real as `app`."""

from collections.abc import Mapping
from typing import Any

import httpx
from tests.house import FIELDS, House

from sangam.accounts.admin import Admin, ensure_admin_key
from sangam.api.app import create_api
from sangam.api.deps import ApiDeps
from sangam.model.enums import Exchange, Scope
from sangam.model.errors import SymbolNotFound
from sangam.model.instrument import Instrument
from sangam.model.market import Fields, Patch
from sangam.prices.last import Last

SBIN = Instrument(symbol="SBIN", exchange=Exchange.NSE, brsymbol="SBIN-EQ", brexchange="NSE", token="7", name="SBI")
FULL: Fields = {"open": 1.0, "high": 2.0, "low": 0.5, "close": 0.9, "ltp": 1.5, "ask_price": 1.6, "bid_price": 1.4}


class Served:
    """An API on a house with one user and one account; `feed` is what streams, `fetched` what was asked for."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.account = house.accounts.create("asha", "example", FIELDS)
        self.key, _ = house.accounts.keys.create("asha", [Scope.DATA])
        self.admin_key = ensure_admin_key(house.accounts, house.home)
        self.feed: dict[tuple[str, str, str], Last] = {}
        self.fetched: list[str] = []
        self.fault: Exception | None = None
        self.state: Mapping[str, Any] = {"status": "ok", "websocket_port": 8765}
        self.app = create_api(
            ApiDeps(
                authenticate=house.accounts.authenticate,
                last=lambda *key: self.feed.get(key),
                quote=self._quote,
                symbol=self._symbol,
                health=lambda: self.state,
                metrics=lambda: {"websocket_clients": 3, "messages_out_total": 7},
                admin=Admin(house.accounts).call,
                clock=house.clock,
                version="0.0.1",
                rate_limit=5,
            )
        )
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://sangam")

    def stream(self, fields: Fields, symbol: str = "SBIN") -> Last:
        last = Last()
        last.merge(Patch("k", dict(fields)), self.house.clock.now_ms())  # type: ignore[arg-type]
        self.feed[(self.account.id, symbol, "NSE")] = last
        return last

    async def _quote(self, account: str, symbol: str, exchange: str) -> Last:
        self.fetched.append(symbol)
        if self.fault:
            raise self.fault
        return self.stream(FULL, symbol)

    def _symbol(self, account: str, symbol: str, exchange: str) -> Instrument:
        if self.fault:
            raise self.fault
        if symbol != "SBIN":
            raise SymbolNotFound(symbol, exchange)
        return SBIN

    async def post(self, path: str, **body: Any) -> httpx.Response:
        self.house.clock.advance(1)
        return await self.client.post(f"/api/v1/{path}", json={"apikey": self.key, **body})
