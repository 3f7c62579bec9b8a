"""What a user forbids his own programs: checked before an order is journalled."""

import msgspec

from .enums import Product


class Rules(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """None and empty mean no limit. `symbols` are ``EXCHANGE:SYMBOL`` patterns (``NFO:NIFTY*``); `price_band` is how
    many percent a limit may lie from the last price; `max_value` is rupees, premium for options. `killed` stops all new
    orders (cancels and reductions still pass)."""

    killed: bool = False
    max_quantity: int | None = None
    max_value: float | None = None
    max_orders_per_day: int | None = None
    symbols: tuple[str, ...] = ()
    products: tuple[Product, ...] = ()
    price_band: float | None = None
