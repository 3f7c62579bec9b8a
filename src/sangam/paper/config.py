"""A paper book's settings, with the values that each may take (specs: symbols.md, 5.1 and 5.7)."""

import re
from collections.abc import Mapping
from datetime import time
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from sangam.model.enums import Exchange
from sangam.model.errors import InvalidInput

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NEVER = "Never"
MORNING = time(9, 0)
"""When intraday orders are taken again after a square-off."""


class Config(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Times are ``HH:MM`` in IST, intervals seconds, money rupees.

    `charges` takes statutory charges off each fill; `depth_fills` lets an order take no more than the book shows."""

    starting_capital: Decimal = Decimal(10_000_000)
    reset_day: str = NEVER
    reset_time: str = "00:00"
    order_check_interval: int = 5
    mtm_update_interval: int = 5
    nse_bse_square_off_time: str = "15:15"
    cds_bcd_square_off_time: str = "16:45"
    mcx_square_off_time: str = "23:30"
    ncdex_square_off_time: str = "17:00"
    equity_mis_leverage: Decimal = Decimal(5)
    equity_cnc_leverage: Decimal = Decimal(1)
    futures_leverage: Decimal = Decimal(10)
    option_buy_leverage: Decimal = Decimal(1)
    option_sell_leverage: Decimal = Decimal(1)
    expiry_settlement_timing: str = "expiry_day_close"
    option_expiry_settlement: str = "ltp"
    charges: bool = False
    depth_fills: bool = False

    def square_off(self, exchange: Exchange) -> time | None:
        """When intraday positions of an exchange are closed; None where they may stay."""
        name = _SQUARE_OFFS.get(exchange)
        return time.fromisoformat(getattr(self, name)) if name else None


_SQUARE_OFFS = {
    Exchange.NSE: "nse_bse_square_off_time",
    Exchange.BSE: "nse_bse_square_off_time",
    Exchange.NFO: "nse_bse_square_off_time",
    Exchange.BFO: "nse_bse_square_off_time",
    Exchange.CDS: "cds_bcd_square_off_time",
    Exchange.BCD: "cds_bcd_square_off_time",
    Exchange.MCX: "mcx_square_off_time",
    Exchange.NCDEX: "ncdex_square_off_time",
}
_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "starting_capital": (100_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000),
    "reset_day": (*WEEKDAYS, NEVER),
    "expiry_settlement_timing": ("expiry_day_close", "next_day"),
    "option_expiry_settlement": ("ltp", "zero"),
    "charges": (True, False),
    "depth_fills": (True, False),
}
_RANGES = {"order_check_interval": (1, 30), "mtm_update_interval": (0, 60)}
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def changed(config: Config, values: Mapping[str, Any]) -> Config:
    """The settings with some of them replaced. Raises InvalidInput, which says what would be allowed."""
    return msgspec.structs.replace(config, **{name: _read(name, value) for name, value in values.items()})


def _read(name: str, value: Any) -> Any:
    if name not in Config.__struct_fields__:
        raise InvalidInput(f"Unknown setting '{name}'. Known: {', '.join(Config.__struct_fields__)}.")
    if name in _CHOICES:
        read = _number(name, value) if name == "starting_capital" else value
        if read not in _CHOICES[name] or (isinstance(read, int | float) and not isinstance(read, bool)):
            raise InvalidInput(f"{name} must be one of {', '.join(str(choice) for choice in _CHOICES[name])}.")
        return read
    if name.endswith("_time"):
        if not isinstance(value, str) or not _TIME.fullmatch(value):
            raise InvalidInput(f"{name} must be a time like 15:15.")
        if name in _SQUARE_OFFS.values() and time.fromisoformat(value) <= MORNING:
            raise InvalidInput(f"{name} must be later than {MORNING:%H:%M}, when intraday orders are taken again.")
        return value
    low, high = _RANGES.get(name, (1, 50))
    number = _number(name, value)
    if not low <= number <= high or (name in _RANGES and number != int(number)):
        raise InvalidInput(f"{name} must be between {low} and {high}.")
    return int(number) if name in _RANGES else number


def _number(name: str, value: Any) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise InvalidInput(f"{name} must be a number.")
    return number
