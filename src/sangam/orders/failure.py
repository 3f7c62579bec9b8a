"""How an action's failure is told: the same fields for a client here and for a gateway elsewhere."""

from collections.abc import Mapping
from typing import Any

from sangam.logs import redactor
from sangam.model.errors import OrderError, SangamError


class ActionFailed(SangamError):
    """An action failed. `fields` are what the client is told: code, message, and which order it is about."""

    def __init__(self, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.code = code
        self.fields: dict[str, Any] = {"code": code, "message": message, **more}


def puzzled() -> ActionFailed:
    """A defect of ours in the middle of a write: what became of it is not known."""
    text = "Internal error; the server's log has the details. Do not repeat this before you looked at the order book."
    return ActionFailed("OUTCOME_UNKNOWN", text)


def unserved() -> ActionFailed:
    return ActionFailed("UNSUPPORTED", "Orders are not served here; nothing was sent.")


def told(error: SangamError) -> Mapping[str, Any]:
    """Code and message of any of the house's errors, and which order it is about."""
    if isinstance(error, ActionFailed):
        return error.fields
    fields: dict[str, Any] = {"code": error.code, "message": redactor(str(error))}
    order = error.order if isinstance(error, OrderError) else None
    if order is not None:
        fields |= {
            "order_id": order.order_id,
            "client_order_id": order.client_order_id,
            "id": order.id,
            "state": order.state.value,
            "mode": order.mode.word,
        }
    return fields
