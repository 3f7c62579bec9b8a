"""The orders that wait in one instrument, found by the price that reaches them.

A tick looks only at those it concerns, however many wait."""

from decimal import Decimal
from heapq import heappop, heappush
from itertools import count

from sangam.model.enums import Action

from .matching import waits_for_trigger
from .quote import Quote
from .state import PaperOrder

_Kind = tuple[bool, bool]
"""Whether it waits for a trigger, and whether the price must fall to reach it."""

_Entry = tuple[Decimal, int, str]

_SLACK = 64
"""Entries of former terms that are kept before they are tidied away."""


class Waiting(dict[str, PaperOrder]):
    """By id, oldest first. `enter` adds an order, and is told again when its terms or its state changed."""

    def __init__(self) -> None:
        super().__init__()
        self._heaps: dict[_Kind, list[_Entry]] = {
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
            heap = self._heaps[kind]
            heappush(heap, (-price if kind[1] else price, next(self._numbers), order.id))
            if len(heap) > _SLACK + 2 * len(self):
                self._tidy(kind)

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

    def _popped(self, kind: _Kind, heap: list[_Entry]) -> str:
        """The next entry's order; nobody's where its terms changed since."""
        entry = heappop(heap)
        return entry[2] if self._stands(kind, entry) else ""

    def _stands(self, kind: _Kind, entry: _Entry) -> bool:
        key, _, id = entry
        order = self.get(id)
        return order is not None and _place(order) == (kind, -key if kind[1] else key)

    def _tidy(self, kind: _Kind) -> None:
        """Forget the entries of former terms, and all but one of each order."""
        standing = {entry[2]: entry for entry in self._heaps[kind] if self._stands(kind, entry)}
        self._heaps[kind] = sorted(standing.values())


def _place(order: PaperOrder) -> tuple[_Kind, Decimal] | None:
    """Where an order waits; None for one that any price concerns."""
    buys = order.action is Action.BUY
    if waits_for_trigger(order):
        return (True, not buys), order.trigger_price
    if order.price_type.has_price and order.stamp:
        return (False, buys), order.price
    return None
