"""Orders (Upstox docs: Place, modify and cancel order v3; Convert positions). Quantities go out as they come: in the
units of the instruments file's lots."""

from decimal import Decimal
from typing import Any

import msgspec

from sangam.brokers.contract import Ctx, Operation, Session, Trading
from sangam.model.enums import Action, PriceType, Product
from sangam.model.errors import Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order

from . import books
from .answers import number, read, write
from .gtt import GTT
from .tables import CODES, PRODUCTS_OF, TAG
from .updates import POSTBACK


class _Converted(msgspec.Struct):
    status: str


def _place(order: Order, instrument: Instrument, session: Session, ctx: Ctx) -> Operation[Accepted]:
    """Unsliced, so that one order has one number; whether it is an after-market one Upstox finds by the hour."""
    body = {
        "instrument_token": instrument.token,
        "quantity": order.quantity,
        "product": CODES[order.product],
        "validity": order.validity.value,
        "transaction_type": order.action.value,
        **_terms(order.price_type, order.price, order.trigger_price),
        "disclosed_quantity": order.disclosed_quantity,
        "is_amo": False,
        "slice": False,
        "tag": TAG.text(order),
    }
    taken = yield write("POST", "/v3/order/place", host="orders", json=body)
    return Accepted(order_id=number(taken))


def _modify(order: Order, change: Change, instrument: Instrument, session: Session, ctx: Ctx) -> Operation[Accepted]:
    """What is not told stays (docs: Modify order v3); the quantity, which is the total, is told only where it changes
    or nothing is filled."""
    body = {
        "order_id": order.order_id,
        "validity": change.validity.value,
        **_terms(change.price_type, change.price, change.trigger_price),
    }
    if change.quantity != order.quantity or not order.filled_quantity:
        body["quantity"] = change.quantity
    if change.disclosed_quantity or order.disclosed_quantity:
        body["disclosed_quantity"] = change.disclosed_quantity
    taken = yield write("PUT", "/v3/order/modify", host="orders", json=body)
    return Accepted(order_id=number(taken))


def _cancel(order: Order, session: Session, ctx: Ctx) -> Operation[Accepted]:
    taken = yield write("DELETE", "/v3/order/cancel", host="orders", query={"order_id": order.order_id})
    return Accepted(order_id=number(taken))


def _convert(
    instrument: Instrument, old: Product, new: Product, quantity: int, session: Session, ctx: Ctx
) -> Operation[None]:
    body = {
        "instrument_token": instrument.token,
        "old_product": CODES[old],
        "new_product": CODES[new],
        "transaction_type": Action.of(quantity).value,
        "quantity": abs(quantity),
    }
    told = yield write("PUT", "/v2/portfolio/convert-position", json=body)
    if read(told, _Converted, "the answer to a conversion").status != "complete":
        raise Unknown("Upstox: the conversion was answered in an unknown form.")


def _terms(price_type: PriceType, price: Decimal, trigger_price: Decimal) -> dict[str, Any]:
    """Unused prices are 0. -1 lets Upstox choose the protection that market orders must have (docs: Place order v3)."""
    terms: dict[str, Any] = {
        "order_type": price_type.value,
        "price": float(price) if price_type.has_price else 0,
        "trigger_price": float(trigger_price) if price_type.has_trigger else 0,
    }
    return terms if price_type.has_price else {**terms, "market_protection": -1}


TRADING = Trading(
    place=_place,
    modify=_modify,
    cancel=_cancel,
    orders=books.orders,
    order=books.order,
    find=books.find,
    trades=books.trades,
    positions=books.positions,
    holdings=books.holdings,
    funds=books.funds,
    margin=books.margin,
    convert=_convert,
    gtt=GTT,
    postback=POSTBACK,
    tag=TAG,
    market="native",
    products=PRODUCTS_OF,
)
