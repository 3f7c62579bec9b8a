"""Lets a request in: the key, its scope, its rate, its account. Each refusal is an ApiError."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from sangam.model.enums import Scope
from sangam.model.errors import AuthError, SangamError, SymbolNotFound
from sangam.model.identity import AccountInfo, Identity

from .deps import ApiDeps
from .errors import INVALID_KEY, TOO_FAST, ApiError, ErrorCode, from_house
from .limits import RateLimit
from .requests import Keyed


class Gate:
    def __init__(self, deps: ApiDeps) -> None:
        self._authenticate = deps.authenticate
        self._limit = RateLimit(deps.rate_limit, deps.clock)
        self._greeks = RateLimit(deps.greeks_rate_limit, deps.clock, 60.0)

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
        account = identity.account(name)
        if account is None and name:
            raise ApiError(404, ErrorCode.INVALID_INPUT, f"You have no account '{name}'.")
        if account is None:
            raise ApiError(403, ErrorCode.INVALID_TOKEN, "No broker account yet. Add one: sangam account add BROKER")
        return account

    def stranger(self, request: Request) -> None:
        """Count a request that needs no key by its address."""
        _count(self._limit, request.client.host if request.client else "")


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
