"""Forever orders: one trigger, or two of which the first cancels the other (documents: Forever Order)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec

from sangam.brokers.contract import Ctx, GttDesk, Operation, Request, Session
from sangam.model.books import Gtt, GttLeg
from sangam.model.enums import Action, PriceType, Product
from sangam.model.errors import Refused, Unknown
from sangam.model.instrument import Instrument

from ...rows import number
from .answers import Wire
from .books import asked
from .tables import NEAREST, PRICE_TYPE_NAMES, PRODUCT_NAMES, PRODUCTS

PATH = "/forever/orders"
SINGLE_LEG = "TARGET_LEG"
"""The name of a single trigger's leg in a change; the rows of an OCO tell theirs."""

STATUSES = {
    "TRADED": "triggered",
    "TRIGGERED": "triggered",
    "CANCELLED": "cancelled",
    "EXPIRED": "expired",
    "REJECTED": "rejected",
}
"""Every other status (TRANSIT, PENDING, CONFIRM) is that of an active one."""


class _Row(msgspec.Struct, rename="camel"):
    """One leg; `orderType` is SINGLE or OCO, and what it will release is not told."""

    order_id: str
    order_status: str
    transaction_type: Action
    exchange_segment: str
    security_id: str
    product_type: str
    quantity: int
    price: Decimal
    trigger_price: Decimal
    leg_name: str = SINGLE_LEG
    create_time: str | None = None
    update_time: str | None = None

    def __post_init__(self) -> None:
        if not (self.price.is_finite() and self.trigger_price.is_finite()):
            raise ValueError("a price that is none")


class _Taken(msgspec.Struct, rename="camel"):
    order_id: str


class Forever:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    @property
    def desk(self) -> GttDesk:
        return GttDesk(place=self.place, modify=self.modify, cancel=self.cancel, list=self.all)

    def place(
        self, instrument: Instrument, legs: Sequence[GttLeg], last_price: float, session: Session, ctx: Ctx
    ) -> Operation[str]:
        """Of an OCO the fields that end in 1 are the target's: the upper trigger of a sale, the lower one of a
        purchase."""
        if len({(leg.action, leg.product) for leg in legs}) > 1:
            raise Refused(f"{self.wire.title}: both legs must have one side and one product.", "INVALID_INPUT").unsent()
        first, *target = legs if legs[0].action is Action.SELL else reversed(legs)
        body = {
            "dhanClientId": session.secrets["client_id"],
            "orderFlag": _flag(legs),
            "transactionType": first.action.value,
            "exchangeSegment": instrument.brexchange,
            "productType": PRODUCT_NAMES[first.product],
            "securityId": instrument.token,
            **_terms(first),
        }
        for leg in target:
            body |= {"price1": float(leg.price), "triggerPrice1": float(leg.trigger), "quantity1": leg.quantity}
        taken = yield Request(method="POST", host="api", path=PATH, json=body, effect="write", lane="orders")
        return self._id(taken)

    def modify(
        self,
        trigger_id: str,
        instrument: Instrument,
        legs: Sequence[GttLeg],
        last_price: float,
        session: Session,
        ctx: Ctx,
    ) -> Operation[str]:
        """Dhan changes one leg at a time, so the list says which one is another; two would be two writes."""
        rows = sorted((yield from self._rows()), key=lambda row: row.trigger_price)
        stand = [row for row in rows if row.order_id == trigger_id]
        changed = [(row, leg) for row, leg in zip(stand, legs, strict=False) if _leg(row) != leg]
        if len(stand) != len(legs) or len(changed) > 1:
            raise Refused(
                f"{self.wire.title} changes one leg of a trigger at a time, and trigger {trigger_id} has {len(stand)} "
                f"of which {len(changed)} would change.",
                "INVALID_INPUT",
            ).unsent()
        row, leg = changed[0] if changed else (stand[0], legs[0])
        body = {
            "dhanClientId": session.secrets["client_id"],
            "orderId": trigger_id,
            "orderFlag": _flag(legs),
            "legName": SINGLE_LEG if len(legs) == 1 else row.leg_name,
            **_terms(leg),
        }
        path = f"{PATH}/{quote(trigger_id, safe='')}"
        taken = yield Request(method="PUT", host="api", path=path, json=body, effect="write", lane="orders")
        return self._id(taken)

    def cancel(self, trigger_id: str, session: Session, ctx: Ctx) -> Operation[str]:
        path = f"{PATH}/{quote(trigger_id, safe='')}"
        taken = yield Request(method="DELETE", host="api", path=path, effect="write", lane="orders")
        return self._id(taken)

    def all(self, session: Session, ctx: Ctx) -> Operation[list[Gtt]]:
        """Triggers of our products; one that releases MTF could not be modified by us without changing its product."""
        rows = yield from self._rows()
        return _gtts(rows, self.wire)

    def _rows(self) -> Operation[list[_Row]]:
        data = yield asked(PATH)
        return self.wire.rows(data, _Row, "the forever orders")

    def _id(self, taken: Any) -> str:
        told = self.wire.read(taken, _Taken, "the answer to a forever order")
        return number(told.order_id, self.wire.title, "a forever order")


def _flag(legs: Sequence[GttLeg]) -> str:
    return "SINGLE" if len(legs) == 1 else "OCO"


def _terms(leg: GttLeg) -> dict[str, Any]:
    return {
        "orderType": PRICE_TYPE_NAMES[leg.price_type],
        "validity": "DAY",
        "quantity": leg.quantity,
        "price": float(leg.price),
        "triggerPrice": float(leg.trigger),
    }


def _leg(row: _Row) -> GttLeg:
    """What a trigger releases is a limit order: only such ones are made by us."""
    return GttLeg(
        trigger=row.trigger_price,
        action=row.transaction_type,
        quantity=row.quantity,
        price=row.price,
        price_type=PriceType.LIMIT,
        product=NEAREST.get(row.product_type, Product.CNC),
    )


def _gtts(rows: Sequence[_Row], wire: Wire) -> list[Gtt]:
    """The legs of one trigger are rows of one order id."""
    found: dict[str, list[_Row]] = {}
    for row in rows:
        if row.product_type in PRODUCTS:
            found.setdefault(row.order_id, []).append(row)
    return [_gtt(legs, wire) for legs in found.values()]


def _gtt(rows: Sequence[_Row], wire: Wire) -> Gtt:
    first = rows[0]
    if len(rows) > 2:
        raise Unknown(f"{wire.title}: forever order {first.order_id} has {len(rows)} legs.")
    states = [STATUSES.get(row.order_status, "active") for row in rows]
    return Gtt(
        trigger_id=first.order_id,
        brsymbol="",
        brexchange=first.exchange_segment,
        token=first.security_id,
        legs=tuple(_leg(row) for row in sorted(rows, key=lambda row: row.trigger_price)),
        status="triggered" if "triggered" in states else states[0],
        created_at=wire.moment(first.create_time),
        updated_at=max(wire.moment(row.update_time) for row in rows),
    )
