"""What orders and the questions about their margins say of an instrument and of prices (portal: Place order)."""

from decimal import Decimal
from typing import Any

from sangam.model.enums import Action, PriceType, Product
from sangam.model.instrument import Instrument

from .tables import ORDER_TYPES, PRODUCT_NAMES


def named(instrument: Instrument, action: Action, product: Product) -> dict[str, Any]:
    return {
        "instrumentId": instrument.token,
        "exchange": instrument.brexchange,
        "transactionType": action.value,
        "orderComplexity": "REGULAR",
        "product": PRODUCT_NAMES[product],
    }


def terms(price_type: PriceType, price: Decimal, trigger_price: Decimal) -> dict[str, Any]:
    """A price that the type has not is refused, and so is a missing one."""
    told: dict[str, Any] = {"orderType": ORDER_TYPES[price_type]}
    if price_type.has_price:
        told["price"] = float(price)
    if price_type.has_trigger:
        told["slTriggerPrice"] = float(trigger_price)
    return told
