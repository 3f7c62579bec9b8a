"""Subscriptions under way: clients that come, change, stall, are refused, log in again and go, in any order.

What must hold for each: an ack comes before its data, nothing comes behind the ack that ends it, values never go back,
the last one arrives, and what was taken from the feed is given back once (the fake feed sees to that)."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway_support import Client, World

from sangam.gateway.chores import SLICE

ROOM = 2
SYMBOLS = ["A", "B", "C"]
MANY = [f"S{n}" for n in range(SLICE * 2)]


class Listener:
    """One client, and the rules checked on all it hears."""

    def __init__(self, world: World) -> None:
        self.client = Client(world).login()
        self.user = "u1"
        self.paused = False
        self.hears: dict[str, int] = {}
        """Acked symbols and the newest value of each."""

    def say(self, **message: Any) -> None:
        self.client.session.receive(json.dumps(message).encode())

    def listen(self) -> None:
        for row in self.client.heard():
            kind = row.get("type")
            if kind == "subscribe":
                for taken in row["subscriptions"]:
                    if taken["status"] == "success":
                        self.hears.setdefault(taken["symbol"], -1)
            elif kind == "unsubscribe":
                for gone in row["successful"]:
                    self.hears.pop(gone["symbol"], None)
            elif kind == "market_data":
                assert row["symbol"] in self.hears, "data without an ack, or behind its end"
                assert row["data"]["n"] >= self.hears[row["symbol"]], "a value went back"
                self.hears[row["symbol"]] = row["data"]["n"]
            elif row.get("code") == "GONE":
                self.hears.pop(row["symbol"], None)
            elif kind == "auth" and row["user_id"] != self.user:
                self.hears.clear()
                self.user = row["user_id"]


class House:
    def __init__(self) -> None:
        self.world = World(settle_seconds=0.02)
        self.listeners: dict[int, Listener] = {}
        self.count = 0
        self.last: dict[str, int] = {}

    def connect(self, who: int) -> None:
        if who not in self.listeners:
            self.listeners[who] = Listener(self.world)

    def leave(self, who: int, flush: bool) -> None:
        if who in self.listeners:
            listener = self.listeners.pop(who)
            listener.client.session.end(flush)
            listener.listen()

    def stall(self, who: int) -> None:
        if who in self.listeners and not self.listeners[who].paused:
            self.listeners[who].paused = True
            self.listeners[who].client.pause()

    def read(self, who: int) -> None:
        if who in self.listeners and self.listeners[who].paused:
            self.listeners[who].paused = False
            self.listeners[who].client.resume()

    def ask(self, who: int, action: str, symbols: list[str], interval: int) -> None:
        if who in self.listeners:
            rows = [{"symbol": symbol, "exchange": "NSE"} for symbol in symbols]
            self.listeners[who].say(action=action, symbols=rows, interval=interval)

    def login(self, who: int, key: str) -> None:
        if who in self.listeners:
            self.listeners[who].say(action="authenticate", api_key=key)

    def publish(self, symbol: str) -> None:
        for want in self.wants(symbol):
            self.count += 1
            self.last[symbol] = self.count
            self.world.feed.snapshots[want] = b'{"n":%d}' % self.count
            self.world.hub.publish(want, b'{"n":%d}' % self.count)

    def refuse(self, symbol: str) -> None:
        for want in self.wants(symbol):
            self.world.hub.refuse(want, "GONE", "gone")

    def wants(self, symbol: str) -> list[int]:
        return [want for key, want in self.world.feed.ids.items() if key[:2] == ("u1-main", symbol)]

    def turn(self) -> None:
        self.world.loop.turn()

    def advance(self, ms: int) -> None:
        self.world.loop.advance(ms / 1000)


one = st.integers(0, ROOM)
steps = st.one_of(
    st.tuples(st.just("connect"), one),
    st.tuples(st.just("leave"), one, st.booleans()),
    st.tuples(st.just("stall"), one),
    st.tuples(st.just("read"), one),
    st.tuples(
        st.just("ask"),
        one,
        st.sampled_from(["subscribe", "subscribe", "unsubscribe"]),
        st.one_of(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=4), st.just(MANY)),
        st.sampled_from([0, 50, 250]),
    ),
    st.tuples(st.just("login"), one, st.sampled_from(["key-u1", "key-u2"])),
    st.tuples(st.just("publish"), st.sampled_from([*SYMBOLS, "S7"])),
    st.tuples(st.just("publish"), st.sampled_from([*SYMBOLS, "S7"])),
    st.tuples(st.just("refuse"), st.sampled_from([*SYMBOLS, "S7"])),
    st.tuples(st.just("turn")),
    st.tuples(st.just("advance"), st.sampled_from([1, 4, 30, 60])),
)


def test_a_slower_interval_does_not_begin_with_an_older_value() -> None:
    """While a long request is under way the old subscription flows on; the new one's window holds the newest value."""
    house = House()
    house.connect(0)
    house.ask(0, "subscribe", ["S7"], 0)
    house.ask(0, "subscribe", MANY, 250)
    house.publish("S7")
    house.publish("S7")
    house.advance(5)
    house.listeners[0].listen()
    assert house.listeners[0].hears["S7"] == house.count == 2


def test_an_answer_waits_in_its_place_when_the_others_leave_the_cohort() -> None:
    """Written with others until a moment ago, the client has an answer under way as it asks for the next."""
    house = House()
    for who in range(2):
        house.connect(who)
    house.advance(30)
    house.login(1, "key-u2")
    house.ask(0, "subscribe", ["A"], 0)
    house.ask(1, "subscribe", ["A"], 0)
    house.advance(5)
    heard = house.listeners[1].client.heard()
    assert [row["type"] for row in heard] == ["auth", "subscribe"]


@settings(max_examples=300, deadline=None)
@given(st.lists(steps, min_size=30, max_size=60))
def test_the_rules_hold_whatever_happens(story: list[tuple[Any, ...]]) -> None:
    house = House()
    for who in range(2):
        house.connect(who)
    for name, *arguments in story:
        getattr(house, name)(*arguments)
        for listener in house.listeners.values():
            listener.listen()
    for who in list(house.listeners):
        house.read(who)
    house.advance(1000)
    for listener in house.listeners.values():
        listener.listen()
        assert set(listener.hears) == {key.symbol for key in listener.client.session.outbox.lanes}
        if listener.user == "u1":
            for symbol, newest in listener.hears.items():
                assert newest == house.last.get(symbol, -1), "the last value did not arrive"
    held = sum(len(listener.client.session.outbox.lanes) for listener in house.listeners.values())
    assert house.world.feed.total_held == held
    for who in list(house.listeners):
        house.leave(who, flush=False)
    house.advance(1000)
    metrics = house.world.hub.metrics()
    left = {metrics[name] for name in ("lanes", "wants", "cohorts", "slow_clients")}
    assert left == {house.world.feed.total_held} == {0}
