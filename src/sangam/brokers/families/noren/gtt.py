"""Good-till-triggered orders of one trigger (Noren API docs: GTT). Of an OCO it is told in two ways which of its values
is the upper one, and the wrong one fires at once: it is not offered. Nor is a change of the side from which a trigger
waits, which the broker does not change (Pi docs: Modify GTT order)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from sangam.brokers.contract import Ctx, GttDesk, Operation, Session
from sangam.brokers.rows import Units, moment, number, shaped
from sangam.model.books import Gtt, GttLeg
from sangam.model.enums import PriceType
from sangam.model.errors import Refused
from sangam.model.instrument import Instrument

from .answers import Wire, contract, plain, user
from .tables import CLOCK, GTT_ABOVE, GTT_BELOW, PRICE_TYPES, PRODUCT_CODES, PRODUCTS
from .updates import ACTIONS


class _Row(msgspec.Struct, rename={"brsymbol": "tsym", "brexchange": "exch", "number": "al_id"}, kw_only=True):
    """`d` is the trigger; the terms of the order stand beside it."""

    ai_t: str
    number: int | str
    brsymbol: str
    brexchange: str
    token: str = ""
    trantype: str
    prd: str
    prctyp: str = "LMT"
    qty: Units
    prc: Decimal
    d: Decimal
    norentm: str | None = None

    def __post_init__(self) -> None:
        if self.trantype not in ACTIONS or not (self.prc.is_finite() and self.d.is_finite()):
            raise ValueError("terms that are none")


class _Taken(msgspec.Struct):
    al_id: int | str


class Triggers:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    @property
    def desk(self) -> GttDesk:
        return GttDesk(place=self.place, modify=self.modify, cancel=self.cancel, list=self.all, oco=False)

    def place(
        self, instrument: Instrument, legs: Sequence[GttLeg], last_price: float, session: Session, ctx: Ctx
    ) -> Operation[str]:
        terms = _terms(instrument, legs[0], last_price, session)
        return self._id((yield self.wire.write(session, "PlaceGTTOrder", terms)))

    def modify(
        self,
        trigger_id: str,
        instrument: Instrument,
        legs: Sequence[GttLeg],
        last_price: float,
        session: Session,
        ctx: Ctx,
    ) -> Operation[str]:
        terms = _terms(instrument, legs[0], last_price, session)
        name = (trigger_id, instrument.brexchange, instrument.brsymbol)
        rows = yield from self._waiting(session)
        waits = [row.ai_t for row in rows if (str(row.number), row.brexchange, row.brsymbol) == name]
        if terms["ai_t"] not in waits:
            why = "waits for the price from the other side. Cancel it, and place another." if waits else "is not there."
            raise Refused(f"{self.wire.title}: GTT {trigger_id} of {instrument.symbol} {why}", "INVALID_INPUT").unsent()
        return self._id((yield self.wire.write(session, "ModifyGTTOrder", {"al_id": trigger_id, **terms})))

    def cancel(self, trigger_id: str, session: Session, ctx: Ctx) -> Operation[str]:
        return self._id((yield self.wire.write(session, "CancelGTTOrder", {"al_id": trigger_id})))

    def all(self, session: Session, ctx: Ctx) -> Operation[list[Gtt]]:
        return [self._gtt(row) for row in (yield from self._waiting(session))]

    def _waiting(self, session: Session) -> Operation[list[_Row]]:
        """Those of our products and with one trigger; others we could not modify without changing them."""
        told = yield self.wire.asked(session, "GetPendingGTTOrder")
        if isinstance(told, list):
            told = [
                row
                for row in map(_flat, told)
                if not isinstance(row, dict) or row.get("ai_t") in (GTT_ABOVE, GTT_BELOW)
            ]
        return [row for row in self.wire.rows(told, _Row, "the GTTs") if row.prd in PRODUCTS]

    def _gtt(self, row: _Row) -> Gtt:
        leg = GttLeg(
            trigger=row.d,
            action=ACTIONS[row.trantype],
            quantity=int(row.qty),
            price=row.prc,
            product=PRODUCTS[row.prd],
            price_type=PRICE_TYPES.get(row.prctyp, PriceType.LIMIT),
        )
        return shaped(Gtt, row, trigger_id=str(row.number), legs=(leg,), created_at=max(moment(row.norentm, CLOCK), 0))

    def _id(self, told: Any) -> str:
        """Answered as an object, or as a list of one."""
        row = told[0] if isinstance(told, list) and told else told
        return number(self.wire.read(_lowered(row), _Taken, "the answer to a GTT").al_id, self.wire.title, "a GTT")


def _terms(instrument: Instrument, leg: GttLeg, last_price: float, session: Session) -> dict[str, str]:
    return {
        "actid": user(session),
        **contract(instrument),
        "ai_t": GTT_ABOVE if leg.trigger > Decimal(str(last_price)) else GTT_BELOW,
        "validity": "GTT",
        "d": f"{leg.trigger:f}",
        "trantype": leg.action.value[0],
        "prctyp": "LMT",
        "prd": PRODUCT_CODES[leg.product],
        "ret": "DAY",
        "qty": str(leg.quantity),
        "prc": f"{leg.price:f}",
        "dscqty": "0",
        "remarks": "GTT",
    }


def _flat(row: Any) -> Any:
    """A trigger that is not told as `d` is the only variable, and terms may stand in an object of their own."""
    row = _lowered(row)
    if not isinstance(row, dict):
        return row
    variables = row.get("oivariable")
    first = variables[0] if isinstance(variables, list) and variables else None
    inner = (first, _lowered(row.get("place_order_params")), row)
    return {name: value for each in inner if isinstance(each, dict) for name, value in plain(each).items()}


def _lowered(row: Any) -> Any:
    """Names are spelled as the broker likes: ``Al_id``, ``Token``, ``Qty``."""
    return {name.casefold(): value for name, value in row.items()} if isinstance(row, dict) else row
