"""Good-till-triggered orders: one trigger, or two of which the first cancels the other (Kite docs: GTT)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec

from sangam.brokers.contract import Ctx, GttDesk, Operation, Request, Session
from sangam.brokers.rows import milliseconds, shaped
from sangam.model.books import Gtt, GttLeg
from sangam.model.enums import Action, PriceType
from sangam.model.errors import Unknown
from sangam.model.instrument import Instrument

from .answers import read
from .books import asked
from .tables import PRODUCTS
from .updates import NAMES

PATH = "/gtt/triggers"


class _Condition(msgspec.Struct):
    exchange: str
    tradingsymbol: str
    trigger_values: list[Decimal]
    last_price: float = 0.0


class _Leg(msgspec.Struct, rename=NAMES):
    action: Action
    quantity: int
    price_type: PriceType
    product: str
    price: Decimal


class _Trigger(msgspec.Struct):
    id: int
    status: str
    condition: _Condition
    orders: list[_Leg]
    created_at: str | None = None
    updated_at: str | None = None
    expires_at: str | None = None


class _Taken(msgspec.Struct):
    trigger_id: int


def _form(instrument: Instrument, legs: Sequence[GttLeg], last_price: float) -> dict[str, str]:
    name: dict[str, Any] = {"exchange": instrument.brexchange, "tradingsymbol": instrument.brsymbol}
    condition = name | {"trigger_values": [float(leg.trigger) for leg in legs], "last_price": last_price}
    orders = [
        name
        | {
            "transaction_type": leg.action.value,
            "quantity": leg.quantity,
            "order_type": leg.price_type.value,
            "product": leg.product.value,
            "price": float(leg.price),
        }
        for leg in legs
    ]
    return {
        "type": "single" if len(legs) == 1 else "two-leg",
        "condition": msgspec.json.encode(condition).decode(),
        "orders": msgspec.json.encode(orders).decode(),
    }


def _place(
    instrument: Instrument, legs: Sequence[GttLeg], last_price: float, session: Session, ctx: Ctx
) -> Operation[str]:
    form = _form(instrument, legs, last_price)
    taken = yield Request(method="POST", host="api", path=PATH, form=form, effect="write", lane="orders")
    return _id(taken)


def _modify(
    trigger_id: str, instrument: Instrument, legs: Sequence[GttLeg], last_price: float, session: Session, ctx: Ctx
) -> Operation[str]:
    form = _form(instrument, legs, last_price)
    taken = yield Request(method="PUT", host="api", path=_path(trigger_id), form=form, effect="write", lane="orders")
    return _id(taken)


def _cancel(trigger_id: str, session: Session, ctx: Ctx) -> Operation[str]:
    taken = yield Request(method="DELETE", host="api", path=_path(trigger_id), effect="write", lane="orders")
    return _id(taken)


def _list(session: Session, ctx: Ctx) -> Operation[list[Gtt]]:
    """Triggers of our products; one that releases MTF could not be modified by us without changing its product."""
    data = yield asked(PATH)
    triggers = read(data, list[_Trigger], "the GTTs")
    return [_gtt(each) for each in triggers if all(leg.product in PRODUCTS for leg in each.orders)]


def _gtt(trigger: _Trigger) -> Gtt:
    condition = trigger.condition
    if not trigger.orders or len(condition.trigger_values) != len(trigger.orders):
        raise Unknown(f"Zerodha: GTT {trigger.id} has not one order for each trigger.")
    return Gtt(
        trigger_id=str(trigger.id),
        brsymbol=condition.tradingsymbol,
        brexchange=condition.exchange,
        legs=tuple(
            shaped(GttLeg, leg, trigger=value, product=PRODUCTS[leg.product])
            for value, leg in zip(condition.trigger_values, trigger.orders, strict=True)
        ),
        status=trigger.status,
        last_price=condition.last_price,
        created_at=milliseconds(trigger.created_at),
        updated_at=milliseconds(trigger.updated_at),
        expires_at=milliseconds(trigger.expires_at),
    )


def _path(trigger_id: str) -> str:
    return f"{PATH}/{quote(trigger_id, safe='')}"


def _id(taken: Any) -> str:
    return str(read(taken, _Taken, "the answer to a GTT").trigger_id)


GTT = GttDesk(place=_place, modify=_modify, cancel=_cancel, list=_list)
