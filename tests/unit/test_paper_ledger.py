"""What always holds of a paper book's money, whatever is done to it."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.paper_rig import INFY, NOW, SBIN, assert_consistent, book, instrument, order, quote, rows

from sangam.model.enums import Action, Exchange, OrderStatus, PriceType, Product
from sangam.model.errors import Refused
from sangam.model.instrument import Instrument
from sangam.model.order import Change
from sangam.paper.book import spot
from sangam.paper.config import Config
from sangam.paper.quote import Quote
from sangam.paper.state import PaperOrder

ZERO = Decimal(0)
GOLD = instrument("GOLD", Exchange.MCX)
LISTED = (SBIN, INFY, GOLD)
WAITING = (OrderStatus.OPEN, OrderStatus.TRIGGER_PENDING)

PRICES = st.decimals("50", "150", places=2)
SIZES = st.integers(1, 40)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("price"), st.sampled_from(LISTED), PRICES, st.integers(0, 30)),
        st.tuples(
            st.just("place"),
            st.sampled_from(LISTED),
            st.sampled_from(Action),
            SIZES,
            st.sampled_from(PriceType),
            st.sampled_from(Product),
            PRICES,
            PRICES,
        ),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("modify"), st.integers(0, 30), SIZES, PRICES),
    ),
    min_size=10,
    max_size=80,
)


class Day:
    """A book on a market whose spread is nothing; `expected` is what the step should do to equity."""

    def __init__(self, config: Config) -> None:
        self.book = book(config)
        self.expected = ZERO
        self._prices = dict.fromkeys((one.symbol for one in LISTED), (Decimal(100), 10))

    def quote(self, of: Instrument) -> Quote:
        price, size = self._prices[of.symbol]
        shown = rows((str(price), size))
        return quote(price, bids=shown, asks=shown)

    def price(self, of: Instrument, price: Decimal, size: int) -> None:
        """What is held gains the move; what rests fills at its limit, which may be better than the price."""
        held = sum(one.quantity for one in self.book.ledger.positions.values() if one.instrument is of)
        self.expected = held * (price - self._prices[of.symbol][0])
        self._prices[of.symbol] = price, size
        self.book.mark(spot(of), price)
        fills = len(self.book.trades)
        self.book.on_quote(spot(of), self.quote(of), NOW)
        for trade in self.book.trades[fills:]:
            sign = 1 if trade.action is Action.BUY else -1
            self.expected += sign * trade.quantity * (price - trade.price)

    def place(
        self, of: Instrument, action: Action, quantity: int, kind: PriceType, product: Product, *prices: Decimal
    ) -> None:
        asked = order(of, action, quantity, kind, product, price=prices[0], trigger_price=prices[1])
        before = self.book.ledger.available
        try:
            self.book.place(asked, self.quote(of), NOW)
        except Refused:
            assert self.book.ledger.available == before
        else:
            assert not asked.blocked or self.book.ledger.available >= 0
        self._mark()

    def cancel(self, number: int) -> None:
        for one in self._order(number):
            self.book.cancel(one.id, NOW)

    def modify(self, number: int, quantity: int, price: Decimal) -> None:
        for one in self._order(number):
            before = self.book.ledger.available
            change = Change(quantity=quantity, price_type=PriceType.LIMIT, price=price)
            try:
                self.book.modify(one.id, change, self.quote(one.instrument), NOW)
            except Refused:
                assert self.book.ledger.available == before
        self._mark()

    def flatten(self) -> None:
        for one in list(self.book.orders.values()):
            if one.status in WAITING:
                self.book.cancel(one.id, NOW)
        for position in list(self.book.ledger.positions.values()):
            if position.quantity:
                self.book.close_at(position, Decimal(100), "FLAT", NOW)

    def _order(self, number: int) -> list[PaperOrder]:
        return [one for one in list(self.book.orders.values())[number : number + 1] if one.status in WAITING]

    def _mark(self) -> None:
        for of in LISTED:
            self.book.mark(spot(of), self._prices[of.symbol][0])


@given(STEPS, st.booleans(), st.booleans(), st.sampled_from([100_000, 10_000_000]))
def test_money_and_positions_add_up(steps: list[tuple[Any, ...]], costs: bool, deep: bool, capital: int) -> None:
    """Equity changes by price moves and charges only; positions are the sum of their fills; what is blocked is the sum
    of what orders and positions hold, and nothing when all is flat."""
    config = Config(starting_capital=Decimal(capital), charges=costs, depth_fills=deep, equity_mis_leverage=Decimal(7))
    day = Day(config)
    ledger, balance = day.book.ledger, day.book.ledger.balance
    for name, *values in steps:
        day.expected = ZERO
        before, charged = ledger.equity, balance.charges_total
        getattr(day, name)(*values)
        paid = balance.charges_total - charged
        assert ledger.equity == before + day.expected - paid
        assert_consistent(day.book)
    day.flatten()
    assert_consistent(day.book)
    assert ledger.used == 0
    assert balance.cash == capital + balance.realised_total - balance.charges_total == ledger.equity
