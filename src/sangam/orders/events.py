"""What clients hear of an order: the ``ORDER_...`` event and the ``order_update`` of the known protocol."""

from datetime import UTC, datetime

import msgspec

from sangam.model.order import Order, OrderNews, OrderState

from .journal import EventKind

_encode = msgspec.json.Encoder().encode
_NOT_YET = (OrderState.PENDING, OrderState.SENT)


def order_news(kind: EventKind, seq: int, order: Order) -> OrderNews:
    """Both messages of one event, encoded once."""
    return OrderNews(seq, order.account, _event(kind, seq, order), _update(order))


def iso_time(ms: int) -> str:
    """``2026-02-02T10:30:45.123Z``"""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _event(kind: EventKind, seq: int, order: Order) -> bytes:
    return _encode(
        {
            "type": kind.value,
            "order_id": order.order_id,
            "client_order_id": order.client_order_id,
            "symbol": order.symbol,
            "exchange": order.exchange,
            "quantity": order.quantity,
            "price": float(order.price),
            "side": order.action,
            "status": "PENDING" if order.state in _NOT_YET else order.state.value.upper(),
            "timestamp": iso_time(order.updated_at),
            "seq": seq,
            "id": order.id,
            "account": order.account,
            "broker": order.broker,
            "mode": order.mode.word,
            "product": order.product,
            "price_type": order.price_type,
            "trigger_price": float(order.trigger_price),
            "filled_quantity": order.filled_quantity,
            "pending_quantity": order.pending_quantity,
            "average_price": float(order.average_price),
            "reason": order.reason,
            "code": order.code,
            "tag": order.tag,
            "strategy": order.strategy,
        }
    )


def _update(order: Order) -> bytes:
    """Contract-ws.md, 3.5. Without an id of the executor, ours stands for it."""
    status = order.state.outward
    return _encode(
        {
            "type": "order_update",
            "user_id": order.user,
            "account": order.account,
            "mode": order.mode.word,
            "broker": order.broker,
            "orderid": order.order_id or order.id,
            "symbol": order.symbol,
            "exchange": order.exchange,
            "action": order.action,
            "quantity": order.quantity,
            "filled_quantity": order.filled_quantity,
            "pending_quantity": order.pending_quantity,
            "price": float(order.price),
            "trigger_price": float(order.trigger_price),
            "average_price": float(order.average_price),
            "pricetype": order.price_type,
            "product": order.product,
            "order_status": status,
            "rejection_reason": order.reason if status.value == "rejected" else "",
            "tag": order.tag,
            "timestamp": order.updated_at,
        }
    )
