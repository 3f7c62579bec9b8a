"""News of orders: one row for the order book, the ticker and the webhook (Kite docs: Orders; Postbacks)."""

import hmac
from collections.abc import Mapping
from hashlib import sha256

import msgspec

from sangam.brokers.contract import Postback, Session
from sangam.brokers.rows import milliseconds, whole
from sangam.model.enums import Action, OrderStatus, PriceType
from sangam.model.errors import DecodeError
from sangam.model.order import OrderUpdate, Validity

from .tables import NEAREST, STATUSES


class OrderRow(msgspec.Struct):
    """`order_timestamp` is when Kite took the order, `exchange_update_timestamp` when its state last changed at the
    exchange. Quantities are cumulative, in the units of the instruments dump; the official Go client reads those of
    orders and trades as floats, so 1.0 is taken for 1."""

    order_id: str
    tradingsymbol: str
    exchange: str
    transaction_type: Action
    quantity: float
    status: str
    variety: str | None = None
    parent_order_id: str | None = None
    product: str | None = None
    order_type: str | None = None
    validity: str | None = None
    price: float | None = None
    trigger_price: float | None = None
    disclosed_quantity: float | None = None
    filled_quantity: float | None = None
    pending_quantity: float | None = None
    average_price: float | None = None
    status_message: str | None = None
    tag: str | None = None
    order_timestamp: str | None = None
    exchange_update_timestamp: str | None = None

    def __post_init__(self) -> None:
        whole(self.quantity, self.disclosed_quantity, self.filled_quantity, self.pending_quantity)


def update(row: OrderRow) -> OrderUpdate:
    """A MARKET order with price protection may be told as the LIMIT it became."""
    facts = {"variety": row.variety, "parent_order_id": row.parent_order_id}
    return OrderUpdate(
        order_id=row.order_id,
        brsymbol=row.tradingsymbol,
        brexchange=row.exchange,
        action=row.transaction_type.value,
        quantity=int(row.quantity),
        status=_status(row).value,
        product=NEAREST.get(row.product or "", ""),
        price_type=row.order_type or "",
        price=row.price or 0.0,
        trigger_price=row.trigger_price or 0.0,
        filled_quantity=int(row.filled_quantity or 0),
        pending_quantity=int(row.pending_quantity or 0),
        average_price=row.average_price or 0.0,
        rejection_reason=row.status_message or "",
        tag=row.tag or "",
        timestamp=milliseconds(row.exchange_update_timestamp) or milliseconds(row.order_timestamp),
        disclosed_quantity=int(row.disclosed_quantity or 0),
        validity=Validity.IOC.value if row.validity == "IOC" else Validity.DAY.value,
        native={name: value for name, value in facts.items() if value},
    )


def _status(row: OrderRow) -> OrderStatus:
    """Every status on the way to another (VALIDATION PENDING, UPDATE ...) is open, but does not say that a stop was
    triggered: only OPEN and fills do."""
    passing = row.status != "OPEN" and not row.filled_quantity
    waits = passing and row.order_type in (PriceType.SL, PriceType.SL_M)
    return STATUSES.get(row.status, OrderStatus.TRIGGER_PENDING if waits else OrderStatus.OPEN)


_decode = msgspec.json.Decoder(OrderRow).decode


def decode(text: bytes | msgspec.Raw) -> OrderUpdate:
    """One order as JSON; anything else is damaged."""
    try:
        return update(_decode(text))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DecodeError(f"unreadable order news: {error}") from error


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
