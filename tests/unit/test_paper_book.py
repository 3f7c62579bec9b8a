"""Orders against quotes: who is admitted, what fills, at which price."""

from decimal import Decimal
from typing import Any

import pytest
from tests.paper_rig import (
    ALUMINIUM,
    CALL,
    CRUDE,
    FUTURE,
    INFY,
    NOW,
    SBIN,
    at,
    book,
    instrument,
    ms,
    order,
    quote,
    rows,
)

from sangam.model.enums import Action, Exchange, OrderStatus, PriceType, Product
from sangam.model.errors import Refused
from sangam.model.order import Change, Validity
from sangam.paper.book import PaperBook, spot
from sangam.paper.config import Config
from sangam.paper.quote import Quote
from sangam.paper.state import PaperOrder

D = Decimal
BUY, SELL = Action.BUY, Action.SELL
MARKET, LIMIT, SL, SL_M = PriceType.MARKET, PriceType.LIMIT, PriceType.SL, PriceType.SL_M
CNC, MIS, NRML = Product.CNC, Product.MIS, Product.NRML
OPEN, COMPLETE, CANCELLED = OrderStatus.OPEN, OrderStatus.COMPLETE, OrderStatus.CANCELLED
TOUCH = quote("100", 99, 101)


def hear(paper: PaperBook, told: Quote, of: Any = SBIN, now_ms: int = NOW) -> None:
    paper.on_quote(spot(of), told, now_ms)


# --- fills ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "told", "price"),
    [
        (BUY, TOUCH, "101"),
        (SELL, TOUCH, "99"),
        (BUY, quote("100"), "100"),
        (SELL, quote("100"), "100"),
        (BUY, quote("0", 99, 101), "101"),  # not traded today, but there is a book
    ],
)
def test_a_market_order_pays_the_touch_or_the_last_price(action: Action, told: Quote, price: str) -> None:
    paper = book()
    done = paper.place(order(action=action), told, NOW)
    assert (done.status, done.filled, done.average) == (COMPLETE, 10, D(price))
    assert paper.ledger.quantity(done.key) == done.sign * 10


@pytest.mark.parametrize("told", [None, quote("0")])
def test_a_market_order_without_a_price_is_refused(told: Quote | None) -> None:
    paper = book()
    with pytest.raises(Refused, match="no current price of SBIN"):
        paper.place(order(), told, NOW)
    assert not paper.orders


@pytest.mark.parametrize(
    ("action", "limit", "price"),
    [(BUY, "102", "101"), (BUY, "101", "101"), (SELL, "98", "99"), (SELL, "99", "99")],
)
def test_a_limit_that_enters_marketable_gets_the_touch(action: Action, limit: str, price: str) -> None:
    done = book().place(order(action=action, price_type=LIMIT, price=D(limit)), TOUCH, NOW)
    assert (done.status, done.average) == (COMPLETE, D(price))


def test_a_resting_limit_fills_at_its_limit_when_somebody_trades_there() -> None:
    paper = book()
    waiting = paper.place(order(price_type=LIMIT, price=D(100)), TOUCH, NOW)
    assert waiting.status is OPEN
    hear(paper, quote("100", 99, 101, stamp=TOUCH.stamp))  # the book moved; nobody traded since it came
    assert waiting.filled == 0
    hear(paper, quote("100.05", 99, 101))
    assert waiting.filled == 0
    hear(paper, quote("98", 97, "100.5"))
    assert (waiting.status, waiting.average) == (COMPLETE, D(100))


def test_a_resting_limit_fills_at_its_limit_when_the_other_side_comes_to_it() -> None:
    paper = book()
    waiting = paper.place(order(action=SELL, price_type=LIMIT, price=D(102)), TOUCH, NOW)
    hear(paper, quote("100", "102.5", 103, stamp=TOUCH.stamp))
    assert (waiting.status, waiting.average) == (COMPLETE, D(102))


def test_a_limit_placed_without_a_price_meets_the_first_one_as_it_enters() -> None:
    paper = book()
    waiting = paper.place(order(price_type=LIMIT, price=D(102)), None, NOW)
    hear(paper, TOUCH)
    assert waiting.average == D(101)


