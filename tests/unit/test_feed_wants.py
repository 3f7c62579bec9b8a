"""Wants, the lines that serve them, and which streams serve a line."""

from dataclasses import replace
from typing import Any

import pytest
from tests.toy_broker import toy_instrument, toy_stream

from sangam.brokers.contract import Carries, Stream
from sangam.feed.port import Dialect, Granted, Pending, Refused
from sangam.feed.wants import Line, Want, WantKey, plan
from sangam.model.enums import Exchange, Mode
from sangam.model.instrument import Level

SBIN = toy_instrument("SBIN")
LTP, QUOTE = Level(Mode.LTP), Level(Mode.QUOTE)


def depth(levels: int) -> Level:
    return Level(Mode.DEPTH, levels)


def want(level: Level, number: int = 1) -> Want:
    record = Want(number, WantKey("SBIN", "NSE", level, Dialect.CANONICAL))
    record.count = 1
    return record


def planned(streams: tuple[Stream, ...], level: Level, **fields: Any) -> list[tuple[str, Level]]:
    return [(part.stream.name, part.level) for part in plan(streams, toy_instrument("SBIN", **fields), level)]


MAIN = toy_stream("main")
FIFTY = toy_stream("fifty", modes={Mode.DEPTH: (50,)}, book_only=True)
TWENTY = toy_stream("twenty", modes={Mode.DEPTH: (20, 200)}, book_only=True)


# --- lines ------------------------------------------------------------------------------------------------------------


def test_a_line_is_as_wide_as_its_widest_want() -> None:
    line = Line(SBIN, 1)
    line.add(want(LTP))
    assert line.level() == LTP
    line.add(want(QUOTE))
    assert line.level() == QUOTE
    line.add(want(depth(20)))
    line.add(want(depth(5)))
    assert line.level() == depth(20)


def test_a_line_lists_only_wants_with_a_client() -> None:
    line, first, second = Line(SBIN, 1), want(LTP, 1), want(QUOTE, 2)
    line.add(first)
    line.add(second)
    first.count = 0
    line.relist()
    assert line.listened == (second,)
    line.remove(second)
    assert not line.listened
    assert (line.wants, second.line) == ([first], None)


def test_what_a_want_answers() -> None:
    record = want(depth(20), 7)
    record.waits_for = "Toy Broker is not logged in"
    assert record.answer() == Pending(7, depth(20), "Toy Broker is not logged in")
    Line(SBIN, 1).add(record)
    assert record.answer() == Granted(7, depth(20))
    record.refusal = Refused("no")
    assert record.answer() == Refused("no")


@pytest.mark.parametrize(("tick", "scale"), [(0.05, 100), (0.01, 100), (0.0025, 10_000), (1.0, 100)])
def test_a_line_knows_its_instruments_decimals(tick: float, scale: int) -> None:
    assert Line(toy_instrument("X", tick=tick), 1).scale == scale


# --- plans ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "level"), [(LTP, LTP), (QUOTE, QUOTE), (depth(5), depth(5)), (depth(20), depth(20))])
def test_one_stream_for_everything(asked: Level, level: Level) -> None:
    assert planned((MAIN,), asked) == [("main", level)]


@pytest.mark.parametrize(("asked", "level"), [(1, 5), (6, 20), (50, 20), (200, 20)])
def test_the_smallest_book_that_is_deep_enough_else_the_deepest(asked: int, level: int) -> None:
    assert planned((MAIN,), depth(asked)) == [("main", depth(level))]


def test_a_stream_that_tells_only_the_book_is_joined_by_one_that_tells_the_rest() -> None:
    streams = (MAIN, FIFTY)
    assert planned(streams, QUOTE) == [("main", QUOTE)]
    assert planned(streams, depth(20)) == [("main", depth(20))]
    assert planned(streams, depth(50)) == [("fifty", depth(50)), ("main", QUOTE)]
    assert planned(streams[::-1], depth(5)) == [("fifty", depth(50)), ("main", QUOTE)]


def test_the_first_stream_that_is_deep_enough_wins_else_the_deepest() -> None:
    streams = (MAIN, TWENTY, FIFTY)
    assert planned(streams, depth(50)) == [("twenty", depth(200)), ("main", QUOTE)]
    assert planned((MAIN, FIFTY), depth(200)) == [("fifty", depth(50)), ("main", QUOTE)]


def test_the_rest_needs_no_more_than_the_other_stream_can_tell() -> None:
    prices = toy_stream("prices", modes={Mode.LTP: (), Mode.QUOTE: ()})
    assert planned((prices, FIFTY), depth(5)) == [("fifty", depth(50)), ("prices", QUOTE)]


def test_a_book_without_anything_to_join_it_serves_nobody() -> None:
    """Such a want would be granted and never tell anything, since a book has no last price."""
    assert planned((FIFTY,), depth(50)) == []
    ltp_only = toy_stream("ltp", modes={Mode.LTP: ()})
    assert planned((FIFTY, ltp_only), depth(50)) == []


def test_unserved_modes_exchanges_and_instruments() -> None:
    prices = toy_stream("prices", modes={Mode.LTP: ()})
    assert planned((prices,), QUOTE) == []
    assert planned((MAIN,), LTP, exchange=Exchange.MCX) == []
    assert planned((), LTP) == []
    assert planned((replace(MAIN, key=lambda instrument: None),), LTP) == []


def test_exchanges_may_need_different_streams() -> None:
    commodities = replace(MAIN, name="mcx", carries=Carries({Mode.LTP: ()}, frozenset({Exchange.MCX})))
    assert planned((MAIN, commodities), LTP, exchange=Exchange.MCX) == [("mcx", LTP)]
