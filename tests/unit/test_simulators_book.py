"""Price-time priority, and that no quantity is ever made or lost."""

from hypothesis import given
from hypothesis import strategies as st

from sangam.simulators.book import Book, Resting, Row


def test_best_price_first_then_the_oldest() -> None:
    book = Book()
    late, early, worse = Resting(False, 101, 5), Resting(False, 101, 5), Resting(False, 102, 5)
    for order in (worse, early, late):
        book.rest(order)
    fills = book.match(True, 12, limit=102)
    assert fills == [(101, 5, early), (101, 5, late), (102, 2, worse)]
    assert book.depth(False, 5) == [Row(102, 3, 1)]


def test_a_limit_is_not_passed() -> None:
    book = Book()
    book.rest(Resting(True, 99, 5))
    assert book.match(False, 5, limit=100) == []
    assert book.best_bid == 99


def test_depth_counts_participants_and_leaves_with_the_last_order() -> None:
    book = Book()
    first, second = Resting(True, 99, 5, parts=3), Resting(True, 99, 7)
    book.rest(first)
    book.rest(second)
    assert book.depth(True, 5) == [Row(99, 12, 4)]
    book.remove(first)
    book.remove(second)
    assert book.depth(True, 5) == []
    assert book.best_bid is None
    assert book.total_buy == 0


orders = st.lists(
    st.tuples(st.booleans(), st.integers(95, 105), st.integers(1, 50), st.integers(0, 9)), min_size=1, max_size=60
)


@given(orders)
def test_never_crossed_and_quantities_balance(incoming: list[tuple[bool, int, int, int]]) -> None:
    book = Book()
    resting: list[Resting] = []
    sent = traded = removed = 0
    for buy, price, quantity, dice in incoming:
        fills = book.match(buy, quantity, price)
        assert all(fill.price <= price if buy else fill.price >= price for fill in fills)
        prices = [fill.price for fill in fills]
        assert prices == sorted(prices, reverse=not buy)
        filled = sum(fill.quantity for fill in fills)
        sent += quantity
        traded += 2 * filled
        if filled < quantity:
            order = Resting(buy, price, quantity - filled)
            book.rest(order)
            resting.append(order)
        resting = [order for order in resting if order.quantity]
        if resting and dice == 0:
            gone = resting.pop()
            book.remove(gone)
            removed += gone.quantity
        if book.best_bid is not None and book.best_ask is not None:
            assert book.best_bid < book.best_ask
        assert book.total_buy == sum(order.quantity for order in resting if order.buy)
        assert book.total_sell == sum(order.quantity for order in resting if not order.buy)
        assert sum(row.quantity for row in book.depth(True, 99)) == book.total_buy
    assert sent == traded + removed + book.total_buy + book.total_sell
