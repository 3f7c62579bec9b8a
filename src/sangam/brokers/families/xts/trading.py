"""Orders (documents: Place, Modify and Cancel order; Position conversion). A taken order may still be rejected by the
risk checks: that is told by the book and the socket."""

from decimal import Decimal
from typing import Any, Literal

import msgspec

from sangam.brokers.contract import Ctx, Operation, Request, Session, Trading
from sangam.brokers.rows import number
from sangam.model.enums import Product
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order

from .books import Books
from .login import dealt
from .member import Member
from .tables import ORDER_TYPES, PRODUCTS_OF, TAG


class _Taken(msgspec.Struct, rename={"order_id": "AppOrderID"}):
    order_id: int | str


class Desk(Books):
    """Orders and books of one broker."""

    def trading(self, member: Member) -> Trading:
        return Trading(
            place=self._place,
            modify=self._modify,
            cancel=self._cancel,
            orders=self.orders,
            trades=self.trades,
            positions=self.positions,
            holdings=self.holdings,
            funds=self.funds,
            margin=self.margin if member.margin else None,
            convert=self._convert,
            tag=TAG,
            products={code: products for code, products in PRODUCTS_OF.items() if code in member.exchanges},
        )

    def _place(self, order: Order, instrument: Instrument, session: Session, ctx: Ctx) -> Operation[Accepted]:
        tag = TAG.text(order)
        form = {
            **_named(instrument),
            "productType": order.product.value,
            "orderType": ORDER_TYPES[order.price_type],
            "orderSide": order.action.value,
            "timeInForce": order.validity.value,
            "disclosedQuantity": order.disclosed_quantity,
            "orderQuantity": order.quantity,
            "limitPrice": _price(order.price_type.has_price, order.price),
            "stopPrice": _price(order.price_type.has_trigger, order.trigger_price),
            "orderUniqueIdentifier": tag,
            "apiOrderSource": "",
        }
        return self._accepted((yield _write("POST", form | dealt(session))), tag)

    def _modify(
        self, order: Order, change: Change, instrument: Instrument, session: Session, ctx: Ctx
    ) -> Operation[Accepted]:
        """Every term is told, changed or not; an order of another product than ours keeps it."""
        tag = _identifier(order)
        form = {
            "appOrderID": int(order.order_id),
            "modifiedProductType": order.native.get("product") or order.product.value,
            "modifiedOrderType": ORDER_TYPES[change.price_type],
            "modifiedOrderQuantity": change.quantity,
            "modifiedDisclosedQuantity": change.disclosed_quantity,
            "modifiedLimitPrice": _price(change.price_type.has_price, change.price),
            "modifiedStopPrice": _price(change.price_type.has_trigger, change.trigger_price),
            "modifiedTimeInForce": change.validity.value,
            "orderUniqueIdentifier": tag,
        }
        return self._accepted((yield _write("PUT", form | dealt(session))), tag)

    def _cancel(self, order: Order, session: Session, ctx: Ctx) -> Operation[Accepted]:
        tag = _identifier(order)
        query = {"appOrderID": order.order_id, "orderUniqueIdentifier": tag, **dealt(session)}
        request = Request(method="DELETE", host="api", path="/orders", query=query, effect="write", lane="orders")
        return self._accepted((yield request), tag)

    def _convert(
        self, instrument: Instrument, old: Product, new: Product, quantity: int, session: Session, ctx: Ctx
    ) -> Operation[None]:
        form = {
            **_named(instrument),
            "targetQty": abs(quantity),
            "isDayWise": False,
            "oldProductType": old.value,
            "newProductType": new.value,
        }
        yield _write("PUT", form | dealt(session), "/portfolio/positions/convert")

    def _accepted(self, told: Any, tag: str) -> Accepted:
        taken = self.wire.read(told, _Taken, "the answer to an order")
        return Accepted(order_id=number(taken.order_id, self.wire.title, "an order"), native={"identifier": tag})


def _write(method: Literal["POST", "PUT"], form: dict[str, Any], path: str = "/orders") -> Request:
    return Request(method=method, host="api", path=path, json=form, effect="write", lane="orders")


def _named(instrument: Instrument) -> dict[str, Any]:
    return {"exchangeSegment": instrument.brexchange, "exchangeInstrumentID": int(instrument.token)}


def _price(told: bool, price: Decimal) -> float:
    """Rupees; what is unused is 0."""
    return float(price) if told else 0.0


def _identifier(order: Order) -> str:
    """What the order bears at the broker, which is nothing of ours where it was placed elsewhere."""
    bears = order.native.get("identifier")
    return TAG.text(order) if bears is None else bears
