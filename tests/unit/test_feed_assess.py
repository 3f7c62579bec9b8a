"""What can be seen of an account's feed."""

import itertools
from typing import cast

import pytest
from tests.toy_broker import toy_spec, toy_stream

from sangam.feed.assess import LiveShare, offered, use, worst
from sangam.feed.carriage import Carriage
from sangam.feed.pool import Caps
from sangam.feed.port import StreamUse
from sangam.model.enums import AccountState, Exchange, Mode
from sangam.transport.socket import Connection, SocketState


class FakeConnection:
    def __init__(self, state: SocketState) -> None:
        self.state = state
        self.detail = f"why {state.value}"


def judged(*states: SocketState) -> tuple[AccountState, str] | None:
    return worst(cast(Connection, FakeConnection(state)) for state in states)


WORST_FIRST = ("auth_expired", "replaced", "reconnecting", "stale", "connecting", "live")


@pytest.mark.parametrize(("state", "better"), list(itertools.pairwise(WORST_FIRST)))
def test_the_worst_socket_is_the_accounts_state_with_its_reason(state: str, better: str) -> None:
    for order in ((state, better), (better, state)):
        assert judged(*map(SocketState, order)) == (AccountState(state), f"why {state}")


def test_no_socket_and_live_sockets_are_no_trouble() -> None:
    assert judged() is None
    assert judged(SocketState.LIVE, SocketState.LIVE) is None


def test_every_state_of_a_socket_is_judged() -> None:
    assert {state.value for state in SocketState} == set(WORST_FIRST)


def test_what_a_broker_offers_is_the_union_of_its_streams() -> None:
    book = toy_stream("book", modes={Mode.DEPTH: (50, 5)}, book_only=True)
    told = offered(toy_spec(toy_stream("data"), book))
    assert list(told) == [Exchange.NFO.value, Exchange.NSE.value]
    assert told["NSE"] == {"LTP": (), "Quote": (), "Depth": (5, 20, 50)}


def test_the_use_of_each_stream_with_the_limits_that_hold() -> None:
    def connect(number: int) -> Connection:
        return cast(Connection, FakeConnection(SocketState.LIVE))

    streams = (toy_stream("data", 100, 3, opens="with_session"), toy_stream("book", 50, 1))
    carriage = Carriage(streams, Caps(symbols_per_socket=80), lambda stream, lines: connect)
    assert use(carriage) == (StreamUse("data", 0, 1, 80, 3), StreamUse("book", 0, 0, 50, 1))


def test_the_live_share_counts_market_hours_only() -> None:
    share = LiveShare()
    assert share.ratio == 1.0
    share.look(0, AccountState.NO_SESSION)
    share.look(1000, AccountState.CLOSED_MARKET)
    assert share.ratio == 1.0
    share.look(4000, AccountState.LIVE)
    share.look(5000, AccountState.RECONNECTING)
    assert share.ratio == 0.75
