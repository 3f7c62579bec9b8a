"""Stop orders wait until the last price reaches their trigger."""

from hypothesis import given
from hypothesis import strategies as st

from sangam.model.enums import Action, Exchange, PriceType
from sangam.simulators.orders import Order
from sangam.simulators.stops import Stops


def stop(number: int, action: Action) -> Order:
    return Order(
        order_id=str(number),
        owner="ME",
        symbol="SBIN",
        exchange=Exchange.NSE,
        action=action,
        quantity=1,
        price_type=PriceType.SL_M,
    )


@given(st.lists(st.tuples(st.sampled_from(Action), st.integers(1, 30), st.booleans()), max_size=40), st.integers(1, 30))
def test_all_that_are_reached_and_no_others(rows: list[tuple[Action, int, bool]], ltp: int) -> None:
    stops, expected = Stops(), set()
    for number, (action, trigger, leaves) in enumerate(rows):
        order = stop(number, action)
        stops.add(order, trigger)
        if leaves:
            stops.remove(order)
        elif ltp >= trigger if action is Action.BUY else ltp <= trigger:
            expected.add(order.order_id)
    found = set()
    while (order_reached := stops.triggered(ltp)) is not None:
        stops.remove(order_reached)
        found.add(order_reached.order_id)
    assert found == expected


def test_the_nearest_trigger_comes_first() -> None:
    stops = Stops()
    far, near = stop(1, Action.SELL), stop(2, Action.SELL)
    stops.add(far, 90)
    stops.add(near, 95)
    assert stops.triggered(96) is None
    assert stops.triggered(80) is near
    stops.remove(near)
    assert stops.triggered(80) is far
