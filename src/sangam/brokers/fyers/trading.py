"""Orders (documentation: Order Placement Guide; Other Transactions). Quantities go out as they come: where the masters
count in lots (MCX, CDS and NCO have lot size 1 there), so do orders, trades and positions."""

from decimal import Decimal
from typing import Any

from sangam.brokers.contract import Ctx, Operation, Request, Session, Trading
from sangam.brokers.trading import carried_over
from sangam.model.enums import Action, PriceType, Product
from sangam.model.errors import Refused
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order

from . import books
from .answers import write
from .gtt import GTT
from .tables import PRODUCT_OF, PRODUCTS_OF, SIDE_OF, TAG, TITLE, TYPE_OF
from .updates import POSTBACK

PATH = f"{books.API}/orders/sync"


def _place(order: Order, instrument: Instrument, session: Session, ctx: Ctx) -> Operation[Accepted]:
    """An order number means that Fyers took the order into its books; what the exchange makes of it comes as news."""
    body = {
        "symbol": instrument.brsymbol,
        "qty": order.quantity,
        **_terms(order.price_type, order.price, order.trigger_price),
        "side": SIDE_OF[order.action],
        "productType": PRODUCT_OF[order.product],
        "validity": order.validity.value,
        "disclosedQty": order.disclosed_quantity,
        "offlineOrder": False,
        "orderTag": TAG.text(order),
    }
    return Accepted(order_id=(yield from write("POST", PATH, body)))


def _modify(order: Order, change: Change, instrument: Instrument, session: Session, ctx: Ctx) -> Operation[Accepted]:
    """What is left out stays as it was, so the quantity of a partly filled order is told only where it changes."""
    if change.validity is not order.validity:
        raise Refused("Fyers: the validity of an order cannot be changed.", "INVALID_INPUT").unsent()
    body: dict[str, Any] = {"id": order.order_id, **_terms(change.price_type, change.price, change.trigger_price)}
    if change.quantity != order.quantity or not order.filled_quantity:
        body["qty"] = change.quantity
    if change.disclosed_quantity or order.disclosed_quantity:
        body["disclosedQty"] = change.disclosed_quantity
    return Accepted(order_id=(yield from write("PATCH", PATH, body)))


def _cancel(order: Order, session: Session, ctx: Ctx) -> Operation[Accepted]:
    return Accepted(order_id=(yield from write("DELETE", PATH, {"id": order.order_id})))


def _terms(price_type: PriceType, price: Decimal, trigger_price: Decimal) -> dict[str, int | float]:
    return {
        "type": TYPE_OF[price_type],
        "limitPrice": float(price) if price_type.has_price else 0,
        "stopPrice": float(trigger_price) if price_type.has_trigger else 0,
    }


def _convert(
    instrument: Instrument, old: Product, new: Product, quantity: int, session: Session, ctx: Ctx
) -> Operation[None]:
    """A position goes by its own name. Fyers asks whether it was carried over, so the positions are read first."""
    name = f"{instrument.brsymbol}-{PRODUCT_OF[old]}"
    answer = yield books.asked("/positions")
    row = next((row for row in books.position_rows(answer) if row.id == name), None)
    carried = 0 if row is None else row.cf_buy_qty - row.cf_sell_qty
    today = 0 if row is None else row.net_qty - carried
    over = carried_over(TITLE, f"{instrument.symbol} ({old.value})", today, carried, quantity)
    body = {
        "symbol": name,
        "positionSide": SIDE_OF[Action.of(quantity)],
        "convertQty": abs(quantity),
        "convertFrom": PRODUCT_OF[old],
        "convertTo": PRODUCT_OF[new],
        "overnight": int(over),
    }
    path = f"{books.API}/positions"
    yield Request(method="POST", host="api", path=path, json=body, effect="write", lane="orders")


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
