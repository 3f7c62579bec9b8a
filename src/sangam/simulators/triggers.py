"""Good-till-triggered orders, whatever the broker calls them: they wait at the broker and fire on the last price."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from .exchange import Exchange
from .market import Market


class Trigger:
    """One value (single) or two (of which the first that is reached ends the other). `legs` are the broker's own words
    for the orders, one for each value; `results` has a place for each, filled when it fired. `status` is active,
    triggered or deleted; times are epoch milliseconds."""

    def __init__(self, number: int, now: int, market: Market, values: Sequence[float], legs: Sequence[Any]) -> None:
        self.number = number
        self.created = now
        self.status = "active"
        self.change(now, market, values, legs)

    def change(self, now: int, market: Market, values: Sequence[float], legs: Sequence[Any]) -> None:
        self.updated = now
        self.market, self.values, self.legs = market, list(values), list(legs)
        self.results: list[Any] = [None] * len(self.legs)
        self.last_price = market.rupees(market.ltp)
        """When it was set: a single value is reached from this side."""

    def reached(self) -> int | None:
        """Which leg the last price sets off."""
        price = self.market.rupees(self.market.ltp)
        if len(self.values) == 1:
            (value,) = self.values
            return 0 if (price >= value if value > self.last_price else price <= value) else None
        low, high = min(self.values), max(self.values)
        reached = low if price <= low else high if price >= high else None
        return None if reached is None else self.values.index(reached)


class Triggers:
    """The triggers of a broker; `fire(trigger, leg)` places an order and is called once for each."""

    def __init__(self, exchange: Exchange, fire: Callable[[Trigger, int], None], first: int = 1) -> None:
        self._exchange = exchange
        self._fire = fire
        self._numbers = count(first)
        self.all: dict[int, Trigger] = {}

    def add(self, market: Market, values: Sequence[float], legs: Sequence[Any]) -> Trigger:
        trigger = Trigger(next(self._numbers), self._exchange.now_ms, market, values, legs)
        self.all[trigger.number] = trigger
        self._exchange.watch(market)
        return trigger

    def change(self, trigger: Trigger, market: Market, values: Sequence[float], legs: Sequence[Any]) -> None:
        self._exchange.unwatch(trigger.market)
        trigger.change(self._exchange.now_ms, market, values, legs)
        self._exchange.watch(market)

    def delete(self, trigger: Trigger) -> None:
        self._end(trigger, "deleted")

    def waiting(self, number: int) -> Trigger | None:
        trigger = self.all.get(number)
        return trigger if trigger is not None and trigger.status == "active" else None

    def check(self) -> None:
        """Fire what the market reached."""
        for trigger in list(self.all.values()):
            if trigger.status == "active" and (leg := trigger.reached()) is not None:
                self._end(trigger, "triggered")
                self._fire(trigger, leg)

    def _end(self, trigger: Trigger, status: str) -> None:
        trigger.status, trigger.updated = status, self._exchange.now_ms
        self._exchange.unwatch(trigger.market)
