"""The routes: market data for API keys, administration for admin keys, health and metrics for whoever can connect."""

import zlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Body, Header, Request
from fastapi.responses import Response

from sangam.model.enums import Mode, Scope
from sangam.model.errors import AuthError, SangamError, SymbolNotFound
from sangam.model.identity import AccountInfo, Identity
from sangam.model.instrument import Instrument, expiry_text
from sangam.prices.last import Last

from .deps import ApiDeps
from .errors import INVALID_KEY, RETRY_AFTER, TOO_FAST, ApiError, CompactJson, ErrorCode, from_house, success
from .limits import RateLimit
from .metrics import CONTENT_TYPE, Metrics
from .requests import Keyed, Named


class Gate:
    """Lets a request in: the key, its scope, its rate, its account. Each refusal is an ApiError."""

    def __init__(self, deps: ApiDeps) -> None:
        self._authenticate = deps.authenticate
        self._limit = RateLimit(deps.rate_limit, deps.clock)

    def identity(self, api_key: str, scope: Scope | None, request: Request) -> Identity:
        """Wrong keys are limited by address, right ones by themselves."""
        try:
            identity = self._authenticate(api_key)
        except AuthError:
            self._count(request.client.host if request.client else "")
            raise ApiError(403, ErrorCode.INVALID_TOKEN, INVALID_KEY) from None
        self._count(identity.key_id)
        if scope is not None and not identity.may(scope):
            raise ApiError(403, ErrorCode.INSUFFICIENT_PERMISSION, f"This API key lacks the scope '{scope}'.")
        return identity

    def account(self, wanted: Keyed, request: Request) -> AccountInfo:
        """The account a data request means."""
        identity = self.identity(wanted.apikey, Scope.DATA, request)
        name = wanted.account or wanted.broker
        account = identity.account(name)
        if account is None and name:
            raise ApiError(404, ErrorCode.INVALID_INPUT, f"You have no account '{name}'.")
        if account is None:
            raise ApiError(403, ErrorCode.INVALID_TOKEN, "No broker account yet. Add one: sangam account add BROKER")
        return account

    def _count(self, caller: str) -> None:
        if not self._limit.allows(caller):
            raise ApiError(429, ErrorCode.RATE_LIMITED, TOO_FAST, retry_after=RETRY_AFTER)


def make_router(deps: ApiDeps, metrics: Metrics) -> APIRouter:
    router = APIRouter()
    gate = Gate(deps)

    @router.post("/api/v1/ping", tags=["utility"], summary="Is the server there, and is the key good?")
    async def ping(wanted: Keyed, request: Request) -> Response:
        identity = gate.identity(wanted.apikey, None, request)
        account = identity.account(wanted.account or wanted.broker)
        return success(data={"message": "pong", "broker": account.broker if account else ""})

    @router.post("/api/v1/quotes", tags=["market data"], summary="Price, day's range, best bid and ask")
    async def quotes(wanted: Named, request: Request) -> Response:
        """`age_ms` tells how old the price is; it is streamed, not fetched, when somebody listens to the symbol."""
        account = gate.account(wanted, request)
        key = (account.id, wanted.symbol, wanted.exchange.value)
        try:
            last = deps.last(*key)
            if last is None or not last.tells(Mode.QUOTE):
                last = await deps.quote(*key)
        except SangamError as error:
            raise from_house(error, account.broker) from error
        except TimeoutError as error:
            text = f"{account.broker} sent no price of {wanted.symbol} in time."
            raise ApiError(504, ErrorCode.NETWORK_ERROR, text, broker=account.broker) from error
        return success(data=quote_data(last, deps.clock.now_ms()))

    @router.post("/api/v1/symbol", tags=["symbols"], summary="What an instrument is")
    async def symbol(wanted: Named, request: Request) -> Response:
        account = gate.account(wanted, request)
        try:
            instrument = deps.symbol(account.id, wanted.symbol, wanted.exchange.value)
        except SymbolNotFound as error:
            text = f"Symbol {error.symbol} not found in exchange {error.exchange}"
            raise ApiError(404, ErrorCode.INVALID_INPUT, text, broker=account.broker) from error
        except SangamError as error:
            raise from_house(error, account.broker) from error
        return success(data=symbol_data(instrument))

    @router.get("/health", tags=["operation"], summary="What works now, and what does not")
    async def health(request: Request, x_api_key: str = Header(default="")) -> Response:
        """Everybody learns how many feeds are in which state; a key also shows the accounts of its user."""
        state = dict(deps.health())
        accounts = state.pop("accounts", [])
        state["feeds"] = Counter(account["state"] for account in accounts)
        if x_api_key:
            identity = gate.identity(x_api_key, None, request)
            own = {account.id for account in identity.accounts}
            everything = Scope.ADMIN in identity.scopes
            state["accounts"] = [account for account in accounts if everything or account["account"] in own]
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
            answer: Mapping[str, Any] = deps.admin(verb, arguments)
        except SangamError as error:
            raise from_house(error) from error
        return success(data=answer)

    return router


def quote_data(last: Last, now_ms: int) -> dict[str, float | int | None]:
    """Numbers throughout; what a wire does not tell (an index has no volume) is 0, as clients of this API expect.

    The last key is ours: some clients search for a comma behind open, high and low."""
    fields = last.fields
    return {
        "open": fields.get("open", 0),
        "high": fields.get("high", 0),
        "low": fields.get("low", 0),
        "ltp": fields.get("ltp", 0),
        "ask": fields.get("ask_price", 0),
        "bid": fields.get("bid_price", 0),
        "prev_close": fields.get("close", 0),
        "volume": fields.get("volume", 0),
        "oi": fields.get("oi", 0),
        "age_ms": last.age_ms(now_ms),
    }


def symbol_data(instrument: Instrument) -> dict[str, str | float | int]:
    """A row of the master in the known columns. `id` is a stable number; `freeze_qty` is 1 where it is not known."""
    return {
        "id": zlib.crc32(f"{instrument.exchange}:{instrument.symbol}".encode()) >> 1,
        "symbol": instrument.symbol,
        "brsymbol": instrument.brsymbol,
        "name": instrument.name,
        "exchange": instrument.exchange.value,
        "brexchange": instrument.brexchange,
        "token": instrument.token,
        "expiry": expiry_text(instrument.expiry, "-") if instrument.expiry else "",
        "strike": instrument.strike,
        "lotsize": instrument.lot_size,
        "instrumenttype": instrument.instrument_type.value,
        "tick_size": instrument.tick_size,
        "freeze_qty": 1,
    }
