"""What orders that belong together share: slices of a quantity, ids and outcomes of their legs, patience with the rate
limit."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from sangam.model.errors import InvalidInput
from sangam.model.order import MAX_CLIENT_ID, Order, Ticket

Outcome = Order | Exception
"""What became of one leg."""

MAX_SLICES = 100
CROWD = 8
"""So many orders pass the tightest rate limit at once."""
PATIENCE_MS = 2_000
STEP_MS = 250


class Slice(NamedTuple):
    quantity: int
    outcome: Outcome


def slices(total: int, size: int) -> list[int]:
    """Equal parts, the remainder last. Raises InvalidInput."""
    if size < 1:
        raise InvalidInput("splitsize must be at least 1.")
    if -(-total // size) > MAX_SLICES:
        raise InvalidInput(f"Total number of orders would exceed maximum limit of {MAX_SLICES}")
    whole, rest = divmod(total, size)
    return [size] * whole + ([rest] if rest else [])


def leg_id(client_order_id: str, leg: int | str) -> str:
    """``X/1`` of ``X``: who repeats the whole request gets the same legs. Raises InvalidInput where it is too long."""
    if not client_order_id:
        return ""
    name = f"{client_order_id}/{leg}"
    if len(name) > MAX_CLIENT_ID:
        room = MAX_CLIENT_ID - len(name) + len(client_order_id)
        raise InvalidInput(f"client_order_id may have at most {room} characters here: each leg adds '/{leg}' to it.")
    return name


def sliced(ticket: Ticket, size: int) -> list[Ticket]:
    """The ticket in parts of at most `size`."""
    return [
        msgspec.structs.replace(ticket, quantity=part, client_order_id=leg_id(ticket.client_order_id, number))
        for number, part in enumerate(slices(ticket.quantity, size), 1)
    ]


def patient(tickets: Iterable[Ticket]) -> list[Ticket]:
    """Many orders at once wait for one another: each may, as long as all of them need. A caller's own limit stays."""
    many = list(tickets)
    if len(many) <= CROWD:
        return many
    wait = PATIENCE_MS + STEP_MS * len(many)
    return [msgspec.structs.replace(one, wait_ms=wait) if one.wait_ms is None else one for one in many]


def outcome_of(told: Order | BaseException) -> Outcome:
    """Of a leg that was waited for beside others; a cancellation is none."""
    if isinstance(told, Exception) or not isinstance(told, BaseException):
        return told
    raise told
