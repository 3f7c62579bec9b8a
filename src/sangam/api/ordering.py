"""What all order routes share: errors that name broker, mode and order; the caller's own id; outcomes of legs."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fastapi import Request

from sangam.model.errors import BrokerError, RateLimited, Refused, SangamError, SessionExpired, SymbolNotFound, Unknown
from sangam.model.order import MAX_CLIENT_ID, Order
from sangam.orders.legs import Outcome, Slice
from sangam.orders.ports import Caller
from sangam.orders.rows import order_id

from .errors import DOUBT, NOTHING_SENT, ApiError, CompactJson, ErrorCode, from_house, success
from .order_requests import Idempotent

log = logging.getLogger(__name__)

HEADER = "Idempotency-Key"
INSIDE = "An unexpected error occurred; look the order up before you repeat it"


def answer(caller: Caller, **content: Any) -> CompactJson:
    """A success, with the mode it happened in."""
    return success(**content, mode=caller.mode.word)


@contextmanager
def ordering(caller: Caller, *, write: bool = False, unknown_symbol: int = 400) -> Iterator[None]:
    """Errors inside are answered with broker and mode, and with the id of the order they are about."""
    try:
        yield
    except ApiError as error:
        error.extra.update(_where(caller))
        raise
    except SangamError as error:
        raise told(error, caller, write=write, unknown_symbol=unknown_symbol) from error


def told(error: SangamError, caller: Caller, *, write: bool = False, unknown_symbol: int = 400) -> ApiError:
    """The reply to an error of a request about orders. A broker's no to a write is the request's fault; a write whose
    answer was lost is in doubt."""
    reply = from_house(error, caller.account.broker)
    reply.extra.update(_where(caller))
    if isinstance(error, SymbolNotFound):
        reply.status = unknown_symbol
    if write and isinstance(error, RateLimited) and NOTHING_SENT.casefold() not in str(error).casefold():
        reply.message = f"{error} {NOTHING_SENT}"
    elif write and isinstance(error, BrokerError) and error.sent:
        _of_a_write(error, reply)
    order = getattr(error, "order", None)
    if isinstance(order, Order):
        reply.extra |= {"orderid": order_id(order), "state": order.state}
        if order.client_order_id:
            reply.extra["client_order_id"] = order.client_order_id
    return reply


def _of_a_write(error: BrokerError, reply: ApiError) -> None:
    if isinstance(error, Unknown):
        reply.code, reply.message = ErrorCode.OUTCOME_UNKNOWN, f"{DOUBT}. {error}"
    elif isinstance(error, Refused) and not isinstance(error, SessionExpired):
        reply.status = 400
        if reply.code is ErrorCode.UNKNOWN_ERROR:
            reply.code = ErrorCode.ORDER_ERROR


def client_id(wanted: Idempotent, request: Request) -> str:
    """The caller's own id of a request: its field or the header. Raises ApiError 400 where they differ."""
    named = wanted.client_order_id or ""
    header = request.headers.get(HEADER, "").strip()
    if named and header and named != header:
        raise ApiError(400, ErrorCode.INVALID_INPUT, f"client_order_id and the header {HEADER} differ. {NOTHING_SENT}")
    if len(header) > MAX_CLIENT_ID:
        raise ApiError(
            400, ErrorCode.INVALID_INPUT, f"The header {HEADER} is longer than {MAX_CLIENT_ID}. {NOTHING_SENT}"
        )
    return named or header


def echo(client_order_id: str) -> dict[str, str]:
    return {"client_order_id": client_order_id} if client_order_id else {}


def leg_row(outcome: Outcome, caller: Caller) -> dict[str, Any]:
    """What became of one order among several: its id, or why it has none and whether it may have."""
    if isinstance(outcome, Order):
        return {"status": "success", "orderid": order_id(outcome), **echo(outcome.client_order_id)}
    if not isinstance(outcome, SangamError):
        log.error("a leg failed by a fault of ours", exc_info=outcome)
        return {"status": "error", "message": INSIDE, "error_code": ErrorCode.UNKNOWN_ERROR}
    reply = told(outcome, caller, write=True)
    known = ("orderid", "state", "client_order_id")
    more = {name: reply.extra[name] for name in known if name in reply.extra}
    return {"status": "error", "message": reply.message, "error_code": reply.code, **more}


def slice_rows(slices: Sequence[Slice], caller: Caller) -> list[dict[str, Any]]:
    return [
        {"order_num": number, "quantity": one.quantity, **leg_row(one.outcome, caller)}
        for number, one in enumerate(slices, 1)
    ]


def _where(caller: Caller) -> dict[str, str]:
    return {"broker": caller.account.broker, "mode": caller.mode.word}
