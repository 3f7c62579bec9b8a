"""What clients of the exchange see of their orders, and the ledger that forgets nothing.

The ledger is the truth that a journal is judged by: what the exchange accepted, in order, whatever the wire told."""

import threading
from enum import StrEnum
from typing import NamedTuple

import msgspec

from sangam.model.enums import Action, Exchange, OrderStatus, PriceType, Product


class Validity(StrEnum):
    """How long an order may wait: IOC ends what is not filled at once."""

    DAY = "DAY"
    IOC = "IOC"


class Order(msgspec.Struct, kw_only=True):
    """One client order. Prices are rupees, times epoch milliseconds; `status` is one of OrderStatus.

    A `held` order waits at the broker for the next trading day (after-market); `changes` counts the events of its life,
    `modifications` those that the client made; `variety` and `terms` are the broker's own words about it."""

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
    validity: Validity = Validity.DAY
    tag: str = ""
    variety: str = ""
    terms: dict[str, float | str] = {}
    held: bool = False
    status: OrderStatus = OrderStatus.OPEN
    filled_quantity: int = 0
    average_price: float = 0.0
    reason: str = ""
    placed: int = 0
    updated: int = 0
    changes: int = 0
    modifications: int = 0

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
    RELEASED = "released"
    TRIGGERED = "triggered"
    FILLED = "filled"
    CANCELLED = "cancelled"


class Entry(NamedTuple):
    """One line of the ledger: the order as it was right after the event."""

    time: int
    kind: Kind
    order: Order


class Snapshot(NamedTuple):
    """The ledger as it was at one instant: nothing in it changes any more, any thread may read it."""

    entries: tuple[Entry, ...]
    orders: dict[str, Order]
    trades: tuple[Trade, ...]

    def tags(self, owner: str, length: int | None = None) -> dict[str, list[Order]]:
        """All orders of an owner by their tag (or what it begins with), those without one under the empty text, oldest
        first."""
        found: dict[str, list[Order]] = {}
        for order in self.orders.values():
            if order.owner == owner:
                found.setdefault(order.tag[:length], []).append(order)
        return found


class Ledger:
    """Everything that clients' orders ever did here. Written by the exchange's thread; `snapshot` is for any thread."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.orders: dict[str, Order] = {}
        self.trades: list[Trade] = []
        self._lock = threading.Lock()
        self._histories: dict[str, list[Entry]] = {}
        self._trades: dict[str, list[Trade]] = {}
        self._owners: dict[str, list[Order]] = {}
        self._tags: dict[tuple[str, str], list[Order]] = {}

    def write(self, time: int, kind: Kind, order: Order, trade: Trade | None = None) -> None:
        entry = Entry(time, kind, msgspec.structs.replace(order))
        with self._lock:
            if order.order_id not in self.orders:
                self.orders[order.order_id] = order
                self._histories[order.order_id] = []
                self._owners.setdefault(order.owner, []).append(order)
                self._tags.setdefault((order.owner, order.tag), []).append(order)
            self.entries.append(entry)
            self._histories[order.order_id].append(entry)
            if trade is not None:
                self.trades.append(trade)
                self._trades.setdefault(trade.order_id, []).append(trade)

    def of(self, owner: str) -> list[Order]:
        """The orders of an owner, oldest first."""
        return list(self._owners.get(owner, ()))

    def tagged(self, owner: str, tag: str) -> list[Order]:
        """The orders that an owner gave a tag: more than one is a doubled order."""
        return list(self._tags.get((owner, tag), ()))

    def history(self, order_id: str) -> list[Entry]:
        return list(self._histories.get(order_id, ()))

    def trades_of(self, order_id: str) -> list[Trade]:
        return list(self._trades.get(order_id, ()))

    def snapshot(self) -> Snapshot:
        with self._lock:
            orders = {order_id: entries[-1].order for order_id, entries in self._histories.items()}
            return Snapshot(tuple(self.entries), orders, tuple(self.trades))
