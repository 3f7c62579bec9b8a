"""The routes: what each room of the API serves for API keys, administration for admin keys, health and metrics for
whoever can connect."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Body, Header, Request
from fastapi.responses import Response

from sangam.model.enums import Scope
from sangam.model.errors import SangamError
from sangam.orders.composites import Composites

from . import (
    accounts,
    analyzer,
    books,
    candles,
    chain,
    composites,
    days,
    greeks,
    gtt,
    market,
    option_orders,
    options,
    orders,
    symbols,
)
from .deps import ApiDeps
from .errors import CompactJson, from_house, success
from .gate import Gate
from .metrics import CONTENT_TYPE, Metrics
from .requests import Keyed


def make_router(deps: ApiDeps, metrics: Metrics) -> APIRouter:
    router = APIRouter()
    gate = Gate(deps)

    @router.post("/api/v1/ping", tags=["utility"], summary="Is the server there, and is the key good?")
    async def ping(wanted: Keyed, request: Request) -> Response:
        identity = gate.identity(wanted.apikey, None, request)
        account = identity.account(wanted.account or wanted.broker)
        return success(data={"message": "pong", "broker": account.broker if account else ""})

    @router.get("/health", tags=["operation"], summary="What works now, and what does not")
    async def health(request: Request, x_api_key: str = Header(default="")) -> Response:
        """Everybody learns how many feeds are in which state; a key also shows the accounts of its user."""
        state = dict(deps.health())
        accounts, alerts = state.pop("accounts", []), state.pop("alerts", [])
        state["feeds"] = Counter(account["state"] for account in accounts)
        state["alerts"] = Counter(alert["kind"] for alert in alerts)
        if x_api_key:
            identity = gate.identity(x_api_key, None, request)
            own = {account.id for account in identity.accounts}
            everything = Scope.ADMIN in identity.scopes
            state["accounts"] = [account for account in accounts if everything or account["account"] in own]
            state["alerts"] = [alert for alert in alerts if everything or alert["about"] in own]
        return CompactJson(state, 200 if state.get("status") in ("ok", "degraded") else 503)

    @router.get("/metrics", tags=["operation"], summary="Figures for Prometheus")
    async def figures() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    @router.post("/api/v1/admin/{verb:path}", include_in_schema=False)
    async def administer(
        verb: str,
        request: Request,
        arguments: dict[str, Any] = Body(default={}),  # noqa: B008 - FastAPI reads the declaration
        x_api_key: str = Header(default=""),
    ) -> Response:
        gate.identity(x_api_key, Scope.ADMIN, request)
        try:
            answer: Mapping[str, Any] = await deps.admin(verb, arguments)
        except SangamError as error:
            raise from_house(error) from error
        return success(data=answer)

    for room in (accounts, market, candles, symbols, options, chain, greeks, days):
        router.routes += room.make_router(deps, gate).routes
    if deps.desk is not None:
        made_of = Composites(deps.desk)
        router.routes += orders.make_router(deps, gate, deps.desk, made_of).routes
        router.routes += composites.make_router(gate, deps.desk, made_of).routes
        router.routes += option_orders.make_router(deps, gate, deps.desk, made_of).routes
        router.routes += books.make_router(deps, gate, deps.desk).routes
        router.routes += gtt.make_router(gate, deps.desk).routes
        router.routes += analyzer.make_router(deps, gate, deps.desk).routes
    return router
