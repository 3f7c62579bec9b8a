"""Orders (documents: Orders; Portfolio). Fields that do not apply are left out: an empty text in their place is refused
(measured). Quantities go out as they come: where the instruments file counts in lots, so do orders and books."""

from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec

from sangam.brokers.contract import EMPTY, Ctx, Operation, Request, Session, Trading
from sangam.model.enums import PriceType, Product
from sangam.model.errors import Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order

from ...rows import number
from .books import Books
from .gtt import Forever
from .tables import MODIFICATIONS, PRICE_TYPE_NAMES, PRODUCT_NAMES, PRODUCTS_OF, TAG


class _Taken(msgspec.Struct, rename="camel"):
    order_id: str


class Desk(Books):
    """Everything that an account can do; `trading` is its table."""

    def trading(self, **more: Any) -> Trading:
        """`more` are the parts that only one of the places has."""
        return Trading(
            place=self.place,
            modify=self.modify,
            cancel=self.cancel,
            orders=self.orders,
            order=self.order,
            find=self.find,
            trades=self.trades,
            positions=self.positions,
            holdings=self.holdings,
            funds=self.funds,
            margin=self.margin,
            convert=self.convert,
            gtt=Forever(self.wire).desk,
            tag=TAG,
            # MARKET becomes a protected limit order there. A stop at the market was seen filled at once, or refused
            # with DH-906 (sheet: dhan.md, 3), so it goes out as a stop with a limit.
            market="limit stops",
            products=PRODUCTS_OF,
            modifications=MODIFICATIONS,
            **more,
        )

    def place(self, order: Order, instrument: Instrument, session: Session, ctx: Ctx) -> Operation[Accepted]:
        """An order id means that Dhan took the request; what its risk checks and the exchange make of it comes as
        news."""
        body = {
            "dhanClientId": session.secrets["client_id"],
            "correlationId": TAG.text(order),
            "transactionType": order.action.value,
            "exchangeSegment": instrument.brexchange,
            "productType": PRODUCT_NAMES[order.product],
            "securityId": instrument.token,
            "quantity": order.quantity,
            "validity": order.validity.value,
            "afterMarketOrder": False,
            **_terms(order.price_type, order.price, order.trigger_price),
        }
        if order.disclosed_quantity:
            body["disclosedQuantity"] = order.disclosed_quantity
        return self._accepted((yield _write("POST", "/orders", json=body)))

    def modify(
        self, order: Order, change: Change, instrument: Instrument, session: Session, ctx: Ctx
    ) -> Operation[Accepted]:
        """`quantity` is the order's total, not what is left of it."""
        body = {
            "dhanClientId": session.secrets["client_id"],
            "orderId": order.order_id,
            "quantity": change.quantity,
            "validity": change.validity.value,
            **_terms(change.price_type, change.price, change.trigger_price),
        }
        if change.disclosed_quantity or order.disclosed_quantity:
            body["disclosedQuantity"] = change.disclosed_quantity
        return self._accepted((yield _write("PUT", _path(order), json=body)))

    def cancel(self, order: Order, session: Session, ctx: Ctx) -> Operation[Accepted]:
        return self._accepted((yield _write("DELETE", _path(order))))

    def convert(
        self, instrument: Instrument, old: Product, new: Product, quantity: int, session: Session, ctx: Ctx
    ) -> Operation[None]:
        body = {
            "dhanClientId": session.secrets["client_id"],
            "fromProductType": PRODUCT_NAMES[old],
            "exchangeSegment": instrument.brexchange,
            "positionType": "LONG" if quantity > 0 else "SHORT",
            "securityId": instrument.token,
            "tradingSymbol": instrument.brsymbol,
            "convertQty": abs(quantity),
            "toProductType": PRODUCT_NAMES[new],
        }
        done = yield _write("POST", "/positions/convert", json=body, reply="text")
        if done.strip():  # HTTP 202 without a body is the answer
            raise Unknown(f"{self.wire.title}: the conversion was answered in an unknown form.")

    def _accepted(self, taken: Any) -> Accepted:
        order_id = "" if taken is EMPTY else self.wire.read(taken, _Taken, "the answer to an order").order_id
        return Accepted(order_id=number(order_id, self.wire.title, "an order"))


def _terms(price_type: PriceType, price: Decimal, trigger_price: Decimal) -> dict[str, Any]:
    terms: dict[str, Any] = {"orderType": PRICE_TYPE_NAMES[price_type]}
    if price_type.has_price:
        terms["price"] = float(price)
    if price_type.has_trigger:
        terms["triggerPrice"] = float(trigger_price)
    return terms


def _write(method: Any, path: str, **more: Any) -> Request:
    return Request(method=method, host="api", path=path, effect="write", lane="orders", **more)


def _path(order: Order) -> str:
    return f"/orders/{quote(order.order_id, safe='')}"
