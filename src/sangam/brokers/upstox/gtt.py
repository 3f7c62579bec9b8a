"""Good-till-triggered orders (Upstox docs: GTT orders): one rule, ENTRY. What it releases is a LIMIT order around the
trigger, within a protection that Upstox chooses (community.upstox.com, 11285), so a leg can only be MARKET. MULTIPLE is
no OCO: its target and stop follow an entry."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from sangam.brokers.contract import Ctx, GttDesk, Operation, Session
from sangam.brokers.rows import shaped
from sangam.model.books import Gtt, GttLeg
from sangam.model.enums import Action, PriceType
from sangam.model.errors import Refused, Unknown
from sangam.model.instrument import Instrument

from .answers import NAMES, Named, number, read, write
from .books import asked
from .tables import CODES, product

PATH = "/v3/order/gtt"

_STATUSES = {
    "SCHEDULED": "active",
    "PENDING": "active",
    "INACTIVE": "disabled",
    "TRIGGERED": "triggered",
    "OPEN": "triggered",
    "COMPLETED": "triggered",
    "EXPIRED": "expired",
    "CANCELLED": "cancelled",
    "FAILED": "rejected",
}


class _Rule(msgspec.Struct, rename=NAMES):
    status: str
    trigger_price: Decimal
    action: Action


class _Row(Named, kw_only=True, rename=NAMES | {"trigger_id": "gtt_order_id"}):
    """Times are microseconds."""

    trigger_id: str
    quantity: int
    product: str
    rules: list[_Rule]
    created_at: int = 0
    expires_at: int = 0


def _form(leg: GttLeg, last_price: float) -> dict[str, Any]:
    side = "ABOVE" if float(leg.trigger) > last_price else "BELOW"
    rule = {
        "strategy": "ENTRY",
        "trigger_type": side,
        "trigger_price": float(leg.trigger),
        "market_protection": -1,
    }
    return {"type": "SINGLE", "quantity": leg.quantity, "rules": [rule]}


def _place(
    instrument: Instrument, legs: Sequence[GttLeg], last_price: float, session: Session, ctx: Ctx
) -> Operation[str]:
    (leg,) = legs
    more = {
        "product": CODES[leg.product],
        "instrument_token": instrument.token,
        "transaction_type": leg.action.value,
    }
    return number((yield write("POST", f"{PATH}/place", json=_form(leg, last_price) | more)))


def _modify(
    trigger_id: str, instrument: Instrument, legs: Sequence[GttLeg], last_price: float, session: Session, ctx: Ctx
) -> Operation[str]:
    """A change names neither side nor product, so the trigger is read first: another one would not become what is
    asked."""
    (leg,) = legs
    data = yield asked(PATH, gtt_order_id=trigger_id)
    stands = [(one.token, one.legs[0].action, one.legs[0].product) for one in _triggers(data)]
    if stands != [(instrument.token, leg.action, leg.product)]:
        raise Refused(
            f"Upstox: instrument, side and product of {trigger_id} cannot be changed, or it is none of one rule. "
            "Cancel it and place another.",
            "INVALID_INPUT",
        ).unsent()
    return number((yield write("PUT", f"{PATH}/modify", json=_form(leg, last_price) | {"gtt_order_id": trigger_id})))


def _cancel(trigger_id: str, session: Session, ctx: Ctx) -> Operation[str]:
    return number((yield write("DELETE", f"{PATH}/cancel", json={"gtt_order_id": trigger_id})))


def _list(session: Session, ctx: Ctx) -> Operation[list[Gtt]]:
    data = yield asked(PATH)
    return _triggers(data)


def _triggers(data: Any) -> list[Gtt]:
    """Triggers of one rule and of our products: others could not be shown as what they are."""
    found = []
    for row in read(data, list[_Row], "the GTTs"):
        ours = product(row.product, row.brexchange)
        if ours is None or len(row.rules) != 1:
            continue
        (rule,) = row.rules
        if (status := _STATUSES.get(rule.status)) is None:
            raise Unknown(f"Upstox: GTT {row.trigger_id} is in a state that is not known: {rule.status}")
        leg = GttLeg(
            trigger=rule.trigger_price,
            action=rule.action,
            quantity=row.quantity,
            price=Decimal(0),
            price_type=PriceType.MARKET,
            product=ours,
        )
        created, expires = row.created_at // 1000, row.expires_at // 1000
        found.append(shaped(Gtt, row, legs=(leg,), status=status, created_at=created, expires_at=expires))
    return found


GTT = GttDesk(
    place=_place, modify=_modify, cancel=_cancel, list=_list, oco=False, price_types=frozenset({PriceType.MARKET})
)
