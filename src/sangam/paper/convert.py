"""Turning part of a position into another product (intraday to delivery, intraday to overnight, and back)."""

from sangam.model.enums import Action, Exchange, Product
from sangam.model.errors import Refused
from sangam.model.instrument import Instrument

from . import margin
from .admission import INSUFFICIENT_FUNDS, INVALID_ORDER, short_of_funds
from .book import PaperBook, spot
from .state import ZERO

_PRODUCTS = {Exchange.NSE: (Product.CNC, Product.MIS), Exchange.BSE: (Product.CNC, Product.MIS)}
_DERIVATIVES = (Product.NRML, Product.MIS)


def convert(book: PaperBook, instrument: Instrument, old: Product, new: Product, quantity: int, now_ms: int) -> None:
    """Raises Refused, and then nothing changed."""
    ledger, at = book.ledger, spot(instrument)
    position = ledger.positions.get((*at, old))
    if position is None or not 0 < quantity <= abs(position.quantity):
        raise Refused(f"There is no {old} position of {quantity} {instrument.symbol} to convert.", INVALID_ORDER)
    if new is old or new not in _PRODUCTS.get(instrument.exchange, _DERIVATIVES):
        raise Refused(f"A {old} position of {instrument.exchange} cannot become {new}.", INVALID_ORDER)
    if new is Product.CNC and position.quantity < 0:
        raise Refused("A short position cannot become delivery.", INVALID_ORDER)
    if old is Product.CNC and quantity > _free(book, instrument):
        raise Refused("These shares are being sold already.", INVALID_ORDER)
    opposite = ledger.quantity((*at, new)) * position.quantity < 0
    if opposite:
        raise Refused(f"There is a {new} position of the other side. Close it first.", INVALID_ORDER)
    action = Action.of(position.quantity)
    unit = margin.unit(instrument, new, action, position.average, position.multiplier, book.config)
    needs = margin.amount(quantity, unit) - margin.share(position.margin, quantity, abs(position.quantity))
    if needs > max(ZERO, ledger.available):
        raise Refused(short_of_funds(needs, ledger.available), INSUFFICIENT_FUNDS)
    target = ledger.position(position.account, instrument, (*at, new), position.multiplier)
    ledger.convert(position, target, quantity, unit, now_ms)
    book.keep(position)
    book.keep(target)


def _free(book: PaperBook, instrument: Instrument) -> int:
    """Delivery shares that no waiting order sells."""
    at = spot(instrument)
    holding = book.ledger.holdings.get(at)
    waiting = sum(
        order.remaining
        for order in book.open.get(at, {}).values()
        if order.product is Product.CNC and order.action is Action.SELL
    )
    return (holding.quantity if holding else 0) + book.ledger.quantity((*at, Product.CNC)) - waiting