@pytest.mark.parametrize(
    ("action", "price_type", "told", "average"),
    [
        (BUY, SL_M, quote("105", 104, 106), "106"),
        (SELL, SL_M, quote("95", 94, 96), "94"),
        (BUY, SL, quote("105", 104, "105.5"), "105.5"),
        (SELL, SL, quote("95", 95, 96), "95"),
    ],
)
def test_a_stop_waits_for_its_trigger_then_takes(
    action: Action, price_type: PriceType, told: Quote, average: str
) -> None:
    paper = book()
    price = D(106) if action is BUY else D(94)
    trigger = D(105) if action is BUY else D(95)
    stop = paper.place(order(action=action, price_type=price_type, price=price, trigger_price=trigger), TOUCH, NOW)
    assert stop.status is OrderStatus.TRIGGER_PENDING
    paper.news.clear()
    hear(paper, told)
    assert [(one.status, one.filled) for one in paper.news] == [(OPEN, 0), (COMPLETE, 10)]
    assert stop.average == D(average)


def test_a_stop_limit_that_is_passed_over_waits_as_a_limit() -> None:
    paper = book()
    stop = paper.place(order(price_type=SL, price=D(105), trigger_price=D(104)), TOUCH, NOW)
    hear(paper, quote("110", 109, 111))
    assert (stop.status, stop.filled) == (OPEN, 0)
    hear(paper, quote("104.5", 104, 106))
    assert (stop.status, stop.average) == (COMPLETE, D(105))


def test_a_stop_whose_trigger_is_met_already_starts_open() -> None:
    paper = book()
    stop = paper.place(order(price_type=SL, price=D(100), trigger_price=D(99)), TOUCH, NOW)
    assert [one.status for one in paper.news] == [OPEN]
    assert (stop.triggered, stop.filled) == (True, 0)


def test_ioc_takes_what_there_is_and_goes() -> None:
    deep = book(Config(depth_fills=True))
    told = quote("100", 99, 101, asks=rows(("101", 4), ("102", 9)), bids=())
    part = deep.place(order(price_type=LIMIT, price=D(101), validity=Validity.IOC), told, NOW)
    assert (part.status, part.filled, part.average) == (CANCELLED, 4, D(101))
    none = book().place(order(price_type=LIMIT, price=D(100), validity=Validity.IOC), TOUCH, NOW)
    assert (none.status, none.filled) == (CANCELLED, 0)


def test_depth_fills_never_take_more_than_is_shown_nor_the_same_twice() -> None:
    paper = book(Config(depth_fills=True))
    shown = rows(("101", 6), ("102", 8))
    first = paper.place(order(quantity=10), quote("100", 99, 101, asks=shown, bids=()), NOW)
    assert (first.average, first.status) == ((6 * D(101) + 4 * D(102)) / 10, COMPLETE)
    second = paper.place(order(quantity=10), quote("100", 99, 101, asks=shown, bids=()), NOW)
    assert (second.filled, second.status) == (10, COMPLETE) or second.filled <= 14
    resting = paper.place(order(quantity=30, price_type=LIMIT, price=D(101)), TOUCH_DEEP, NOW)
    assert resting.filled == 6
    hear(paper, quote("101.5", 99, 101, asks=rows(("101", 6)), bids=()))
    assert resting.filled == 6
    hear(paper, quote("101.5", 99, 101, asks=rows(("101", 7)), bids=()))
    assert resting.filled == 13
    hear(paper, quote("101", 99, 102, asks=rows(("102", 7)), bids=(), last_quantity=5))
    assert resting.filled == 18
    hear(paper, quote("100.5", 99, 102, asks=rows(("102", 7)), bids=()))
    assert resting.status is COMPLETE


TOUCH_DEEP = quote("100", 99, 101, asks=rows(("101", 6), ("102", 8)), bids=())


def test_what_one_order_took_is_not_there_for_the_next_while_both_wait() -> None:
    paper = book(Config(depth_fills=True))
    first = paper.place(order(quantity=8, price_type=LIMIT, price=D(101)), TOUCH_DEEP, NOW)
    second = paper.place(order(quantity=8, price_type=LIMIT, price=D(102)), TOUCH_DEEP, NOW)
    assert (first.filled, second.filled, second.average) == (6, 8, D(102))


# --- admission --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (order(product=NRML), "NRML is not possible on NSE"),
        (order(CALL, quantity=75, product=CNC), "CNC is not possible on NFO"),
        (order(ALUMINIUM, quantity=5, product=CNC), "CNC is not possible on NCO"),
        (order(CALL, quantity=70), "Quantity must be in multiples of lot size 75"),
        (order(ALUMINIUM, quantity=7), "Quantity must be in multiples of lot size 5"),
        (order(instrument("NIFTY", Exchange.NSE_INDEX)), "cannot be traded"),
        (order(quantity=0), "greater than zero"),
        (order(price_type=LIMIT), "Price must be greater than zero"),
        (order(price_type=SL, price=D(1)), "Trigger price must be greater than zero"),
        (order(price_type=SL_M), "Trigger price must be greater than zero"),
    ],
)
def test_wrong_terms_are_refused(wrong: PaperOrder, text: str) -> None:
    paper = book()
    with pytest.raises(Refused, match=text) as caught:
        paper.place(wrong, TOUCH, NOW)
    assert caught.value.code == "INVALID_ORDER"
    assert not paper.orders
    assert paper.ledger.used == 0


