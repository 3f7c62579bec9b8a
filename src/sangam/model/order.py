"""Orders in the unified language: what is asked, what is journalled, and what a broker tells of them.

Order prices are Decimal rupees, checked against the tick size; quantities are units (not lots); times are epoch
milliseconds."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from .enums import Action, Exchange, OrderStatus, PriceType, Product

NOTHING = Decimal(0)
MAX_TAG = 20
MAX_CLIENT_ID = 36
"""Characters."""
MAX_WAIT_MS = 60_000
"""An order that is older than that is not what its user meant any more."""


class TradingMode(StrEnum):
    """Where an order goes: to the broker, or to the paper book. It travels in every reply and in the order's id."""

    LIVE = "live"
    PAPER = "paper"

    @property
    def word(self) -> str:
        """What clients of the known API read as ``mode``."""
        return "analyze" if self is TradingMode.PAPER else "live"


class Validity(StrEnum):
    DAY = "DAY"
    IOC = "IOC"


class OrderState(StrEnum):
    """What we know of an order. The order of the members is no ranking: `orders.states` says what may follow what."""

    DENIED = "denied"
    """Refused by us; nothing was sent."""
    PENDING = "pending"
    """Journalled, not yet sent."""
    SENT = "sent"
    """The first byte may have left; no outcome yet."""
    UNKNOWN = "unknown"
    """It may or may not have happened: only evidence changes that."""
    OPEN = "open"
    TRIGGER_PENDING = "trigger pending"
    PARTIALLY_FILLED = "partially filled"
    COMPLETE = "complete"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        return self in _FINAL

    @classmethod
    def told(cls, status: str) -> "OrderState":
        """What a broker's unified status says. Raises ValueError for what is none."""
        return cls(OrderStatus(status).value)

    @property
    def outward(self) -> OrderStatus:
        """What clients of the known API read as ``order_status``."""
        return _OUTWARD.get(self) or OrderStatus(self.value)


_FINAL = frozenset(
    {OrderState.DENIED, OrderState.COMPLETE, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED}
)
_OUTWARD = {
    OrderState.DENIED: OrderStatus.REJECTED,
    OrderState.PENDING: OrderStatus.OPEN,
    OrderState.SENT: OrderStatus.OPEN,
    OrderState.UNKNOWN: OrderStatus.OPEN,
    OrderState.PARTIALLY_FILLED: OrderStatus.OPEN,
    OrderState.EXPIRED: OrderStatus.CANCELLED,
}


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller asks for. `tag` is the caller's own word (at most 20 characters), echoed in books and events;
    `client_order_id` (at most 36) makes the placement idempotent; `wait_ms` is how long it may wait for a slot of the
    rate limit before it is denied."""

    symbol: str
    exchange: Exchange
    action: Action
    quantity: int
    price_type: PriceType = PriceType.MARKET
    product: Product = Product.MIS
    price: Decimal = NOTHING
    trigger_price: Decimal = NOTHING
    disclosed_quantity: int = 0
    validity: Validity = Validity.DAY
    strategy: str = ""
    tag: str = ""
    client_order_id: str = ""
    wait_ms: int | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """All that an order made of it has from it, by the order's names."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "wait_ms"}


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A whole new set of terms for a waiting order; symbol, side and product cannot change. `protected` says that the
    price is the house's own, in place of none."""

    quantity: int
    price_type: PriceType
    price: Decimal = NOTHING
    trigger_price: Decimal = NOTHING
    disclosed_quantity: int = 0
    validity: Validity = Validity.DAY
    protected: bool = False


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order as the journal keeps it.

    `id` is ours (``L-``/``P-`` for the mode, then our tag); `order_id` the executor's, empty before it is known.
    `sent_*` are the price terms that really went out where `conversion` says that they differ from what was asked.
    `reason` and `code` (one of our error codes) say why it was denied or rejected. `native` is what the broker wants to
    be told again in a modify or cancel. `told_at` is the broker's own time of its newest news. `group` ties the orders
    of a basket or split together. `foreign` marks an order that was placed elsewhere and that we only
    heard of."""

    id: str
    account: str
    user: str
    broker: str
    mode: TradingMode
    symbol: str
    exchange: Exchange
    action: Action
    quantity: int
    price_type: PriceType
    product: Product
    price: Decimal = NOTHING
    trigger_price: Decimal = NOTHING
    disclosed_quantity: int = 0
    validity: Validity = Validity.DAY
    strategy: str = ""
    tag: str = ""
    client_order_id: str = ""
    key_id: str = ""
    group: str = ""
    conversion: str = ""
    sent_price_type: PriceType | None = None
    sent_price: Decimal | None = None
    state: OrderState = OrderState.PENDING
    order_id: str = ""
    filled_quantity: int = 0
    average_price: float = 0.0
    reason: str = ""
    code: str = ""
    native: Mapping[str, str] = {}
    created_at: int = 0
    sent_at: int = 0
    updated_at: int = 0
    told_at: int = 0
    foreign: bool = False

    @property
    def our_tag(self) -> str:
        """What the broker was given to echo: the id without its mode."""
        return self.id.partition("-")[2]

    @property
    def pending_quantity(self) -> int:
        return 0 if self.state.is_final else self.quantity - self.filled_quantity


class OrderUpdate(msgspec.Struct, kw_only=True):
    """What a broker tells about one order, in unified words; the instrument is named as the broker does: by `brsymbol`,
    or by `token` where the broker knows it by that, and `brexchange`.

    `status` is one of OrderStatus' values; `filled_quantity` is cumulative. `tag` is whatever the broker echoes."""

    order_id: str
    brsymbol: str
    brexchange: str
    action: str
    quantity: int
    status: str
    token: str = ""
    product: str = ""
    price_type: str = ""
    price: float = 0.0
    trigger_price: float = 0.0
    filled_quantity: int = 0
    pending_quantity: int = 0
    average_price: float = 0.0
    rejection_reason: str = ""
    tag: str = ""
    timestamp: int = 0
    disclosed_quantity: int = 0
    validity: str = "DAY"
    native: Mapping[str, str] = {}


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The executor took an order (or said that it changed or cancelled one): its id there, and what to tell again.
    `price` is the limit that went out where it is the house's own, which may be brought to the true tick on the way."""

    order_id: str
    native: Mapping[str, str] = {}
    price: Decimal | None = None


class OrderNews(msgspec.Struct, frozen=True, array_like=True):
    """One journalled event of an order, encoded once: `event` is the ``ORDER_...`` message with its number `seq`,
    `update` the ``order_update`` of the known protocol."""

    seq: int
    account: str
    event: bytes
    update: bytes
