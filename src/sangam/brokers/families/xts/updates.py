"""An order as the books and the interactive socket tell it (documents: Order book; Interactive socket)."""

from typing import Literal

import msgspec

from sangam.brokers.order_rows import reader, standing, unified
from sangam.brokers.rows import Number, Units, milliseconds, moment, plain
from sangam.model.order import OrderUpdate

from .tables import CLOCK, NEAREST, PRICE_TYPES, PRODUCTS, STATUSES

NAMES = {
    "order_id": "AppOrderID",
    "brexchange": "ExchangeSegment",
    "token": "ExchangeInstrumentID",
    "action": "OrderSide",
    "quantity": "OrderQuantity",
    "status": "OrderStatus",
    "client": "ClientID",
    "product": "ProductType",
    "price_type": "OrderType",
    "validity": "TimeInForce",
    "price": "OrderPrice",
    "trigger_price": "OrderStopPrice",
    "disclosed_quantity": "OrderDisclosedQuantity",
    "filled_quantity": "CumulativeQuantity",
    "pending_quantity": "LeavesQuantity",
    "average_price": "OrderAverageTradedPrice",
    "rejection_reason": "CancelRejectReason",
    "tag": "OrderUniqueIdentifier",
    "updated": "LastUpdateDateTime",
    "placed": "OrderGeneratedDateTime",
}

Side = Literal["BUY", "SELL", "Buy", "Sell"]
"""Books write the former, the socket the latter."""


class OrderRow(msgspec.Struct, rename=NAMES):
    """Numbers may be text; what is not told (an empty text, ``NaN``) is left out. News of the socket have the same
    fields."""

    order_id: int | str
    brexchange: str
    token: int | str
    action: Side
    quantity: Units
    status: str
    client: str = ""
    product: str = ""
    price_type: str = ""
    validity: str = ""
    price: Number = 0.0
    trigger_price: Number = 0.0
    disclosed_quantity: Units = 0.0
    filled_quantity: Units = 0.0
    pending_quantity: Units = 0.0
    average_price: Number = 0.0
    rejection_reason: str = ""
    tag: str = ""
    updated: str = ""
    placed: str = ""


def stamp(text: str) -> int:
    """A time of India's wall clock, in either form, as epoch milliseconds; 0 for none."""
    return milliseconds(text) or moment(text, CLOCK)


def update(row: OrderRow) -> OrderUpdate:
    """A stop of which nothing is filled waits for its trigger: there is no word for that. The identifier must be told
    again by a change or a cancel, and an order of another product than ours keeps it."""
    price_type = PRICE_TYPES.get(row.price_type.upper(), "")
    state = STATUSES.get(row.status.casefold()) or standing(price_type, row.filled_quantity)
    native = {"identifier": row.tag, "client": row.client} | (
        {} if row.product in PRODUCTS else {"product": row.product}
    )
    return unified(
        row,
        state,
        brsymbol="",
        token=str(row.token),
        action=row.action.upper(),
        product=NEAREST.get(row.product, ""),
        price_type=price_type,
        pending_quantity=0 if state.is_final else int(row.pending_quantity),
        timestamp=stamp(row.updated) or stamp(row.placed),
        native=native,
    )


decode = reader(OrderRow, update, strict=False, plain=plain)
