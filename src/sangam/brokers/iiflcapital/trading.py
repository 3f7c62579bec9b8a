"""Orders (portal: Place, modify and cancel order). Quantities are units, and go out as text."""

from typing import Any, Literal
from urllib.parse import quote

import msgspec

from sangam.brokers.contract import Ctx, Operation, Request, Session, Trading
from sangam.brokers.rows import number
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order

from . import books
from .answers import ORDERS, read
from .tables import PRODUCTS_OF, TAG, TITLE
from .terms import named, terms


class _Taken(msgspec.Struct, rename="camel"):
    broker_order_id: int | str = ""


def _place(order: Order, instrument: Instrument, session: Session, ctx: Ctx) -> Operation[Accepted]:
    """One order in an array of one. Its number means that IIFL took it; its risk checks and the exchange tell theirs as
    news."""
    form = {
        **named(instrument, order.action, order.product),
        **terms(order.price_type, order.price, order.trigger_price),
        "quantity": str(order.quantity),
        "validity": order.validity.value,
        "orderTag": TAG.text(order),
    }
    if order.disclosed_quantity:
        form["disclosedQuantity"] = order.disclosed_quantity
    return _accepted((yield _write("POST", ORDERS, [form])))


def _modify(order: Order, change: Change, instrument: Instrument, session: Session, ctx: Ctx) -> Operation[Accepted]:
    """The type goes with its prices, the rest only where it changes. One object, as in the portal's use cases; its
    general sample has an array of one."""
    form: dict[str, Any] = terms(change.price_type, change.price, change.trigger_price)
    if change.quantity != order.quantity:
        form["quantity"] = str(change.quantity)
    if change.validity is not order.validity:
        form["validity"] = change.validity.value
    if change.disclosed_quantity != order.disclosed_quantity:
        form["disclosedQuantity"] = change.disclosed_quantity
    return _accepted((yield _write("PUT", _path(order), form)))


def _cancel(order: Order, session: Session, ctx: Ctx) -> Operation[Accepted]:
    return _accepted((yield _write("DELETE", _path(order))))


def _path(order: Order) -> str:
    return f"{ORDERS}/{quote(order.order_id, safe='')}"


def _write(method: Literal["POST", "PUT", "DELETE"], path: str, form: Any = None) -> Request:
    return Request(method=method, host="api", path=path, json=form, effect="write", lane="orders")


def _accepted(leg: Any) -> Accepted:
    taken = read(leg, _Taken, "the answer to an order")
    return Accepted(order_id=number(taken.broker_order_id, TITLE, "an order"))


TRADING = Trading(
    place=_place,
    modify=_modify,
    cancel=_cancel,
    orders=books.orders,
    trades=books.trades,
    positions=books.positions,
    holdings=books.holdings,
    funds=books.funds,
    margin=books.margin,
    tag=TAG,
    market="limit stops",
    products=PRODUCTS_OF,
)
