"""What of an order trades against a quote (specs: symbols.md, 5.4, improved).

A taking order (MARKET, or a LIMIT as it enters) pays the touch, a resting one gets its limit. With `Taken` nothing
trades beyond the visible book, and what was taken is not there again until its row changes."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from sangam.model.enums import Action

from .quote import Quote, Row
from .state import PaperOrder


class Fill(NamedTuple):
    price: Decimal
    quantity: int


class Taken:
    """What paper orders took out of one instrument's visible book."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Action, Decimal], tuple[int, int]] = {}

    def walk(self, action: Action, rows: tuple[Row, ...], quantity: int, limit: Decimal | None) -> Iterator[Fill]:
        """Take from the rows that an order of this side meets, best first, not beyond `limit`."""
        for key in [key for key in self._rows if key[0] is action and all(row.price != key[1] for row in rows)]:
            del self._rows[key]
        for row in rows:
            if not quantity or (limit is not None and not _within(row.price, action, limit)):
                return
            shown, gone = self._rows.get((action, row.price), (row.quantity, 0))
            if shown != row.quantity:
                gone = 0
            part = min(quantity, row.quantity - gone)
            if part > 0:
                self._rows[action, row.price] = (row.quantity, gone + part)
                quantity -= part
                yield Fill(row.price, part)


def triggered(order: PaperOrder, quote: Quote) -> bool:
    """Whether the last price reached the trigger."""
    if not quote.ltp:
        return False
    if order.action is Action.BUY:
        return quote.ltp >= order.trigger_price
    return quote.ltp <= order.trigger_price


def waits_for_trigger(order: PaperOrder) -> bool:
    return order.price_type.has_trigger and not order.triggered


def taking(order: PaperOrder, quote: Quote, taken: Taken | None) -> list[Fill]:
    """What an entering order, or a waiting MARKET order, gets at once."""
    limit = order.price if order.price_type.has_price else None
    rows = quote.rows(order.action)
    if taken is not None and rows is not None:
        return list(taken.walk(order.action, rows, order.remaining, limit))
    price = quote.touch(order.action)
    if not price or (limit is not None and not _within(price, order.action, limit)):
        return []
    return [Fill(price, order.remaining)]


def resting(order: PaperOrder, quote: Quote, taken: Taken | None) -> list[Fill]:
    """What a LIMIT order that waits in the book gets at its limit: somebody traded there since it came, or the other
    side moved to it."""
    limit, left = order.price, order.remaining
    if quote.ltp and quote.stamp != order.stamp and _within(quote.ltp, order.action, limit):
        if taken is not None and quote.ltp == limit and quote.last_quantity:
            return [Fill(limit, min(left, quote.last_quantity))]
        return [Fill(limit, left)]
    rows = quote.rows(order.action)
    if taken is not None and rows is not None:
        part = sum(fill.quantity for fill in taken.walk(order.action, rows, left, limit))
        return [Fill(limit, part)] if part else []
    touch = quote.ask if order.action is Action.BUY else quote.bid
    return [Fill(limit, left)] if touch and _within(touch, order.action, limit) else []


def _within(price: Decimal, action: Action, limit: Decimal) -> bool:
    return price <= limit if action is Action.BUY else price >= limit
