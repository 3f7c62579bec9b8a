"""What a client hears when something fails: one JSON shape, a status, and one of our error codes.

``{"status":"error","message":...,"error_code":...}`` plus ``broker`` where one is involved (specs: REST contract, 1.3).
Messages pass the redactor; a fault of our own says nothing about its inside."""

from enum import StrEnum
from typing import Any

import msgspec
from starlette.responses import Response

from sangam.logs import redactor
from sangam.model.errors import (
    AuthError,
    BrokerError,
    ConfigError,
    Conflict,
    Denied,
    InDoubt,
    InvalidInput,
    NotListed,
    NotSent,
    OrderError,
    OrderNotFound,
    RateLimited,
    Refused,
    Rejected,
    SangamError,
    SessionExpired,
    StoreError,
    SymbolNotFound,
    Unknown,
    Unsupported,
)


class ErrorCode(StrEnum):
    INVALID_INPUT = "INVALID_INPUT"
    INVALID_TOKEN = "INVALID_TOKEN"  # noqa: S105 - a code
    INSUFFICIENT_PERMISSION = "INSUFFICIENT_PERMISSION"
    ORDER_ERROR = "ORDER_ERROR"
    NETWORK_ERROR = "NETWORK_ERROR"
    INVALID_ORDER = "INVALID_ORDER"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    INSUFFICIENT_MARGIN = "INSUFFICIENT_MARGIN"
    MARKET_CLOSED = "MARKET_CLOSED"
    RATE_LIMITED = "RATE_LIMITED"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    UNSUPPORTED = "UNSUPPORTED"
    STORE_ERROR = "STORE_ERROR"
    UNKNOWN_ERROR = "UNKNOWN_ERROR"


INVALID_KEY = "Invalid openalgo apikey"
TOO_FAST = "Rate limit exceeded. Please slow down your requests."
DOUBT = "Outcome unknown, do not repeat"
NOTHING_SENT = "Nothing was sent."
RETRY_AFTER = 1
"""Seconds after which to ask again where a broker's limit was met."""


class ApiError(Exception):
    """Ends a request. `message` is a text, or a mapping of field to complaints. `extra` joins the reply;
    ``retry_after`` (seconds) is its header as well."""

    def __init__(self, status: int, code: ErrorCode, message: str | dict[str, Any], **extra: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.extra = extra


class CompactJson(Response):
    """JSON without blanks: some clients search the text instead of parsing it."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return msgspec.json.encode(content)


def success(**content: Any) -> CompactJson:
    return CompactJson({"status": "success", **content})


def failure(error: ApiError) -> CompactJson:
    content = {"status": "error", "message": error.message, "error_code": error.code, **error.extra}
    wait = error.extra.get("retry_after")
    headers = {"Retry-After": str(wait)} if wait is not None else None
    return CompactJson(_clean(content), error.status, headers)


def _clean(value: Any) -> Any:
    match value:
        case str():
            return redactor(value)
        case list():
            return [_clean(item) for item in value]
        case dict():
            return {name: _clean(item) for name, item in value.items()}
        case _:
            return value


_STATUSES: tuple[tuple[type[SangamError], int, ErrorCode], ...] = (
    (InvalidInput, 400, ErrorCode.INVALID_INPUT),
    (SymbolNotFound, 400, ErrorCode.INVALID_INPUT),
    (NotListed, 404, ErrorCode.INVALID_INPUT),
    (ConfigError, 400, ErrorCode.INVALID_INPUT),
    (Conflict, 409, ErrorCode.ORDER_ERROR),
    (Denied, 400, ErrorCode.INVALID_ORDER),
    (OrderNotFound, 404, ErrorCode.INVALID_INPUT),
    (Rejected, 400, ErrorCode.ORDER_ERROR),
    (InDoubt, 504, ErrorCode.OUTCOME_UNKNOWN),
    (OrderError, 400, ErrorCode.ORDER_ERROR),
    (Unsupported, 501, ErrorCode.UNSUPPORTED),
    (StoreError, 503, ErrorCode.STORE_ERROR),
    (AuthError, 403, ErrorCode.INVALID_TOKEN),
    (SessionExpired, 403, ErrorCode.INVALID_TOKEN),
    (RateLimited, 429, ErrorCode.RATE_LIMITED),
    (Refused, 502, ErrorCode.UNKNOWN_ERROR),
    (NotSent, 502, ErrorCode.NETWORK_ERROR),
    (Unknown, 504, ErrorCode.NETWORK_ERROR),
    (BrokerError, 503, ErrorCode.NETWORK_ERROR),
    (SangamError, 500, ErrorCode.UNKNOWN_ERROR),
)
"""The first row that fits. A broker's refusal and an order's fault may bring a code of their own."""


def from_house(error: SangamError, broker: str = "") -> ApiError:
    """The reply to one of the house's own errors; `broker` is the account's, where there is one."""
    status, code = next((status, code) for kind, status, code in _STATUSES if isinstance(error, kind))
    if isinstance(error, Refused | OrderError) and error.code in ErrorCode.__members__:
        code = ErrorCode(error.code)
    extra: dict[str, Any] = {"broker": broker} if broker else {}
    if status == 429:
        extra["retry_after"] = RETRY_AFTER
    return ApiError(status, code, text_of(error), **extra)


def text_of(error: SangamError) -> str:
    """What a client reads. It says of every write in doubt that it is not to be repeated."""
    if isinstance(error, AuthError):
        return INVALID_KEY
    text = str(error)
    if isinstance(error, InDoubt) and DOUBT.casefold() not in text.casefold():
        return f"{DOUBT}. {text}"
    return text
