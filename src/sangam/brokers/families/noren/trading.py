"""Orders (Noren API docs: Place order; Modify order; Cancel order; Product conversion). Every value is sent as text;
quantities are units of the master's lot. Orders at the market are refused from programs, so the house protects them."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import msgspec

from sangam.brokers.contract import Ctx, Operation, Session, Trading
from sangam.brokers.rows import number
from sangam.brokers.trading import carried_over
from sangam.model.enums import Action, PriceType, Product
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, Validity

from .answers import Wire, contract, user
from .books import Books
from .gtt import Triggers
from .tables import ORDER_TYPES, PRODUCT_CODES, PRODUCTS_OF, TAG
from .updates import POSTBACK


class _Taken(msgspec.Struct):
    """A new order is named by `norenordno`, one that was changed or cancelled by `result`."""

    norenordno: int | str = ""
    result: int | str = ""


class _Security(msgspec.Struct):
    ti: Decimal

    def __post_init__(self) -> None:
        if not (self.ti.is_finite() and self.ti > 0):
            raise ValueError("no tick size")


class Desk:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.books = Books(wire)

    def trading(self) -> Trading:
        lacks, books = self.wire.member.lacks, self.books
        return Trading(
            place=self.place,
            modify=self.modify,
            cancel=self.cancel,
            orders=books.orders,
            trades=books.trades,
            positions=books.positions,
            holdings=books.holdings,
            funds=books.funds,
            tag=TAG,
            margin=None if "order margin" in lacks else books.margin,
            convert=None if "conversion" in lacks else self.convert,
            gtt=None if "GTT" in lacks else Triggers(self.wire).desk,
            postback=POSTBACK if self.wire.member.webhook else None,
            market="limit",
            products={
                exchange: PRODUCTS_OF[exchange] for exchange in self.wire.member.exchanges if exchange in PRODUCTS_OF
            },
        )

    def place(self, order: Order, instrument: Instrument, session: Session, ctx: Ctx) -> Operation[Accepted]:
        """An order number means that the OMS took the order; its risk checks and the exchange tell theirs as news."""
        own = (yield from self._on_tick(order.price, order.action, instrument, session)) if order.sent_price else None
        form = {
            "actid": user(session),
            **contract(instrument),
            **_terms(order.price_type, own or order.price, order.trigger_price, order.quantity, order.validity),
            "dscqty": str(order.disclosed_quantity),
            "prd": PRODUCT_CODES[order.product],
            "trantype": order.action.value[0],
            "remarks": TAG.text(order),
            "ordersource": "API",
        }
        return self._accepted((yield self.wire.write(session, "PlaceOrder", form)), own)

    def _on_tick(self, price: Decimal, action: Action, instrument: Instrument, session: Session) -> Operation[Decimal]:
        """Where the files tell no ticks, a protected price (the house's own) is brought to the true one, and never
        beyond its protection."""
        if not self.wire.member.ticks:
            return price
        named = {"exch": instrument.brexchange, "token": instrument.token}
        told = yield self.wire.asked(session, "GetSecurityInfo", named)
        tick = self.wire.read(told, _Security, "the tick size").ti
        way = ROUND_FLOOR if action is Action.BUY else ROUND_CEILING
        return (price / tick).to_integral_value(way) * tick

    def modify(
        self, order: Order, change: Change, instrument: Instrument, session: Session, ctx: Ctx
    ) -> Operation[Accepted]:
        """The quantity is that of the whole order, what is filled included."""
        own = (yield from self._on_tick(change.price, order.action, instrument, session)) if change.protected else None
        form = {
            "norenordno": order.order_id,
            **contract(instrument),
            **_terms(change.price_type, own or change.price, change.trigger_price, change.quantity, change.validity),
            "dscqty": str(change.disclosed_quantity),
        }
        return self._accepted((yield self.wire.write(session, "ModifyOrder", form)), own, order)

    def cancel(self, order: Order, session: Session, ctx: Ctx) -> Operation[Accepted]:
        return self._accepted(
            (yield self.wire.write(session, "CancelOrder", {"norenordno": order.order_id})), None, order
        )

    def convert(
        self, instrument: Instrument, old: Product, new: Product, quantity: int, session: Session, ctx: Ctx
    ) -> Operation[None]:
        """Today's part of a position is converted by another word than the one carried over."""
        name = (instrument.brexchange, instrument.brsymbol, PRODUCT_CODES[old])
        rows = yield from self.books.position_rows(session)
        held = [row for row in rows if (row.brexchange, row.brsymbol, row.product) == name]
        today, all_in_all = sum(row.today for row in held), sum(int(row.quantity) for row in held)
        over = carried_over(self.wire.title, instrument.symbol, today, all_in_all - today, quantity)
        form = {
            "actid": user(session),
            **contract(instrument),
            "qty": str(abs(quantity)),
            "prd": PRODUCT_CODES[new],
            "prevprd": PRODUCT_CODES[old],
            "trantype": Action.of(quantity).value[0],
            "postype": "CF" if over else "Day",
            "ordersource": "API",
        }
        yield self.wire.write(session, "ProductConversion", form)

    def _accepted(self, told: Any, own: Decimal | None, standing: Order | None = None) -> Accepted:
        """An order that stands keeps its number, whatever words the answer has for it."""
        taken = self.wire.read(told, _Taken, "the answer to an order")
        named = number(taken.norenordno or taken.result, self.wire.title, "an order")
        return Accepted(order_id=named if standing is None else standing.order_id, price=own)


def _terms(
    price_type: PriceType, price: Decimal, trigger_price: Decimal, quantity: int, validity: Validity
) -> dict[str, str]:
    """A trigger is told of stops alone: another order that has one is refused."""
    terms = {
        "qty": str(quantity),
        "prc": f"{price:f}" if price_type.has_price else "0",
        "prctyp": ORDER_TYPES[price_type],
        "ret": validity.value,
    }
    return terms | ({"trgprc": f"{trigger_price:f}"} if price_type.has_trigger else {})
