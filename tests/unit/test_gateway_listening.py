"""Events of orders: every one exactly once and in order, however they fall between a replay and the live flow."""

import asyncio
import itertools
from collections import deque
from collections.abc import Collection
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.gateway_support import MAIN, OTHER, SECOND, Client, World
from tests.order_actions import Scripted, event, turns

from sangam.gateway import listening
from sangam.model.errors import StoreError
from sangam.model.order import OrderNews
from sangam.orders import actions
from sangam.orders.actions import DeskActions
from sangam.orders.telling import Told


class Stage:
    """A world whose orders' events happen: journalled, then told to the hub."""

    def __init__(self, **more: Any) -> None:
        self.orders = Scripted()
        self.world = World(**more)
        self.world.services.orders = self.orders

    def client(self, features: bool = True, key: str = "key-u1") -> Client:
        return self.world.client(key, features=["order_events"]) if features else self.world.client(key)

    def happen(self, account: str = MAIN.id) -> None:
        self.world.hub.order(self.orders.happen(account))

    async def settle(self) -> None:
        for _ in range(6):
            await turns()
            self.world.loop.settle()

    async def heard(self, client: Client) -> list[dict[str, Any]]:
        await self.settle()
        return client.heard()


def numbers(messages: list[dict[str, Any]]) -> list[int]:
    return [row["seq"] for row in messages if row["type"].startswith("ORDER_")]


async def test_the_ack_tells_the_last_event_and_live_ones_follow() -> None:
    stage = Stage()
    stage.happen()
    client = stage.client()
    client.say(action="subscribe_orders", request_id="o")
    assert await stage.heard(client) == [
        {
            "type": "subscribe_orders",
            "status": "success",
            "message": "Subscribed to order updates",
            "last_event": 1,
            "request_id": "o",
        }
    ]
    stage.happen()
    stage.happen(SECOND.id)
    stage.happen(OTHER.id)
    assert numbers(await stage.heard(client)) == [2, 3]


async def test_what_was_missed_comes_behind_the_ack_in_order() -> None:
    stage = Stage()
    for account in (MAIN.id, OTHER.id, SECOND.id, MAIN.id):
        stage.happen(account)
    client = stage.client()
    stage.orders.gate = asyncio.Event()
    client.say(action="subscribe_orders", since=1)
    stage.happen()
    assert await stage.heard(client) == []
    stage.orders.gate.set()
    ack, *missed = await stage.heard(client)
    assert ack["last_event"] == 5
    assert numbers(missed) == [3, 4, 5]


async def test_sockets_without_the_feature_hear_updates_each_state_once() -> None:
    stage = Stage()
    stage.happen()
    stage.happen()
    client = stage.client(features=False)
    client.say(action="subscribe_orders", since="0")
    _, *missed = await stage.heard(client)
    assert [(row["type"], row["orderid"]) for row in missed] == [("order_update", "1"), ("order_update", "2")]
    stage.happen()
    stage.world.hub.order(stage.orders.journal[-1])
    assert [row["orderid"] for row in await stage.heard(client)] == ["3"]


async def test_sockets_that_know_no_numbers_are_told_none() -> None:
    """The official client's ack has these fields and no other."""
    stage = Stage()
    client = stage.client(features=False)
    client.say(action="subscribe_orders", request_id=5)
    ack = {"type": "subscribe_orders", "status": "success", "message": "Subscribed to order updates", "request_id": 5}
    assert await stage.heard(client) == [ack]


async def test_every_event_is_told_though_the_update_repeats() -> None:
    stage = Stage()
    client = stage.client()
    client.say(action="subscribe_orders")
    await stage.heard(client)
    stage.world.hub.order(event(7, MAIN.id))
    stage.world.hub.order(event(7, MAIN.id))
    assert numbers(await stage.heard(client)) == [7, 7]


@pytest.mark.parametrize("since", [-1, 1.5, True, "x", [], {}, "9" * 30])
async def test_a_number_that_is_none_is_refused(since: object) -> None:
    stage = Stage()
    reply = stage.client().ask(action="subscribe_orders", since=since)
    assert (reply["code"], reply["status"]) == ("INVALID_PARAMETERS", "error")


