"""When two requests ask for the same order: what makes a placement idempotent, and what makes one look like another."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import Conflict
from sangam.model.order import Order, Ticket, TradingMode, Validity

from .checks import plain


class _What(NamedTuple):
    """What cannot change in an order's life."""

    symbol: str
    exchange: Exchange
    action: Action
    product: Product


class _Terms(NamedTuple):
    quantity: int
    price_type: PriceType
    price: Decimal
    trigger_price: Decimal
    disclosed_quantity: int
    validity: Validity


def same(asked: Ticket, standing: Ticket | Order, *, changed: bool = False) -> bool:
    """Whether a ticket asks for what another one did, or for what a journalled order is. Of one that was `changed`
    since, the terms prove nothing any more."""
    ticket = plain(asked)
    other = plain(standing) if isinstance(standing, Ticket) else standing
    return _what(ticket) == _what(other) and (changed or _terms(ticket) == _terms(other))


def conflict(asked: Ticket, order: Order | None) -> Conflict:
    """A client's id that stands for another order."""
    name = f", {order.id}" if order is not None else ""
    return Conflict(
        f"client_order_id {asked.client_order_id} stands for another order already{name}. Choose a new one.",
        order=order,
    )


def check_look_alike(ticket: Ticket, mode: TradingMode, in_doubt: Iterable[Order]) -> None:
    """A caller who names no order may be repeating one: Conflict while an equal one is in doubt."""
    for order in in_doubt:
        if order.mode is mode and same(ticket, order):
            raise Conflict(
                f"An equal order, {order.id}, was sent, and nobody knows yet what became of it: this may be the same "
                "one again. Wait for its outcome or resolve it; a client_order_id of its own lets a new order pass.",
                order=order,
            )


def _what(one: Ticket | Order) -> _What:
    return _What(one.symbol, one.exchange, one.action, one.product)


def _terms(one: Ticket | Order) -> _Terms:
    return _Terms(one.quantity, one.price_type, one.price, one.trigger_price, one.disclosed_quantity, one.validity)
