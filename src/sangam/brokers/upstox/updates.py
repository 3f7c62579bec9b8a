"""News of orders: one row for the order book, the portfolio stream and the webhook (Upstox docs: Get order details;
Portfolio stream feed; Webhook)."""

from collections.abc import Iterable

import msgspec

from sangam.brokers.contract import (
    BooksChanged,
    Ctx,
    Endpoint,
    NewsCodec,
    Notice,
    Operation,
    Postback,
    Result,
    Session,
    news_stream,
    unsigned,
)
from sangam.brokers.order_rows import reader, standing, unified
from sangam.brokers.rows import Units, milliseconds
from sangam.brokers.wire import Message
from sangam.model.enums import Action
from sangam.model.errors import DecodeError
from sangam.model.order import OrderUpdate

from .answers import NAMES, Named, one_time
from .tables import NEAREST, STATUSES, product


class OrderRow(Named, kw_only=True, rename=NAMES):
    """Both times are on India's wall clock: when Upstox, and when the exchange, last wrote the order's state."""

    order_id: str
    action: Action
    quantity: Units
    status: str
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
    exchange_timestamp: str | None = None


def update(row: OrderRow) -> OrderUpdate:
    """Every status on the way to another (put order req received, modified ...) is open."""
    code, status = row.product or "", row.status.casefold()
    return unified(
        row,
        STATUSES.get(status) or standing(row.price_type, row.filled_quantity, opened=status == "open"),
        action=row.action.value,
        product=product(NEAREST.get(code, code), row.brexchange) or "",
        timestamp=max(milliseconds(row.exchange_timestamp), milliseconds(row.order_timestamp)),
    )


_decode = reader(OrderRow, update)

POSTBACK = Postback(read=lambda body, headers: _decode(body), verified=unsigned)


class _Kind(msgspec.Struct):
    update_type: str = ""
    order_id: str = ""


class PortfolioCodec(NewsCodec):
    """Orders as they change, and word of what else did."""

    def received(self, message: Message) -> Iterable[Result]:
        if not isinstance(message, str | bytes):
            raise DecodeError(f"a {type(message).__name__} is not a message of this wire")
        try:
            told = msgspec.json.decode(message, type=_Kind)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise DecodeError(f"unreadable news: {error}") from error
        if told.update_type == "order":
            return (_decode(message),)
        if told.update_type in ("gtt_order", "position", "holding"):
            return (BooksChanged(),)
        notice = Notice("warning", f"news of an unknown kind: {message[:500]!r}")
        return (notice, BooksChanged()) if told.order_id else (notice,)


def _open(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    return one_time("/v2/feed/portfolio-stream-feed/authorize", update_types="order,gtt_order,position")


NEWS = news_stream(_open, lambda session, endpoint, ctx: PortfolioCodec(), ping=10.0)
