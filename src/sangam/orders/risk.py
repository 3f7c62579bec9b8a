"""The user's own limits, checked before an order is journalled: pure functions.

Each raises Denied that names the rule and its figure. What may not wait (cancels, reductions) passes the kill switch
and the day's count."""

from decimal import Decimal
from fnmatch import fnmatchcase
from typing import NamedTuple

from sangam.model.enums import PriceType
from sangam.model.errors import Denied
from sangam.model.order import Ticket
from sangam.model.rules import Rules

FRESH_MS = 15_000
"""How old a last price may be that something is measured by."""


class Seen(NamedTuple):
    """The last price of an instrument, and how old it is."""

    price: Decimal
    age_ms: int

    @property
    def is_fresh(self) -> bool:
        return self.age_ms <= FRESH_MS


def check_kill(rules: Rules, *, urgent: bool = False) -> None:
    if rules.killed and not urgent:
        raise Denied("The kill switch is on: no new orders. Cancels and closeposition still work.")


def check_day(rules: Rules, placed_today: int) -> None:
    most = rules.max_orders_per_day
    if most is not None and placed_today >= most:
        raise Denied(f"Your limit of {most} orders a day (max_orders_per_day) is reached.")


def check_risk(rules: Rules, ticket: Ticket, seen: Seen | None) -> None:
    """What one order may be. `seen` is what is known of the instrument's price."""
    _check_listed(rules, ticket)
    if rules.max_quantity is not None and ticket.quantity > rules.max_quantity:
        raise Denied(f"Quantity {ticket.quantity} is more than your limit of {rules.max_quantity} (max_quantity).")
    if rules.max_value is not None:
        _check_value(rules.max_value, ticket, seen)
    if rules.price_band is not None:
        _check_band(rules.price_band, ticket, seen)


def _check_listed(rules: Rules, ticket: Ticket) -> None:
    name = f"{ticket.exchange}:{ticket.symbol}"
    if rules.symbols and not any(fnmatchcase(name, pattern) for pattern in rules.symbols):
        raise Denied(f"{name} is not among your allowed symbols ({', '.join(rules.symbols)}).")
    if rules.products and ticket.product not in rules.products:
        raise Denied(f"Product {ticket.product} is not among your allowed ones ({', '.join(rules.products)}).")


def _check_value(most: float, ticket: Ticket, seen: Seen | None) -> None:
    if ticket.price_type is PriceType.MARKET:
        price = _fresh(seen, ticket, "The order's value (max_value)")
    else:
        price = ticket.trigger_price if ticket.price_type is PriceType.SL_M else ticket.price
    value = price * ticket.quantity
    if value > Decimal(str(most)):
        raise Denied(f"The order is worth ₹{value:.2f}, more than your limit of ₹{most:.2f} (max_value).")


def _check_band(percent: float, ticket: Ticket, seen: Seen | None) -> None:
    """A LIMIT is measured from the last price, an SL from its trigger, where the market will be when it counts."""
    if ticket.price_type is PriceType.LIMIT:
        start, name = _fresh(seen, ticket, "The price band (price_band)"), "the last price"
    elif ticket.price_type is PriceType.SL:
        start, name = ticket.trigger_price, "its trigger"
    else:
        return
    if abs(ticket.price - start) * 100 > start * Decimal(str(percent)):
        raise Denied(f"Price {ticket.price} is more than {percent:g} % (price_band) away from {name}, {start}.")


def _fresh(seen: Seen | None, ticket: Ticket, what: str) -> Decimal:
    if seen is None:
        raise Denied(f"{what} cannot be checked: no live price of {ticket.symbol}. Subscribe to it first.")
    if not seen.is_fresh:
        raise Denied(
            f"{what} cannot be checked: the last price of {ticket.symbol} is {seen.age_ms / 1000:.0f} s old. "
            "Wait for a newer one."
        )
    return seen.price
