"""Money, positions and holdings as the ledger makes them."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Action, PriceType, Product
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange
from sangam.simulators.orders import Order
from sangam.simulators.portfolio import MARGIN, Portfolio, Wish, multiplier

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)
BUY, SELL = Action.BUY, Action.SELL
FUTURE = "NIFTY25AUG26FUT"


class House:
    def __init__(self, cash: float = 1_000_000.0) -> None:
        self.clock = ManualClock(MORNING)
        self.exchange = Exchange(clock=self.clock)
        self.books = Portfolio(self.exchange, "ME", cash)

    def trade(self, action: Action, quantity: int, product: Product = Product.MIS, **more: Any) -> Order:
        return self.exchange.place("ME", "SBIN", Code.NSE, action, quantity, product=product, **more)

    def sleep(self) -> None:
        self.clock.advance(86_400)
        self.exchange.step(0.0)
        self.books.read()


def test_a_position_follows_its_trades() -> None:
    house = House()
    bought, sold = house.trade(BUY, 10), house.trade(SELL, 4)
    house.exchange.place("YOU", "SBIN", Code.NSE, BUY, 99)
    funds = house.books.funds()
    (row,) = house.books.positions.values()
    assert (row.quantity, row.product) == (6, Product.MIS)
    assert row.average_price == pytest.approx(bought.average_price)
    made = 4 * (sold.average_price - bought.average_price)
    assert row.realised == funds.realised == pytest.approx(made)
    assert row.profit(1000.0) == pytest.approx(made + 6 * (1000.0 - bought.average_price))
    assert funds.blocked == pytest.approx(6 * bought.average_price * MARGIN)
    assert funds.available == pytest.approx(1_000_000 + made - funds.blocked)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 40)), max_size=12), st.floats(900, 1100))
def test_profit_is_what_the_trades_cost(trades: list[tuple[Action, int]], price: float) -> None:
    house = House()
    for action, quantity in trades:
        house.trade(action, quantity)
    house.books.read()
    ledger = house.exchange.ledger
    quantity, cash = 0, 0.0
    for trade in ledger.trades:
        sign = 1 if ledger.orders[trade.order_id].action is BUY else -1
        quantity += sign * trade.quantity
        cash -= sign * trade.quantity * trade.price
    assert sum(row.quantity for row in house.books.positions.values()) == quantity
    profit = sum(row.profit(price) for row in house.books.positions.values())
    assert profit == pytest.approx(cash + quantity * price, abs=0.01)
    for row in house.books.positions.values():
        open_part = row.quantity * (price - row.average_price)
        assert row.realised + open_part == pytest.approx(row.profit(price), abs=0.01)


def test_waiting_orders_block_money_until_they_end() -> None:
    house = House()
    order = house.trade(BUY, 100, price_type=PriceType.LIMIT, price=1000.0)
    assert house.books.funds().blocked == pytest.approx(100 * 1000.0 * MARGIN)
    house.exchange.modify(order.order_id, quantity=50)
    assert house.books.funds().blocked == pytest.approx(50 * 1000.0 * MARGIN)
    house.exchange.cancel(order.order_id)
    assert house.books.funds().used == 0.0


def test_what_closes_a_position_needs_no_money() -> None:
    house = House(cash=3_000.0)
    market = house.exchange.market("SBIN", Code.NSE)
    assert house.books.shortage(market, Wish(BUY, 100, Product.MIS, 1000.0)) == (20_000.0, 3_000.0)
    assert house.books.shortage(market, Wish(BUY, 10, Product.MIS, 1000.0)) is None
    house.trade(BUY, 10)
    assert house.books.required(market, Wish(SELL, 10, Product.MIS)) == 0.0
    assert house.books.required(market, Wish(SELL, 15, Product.MIS, 1000.0)) == 1_000.0
    assert house.books.required(market, Wish(SELL, 10, Product.CNC)) == 0.0


def test_options_cost_their_premium_and_writers_a_fifth_of_the_strike() -> None:
    house = House()
    call = house.exchange.market("NIFTY25AUG2624400CE", Code.NFO)
    assert house.books.required(call, Wish(BUY, 65, Product.NRML, 100.0)) == 6_500.0
    assert house.books.required(call, Wish(SELL, 65, Product.NRML, 100.0)) == pytest.approx(65 * 24_400 * MARGIN)
    bought = house.exchange.place("ME", "NIFTY25AUG2624400CE", Code.NFO, BUY, 65, product=Product.NRML)
    assert house.books.funds().premium == pytest.approx(65 * bought.average_price)


def test_lots_of_commodities_and_currencies_are_worth_more() -> None:
    house = House()
    crude = house.exchange.market("CRUDEOIL19AUG26FUT", Code.MCX).contract
    dollar = house.exchange.market("USDINR27AUG26FUT", Code.CDS).contract
    share = house.exchange.market("SBIN", Code.NSE).contract
    assert [multiplier(contract) for contract in (crude, dollar, share)] == [100, 1000, 1]


def test_shares_are_sold_from_what_is_held() -> None:
    house = House()
    market = house.exchange.market("SBIN", Code.NSE)
    house.books.hold("SBIN", Code.NSE, 100, 800.0)
    assert house.books.lacks_shares(market, Wish(SELL, 100, Product.CNC)) is None
    waiting = house.trade(SELL, 60, Product.CNC, price_type=PriceType.LIMIT, price=1080.0)
    assert house.books.lacks_shares(market, Wish(SELL, 41, Product.CNC)) == 40
    house.exchange.cancel(waiting.order_id)
    house.trade(BUY, 10, Product.CNC)
    assert house.books.lacks_shares(market, Wish(SELL, 110, Product.CNC)) is None
    assert house.books.lacks_shares(market, Wish(SELL, 500, Product.MIS)) is None


def test_a_position_may_change_its_product() -> None:
    house = House()
    bought = house.trade(BUY, 10)
    contract = house.exchange.market("SBIN", Code.NSE).contract
    assert house.books.convert(contract, Product.MIS, Product.CNC, 4)
    assert not house.books.convert(contract, Product.MIS, Product.CNC, 7)
    assert not house.books.convert(contract, Product.NRML, Product.MIS, 1)
    rows = {row.product: row for row in house.books.positions.values()}
    assert {product: row.quantity for product, row in rows.items()} == {Product.MIS: 6, Product.CNC: 4}
    assert rows[Product.CNC].average_price == pytest.approx(bought.average_price)


def test_the_next_day() -> None:
    house = House()
    house.books.hold("SBIN", Code.NSE, 100, 800.0)
    delivery, intraday = house.trade(BUY, 50, Product.CNC), house.trade(BUY, 10)
    future = house.exchange.place("ME", FUTURE, Code.NFO, BUY, 65, product=Product.NRML)
    before = house.books.funds()
    house.sleep()
    sbin, nifty = house.exchange.market("SBIN", Code.NSE), house.exchange.market(FUTURE, Code.NFO)
    (row,) = house.books.positions.values()
    assert (row.contract.symbol, row.overnight_quantity, row.quantity) == (FUTURE, 65, 65)
    close = nifty.rupees(nifty.close)
    assert row.overnight_price == close
    (held,) = house.books.holdings.values()
    assert (held.quantity, held.fresh) == (150, 50)
    assert held.average_price == pytest.approx((100 * 800.0 + 50 * delivery.average_price) / 150)
    spent = 50 * delivery.average_price
    made = 10 * (sbin.rupees(sbin.close) - intraday.average_price) + 65 * (close - future.average_price)
    assert house.books.opening == pytest.approx(before.opening - spent + made)
    house.sleep()
    assert next(iter(house.books.holdings.values())).fresh == 0


def test_sold_shares_leave_and_expired_contracts_are_settled() -> None:
    house = House()
    house.books.hold("SBIN", Code.NSE, 100, 800.0)
    sold = house.trade(SELL, 100, Product.CNC)
    expiring = house.exchange.place("ME", "NIFTY18AUG2624400CE", Code.NFO, BUY, 65, product=Product.NRML)
    house.clock.advance(timedelta(hours=5).total_seconds())
    last = house.exchange.market("NIFTY18AUG2624400CE", Code.NFO)
    house.sleep()
    assert (house.books.positions, house.books.holdings) == ({}, {})
    made = 100 * sold.average_price + 65 * (last.rupees(last.ltp) - expiring.average_price)
    assert house.books.opening == pytest.approx(1_000_000 + made)


def test_trades_after_the_last_question_belong_to_their_own_day() -> None:
    house = House()
    house.books.read()
    house.trade(BUY, 10)
    house.clock.advance(86_400)
    house.exchange.step(0.0)
    later = house.trade(BUY, 3)
    house.books.read()
    (row,) = house.books.positions.values()
    assert row.quantity == 3
    assert row.average_price == pytest.approx(later.average_price)
