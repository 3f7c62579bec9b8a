"""Lines on the sockets of several streams, and the wants behind them, with connections that only remember.

The state machine at the end is the promise of the feed: whatever clients do, the sockets carry exactly what somebody
listens to."""

import itertools
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.toy_broker import toy_instrument, toy_stream

from sangam.brokers.contract import Stream
from sangam.feed.carriage import Carriage
from sangam.feed.pool import Caps
from sangam.feed.port import Dialect
from sangam.feed.wants import Line, Want, WantKey, plan
from sangam.model.enums import Mode
from sangam.model.instrument import Level
from sangam.model.market import Depth as Book
from sangam.model.market import DepthLevel, Key, Patch
from sangam.transport.socket import Connection, SocketState

PRICES = toy_stream("prices", 3, 2, {Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5,)})
BOOK = toy_stream("book", 2, 2, {Mode.DEPTH: (20, 50)}, book_only=True)
LTP, QUOTE, DEPTH, DEEP = Level(Mode.LTP), Level(Mode.QUOTE), Level(Mode.DEPTH), Level(Mode.DEPTH, 50)


class FakeConnection:
    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.state = SocketState.LIVE
        self.wanted: dict[Key, Level] = {}

    def want(self, key: Key, level: Level) -> None:
        self.wanted[key] = level

    def unwant(self, key: Key) -> None:
        del self.wanted[key]


class Bench:
    def __init__(self, *streams: Stream, caps: Caps | None = None) -> None:
        self.lines: dict[str, dict[Key, Line]] = {}
        self.carriage = Carriage(streams, caps or Caps(), self._connect)
        self._numbers = itertools.count(1)

    def _connect(self, stream: Stream, lines: dict[Key, Line]) -> Callable[[int], Connection]:
        self.lines[stream.name] = lines
        return lambda number: cast(Connection, FakeConnection(stream))

    def line(self, symbol: str, *levels: Level) -> Line:
        line = Line(toy_instrument(symbol), next(self._numbers))
        for level in levels:
            self.add(line, level)
        return line

    def add(self, line: Line, level: Level) -> Want:
        number = next(self._numbers)
        want = Want(number, WantKey(f"{line.instrument.symbol}-{number}", "NSE", level, Dialect.CANONICAL))
        want.count = 1
        line.add(want)
        return want

    def carried(self, stream: Stream) -> dict[Key, Level]:
        connections = self.carriage.pools[stream.name].connections
        return {key: level for each in connections for key, level in cast(FakeConnection, each).wanted.items()}


def test_a_line_is_found_by_each_stream_that_serves_it() -> None:
    bench = Bench(PRICES, BOOK)
    line = bench.line("A", DEEP)
    assert bench.carriage.put(line)
    assert (bench.carried(BOOK), bench.carried(PRICES)) == ({"A": DEEP}, {"A": QUOTE})
    assert bench.carriage.line(BOOK, "A") is bench.carriage.line(PRICES, "A") is line
    assert not line.last.whole
    assert [bench.carriage.lines_on(each) for each in bench.carriage.connections] == [[line], [line]]
    bench.carriage.take_off(line)
    assert (bench.carried(BOOK), bench.carried(PRICES), line.parts) == ({}, {}, ())
    assert bench.carriage.line(BOOK, "A") is bench.carriage.line(PRICES, "A") is None


def test_going_down_leaves_the_book_and_forgets_it() -> None:
    bench = Bench(PRICES, BOOK)
    line = bench.line("A", QUOTE)
    deep = bench.add(line, DEEP)
    bench.carriage.put(line)
    line.last.merge(Patch("A", {"ltp": 5.0}, Book([DepthLevel(4.9, 1)], [])), 1)
    line.remove(deep)
    assert bench.carriage.put(line)
    assert (bench.carried(BOOK), bench.carried(PRICES)) == ({}, {"A": QUOTE})
    assert (line.last.whole, line.last.depth, line.last.fields["ltp"]) == (True, None, 5.0)
    assert [connection.stream for connection in bench.carriage.dismiss_idle()] == [BOOK]
    assert [connection.stream for connection in bench.carriage.connections] == [PRICES]


def test_a_failed_rise_changes_nothing() -> None:
    bench = Bench(PRICES, BOOK, caps=Caps(symbols_per_socket=1, sockets=1))
    taken, line = bench.line("A", DEEP), bench.line("B", LTP)
    assert bench.carriage.put(taken)
    assert not bench.carriage.put(line)
    assert line.parts == ()
    assert bench.carriage.line(PRICES, "B") is None
    bench.carriage.take_off(taken)
    assert bench.carriage.put(line)
    assert bench.carriage.put(bench.line("X", DEEP)) is False
    want = bench.add(line, DEEP)
    assert bench.carriage.put(line)
    line.remove(want)
    assert bench.carriage.put(line)
    assert (bench.carried(BOOK), bench.carried(PRICES)) == ({}, {"B": LTP})


