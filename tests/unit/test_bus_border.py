"""Feed and gateways on the two ends of the border: what one asks, the other gives, once each."""

import asyncio
import os
from pathlib import Path

import msgspec
import pytest
import zmq
from tests.bus_support import ACCOUNT, border, granted, identity
from tests.support import wait_for

from sangam.bus import feed_server, remote_feed, wire
from sangam.bus.remote_feed import RemoteFeed
from sangam.bus.sockets import local_endpoint
from sangam.feed.port import Pending, Refused
from sangam.model.clock import SystemClock
from sangam.model.enums import AccountState, Mode
from sangam.model.errors import AuthError
from sangam.model.instrument import Level
from sangam.model.order import OrderNews

LTP = Level(Mode.LTP)


async def test_a_want_is_pending_at_once_and_granted_soon(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        remote, ears = await house.gateway()
        first = remote.want(ACCOUNT, "SBIN", "NSE", LTP)
        assert isinstance(first, Pending)
        assert await granted(remote, "SBIN") == first.want
        house.publish("SBIN")
        await wait_for(lambda: ears.of(first.want), what="the update")
        assert remote.sequence(first.want) == 1
        assert house.feed.held[house.feed.id("SBIN")] == 1
        for _ in range(2):
            remote.release(first.want)
        await wait_for(lambda: not house.feed.held[house.feed.id("SBIN")], what="the release")


async def test_a_refusal_is_told_by_the_sink_and_leaves_nothing_held(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        remote, ears = await house.gateway()
        want = remote.want(ACCOUNT, "NOPE", "NSE", LTP)
        assert not isinstance(want, Refused)
        await wait_for(lambda: ears.refusals, what="the refusal")
        assert ears.refusals == [(want.want, "SYMBOL_NOT_FOUND", "no such symbol")]
        remote.release(want.want)
        await granted(remote, "SBIN")  # so every message before it was handled
        assert sum(house.feed.held.values()) == 1


async def test_a_want_refused_later_is_still_held_until_released(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        remote, ears = await house.gateway()
        want = await granted(remote, "SBIN")
        assert house.server is not None
        house.server.refuse(house.feed.id("SBIN"), "MAX_CAPACITY_REACHED", "full")
        await wait_for(lambda: ears.refusals == [(want, "MAX_CAPACITY_REACHED", "full")], what="the refusal")
        assert house.feed.held[house.feed.id("SBIN")] == 1
        remote.release(want)
        await wait_for(lambda: not sum(house.feed.held.values()), what="the release")


async def test_pending_wants_say_why_and_flow_when_the_feed_does(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        house.feed.state = AccountState.NO_SESSION
        remote, ears = await house.gateway()
        want = remote.want(ACCOUNT, "LATER", "NSE", LTP)
        assert isinstance(want, Pending)

        def reason() -> str:
            again = remote.want(ACCOUNT, "LATER", "NSE", LTP)
            remote.release(want.want)
            return again.reason if isinstance(again, (Pending, Refused)) else ""

        await wait_for(lambda: reason() == "not logged in", what="the reason")
        house.publish("LATER")
        await wait_for(lambda: ears.of(want.want), what="the update")
        assert reason() == ""


async def test_a_snapshot_comes_as_an_ordinary_update_and_never_twice(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        first, _ = await house.gateway()
        await granted(first, "SBIN")
        house.publish("SBIN")
        house.publish("SBIN")
        second, ears = await house.gateway("gateway-2")
        want = await granted(second, "SBIN")
        await wait_for(lambda: ears.of(want), what="the snapshot")
        house.publish("SBIN")
        await wait_for(lambda: len(ears.published) == 2, what="the next update")
        assert [told["seq"] for _, told in ears.published] == [2, 3]
        assert second.snapshot(want) == house.feed.payloads[house.feed.id("SBIN")]
        assert house.feed.held[house.feed.id("SBIN")] == 2


async def test_what_lapsed_is_not_shown(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        remote, ears = await house.gateway()
        want = await granted(remote, "SBIN")
        house.publish("SBIN")
        await wait_for(lambda: ears.of(want))
        assert house.server is not None
        house.server.lapse(house.feed.id("SBIN"))
        await wait_for(lambda: remote.snapshot(want) is None, what="the lapse")
        house.publish("SBIN")
        await wait_for(lambda: remote.snapshot(want) is not None, what="a current price")
        house.feed.state = AccountState.STALE
        house.server.state(house.feed.health(ACCOUNT))
        await wait_for(lambda: remote.snapshot(want) is None, what="the state")
        assert ears.states[-1].state is AccountState.STALE


async def test_lost_updates_are_seen_and_the_last_price_still_arrives(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        remote, ears = await house.gateway()
        want = await granted(remote, "SBIN")
        house.publish("SBIN")
        await wait_for(lambda: ears.of(want))
        server = house.server
        assert server is not None
        server.published += 3  # as if ZeroMQ had dropped three, the newest of SBIN among them
        house.feed.tick(house.feed.id("SBIN"))
        await wait_for(lambda: remote.lost == 3, what="the loss to be noticed")
        await wait_for(lambda: [told["seq"] for told in ears.of(want)] == [1, 2], what="the last price")


async def test_a_silent_gateway_loses_its_lease_and_gets_everything_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "LEASE_SECONDS", 0.2)
    monkeypatch.setattr(wire, "BEAT_SECONDS", 0.05)
    async with border(tmp_path) as house:
        remote, ears = await house.gateway()
        want = await granted(remote, "SBIN")
        house.publish("SBIN")
        await wait_for(lambda: ears.of(want))
        assert remote._timer is not None
        remote._timer.cancel()
        await wait_for(lambda: not house.feed.held[house.feed.id("SBIN")], what="the lease to end")
        remote._tick()
        await wait_for(lambda: house.feed.held[house.feed.id("SBIN")] == 1, what="the want to be asked for again")
        house.publish("SBIN")
        await wait_for(lambda: len(ears.of(want)) == 2, what="the next update")
        assert [told["seq"] for told in ears.of(want)] == [1, 2]


async def test_a_feed_that_comes_back_gets_3000_wants_again(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        remote, ears = await house.gateway()
        symbols = [f"S{number}" for number in range(3000)]
        for symbol in symbols:
            remote.want(ACCOUNT, symbol, "NSE", LTP)
        await wait_for(lambda: len(house.feed.held) == 3000, what="3,000 wants")
        house.publish("S7")
        await wait_for(lambda: ears.published, what="an update")
        gone = remote.want(ACCOUNT, "S9", "NSE", LTP)
        assert not isinstance(gone, Refused)
        for _ in range(2):
            remote.release(gone.want)
        await wait_for(lambda: sum(house.feed.held.values()) == 2999, what="the release")
        house.restart()
        await wait_for(lambda: sum(house.feed.held.values()) == 2999, what="the wants to be asked for again")
        assert "S9" not in {key[1] for key in house.feed.ids}
        house.publish("S7")
        await wait_for(lambda: len(ears.published) == 2, what="an update of the new feed")
        assert len({want for want, _ in ears.published}) == 1


async def test_a_feed_that_is_away_is_said_to_be_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_feed, "_PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(wire, "BEAT_SECONDS", 0.02)
    async with border(tmp_path) as house:
        remote, ears = await house.gateway()
        want = await granted(remote, "SBIN")
        house.publish("SBIN")
        await wait_for(lambda: remote.snapshot(want) is not None)
        assert house.server is not None
        house.server.close()
        await wait_for(lambda: remote.health(ACCOUNT).state is AccountState.RECONNECTING, what="the silence")
        assert ears.states[-1].detail == "the feed process does not answer"
        assert remote.snapshot(want) is None
        house.start()
        await wait_for(lambda: remote.health(ACCOUNT).state is AccountState.LIVE, what="the feed again")


async def test_keys_come_and_go(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        remote, _ = await house.gateway()
        revoked: list[str] = []
        remote.keys.on_revoked(revoked.append)
        assert remote.keys.authenticate("key-a") == identity("a")
        remote.keys.authenticate("key-a")
        with pytest.raises(AuthError):
            remote.keys.authenticate("key-b")
        house.feed.keys = {"key-b": identity("b")}
        assert house.server is not None
        house.server.push_keys()
        await wait_for(lambda: revoked == ["a"], what="the revocation")
        assert remote.keys.authenticate("key-b").key_id == "b"
        with pytest.raises(AuthError):
            remote.keys.authenticate("key-a")
        await wait_for(lambda: house.used == ["a", "b"], what="the use of keys, once each")


async def test_users_whose_keys_mean_something_else_are_told(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        remote, _ = await house.gateway()
        renewed: list[str] = []
        remote.keys.on_renewed(renewed.append)
        poorer = msgspec.structs.replace(identity("a"), accounts=())
        house.feed.keys = {"key-a": poorer}
        assert house.server is not None
        house.server.push_keys()
        await wait_for(lambda: renewed == ["u"], what="the change")
        assert remote.keys.identity("a") == poorer
        with pytest.raises(AuthError):
            remote.keys.identity("b")


async def test_a_loop_that_cannot_watch_descriptors_looks_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_reader(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", no_reader)
    async with border(tmp_path) as house:
        remote, ears = await house.gateway()
        want = await granted(remote, "SBIN")
        for _ in range(500):
            house.publish("SBIN")
        await wait_for(lambda: len(ears.of(want)) == 500, what="500 updates")
        assert remote.lost == 0


async def test_orders_and_figures_pass(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        remote, ears = await house.gateway()
        remote.figures = lambda: (3, {"messages_out_total": 7})
        remote.written.add(0.002)
        server = house.server
        assert server is not None
        server.order(OrderNews(1, ACCOUNT, b"", b'{"orderid":"1"}'))
        await wait_for(lambda: ears.orders == [(ACCOUNT, {"orderid": "1"})], what="the order update")
        await wait_for(lambda: server.clients == 3, what="the figures")
        assert server.written == remote.written
        assert server.metrics() == {
            "messages_out_total": 7,
            "bus_lost_total": 0,
            "gateways": 1,
            "bus_published_total": 0,
        }


async def test_garbage_on_the_border_costs_nothing(tmp_path: Path) -> None:
    async with border(tmp_path) as house:
        remote, ears = await house.gateway()
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        with context, context.socket(zmq.DEALER) as stranger:
            stranger.connect(house.endpoint)
            for frames in ([b""], [b"\x93garbage"], [b"a", b"b", b"c"], [wire.encode(["x", 1, [["ask"]]])]):
                stranger.send_multipart(frames)
            stranger.send(wire.encode(wire.Upward("stranger", 5, [wire.Drop(1), wire.Resync()])))
            want = await granted(remote, "SBIN")
            house.publish("SBIN")
            await wait_for(lambda: ears.of(want))
            stranger.close(linger=0)


async def test_who_does_not_know_the_secret_is_told_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with border(tmp_path) as house:
        remote = RemoteFeed(house.endpoint, "stranger", SystemClock(), "guessed")
        house.gateways.append(remote)
        remote.start()
        await wait_for(lambda: "it does not know the secret" in caplog.text, what="the refusal")
        assert remote.brokers == []


async def test_a_gateway_that_takes_no_answers_loses_its_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_server, "_BATCH", 1)
    async with border(tmp_path) as house:
        remote, _ = await house.gateway()
        await granted(remote, "SBIN")
        remote._requests.close()
        server = house.server
        assert server is not None

        def deserted() -> bool:
            server.order(OrderNews(1, ACCOUNT, b"", b"{}" * 50_000))
            return not server._leases

        await wait_for(deserted, what="the lease to end")
        await wait_for(lambda: not sum(house.feed.held.values()), what="its wants to be released")


def test_the_border_is_a_file_where_it_can_be(tmp_path: Path) -> None:
    if os.name == "posix" and zmq.has("ipc"):
        assert local_endpoint(str(tmp_path), "wants", 5) == f"ipc://{tmp_path}/wants"
    assert local_endpoint("x" * 200, "wants", 5) == "tcp://127.0.0.1:5"
    assert local_endpoint("x" * 200, "wants", 0) == "tcp://127.0.0.1:*"
