"""An order as the order book, the socket and the webhook tell it (Noren API docs: Order book; Order update)."""

import msgspec

from sangam.brokers.contract import Postback, unsigned
from sangam.brokers.order_rows import reader, standing, unified
from sangam.brokers.rows import Number, Units, moment
from sangam.model.enums import Action
from sangam.model.order import OrderUpdate

from .answers import plain
from .tables import CLOCK, NEAREST, OF_A_CHANGE, PRICE_TYPES, STATUSES

ACTIONS = {"B": Action.BUY, "S": Action.SELL}

NAMES = {
    "order_id": "norenordno",
    "brsymbol": "tsym",
    "brexchange": "exch",
    "action": "trantype",
    "product": "prd",
    "price_type": "prctyp",
    "validity": "ret",
    "quantity": "qty",
    "price": "prc",
    "trigger_price": "trgprc",
    "average_price": "avgprc",
    "disclosed_quantity": "dscqty",
    "filled_quantity": "fillshares",
    "rejection_reason": "rejreason",
    "tag": "remarks",
}
"""Our names of fields that the wire calls otherwise."""


class OrderRow(msgspec.Struct, rename=NAMES):
    """News call the product `pcode` at one broker and their report `reporttype`; their time is `tm`, in epoch seconds,
    and a row's `norentm`. Filled is told from the first fill on. Quantities are those of the whole order."""

    order_id: int | str
    brsymbol: str
    brexchange: str
    action: str
    quantity: Units
    status: str
    token: str = ""
    product: str | None = None
    pcode: str | None = None
    price_type: str | None = None
    validity: str | None = None
    price: Number | None = None
    trigger_price: Number | None = None
    disclosed_quantity: Units | None = None
    filled_quantity: Units | None = None
    average_price: Number | None = None
    rejection_reason: str | None = None
    tag: str | None = None
    reporttype: str | None = None
    rpt: str | None = None
    tm: int | None = None
    norentm: str | None = None

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"side {self.action!r} is not known")


def update(row: OrderRow) -> OrderUpdate:
    """A change that was refused says nothing of the order's end. Every status on the way to another is open."""
    word, told = row.status.strip().upper(), row.price_type or ""
    filled, quantity = int(row.filled_quantity or 0), int(row.quantity)
    price_type = PRICE_TYPES.get(told, told)
    status = STATUSES.get(word)
    refused = (row.reporttype or row.rpt or "").upper() in OF_A_CHANGE
    if status is None or (refused and status is STATUSES["REJECTED"]):
        status = standing(price_type, filled, opened=word == "OPEN")
    return unified(
        row,
        status,
        action=ACTIONS[row.action].value,
        product=NEAREST.get(row.product or row.pcode or "", ""),
        price_type=price_type,
        rejection_reason=(row.rejection_reason or "").strip(),
        pending_quantity=0 if status.is_final else quantity - filled,
        timestamp=row.tm * 1000 if row.tm else moment(row.norentm, CLOCK),
    )


decode = reader(OrderRow, update, strict=False, plain=plain)

POSTBACK = Postback(read=lambda body, headers: decode(body), verified=unsigned)
"""Signed with a vendor's key, and the documents do not say which one that is: what is posted makes us read the book."""
