"""The stop orders of one market, nearest trigger first."""

from bisect import bisect_left, insort
from itertools import count

from sangam.model.enums import Action

from .orders import Order


class Stops:
    """Buys wait for the price to rise to their trigger, sells for it to fall; prices are ticks."""

    def __init__(self) -> None:
        self._numbers = count()
        self._buys: list[tuple[int, int, str]] = []
        self._sells: list[tuple[int, int, str]] = []
        self._places: dict[str, tuple[int, int, str]] = {}
        self._orders: dict[str, Order] = {}

    def add(self, order: Order, trigger: int) -> None:
        buy = order.action is Action.BUY
        place = (trigger if buy else -trigger, next(self._numbers), order.order_id)
        insort(self._buys if buy else self._sells, place)
        self._places[order.order_id] = place
        self._orders[order.order_id] = order

    def remove(self, order: Order) -> None:
        side = self._buys if order.action is Action.BUY else self._sells
        del side[bisect_left(side, self._places.pop(order.order_id))]
        del self._orders[order.order_id]

    def triggered(self, ltp: int) -> Order | None:
        """An order whose trigger the last price reached."""
        if self._buys and self._buys[0][0] <= ltp:
            return self._orders[self._buys[0][2]]
        if self._sells and -self._sells[0][0] >= ltp:
            return self._orders[self._sells[0][2]]
        return None
