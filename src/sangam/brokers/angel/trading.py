"""Orders (SmartAPI docs: Orders; Portfolio). Every value is sent as text; quantities are units of the master's lot."""

from decimal import Decimal
from typing import Any

import msgspec

from sangam.brokers.contract import Ctx, Operation, Request, Session, Trading
from sangam.brokers.rows import number
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, Validity

from . import books
from .answers import read
from .gtt import GTT
from .tables import NORMAL, ORDER_TYPES, ORDERS, PRODUCT_TYPES, PRODUCTS_OF, STOPLOSS, TAG, TITLE
from .updates import POSTBACK


class _Taken(msgspec.Struct):
    orderid: int | str


def _place(order: Order, instrument: Instrument, session: Session, ctx: Ctx) -> Operation[Accepted]:
    """An order id means that Angel took the order; its risk checks and the exchange tell theirs as news."""
    form = {
        **_named(instrument),
        **_terms(order.price_type, order.price, order.trigger_price, order.quantity, order.validity),
        "transactiontype": order.action.value,
        "producttype": PRODUCT_TYPES[order.product],
        "squareoff": "0",
        "stoploss": "0",
        "disclosedquantity": str(order.disclosed_quantity),
        "ordertag": TAG.text(order),
    }
    return _accepted((yield _write("placeOrder", form)), form["variety"])


def _modify(order: Order, change: Change, instrument: Instrument, session: Session, ctx: Ctx) -> Operation[Accepted]:
    """The variety goes with the new terms, except of orders that have one of their own (AMO, ROBO). An order of another
    product than ours (MARGIN, BO) keeps it."""
    form = {
        **_named(instrument),
        **_terms(change.price_type, change.price, change.trigger_price, change.quantity, change.validity),
        "orderid": order.order_id,
        "producttype": order.native.get("producttype") or PRODUCT_TYPES[order.product],
        "disclosedquantity": str(change.disclosed_quantity),
    }
    variety = order.native.get("variety", NORMAL)
    if variety not in (NORMAL, STOPLOSS):
        form["variety"] = variety
    return _accepted((yield _write("modifyOrder", form)), form["variety"])


def _cancel(order: Order, session: Session, ctx: Ctx) -> Operation[Accepted]:
    variety = order.native.get("variety") or _variety(order.price_type)
    return _accepted((yield _write("cancelOrder", {"variety": variety, "orderid": order.order_id})), variety)


def _convert(
    instrument: Instrument, old: Product, new: Product, quantity: int, session: Session, ctx: Ctx
) -> Operation[None]:
    """`DAY` is the only type of a position that the documentation knows; a success has no data."""
    form = {
        **_named(instrument),
        "oldproducttype": PRODUCT_TYPES[old],
        "newproducttype": PRODUCT_TYPES[new],
        "transactiontype": Action.of(quantity).value,
        "quantity": abs(quantity),
        "type": "DAY",
    }
    yield _write("convertPosition", form, "convert")


def _named(instrument: Instrument) -> dict[str, Any]:
    return {
        "exchange": instrument.brexchange,
        "tradingsymbol": instrument.brsymbol,
        "symboltoken": instrument.token,
    }


def _terms(
    price_type: PriceType, price: Decimal, trigger_price: Decimal, quantity: int, validity: Validity
) -> dict[str, str]:
    return {
        "variety": _variety(price_type),
        "ordertype": ORDER_TYPES[price_type],
        "duration": validity.value,
        "price": f"{price:f}" if price_type.has_price else "0",
        "triggerprice": f"{trigger_price:f}" if price_type.has_trigger else "0",
        "quantity": str(quantity),
    }


def _variety(price_type: PriceType) -> str:
    return STOPLOSS if price_type.has_trigger else NORMAL


def _write(name: str, form: dict[str, Any], lane: str = "orders") -> Request:
    return Request(method="POST", host="api", path=f"{ORDERS}/{name}", json=form, effect="write", lane=lane)


def _accepted(told: Any, variety: str) -> Accepted:
    taken = read(told, _Taken, "the answer to an order")
    return Accepted(order_id=number(taken.orderid, TITLE, "an order"), native={"variety": variety})


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
    convert=_convert,
    gtt=GTT,
    postback=POSTBACK,
    tag=TAG,
    market="native",
    products=PRODUCTS_OF,
    no_ioc=frozenset({Exchange.MCX, Exchange.NCDEX}),
)
