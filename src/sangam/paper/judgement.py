"""Whether a book can take an order, and what it blocks for it (specs: symbols.md, 5.2 and 5.3)."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING

from sangam.model.clock import ist_from_ms
from sangam.model.enums import PriceType, Product
from sangam.model.errors import Refused
from sangam.model.instrument import Instrument

from . import admission, margin
from .quote import Quote
from .state import ZERO, PaperGtt, PaperHolding, PaperOrder, PaperPosition

if TYPE_CHECKING:
    from .book import PaperBook


class Uncovered(Refused):
    """More shares than there are; a broker's books show such an order as rejected."""


def judge(
    book: "PaperBook", order: PaperOrder, quote: Quote | None, available: Decimal, now_ms: int
) -> tuple[int, Decimal]:
    """The units that an order opens, and what is blocked for each. Raises Refused."""
    admission.refuse_terms(order, ist_from_ms(now_ms).date())
    admission.refuse_settled(order.instrument, book.config, ist_from_ms(now_ms))
    refuse_other_market(book, order.account, order.instrument)
    _refuse_other_units(book, order)
    _refuse_unpriced(order, quote)
    _refuse_intraday(book, order, now_ms)
    _refuse_uncovered(book, order)
    units, unit = opening(book, order), unit_of(book, order, quote)
    required = margin.amount(units, unit)
    if required > 0 and required > available:
        raise Refused(admission.short_of_funds(required, available), admission.INSUFFICIENT_FUNDS)
    return units, unit


def opening(book: "PaperBook", order: PaperOrder) -> int:
    """How many units of an order would enlarge its position as it is now: an exit never wants money, whatever else
    waits to be an exit. Should it open after all, the money must be there when it fills."""
    against = max(0, -order.sign * book.ledger.quantity(order.key))
    return order.remaining - min(order.remaining, against)


def unit_of(book: "PaperBook", order: PaperOrder, quote: Quote | None) -> Decimal:
    """What is blocked for each unit: at the limit, the trigger, or what a MARKET order would meet."""
    match order.price_type:
        case PriceType.LIMIT:
            price = order.price
        case PriceType.SL | PriceType.SL_M:
            price = order.trigger_price
        case _:
            price = quote.touch(order.action) if quote else ZERO
    instrument = order.instrument
    return margin.unit(instrument, order.product, order.action, price, book.multiplier(instrument), book.config)


def _refuse_unpriced(order: PaperOrder, quote: Quote | None) -> None:
    if order.price_type is PriceType.MARKET and not (quote and quote.touch(order.action)):
        raise Refused(
            f"There is no current price of {order.instrument.symbol} on {order.instrument.exchange}, so a MARKET "
            "order cannot be filled. Try again when its market is open, or use LIMIT.",
            admission.MARKET_CLOSED,
        )


def refuse_other_market(book: "PaperBook", account: str, instrument: Instrument) -> None:
    """Prices of a simulated market fill nothing of the real one, and the other way round: what is open in an instrument
    is open in one of them."""
    simulated = book.always_open(account)
    other = next((one for one in _open(book, instrument) if book.always_open(one.account) != simulated), None)
    if other is not None:
        raise Refused(
            f"{instrument.symbol} is open at prices of another market (account {other.account}: simulated or real). "
            "Close it there first.",
            admission.INVALID_ORDER,
        )


def _refuse_other_units(book: "PaperBook", order: PaperOrder) -> None:
    """One account's broker may count a contract in lots and another's in units: sums of both would be wrong."""
    own = book.multiplier(order.instrument)
    if any(book.multiplier(one.instrument) != own for one in _open(book, order.instrument)):
        raise Refused(
            f"Another of your accounts counts {order.instrument.symbol} differently (lots or units), and has it open. "
            "Close it there first.",
            admission.INVALID_ORDER,
        )


def _open(book: "PaperBook", instrument: Instrument) -> Iterator[PaperOrder | PaperPosition | PaperHolding | PaperGtt]:
    """What is open in an instrument: of orders and of GTTs, which were judged one beside the other, the first."""
    at = instrument.symbol, instrument.exchange
    for product in Product:
        if (position := book.ledger.positions.get((*at, product))) is not None and position.quantity:
            yield position
    if at in book.ledger.holdings:
        yield book.ledger.holdings[at]
    yield from islice(book.open.get(at, {}).values(), 1)
    yield from islice(book.armed.get(at, {}).values(), 1)


def _refuse_intraday(book: "PaperBook", order: PaperOrder, now_ms: int) -> None:
    """After the square-off an order may reduce a position, and neither enlarge it nor turn it round."""
    if order.product is not Product.MIS or book.always_open(order.account):
        return
    exchange = order.instrument.exchange
    if order.key in book.closings:
        raise Refused(
            f"{order.instrument.symbol} is being squared off; order again once it is closed.", admission.MARKET_CLOSED
        )
    if admission.squared_off(ist_from_ms(now_ms), exchange, book.config):
        against = -order.sign * book.ledger.quantity(order.key)
        if order.remaining + _beside(book, order) > against:
            raise admission.after_square_off(exchange, book.config)


def _refuse_uncovered(book: "PaperBook", order: PaperOrder) -> None:
    """Delivery that is sold must be held or bought today, and not be for sale already."""
    if order.product is not Product.CNC or order.sign > 0:
        return
    holding = book.ledger.holdings.get(order.key[:2])
    held = (holding.quantity if holding else 0) + book.ledger.quantity(order.key)
    free = max(0, held - _beside(book, order))
    if free < order.remaining:
        raise Uncovered(
            f"Insufficient holdings of {order.instrument.symbol}. Required: {order.remaining}, Available: {free}",
            admission.INVALID_ORDER,
        )


def _beside(book: "PaperBook", order: PaperOrder) -> int:
    """Units of other orders that wait on the same side of the same position."""
    waiting = book.open.get(order.key[:2], {}).values()
    return sum(
        other.remaining
        for other in waiting
        if other.id != order.id and other.product is order.product and other.action is order.action
    )
