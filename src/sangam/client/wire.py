"""The gateway's messages in the words of the client (docs/websocket.md)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from sangam.model.books import Funds
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import (
    AuthError,
    BrokerError,
    Conflict,
    Denied,
    InDoubt,
    InvalidInput,
    NotSent,
    OrderError,
    OrderNotFound,
    Rejected,
    SangamError,
    SessionExpired,
    StoreError,
    SymbolNotFound,
    Unsupported,
)
from sangam.model.order import NOTHING, OrderState, Ticket, TradingMode, Validity

from .answers import GttInfo, HoldingInfo, OrderInfo, PositionInfo, TradeInfo
from .asked import Terms

Row = Mapping[str, Any]

WRITES = frozenset({"place_order", "modify_order", "cancel_order", "place_gtt", "cancel_gtt"})
NAMING = frozenset({"get_order", "modify_order", "cancel_order", "cancel_gtt"})
"""Actions about something that stands: what they name must exist."""
_DENIALS = frozenset({"INVALID_ORDER", "MARKET_CLOSED", "RATE_LIMITED", "NETWORK_ERROR"})
"""Codes of a change, a cancel or a trigger that was not sent."""


# --- out --------------------------------------------------------------------------------------------------------------


def placement(ticket: Ticket, wait_ms: int) -> dict[str, Any]:
    """Prices as texts are taken to the digit."""
    fields: dict[str, Any] = {
        "symbol": ticket.symbol,
        "exchange": ticket.exchange.value,
        "side": ticket.action.value,
        "quantity": ticket.quantity,
        "price_type": ticket.price_type.value,
        "product": ticket.product.value,
        "price": f"{ticket.price:f}",
        "trigger_price": f"{ticket.trigger_price:f}",
        "validity": ticket.validity.value,
        "client_order_id": ticket.client_order_id,
        "timeout_ms": wait_ms,
    }
    return fields | {name: text for name in ("tag", "strategy") if (text := getattr(ticket, name))}


def modification(terms: Terms) -> dict[str, Any]:
    fields = {
        "quantity": terms.quantity,
        "price": None if terms.price is None else f"{terms.price:f}",
        "trigger_price": None if terms.trigger_price is None else f"{terms.trigger_price:f}",
        "price_type": terms.price_type,
    }
    return {name: value for name, value in fields.items() if value is not None}


# --- in ---------------------------------------------------------------------------------------------------------------


def order(row: Row) -> OrderInfo:
    """A row of the order book."""
    return OrderInfo(
        id=row["id"],
        account=row["account"],
        user="",
        broker=row.get("broker", ""),
        mode=_mode(row),
        symbol=row["symbol"],
        exchange=Exchange(row["exchange"]),
        action=Action(row["action"]),
        quantity=row["quantity"],
        price_type=PriceType(row["pricetype"]),
        product=Product(row["product"]),
        price=_rupees(row["price"]),
        trigger_price=_rupees(row["trigger_price"]),
        disclosed_quantity=row["disclosed_quantity"],
        validity=Validity(row["validity"]),
        strategy=row["strategy"],
        tag=row["tag"],
        client_order_id=row["client_order_id"],
        conversion=row["conversion"],
        state=OrderState(row["state"]),
        order_id=row.get("order_id", row["orderid"]),
        filled_quantity=row["filled_quantity"],
        average_price=row["average_price"],
        reason=row.get("reason") or row["rejection_reason"],
        code=row.get("code", ""),
        created_at=row.get("created_at", 0),
        updated_at=row["timestamp"],
    )


def placed(row: Row, ticket: Ticket) -> OrderInfo:
    """What was asked, with what the answer (or its failure) tells of it."""
    return OrderInfo(
        id=row.get("id", ""),
        account=row.get("account", ""),
        user="",
        broker=row.get("broker", ""),
        mode=_mode(row),
        **ticket.asked,
        state=OrderState(row.get("state", OrderState.DENIED)),
        order_id=row.get("order_id", ""),
        filled_quantity=row.get("filled_quantity", 0),
        average_price=row.get("average_price", 0.0),
        reason=row.get("message", "") if row.get("status") == "error" else "",
        code=row.get("code", ""),
    )


def event(row: Row) -> OrderInfo:
    """An ``ORDER_...`` message."""
    status = row["status"].lower()
    when = int(datetime.fromisoformat(row["timestamp"].replace("Z", "+00:00")).timestamp() * 1000)
    return OrderInfo(
        id=row["id"],
        account=row["account"],
        user="",
        broker=row["broker"],
        mode=_mode(row),
        symbol=row["symbol"],
        exchange=Exchange(row["exchange"]),
        action=Action(row["side"]),
        quantity=row["quantity"],
        price_type=PriceType(row["price_type"]),
        product=Product(row["product"]),
        price=_rupees(row["price"]),
        trigger_price=_rupees(row["trigger_price"]),
        strategy=row["strategy"],
        tag=row["tag"],
        client_order_id=row["client_order_id"],
        state=OrderState(status),
        order_id=row["order_id"],
        filled_quantity=row["filled_quantity"],
        average_price=row["average_price"],
        reason=row["reason"],
        code=row["code"],
        updated_at=when,
        event=row["type"],
        seq=row["seq"],
    )


def positions(rows: list[Row]) -> list[PositionInfo]:
    return msgspec.convert(rows, list[PositionInfo])


def holdings(data: Row) -> list[HoldingInfo]:
    return msgspec.convert(data["holdings"], list[HoldingInfo])


def trades(rows: list[Row]) -> list[TradeInfo]:
    return [
        TradeInfo(
            trade_id=row["tradeid"],
            order_id=row["orderid"],
            symbol=row["symbol"],
            exchange=Exchange(row["exchange"]),
            side=row["action"],
            product=Product(row["product"]),
            quantity=row["quantity"],
            price=row["average_price"],
            timestamp=row["timestamp"],
        )
        for row in rows
    ]


def gtts(rows: list[Row]) -> list[GttInfo]:
    return [
        GttInfo(
            trigger_id=row["trigger_id"],
            symbol=row["symbol"],
            exchange=Exchange(row["exchange"]),
            status=row["status"],
            triggers=tuple(row["trigger_prices"]),
            quantity=row["legs"][0]["quantity"],
            side=row["legs"][0]["action"],
        )
        for row in rows
    ]


def funds(row: Row) -> Funds:
    return Funds(
        available_cash=float(row["availablecash"]),
        collateral=float(row["collateral"]),
        m2m_realised=float(row["m2mrealized"]),
        m2m_unrealised=float(row["m2munrealized"]),
        utilised=float(row["utiliseddebits"]),
    )


def failure(action: str, row: Row, ticket: Ticket | None = None) -> SangamError:
    """What an answer with status error means. The code tells most; for a placement, the state of its order does."""
    code, text = str(row.get("code", "")), str(row.get("message", "The server gave no reason."))
    if code in _PLAIN:
        return _PLAIN[code](text)
    if code == "SYMBOL_NOT_FOUND" and (ticket is not None or "symbol" in row):
        named = (ticket.symbol, ticket.exchange) if ticket is not None else (row["symbol"], row["exchange"])
        return SymbolNotFound(*named)
    if code in ("INVALID_INPUT", "SYMBOL_NOT_FOUND"):
        return OrderNotFound(text) if action in NAMING else InvalidInput(text)
    if action not in WRITES:
        return NotSent(text) if code == "NETWORK_ERROR" else BrokerError(text)
    about = placed(row, ticket) if ticket is not None and "id" in row else None
    return _of_write(row, ticket)(text, code, about)


def _of_write(row: Row, ticket: Ticket | None) -> type[OrderError]:
    code, state = row.get("code"), row.get("state")
    if code == "OUTCOME_UNKNOWN":
        return InDoubt
    if ticket is None:
        return Denied if code in _DENIALS else Rejected
    if state is None or state == OrderState.DENIED:
        return Denied
    mine = row.get("client_order_id") == ticket.client_order_id and state == OrderState.REJECTED
    return Rejected if mine else Conflict


_PLAIN: Mapping[str, Callable[[str], SangamError]] = {
    "AUTHENTICATION_ERROR": AuthError,
    "NOT_AUTHENTICATED": AuthError,
    "INSUFFICIENT_PERMISSION": AuthError,
    "UNSUPPORTED": Unsupported,
    "STORE_ERROR": StoreError,
    "INVALID_TOKEN": lambda text: SessionExpired(text).unsent(),
}


def _mode(row: Row) -> TradingMode:
    return TradingMode.PAPER if row.get("mode") == TradingMode.PAPER.word else TradingMode.LIVE


def _rupees(price: float) -> Decimal:
    return Decimal(repr(price)) if price else NOTHING