def test_streams_of_a_group_share_their_sockets() -> None:
    first = toy_stream("first", 1, 2, {Mode.LTP: ()}, group="g")
    second = toy_stream("second", 1, 2, {Mode.QUOTE: ()}, group="g")
    bench = Bench(first, second)
    assert bench.carriage.put(bench.line("A", LTP))
    assert bench.carriage.put(bench.line("B", QUOTE))
    assert not bench.carriage.put(bench.line("C", LTP))


def test_shrinking_moves_lines_and_names_those_without_a_place() -> None:
    bench = Bench(PRICES)
    lines = [bench.line(name, LTP) for name in "ABCD"]
    assert all(map(bench.carriage.put, lines))
    assert bench.carriage.shrink(PRICES, 2) == []
    assert set(bench.carried(PRICES)) == set("ABCD")
    over = bench.carriage.shrink(PRICES, 1)
    assert len(over) == 2
    assert all(line.parts == () for line in over)
    assert len(bench.carried(PRICES)) == 2


def test_the_text_of_a_full_house_names_the_stream_that_carries_most() -> None:
    assert Bench(BOOK, PRICES).carriage.full_text(6) == (
        "Maximum capacity reached: 2 connections × 3 symbols = 6 symbols. Currently subscribed to 6 symbols."
    )


def test_a_stream_that_opens_with_the_session_is_opened_at_once() -> None:
    bench = Bench(PRICES, toy_stream("orders", opens="with_session"))
    assert [connection.stream.name for connection in bench.carriage.connections] == ["orders"]
    assert list(bench.carriage.dismiss_idle()) == []


class Clients(RuleBasedStateMachine):
    """Clients want and release at all levels on two small streams, while the broker lowers its limits."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(PRICES, BOOK)
        self.lines: dict[str, Line] = {}

    @rule(symbol=st.sampled_from("ABCDEFGH"), level=st.sampled_from([LTP, QUOTE, DEPTH, Level(Mode.DEPTH, 20), DEEP]))
    def want(self, symbol: str, level: Level) -> None:
        line = self.lines.get(symbol) or self.bench.line(symbol)
        before, parts = self.carried, line.parts
        want = self.bench.add(line, level)
        if self.bench.carriage.put(line):
            self.lines[symbol] = line
        else:
            line.remove(want)
            assert (self.carried, line.parts) == (before, parts), "a refusal changed something"

    @precondition(lambda self: self.lines)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        symbol = data.draw(st.sampled_from(sorted(self.lines)))
        line = self.lines[symbol]
        line.remove(data.draw(st.sampled_from(line.wants)))
        if line.wants:
            self.bench.carriage.put(line)
        else:
            self.bench.carriage.take_off(line)
            del self.lines[symbol]

    @rule()
    def dismiss(self) -> None:
        for connection in self.bench.carriage.dismiss_idle():
            assert not cast(FakeConnection, connection).wanted

    @rule(stream=st.sampled_from([PRICES, BOOK]))
    def shrink(self, stream: Stream) -> None:
        limit = self.bench.carriage.pools[stream.name].symbols_per_socket - 1
        for line in self.bench.carriage.shrink(stream, limit):
            del self.lines[line.instrument.symbol]

    @property
    def carried(self) -> dict[str, dict[Key, Level]]:
        return {stream.name: self.bench.carried(stream) for stream in (PRICES, BOOK)}

    @invariant()
    def upstream_is_the_union_of_the_wants(self) -> None:
        needed: dict[str, dict[Key, Level]] = {"prices": {}, "book": {}}
        for symbol, line in self.lines.items():
            for part in plan((PRICES, BOOK), line.instrument, line.level()):
                needed[part.stream.name][symbol] = part.level
        assert self.carried == needed

    @invariant()
    def every_key_leads_to_its_line_and_no_other(self) -> None:
        for name, lines in self.bench.lines.items():
            assert {key: line.instrument.symbol for key, line in lines.items()} == {key: key for key in lines}
            assert lines.keys() == self.carried[name].keys()

    @invariant()
    def limits_hold(self) -> None:
        for pool in self.bench.carriage.pools.values():
            assert len(pool.connections) <= pool.max_sockets
            for connection in pool.connections:
                assert len(cast(FakeConnection, connection).wanted) <= pool.symbols_per_socket


TestClients: Any = pytest.mark.filterwarnings("default")(Clients.TestCase)
TestClients.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
