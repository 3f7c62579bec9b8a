"""What news make of an order, and which events follow. Pure, and blind to the order in which news arrive.

A state only moves forward: pending, sent, unknown → trigger pending → open → partially filled → final. The filled
quantity is the highest cumulative figure from any source. A final state that rests on our own conclusion (never found
in the book, settled by the user, ended with its day, refused before the broker gave an id) yields to the broker's
word; one that the broker told stays."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from sangam.model.enums import OrderStatus, PriceType
from sangam.model.errors import Rejected
from sangam.model.order import Order, OrderState, OrderUpdate

from .journal import EventKind

NEVER_REACHED = "NEVER_REACHED"
"""Code of an order that a complete book does not have."""
RESOLVED = "RESOLVED"
"""Code of an order that its user settled."""

UNSETTLED = frozenset({OrderState.PENDING, OrderState.SENT, OrderState.UNKNOWN})
"""Placement without an outcome."""
WORKING = frozenset({OrderState.TRIGGER_PENDING, OrderState.OPEN, OrderState.PARTIALLY_FILLED})

_RANK = dict.fromkeys(OrderState, 0) | {
    OrderState.TRIGGER_PENDING: 1,
    OrderState.OPEN: 2,
    OrderState.PARTIALLY_FILLED: 3,
    OrderState.REJECTED: 4,
    OrderState.CANCELLED: 5,
    OrderState.COMPLETE: 6,
}
_CLOSED_BY = {
    OrderState.COMPLETE: EventKind.FILLED,
    OrderState.CANCELLED: EventKind.CANCELLED,
    OrderState.EXPIRED: EventKind.CANCELLED,
    OrderState.REJECTED: EventKind.REJECTED,
    OrderState.DENIED: EventKind.REJECTED,
    OrderState.UNKNOWN: EventKind.UNKNOWN,
}


class Terms(NamedTuple):
    """What of an order can be changed, and what news tell of it. Prices that a price type does not have are zero."""

    quantity: int
    price_type: PriceType
    price: Decimal
    trigger_price: Decimal


class Step(NamedTuple):
    """One event, and the order as it was then."""

    kind: EventKind
    order: Order


def terms(order: Order) -> Terms:
    """The terms that stand at the broker."""
    price_type = order.sent_price_type or order.price_type
    price = order.price if order.sent_price is None else order.sent_price
    return _plain(order.quantity, price_type, price, order.trigger_price)


def told_terms(order: Order, update: OrderUpdate) -> Terms:
    """The terms that news tell; what they leave out is as it was."""
    known = terms(order)
    try:
        price_type = PriceType(update.price_type)
    except ValueError:
        price_type = known.price_type
    if known.price_type is PriceType.MARKET:
        # Nobody changes the terms of a market order: brokers show a last price, or the limit that protects it.
        return known._replace(quantity=update.quantity or known.quantity)
    return _plain(
        update.quantity or known.quantity,
        price_type,
        Decimal(repr(update.price)) if update.price else known.price,
        Decimal(repr(update.trigger_price)) if update.trigger_price else known.trigger_price,
    )


def with_terms(order: Order, new: Terms) -> Order:
    """The order with these terms at the broker; it is untouched where they stand already."""
    known = terms(order)
    if new == known:
        return order
    if new[1:] == known[1:]:
        return replace(order, quantity=new.quantity)
    first = order.state in UNSETTLED and order.sent_price is not None
    if first and new == known._replace(quantity=new.quantity, price=new.price):
        return replace(order, quantity=new.quantity, sent_price=new.price)  # the house's own, as it went out
    return replace(
        order,
        quantity=new.quantity,
        price_type=new.price_type,
        price=new.price,
        trigger_price=new.trigger_price,
        conversion="",
        sent_price_type=None,
        sent_price=None,
    )


def waiting(order: Order) -> OrderState:
    """The state of an order that was taken and of which nothing more is known."""
    if order.filled_quantity:
        return OrderState.PARTIALLY_FILLED
    return OrderState.TRIGGER_PENDING if terms(order).price_type.has_trigger else OrderState.OPEN


def became_stop(before: Order, after: Order) -> bool:
    """A change gave the order a trigger: the only way back from open."""
    return terms(after).price_type.has_trigger and not terms(before).price_type.has_trigger


def kind_of(state: OrderState) -> EventKind:
    """The event that tells of an order in this state, whatever it was before."""
    return _CLOSED_BY.get(state) or (
        EventKind.PARTIALLY_FILLED if state is OrderState.PARTIALLY_FILLED else EventKind.PLACED
    )


def accept(order: Order, order_id: str, native: Mapping[str, str], price: Decimal | None = None) -> Order:
    """The executor took the order; news that were faster stand. `price` is the limit that went out in place of none."""
    state = waiting(order) if order.state in UNSETTLED or _concluded(order) else order.state
    known = order.order_id or order_id
    sent = order.sent_price if price is None or order.sent_price is None else price
    return _clear(replace(order, order_id=known, native={**native, **order.native}, state=state, sent_price=sent))


def merge(order: Order, update: OrderUpdate, superseded: Terms | None = None) -> Order:
    """The order after these news. `superseded` are terms that a change of ours has just replaced: news that still
    tell them are older than they look."""
    filled, average = _fill(order, update)
    recent = update.timestamp >= order.told_at
    after = order
    if recent and (told := told_terms(order, update)) != superseded:
        after = with_terms(order, told)
    state = _state(order, after, update, filled)
    native = {**order.native, **update.native} if recent else {**update.native, **order.native}
    after = replace(
        after,
        quantity=max(after.quantity, filled),
        order_id=order.order_id or update.order_id,
        state=state,
        filled_quantity=filled,
        average_price=average,
        native=native,
        told_at=max(order.told_at, update.timestamp),
    )
    if state is OrderState.REJECTED and order.state is not OrderState.REJECTED:
        after = replace(after, reason=update.rejection_reason, code=Rejected.code)
    elif state is OrderState.CANCELLED and update.rejection_reason:
        after = replace(after, reason=update.rejection_reason, code="")
    elif state is not order.state and (_concluded(order) or order.state is OrderState.UNKNOWN):
        after = replace(after, reason="", code="")
    return _clear(after)


def _fill(order: Order, update: OrderUpdate) -> tuple[int, float]:
    told = update.filled_quantity
    if not told and update.status == OrderStatus.COMPLETE:
        told = update.quantity or order.quantity
    filled = max(order.filled_quantity, told)
    mine = told == filled or not order.average_price
    return filled, update.average_price if update.average_price > 0 and told and mine else order.average_price


def _state(order: Order, after: Order, update: OrderUpdate, filled: int) -> OrderState:
    try:
        told = OrderState.told(update.status)
    except ValueError:
        told = OrderState.OPEN
    if not told.is_final:
        if update.quantity and update.filled_quantity >= update.quantity:
            told = OrderState.COMPLETE
        elif filled:
            told = OrderState.PARTIALLY_FILLED
    before = OrderState.PENDING if _concluded(order) else order.state
    if told is OrderState.TRIGGER_PENDING and before is OrderState.OPEN and became_stop(order, after):
        return told
    if _RANK[told] >= _RANK[before]:
        return told
    return before


def _concluded(order: Order) -> bool:
    """Final by our conclusion, not by the broker's word."""
    if order.state in (OrderState.DENIED, OrderState.EXPIRED):
        return True
    return order.state.is_final and (order.code in (NEVER_REACHED, RESOLVED) or not order.order_id)


