"""One order book: price-time priority, in whole ticks.

The book knows nothing of money, clients or time: it rests orders, matches incoming ones and tells what traded."""

from bisect import bisect_left, insort
from itertools import count
from typing import NamedTuple

_ids = count(1)


class Resting:
    """An order that waits in a book. `parts` is how many market participants it stands for (the book's order count);
    `client` names a client's order, None for the market makers' own."""

    __slots__ = ("buy", "client", "id", "parts", "price", "quantity")

    def __init__(self, buy: bool, price: int, quantity: int, parts: int = 1, client: str | None = None) -> None:
        self.id = next(_ids)
        self.buy = buy
        self.price = price
        self.quantity = quantity
        self.parts = parts
        self.client = client


class Fill(NamedTuple):
    """What traded against one resting order, at that order's price."""

    price: int
    quantity: int
    resting: Resting


class Row(NamedTuple):
    """One level of the visible book."""

    price: int
    quantity: int
    orders: int


class _Level:
    __slots__ = ("orders", "parts", "quantity")

    def __init__(self) -> None:
        self.orders: dict[int, Resting] = {}
        self.quantity = 0
        self.parts = 0


class _Side:
    """Levels of one side; `prices` ascend, so that the best bid is the last and the best ask the first."""

    __slots__ = ("best", "levels", "prices", "total")

    def __init__(self, buy: bool) -> None:
        self.levels: dict[int, _Level] = {}
        self.prices: list[int] = []
        self.best = -1 if buy else 0
        self.total = 0

    def add(self, order: Resting) -> None:
        level = self.levels.get(order.price)
        if level is None:
            level = self.levels[order.price] = _Level()
            insort(self.prices, order.price)
        level.orders[order.id] = order
        level.quantity += order.quantity
        level.parts += order.parts
        self.total += order.quantity

    def take(self, order: Resting, quantity: int) -> None:
        """Lessen an order by what traded; it leaves the book when nothing is left."""
        level = self.levels[order.price]
        stay = max(1, order.parts * (order.quantity - quantity) // order.quantity)
        level.parts -= order.parts - stay
        order.parts = stay
        order.quantity -= quantity
        level.quantity -= quantity
        self.total -= quantity
        if order.quantity == 0:
            self._drop(level, order)

    def remove(self, order: Resting) -> None:
        level = self.levels[order.price]
        level.quantity -= order.quantity
        self.total -= order.quantity
        self._drop(level, order)

    def _drop(self, level: _Level, order: Resting) -> None:
        del level.orders[order.id]
        level.parts -= order.parts
        if not level.orders:
            del self.levels[order.price]
            del self.prices[bisect_left(self.prices, order.price)]


class Book:
    __slots__ = ("_asks", "_bids")

    def __init__(self) -> None:
        self._bids = _Side(buy=True)
        self._asks = _Side(buy=False)

    @property
    def best_bid(self) -> int | None:
        return self._bids.prices[-1] if self._bids.prices else None

    @property
    def best_ask(self) -> int | None:
        return self._asks.prices[0] if self._asks.prices else None

    @property
    def total_buy(self) -> int:
        """Quantity of all waiting buy orders, seen or not."""
        return self._bids.total

    @property
    def total_sell(self) -> int:
        return self._asks.total

    def match(self, buy: bool, quantity: int, limit: int | None = None) -> list[Fill]:
        """Trade an incoming order against the other side, best price and oldest order first, not beyond `limit`."""
        side = self._asks if buy else self._bids
        fills: list[Fill] = []
        while quantity and side.prices:
            price = side.prices[side.best]
            if limit is not None and (price > limit if buy else price < limit):
                break
            resting = next(iter(side.levels[price].orders.values()))
            traded = min(quantity, resting.quantity)
            side.take(resting, traded)
            fills.append(Fill(price, traded, resting))
            quantity -= traded
        return fills

    def rest(self, order: Resting) -> None:
        """Let an order wait. The caller has matched it first: the book never crosses."""
        (self._bids if order.buy else self._asks).add(order)

    def remove(self, order: Resting) -> None:
        (self._bids if order.buy else self._asks).remove(order)

    def depth(self, buy: bool, levels: int) -> list[Row]:
        """The best levels of one side, best first."""
        if buy:
            found = self._bids.levels
            return [Row(p, (at := found[p]).quantity, at.parts) for p in self._bids.prices[: -levels - 1 : -1]]
        found = self._asks.levels
        return [Row(p, (at := found[p]).quantity, at.parts) for p in self._asks.prices[:levels]]
