"""What a read book proves of orders that it does not have. Pure.

A book is only believed to be complete where it has every order that we know to be there today: brokers have answered
with empty and with half books."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from sangam.model.books import Trade
from sangam.model.order import Order, OrderState, OrderUpdate

from .states import WORKING


class Verdict(StrEnum):
    NEVER_REACHED = "never reached the broker"
    EXPIRED = "its day is over"


class Absent(NamedTuple):
    order: Order
    verdict: Verdict


class Moments(NamedTuple):
    """Epoch milliseconds: when the trading day began, when the read began, and how long an order may need to show."""

    day: int
    read: int
    settle: int


def attempted(order: Order) -> int:
    """When the attempt to place an order in doubt had ended: until then its request may have been under way."""
    return max(order.sent_at, order.updated_at)


def missing(orders: Iterable[Order], rows: Sequence[OrderUpdate], moments: Moments) -> list[Order]:
    """Orders of today that the broker told of and the book lacks: where there are any, it proves nothing."""
    listed = {row.order_id for row in rows}
    return [
        order
        for order in orders
        if order.order_id
        and order.order_id not in listed
        and moments.day <= order.created_at
        and order.updated_at < moments.read - moments.settle
        and order.state not in (OrderState.REJECTED, OrderState.DENIED)
    ]


def absent(orders: Iterable[Order], rows: Sequence[OrderUpdate], moments: Moments, *, tagged: bool) -> Iterator[Absent]:
    """What follows for orders that a complete book lacks. `tagged` says that the broker echoes our tag: without it no
    row can be told from a look-alike, and nothing is proven."""
    listed = {row.order_id for row in rows}
    unlisted = [order for order in orders if order.order_id not in listed]
    lengths = {len(order.our_tag) for order in unlisted}
    tags = {row.tag[:length] for row in rows for length in lengths if row.tag}
    for order in unlisted:
        if order.our_tag in tags:
            continue
        yesterday = order.created_at < moments.day
        settled = attempted(order) + moments.settle <= moments.read
        if order.state in WORKING and yesterday:
            yield Absent(order, Verdict.EXPIRED)
        elif order.state is OrderState.UNKNOWN and tagged and settled and not yesterday and not order.order_id:
            yield Absent(order, Verdict.NEVER_REACHED)


def odd_fills(orders: Iterable[Order], trades: Iterable[Trade]) -> Iterator[tuple[Order, int]]:
    """Orders whose trades do not sum to what they filled, with that sum."""
    sums: dict[str, dict[str, int]] = {}
    for trade in trades:
        sums.setdefault(trade.order_id, {})[trade.trade_id] = trade.quantity
    for order in orders:
        if (parts := sums.get(order.order_id)) is not None and (total := sum(parts.values())) != order.filled_quantity:
            yield order, total
