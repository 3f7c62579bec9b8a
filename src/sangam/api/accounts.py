"""A user's own accounts: which there are, and which are the defaults."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field

from sangam.model.enums import Scope
from sangam.model.identity import Identity

from .deps import ApiDeps
from .errors import ApiError, ErrorCode, success
from .gate import Gate
from .requests import Keyed


class Defaults(Keyed):
    data_account: str | None = Field(default=None, max_length=80, description="Takes the requests for data, by its id")
    order_account: str | None = Field(default=None, max_length=80, description="Takes the orders, by its id")


def make_router(deps: ApiDeps, gate: Gate) -> APIRouter:
    router = APIRouter(tags=["accounts"])

    @router.post("/api/v1/accounts", summary="Your accounts, their sessions and defaults")
    async def accounts(wanted: Keyed, request: Request) -> Response:
        identity = gate.identity(wanted.apikey, None, request)
        return success(data=await _own(deps, identity))

    @router.post("/api/v1/accounts/default", summary="Choose the accounts of keys that are bound to none")
    async def default(wanted: Defaults, request: Request) -> Response:
        """What is not named stays. The data account needs the scope `data`, the order account `orders:write`."""
        identity = gate.identity(wanted.apikey, None, request)
        chosen = [
            (wanted.data_account, Scope.DATA, {"data": True, "orders": False}),
            (wanted.order_account, Scope.ORDERS_WRITE, {"data": False, "orders": True}),
        ]
        named = [(account, scope, what) for account, scope, what in chosen if account is not None]
        if not named:
            raise ApiError(400, ErrorCode.INVALID_INPUT, "Name a data_account, an order_account, or both.")
        for account, scope, _ in named:
            gate.require(identity, scope)
            if account not in {own.id for own in identity.accounts}:
                raise ApiError(404, ErrorCode.INVALID_INPUT, f"You have no account '{account}'.")
        for account, _, what in named:
            await deps.admin("account/default", {"account": account, **what})
        return success(data=await _own(deps, identity))

    return router


async def _own(deps: ApiDeps, identity: Identity) -> Any:
    return (await deps.admin("account/list", {"user": identity.user}))["accounts"]
