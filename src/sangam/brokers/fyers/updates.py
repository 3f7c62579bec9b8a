"""News of orders: one row for the order book, the order socket and the webhook (documentation: Orders; Order
WebSocket; Postback)."""

from collections.abc import Iterable
from typing import Any

import msgspec

from sangam.brokers.contract import (
    BooksChanged,
    Ctx,
    Endpoint,
    LoggedIn,
    Notice,
    Operation,
    Postback,
    Result,
    Send,
    Session,
    done,
    news_stream,
    unsigned,
)
from sangam.brokers.order_rows import reader, standing, unified
from sangam.brokers.rows import moment
from sangam.brokers.stream import NewsCodec
from sangam.brokers.wire import Message
from sangam.model.enums import OrderStatus
from sangam.model.errors import DecodeError
from sangam.model.order import OrderUpdate

from .login import credential
from .tables import BOOK_NAMES, HOSTS, MOMENT, NEAREST, OWN_TAG, SEGMENTS, SIDES, STATUSES, TYPES

SUBSCRIBED = 1605


class OrderRow(msgspec.Struct, rename={
    "order_id": "id", "brsymbol": "symbol", "quantity": "qty", "fy_token": "fyToken", "product": "productType",
    "price": "limitPrice", "trigger_price": "stopPrice", "average_price": "tradedPrice", "filled_quantity": "filledQty",
    "pending_quantity": "remainingQuantity", "disclosed_quantity": "disclosedQty", "rejection_reason": "message",
    "tag": "orderTag", "time": "orderDateTime", "validity": "orderValidity",
}):  # fmt: skip
    """By our names. Quantities are cumulative."""

    order_id: str
    brsymbol: str
    side: int
    quantity: int
    status: int
    fy_token: str | int = ""
    type: int = 0
    product: str = ""
    price: float | None = None
    trigger_price: float | None = None
    average_price: float | None = None
    filled_quantity: int | None = None
    pending_quantity: int | None = None
    disclosed_quantity: int | None = None
    rejection_reason: str | None = None
    tag: str | None = None
    time: str | None = None
    validity: str | None = None

    def __post_init__(self) -> None:
        if self.side not in SIDES:
            raise ValueError(f"side {self.side} is none")


def update(row: OrderRow) -> OrderUpdate:
    """No number says that a stop waits for its trigger. `message` tells of good ends, too ("Completed")."""
    price_type = TYPES.get(row.type, "")
    status = STATUSES.get(row.status) or standing(price_type, row.filled_quantity)
    own = row.tag is not None and row.tag.startswith(OWN_TAG)
    more: dict[str, Any] = {"pending_quantity": 0} if status.is_final else {}
    if status is not OrderStatus.REJECTED:
        more["rejection_reason"] = ""
    return unified(
        row,
        status,
        brexchange=segment(row.fy_token),
        action=SIDES[row.side].value,
        product=NEAREST.get(row.product, ""),
        price_type=str(price_type),
        tag=(row.tag or "").removeprefix(OWN_TAG) if own else "",
        timestamp=moment(row.time, MOMENT),
        **more,
    )


def segment(fy_token: str | int) -> str:
    """The exchange and segment that a token begins with; holdings tell tokens as numbers."""
    return SEGMENTS.get(str(fy_token)[:4], "")


# --- the order socket -------------------------------------------------------------------------------------------------


class _Message(msgspec.Struct):
    orders: dict[str, Any] | None = None
    code: int = 0
    message: str = ""
    s: str = ""


_decode = msgspec.json.Decoder(_Message).decode
_SUBSCRIPTION = msgspec.json.encode({"T": "SUB_ORD", "SLIST": ["orders"], "SUB_T": 1}).decode()


class OrderCodec(NewsCodec):
    """Only orders are asked for: their news have the sums of all fills, and positions follow from them."""

    def opened(self) -> Iterable[Result]:
        return (Send(_SUBSCRIPTION),)

    def heartbeat(self) -> Iterable[Result]:
        return (Send("ping"),)

    def received(self, message: Message) -> Iterable[Result]:
        if message == "pong":
            return ()
        try:
            told = _decode(message)  # type: ignore[arg-type]  # anything but text or bytes is a TypeError
        except (msgspec.DecodeError, UnicodeError, RecursionError, TypeError) as error:
            raise DecodeError(f"unreadable order news: {error}") from error
        if told.orders is not None:
            row = {BOOK_NAMES.get(name, name): value for name, value in told.orders.items()}
            try:
                return (update(msgspec.convert(row, OrderRow)),)
            except msgspec.ValidationError as error:  # an order changed all the same: the book tells which
                return (Notice("warning", f"order news in an unknown form: {error}"), BooksChanged())
        if told.code == SUBSCRIBED:
            return (LoggedIn(),)
        return (Notice("error", told.message),) if told.s == "error" else ()


def _open(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    return done(Endpoint(url=session.host("orders", HOSTS), headers={"authorization": credential(session)}))


ORDERS = news_stream(_open, lambda session, endpoint, ctx: OrderCodec(), silence=35.0, heartbeat=10.0)

_read = reader(OrderRow, update)

# Nothing is said of how the webhook's secret would sign a body.
POSTBACK = Postback(read=lambda body, headers: _read(body), verified=unsigned)