async def test_a_journal_in_trouble_is_told_and_nothing_is_followed() -> None:
    stage = Stage()
    stage.orders.failure = StoreError("disk full")
    client = stage.client()
    client.say(action="subscribe_orders", since=0, request_id=1)
    assert await stage.heard(client) == [
        {"type": "subscribe_orders", "status": "error", "code": "STORE_ERROR", "message": "disk full", "request_id": 1}
    ]
    stage.happen()
    assert await stage.heard(client) == []
    assert client.session.outbox.held == []
    stage.orders.failure = RuntimeError("a bug")
    client.say(action="subscribe_orders", since=0)
    assert (await stage.heard(client))[0]["code"] == "SERVER_ERROR"


def test_without_a_journal_there_is_no_resuming() -> None:
    client = World().client()
    reply = client.ask(action="subscribe_orders", since=3)
    assert (reply["type"], reply["code"]) == ("subscribe_orders", "UNSUPPORTED")
    assert "last_event" not in client.ask(action="subscribe_orders")


async def test_a_later_request_ends_an_earlier_one_that_still_waits() -> None:
    stage = Stage()
    stage.happen()
    client = stage.client()
    stage.orders.gate = asyncio.Event()
    client.say(action="subscribe_orders", since=0, request_id=1)
    client.say(action="subscribe_orders", since=0, request_id=2)
    client.say(action="unsubscribe_orders", request_id=3)
    stage.orders.gate.set()
    told = await stage.heard(client)
    assert [(row["type"], row["status"], row["request_id"]) for row in told] == [
        ("subscribe_orders", "error", 1),
        ("subscribe_orders", "error", 2),
        ("unsubscribe_orders", "success", 3),
    ]
    stage.happen()
    assert await stage.heard(client) == []


async def test_another_key_of_the_user_keeps_hearing_and_another_users_does_not() -> None:
    stage = Stage()
    client = stage.client()
    client.say(action="subscribe_orders")
    await stage.heard(client)
    client.login("key-u1")  # without the feature now
    stage.happen()
    assert [row["type"] for row in await stage.heard(client)] == ["order_update"]
    client.login("key-u2", features=["order_events"])
    stage.happen()
    stage.happen(OTHER.id)
    assert await stage.heard(client) == []


async def test_a_client_that_goes_leaves_nothing_behind() -> None:
    stage = Stage()
    client = stage.client()
    stage.orders.gate = asyncio.Event()
    client.say(action="subscribe_orders", since=0)
    await turns()
    client.session.end(flush=False)
    await turns()
    assert stage.world.hub._followers == {}
    assert stage.world.hub._tasks == set()


async def test_too_many_held_events_cut_the_client() -> None:
    stage = Stage(max_backlog_events=5)
    client = stage.client()
    stage.orders.gate = asyncio.Event()
    client.say(action="subscribe_orders", since=0)
    for _ in range(6):
        stage.happen()
    await stage.settle()
    assert client.closed == (4408, "slow consumer")


async def test_a_slow_client_that_overflows_is_cut_and_resumes() -> None:
    stage = Stage(max_backlog_events=5)
    client = stage.client()
    client.say(action="subscribe_orders")
    await stage.heard(client)
    client.pause()
    await stage.settle()
    for _ in range(6):
        stage.happen()
    stage.world.loop.advance(0.1)
    assert client.closed == (4408, "slow consumer")
    again = stage.client()
    again.say(action="subscribe_orders", since=0)
    assert numbers(await stage.heard(again)) == [1, 2, 3, 4, 5, 6]


async def test_a_long_replay_waits_for_a_slow_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "SLICE", 3)
    monkeypatch.setattr(listening, "_LOOK_SECONDS", 0)
    stage = Stage(max_backlog_events=5)
    for _ in range(20):
        stage.happen()
    client = stage.client()
    client.pause()
    await stage.settle()
    client.say(action="subscribe_orders", since=0)
    assert await stage.heard(client) == []
    client.resume()
    assert numbers(await stage.heard(client)) == list(range(1, 21))
    assert client.closed is None


