"""What a paper book consists of, as it is stored. Money is Decimal rupees, times are epoch milliseconds, days ISO dates
in IST."""

from decimal import Decimal

import msgspec

from sangam.model.books import GttLeg
from sangam.model.enums import Action, Exchange, OrderStatus, PriceType, Product
from sangam.model.instrument import Instrument
from sangam.model.order import Validity

ZERO = Decimal(0)
PositionKey = tuple[str, Exchange, Product]
HoldingKey = tuple[str, Exchange]


class PaperOrder(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`opening` units of what is still to be filled would enlarge the position; `blocked` is held for them at `unit`
    each. `value` is the sum of price times quantity of its fills. `stamp` is the state of the market at its entry.
    `closing` orders are the house's own square-offs: they close what there is, and open nothing."""

    id: str
    account: str
    instrument: Instrument
    action: Action
    quantity: int
    price_type: PriceType
    product: Product
    price: Decimal = ZERO
    trigger_price: Decimal = ZERO
    disclosed_quantity: int = 0
    validity: Validity = Validity.DAY
    strategy: str = ""
    tag: str = ""
    status: OrderStatus = OrderStatus.OPEN
    triggered: bool = False
    closing: bool = False
    filled: int = 0
    value: Decimal = ZERO
    opening: int = 0
    unit: Decimal = ZERO
    blocked: Decimal = ZERO
    reason: str = ""
    day: str = ""
    created_at: int = 0
    updated_at: int = 0
    stamp: tuple[object, ...] = ()

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled

    @property
    def average(self) -> Decimal:
        return self.value / self.filled if self.filled else ZERO

    @property
    def sign(self) -> int:
        return 1 if self.action is Action.BUY else -1

    @property
    def key(self) -> PositionKey:
        return self.instrument.symbol, self.instrument.exchange, self.product


class PaperTrade(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    trade_id: str
    order_id: str
    account: str
    instrument: Instrument
    action: Action
    product: Product
    quantity: int
    price: Decimal
    charges: Decimal = ZERO
    strategy: str = ""
    day: str = ""
    timestamp: int = 0


class PaperPosition(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`quantity` is signed, and so is `cost`: what the open part was bought (sold: negative) for, multiplier included.
    `realised` is this session's; `opened_at` is when it last left flat."""

    account: str
    instrument: Instrument
    product: Product
    quantity: int = 0
    cost: Decimal = ZERO
    margin: Decimal = ZERO
    realised: Decimal = ZERO
    multiplier: Decimal = Decimal(1)
    ltp: Decimal = ZERO
    opened_at: int = 0
    updated_at: int = 0

    @property
    def average(self) -> Decimal:
        return self.cost / (self.quantity * self.multiplier) if self.quantity else ZERO

    @property
    def key(self) -> PositionKey:
        return self.instrument.symbol, self.instrument.exchange, self.product

    @property
    def exit(self) -> Action:
        """The side of an order that would close it."""
        return Action.SELL if self.quantity > 0 else Action.BUY

    def unrealised(self, ltp: Decimal | None = None) -> Decimal:
        """At a price, else at the last that was seen."""
        price = ltp or self.ltp
        return self.quantity * price * self.multiplier - self.cost if price else ZERO


class PaperHolding(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`settled` is the day on which its newest part came out of a position."""

    account: str
    instrument: Instrument
    quantity: int
    cost: Decimal
    settled: str
    ltp: Decimal = ZERO

    @property
    def average(self) -> Decimal:
        return self.cost / self.quantity if self.quantity else ZERO

    @property
    def key(self) -> HoldingKey:
        return self.instrument.symbol, self.instrument.exchange


class PaperGtt(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`rising` tells of each leg whether it waits for a price at or above its trigger."""

    id: str
    account: str
    instrument: Instrument
    legs: tuple[GttLeg, ...]
    rising: tuple[bool, ...]
    status: str = "active"
    reason: str = ""
    last_price: float = 0.0
    created_at: int = 0
    updated_at: int = 0
    expires_at: int = 0


class Balance(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`cash` is the capital with realised results and charges, less what holdings cost; what is blocked is still in it.
    `session` is the trading day that began at 03:00, `settled` the day up to which delivery was settled, `resets_from`
    when the weekly reset got its present hour."""

    cash: Decimal
    realised_today: Decimal = ZERO
    realised_total: Decimal = ZERO
    charges_today: Decimal = ZERO
    charges_total: Decimal = ZERO
    session: str = ""
    settled: str = ""
    serial: int = 0
    created_at: int = 0
    last_reset: int = 0
    reset_count: int = 0
    resets_from: int = 0


class DayResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a session came to; `equity` is cash with positions and holdings at the last prices."""

    day: str
    realised: Decimal
    unrealised: Decimal
    charges: Decimal
    equity: Decimal
