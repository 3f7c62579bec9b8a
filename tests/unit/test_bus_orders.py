"""Orders across the border: carried out at most once, and no event is lost with a process."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.bus_support import ACCOUNT, Border, border, identity
from tests.feed_rig import Ears
from tests.gateway_support import ManualLoop
from tests.order_actions import Scripted, event, turns
from tests.support import wait_for

from sangam.bus import order_server, remote_feed, remote_orders, wire
from sangam.bus.order_server import OrderServer
from sangam.bus.remote_orders import RemoteOrders
from sangam.model.errors import Conflict, StoreError
from sangam.model.identity import Identity
from sangam.model.order import OrderNews
from sangam.orders.failure import ActionFailed

KEY = identity("a")


class Numbered(Ears):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[int] = []

    def order(self, news: OrderNews) -> None:
        self.events.append(news.seq)


def serve(house: Border) -> Scripted:
    assert house.server is not None
    orders = Scripted()
    house.server.attach_orders(orders)
    return orders


def happen(house: Border, orders: Scripted) -> None:
    assert house.server is not None
    house.server.order(orders.happen(ACCOUNT))


async def failure(task: "asyncio.Task[Any]") -> ActionFailed:
    with pytest.raises(ActionFailed) as failed:
        async with asyncio.timeout(5):
            await task
    return failed.value


async def test_an_action_is_carried_out_and_answered(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        orders = serve(house)
        remote, _ = await house.gateway()
        fields = {"symbol": "SBIN", "quantity": "5", "request_id": [1], "price": 1.05}
        forged = msgspec.structs.replace(KEY, user="somebody else", accounts=())
        task = asyncio.create_task(remote.orders.act(forged, "place_order", fields))
        await wait_for(lambda: orders.asked, what="the action")
        (asked,) = orders.asked
        assert asked.identity == house.feed.keys["key-a"]  # whom the key names here, not who the gateway says
        assert (asked.action, asked.fields) == ("place_order", fields)
        asked.answer.set_result({"order_id": "7", "data": msgspec.Raw(b"[1,2]")})
        assert msgspec.json.encode(await task) == b'{"order_id":"7","data":[1,2]}'


async def test_a_failure_keeps_its_words(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        orders = serve(house)
        remote, _ = await house.gateway()
        task = asyncio.create_task(remote.orders.act(KEY, "place_order", {}))
        await wait_for(lambda: orders.asked, what="the action")
        orders.asked[0].answer.set_exception(Conflict("It stands already.", "ORDER_ERROR"))
        assert (await failure(task)).fields == {"code": "ORDER_ERROR", "message": "It stands already."}
        task = asyncio.create_task(remote.orders.act(KEY, "place_order", {}))
        await wait_for(lambda: len(orders.asked) == 2, what="the action")
        orders.asked[1].answer.set_exception(RuntimeError("a bug"))
        assert (await failure(task)).code == "OUTCOME_UNKNOWN"


async def test_an_unknown_key_and_missing_orders_are_refused(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        remote, _ = await house.gateway()
        told = await failure(asyncio.create_task(remote.orders.act(KEY, "place_order", {})))
        assert told.code == "UNSUPPORTED"
        orders = serve(house)
        told = await failure(asyncio.create_task(remote.orders.act(identity("gone"), "place_order", {})))
        assert told.code == "AUTHENTICATION_ERROR"
        assert orders.asked == []


async def test_what_was_under_way_when_the_feed_ended_is_unknown_and_never_sent_again(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        orders = serve(house)
        remote, _ = await house.gateway()
        place = asyncio.create_task(remote.orders.act(KEY, "place_order", {"client_order_id": "c1", "symbol": "X"}))
        book = asyncio.create_task(remote.orders.act(KEY, "get_orderbook", {}))
        await wait_for(lambda: len(orders.asked) == 2, what="the actions")
        house.restart()
        again = serve(house)
        told = await failure(place)
        assert (told.code, told.fields["client_order_id"]) == ("OUTCOME_UNKNOWN", "c1")
        assert (await failure(book)).code == "NETWORK_ERROR"
        task = asyncio.create_task(remote.orders.act(KEY, "get_funds", {}))
        await wait_for(lambda: again.asked, what="the next action")
        assert [each.action for each in again.asked] == ["get_funds"]
        again.asked[0].answer.set_result({})
        assert await task == {}


async def test_a_silent_feed_leaves_writes_unknown_and_takes_no_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_feed, "_PATIENCE_SECONDS", 0.2)
    async with border(tmp_path) as house:
        orders = serve(house)
        remote, _ = await house.gateway()
        place = asyncio.create_task(remote.orders.act(KEY, "place_order", {}))
        await wait_for(lambda: orders.asked, what="the action")
        assert house.server is not None
        house.server.close()
        assert (await failure(place)).code == "OUTCOME_UNKNOWN"
        told = await failure(asyncio.create_task(remote.orders.act(KEY, "cancel_order", {})))
        assert (told.code, "nothing was sent" in str(told)) == ("NETWORK_ERROR", True)
        house.start()
        again = serve(house)
        await wait_for(lambda: remote.orders._here, what="the feed")
        task = asyncio.create_task(remote.orders.act(KEY, "cancel_order", {}))
        await wait_for(lambda: again.asked, what="the next action")
        again.asked[0].answer.set_result({})
        await task


async def test_events_pass_live_and_by_number(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        orders = serve(house)
        remote, _ = await house.gateway()
        ears = Numbered()
        remote.attach(ears)
        for _ in range(3):
            happen(house, orders)
        await wait_for(lambda: ears.events == [1, 2, 3], what="the events")
        events, newest = await remote.orders.since(KEY, 1)
        assert ([news.seq for news in events], newest) == ([2, 3], 3)
        assert events == orders.journal[1:]
        orders.failure = StoreError("disk full")
        with pytest.raises(ActionFailed, match="disk full"):
            await remote.orders.since(KEY, 1)


async def test_what_was_missed_while_the_feed_was_away_is_told_before_anything_newer(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        orders = serve(house)
        remote, _ = await house.gateway()
        ears = Numbered()
        remote.attach(ears)
        happen(house, orders)
        await wait_for(lambda: ears.events, what="the first event")
        journal = orders.journal
        house.restart()
        for _ in range(450):
            journal.append(event(len(journal) + 1, ACCOUNT))  # nobody hears of these
        await wait_for(lambda: house.server is not None and house.server._leases, what="the gateway")
        orders = serve(house)
        orders.journal, orders.page = journal, 100
        orders.gate = asyncio.Event()
        happen(house, orders)
        await turns(20)
        orders.gate.set()
        happen(house, orders)
        await wait_for(lambda: len(ears.events) == 453, what="all events")
        assert ears.events == list(range(1, 454))


async def test_a_lost_lease_loses_no_event(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        orders = serve(house)
        remote, _ = await house.gateway()
        ears = Numbered()
        remote.attach(ears)
        happen(house, orders)
        await wait_for(lambda: ears.events, what="the first event")
        server = house.server
        assert server is not None
        for lease in list(server._leases.values()):
            server._end(lease)
        happen(house, orders)
        happen(house, orders)
        await wait_for(lambda: len(ears.events) == 3, what="all events")
        happen(house, orders)
        await wait_for(lambda: len(ears.events) == 4, what="the live one")
        assert ears.events == [1, 2, 3, 4]


# --- each end by itself -----------------------------------------------------------------------------------------------


class Told:
    def __init__(self) -> None:
        self.answers: list[wire.Answer] = []

    def server(self, clock: Any) -> "OrderServer[str]":
        def nobody() -> list[Identity]:
            return [KEY]

        return OrderServer(lambda _, answer: self.answers.append(answer), lambda _: KEY, nobody, clock)


async def test_an_action_that_waited_too_long_is_not_begun() -> None:
    told, orders, clock = Told(), Scripted(), ManualLoop().clock
    server = told.server(clock)
    server.attach(orders)
    server.take("lease", wire.Act(1, "a", "place_order", b"{}", clock.now_ms() - 1))
    await turns()
    (answer,) = told.answers
    assert isinstance(answer, wire.Failed)
    assert msgspec.json.decode(answer.body)["code"] == "NETWORK_ERROR"
    assert orders.asked == []


async def test_a_journal_in_trouble_is_asked_again_for_what_was_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_server, "_AGAIN_SECONDS", 0)
    told, orders = Told(), Scripted()
    orders.failure = StoreError("locked")
    for _ in range(3):
        orders.happen(ACCOUNT)
    server = told.server(ManualLoop().clock)
    server.take("lease", wire.Behind(1))
    await turns()
    assert told.answers == []
    server.attach(orders)
    await turns()
    assert told.answers == []
    orders.failure = None
    await turns()
    assert told.answers == [wire.Missed(orders.journal[1:], False)]
    server.close()


def alone(sent: Callable[[wire.Request], bool]) -> tuple[RemoteOrders, list[int]]:
    heard: list[int] = []
    return RemoteOrders(sent, lambda news: heard.append(news.seq), ManualLoop().clock), heard


async def test_what_could_not_be_sent_was_not_sent() -> None:
    orders, _ = alone(lambda _: False)
    orders.begin()
    told = await failure(asyncio.create_task(orders.act(KEY, "place_order", {})))
    assert told.code == "NETWORK_ERROR"
    assert orders._waiting == {}


async def test_an_answer_that_never_comes_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_orders, "ANSWER_SECONDS", 0.01)
    monkeypatch.setattr(wire, "LEASE_SECONDS", 0.01)
    orders, _ = alone(lambda _: True)
    told = await failure(asyncio.create_task(orders.since(KEY, 0)))
    assert told.code == "NETWORK_ERROR"
    orders.begin()
    told = await failure(asyncio.create_task(orders.act(KEY, "place_order", {"order_id": "4"})))
    assert (told.code, told.fields["order_id"]) == ("OUTCOME_UNKNOWN", "4")
    orders.answered(wire.Acted(1, b"{}"))  # too late


def test_events_that_overlap_come_once_and_a_second_lease_begins_anew() -> None:
    sent: list[wire.Request] = []

    def send(item: wire.Request) -> bool:
        sent.append(item)
        return True

    orders, heard = alone(send)
    orders.begin()
    orders.heard(event(4, ACCOUNT))
    orders.begin()
    orders.heard(event(6, ACCOUNT))
    orders.caught_up(wire.Missed([event(5, ACCOUNT)], True))
    orders.begin()
    assert sent == [wire.Behind(4), wire.Behind(4)]
    orders.heard(event(7, ACCOUNT))
    orders.heard(event(8, ACCOUNT))
    orders.caught_up(wire.Missed([event(5, ACCOUNT), event(6, ACCOUNT)], True))
    assert heard == [4]
    orders.caught_up(wire.Missed([event(7, ACCOUNT)], False))
    orders.heard(event(9, ACCOUNT))
    assert heard == [4, 5, 6, 7, 8, 9]
