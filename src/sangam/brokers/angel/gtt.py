"""GTT rules: one trigger each, for shares of NSE and BSE that are delivered (SmartAPI docs: GTT)."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec

from sangam.brokers.contract import Ctx, GttDesk, Operation, Request, Session
from sangam.brokers.rows import milliseconds, number, shaped
from sangam.model.books import Gtt, GttLeg
from sangam.model.enums import Action, Exchange, Product
from sangam.model.errors import Refused, Unknown
from sangam.model.instrument import Instrument

from .answers import book, read
from .tables import GTT_PAGE, GTT_STATUSES, PRODUCT_TYPES, PRODUCTS, TITLE
from .updates import NAMES

PATH = "/rest/secure/angelbroking/gtt/v1"
LISTED = ("NEW", "ACTIVE", "SENTTOEXCHANGE")
"""Asking for CANCELLED fails with AB1004 where there are many (forum, topic 4253)."""


class _Rule(msgspec.Struct, rename=NAMES | {"quantity": "qty", "trigger": "triggerprice", "token": "symboltoken"}):
    id: int | str
    status: str
    brsymbol: str
    brexchange: str
    token: str
    action: Action
    product: str
    price: Decimal
    quantity: int
    trigger: Decimal
    createddate: str | None = None
    updateddate: str | None = None
    expirydate: str | None = None


class _Fixed(msgspec.Struct):
    """What of a rule stays as it is."""

    symboltoken: str
    exchange: str
    transactiontype: Action
    producttype: str


class _Taken(msgspec.Struct):
    id: int | str


def _terms(instrument: Instrument, legs: Sequence[GttLeg]) -> dict[str, str]:
    (leg,) = legs
    if instrument.exchange not in (Exchange.NSE, Exchange.BSE) or leg.product is not Product.CNC:
        raise Refused(
            f"{TITLE} takes GTT rules for CNC on NSE and BSE alone. Nothing was sent.", "INVALID_ORDER"
        ).unsent()
    return {
        "symboltoken": instrument.token,
        "exchange": instrument.brexchange,
        "price": f"{leg.price:f}",
        "qty": str(leg.quantity),
        "triggerprice": f"{leg.trigger:f}",
        "disclosedqty": "0",
        "timeperiod": "365",
    }


def _fixed(instrument: Instrument, leg: GttLeg) -> _Fixed:
    return _Fixed(instrument.token, instrument.brexchange, leg.action, PRODUCT_TYPES[leg.product])


def _place(
    instrument: Instrument, legs: Sequence[GttLeg], last_price: float, session: Session, ctx: Ctx
) -> Operation[str]:
    fixed = msgspec.to_builtins(_fixed(instrument, legs[0])) | {"tradingsymbol": instrument.brsymbol}
    return _id((yield _write("createRule", _terms(instrument, legs) | fixed)))


def _modify(
    trigger_id: str, instrument: Instrument, legs: Sequence[GttLeg], last_price: float, session: Session, ctx: Ctx
) -> Operation[str]:
    """A change cannot name side and product, so it is made sure first that they are to stay."""
    form = _terms(instrument, legs)
    rule = read((yield _asked("ruleDetails", {"id": trigger_id})), _Fixed, "a GTT rule")
    if rule != _fixed(instrument, legs[0]):
        raise Refused(
            f"{TITLE} cannot change the instrument, side or product of a GTT rule. Cancel it and place another.",
            "INVALID_INPUT",
        ).unsent()
    return _id((yield _write("modifyRule", {"id": trigger_id} | form)))


def _cancel(trigger_id: str, session: Session, ctx: Ctx) -> Operation[str]:
    """A cancel names the instrument, too, so the rule is read first."""
    rule = read((yield _asked("ruleDetails", {"id": trigger_id})), _Fixed, "a GTT rule")
    named = {"symboltoken": rule.symboltoken, "exchange": rule.exchange}
    return _id((yield _write("cancelRule", {"id": trigger_id} | named)))


def _list(session: Session, ctx: Ctx) -> Operation[list[Gtt]]:
    """Rules of our products, page by page; one of another product could not be modified by us without changing it. A
    rule is told once, though the pages may move under our eyes; one page again and again has no end."""
    found: dict[str, _Rule] = {}
    for page in count(1):
        data = yield _asked("ruleList", {"status": LISTED, "page": page, "count": GTT_PAGE})
        rows = book([data] if isinstance(data, dict) else data, _Rule, "the GTT rules")
        before = len(found)
        found |= {str(rule.id): rule for rule in rows}
        if len(rows) < GTT_PAGE:
            break
        if len(found) == before:
            raise Unknown(f"{TITLE}: page {page} of the GTT rules has nothing new, and is not the last.")
    return [_gtt(rule) for rule in found.values() if rule.product in PRODUCTS]


def _gtt(rule: _Rule) -> Gtt:
    return shaped(
        Gtt,
        rule,
        trigger_id=str(rule.id),
        legs=(shaped(GttLeg, rule, product=PRODUCTS[rule.product]),),
        status=GTT_STATUSES.get(rule.status, rule.status.lower()),
        created_at=milliseconds(rule.createddate),
        updated_at=milliseconds(rule.updateddate),
        expires_at=milliseconds(rule.expirydate),
    )


def _write(name: str, form: dict[str, str]) -> Request:
    return Request(method="POST", host="api", path=f"{PATH}/{name}", json=form, effect="write", lane="gtt")


def _asked(name: str, form: dict[str, Any]) -> Request:
    return Request(method="POST", host="api", path=f"{PATH}/{name}", json=form, lane="rules")


def _id(taken: Any) -> str:
    return number(read(taken, _Taken, "the answer to a GTT").id, TITLE, "a GTT")


GTT = GttDesk(place=_place, modify=_modify, cancel=_cancel, list=_list, oco=False)
