"""Orders (documents: Orders). Quantities go out as they come: shares, units of the contract, or lots of MCX."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from sangam.brokers.contract import Ctx, Operation, Request, Session, Tag, Trading
from sangam.brokers.rows import number
from sangam.model.enums import PriceType
from sangam.model.errors import Refused
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, Validity

from .books import ORDERS, Books
from .tables import LEGGED, PRICE_TYPE_NAMES, PRODUCTS_OF


class _Taken(msgspec.Struct):
    """A change may be answered with a list of one number, with a blank before it (Master Trust documents: Modify)."""

    oms_order_id: str | int | list[str]


class Desk(Books):
    """Everything that an account can do; `trading` is its table."""

    def trading(self) -> Trading:
        member = self.member
        return Trading(
            place=self.place,
            modify=self.modify,
            cancel=self.cancel,
            orders=self.orders,
            trades=self.trades,
            positions=self.positions,
            holdings=self.holdings,
            funds=self.funds,
            tag=self.tag,
            market=member.market,
            products={exchange: PRODUCTS_OF[exchange] for exchange in member.trades},
        )

    @property
    def tag(self) -> Tag:
        return Tag("int", 9) if self.member.echoes else Tag()

    def place(self, order: Order, instrument: Instrument, session: Session, ctx: Ctx) -> Operation[Accepted]:
        """A number means that the order was taken; risk checks and exchange tell theirs as news."""
        body = {
            **self._terms(order, order.price_type, order.price, order.trigger_price, order.validity, session),
            "exchange": instrument.brexchange,
            "instrument_token": instrument.token,
            "order_side": order.action.value,
            "quantity": order.quantity,
            "disclosed_quantity": order.disclosed_quantity,
            # Without a number that comes back one is sent nevertheless: every sample has one.
            "user_order_id": int(self.tag.text(order)) if self.tag.length else _any_number(order),
            **self.member.order_terms,
        }
        return self._accepted((yield _write("POST", ORDERS, json=body)))

    def modify(
        self, order: Order, change: Change, instrument: Instrument, session: Session, ctx: Ctx
    ) -> Operation[Accepted]:
        """`quantity` is the order's total. Where a change must repeat what the book says of the order, the book is read
        first; of an order that is not in it nothing can be repeated, and the broker says what it thinks of that."""
        self._plain(order)
        facts: Mapping[str, Any] = {}
        if self.member.change_terms:
            rows = yield from self._rows(session, "pending")
            row = next((row for row in rows if str(row.order_id).strip() == order.order_id), None)
            told = msgspec.to_builtins(row) if row is not None else {}
            facts = {name: _whole(told[name]) for name in self.member.change_terms if told.get(name) is not None}
        body = {
            **self._terms(order, change.price_type, change.price, change.trigger_price, change.validity, session),
            "exchange": instrument.brexchange,
            "instrument_token": int(instrument.token),
            "order_side": order.action.value,
            "quantity": change.quantity,
            "disclosed_quantity": change.disclosed_quantity,
            "oms_order_id": order.order_id,
            **facts,
        }
        return self._accepted((yield _write("PUT", ORDERS, json=body)))

    def cancel(self, order: Order, session: Session, ctx: Ctx) -> Operation[Accepted]:
        self._plain(order)
        query = {"client_id": self.client(session)}
        if execution := order.native.get("execution_type") or self.member.order_terms.get("execution_type"):
            query["execution_type"] = str(execution)
        path = f"{ORDERS}/{quote(order.order_id, safe='')}"
        return self._accepted((yield _write("DELETE", path, query=query)))

    def _terms(
        self,
        order: Order,
        price_type: PriceType,
        price: Decimal,
        trigger_price: Decimal,
        validity: Validity,
        session: Session,
    ) -> dict[str, Any]:
        """Unused prices are 0."""
        return {
            "client_id": self.client(session),
            "product": order.product.value,
            "order_type": PRICE_TYPE_NAMES[price_type],
            "price": float(price) if price_type.has_price else 0,
            "trigger_price": float(trigger_price) if price_type.has_trigger else 0,
            "validity": validity.value,
        }

    def _plain(self, order: Order) -> None:
        """Orders with legs have calls of their own, which are not offered. Raises Refused."""
        if LEGGED & {order.native.get("product"), order.native.get("execution_type")}:
            text = f"{self.title}: a cover or bracket order is changed on the broker's own pages."
            raise Refused(text, "INVALID_ORDER").unsent()

    def _accepted(self, data: Any) -> Accepted:
        told = self.read(data, _Taken, "the answer to an order").oms_order_id
        one = (told[0] if len(told) == 1 else "") if isinstance(told, list) else told
        return Accepted(order_id=number(str(one).strip(), self.title, "an order"))


def _whole(fact: Any) -> Any:
    return int(fact) if isinstance(fact, float) else fact


def _any_number(order: Order) -> int:
    """Nine digits that follow from the order's own name."""
    return int(order.our_tag or "0", 36) % 10**9


def _write(method: Literal["POST", "PUT", "DELETE"], path: str, **more: Any) -> Request:
    return Request(method=method, host="api", path=path, effect="write", lane="orders", **more)
