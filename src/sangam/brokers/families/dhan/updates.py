"""An order as Dhan tells it: one row for the order book, a single order and the postback (documents: Orders;
Postback)."""

from collections.abc import Mapping

import msgspec

from sangam.brokers.contract import Postback, unsigned
from sangam.brokers.order_rows import reader, standing, unified
from sangam.brokers.rows import Number, Units
from sangam.model.enums import Action, OrderStatus, PriceType
from sangam.model.order import OrderUpdate

from .answers import Wire
from .tables import NEAREST, PRICE_TYPES, STATUSES

_NAMES = {
    "order_id": "orderId",
    "status": "orderStatus",
    "action": "transactionType",
    "brexchange": "exchangeSegment",
    "token": "securityId",
    "product": "productType",
    "order_type": "orderType",
    "trigger_price": "triggerPrice",
    "disclosed_quantity": "disclosedQuantity",
    "filled": "filledQty",
    "average_price": "averageTradedPrice",
    "tag": "correlationId",
    "reason": "omsErrorDescription",
    "create_time": "createTime",
    "update_time": "updateTime",
}


_UNFILLED = frozenset({OrderStatus.REJECTED, OrderStatus.CANCELLED})


class OrderRow(msgspec.Struct, rename=_NAMES):
    """`quantity` is the order's total. The trading symbol is mostly empty; the security id names the instrument.
    `filled_qty` is the postback's name of `filledQty`."""

    order_id: str
    status: str
    action: Action
    brexchange: str
    token: str
    quantity: Units
    product: str = ""
    order_type: str = ""
    validity: str | None = None
    price: Number | None = None
    trigger_price: Number | None = None
    disclosed_quantity: Units | None = None
    filled: Units | None = None
    filled_qty: Units | None = None
    average_price: Number | None = None
    tag: str | None = None
    reason: str | None = None
    create_time: str | None = None
    update_time: str | None = None


def update(row: OrderRow, wire: Wire) -> OrderUpdate:
    price_type = PRICE_TYPES.get(row.order_type)
    filled = int(row.filled or row.filled_qty or 0)
    state = status(row.status, price_type, filled)
    return unified(
        row,
        state,
        brsymbol="",
        action=row.action.value,
        product=NEAREST.get(row.product, ""),
        price_type=price_type or "",
        filled_quantity=filled,
        pending_quantity=0 if state.is_final else int(row.quantity) - filled,
        rejection_reason=reason(row.reason or "", state),
        timestamp=wire.moment(row.update_time) or wire.moment(row.create_time),
    )


def status(told: str, price_type: PriceType | None, filled: int) -> OrderStatus:
    """Dhan has no word for a stop that waits: it is PENDING, or on its way there (TRANSIT), and nothing is filled."""
    return STATUSES.get(told.upper().replace(" ", "_")) or standing(price_type, filled)


def reason(told: str, state: OrderStatus) -> str:
    """Why an order ended unfilled. The text of a healthy order is ``CONFIRMED`` (measured), and stays when it is
    cancelled."""
    return told if state in _UNFILLED and told.strip().casefold() != "confirmed" else ""


def postback(wire: Wire) -> Postback:
    decode = reader(OrderRow, lambda row: update(row, wire), strict=False)

    def read(body: bytes, headers: Mapping[str, str]) -> OrderUpdate:
        return decode(body)

    return Postback(read=read, verified=unsigned)
