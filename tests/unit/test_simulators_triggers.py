"""Triggers wait, fire once, and let go of their market."""

from collections.abc import Callable
from datetime import datetime

import pytest

from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Action, PriceType
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange
from sangam.simulators.market import Market
from sangam.simulators.triggers import Trigger, Triggers

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)


class Bench:
    def __init__(self) -> None:
        self.exchange = Exchange(clock=ManualClock(MORNING))
        self.market = self.exchange.market("SBIN", Code.NSE)
        self.last = self.market.rupees(self.market.ltp)
        self.fired: list[tuple[int, str]] = []
        self.triggers = Triggers(self.exchange, self._fire, first=7)

    def _fire(self, trigger: Trigger, leg: int) -> None:
        self.fired.append((trigger.number, trigger.legs[leg]))

    def trade_at(self, price: float) -> None:
        """Somebody buys or sells through the book to a price."""
        up = price > self.market.rupees(self.market.ltp)
        many = sum(row.quantity for row in self.market.book.depth(not up, 1000))
        ask, bid = (Action.SELL, Action.BUY) if up else (Action.BUY, Action.SELL)
        for action, quantity in ((ask, 100), (bid, many + 1)):
            self.exchange.place("somebody", "SBIN", Code.NSE, action, quantity, PriceType.LIMIT, price=price)
        self.triggers.check()


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("turn", [1.02, 0.98])
def test_a_single_value_is_reached_from_the_side_where_the_price_was(bench: Bench, turn: float) -> None:
    value = round(bench.last * turn)
    trigger = bench.triggers.add(bench.market, [value], ["only"])
    bench.triggers.check()
    assert bench.fired == []
    bench.trade_at(value)
    bench.triggers.check()
    assert (bench.fired, trigger.status) == ([(7, "only")], "triggered")
    assert bench.triggers.waiting(7) is None


@pytest.mark.parametrize(("turn", "leg"), [(1.02, "upper"), (0.98, "lower")])
@pytest.mark.parametrize("order", [list, lambda values: list(reversed(values))])
def test_of_two_values_the_first_that_is_reached_ends_the_other(
    bench: Bench, turn: float, leg: str, order: Callable[[list[object]], list[object]]
) -> None:
    values = [float(round(bench.last * 0.98)), float(round(bench.last * 1.02))]
    names = order(["lower", "upper"])
    bench.triggers.add(bench.market, [float(str(value)) for value in order(list(values))], names)
    bench.trade_at(round(bench.last * turn))
    assert [fired for _, fired in bench.fired] == [leg]


def test_changed_and_deleted_ones_let_go_of_their_market(bench: Bench) -> None:
    other: Market = bench.exchange.market("INFY", Code.NSE)
    trigger = bench.triggers.add(bench.market, [bench.last * 2], ["one"])
    bench.triggers.change(trigger, other, [other.rupees(other.ltp) * 2], ["two"])
    assert bench.exchange.step(5.0) == [other]
    bench.triggers.delete(trigger)
    assert (bench.exchange.step(5.0), trigger.status) == ([], "deleted")
