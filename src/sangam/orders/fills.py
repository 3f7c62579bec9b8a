"""Trades are detail of what was filled and must sum to it."""

import logging
from collections import Counter
from collections.abc import Iterable

from sangam.model.books import Trade
from sangam.model.order import Order, TradingMode

from .evidence import odd_fills

log = logging.getLogger("sangam.orders")

_Odd = tuple[str, int, int]
"""The broker's order id, what it filled, and what its trades sum to."""


class FillCheck:
    """Tells once of each difference that stays: the two books are read one after the other, so one reading proves
    nothing."""

    def __init__(self) -> None:
        self._odd: dict[tuple[str, TradingMode], Counter[_Odd]] = {}

    def compare(self, account: str, mode: TradingMode, orders: Iterable[Order], trades: Iterable[Trade]) -> None:
        seen, now = self._odd.get((account, mode), Counter()), Counter[_Odd]()
        for order, total in odd_fills((order for order in orders if order.mode is mode), trades):
            odd = order.order_id, order.filled_quantity, total
            now[odd] = seen[odd] + 1
            if now[odd] == 2:
                log.warning("%s: %s filled %d, but its trades sum to %d", account, *odd)
        self._odd[account, mode] = now
