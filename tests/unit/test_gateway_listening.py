"""Events of orders: every one exactly once and in order, however they fall between a replay and the live flow."""

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway_support import MAIN, OTHER, SECOND, Client, World
from tests.order_actions import Scripted, event, turns

from sangam.gateway import listening
from sangam.model.errors import StoreError


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
    return [row["event"] for row in messages if row["type"].startswith("ORDER_")]


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


steps = st.lists(
    st.sampled_from(["event", "event", "foreign", "turn", "gate", "ungate", "slow", "quick"]), min_size=5, max_size=60
)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 4), st.integers(1, 4), steps)
@settings(deadline=None, max_examples=150)
def test_every_event_once_in_order_however_they_fall(
    before: int, since: int, page: int, slice_: int, happenings: list[str]
) -> None:
    asyncio.run(_interleaved(before, min(since, before), page, slice_, happenings))


async def _interleaved(before: int, since: int, page: int, slice_: int, happenings: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listening, "SLICE", slice_)
        patch.setattr(listening, "_LOOK_SECONDS", 0)
        stage = Stage()
        stage.orders.page = max(page, slice_ + 1)
        for _ in range(before):
            stage.happen()
        client = stage.client()
        client.say(action="subscribe_orders", since=since)
        told: list[dict[str, Any]] = []
        for step in itertools.chain(happenings, ["ungate", "quick"]):
            match step:
                case "event":
                    stage.happen()
                case "foreign":
                    stage.happen(OTHER.id)
                case "turn":
                    await turns(1)
                    stage.world.loop.turn()
                case "gate":
                    stage.orders.gate = stage.orders.gate or asyncio.Event()
                case "ungate" if stage.orders.gate is not None:
                    stage.orders.gate.set()
                    stage.orders.gate = None
                case "slow" if client.session.outbox.paused_at is None:
                    client.pause()
                case "quick" if client.session.outbox.paused_at is not None:
                    client.resume()
            told += client.heard()
        told += await stage.heard(client)
        for _ in range(20):
            told += await stage.heard(client)
        own = [news.seq for news in stage.orders.journal if news.account == MAIN.id and news.seq > since]
        assert told[0]["type"] == "subscribe_orders"
        assert numbers(told) == own
        client.session.end(flush=False)
        await turns()
