"""Good-till-triggered orders: one trigger, or two of which the first cancels the other (documentation: GTT Orders)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from sangam.brokers.contract import Ctx, GttDesk, Operation, Session
from sangam.model.books import Gtt, GttLeg
from sangam.model.enums import Action, Product
from sangam.model.errors import Refused
from sangam.model.instrument import Instrument

from .answers import read, write
from .books import API, asked
from .tables import GTT_STATUSES, PRODUCT_OF, PRODUCTS, SIDE_OF, SIDES, TITLE
from .updates import segment

PATH = f"{API}/gtt/orders/sync"
OCO = 2


class _Row(msgspec.Struct):
    id: str
    symbol: str
    tran_side: int
    product_type: str
    ord_status: int
    qty: int
    price_limit: Decimal
    price_trigger: Decimal
    gtt_oco_ind: int
    qty2: int = 0
    price2_limit: Decimal = Decimal(0)
    price2_trigger: Decimal = Decimal(0)
    fy_token: str | int = ""
    create_time_epoch: int = 0
    ltp: float = 0.0

    def __post_init__(self) -> None:
        prices = (self.price_limit, self.price_trigger, self.price2_limit, self.price2_trigger)
        if not all(price.is_finite() for price in prices):
            raise ValueError(f"trigger {self.id} has a price that is none")


def _info(legs: Sequence[GttLeg]) -> dict[str, dict[str, Any]]:
    """Of two legs the first is the one above the market, so ours come in the other order."""
    return {
        f"leg{number}": {"price": float(leg.price), "triggerPrice": float(leg.trigger), "qty": leg.quantity}
        for number, leg in enumerate(reversed(legs), 1)
    }


def _place(
    instrument: Instrument, legs: Sequence[GttLeg], last_price: float, session: Session, ctx: Ctx
) -> Operation[str]:
    if len(set(_terms(legs))) != 1:
        raise Refused("Fyers: both legs of a GTT have one side and one product.", "INVALID_INPUT").unsent()
    body = {
        "side": SIDE_OF[legs[0].action],
        "symbol": instrument.brsymbol,
        "productType": PRODUCT_OF[legs[0].product],
        "orderInfo": _info(legs),
    }
    return (yield from write("POST", PATH, body))


def _modify(
    trigger_id: str, instrument: Instrument, legs: Sequence[GttLeg], last_price: float, session: Session, ctx: Ctx
) -> Operation[str]:
    """A change names neither instrument nor side nor product, so the triggers are read first: another one would not
    become what is asked."""
    stands = yield from _list(session, ctx)
    known = [(one.brsymbol, _terms(one.legs)) for one in stands if one.trigger_id == trigger_id]
    if known != [(instrument.brsymbol, _terms(legs))]:
        raise Refused(
            f"{TITLE}: instrument, side, product and number of legs of {trigger_id} cannot be changed, or it is none "
            "of ours. Cancel it and place another.",
            "INVALID_INPUT",
        ).unsent()
    return (yield from write("PATCH", PATH, {"id": trigger_id, "orderInfo": _info(legs)}))


def _terms(legs: Sequence[GttLeg]) -> list[tuple[Action, Product]]:
    return [(leg.action, leg.product) for leg in legs]


def _cancel(trigger_id: str, session: Session, ctx: Ctx) -> Operation[str]:
    return (yield from write("DELETE", PATH, {"id": trigger_id}))


def _list(session: Session, ctx: Ctx) -> Operation[list[Gtt]]:
    """Triggers of our products; one that releases MTF could not be placed again by us."""
    answer = yield asked("/gtt/orders")
    rows = read(answer.get("orderBook"), list[_Row], "the GTTs")
    return [_gtt(row) for row in rows if row.product_type in PRODUCTS and row.tran_side in SIDES]


def _gtt(row: _Row) -> Gtt:
    told = [(row.price_trigger, row.price_limit, row.qty)]
    if row.gtt_oco_ind == OCO:
        told.append((row.price2_trigger, row.price2_limit, row.qty2))
    action, product = SIDES[row.tran_side], PRODUCTS[row.product_type]
    return Gtt(
        trigger_id=row.id,
        brsymbol=row.symbol,
        brexchange=segment(row.fy_token),
        legs=tuple(
            GttLeg(trigger=trigger, action=action, quantity=quantity, price=price, product=product)
            for trigger, price, quantity in sorted(told)
        ),
        status=GTT_STATUSES.get(row.ord_status, "active"),
        last_price=row.ltp,
        created_at=row.create_time_epoch * 1000,
    )


GTT = GttDesk(place=_place, modify=_modify, cancel=_cancel, list=_list)
