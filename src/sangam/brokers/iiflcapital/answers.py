"""What an answer means: payload, refusal by evidence, or unknown (portal: Response structure; Error codes)."""

from collections.abc import Mapping
from typing import Any, TypeVar

from sangam.brokers import rows
from sangam.brokers.contract import EMPTY, Reply, Request
from sangam.brokers.evidence import json_object
from sangam.model.errors import BrokerError, SessionExpired, Unknown

from .tables import DEAD, EMPTY_BOOKS, EVIDENCE, LOGIN_EVIDENCE, TITLE

T = TypeVar("T")

LOGIN = "/getusersession"
ORDERS = "/orders"
BOOKS = (ORDERS, "/trades", "/positions", "/holdings")


def check(request: Request, reply: Reply) -> Any:
    """The `result` of a success, or all of an answer that has none; an array may come without an envelope. An order is
    taken where its own leg says so."""
    told = reply.payload
    if reply.status == 200 and (request.reply == "file" or isinstance(told, list)):
        return _result(request, told)
    envelope = json_object(told)
    if reply.status == 200 and envelope.get("status") == "Ok":
        return _result(request, envelope.get("result", envelope))
    if reply.status in EVIDENCE.statuses and _is_empty(request, envelope):
        return EMPTY
    raise _failure(request, reply.status, envelope)


def _result(request: Request, told: Any) -> Any:
    """A book without rows may have one that says so; an answer to an order is one leg, in an array or by itself."""
    only = told[0] if isinstance(told, list) and len(told) == 1 else None
    if request.effect == "read":
        return EMPTY if _is_empty(request, only) else told
    if not request.path.startswith(ORDERS):
        return told
    leg = json_object(told if only is None else only)
    if leg.get("status") == "Success":
        return leg
    raise _failure(request, 200, leg)


def _is_empty(request: Request, told: Any) -> bool:
    """Whether the only thing told of a book is that it has no rows."""
    is_book = request.effect == "read" and request.path in BOOKS
    return is_book and isinstance(told, dict) and str(told.get("status")) in EMPTY_BOOKS


def _failure(request: Request, status: int, told: Mapping[str, Any]) -> BrokerError:
    kind, text = str(told.get("status") or ""), str(told.get("message") or "")
    login = request.path == LOGIN
    failure = (LOGIN_EVIDENCE if login else EVIDENCE).failure(TITLE, status, kind, text)
    if (kind in DEAD or status == 401) and not login and status in EVIDENCE.statuses and status != 429:
        return SessionExpired(f"{failure}. Log in to {TITLE} again.", kind)
    return failure


def read(data: Any, kind: type[T], what: str) -> T:
    """`data` as it should be; numbers may be text. Raises Unknown."""
    return rows.read(data, kind, TITLE, what, strict=False)


def book(data: Any, row: type[T], what: str) -> list[T]:
    """The rows of a book. What has no rows and does not say that there are none proves nothing. Raises Unknown."""
    if data is EMPTY:
        return []
    if not isinstance(data, list):
        raise Unknown(f"{TITLE}: {what} came without rows.")
    return read(data, list[row], what)  # type: ignore[valid-type]
