"""Good-till-triggered orders on paper: they wait for a year, block nothing, and place an order once triggered."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from sangam.model.books import GttLeg
from sangam.model.clock import ist_from_ms
from sangam.model.errors import Refused
from sangam.model.instrument import Instrument

from .admission import INVALID_ORDER, refuse_terms
from .judgement import refuse_other_market
from .quote import Quote
from .state import PaperGtt, PaperOrder

if TYPE_CHECKING:
    from .book import PaperBook, Spot

ACTIVE = "active"
STRATEGY = "GTT"
LIFE_MS = 365 * 24 * 3600 * 1000


def place(
    book: "PaperBook", account: str, instrument: Instrument, legs: Sequence[GttLeg], last_price: float, now_ms: int
) -> PaperGtt:
    """Arm one leg, or two (the lower trigger first). Raises Refused."""
    refuse_other_market(book, account, instrument)
    rising = _judge(account, instrument, legs, last_price, now_ms)
    gtt = PaperGtt(
        id=f"GTT-{ist_from_ms(now_ms):%y%m%d}-{book.number():08x}",
        account=account,
        instrument=instrument,
        legs=tuple(legs),
        rising=rising,
        last_price=last_price,
        created_at=now_ms,
        expires_at=now_ms + LIFE_MS,
    )
    book.gtts[gtt.id] = gtt
    arm(book, gtt)
    _changed(book, gtt, now_ms)
    return gtt


def modify(
    book: "PaperBook", trigger_id: str, instrument: Instrument, legs: Sequence[GttLeg], last_price: float, now_ms: int
) -> PaperGtt:
    """Replace everything but the instrument. Raises Refused."""
    gtt = _waiting(book, trigger_id, "modify")
    if (instrument.symbol, instrument.exchange) != _spot(gtt):
        raise Refused("The instrument of a GTT cannot change. Cancel it and place another.", INVALID_ORDER)
    gtt.rising = _judge(gtt.account, instrument, legs, last_price, now_ms)
    gtt.legs, gtt.last_price = tuple(legs), last_price
    _changed(book, gtt, now_ms)
    return gtt


def cancel(book: "PaperBook", trigger_id: str, now_ms: int) -> PaperGtt:
    """Raises Refused."""
    gtt = _waiting(book, trigger_id, "cancel")
    end(book, gtt, "cancelled", "", now_ms)
    return gtt


def release(book: "PaperBook", instrument: "Spot", quote: Quote, now_ms: int) -> None:
    """Place the orders of those whose trigger the last price met; the other leg of an OCO is gone then."""
    for gtt in list(book.armed.get(instrument, {}).values()):
        for leg, rising in zip(gtt.legs, gtt.rising, strict=True):
            if quote.ltp >= leg.trigger if rising else quote.ltp <= leg.trigger:
                _fire(book, gtt, leg, quote, now_ms)
                break


def arm(book: "PaperBook", gtt: PaperGtt) -> None:
    """Let an active one hear of prices."""
    book.armed.setdefault(_spot(gtt), {})[gtt.id] = gtt


def end(book: "PaperBook", gtt: PaperGtt, status: str, reason: str, now_ms: int) -> None:
    gtt.status, gtt.reason = status, reason
    armed = book.armed[_spot(gtt)]
    del armed[gtt.id]
    if not armed:
        del book.armed[_spot(gtt)]
    _changed(book, gtt, now_ms)


def _fire(book: "PaperBook", gtt: PaperGtt, leg: GttLeg, quote: Quote, now_ms: int) -> None:
    end(book, gtt, "triggered", "", now_ms)
    try:
        book.place(_order(book.own_order_id(now_ms), gtt.account, gtt.instrument, leg), quote, now_ms)
    except Refused as refused:
        gtt.status, gtt.reason = "rejected", str(refused)


def _judge(
    account: str, instrument: Instrument, legs: Sequence[GttLeg], last_price: float, now_ms: int
) -> tuple[bool, ...]:
    """Which way the price must go for each leg. Raises Refused."""
    today, last = ist_from_ms(now_ms).date(), Decimal(str(last_price))
    if len(legs) not in (1, 2):
        raise Refused("A GTT has one leg, or two (OCO).", INVALID_ORDER)
    for leg in legs:
        refuse_terms(_order("", account, instrument, leg), today)
        if leg.trigger <= 0 or leg.trigger == last:
            raise Refused("A trigger must be greater than zero and differ from the last price.", INVALID_ORDER)
    if len(legs) == 2:
        if not legs[0].trigger < last < legs[1].trigger:
            raise Refused("The triggers of an OCO must lie on both sides of the last price.", INVALID_ORDER)
        return (False, True)
    return (legs[0].trigger > last,)


def _order(order_id: str, account: str, instrument: Instrument, leg: GttLeg) -> PaperOrder:
    return PaperOrder(
        id=order_id,
        account=account,
        instrument=instrument,
        action=leg.action,
        quantity=leg.quantity,
        price_type=leg.price_type,
        product=leg.product,
        price=leg.price,
        strategy=STRATEGY,
        tag=STRATEGY,
    )


def _waiting(book: "PaperBook", trigger_id: str, verb: str) -> PaperGtt:
    gtt = book.gtts.get(trigger_id)
    if gtt is None:
        raise Refused(f"GTT {trigger_id} not found", "INVALID_INPUT")
    if gtt.status != ACTIVE:
        raise Refused(f"Cannot {verb} GTT in {gtt.status} status", "ORDER_ERROR")
    return gtt


def _changed(book: "PaperBook", gtt: PaperGtt, now_ms: int) -> None:
    gtt.updated_at = now_ms
    book.dirty["gtt", gtt.id] = gtt


def _spot(gtt: PaperGtt) -> "Spot":
    return gtt.instrument.symbol, gtt.instrument.exchange
