"""Sockets filled by limits, with connections that only remember what they were asked."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.toy_broker import toy_instrument, toy_stream

from sangam.feed.pool import Caps, Pool
from sangam.model.enums import Exchange, Mode
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key
from sangam.transport.socket import Connection, SocketState

LTP, QUOTE = Level(Mode.LTP), Level(Mode.QUOTE)


class FakeConnection:
    def __init__(self, number: int) -> None:
        self.number = number
        self.state = SocketState.LIVE
        self.wanted: dict[Key, Level] = {}

    def want(self, key: Key, level: Level) -> None:
        self.wanted[key] = level

    def unwant(self, key: Key) -> None:
        del self.wanted[key]


class Bench:
    def __init__(self, symbols: int, sockets: int, caps: Caps = Caps(), **options: Any) -> None:  # noqa: B008
        self.opened: list[FakeConnection] = []
        self.pool = Pool(toy_stream("data", symbols, sockets, **options), caps, self.connect)

    def connect(self, number: int) -> Connection:
        self.opened.append(FakeConnection(number))
        return cast(Connection, self.opened[-1])

    def put(self, *names: str, level: Level = LTP) -> list[bool]:
        return [self.pool.put(name, toy_instrument(name), level) for name in names]

    @property
    def carried(self) -> list[str]:
        return ["".join(cast("dict[str, Level]", each.wanted)) for each in self.opened]

    @property
    def idle(self) -> list[int]:
        """The numbers of the idle sockets."""
        return [cast(FakeConnection, each).number for each in self.pool.idle()]


def test_sockets_open_only_when_needed_and_fill_up_in_order() -> None:
    bench = Bench(symbols=2, sockets=2)
    assert bench.opened == []
    assert bench.put(*"ABCD") == [True] * 4
    assert bench.carried == ["AB", "CD"]
    assert bench.put("E") == [False]
    assert len(bench.pool) == 4


def test_room_that_was_given_back_is_used_again() -> None:
    bench = Bench(symbols=2, sockets=2)
    bench.put(*"ABCD")
    bench.pool.drop("A")
    bench.pool.drop("A")
    assert bench.put("E", "F") == [True, False]
    assert bench.carried == ["BE", "CD"]


def test_a_change_of_level_stays_on_its_socket() -> None:
    bench = Bench(symbols=1, sockets=1)
    bench.put("A")
    assert bench.put("A", level=QUOTE) == [True]
    assert bench.opened[0].wanted == {"A": QUOTE}
    assert len(bench.pool) == 1


@pytest.mark.parametrize(
    ("caps", "limits"),
    [
        (Caps(), (10, 3)),
        (Caps(symbols_per_socket=4), (4, 3)),
        (Caps(sockets=2), (10, 2)),
        (Caps(symbols_per_socket=1000, sockets=1000), (10, 3)),
    ],
)
def test_the_users_caps_narrow_and_never_widen(caps: Caps, limits: tuple[int, int]) -> None:
    pool = Bench(10, 3, caps).pool
    assert (pool.symbols_per_socket, pool.max_sockets) == limits


def test_streams_of_a_group_share_the_budget_of_sockets() -> None:
    first, second = Bench(1, 2, group="g"), Bench(1, 2, group="g")
    shared = [first.pool, second.pool]
    first.pool.sharers = second.pool.sharers = shared
    assert first.put("A") == [True]
    assert second.put("B") == [True]
    assert first.put("C") == [False]
    second.pool.drop("B")
    for connection in second.pool.idle():
        second.pool.forget(connection)
    assert first.put("C") == [True]


def test_a_stream_of_a_group_has_a_figure_of_its_own_too() -> None:
    many, few = Bench(1, 3, group="g"), Bench(1, 1, group="g")
    many.pool.sharers = few.pool.sharers = [many.pool, few.pool]
    assert many.put("A") == [True]
    assert few.put("B", "C") == [True, False]
    assert many.put("D", "E") == [True, False]


def test_costs_are_counted_in_the_brokers_units() -> None:
    bench = Bench(5, 2, cost=lambda instrument, level: 4 if level.mode is Mode.DEPTH else 1)
    assert bench.put("A", "B", level=Level(Mode.DEPTH)) == [True, True]
    assert bench.carried == ["A", "B"]
    assert bench.put("C", "D", "E") == [True, True, False]
    assert bench.carried == ["AC", "BD"]


def test_a_dearer_level_moves_when_its_socket_is_full() -> None:
    bench = Bench(4, 2, cost=lambda instrument, level: 4 if level.mode is Mode.DEPTH else 1)
    bench.put(*"ABC")
    assert bench.put("C", level=Level(Mode.DEPTH)) == [True]
    assert bench.carried == ["AB", "C"]
    assert bench.put("D", "E", "F") == [True, True, False]


def test_parts_do_not_share_a_socket() -> None:
    def by_exchange(instrument: Instrument, level: Level) -> Exchange:
        return instrument.exchange

    bench = Bench(2, 2, partition=by_exchange)
    bench.put("A")
    assert bench.pool.put("F", toy_instrument("F", exchange=Exchange.NFO), LTP)
    assert bench.carried == ["A", "F"]
    assert not bench.pool.put("M", toy_instrument("M", exchange=Exchange.MCX), LTP)
    assert bench.pool.exchanges(bench.pool.connections[1]) == [Exchange.NFO]
    bench.pool.drop("F")
    assert bench.pool.exchanges(bench.pool.connections[1]) == []
    assert bench.pool.put("M", toy_instrument("M", exchange=Exchange.MCX), LTP)
    assert bench.carried == ["A", "M"]


def test_a_level_of_another_part_moves_to_another_socket() -> None:
    bench = Bench(5, 2, partition=lambda instrument, level: level.mode)
    bench.put("A", "B")
    assert bench.put("A", level=QUOTE) == [True]
    assert bench.carried == ["B", "A"]
    assert bench.put("A") == [True]
    assert bench.carried == ["BA", ""]


def test_a_refused_change_of_level_can_be_taken_back() -> None:
    bench = Bench(2, 1, cost=lambda instrument, level: 2 if level.mode is Mode.DEPTH else 1)
    bench.put("A", "B")
    assert bench.put("A", level=Level(Mode.DEPTH)) == [False]
    assert bench.put("A") == [True]
    assert bench.carried == ["BA"]


def test_idle_sockets_are_told_but_the_sessions_own_is_kept() -> None:
    on_want, stays, with_session = Bench(1, 3), Bench(1, 3, stays=True), Bench(1, 3, opens="with_session")
    with_session.pool.open_first()
    with_session.pool.open_first()
    assert len(with_session.opened) == 1
    for bench in (on_want, stays, with_session):
        bench.put(*"ABC")
        bench.pool.drop("A")
        bench.pool.drop("C")
    assert on_want.idle == [1, 3]
    assert stays.idle == with_session.idle == [3]


def test_a_socket_whose_credential_died_is_no_idle_one() -> None:
    """A new one would ask again with the same dead credential."""
    bench = Bench(1, 1)
    bench.put("A")
    bench.opened[0].state = SocketState.AUTH_EXPIRED
    bench.pool.drop("A")
    assert bench.idle == []
    assert bench.put("B") == [True]
    assert len(bench.opened) == 1


def test_shrinking_names_the_newest_of_each_socket() -> None:
    bench = Bench(3, 2)
    bench.put(*"ABCDE")
    assert bench.pool.shrink(2) == ["C"]
    assert bench.pool.shrink(1) == ["E", "C", "B"]
    assert bench.pool.symbols_per_socket == 1
    assert bench.pool.shrink(5) == ["E", "C", "B"]
    assert bench.pool.shrink(0) == ["E", "C", "B"]
    assert bench.pool.symbols_per_socket == 1


def test_keys_on_a_socket() -> None:
    bench = Bench(2, 2)
    bench.put(*"ABC")
    assert [bench.pool.keys_on(each) for each in bench.pool.connections] == [["A", "B"], ["C"]]


@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.lists(
        st.tuples(
            st.sampled_from(["put", "put", "drop", "idle", "shrink"]),
            st.sampled_from("ABCDEFGHIJ"),
            st.sampled_from(list(Mode)),
        ),
        max_size=60,
    ),
)
def test_limits_hold_and_nothing_is_lost_whatever_happens(
    symbols: int, sockets: int, steps: list[tuple[str, str, Mode]]
) -> None:
    """Costs 1 to 3 by mode, two parts by name: the sockets carry exactly the accepted, within the limits."""
    bench = Bench(
        symbols + 2,
        sockets,
        cost=lambda instrument, level: int(level.mode),
        partition=lambda instrument, level: instrument.symbol < "D",
    )
    pool, accepted = bench.pool, dict[str, Level]()
    for verb, name, mode in steps:
        match verb:
            case "put":
                if pool.put(name, toy_instrument(name), Level(mode)):
                    accepted[name] = Level(mode)
                else:
                    accepted.pop(name, None)
            case "drop":
                pool.drop(name)
                accepted.pop(name, None)
            case "idle":
                for connection in pool.idle():
                    assert not cast(FakeConnection, connection).wanted
                    pool.forget(connection)
            case "shrink":
                for key in pool.shrink(pool.symbols_per_socket - 1):
                    pool.drop(key)
                    del accepted[cast(str, key)]
        fakes = [cast(FakeConnection, each) for each in pool.connections]
        assert len(fakes) <= sockets
        assert {key: level for each in fakes for key, level in each.wanted.items()} == accepted
        assert sum(len(each.wanted) for each in fakes) == len(accepted) == len(pool)
        for each in fakes:
            assert sum(int(level.mode) for level in each.wanted.values()) <= pool.symbols_per_socket
            assert len({cast(str, key) < "D" for key in each.wanted}) <= 1
