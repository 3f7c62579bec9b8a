"""What every retail broker's simulator has from `Retail`, shown on the smallest one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Action, PriceType, Product
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange
from sangam.simulators.app_login import AppLogin
from sangam.simulators.mishaps import Mishap
from sangam.simulators.orders import Order
from sangam.simulators.portfolio import Wish
from sangam.simulators.retail import Invalid, Retail

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)


class Small(Retail):
    name = "small"
    limits_of = {"default": ((3, 60.0),), "orders": ((100, 1.0),)}  # noqa: RUF012 - a table of the class

    def __init__(self, exchange: Exchange, **options: Any) -> None:
        super().__init__(exchange, user_id="U1", **options)
        self.login = AppLogin("small", lambda: self.exchange.now_ms)

    @property
    def credentials(self) -> dict[str, str]:
        return {"access_token": self.login.access_token}

    def routes(self) -> list[BaseRoute]:
        return [Route("/me", self.signed(self._me)), Route("/buy", self.write(self._buy), methods=["POST"])]

    async def _me(self, request: Request) -> Response:
        if request.query_params.get("wrong"):
            raise Invalid("Wrong", "input")
        return JSONResponse(self.user_id)

    async def _buy(self, request: Request) -> Response:
        market = self.exchange.market("SBIN", Code.NSE)
        quantity = int(request.query_params["quantity"])
        refusal = self.risk(market, Wish(Action.BUY, quantity, Product.CNC))
        order = self.exchange.place("U1", "SBIN", Code.NSE, Action.BUY, quantity, product=Product.CNC, refusal=refusal)
        return JSONResponse(order.order_id)

    def stranger(self, request: Request) -> Response | None:
        known = self.login.alive and request.headers.get("token") == self.login.access_token
        return None if known else JSONResponse("who?", 401)

    def told(self, invalid: Invalid) -> Response:
        return JSONResponse([invalid.kind, str(invalid)], invalid.status)

    def refusal(self, status: int) -> Response:
        return JSONResponse("no", status)

    def timed_out(self) -> Response:
        return JSONResponse("timed out", 400)

    def nameless(self) -> Response:
        return JSONResponse({})

    def order_row(self, order: Order) -> Any:
        return {"id": order.order_id, "status": order.status.value}

    def news(self, order: Order) -> bytes | None:
        return None


@asynccontextmanager
async def started(**options: Any) -> AsyncIterator[tuple[Small, httpx.AsyncClient]]:
    broker = Small(Exchange(clock=ManualClock(MORNING)), **options)
    async with broker, httpx.AsyncClient(trust_env=False) as client:
        client.base_url = broker.hosts["api"]
        client.headers["token"] = broker.login.access_token
        yield broker, client


async def test_who_has_no_session_is_told_so_and_errors_have_the_brokers_form() -> None:
    async with started() as (broker, client):
        assert (await client.get("/me")).json() == "U1"
        assert (await client.get("/me", params={"wrong": 1})).json() == ["input", "Wrong"]
        broker.expire_token()
        assert (await client.get("/me")).status_code == 401
        client.headers["token"] = broker.new_login()["access_token"]
        assert (await client.get("/me")).status_code == 200


async def test_limits_count_only_where_they_are_asked_for() -> None:
    async with started(limits=True) as (broker, client):
        assert [(await client.get("/me")).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
        assert broker.too_many == 2
    async with started() as (_, client):
        assert [(await client.get("/me")).status_code for _ in range(5)] == [200] * 5


async def test_writes_meet_mishaps_and_books_tell_what_was_taken() -> None:
    async with started() as (broker, client):
        broker.faults.mishap(Mishap.TAKEN_TIMED_OUT)
        assert (await client.post("/buy?quantity=5")).status_code == 400
        order_id = (await client.post("/buy?quantity=7")).json()
        orders = broker.todays_orders()
        assert [order.quantity for order in orders] == [5, 7]
        assert broker.order(order_id) is orders[1]
        assert [row for row in broker.order_rows() if order_id.encode() in row]
        assert {order.order_id for _, order in broker.todays_trades()} == {order.order_id for order in orders}
        (position,) = broker.positions()
        assert (position.row.quantity, position.market.contract.symbol) == (12, "SBIN")
        assert [(owned.row.contract.symbol, used) for owned, used in broker.holdings()] == [("SBIN", 0), ("INFY", 0)]


@pytest.mark.parametrize("early", [False, True])
async def test_missing_money_is_a_rejected_order_or_an_error_at_once(early: bool) -> None:
    async with started(cash=1000.0, refuses_early=early) as (broker, client):
        answer = await client.post("/buy?quantity=5")
        orders = broker.todays_orders()
        if early:
            assert (answer.status_code, answer.json()[0], orders) == (400, "margin", [])
        else:
            assert orders[0].reason.startswith("Insufficient funds")


async def test_somebody_elses_orders_are_not_told() -> None:
    async with started() as (broker, _):
        order = broker.exchange.place("OTHER", "SBIN", Code.NSE, Action.BUY, 1, PriceType.MARKET)
        assert broker.order(order.order_id) is None
        assert broker.order_rows() == []
