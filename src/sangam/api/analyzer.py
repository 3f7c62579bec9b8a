"""The analyzer switch: orders of its user go to paper while it is on (specs: REST contract, 8)."""

from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sangam.model.enums import Scope
from sangam.model.errors import SangamError
from sangam.model.identity import Identity
from sangam.model.order import TradingMode
from sangam.orders.ports import Desk

from .deps import ApiDeps
from .errors import success
from .gate import Gate
from .order_requests import Switch
from .requests import Keyed


def make_router(deps: ApiDeps, gate: Gate, desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["analyzer"])

    @router.post("/analyzer", summary="Do orders go to the broker or to paper?")
    async def analyzer(wanted: Keyed, request: Request) -> Response:
        identity = gate.identity(wanted.apikey, Scope.ORDERS_READ, request)
        return success(data=await standing(identity))

    @router.post("/analyzer/toggle", summary="Send orders to paper, or back to the broker")
    async def toggle(wanted: Switch, request: Request) -> Response:
        """Of all keys of the user that follow the switch; keys pinned to paper or live stay."""
        identity = gate.identity(wanted.apikey, Scope.ORDERS_WRITE, request)
        await deps.set_analyzer(identity, wanted.mode)
        data = await standing(deps.authenticate(wanted.apikey))
        return success(data={**data, "message": f"Analyzer mode switched to {data['mode']}"})

    async def standing(identity: Identity) -> dict[str, Any]:
        """The switch, and where this key's orders go: a pinned key, or a broker that is simulated, does not follow."""
        on = deps.analyzer(identity)
        mode = TradingMode.PAPER if on else TradingMode.LIVE
        count, goes = 0, mode
        with suppress(SangamError):  # without an account there are no orders, yet the switch stands
            caller = desk.caller(identity, None)
            goes = caller.mode
            count = len(await desk.orders(caller)) if on else 0
        return {"mode": mode.word, "analyze_mode": on, "total_logs": count, "orders": goes.word}

    return router