def test_an_expired_contract_is_refused() -> None:
    with pytest.raises(Refused, match="expired on 26-Nov-2026"):
        book().place(order(FUTURE, quantity=75), TOUCH, ms(at(10, day=27)))


def test_without_the_money_the_text_says_how_much_is_missing() -> None:
    paper = book(Config(starting_capital=D(100_000)))
    with pytest.raises(Refused) as caught:
        paper.place(order(quantity=1500, product=CNC, price_type=LIMIT, price=D(100)), TOUCH, NOW)
    assert str(caught.value) == (
        "Insufficient funds. Required: ₹150,000.00, Available: ₹100,000.00, Shortage: ₹50,000.00"
    )
    assert caught.value.code == "INSUFFICIENT_FUNDS"


def test_intraday_after_the_square_off_may_only_reduce_and_never_reverses() -> None:
    paper = book()
    paper.place(order(), TOUCH, NOW)
    late = ms(at(15, 20))
    text = r"MIS orders cannot be placed after square-off time \(15:15 IST\). Trading resumes at 09:00 AM IST."
    for wrong in (order(), order(action=SELL, quantity=11)):
        with pytest.raises(Refused, match=text):
            paper.place(wrong, TOUCH, late)
    assert paper.place(order(action=SELL), TOUCH, late).status is COMPLETE
    assert paper.place(order(CRUDE, quantity=1), TOUCH, late).status is COMPLETE
    assert paper.place(order(product=CNC), TOUCH, late).status is COMPLETE


def test_delivery_is_sold_only_once() -> None:
    paper = book()
    paper.place(order(quantity=10, product=CNC), TOUCH, NOW)
    sale = paper.place(order(action=SELL, quantity=6, product=CNC, price_type=LIMIT, price=D(120)), TOUCH, NOW)
    over = order(action=SELL, quantity=5, product=CNC, price_type=LIMIT, price=D(120))
    with pytest.raises(Refused, match="Required: 5, Available: 4"):
        paper.place(over, TOUCH, NOW)
    assert paper.orders[over.id].status is OrderStatus.REJECTED  # as a broker's book would show it
    with pytest.raises(Refused, match="Available: 10"):
        paper.modify(sale.id, Change(quantity=11, price_type=LIMIT, price=D(120)), TOUCH, NOW)
    paper.cancel(sale.id, NOW)
    assert paper.place(order(action=SELL, quantity=10, product=CNC), TOUCH, NOW).status is COMPLETE


def test_the_same_id_is_one_order() -> None:
    paper = book()
    one = paper.place(order(id="P-AAAAAAAAAA"), TOUCH, NOW)
    assert paper.place(order(id="P-AAAAAAAAAA"), TOUCH, NOW) is one
    assert len(paper.trades) == 1


# --- margin -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "blocked"),
    [
        (order(price_type=LIMIT, price=D(90)), "180"),
        (order(product=CNC, price_type=LIMIT, price=D(90)), "900"),
        (order(FUTURE, quantity=75, product=NRML, price_type=LIMIT, price=D(90)), "675"),
        (order(CALL, quantity=75, product=NRML, price_type=LIMIT, price=D(90)), "6750"),
        (order(CALL, SELL, 75, LIMIT, NRML, price=D(110)), "8250"),
        (order(price_type=SL, price=D(120), trigger_price=D(110)), "220"),
    ],
)
def test_a_waiting_order_blocks_its_margin_and_a_cancel_releases_it(asked: PaperOrder, blocked: str) -> None:
    paper = book()
    paper.place(asked, TOUCH, NOW)
    assert paper.ledger.used == D(blocked)
    paper.cancel(asked.id, NOW)
    assert paper.ledger.used == 0


