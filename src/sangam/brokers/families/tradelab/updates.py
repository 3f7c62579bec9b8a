"""An order as the order book and the socket tell it (documents: Order book; what the socket's news look like is not
published: those of the book's form are read, all others only say that something happened)."""

from collections.abc import Iterable
from typing import Any

import msgspec

from sangam.brokers.contract import BooksChanged, Notice, Result
from sangam.brokers.order_rows import standing, unified
from sangam.brokers.rows import Number, Units
from sangam.model.enums import Action, OrderStatus
from sangam.model.order import OrderUpdate

from .tables import FINAL, NEAREST, NO_REASON, ORDER_NEWS, PRICE_TYPES, PRODUCTS

NAMES = {
    "order_id": "oms_order_id",
    "brexchange": "exchange",
    "token": "instrument_token",
    "action": "order_side",
    "price_type": "order_type",
    "status": "order_status",
    "tag": "user_order_id",
    "pending_quantity": "remaining_quantity",
}
"""Our names of fields that the platform calls otherwise."""

BODY = 5
"""Where the JSON of news begins; the bytes before are its kind and four of unknown meaning."""


class OrderRow(msgspec.Struct, rename=NAMES):
    """Numbers come as numbers or as text. Both times are epoch seconds."""

    order_id: str | int
    brexchange: str
    token: str | int
    action: Action
    quantity: Units
    filled_quantity: Units
    status: str
    product: str
    price_type: str
    validity: str | None = None
    price: Number | None = None
    trigger_price: Number | None = None
    disclosed_quantity: Units | None = None
    pending_quantity: Units | None = None
    average_price: Number | None = None
    average_trade_price: Number | None = None
    rejection_reason: str | None = None
    tag: str | int | msgspec.UnsetType | None = msgspec.UNSET
    order_entry_time: int | str | None = None
    exchange_time: int | str | None = None
    execution_type: str | None = None
    exchange_order_id: str | None = None
    last_activity_reference: int | str | None = None


def status(row: OrderRow) -> OrderStatus:
    word = row.status.strip().casefold().replace("_", " ").removeprefix("amo ")
    price_type = PRICE_TYPES.get(row.price_type, row.price_type)
    return FINAL.get(word) or standing(price_type, row.filled_quantity, opened=word == "open")


def update(row: OrderRow) -> OrderUpdate:
    state, reason = status(row), (row.rejection_reason or "").strip()
    facts = {
        "execution_type": row.execution_type,
        "product": None if row.product in PRODUCTS else row.product,
    }
    return unified(
        row,
        state,
        order_id=str(row.order_id).strip(),
        brsymbol="",
        token=str(row.token).strip(),
        action=row.action.value,
        product=NEAREST.get(row.product, ""),
        price_type=PRICE_TYPES.get(row.price_type, row.price_type),
        pending_quantity=0 if state.is_final else int(row.quantity - row.filled_quantity),
        average_price=row.average_price or row.average_trade_price or 0.0,
        rejection_reason="" if reason in NO_REASON else reason,
        tag=number(row.tag),
        timestamp=max(moment(row.order_entry_time), moment(row.exchange_time)),
        native={name: value for name, value in facts.items() if value},
    )


def number(tag: Any) -> str:
    """What an order was numbered by who placed it; nothing where nobody did."""
    text = str(tag).strip() if isinstance(tag, str | int) else ""
    return "" if text == "0" else text


def moment(seconds: int | str | None) -> int:
    """A time of a row, which is an epoch second, as milliseconds; 0 for what is none: news is worth more than its
    time."""
    return seconds * 1000 if isinstance(seconds, int) and seconds > 0 else 0


def news(message: bytes) -> Iterable[Result]:
    """News of an order or a trade. Where they begin is known from the SDK alone, so what cannot be read says, too, that
    something happened."""
    try:
        told = msgspec.json.decode(message[BODY:], type=dict[str, Any])
        return (
            (update(msgspec.convert(told, OrderRow, strict=False)),) if message[0] == ORDER_NEWS else (BooksChanged(),)
        )
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return (Notice("warning", f"news of an order in an unknown form: {error}"), BooksChanged())
