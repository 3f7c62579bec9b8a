"""The orders that wait in one instrument, found by the price that reaches them.

A tick looks only at those it concerns, however many wait."""

from decimal import Decimal
from heapq import heappop, heappush
from itertools import count

from sangam.model.enums import Action

from .admission import LIMITED
from .matching import waits_for_trigger
from .quote import Quote
from .state import PaperOrder

_Kind = tuple[bool, bool]
"""Whether it waits for a trigger, and whether the price must fall to reach it."""


class Waiting(dict[str, PaperOrder]):
    """By id, oldest first. `enter` adds an order, and is told again when its terms or its state changed."""

    def __init__(self) -> None:
        super().__init__()
        self._heaps: dict[_Kind, list[tuple[Decimal, int, str]]] = {
            (trigger, falls): [] for trigger in (False, True) for falls in (False, True)
        }
        self._always: set[str] = set()
        self._numbers = count()

    def enter(self, order: PaperOrder) -> None:
        self[order.id] = order
        place = _place(order)
        if place is None:
            self._always.add(order.id)
        else:
            kind, price = place
            heappush(self._heaps[kind], (-price if kind[1] else price, next(self._numbers), order.id))

    def reached(self, quote: Quote) -> list[PaperOrder]:
        """The orders that a quote may fill or trigger, oldest first; those that still wait then `enter` again."""
        found, self._always = self._always, set()
        lowest = min((price for price in (quote.ltp, quote.ask) if price), default=None)
        highest = max(quote.ltp, quote.bid) or None
        ltp = quote.ltp or None
        for (trigger, falls), heap in self._heaps.items():
            price = ltp if trigger else lowest if falls else highest
            if price is None:
                continue
            bound = -price if falls else price
            while heap and heap[0][0] <= bound:
                found.add(self._popped((trigger, falls), heap))
        return [order for id, order in self.items() if id in found] if found else []

    def _popped(self, kind: _Kind, heap: list[tuple[Decimal, int, str]]) -> str:
        """An entry's order; nobody's where its terms changed since."""
        key, _, id = heappop(heap)
        order = self.get(id)
        return id if order is not None and _place(order) == (kind, -key if kind[1] else key) else ""


def _place(order: PaperOrder) -> tuple[_Kind, Decimal] | None:
    """Where an order waits; None for one that any price concerns."""
    buys = order.action is Action.BUY
    if waits_for_trigger(order):
        return (True, not buys), order.trigger_price
    if order.price_type in LIMITED and order.stamp:
        return (False, buys), order.price
    return None
