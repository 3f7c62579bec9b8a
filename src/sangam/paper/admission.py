"""Who may enter the paper book: what a broker would refuse is refused, with the reason (specs: symbols.md, 5.2)."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from sangam.model.clock import IST
from sangam.model.enums import Exchange, OrderStatus, Product
from sangam.model.errors import Refused
from sangam.model.instrument import Instrument

from .config import MORNING, Config
from .state import PaperOrder

INVALID_ORDER = "INVALID_ORDER"
INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
MARKET_CLOSED = "MARKET_CLOSED"

SETTLEMENTS: Mapping[Exchange, time] = {
    Exchange.NFO: time(15, 40),
    Exchange.BFO: time(15, 40),
    Exchange.CDS: time(17, 0),
    Exchange.BCD: time(17, 0),
    Exchange.MCX: time(23, 30),
    Exchange.NCDEX: time(17, 0),
}
_SETTLEMENT = time(15, 30)
"""When contracts of an exchange are settled on the day of their expiry."""

_CASH = (Exchange.NSE, Exchange.BSE)


def refuse_terms(order: PaperOrder, today: date) -> None:
    """Raises Refused where product, contract, quantity or prices are wrong."""
    instrument = order.instrument
    exchange = instrument.exchange
    if exchange.is_index:
        raise Refused(f"{instrument.symbol} is an index of {exchange}: it cannot be traded.", INVALID_ORDER)
    if order.product is Product.NRML and exchange in _CASH:
        raise Refused(f"Product NRML is not possible on {exchange}. Use CNC or MIS.", INVALID_ORDER)
    if order.product is Product.CNC and exchange not in _CASH:
        raise Refused(f"Product CNC is not possible on {exchange}. Use NRML or MIS.", INVALID_ORDER)
    if instrument.expiry is not None and instrument.expiry < today:
        raise Refused(f"{instrument.symbol} expired on {instrument.expiry:%d-%b-%Y}.", INVALID_ORDER)
    if order.quantity <= 0:
        raise Refused("Quantity must be greater than zero.", INVALID_ORDER)
    if exchange not in _CASH and order.quantity % instrument.lot_size:
        raise Refused(f"Quantity must be in multiples of lot size {instrument.lot_size}", INVALID_ORDER)
    if order.price_type.has_price and order.price <= 0:
        raise Refused(f"Price must be greater than zero for {order.price_type.value} orders.", INVALID_ORDER)
    if order.price_type.has_trigger and order.trigger_price <= 0:
        raise Refused(f"Trigger price must be greater than zero for {order.price_type.value} orders.", INVALID_ORDER)


def expired(instrument: Instrument, config: Config, now: datetime) -> bool:
    """Whether a contract is settled by now."""
    if instrument.expiry is None:
        return False
    day = instrument.expiry + timedelta(days=config.expiry_settlement_timing == "next_day")
    return now >= datetime.combine(day, SETTLEMENTS.get(instrument.exchange, _SETTLEMENT), IST)


def refuse_settled(instrument: Instrument, config: Config, now: datetime) -> None:
    """Raises Refused where a contract was settled earlier today."""
    if expired(instrument, config, now):
        raise Refused(f"{instrument.symbol} expired and is settled.", INVALID_ORDER)


def squared_off(now: datetime, exchange: Exchange, config: Config) -> bool:
    """Whether the hour lies between an exchange's square-off and the next morning."""
    at = config.square_off(exchange)
    return at is not None and (now.time() >= at or now.time() < MORNING)


def after_square_off(exchange: Exchange, config: Config) -> Refused:
    """Why an intraday position cannot grow at this hour."""
    return Refused(
        f"MIS orders cannot be placed after square-off time ({config.square_off(exchange):%H:%M} IST). "
        "Trading resumes at 09:00 AM IST.",
        MARKET_CLOSED,
    )


def short_of_funds(required: Decimal, available: Decimal) -> str:
    """Why an order that needs more than there is cannot be."""
    return (
        f"Insufficient funds. Required: ₹{required:,.2f}, Available: ₹{available:,.2f}, "
        f"Shortage: ₹{required - available:,.2f}"
    )


def refuse_change(order: PaperOrder | None, order_id: str, verb: str) -> PaperOrder:
    """An order that can still be changed. Raises Refused."""
    if order is None:
        raise Refused(f"Order {order_id} not found", "INVALID_INPUT")
    if order.status not in (OrderStatus.OPEN, OrderStatus.TRIGGER_PENDING):
        raise Refused(f"Cannot {verb} order in {order.status.value} status", "ORDER_ERROR")
    return order
