"""The user's own limits: each names itself and its figure."""

from decimal import Decimal
from typing import Any

import pytest

from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import Denied
from sangam.model.order import Ticket
from sangam.model.rules import Rules
from sangam.orders.risk import FRESH_MS, Seen, check_day, check_kill, check_risk

D = Decimal
SEEN = Seen(D(100), 200)


def ticket(**fields: Any) -> Ticket:
    base: dict[str, Any] = {
        "symbol": "SBIN",
        "exchange": Exchange.NSE,
        "action": Action.BUY,
        "quantity": 10,
        "price_type": PriceType.LIMIT,
        "price": D(100),
    }
    return Ticket(**{**base, **fields})


def market(**fields: Any) -> Ticket:
    return ticket(price_type=PriceType.MARKET, price=D(0), **fields)


def test_no_rules_no_limits() -> None:
    check_kill(Rules())
    check_day(Rules(), 10**9)
    check_risk(Rules(), ticket(quantity=10**9, price=D(10**6)), None)


def test_the_kill_switch_stops_all_but_what_may_not_wait() -> None:
    check_kill(Rules(killed=True), urgent=True)
    with pytest.raises(Denied, match="kill switch"):
        check_kill(Rules(killed=True))


def test_the_days_count() -> None:
    rules = Rules(max_orders_per_day=3)
    check_day(rules, 2)
    with pytest.raises(Denied, match="3 orders a day"):
        check_day(rules, 3)


def test_the_largest_quantity() -> None:
    check_risk(Rules(max_quantity=10), ticket(), None)
    with pytest.raises(Denied, match=r"Quantity 11 .* 10"):
        check_risk(Rules(max_quantity=10), ticket(quantity=11), None)


@pytest.mark.parametrize(
    ("asked", "worth"),
    [
        (ticket(), 1000),
        (market(), 1000),
        (ticket(price_type=PriceType.SL, price=D(101), trigger_price=D(99)), 1010),
        (ticket(price_type=PriceType.SL_M, price=D(0), trigger_price=D(99)), 990),
    ],
)
def test_the_largest_value(asked: Ticket, worth: int) -> None:
    check_risk(Rules(max_value=worth), asked, SEEN)
    with pytest.raises(Denied, match=rf"₹{worth}\.00.*max_value"):
        check_risk(Rules(max_value=worth - 0.5), asked, SEEN)


@pytest.mark.parametrize("seen", [None, Seen(D(100), FRESH_MS + 1)])
def test_what_cannot_be_measured_is_not_let_through(seen: Seen | None) -> None:
    for rules, asked in ((Rules(max_value=1e9), market()), (Rules(price_band=5), ticket())):
        with pytest.raises(Denied, match=r"cannot be checked.*SBIN"):
            check_risk(rules, asked, seen)
    check_risk(Rules(max_value=1e9), ticket(), seen)
    check_risk(Rules(price_band=5), market(), seen)


@pytest.mark.parametrize(("price", "good"), [("105", True), ("95", True), ("105.05", False), ("94.95", False)])
def test_the_band_around_the_last_price(price: str, good: bool) -> None:
    asked = ticket(price=D(price))
    if good:
        check_risk(Rules(price_band=5), asked, SEEN)
    else:
        with pytest.raises(Denied, match=r"more than 5 % \(price_band\) away from the last price, 100"):
            check_risk(Rules(price_band=5), asked, SEEN)


def test_a_stop_is_measured_from_its_trigger() -> None:
    stop = ticket(action=Action.SELL, price_type=PriceType.SL, price=D("79"), trigger_price=D(80))
    check_risk(Rules(price_band=5), stop, None)
    far = ticket(action=Action.SELL, price_type=PriceType.SL, price=D("70"), trigger_price=D(80))
    with pytest.raises(Denied, match="its trigger, 80"):
        check_risk(Rules(price_band=5), far, None)


def test_allowed_symbols_and_products() -> None:
    rules = Rules(symbols=("NFO:NIFTY*", "NSE:SBIN"), products=(Product.CNC,))
    check_risk(rules, ticket(product=Product.CNC), None)
    check_risk(rules, ticket(symbol="NIFTY28OCT25FUT", exchange=Exchange.NFO, product=Product.CNC), None)
    with pytest.raises(Denied, match="NSE:INFY is not among your allowed symbols"):
        check_risk(rules, ticket(symbol="INFY", product=Product.CNC), None)
    with pytest.raises(Denied, match="Product MIS"):
        check_risk(rules, ticket(product=Product.MIS), None)
