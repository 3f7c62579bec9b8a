"""What clients of the exchange see of their orders, and the ledger that forgets nothing.

The ledger is the truth that a journal is judged by: what the exchange accepted, in order, whatever the wire told."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from sangam.model.enums import Action, Exchange, OrderStatus, PriceType, Product


class Order(msgspec.Struct, kw_only=True):
    """One client order. Prices are rupees, times epoch milliseconds; `status` is one of OrderStatus."""

    order_id: str
    owner: str
    symbol: str
    exchange: Exchange
    action: Action
    quantity: int
    price_type: PriceType
    price: float = 0.0
    trigger_price: float = 0.0
    product: Product = Product.MIS
    tag: str = ""
    status: OrderStatus = OrderStatus.OPEN
    filled_quantity: int = 0
    average_price: float = 0.0
    reason: str = ""
    placed: int = 0
    updated: int = 0

    @property
    def pending_quantity(self) -> int:
        return 0 if self.status.is_final else self.quantity - self.filled_quantity


class Trade(NamedTuple):
    trade_id: str
    order_id: str
    price: float
    quantity: int
    time: int


class Kind(StrEnum):
    PLACED = "placed"
    REJECTED = "rejected"
    MODIFIED = "modified"
    TRIGGERED = "triggered"
    FILLED = "filled"
    CANCELLED = "cancelled"


class Entry(NamedTuple):
    """One line of the ledger: the order as it was right after the event."""

    time: int
    kind: Kind
    order: Order


class Ledger:
    """Everything that clients' orders ever did here."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.orders: dict[str, Order] = {}
        self.trades: list[Trade] = []

    def write(self, time: int, kind: Kind, order: Order) -> None:
        self.orders[order.order_id] = order
        self.entries.append(Entry(time, kind, msgspec.structs.replace(order)))
