"""News of orders: one row for the order book, the order socket and the webhook (SmartAPI docs: Orders; Websocket order
status; Postback)."""

import msgspec

from sangam.brokers.contract import Postback, unsigned
from sangam.brokers.order_rows import reader, standing, unified
from sangam.brokers.rows import Number, Units, moment
from sangam.model.enums import Action
from sangam.model.order import OrderUpdate

from .answers import plain
from .tables import CLOCK, NEAREST, PRICE_TYPES, PRODUCTS, STATUSES

NAMES = {
    "order_id": "orderid",
    "brsymbol": "tradingsymbol",
    "brexchange": "exchange",
    "action": "transactiontype",
    "product": "producttype",
    "price_type": "ordertype",
    "validity": "duration",
    "trigger_price": "triggerprice",
    "average_price": "averageprice",
    "disclosed_quantity": "disclosedquantity",
    "filled_quantity": "filledshares",
    "pending_quantity": "unfilledshares",
    "rejection_reason": "text",
    "tag": "ordertag",
}
"""Our names of fields that Angel calls otherwise."""


class OrderRow(msgspec.Struct, rename=NAMES):
    """Numbers come as numbers or as text, the order's included. News may leave out what an order is of."""

    order_id: int | str
    action: Action
    quantity: Units
    status: str
    brsymbol: str = ""
    brexchange: str = ""
    variety: str | None = None
    product: str | None = None
    price_type: str | None = None
    validity: str | None = None
    price: Number | None = None
    trigger_price: Number | None = None
    disclosed_quantity: Units | None = None
    filled_quantity: Units | None = None
    pending_quantity: Units | None = None
    average_price: Number | None = None
    rejection_reason: str | None = None
    tag: str | None = None
    updatetime: str | None = None


def update(row: OrderRow) -> OrderUpdate:
    """A MARKET order may be told as the LIMIT that Angel's price protection makes of it. Every status on the way to
    another (open pending, modify validation pending ...) is open."""
    word, told = row.status.strip().casefold(), row.price_type or ""
    facts = {"variety": row.variety, "producttype": None if row.product in PRODUCTS else row.product}
    price_type = PRICE_TYPES.get(told, told)
    return unified(
        row,
        STATUSES.get(word) or standing(price_type, row.filled_quantity, opened=word == "open"),
        action=row.action.value,
        product=NEAREST.get(row.product or "", ""),
        price_type=price_type,
        timestamp=moment(row.updatetime, CLOCK),
        native={name: value for name, value in facts.items() if value},
    )


decode = reader(OrderRow, update, strict=False, plain=plain)


POSTBACK = Postback(read=lambda body, headers: decode(body), verified=unsigned)
