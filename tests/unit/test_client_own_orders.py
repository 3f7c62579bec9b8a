"""News of a broker's orders, merged and told."""

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.contract import Tag
from sangam.client import OrderInfo
from sangam.client.asked import Terms
from sangam.client.listing import Listing
from sangam.client.own_orders import OwnOrders, tag_of
from sangam.model.enums import Action, Exchange, PriceType
from sangam.model.errors import Conflict, OrderNotFound
from sangam.model.instrument import Instrument
from sangam.model.order import OrderState, OrderUpdate, Ticket

TEXT, INT, NONE = Tag("text", 20), Tag("int", 9), Tag()
SBIN = Instrument(symbol="SBIN", exchange=Exchange.NSE, brsymbol="SBIN-EQ", brexchange="NSE", token="1")


class Book(OwnOrders):
    def __init__(self, tag: Tag = TEXT) -> None:
        self.told: list[OrderInfo] = []
        super().__init__("a", "toy", tag, self.told.append)
        self.listing = Listing([SBIN])

    @property
    def events(self) -> list[str]:
        return [order.event for order in self.told]


def ticket(name: str = "one", **more: Any) -> Ticket:
    values = {"symbol": "SBIN", "exchange": Exchange.NSE, "action": Action.BUY, "quantity": 10}
    terms = {"price_type": PriceType.LIMIT, "price": Decimal(800), "client_order_id": name}
    return Ticket(**{**values, **terms, **more})


def news(status: str = "open", **more: Any) -> OrderUpdate:
    values: dict[str, Any] = {
        "order_id": "1", "brsymbol": "SBIN-EQ", "brexchange": "NSE", "action": "BUY", "quantity": 10,
        "price_type": "LIMIT", "product": "MIS", "price": 800.0, "timestamp": 100,
    }  # fmt: skip
    return OrderUpdate(status=status, **{**values, **more})


def test_an_answer_and_news_may_come_in_any_order() -> None:
    book = Book()
    order = book.begin(ticket(), 1)
    book.heard(news("complete", filled_quantity=10, average_price=799.5, tag=order.our_tag + "mine"))
    assert book.events == ["ORDER_PLACED", "ORDER_FILLED"]
    assert book.accepted(order.id, "1", {}, 2).state is OrderState.COMPLETE
    assert [told.seq for told in book.told] == [1, 2]
    assert book.find("1") == book.find("one") == book.find(order.id)


def test_news_repeat_and_overtake_one_another() -> None:
    book = Book()
    order = book.begin(ticket(), 1)
    book.accepted(order.id, "1", {"variety": "regular"}, 2)
    book.heard(news(filled_quantity=4, average_price=800.0, timestamp=300))
    book.heard(news(filled_quantity=2, timestamp=200))
    book.heard(news(filled_quantity=4, average_price=800.0, timestamp=300))
    book.heard(news("complete", filled_quantity=10, average_price=800.0, timestamp=400))
    book.heard(news("open", filled_quantity=4, timestamp=500))
    found = book.known("1")
    assert (found.state, found.filled_quantity, found.native) == (OrderState.COMPLETE, 10, {"variety": "regular"})
    assert book.events == ["ORDER_PLACED", "ORDER_PARTIALLY_FILLED", "ORDER_FILLED"]


@given(st.permutations([news(filled_quantity=n, timestamp=100 + n) for n in (0, 3, 5, 9)]), st.integers(0, 3))
def test_the_filled_quantity_never_falls_and_the_end_stays(rows: list[OrderUpdate], at: int) -> None:
    book = Book()
    order = book.begin(ticket(), 1)
    book.accepted(order.id, "1", {}, 2)
    rows.insert(at, news("complete", filled_quantity=10, timestamp=200))
    for row in rows:
        book.heard(row)
    filled = [told.filled_quantity for told in book.told]
    assert filled == sorted(filled)
    assert book.known("1").state is OrderState.COMPLETE
    assert book.events.count("ORDER_FILLED") == 1


def test_an_order_in_doubt_is_found_by_its_tag_only() -> None:
    book = Book()
    order = book.begin(ticket(), 1)
    assert book.doubted(order.id, 2).state is OrderState.UNKNOWN
    book.heard(news(order_id="7", tag="somebody"))
    assert book.known(order.id).state is OrderState.UNKNOWN
    book.heard(news(order_id="8", tag=order.our_tag))
    assert (book.known(order.id).order_id, book.known(order.id).state) == ("8", OrderState.OPEN)
    assert book.events == ["ORDER_UNKNOWN", "ORDER_PLACED", "ORDER_PLACED"]
    assert book.known("7").foreign


def test_where_no_tag_is_echoed_news_are_of_others() -> None:
    book = Book(NONE)
    order = book.begin(ticket(), 1)
    book.heard(news(tag=order.our_tag))
    assert book.known(order.id).state is OrderState.PENDING
    assert book.known("1").foreign


def test_a_former_runs_order_is_known_by_the_tag_of_its_name() -> None:
    book = Book()
    book.heard(news(tag=tag_of("one", TEXT) + "x"), quietly=True)
    assert book.told == []
    found = book.standing(ticket(quantity=99))  # it may have been modified since
    assert found is not None
    assert (found.order_id, found.client_order_id) == ("1", "one")
    with pytest.raises(Conflict):
        book.standing(ticket(action=Action.SELL))
    assert book.standing(ticket("two")) is None


@pytest.mark.parametrize(("tag", "pattern"), [(TEXT, r"[A-Z2-7]{10}"), (INT, r"[1-9]\d{8}")])
def test_tags_fit_the_brokers_field(tag: Tag, pattern: str) -> None:
    tags = {tag_of(f"order {number}", tag) for number in range(500)}
    assert len(tags) == 500
    assert all(re.fullmatch(pattern, each) for each in tags)
    assert tag_of("order 1", tag) in tags


def test_changes_are_told_once() -> None:
    book = Book()
    order = book.begin(ticket(), 1)
    book.accepted(order.id, "1", {}, 2)
    book.modified(order.id, Terms(price=Decimal("801.5"), quantity=20), 3)
    book.heard(news(quantity=20, price=801.5))
    assert book.events == ["ORDER_PLACED", "ORDER_MODIFIED"]
    book.heard(news(quantity=30, price=801.5, timestamp=200))
    assert book.events[-1] == "ORDER_MODIFIED"
    book.heard(news("cancelled", quantity=30, timestamp=300))
    assert book.events[-1] == "ORDER_CANCELLED"


def test_what_was_not_sent_leaves_no_trace() -> None:
    book = Book()
    order = book.begin(ticket(), 1)
    book.forget(order)
    assert book.all() == []
    assert book.standing(ticket(quantity=5)) is None
    with pytest.raises(OrderNotFound):
        book.known("one")


def test_a_stranger_of_an_unknown_exchange_is_left_out() -> None:
    book = Book()
    assert book.heard(news(brexchange="MOON")) is None
    other = book.heard(news(brsymbol="NEW-EQ"))
    assert other is not None
    assert (other.symbol, other.exchange) == ("NEW-EQ", Exchange.NSE)
