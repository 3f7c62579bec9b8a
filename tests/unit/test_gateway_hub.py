"""The fan-out: what is published reaches exactly those who want it, whole and in order, however cohorts change."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway_support import MAIN, OTHER, SECOND, Client, World

from sangam.feed.port import AccountHealth
from sangam.gateway.protocol import message
from sangam.model.enums import AccountState
from sangam.model.order import OrderNews

ROOM = 4
SYMBOLS = ["A", "B", "C"]


def order(orderid: str, status: str = "open", filled: int = 0) -> bytes:
    return message("order_update", None, orderid=orderid, order_status=status, filled_quantity=filled)


def numbers(heard: list[dict[str, Any]]) -> list[int]:
    return [row["data"]["n"] for row in heard if row["type"] == "market_data"]


class TestFanOut:
    def test_one_write_per_client_for_what_comes_together(self) -> None:
        world = World(interval_ms=0)
        client = world.client()
        client.say(action="subscribe", symbols=[{"symbol": s, "exchange": "NSE"} for s in SYMBOLS])
        client.heard()
        world.loop.advance(1)
        for n, symbol in enumerate(SYMBOLS):
            world.publish(symbol, b'{"n":%d}' % n)
        assert client.writes == []
        world.loop.advance(0.004)
        assert len(client.writes) == 1
        assert numbers(client.heard()) == [0, 1, 2]

    def test_the_wait_for_a_joined_write_is_timed(self) -> None:
        world = World(interval_ms=0)
        client = world.client()
        client.say(action="subscribe", symbol="A", exchange="NSE")
        world.loop.advance(1)
        written = world.hub.delivery.written
        flushes, seconds = sum(written.counts), written.seconds
        world.publish("A", b'{"n":1}')
        world.loop.settle()
        world.publish("A", b'{"n":2}')
        world.loop.advance(0.004)
        assert sum(written.counts) == flushes + 2
        assert written.seconds - seconds == pytest.approx(0.003, abs=1e-6)

    def test_after_a_rest_the_first_update_does_not_wait(self) -> None:
        world = World(interval_ms=0)
        client = world.client()
        client.say(action="subscribe", symbol="A", exchange="NSE")
        world.loop.advance(1)
        client.heard()
        world.publish("A", b'{"n":1}')
        world.loop.settle()
        assert numbers(client.heard()) == [1]
        world.publish("A", b'{"n":2}')
        world.loop.settle()
        assert client.writes == []
        world.loop.advance(0.003)
        assert numbers(client.heard()) == [2]

    def test_equal_clients_share_one_buffer(self) -> None:
        world = World(interval_ms=0)
        clients = [world.client() for _ in range(5)]
        for client in clients:
            client.say(action="subscribe", symbols=[{"symbol": s, "exchange": "NSE"} for s in SYMBOLS])
        assert world.hub.metrics()["cohorts"] == 5
        world.loop.advance(2)
        assert world.hub.metrics()["cohorts"] == 1
        for client in clients:
            client.heard()
        world.publish("B", b'{"n":7}')
        world.loop.advance(0.01)
        assert len({id(client.writes[0]) for client in clients}) == 1
        assert all(numbers(client.heard()) == [7] for client in clients)

    def test_sets_of_equal_size_but_other_members_do_not_mix(self) -> None:
        world = World(interval_ms=0)
        first, second = world.client(), world.client()
        first.say(action="subscribe", symbol="A", exchange="NSE")
        second.say(action="subscribe", symbol="B", exchange="NSE")
        world.loop.advance(2)
        world.publish("A", b'{"n":1}')
        world.loop.advance(0.01)
        assert numbers(first.heard()) == [1]
        assert numbers(second.heard()) == []

    def test_a_change_leaves_the_others_where_they_are(self) -> None:
        world = World(interval_ms=0)
        clients = [world.client() for _ in range(3)]
        for client in clients:
            client.say(action="subscribe", symbol="A", exchange="NSE")
        world.loop.advance(2)
        clients[0].say(action="subscribe", symbol="B", exchange="NSE")
        assert world.hub.metrics()["cohorts"] == 2
        clients[0].say(action="unsubscribe", symbol="B", exchange="NSE")
        world.loop.advance(2)
        assert world.hub.metrics()["cohorts"] == 1
        for client in clients[1:]:
            client.session.end(flush=False)
        assert world.hub.metrics()["cohorts"] == 1
        clients[0].session.end(flush=False)
        world.loop.advance(2)
        assert world.hub.metrics()["cohorts"] == world.hub.metrics()["lanes"] == world.feed.total_held == 0

    def test_two_intervals_of_one_want(self) -> None:
        world = World()
        every, some = world.client(), world.client()
        every.say(action="subscribe", symbol="A", exchange="NSE", interval=0)
        some.say(action="subscribe", symbol="A", exchange="NSE", interval=100)
        for n in range(5):
            world.publish("A", b'{"n":%d}' % n)
        world.loop.advance(0.3)
        assert numbers(every.heard()) == [0, 1, 2, 3, 4]
        assert numbers(some.heard()) == [0, 4]

    def test_updates_nobody_wants_cost_nothing(self) -> None:
        world = World()
        world.hub.publish(99, b"{}")
        assert world.hub.metrics()["messages_out_total"] == 0


class TestEvents:
    def test_orders_reach_the_listeners_of_the_user_once(self) -> None:
        world = World()
        mine, silent, other = world.client(), world.client(), world.client("key-u2")
        mine.say(action="subscribe_orders")
        other.say(action="subscribe_orders")
        for client in (mine, silent, other):
            client.heard()
        told = [order("1"), order("1"), order("1", "complete", 5), order("1"), order("2")]
        for event in told:
            world.hub.order(OrderNews(1, MAIN.id, b"", event))
        world.hub.order(OrderNews(1, SECOND.id, b"", order("1")))
        world.loop.settle()
        heard = [(row["orderid"], row["order_status"]) for row in mine.heard()]
        assert heard == [("1", "open"), ("1", "complete"), ("2", "open"), ("1", "open")]
        assert silent.heard() == other.heard() == []
        world.hub.order(OrderNews(1, OTHER.id, b"", order("1")))
        world.loop.settle()
        assert len(other.heard()) == 1
        mine.say(action="unsubscribe_orders")
        mine.heard()
        world.hub.order(OrderNews(1, MAIN.id, b"", order("9")))
        world.loop.settle()
        assert mine.heard() == []

    def test_states_reach_only_those_who_listed_the_feature(self) -> None:
        world = World()
        plain, watcher = world.client(), world.client(features=["feed_state"])
        other = world.client("key-u2", features=["feed_state"])
        state = AccountHealth(account=MAIN.id, broker="alpha", state=AccountState.STALE, detail="no data", since=5)
        world.hub.state(state)
        world.loop.settle()
        assert watcher.heard() == [
            {
                "type": "feed_state",
                "account": MAIN.id,
                "broker": "alpha",
                "state": "stale",
                "detail": "no data",
                "since": 5,
            }
        ]
        assert plain.heard() == other.heard() == []


class Model:
    """The naive truth: per client, the exact list of what it must hear on interval 0."""

    def __init__(self) -> None:
        self.world = World(interval_ms=0, settle_seconds=0.02)
        self.clients: dict[int, Client] = {}
        self.subscribed: dict[int, set[str]] = {}
        self.expected: dict[int, list[object]] = {}
        self.heard: dict[int, list[object]] = {}
        self.count = 0

    def collect(self, who: int) -> None:
        for row in self.clients[who].heard():
            what = row["data"]["n"] if row["type"] == "market_data" else row.get("request_id", row["type"])
            self.heard[who].append(what)

    def connect(self, who: int) -> None:
        if who not in self.clients:
            self.clients[who] = self.world.client()
            self.subscribed[who] = set()
            self.expected[who], self.heard[who] = [], []

    def disconnect(self, who: int) -> None:
        if who in self.clients:
            self.clients[who].session.end(flush=True)
            self.check(who)
            del self.clients[who]

    def ask(self, who: int, action: str, symbol: str) -> None:
        if who not in self.clients:
            return
        self.count += 1
        request = f"{action}{self.count}"
        if action == "subscribe":
            self.subscribed[who].add(symbol)
        elif action == "unsubscribe":
            self.subscribed[who].discard(symbol)
        self.expected[who].append(request)
        text = b'{"action":"%b","symbol":"%b","exchange":"NSE","request_id":"%b"}'
        self.clients[who].session.receive(text % (action.encode(), symbol.encode(), request.encode()))

    def publish(self, symbol: str) -> None:
        if any(key[1] == symbol for key in self.world.feed.ids):
            self.count += 1
            for who in self.clients:
                if symbol in self.subscribed[who]:
                    self.expected[who].append(self.count)
            self.world.publish(symbol, b'{"n":%d}' % self.count)

    def check(self, who: int) -> None:
        self.collect(who)
        assert self.heard[who] == self.expected[who]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("connect"), st.integers(0, ROOM)),
            st.tuples(st.just("disconnect"), st.integers(0, ROOM)),
            st.tuples(
                st.just("ask"),
                st.integers(0, ROOM),
                st.sampled_from(["subscribe", "unsubscribe", "ping"]),
                st.sampled_from(SYMBOLS),
            ),
            st.tuples(st.just("publish"), st.sampled_from(SYMBOLS)),
            st.tuples(st.just("publish"), st.sampled_from(SYMBOLS)),
            st.tuples(st.just("turn")),
            st.tuples(st.just("advance"), st.sampled_from([1, 4, 30])),
        ),
        max_size=80,
    )
)
def test_nothing_is_lost_doubled_or_overtaken(steps: list[tuple[Any, ...]]) -> None:
    """Merging and splitting cohorts between any two updates, replies and flushes changes nothing for a client."""
    model = Model()
    actions: dict[str, Callable[..., None]] = {
        "connect": model.connect,
        "disconnect": model.disconnect,
        "ask": model.ask,
        "publish": model.publish,
        "turn": model.world.loop.turn,
        "advance": lambda ms: model.world.loop.advance(ms / 1000),
    }
    for who in range(3):
        model.connect(who)
    for name, *arguments in steps:
        actions[name](*arguments)
    model.world.loop.advance(1)
    for who in model.clients:
        model.check(who)
    held = sum(map(len, (model.subscribed[who] for who in model.clients)))
    assert model.world.feed.total_held == held
    for who in list(model.clients):
        model.disconnect(who)
    model.world.loop.advance(1)
    metrics = model.world.hub.metrics()
    assert metrics["lanes"] == metrics["wants"] == metrics["cohorts"] == model.world.feed.total_held == 0
