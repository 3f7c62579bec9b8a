"""News of orders: one row for the order book and the feed (portal: Order book; Order updates)."""

import msgspec

from sangam.brokers.order_rows import reader, standing, unified
from sangam.brokers.rows import Number, Units, moment
from sangam.model.order import OrderUpdate

from .tables import ACTIONS, CLOCK, NEAREST, NONE, PRICE_TYPES, STATUSES

NAMES = {
    "order_id": "brokerOrderId",
    "brsymbol": "tradingSymbol",
    "brexchange": "exchange",
    "token": "instrumentId",
    "action": "transactionType",
    "price_type": "orderType",
    "trigger_price": "slTriggerPrice",
    "average_price": "averageTradedPrice",
    "disclosed_quantity": "disclosedQuantity",
    "filled_quantity": "filledQuantity",
    "pending_quantity": "pendingQuantity",
    "rejection_reason": "rejectionReason",
    "tag": "orderTag",
    "status": "orderStatus",
}
"""Our names of fields that IIFL calls otherwise."""


class OrderRow(msgspec.Struct, rename=NAMES):
    """Numbers may be text. News tell neither the exchange nor the tag, and of the disclosed quantity by another name.
    Prices are taken for rupees, as in the books."""

    order_id: int | str
    action: str
    quantity: Units
    status: str
    brsymbol: str = ""
    brexchange: str = ""
    token: int | str = ""
    product: str | None = None
    price_type: str | None = None
    validity: str | None = None
    price: Number | None = None
    trigger_price: Number | None = None
    filled_quantity: Units | None = None
    pending_quantity: Units | None = None
    average_price: Number | None = None
    rejection_reason: str | None = None
    tag: str | None = None
    disclosed_quantity: Units | None = None
    disclosed: Units | None = msgspec.field(default=None, name="disclosedQty")
    exchange_time: str | None = msgspec.field(default=None, name="exchangeTimestamp")
    exchange_update: str | None = msgspec.field(default=None, name="exchangeUpdateTime")
    broker_update: str | None = msgspec.field(default=None, name="brokerUpdateTime")

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"{self.action} is neither BUY nor SELL")
        if not self.order_id:
            raise ValueError("an order without its number")


def update(row: OrderRow) -> OrderUpdate:
    """The documentation has statuses in lower case with blanks, programs have met them in capitals with underscores."""
    word = row.status.strip().casefold().replace("_", " ")
    price_type = PRICE_TYPES.get(row.price_type or "", row.price_type or "")
    times = (row.exchange_time, row.exchange_update, row.broker_update)
    return unified(
        row,
        STATUSES.get(word) or standing(price_type, row.filled_quantity, opened=word == "open"),
        action=ACTIONS[row.action].value,
        token=str(row.token),
        product=NEAREST.get(row.product or "", ""),
        price_type=price_type,
        tag="" if row.tag in (None, NONE) else row.tag,
        disclosed_quantity=int(row.disclosed_quantity or row.disclosed or 0),
        timestamp=max(moment(time, CLOCK) for time in times),
    )


decode = reader(OrderRow, update, strict=False)
