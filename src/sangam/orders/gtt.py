"""The legs of a good-till-triggered order (specs: contract-rest.md, 3.11)."""

from decimal import Decimal
from typing import Literal

from sangam.model.books import GttLeg
from sangam.model.enums import Action, PriceType, Product
from sangam.model.errors import InvalidInput

NOTHING = Decimal(0)


def gtt_legs(
    kind: Literal["SINGLE", "OCO"],
    action: Action,
    quantity: int,
    product: Product,
    price_type: PriceType = PriceType.LIMIT,
    *,
    price: Decimal = NOTHING,
    trigger_sl: Decimal = NOTHING,
    trigger_tg: Decimal = NOTHING,
    stoploss: Decimal = NOTHING,
    target: Decimal = NOTHING,
) -> tuple[GttLeg, ...]:
    """One leg at its trigger (the stop's where both are given), or two of an OCO, the lower trigger first.

    Raises InvalidInput."""

    def leg(trigger: Decimal, limit: Decimal) -> GttLeg:
        return GttLeg(
            trigger=trigger, action=action, quantity=quantity, price=limit, price_type=price_type, product=product
        )

    if product is Product.MIS:
        raise InvalidInput("GTT orders are for CNC and NRML; MIS ends with the day.")
    if kind == "SINGLE":
        trigger = trigger_sl or trigger_tg
        if trigger <= 0:
            raise InvalidInput("A SINGLE GTT needs triggerprice_sl or triggerprice_tg above 0.")
        if price_type is PriceType.LIMIT and price <= 0:
            raise InvalidInput("A LIMIT GTT needs a price above 0.")
        return (leg(trigger, price if price_type is PriceType.LIMIT else NOTHING),)
    if min(trigger_sl, trigger_tg, stoploss, target) <= 0:
        raise InvalidInput("An OCO GTT needs triggerprice_sl, triggerprice_tg, stoploss and target, all above 0.")
    if trigger_sl >= trigger_tg:
        raise InvalidInput("triggerprice_sl must be below triggerprice_tg.")
    return leg(trigger_sl, stoploss), leg(trigger_tg, target)
