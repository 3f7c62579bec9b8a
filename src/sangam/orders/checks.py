"""What every exchange and broker would refuse anyway, refused before anything is sent: pure functions.

Each raises Denied with a text that says what to do. Prices are compared with the tick size in decimal arithmetic."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_FLOOR, Decimal

import msgspec

from sangam.brokers.contract import Trading
from sangam.model.books import GttLeg
from sangam.model.enums import Action, Exchange, InstrumentType, PriceType, Product
from sangam.model.errors import Denied
from sangam.model.instrument import Instrument
from sangam.model.order import MAX_CLIENT_ID, MAX_TAG, MAX_WAIT_MS, NOTHING, Change, Order, Ticket, Validity

HIGHEST = Decimal(10_000_000)
"""Rupees; no instrument costs as much, and decimal arithmetic stays exact below it."""

_CASH = frozenset({Product.CNC, Product.MIS})
_CARRIED = frozenset({Product.NRML, Product.MIS})
PRODUCTS: Mapping[Exchange, frozenset[Product]] = {
    exchange: _CASH if exchange in (Exchange.NSE, Exchange.BSE) else _CARRIED
    for exchange in Exchange
    if not exchange.is_index
}


def check(
    ticket: Ticket, instrument: Instrument, today: date, *, trading: Trading | None = None, freeze: int | None = None
) -> Ticket:
    """The ticket without prices that its price type does not have. `trading` narrows by what a broker offers, `freeze`
    is the largest order the exchange takes in one piece, where that is known."""
    _check_words(ticket)
    _check_tradable(instrument, today)
    _check_product(ticket, trading)
    _check_quantity(ticket.quantity, instrument, freeze)
    if not 0 <= ticket.disclosed_quantity <= ticket.quantity:
        raise Denied(f"Disclosed quantity must lie between 0 and the quantity, {ticket.quantity}.")
    if ticket.validity is Validity.IOC and trading is not None and ticket.exchange in trading.no_ioc:
        raise Denied(f"{ticket.exchange} takes no IOC orders from programs here. Use DAY.")
    clean = plain(ticket)
    _check_prices(clean, instrument)
    return clean


def plain(ticket: Ticket) -> Ticket:
    """Without prices that its price type does not have."""
    return msgspec.structs.replace(
        ticket,
        price=ticket.price if ticket.price_type.has_price else NOTHING,
        trigger_price=ticket.trigger_price if ticket.price_type.has_trigger else NOTHING,
    )


def check_change(
    order: Order,
    change: Change,
    instrument: Instrument,
    today: date,
    *,
    trading: Trading | None = None,
    freeze: int | None = None,
) -> Change:
    """The change without prices that its price type does not have."""
    if change.quantity <= order.filled_quantity:
        raise Denied(
            f"{order.filled_quantity} of {order.symbol} are filled already; the quantity must be more. "
            "Cancel the order to keep what is filled."
        )
    clean = check(ticket_of(order, change), instrument, today, trading=trading, freeze=freeze)
    return msgspec.structs.replace(change, price=clean.price, trigger_price=clean.trigger_price)


def ticket_of(order: Order, change: Change) -> Ticket:
    """What one would have asked for to get the changed order."""
    return Ticket(
        symbol=order.symbol,
        exchange=order.exchange,
        action=order.action,
        product=order.product,
        quantity=change.quantity,
        price_type=change.price_type,
        price=change.price,
        trigger_price=change.trigger_price,
        disclosed_quantity=change.disclosed_quantity,
        validity=change.validity,
    )


def check_gtt(instrument: Instrument, legs: Sequence[GttLeg], today: date | None = None) -> None:
    """One leg, or two of which the lower trigger comes first. `today` also refuses contracts that are over."""
    _check_tradable(instrument, today)
    if not 1 <= len(legs) <= 2:
        raise Denied("A GTT has one leg (single) or two (OCO).")
    allowed = PRODUCTS.get(instrument.exchange, frozenset()) - {Product.MIS}
    for leg in legs:
        if leg.product not in allowed:
            raise Denied(f"A GTT on {instrument.exchange} does not take product {leg.product}. Use {_or(allowed)}.")
        if leg.price_type.has_trigger:
            raise Denied("The order of a GTT is LIMIT or MARKET; its trigger is the GTT's own.")
        _check_quantity(leg.quantity, instrument, None)
        _check_price("Trigger price of a GTT", leg.trigger, instrument)
        if leg.price_type is PriceType.LIMIT:
            _check_price("Price of a LIMIT order", leg.price, instrument)
    if len(legs) == 2 and legs[0].trigger >= legs[1].trigger:
        raise Denied(f"An OCO needs its stop-loss trigger below its target: {legs[0].trigger} and {legs[1].trigger}.")


def tickets_of(instrument: Instrument, legs: Sequence[GttLeg]) -> list[Ticket]:
    """The orders that a GTT may release."""
    return [
        Ticket(
            symbol=instrument.symbol,
            exchange=instrument.exchange,
            action=leg.action,
            quantity=leg.quantity,
            price_type=PriceType.LIMIT,
            product=leg.product,
            price=leg.price if leg.price_type is PriceType.LIMIT else leg.trigger,
        )
        for leg in legs
    ]


# --- single rules -----------------------------------------------------------------------------------------------------


def _check_words(ticket: Ticket) -> None:
    for name, text, longest in (
        ("tag", ticket.tag, MAX_TAG),
        ("client_order_id", ticket.client_order_id, MAX_CLIENT_ID),
    ):
        if len(text) > longest or not (text.isascii() and text.isprintable()):
            raise Denied(f"{name} may have at most {longest} printable ASCII characters.", "INVALID_INPUT")
    if ticket.wait_ms is not None and not 0 <= ticket.wait_ms <= MAX_WAIT_MS:
        raise Denied(f"wait_ms must lie between 0 and {MAX_WAIT_MS}.", "INVALID_INPUT")


def _check_tradable(instrument: Instrument, today: date | None) -> None:
    if instrument.exchange.is_index or instrument.instrument_type is InstrumentType.INDEX:
        raise Denied(
            f"{instrument.symbol} is an index: it has prices, but nobody can buy it. Trade a future or option."
        )
    if instrument.expiry is not None and today is not None and instrument.expiry < today:
        raise Denied(f"{instrument.symbol} expired on {instrument.expiry}. Choose a later expiry.")


def _check_product(ticket: Ticket, trading: Trading | None) -> None:
    allowed = PRODUCTS.get(ticket.exchange, frozenset())
    if trading is not None:
        allowed &= trading.products.get(ticket.exchange, frozenset())
    if not allowed:
        raise Denied(f"This broker takes no orders for {ticket.exchange}.")
    if ticket.product not in allowed:
        raise Denied(f"{ticket.exchange} does not take product {ticket.product}. Use {_or(allowed)}.")


def _check_quantity(quantity: int, instrument: Instrument, freeze: int | None) -> None:
    lot = max(1, instrument.lot_size)
    if quantity <= 0:
        raise Denied("Quantity must be positive.")
    if quantity % lot:
        raise Denied(f"Quantity must be in multiples of lot size {lot}.")
    if freeze is not None and quantity > freeze:
        raise Denied(
            f"{instrument.exchange} takes at most {freeze} of {instrument.symbol} in one order (freeze quantity). "
            "Use splitorder, or send less."
        )


def _check_prices(ticket: Ticket, instrument: Instrument) -> None:
    if ticket.price_type.has_price:
        _check_price(f"Price of a {ticket.price_type} order", ticket.price, instrument)
    if ticket.price_type.has_trigger:
        _check_price(f"Trigger price of a {ticket.price_type} order", ticket.trigger_price, instrument)
    if ticket.price_type is PriceType.SL:
        buys = ticket.action is Action.BUY
        if ticket.trigger_price > ticket.price if buys else ticket.trigger_price < ticket.price:
            raise Denied(
                f"A {ticket.action} SL order needs its trigger price at or {'below' if buys else 'above'} its price: "
                f"{ticket.trigger_price} is {'above' if buys else 'below'} {ticket.price}."
            )


def _check_price(name: str, price: Decimal, instrument: Instrument) -> None:
    if not price.is_finite() or not 0 < price < HIGHEST:
        raise Denied(f"{name} must be a positive number of rupees.")
    tick = Decimal(str(instrument.tick_size))
    if tick > 0 and price % tick:
        below = (price / tick).to_integral_value(ROUND_FLOOR) * tick
        raise Denied(
            f"{name}: {price} is not a multiple of the tick size {tick} of {instrument.symbol}. "
            f"Use {below or tick} or {below + tick if below else tick * 2}."
        )


def _or(products: Iterable[Product]) -> str:
    return " or ".join(sorted(products))
