"""What an account holds: trades, positions, holdings, funds, margins, GTTs. Instruments are named as the broker does
(`brexchange` with `token` where that is told, else with `brsymbol`); money is rupees, times are epoch milliseconds."""

from decimal import Decimal

import msgspec

from .enums import Action, PriceType, Product


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One fill. `trade_id` is unique within the account's day."""

    trade_id: str
    order_id: str
    brsymbol: str
    brexchange: str
    action: Action
    product: Product
    quantity: int
    price: float
    timestamp: int = 0
    token: str = ""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Net position of one instrument and product; `quantity` is signed. A closed one has quantity 0.

    `pnl` is realised and unrealised together, contract multiplier included."""

    brsymbol: str
    brexchange: str
    product: Product
    quantity: int
    average_price: float = 0.0
    ltp: float = 0.0
    pnl: float = 0.0
    realised: float = 0.0
    multiplier: float = 1.0
    token: str = ""


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery holding, T+1 shares included."""

    brsymbol: str
    brexchange: str
    quantity: int
    average_price: float = 0.0
    ltp: float = 0.0
    pnl: float = 0.0
    pnl_percent: float = 0.0
    product: Product = Product.CNC
    token: str = ""


class Funds(msgspec.Struct, frozen=True, kw_only=True):
    """All segments summed."""

    available_cash: float
    collateral: float = 0.0
    m2m_realised: float = 0.0
    m2m_unrealised: float = 0.0
    utilised: float = 0.0


class MarginLeg(msgspec.Struct, frozen=True, kw_only=True):
    """One order whose margin is asked. It is resolved: `symbol` and `exchange` travel beside as an Instrument."""

    action: Action
    quantity: int
    product: Product
    price_type: PriceType
    price: Decimal = Decimal(0)
    trigger_price: Decimal = Decimal(0)


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    total: float
    span: float = 0.0
    exposure: float = 0.0
    benefit: float | None = None


class GttLeg(msgspec.Struct, frozen=True, kw_only=True):
    """One order that a trigger releases: at `trigger` an order with these terms."""

    trigger: Decimal
    action: Action
    quantity: int
    price: Decimal
    price_type: PriceType = PriceType.LIMIT
    product: Product = Product.CNC


class Gtt(msgspec.Struct, frozen=True, kw_only=True):
    """A good-till-triggered order: one leg (single) or two (OCO, lower trigger first).

    `status` is one of active, triggered, disabled, expired, cancelled, rejected, deleted."""

    trigger_id: str
    brsymbol: str
    brexchange: str
    legs: tuple[GttLeg, ...]
    status: str = "active"
    last_price: float = 0.0
    created_at: int = 0
    updated_at: int = 0
    expires_at: int = 0
    token: str = ""
