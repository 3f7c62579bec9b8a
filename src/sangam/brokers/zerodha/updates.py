"""News of orders: one row for the order book, the ticker and the webhook (Kite docs: Orders; Postbacks)."""

import hmac
from collections.abc import Mapping
from hashlib import sha256

import msgspec

from sangam.brokers.contract import Postback, Session
from sangam.brokers.order_rows import reader, standing, unified
from sangam.brokers.rows import Units, milliseconds
from sangam.model.enums import Action
from sangam.model.order import OrderUpdate

from .tables import NEAREST, STATUSES

NAMES = {
    "brsymbol": "tradingsymbol",
    "brexchange": "exchange",
    "action": "transaction_type",
    "ltp": "last_price",
    "price_type": "order_type",
}
"""Our names of fields that Kite calls otherwise."""


class OrderRow(msgspec.Struct, rename=NAMES | {"rejection_reason": "status_message"}):
    """`order_timestamp` is when Kite took the order, `exchange_update_timestamp` when its state last changed at the
    exchange. Quantities are in the units of the instruments dump; the official Go client reads those of orders and
    trades as floats."""

    order_id: str
    brsymbol: str
    brexchange: str
    action: Action
    quantity: Units
    status: str
    variety: str | None = None
    parent_order_id: str | None = None
    product: str | None = None
    price_type: str | None = None
    validity: str | None = None
    price: float | None = None
    trigger_price: float | None = None
    disclosed_quantity: Units | None = None
    filled_quantity: Units | None = None
    pending_quantity: Units | None = None
    average_price: float | None = None
    rejection_reason: str | None = None
    tag: str | None = None
    order_timestamp: str | None = None
    exchange_update_timestamp: str | None = None


def update(row: OrderRow) -> OrderUpdate:
    """A MARKET order with price protection may be told as the LIMIT it became. Every status on the way to another
    (VALIDATION PENDING, UPDATE ...) is open."""
    facts = {"variety": row.variety, "parent_order_id": row.parent_order_id}
    opened = row.status == "OPEN"
    return unified(
        row,
        STATUSES.get(row.status) or standing(row.price_type, row.filled_quantity, opened=opened),
        action=row.action.value,
        product=NEAREST.get(row.product or "", ""),
        timestamp=milliseconds(row.exchange_update_timestamp) or milliseconds(row.order_timestamp),
        native={name: value for name, value in facts.items() if value},
    )


decode = reader(OrderRow, update)


class _Signature(msgspec.Struct):
    order_id: str
    order_timestamp: str
    checksum: str


def _read(body: bytes, headers: Mapping[str, str]) -> OrderUpdate:
    return decode(body)


def _verified(body: bytes, headers: Mapping[str, str], session: Session) -> bool:
    """The checksum proves that the sender knows the app's secret; it covers the order's id and time, not its state."""
    secret = session.secrets.get("api_secret", "")
    try:
        told = msgspec.json.decode(body, type=_Signature)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    right = sha256(f"{told.order_id}{told.order_timestamp}{secret}".encode()).hexdigest()
    return bool(secret) and hmac.compare_digest(right.encode(), told.checksum.encode())


POSTBACK = Postback(read=_read, verified=_verified)