class SlowJournal:
    """Events are journalled first and told later. A reading may be old when it returns."""

    def __init__(self) -> None:
        self.news: list[OrderNews] = []
        self.gate: asyncio.Event | None = None

    async def since(self, accounts: Collection[str], seq: int, limit: int = 10_000) -> list[OrderNews]:
        found = [news for news in self.news if news.seq > seq and news.account in accounts][:limit]
        if self.gate is not None:
            await self.gate.wait()
        return found

    def add(self, account: str) -> OrderNews:
        self.news.append(event(len(self.news) + 1, account))
        return self.news[-1]


steps = st.lists(
    st.sampled_from(["event", "event", "foreign", "tell", "tell", "tell", "turn", "gate", "ungate", "slow", "quick"]),
    min_size=5,
    max_size=60,
)


@given(st.integers(0, 12), st.none() | st.integers(0, 12), st.integers(2, 6), st.integers(1, 4), steps)
@example(before=3, since=1, page=3, slice_=4, happenings=["gate", "turn", "turn", "turn", "event", "tell", "tell"])
@settings(deadline=None, max_examples=300)
def test_every_event_once_in_order_however_they_fall(
    before: int, since: int | None, page: int, slice_: int, happenings: list[str]
) -> None:
    async def play() -> None:
        played = Play(before, None if since is None else min(since, before))
        for step in itertools.chain(["event"], happenings[:3], ["subscribe"], happenings[3:], ["ungate", "quick"]):
            await getattr(played, step)()
        await played.end()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listening, "SLICE", slice_)
        patch.setattr(listening, "_LOOK_SECONDS", 0)
        patch.setattr(actions, "_PAGE", max(page, slice_ + 1))
        asyncio.run(play())


class Play:
    """One client that listens while events happen, are told, and its socket has moods. Steps are methods."""

    def __init__(self, before: int, since: int | None) -> None:
        self.since = since
        self.journal = SlowJournal()
        self.untold: deque[OrderNews] = deque()
        for number in range(before):
            self.journal.add(OTHER.id if number % 3 == 2 else MAIN.id)
        self.stage = Stage()
        world = self.stage.world
        self.told = Told(before, world.hub.order)
        world.services.orders = DeskActions(Mock(), self.journal, self.told, Mock(), world.loop.clock)
        self.client = self.stage.client()

    async def subscribe(self) -> None:
        self.client.say(action="subscribe_orders", **({} if self.since is None else {"since": self.since}))

    async def event(self) -> None:
        self.untold.append(self.journal.add(MAIN.id))

    async def foreign(self) -> None:
        self.untold.append(self.journal.add(OTHER.id))

    async def tell(self) -> None:
        if self.untold:
            self.told(self.untold.popleft())

    async def turn(self) -> None:
        await turns(1)
        self.stage.world.loop.turn()

    async def gate(self) -> None:
        self.journal.gate = self.journal.gate or asyncio.Event()

    async def ungate(self) -> None:
        if self.journal.gate is not None:
            self.journal.gate.set()
            self.journal.gate = None

    async def slow(self) -> None:
        if self.client.session.outbox.paused_at is None:
            self.client.pause()

    async def quick(self) -> None:
        if self.client.session.outbox.paused_at is not None:
            self.client.resume()

    async def end(self) -> None:
        """Everything is told in the end: then nothing is missing and nothing came twice."""
        for _ in range(30):
            await self.stage.settle()
        while self.untold:
            await self.tell()
        ack, *events = await self.stage.heard(self.client)
        assert ack["type"] == "subscribe_orders"
        own = [news.seq for news in self.journal.news if news.account == MAIN.id]
        heard = numbers(events)
        if self.since is not None:
            assert heard == [seq for seq in own if seq > self.since]
        else:  # what it did not hear is what the ack covers
            assert heard == own[len(own) - len(heard) :]
            assert all(seq <= ack["last_event"] for seq in own[: len(own) - len(heard)])
        self.client.session.end(flush=False)
        await turns()
