"""What the end of a write tells its caller, and whether it left at all."""

import msgspec

from sangam.model.errors import (
    BrokerError,
    Denied,
    InDoubt,
    NotSent,
    RateLimited,
    Refused,
    Rejected,
    SangamError,
    SessionExpired,
    StoreError,
    Unknown,
    Unsupported,
)
from sangam.model.order import Order, OrderState

_SPEAK_FOR_THEMSELVES = (RateLimited, SessionExpired, StoreError, Unsupported)
"""The doors answer these with a status of their own."""


def is_unsent(error: Exception, announced: bool) -> bool:
    """Whether nothing can have left: the journal never said `sent`, or the error itself says so."""
    return not announced or isinstance(error, Denied) or (isinstance(error, BrokerError) and not error.sent)


def is_refusal(error: Exception) -> bool:
    """Whether the broker said no, with evidence."""
    return isinstance(error, Refused | Rejected)


def code_of(error: Exception, unsent: bool = False) -> str:
    """One of our error codes. Of what was not sent the outcome is known."""
    if unsent and isinstance(error, Unknown):
        return NotSent.code
    return error.code if isinstance(error, SangamError) else SangamError.code


def text_of(error: Exception) -> str:
    return str(error) if isinstance(error, SangamError) else f"A fault of ours ({type(error).__name__}), see the log."


def told(error: Exception, announced: bool, order: Order | None) -> SangamError:
    """The error that a caller gets; it carries the order as it is now."""
    if isinstance(error, (*_SPEAK_FOR_THEMSELVES, Denied)):
        error.order = order
        return error
    if is_unsent(error, announced):
        return Denied(text_of(error), code_of(error, unsent=True), order)
    if is_refusal(error):
        return Rejected(text_of(error), code_of(error), order)
    return in_doubt(order, text_of(error))


def in_doubt(order: Order | None, reason: str = "") -> InDoubt:
    if not reason and order is not None and order.state is OrderState.UNKNOWN:
        reason = order.reason
    because = f" ({reason})" if reason else ""
    if order is None:
        return InDoubt(
            f"It was sent, and nobody knows what became of it{because}. Do not repeat it: look into the broker's book."
        )
    return InDoubt(
        f"Order {order.id} was sent, and nobody knows yet what became of it{because}. "
        "Do not repeat it: its outcome will be told, and the order book shows it.",
        order=order,
    )


def as_denied(order: Order, reason: str, code: str) -> Order:
    """An order that the journal did not take, as its caller is told of it."""
    return msgspec.structs.replace(order, state=OrderState.DENIED, reason=reason, code=code)


def answer(order: Order) -> Order:
    """A known outcome as a caller gets it. Raises Denied and Rejected."""
    if order.state is OrderState.DENIED:
        raise Denied(order.reason or "It was not sent.", order.code, order)
    if order.state is OrderState.REJECTED:
        raise Rejected(order.reason or "The broker rejected it.", order.code, order)
    return order
