"""Lets a request in: the key, its scope, its rate, its account. Each refusal is an ApiError."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from fastapi import Request

from sangam.model.enums import Scope
from sangam.model.errors import AuthError, SangamError, SymbolNotFound
from sangam.model.identity import AccountInfo, Identity
from sangam.orders.ports import Caller, Desk

from .deps import ApiDeps
from .errors import INVALID_KEY, NOTHING_SENT, TOO_FAST, ApiError, ErrorCode, from_house
from .limits import RateLimit
from .requests import ORDERS, Keyed

Paced = Literal["orders", "smart"]
"""Order requests with a rate of their own."""


class Gate:
    def __init__(self, deps: ApiDeps) -> None:
        self._authenticate = deps.authenticate
        self._limit = RateLimit(deps.rate_limit, deps.clock)
        self._greeks = RateLimit(deps.greeks_rate_limit, deps.clock, 60.0)
        self._paced: dict[Paced, RateLimit] = {
            "orders": RateLimit(deps.order_rate_limit, deps.clock),
            "smart": RateLimit(deps.smart_order_rate_limit, deps.clock),
        }

    def identity(self, api_key: str, scope: Scope | None, request: Request) -> Identity:
        """Wrong keys are limited by address, right ones by themselves."""
        try:
            identity = self._authenticate(api_key)
        except AuthError:
            self.stranger(request)
            raise ApiError(403, ErrorCode.INVALID_TOKEN, INVALID_KEY) from None
        _count(self._limit, identity.key_id)
        if scope is not None:
            self.require(identity, scope)
        return identity

    def require(self, identity: Identity, scope: Scope) -> None:
        if not identity.may(scope):
            raise ApiError(403, ErrorCode.INSUFFICIENT_PERMISSION, f"This API key lacks the scope '{scope}'.")

    def account(self, wanted: Keyed, request: Request, *, greeks: bool = False) -> AccountInfo:
        """The account a data request means. Greeks have a rate of their own besides."""
        identity = self.identity(wanted.apikey, Scope.DATA, request)
        if greeks:
            _count(self._greeks, identity.key_id)
        name = wanted.account or wanted.broker
        return _existing(identity.account(name), name)

    def caller(
        self, desk: Desk, wanted: Keyed, request: Request, *, write: bool = False, paced: Paced | None = None
    ) -> Caller:
        """On whose behalf a request about orders is made. A refusal says that nothing was sent where it might have."""
        try:
            identity = self.identity(wanted.apikey, Scope.ORDERS_WRITE if write else Scope.ORDERS_READ, request)
            if paced:
                _count(self._paced[paced], identity.key_id)
        except ApiError as error:
            if write and error.code is ErrorCode.RATE_LIMITED:
                error.message = f"{error.message} {NOTHING_SENT}"
            raise
        name = wanted.account or wanted.broker
        _existing(identity.account(name) if name else identity.order_account, name)
        try:
            return desk.caller(identity, name)
        except SangamError as error:
            raise from_house(error) from error

    def stranger(self, request: Request) -> None:
        """Count a request that needs no key by its address."""
        _count(self._limit, request.client.host if request.client else "")


def mode_of(deps: ApiDeps, desk: Desk, path: str, body: Mapping[str, Any]) -> dict[str, str]:
    """The mode that a malformed request about orders was made in, where its key is good."""
    key, account = body.get("apikey"), body.get("account") or body.get("broker")
    if path.rstrip("/").rpartition("/")[2] not in ORDERS or not isinstance(key, str):
        return {}
    try:
        caller = desk.caller(deps.authenticate(key), account if isinstance(account, str) else None)
    except SangamError:
        return {}
    return {"mode": caller.mode.word}


def _existing(account: AccountInfo | None, name: str | None) -> AccountInfo:
    if account is None and name:
        raise ApiError(404, ErrorCode.INVALID_INPUT, f"You have no account '{name}'.")
    if account is None:
        raise ApiError(403, ErrorCode.INVALID_TOKEN, "No broker account yet. Add one: sangam account add BROKER")
    return account


def _count(limit: RateLimit, caller: str) -> None:
    if not limit.allows(caller):
        raise ApiError(429, ErrorCode.RATE_LIMITED, TOO_FAST, retry_after=round(limit.window))


@contextmanager
def concerning(account: AccountInfo, unknown_symbol: int = 400) -> Iterator[None]:
    """Errors inside are answered with the account's broker; an unknown symbol with this status."""
    try:
        yield
    except ApiError as error:
        error.extra["broker"] = account.broker
        raise
    except SangamError as error:
        told = from_house(error, account.broker)
        if isinstance(error, SymbolNotFound):
            told.status = unknown_symbol
        raise told from error