def _clear(order: Order) -> Order:
    """What was said while the order was in doubt is over."""
    if order.state in WORKING and (order.reason or order.code):
        return replace(order, reason="", code="")
    return order


def _plain(quantity: int, price_type: PriceType, price: Decimal, trigger_price: Decimal) -> Terms:
    zero = Decimal(0)
    limit, trigger = price if price_type.has_price else zero, trigger_price if price_type.has_trigger else zero
    return Terms(quantity, price_type, limit, trigger)


def steps(before: Order, after: Order) -> Iterator[Step]:
    """The events between two states of an order, oldest first; the last one has the order as it is now."""
    kinds = list(_kinds(before, after))
    for kind in kinds[:-1]:
        yield Step(kind, _as_of(kind, before, after))
    if kinds:
        yield Step(kinds[-1], after)


def _kinds(before: Order, after: Order) -> Iterator[EventKind]:
    was, now = before.state, after.state
    stood = was in WORKING
    if (was in UNSETTLED or _concluded(before)) and was is not now:
        if now in WORKING or now is OrderState.COMPLETE or (now is OrderState.CANCELLED and was is not now):
            yield EventKind.PLACED
    elif stood and terms(before) != terms(after):
        yield EventKind.MODIFIED
    if was is OrderState.TRIGGER_PENDING and now in (
        OrderState.OPEN,
        OrderState.PARTIALLY_FILLED,
        OrderState.COMPLETE,
    ):
        yield EventKind.TRIGGERED
    more = after.filled_quantity > before.filled_quantity
    if more and now is not OrderState.COMPLETE:
        yield EventKind.PARTIALLY_FILLED
    if was is not now and now in _CLOSED_BY:
        yield _CLOSED_BY[now]


def _as_of(kind: EventKind, before: Order, after: Order) -> Order:
    """The order between two states, as it was when this happened."""
    if kind is EventKind.PARTIALLY_FILLED:
        return replace(after, state=OrderState.PARTIALLY_FILLED, reason="", code="")
    as_before = replace(
        after, filled_quantity=before.filled_quantity, average_price=before.average_price, reason="", code=""
    )
    if kind is EventKind.TRIGGERED:
        return replace(as_before, state=OrderState.OPEN)
    return replace(as_before, state=before.state if kind is EventKind.MODIFIED else waiting(as_before))
