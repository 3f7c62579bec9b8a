"""What a strategy program is told: orders, ticks, books. Prices are rupees, quantities units, times epoch
milliseconds."""

import msgspec

from sangam.model.enums import Exchange, Product
from sangam.model.market import Depth
from sangam.model.order import Order, OrderState

__all__ = ["GttInfo", "HoldingInfo", "OrderInfo", "PositionInfo", "Tick", "TradeInfo"]


class OrderInfo(Order, frozen=True, kw_only=True):
    """One order. `event` (``ORDER_FILLED`` ...) and its number `seq` are there in `on_order_update` only.

    `order_id` is the executor's, empty before it is known; wherever an order is named, its `client_order_id` and our
    `id` do as well."""

    event: str = ""
    seq: int = 0

    @property
    def side(self) -> str:
        return self.action.value

    @property
    def status(self) -> OrderState:
        return self.state

    @property
    def is_final(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state.is_final


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of one instrument. None is unknown, never zero; `close` is the previous day's; `ltt` is when the last
    trade happened. `simulated` prices are none of a real market."""

    symbol: str
    exchange: str
    ltp: float
    simulated: bool = False
    timestamp: int = 0
    ltt: int | None = None
    open: float | None = None
    high: float | None = None
    low: float | None = None
    close: float | None = None
    volume: int | None = None
    oi: int | None = None
    oi_day_high: int | None = None
    oi_day_low: int | None = None
    last_trade_quantity: int | None = None
    avg_trade_price: float | None = None
    total_buy_quantity: int | None = None
    total_sell_quantity: int | None = None
    upper_circuit: float | None = None
    lower_circuit: float | None = None
    bid_price: float | None = None
    bid_size: int | None = None
    ask_price: float | None = None
    ask_size: int | None = None
    depth: Depth | None = None


class PositionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A net position; `quantity` is signed, `pnl` is realised and unrealised together."""

    symbol: str
    exchange: Exchange
    product: Product
    quantity: int
    average_price: float = 0.0
    ltp: float = 0.0
    pnl: float = 0.0


class HoldingInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Shares held for delivery."""

    symbol: str
    exchange: Exchange
    quantity: int
    average_price: float = 0.0
    ltp: float = 0.0
    pnl: float = 0.0


class TradeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One fill."""

    trade_id: str
    order_id: str
    symbol: str
    exchange: Exchange
    side: str
    product: Product
    quantity: int
    price: float
    timestamp: int = 0


class GttInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A good-till-triggered order; `triggers` are one price, or two of an OCO."""

    trigger_id: str
    symbol: str
    exchange: Exchange
    status: str
    triggers: tuple[float, ...]
    quantity: int
    side: str
