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
        message = f"Analyzer mode switched to {_word(wanted.mode)}"
        if data["analyze_mode"] is not wanted.mode:
            message += (
                f"; the orders of this key go to {'paper' if data['analyze_mode'] else 'the broker'} all the same"
            )
        return success(data={**data, "message": message})

    async def standing(identity: Identity) -> dict[str, Any]:
        """Where this key's orders go, which is what programs ask for, and the switch, which a pinned key and a broker
        without live orders do not follow."""
        on_paper, count = identity.on_paper, 0
        with suppress(SangamError):  # without an account there are no orders, yet the switch stands
            caller = desk.caller(identity, None)
            on_paper = caller.mode is TradingMode.PAPER
            count = len(await desk.orders(caller)) if on_paper else 0
        switch = deps.analyzer(identity)
        return {"mode": _word(on_paper), "analyze_mode": on_paper, "total_logs": count, "switch": switch}

    return router


def _word(on_paper: bool) -> str:
    return (TradingMode.PAPER if on_paper else TradingMode.LIVE).word
