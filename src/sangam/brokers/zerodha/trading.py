"""Orders (Kite docs: Orders; Portfolio). Quantities go out as they come: where the instruments dump counts in lots
(MCX, CDS and BCD have lot size 1 there), so do orders, trades and positions, and `multiplier` tells a lot's worth."""

from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec

from sangam.brokers.contract import Ctx, Operation, Request, Session, Trading
from sangam.brokers.rows import number
from sangam.brokers.trading import carried_over
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order

from . import books
from .answers import read
from .gtt import GTT
from .tables import MODIFICATIONS, PRODUCTS_OF, REGULAR, TAG, TITLE
from .updates import POSTBACK


class _Taken(msgspec.Struct):
    order_id: str


def _place(order: Order, instrument: Instrument, session: Session, ctx: Ctx) -> Operation[Accepted]:
    """An order id means that Kite took the order into its books; what the exchange makes of it comes as news."""
    form: dict[str, str | int] = {
        "exchange": instrument.brexchange,
        "tradingsymbol": instrument.brsymbol,
        "transaction_type": order.action.value,
        "quantity": order.quantity,
        "product": order.product.value,
        **_terms(order.price_type, order.price, order.trigger_price),
        "validity": order.validity.value,
        "tag": TAG.text(order),
    }
    if order.disclosed_quantity:
        form["disclosed_quantity"] = order.disclosed_quantity
    taken = yield _write("POST", f"/orders/{REGULAR}", form=form)
    return _accepted(taken, {"variety": REGULAR})


def _modify(order: Order, change: Change, instrument: Instrument, session: Session, ctx: Ctx) -> Operation[Accepted]:
    """The quantity of a partly filled order is told only where it changes, as Kite's support asks (forum, comment
    41181): it is the order's total."""
    form: dict[str, str | int] = {
        **_terms(change.price_type, change.price, change.trigger_price),
        "validity": change.validity.value,
    }
    if change.quantity != order.quantity or not order.filled_quantity:
        form["quantity"] = change.quantity
    if change.disclosed_quantity or order.disclosed_quantity:
        form["disclosed_quantity"] = change.disclosed_quantity
    if parent := order.native.get("parent_order_id"):
        form["parent_order_id"] = parent
    taken = yield _write("PUT", _path(order), form=form)
    return _accepted(taken, order.native)


def _cancel(order: Order, session: Session, ctx: Ctx) -> Operation[Accepted]:
    parent = order.native.get("parent_order_id")
    taken = yield _write("DELETE", _path(order), query={"parent_order_id": parent} if parent else None)
    return _accepted(taken, order.native)


def _convert(
    instrument: Instrument, old: Product, new: Product, quantity: int, session: Session, ctx: Ctx
) -> Operation[None]:
    """Kite converts what was bought today and what was carried over by different calls, so the position is read
    first."""
    data = yield books.asked("/portfolio/positions")
    name = (instrument.brexchange, instrument.brsymbol, old.value)
    rows = read(data, books.Positions, "the positions").net
    row = next((row for row in rows if (row.brexchange, row.brsymbol, row.product) == name), None)
    carried = 0 if row is None else row.overnight_quantity
    today = 0 if row is None else row.quantity - carried
    over = carried_over(TITLE, f"{instrument.symbol} ({old.value})", today, carried, quantity)
    form: dict[str, str | int] = {
        "exchange": instrument.brexchange,
        "tradingsymbol": instrument.brsymbol,
        "transaction_type": Action.of(quantity).value,
        "position_type": "overnight" if over else "day",
        "quantity": abs(quantity),
        "old_product": old.value,
        "new_product": new.value,
    }
    done = yield _write("PUT", "/portfolio/positions", form=form)
    if done is not True:
        raise Unknown("Zerodha: the conversion was answered in an unknown form.")


def _terms(price_type: PriceType, price: Decimal, trigger_price: Decimal) -> dict[str, str | int]:
    """-1 lets Kite choose the price protection that orders at the market must have since 2026 (forum, comment 52991);
    an order that becomes one by a modification needs it too (comment 52331)."""
    terms: dict[str, str | int] = {"order_type": price_type.value}
    if price_type.has_price:
        terms["price"] = f"{price:f}"
    else:
        terms["market_protection"] = -1
    if price_type.has_trigger:
        terms["trigger_price"] = f"{trigger_price:f}"
    return terms


def _write(method: Any, path: str, **more: Any) -> Request:
    return Request(method=method, host="api", path=path, effect="write", lane="orders", **more)


def _path(order: Order) -> str:
    return f"/orders/{quote(order.native.get('variety', REGULAR), safe='')}/{quote(order.order_id, safe='')}"


def _accepted(taken: Any, native: Any) -> Accepted:
    order_id = read(taken, _Taken, "the answer to an order").order_id
    return Accepted(order_id=number(order_id, TITLE, "an order"), native=native)


TRADING = Trading(
    place=_place,
    modify=_modify,
    cancel=_cancel,
    orders=books.orders,
    order=books.order,
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
    no_ioc=frozenset({Exchange.MCX}),
    modifications=MODIFICATIONS,
)
