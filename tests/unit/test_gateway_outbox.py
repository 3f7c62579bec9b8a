"""Slow clients: the latest value per subscription, bounded, then cut; nobody else notices."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway_support import Client, World, make_lane

from sangam.gateway.outbox import Backlog, Outbox
from sangam.model.order import OrderNews


class Nobody:
    def refused(self, *_: object) -> None: ...

    def cut(self, reason: str) -> None: ...


def backlog(max_bytes: int = 1000, max_events: int = 3) -> Backlog:
    return Backlog(Outbox(lambda data: None, Nobody()), max_bytes, max_events)


class TestBacklog:
    def test_newest_frame_per_lane_events_first(self) -> None:
        waiting, first, second = backlog(), make_lane(), make_lane()
        waiting.put(first, b"a1")
        waiting.put(second, b"b1")
        waiting.push(b"event1")
        waiting.put(first, b"a2")
        waiting.push(b"event2")
        assert waiting.size == len(b"a2b1event1event2")
        assert waiting.take(1000) == ([b"event1", b"event2", b"a2", b"b1"], 1)
        assert not waiting
        assert waiting.size == 0

    def test_taken_in_portions(self) -> None:
        waiting = backlog()
        lanes = [make_lane() for _ in range(5)]
        for one in lanes:
            waiting.put(one, b"x" * 10)
        assert len(waiting.take(25)[0]) == 3
        assert len(waiting.take(25)[0]) == 2

    def test_bounds(self) -> None:
        waiting, one = backlog(), make_lane()
        for _ in range(100):
            waiting.put(one, b"x" * 900)
        assert not waiting.overflows
        waiting.put(make_lane(), b"x" * 200)
        assert waiting.overflows
        waiting = backlog()
        for _ in range(4):
            waiting.push(b"e")
        assert waiting.overflows

    def test_gaps_of_interval_0_are_announced_to_those_who_asked(self) -> None:
        waiting, every, some = backlog(), make_lane(0), make_lane(50)
        waiting.outbox.announces = True
        for frame in (b"1", b"2", b"3"):
            waiting.put(every, frame)
            waiting.put(some, frame)
        (announcement, *data), conflated = waiting.take(1000)
        assert b'{"type":"conflated","count":2,"symbol":"TCS:20","exchange":"NSE","mode":3}' in announcement
        assert data == [b"3", b"3"]
        assert conflated == 4

    def test_forgotten_lanes_leave_nothing(self) -> None:
        waiting, one = backlog(), make_lane(0)
        waiting.put(one, b"1")
        waiting.put(one, b"2")
        waiting.forget(one)
        assert (bool(waiting), waiting.size) == (False, 0)


def subscribed(world: World, count: int = 1, features: tuple[str, ...] = ()) -> list[Client]:
    clients = [world.client(features=features) for _ in range(count)]
    for client in clients:
        client.say(action="subscribe", symbols=[{"symbol": s, "exchange": "NSE"} for s in "ABC"], interval=0)
    world.loop.advance(2)
    for client in clients:
        client.heard()
    return clients


def prices(client: Client) -> list[tuple[str, int]]:
    return [(row["symbol"], row["data"]["n"]) for row in client.heard() if row["type"] == "market_data"]


class TestSlowClient:
    def test_it_gets_the_latest_values_and_the_others_everything(self) -> None:
        world = World()
        slow, quick = subscribed(world, 2)
        slow.pause()
        world.loop.settle()
        for n in range(100):
            world.publish("AB"[n % 2], b'{"n":%d}' % n)
            world.loop.advance(0.004)
        assert slow.heard() == []
        assert len(prices(quick)) == 100
        assert world.hub.metrics()["slow_clients"] == 1
        slow.resume()
        world.loop.settle()
        assert prices(slow) == [("A", 98), ("B", 99)]
        assert world.hub.metrics()["slow_clients"] == 0
        assert world.hub.metrics()["conflated_total"] == 98
        assert slow.ask(action="get_stats")["conflated"] == 98
        world.publish("C", b'{"n":100}')
        world.loop.advance(2)
        assert prices(slow) == prices(quick) == [("C", 100)]
        assert world.hub.metrics()["cohorts"] == 1

    def test_what_was_due_before_it_stalled_still_comes_first(self) -> None:
        world = World()
        (slow,) = subscribed(world)
        world.publish("A", b'{"n":1}')
        world.publish("A", b'{"n":2}')
        slow.pause()
        world.loop.settle()
        world.publish("A", b'{"n":3}')
        slow.resume()
        world.loop.advance(1)
        assert prices(slow) == [("A", 1), ("A", 2), ("A", 3)]

    def test_a_short_stall_changes_nothing(self) -> None:
        world = World()
        (slow,) = subscribed(world)
        slow.pause()
        slow.resume()
        world.loop.settle()
        assert world.hub.metrics()["slow_clients"] == 0
        world.publish("A", b'{"n":1}')
        world.loop.advance(1)
        assert prices(slow) == [("A", 1)]

    def test_order_events_stay_complete_and_in_order(self) -> None:
        world = World()
        (slow,) = subscribed(world)
        slow.say(action="subscribe_orders")
        slow.heard()
        slow.pause()
        world.loop.settle()
        for n in range(20):
            world.hub.order(
                OrderNews(1, "u1-main", b"", b'{"type":"order_update","orderid":"%d","order_status":"open"}' % n)
            )
        world.loop.settle()
        slow.resume()
        world.loop.settle()
        assert [row["orderid"] for row in slow.heard()] == [str(n) for n in range(20)]

    def test_too_many_events_cut_it(self) -> None:
        world = World(max_backlog_events=10)
        slow, quick = subscribed(world, 2)
        slow.pause()
        world.loop.settle()
        for n in range(12):
            slow.say(action="ping", timestamp=n)
        world.loop.advance(0.01)
        assert slow.closed == (4408, "slow consumer")
        assert quick.closed is None
        world.publish("A", b'{"n":1}')
        world.loop.advance(0.01)
        assert prices(quick) == [("A", 1)]

    def test_too_many_bytes_cut_it(self) -> None:
        world = World(max_backlog=1000)
        (slow,) = subscribed(world)
        slow.pause()
        world.loop.settle()
        for symbol in "ABC":
            world.publish(symbol, b'{"n":1,"x":"%b"}' % (b"x" * 400))
        world.loop.advance(0.01)
        assert slow.closed == (4408, "slow consumer")
        assert world.hub.metrics()["slow_clients"] == 0
        world.loop.advance(1)
        assert world.feed.total_held == 0

    def test_it_can_unsubscribe_and_subscribe_while_it_is_slow(self) -> None:
        world = World()
        (slow,) = subscribed(world)
        slow.pause()
        world.loop.settle()
        world.publish("A", b'{"n":1}')
        slow.say(action="unsubscribe", symbol="A", exchange="NSE")
        slow.say(action="subscribe", symbol="D", exchange="NSE", interval=0)
        world.publish("D", b'{"n":2}')
        world.publish("A", b'{"n":3}')
        slow.resume()
        world.loop.advance(1)
        kinds = [row["symbol"] if row["type"] == "market_data" else row["type"] for row in slow.heard()]
        assert kinds == ["unsubscribe", "subscribe", "D"]
        slow.pause()
        world.loop.settle()
        slow.session.end(flush=False)
        world.loop.advance(1)
        assert world.feed.total_held == world.hub.metrics()["lanes"] == 0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("publish"), st.sampled_from("ABC")),
            st.tuples(st.just("publish"), st.sampled_from("ABC")),
            st.tuples(st.just("pause"), st.integers(0, 2)),
            st.tuples(st.just("resume"), st.integers(0, 2)),
            st.tuples(st.just("advance"), st.sampled_from([0, 2, 5, 700])),
        ),
        max_size=60,
    )
)
def test_values_never_go_back_and_the_last_always_arrives(steps: list[tuple[str, Any]]) -> None:
    world = World()
    clients = subscribed(world, 3, features=("conflated",))
    paused = [False] * 3
    last: dict[str, int] = {}
    for n, (name, argument) in enumerate(steps):
        if name == "publish":
            world.publish(argument, b'{"n":%d}' % n)
            last[argument] = n
        elif name == "advance":
            world.loop.advance(argument / 1000)
        elif paused[argument] != (name == "pause"):
            paused[argument] = name == "pause"
            (clients[argument].pause if paused[argument] else clients[argument].resume)()
    published = [n for n, (name, _) in enumerate(steps) if name == "publish"]
    for client, is_paused in zip(clients, paused, strict=True):
        if is_paused:
            client.resume()
    world.loop.advance(1)
    for client in clients:
        rows = client.heard()
        seen: dict[str, list[int]] = {}
        for row in rows:
            if row["type"] == "market_data":
                seen.setdefault(row["symbol"], []).append(row["data"]["n"])
        assert {symbol: values[-1] for symbol, values in seen.items()} == last
        assert all(values == sorted(set(values)) for values in seen.values())
        announced = sum(row["count"] for row in rows if row["type"] == "conflated")
        assert announced + sum(map(len, seen.values())) == len(published)