def test_reductions_block_nothing_and_a_reversal_only_its_excess() -> None:
    paper = book()
    paper.place(order(quantity=10), quote("100"), NOW)
    assert paper.ledger.used == 200
    reduce = paper.place(order(action=SELL, quantity=6, price_type=LIMIT, price=D(110)), TOUCH, NOW)
    assert reduce.blocked == 0
    reverse = paper.place(order(action=SELL, quantity=10, price_type=LIMIT, price=D(110)), TOUCH, NOW)
    assert reverse.blocked == 0
    excess = paper.place(order(action=SELL, quantity=12, price_type=LIMIT, price=D(115)), TOUCH, NOW)
    assert (excess.opening, excess.blocked) == (2, D(46))
    hear(paper, quote("110"))
    assert paper.ledger.quantity(reverse.key) == -6
    assert paper.ledger.used == 132 + 46
    assert paper.ledger.balance.realised_today == 100


def test_realised_results_are_cash_even_where_no_margin_was_held() -> None:
    paper = book()
    start = paper.ledger.available
    paper.place(order(product=CNC), quote("100"), NOW)
    paper.place(order(action=SELL, product=CNC), quote("90"), NOW)
    assert paper.ledger.available == start - 100


def test_a_fill_that_turned_out_to_open_more_than_was_held_needs_the_money() -> None:
    paper = book(Config(starting_capital=D(100_000)))
    paper.place(order(INFY, quantity=4000), quote("100"), NOW)
    exit_at = paper.place(order(INFY, SELL, 4000, LIMIT, price=D(120)), quote("100"), NOW)
    assert exit_at.blocked == 0
    paper.place(order(INFY, SELL, 4000), quote("100"), NOW)
    paper.place(order(SBIN, quantity=4900), quote("100"), NOW)
    hear(paper, quote("120"), INFY)
    assert (exit_at.status, exit_at.filled) == (CANCELLED, 0)
    assert exit_at.reason.startswith("Insufficient funds. Required: ₹96,000.00")


def test_crossing_zero_closes_all_and_opens_the_rest_at_the_fill() -> None:
    paper = book()
    paper.place(order(quantity=10), quote("100"), NOW)
    paper.place(order(quantity=10), quote("110"), NOW)
    position = paper.ledger.positions[order().key]
    assert position.average == 105
    paper.place(order(action=SELL, quantity=25), quote("120"), NOW)
    assert (position.quantity, position.average, position.realised) == (-5, D(120), D(300))
    paper.place(order(quantity=5), quote("118"), NOW)
    assert (position.quantity, position.average, position.realised) == (0, D(0), D(310))
    assert paper.ledger.used == 0


def test_charges_come_off_each_fill_where_they_are_on() -> None:
    paper = book(Config(charges=True))
    paper.place(order(quantity=100, product=CNC), quote("1000"), NOW)
    cost = paper.trades[0].charges
    assert cost == D("100") + D("3.07") + D("0.10") + D("15.00") + D("0.57")
    assert paper.ledger.equity == 10_000_000 - cost
    assert paper.ledger.balance.charges_total == cost


# --- changes ----------------------------------------------------------------------------------------------------------


def test_a_change_replaces_terms_and_margin_and_matches_anew() -> None:
    paper = book()
    waiting = paper.place(order(price_type=LIMIT, price=D(90)), TOUCH, NOW)
    paper.modify(waiting.id, Change(quantity=20, price_type=LIMIT, price=D(95)), TOUCH, NOW)
    assert (waiting.quantity, waiting.price, paper.ledger.used) == (20, D(95), D(380))
    paper.modify(waiting.id, Change(quantity=20, price_type=LIMIT, price=D(103)), TOUCH, NOW)
    assert (waiting.status, waiting.average) == (COMPLETE, D(101))


def test_a_change_that_cannot_be_paid_changes_nothing() -> None:
    paper = book(Config(starting_capital=D(100_000)))
    waiting = paper.place(order(price_type=LIMIT, price=D(90)), TOUCH, NOW)
    with pytest.raises(Refused, match="Insufficient funds"):
        paper.modify(waiting.id, Change(quantity=100_000, price_type=LIMIT, price=D(90)), TOUCH, NOW)
    assert (waiting.quantity, paper.ledger.used) == (10, D(180))


def test_what_is_done_cannot_be_changed() -> None:
    paper = book()
    done = paper.place(order(), TOUCH, NOW)
    with pytest.raises(Refused, match="Cannot modify order in complete status"):
        paper.modify(done.id, Change(quantity=5, price_type=MARKET), TOUCH, NOW)
    with pytest.raises(Refused, match="Cannot cancel order in complete status"):
        paper.cancel(done.id, NOW)
    with pytest.raises(Refused, match="Order P-NONE not found"):
        paper.cancel("P-NONE", NOW)
