"""The connection loop against a real WebSocket server that misbehaves."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import pytest
from msgspec import structs
from tests.support import wait_for
from tests.toy_broker import ToyCodec, ToyServer, toy_session, toy_stream

from sangam.brokers.contract import Codec, Event, Operation, Session, Stream
from sangam.model.clock import SystemClock
from sangam.model.enums import Mode
from sangam.model.errors import BrokerError
from sangam.model.instrument import Level
from sangam.model.market import Patch
from sangam.model.order import OrderUpdate
from sangam.transport.socket import Connection, Owner, SocketState, Timing

FAST = Timing(stale_after=0.3, stuck_after=0.6, check=0.02, settled=0.2, backoff_first=0.02, backoff_cap=0.1)
LTP = Level(Mode.LTP)


async def run(operation: Operation[Any]) -> Any:
    """Toy streams ask nothing before they open."""
    try:
        operation.send(None)
    except StopIteration as stop:
        return stop.value
    raise BrokerError("the toy broker has no REST")


class Bench:
    """A connection with everything it told."""

    def __init__(self, server: ToyServer) -> None:
        self.server = server
        self.patches: list[Patch] = []
        self.events: list[Event] = []
        self.states: list[SocketState] = []
        self.in_session = False
        self.connections: list[Connection] = []

    def connect(self, stream: Stream | None = None, session: Session | None = None) -> Connection:
        owner = Owner(
            self.patches.append,
            self.events.append,
            lambda connection: self.states.append(connection.state),
            lambda connection: self.in_session,
        )
        connection = Connection(
            stream or toy_stream(), session or toy_session(self.server.url), owner, run, SystemClock(), FAST, "toy"
        )
        self.connections.append(connection)
        return connection


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with ToyServer() as server:
        bench = Bench(server)
        yield bench
        for connection in bench.connections:
            await connection.stop()


async def state(connection: Connection, wanted: SocketState) -> None:
    await wait_for(lambda: connection.state is wanted, what=f"state {wanted}")


async def test_subscribes_what_was_wanted_before_and_after_the_login(bench: Bench) -> None:
    connection = bench.connect()
    connection.want("A", LTP)
    await state(connection, SocketState.LIVE)
    connection.want("B", Level(Mode.QUOTE))
    await wait_for(lambda: bench.server.carried == {"A": 1, "B": 2})
    await wait_for(lambda: not connection.unconfirmed, what="confirmations")
    connection.unwant("A")
    await wait_for(lambda: bench.server.carried == {"B": 2})
    await bench.server.tick("B", 10.5)
    await wait_for(lambda: bench.patches)
    assert bench.patches[0].fields["ltp"] == 10.5


async def test_changes_within_one_turn_go_out_together(bench: Bench) -> None:
    connection = bench.connect()
    await state(connection, SocketState.LIVE)
    for name in "ABCD":
        connection.want(name, LTP)
    connection.unwant("B")
    await wait_for(lambda: set(bench.server.carried) == {"A", "C", "D"})
    assert not any('"B"' in text for text in bench.server.heard)


async def test_what_is_dropped_and_wanted_again_is_asked_for_anew(bench: Bench) -> None:
    """Its new owner knows nothing yet, and some wires tell the whole only once."""
    connection = bench.connect()
    connection.want("A", LTP)
    connection.want("B", LTP)
    await wait_for(lambda: bench.server.carried == {"A": 1, "B": 1})
    heard = len(bench.server.heard)
    connection.unwant("A")
    connection.want("A", LTP)
    await wait_for(lambda: len(bench.server.heard) == heard + 2)
    assert [json.loads(text) for text in bench.server.heard[heard:]] == [
        {"unsub": ["A"]},
        {"sub": "A", "mode": 1, "depth": 5},
    ]


async def test_waits_for_the_sockets_own_login(bench: Bench) -> None:
    connection = bench.connect(toy_stream(waits_for_login=True))
    connection.want("A", LTP)
    await wait_for(lambda: bench.server.heard == ["hello"])
    assert connection.state is SocketState.CONNECTING
    await bench.server.tell({"event": "in"})
    await wait_for(lambda: bench.server.carried == {"A": 1})


async def test_an_unanswered_login_is_tried_again(bench: Bench) -> None:
    connection = bench.connect(toy_stream(waits_for_login=True, login_timeout=0.05))
    await wait_for(lambda: bench.server.upgrades >= 2)
    assert connection.state in (SocketState.RECONNECTING, SocketState.CONNECTING)


async def test_a_lost_socket_comes_back_with_everything_it_carried(bench: Bench) -> None:
    connection = bench.connect()
    connection.want("A", LTP)
    await wait_for(lambda: bench.server.carried == {"A": 1})
    await bench.server.drop()
    await wait_for(lambda: connection.reconnects == 1 and bench.server.carried == {"A": 1})
    assert bench.states == [SocketState.LIVE, SocketState.RECONNECTING, SocketState.LIVE]


async def test_a_codec_follows_that_of_the_socket_before(bench: Bench) -> None:
    codecs, followed = [ToyCodec(), ToyCodec(), ToyCodec()], list[tuple[Codec, Codec]]()
    for codec in codecs:
        codec.follow = lambda before, codec=codec: followed.append((codec, before))  # type: ignore[method-assign,misc]
    coming = iter(codecs)
    connection = bench.connect(dataclasses.replace(toy_stream(), codec=lambda *_: next(coming)))
    for reconnects in (1, 2):
        await state(connection, SocketState.LIVE)
        await bench.server.drop()
        await wait_for(lambda: connection.reconnects == reconnects)  # noqa: B023
    await state(connection, SocketState.LIVE)
    assert followed == [(codecs[1], codecs[0]), (codecs[2], codecs[1])]


@pytest.mark.parametrize("status", [HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED])
async def test_a_refused_credential_is_never_hammered(bench: Bench, status: HTTPStatus) -> None:
    bench.server.refuse_upgrade = status
    connection = bench.connect()
    await state(connection, SocketState.AUTH_EXPIRED)
    await asyncio.sleep(5 * FAST.backoff_cap)
    assert bench.server.upgrades == 1


async def test_other_refusals_are_tried_again_with_growing_pauses(bench: Bench) -> None:
    bench.server.refuse_upgrade = HTTPStatus.TOO_MANY_REQUESTS
    connection = bench.connect()
    await wait_for(lambda: bench.server.upgrades >= 3)
    bench.server.refuse_upgrade = None
    await state(connection, SocketState.LIVE)


@pytest.mark.parametrize(("event", "end"), [("expired", SocketState.AUTH_EXPIRED), ("replaced", SocketState.REPLACED)])
async def test_the_end_of_a_session_ends_the_loop(bench: Bench, event: str, end: SocketState) -> None:
    connection = bench.connect()
    await state(connection, SocketState.LIVE)
    await bench.server.tell({"event": event})
    await state(connection, end)
    await wait_for(lambda: not bench.server.sockets)
    assert bench.server.upgrades == 1


async def test_a_session_past_its_hour_is_not_even_tried(bench: Bench) -> None:
    connection = bench.connect(session=toy_session(bench.server.url, expires_at=1))
    await state(connection, SocketState.AUTH_EXPIRED)
    assert bench.server.upgrades == 0


async def test_a_session_ends_at_its_hour_on_an_open_socket(bench: Bench) -> None:
    soon = SystemClock().now_ms() + 150
    connection = bench.connect(session=toy_session(bench.server.url, expires_at=soon))
    await state(connection, SocketState.LIVE)
    await state(connection, SocketState.AUTH_EXPIRED)


async def test_a_socket_that_takes_subscriptions_but_tells_nothing_is_stale_then_reopened(bench: Bench) -> None:
    bench.in_session = True
    connection = bench.connect()
    connection.want("A", LTP)
    await state(connection, SocketState.STALE)
    await wait_for(lambda: bench.server.upgrades >= 2)


async def test_quiet_outside_market_hours_is_normal(bench: Bench) -> None:
    connection = bench.connect()
    connection.want("A", LTP)
    await state(connection, SocketState.LIVE)
    await asyncio.sleep(2 * FAST.stuck_after)
    assert connection.state is SocketState.LIVE
    assert bench.server.upgrades == 1


async def test_the_market_opening_does_not_make_an_old_silence_stale(bench: Bench) -> None:
    connection = bench.connect()
    connection.want("A", LTP)
    await state(connection, SocketState.LIVE)
    await asyncio.sleep(2 * FAST.stuck_after)
    bench.in_session = True
    await asyncio.sleep(FAST.stale_after / 2)
    assert connection.state is SocketState.LIVE


async def test_data_makes_a_stale_socket_live_again(bench: Bench) -> None:
    bench.in_session = True
    connection = bench.connect()
    connection.want("A", LTP)
    await state(connection, SocketState.STALE)
    await bench.server.tick("A", 1.0)
    await state(connection, SocketState.LIVE)
    assert connection.reconnects == 0


async def test_a_wire_with_heartbeats_that_falls_silent_is_dead(bench: Bench) -> None:
    connection = bench.connect(toy_stream(silence=0.2))
    await wait_for(lambda: bench.server.upgrades >= 2)
    assert connection.reconnects >= 1


async def test_heartbeats_are_sent(bench: Bench) -> None:
    bench.connect(toy_stream(heartbeat=0.05))
    await wait_for(lambda: bench.server.heard.count("beat") >= 2)


async def test_garbage_costs_messages_then_the_connection(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    connection = bench.connect()
    connection.want("A", LTP)
    await wait_for(lambda: bench.server.carried == {"A": 1})
    for _ in range(10):
        await bench.server.tell("garbage")
    await bench.server.tick("A", 1.0)
    await wait_for(lambda: bench.patches)
    assert connection.reconnects == 0
    for _ in range(60):
        await bench.server.tell("garbage")
    await wait_for(lambda: connection.reconnects == 1)
    assert "damaged message" in caplog.text


async def test_a_bug_in_a_codec_costs_one_message(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    connection = bench.connect()
    connection.want("A", LTP)
    await wait_for(lambda: bench.server.carried == {"A": 1})
    await bench.server.tell({"bug": 1})
    await bench.server.tick("A", 1.0)
    await wait_for(lambda: bench.patches)
    assert "codec failed" in caplog.text


async def test_a_bug_in_a_broker_is_logged_and_tried_again(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    session = toy_session(bench.server.url)
    hosts = dict[str, str]()
    connection = bench.connect(session=structs.replace(session, hosts=hosts))
    await state(connection, SocketState.RECONNECTING)
    assert "KeyError" in caplog.text
    assert connection.detail == "a fault of ours (KeyError), see the log"
    hosts.update(session.hosts)
    await state(connection, SocketState.LIVE)


async def test_other_news_reaches_the_owner(bench: Bench) -> None:
    connection = bench.connect()
    await state(connection, SocketState.LIVE)
    order = {
        "order_id": "1",
        "brsymbol": "A",
        "brexchange": "NSE",
        "action": "BUY",
        "quantity": 1,
        "status": "open",
    }
    await bench.server.tell({"order": order})
    await wait_for(lambda: bench.events)
    assert isinstance(bench.events[0], OrderUpdate)


async def test_an_unreachable_broker_is_tried_again() -> None:
    server = ToyServer()
    async with server:
        url = server.url
    bench = Bench(server)
    connection = bench.connect(session=toy_session(url))
    await wait_for(lambda: connection.reconnects >= 2)
    await connection.stop()


@pytest.mark.parametrize("when", ["connecting", "live"])
async def test_stopping_leaves_nothing_behind(bench: Bench, when: str) -> None:
    before = asyncio.all_tasks()
    connection = bench.connect()
    if when == "live":
        await state(connection, SocketState.LIVE)
    await connection.stop()
    await wait_for(lambda: not bench.server.sockets)
    await wait_for(lambda: {task for task in asyncio.all_tasks() - before if "socket" in task.get_name()} == set())
