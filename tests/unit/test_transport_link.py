"""One life of a socket, with a channel that the test holds in its hands."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import pytest
from tests.support import wait_for
from tests.toy_broker import ToyCodec

from sangam.brokers.contract import (
    BooksChanged,
    Call,
    Codec,
    Confirmed,
    Endpoint,
    Event,
    Operation,
    Refusal,
    Request,
    Result,
)
from sangam.brokers.rest_subscriptions import RestSubscriptions
from sangam.brokers.wire import Message
from sangam.model.clock import SystemClock
from sangam.model.enums import Mode
from sangam.model.errors import BrokerError, DecodeError, NotSent, SessionExpired
from sangam.model.instrument import Level
from sangam.model.market import Key, Patch
from sangam.transport import link as link_module
from sangam.transport.channel import Channel, Owner
from sangam.transport.framing.base import Wire
from sangam.transport.link import Link, SessionTaken

LTP = Level(Mode.LTP)


class FakeChannel:
    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.sent: list[Wire] = []
        self.closed = False

    def send(self, data: Wire) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True
        self.owner.wire_closed("closed by us")


class CallingCodec(ToyCodec):
    """Subscribes by REST, as some brokers do; the reply is the snapshot."""

    def update(self, wanted: Mapping[Key, Level]) -> Iterable[Result]:
        for key in self.changes(wanted).added:
            yield Call(_ask(str(key)), (key,), f"subscribe {key}")

    def replied(self, call: Call, payload: Any) -> Iterable[Result]:
        yield Confirmed(call.keys)
        yield Patch(call.keys[0], {"ltp": payload["ltp"]})

    def received(self, message: Message) -> Iterable[Result]:
        return (BooksChanged(),)


def _ask(key: str) -> Operation[Any]:
    return (yield Request(method="POST", host="api", path=f"/sub/{key}"))


class Bench:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patches: list[Patch] = []
        self.events: list[Event] = []
        self.times: list[float] = []
        self.greeting: list[Wire] = []
        self.leaves = False
        self.channel: FakeChannel | None = None
        self.answer: Callable[[str], Any] = lambda path: {"ltp": 5.0}
        self.links: list[Link] = []
        monkeypatch.setattr(link_module, "open_channel", self._open)

    async def _open(self, endpoint: Endpoint, owner: Owner, ping: float | None, egress: str) -> Channel:
        self.channel = FakeChannel(owner)
        for data in self.greeting:
            owner.wire_data(data)
        if self.leaves:
            owner.wire_closed("closed by the broker")
        await asyncio.sleep(0)
        return self.channel

    async def _run(self, operation: Operation[Any]) -> Any:
        request = next(operation)
        assert isinstance(request, Request)
        answer = self.answer(request.path)
        if isinstance(answer, asyncio.Event):
            await answer.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def link(self, codec: Codec, framing: Any = "plain") -> Link:
        endpoint = Endpoint(url="ws://unused", framing=framing)
        link = Link(
            endpoint,
            codec,
            self.patches.append,
            self.events.append,
            self._run,
            SystemClock(),
            "toy#1",
            took=self.times.append,
        )
        self.links.append(link)
        return link

    def hear(self, data: Wire) -> None:
        assert self.channel is not None
        self.channel.owner.wire_data(data)


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    bench = Bench(monkeypatch)
    yield bench
    for link in bench.links:
        link.close()


async def test_what_the_peer_says_with_the_upgrade_is_answered(bench: Bench) -> None:
    """A NATS server greets at once; its INFO may arrive before the opening call has returned."""
    bench.greeting = [b"INFO {}\r\n"]
    link = bench.link(ToyCodec(), framing="nats")
    opening = asyncio.create_task(link.open(None, 5))
    await wait_for(lambda: bench.channel and bench.channel.sent, what="CONNECT")
    assert bench.channel is not None
    assert b"CONNECT" in b"".join(part for part in bench.channel.sent if isinstance(part, bytes))
    bench.hear(b"PONG\r\n")
    await opening
    assert link.logged_in.done()


async def test_a_login_is_waited_for(bench: Bench) -> None:
    link = bench.link(ToyCodec(waits_for_login=True))
    with pytest.raises(BrokerError, match=r"no login answer within 0\.05 s"):
        await link.open(None, 0.05)
    assert bench.channel is not None
    assert bench.channel.sent == ["hello"]


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        ('{"event":"expired"}', SessionExpired, "token expired"),
        ('{"event":"replaced"}', SessionTaken, "another program"),
    ],
)
async def test_a_login_that_is_refused(bench: Bench, message: str, error: type[Exception], text: str) -> None:
    bench.greeting = [message]
    with pytest.raises(error, match=text):
        await bench.link(ToyCodec(waits_for_login=True)).open(None, 5)


async def test_why_a_peer_leaves_at_once_is_heard_before_that_it_left(bench: Bench) -> None:
    """A Socket.IO server refuses a token by a packet and hangs up, all of it together with the upgrade."""
    bench.greeting, bench.leaves = ['44"Authentication error"'], True
    with pytest.raises(SessionExpired, match="Authentication error"):
        await bench.link(ToyCodec(waits_for_login=True), framing="socketio").open(None, 5)


async def test_a_peer_that_leaves_during_the_login(bench: Bench) -> None:
    link = bench.link(ToyCodec(waits_for_login=True))
    opening = asyncio.create_task(link.open(None, 5))
    await wait_for(lambda: bench.channel and bench.channel.sent)
    assert bench.channel is not None
    bench.channel.owner.wire_closed("connection lost")
    with pytest.raises(BrokerError, match="connection lost before the login was answered"):
        await opening


async def test_unconfirmed_keys_shrink_by_confirmation_data_refusal_and_release(bench: Bench) -> None:
    link = bench.link(ToyCodec())
    await link.open(None, 5)
    link.update(dict.fromkeys("ABCDE", LTP))
    assert link.unconfirmed == set("ABCDE")
    bench.hear('{"ok":"A"}')
    bench.hear('{"tick":"B","ltp":1.5}')
    bench.hear('{"no":"C","reason":"unknown token"}')
    assert link.unconfirmed == {"D", "E"}
    assert bench.events == [Refusal("C", "unknown token")]
    link.update(dict.fromkeys("ABCE", LTP))
    assert link.unconfirmed == {"E"}
    link.update({**dict.fromkeys("ABCE", LTP), "D": LTP})
    assert link.unconfirmed == {"D", "E"}


async def test_a_call_confirms_and_tells(bench: Bench) -> None:
    link = bench.link(CallingCodec())
    await link.open(None, 5)
    link.update({"A": LTP})
    await wait_for(lambda: bench.patches)
    assert bench.patches == [Patch("A", {"ltp": 5.0})]
    assert link.unconfirmed == set()


async def test_a_call_that_fails_refuses_its_keys(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.answer = lambda path: NotSent("cannot be reached")
    link = bench.link(CallingCodec())
    await link.open(None, 5)
    link.update({"A": LTP})
    await wait_for(lambda: bench.events)
    assert bench.events == [Refusal("A", "cannot be reached")]
    assert not link.ended.done()
    assert "subscribe A: cannot be reached" in caplog.text


async def test_a_call_that_hears_of_a_dead_credential_ends_the_link(bench: Bench) -> None:
    bench.answer = lambda path: SessionExpired("token rejected")
    link = bench.link(CallingCodec())
    await link.open(None, 5)
    link.update({"A": LTP})
    await wait_for(link.ended.done)
    with pytest.raises(SessionExpired):
        link.ended.result()


@pytest.mark.parametrize("answer", [KeyError("id"), {"no price": 1}])
async def test_a_bug_in_a_call_costs_that_call(bench: Bench, answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    bench.answer = lambda path: answer if path == "/sub/A" else {"ltp": 7.0}
    link = bench.link(CallingCodec())
    await link.open(None, 5)
    link.update({"A": LTP})
    await wait_for(lambda: "KeyError" in caplog.text, what="log line")
    link.update({"A": LTP, "B": LTP})
    await wait_for(lambda: bench.patches)
    assert "subscribe A: the codec failed" in caplog.text
    assert "B" not in link.unconfirmed
    assert not link.ended.done()
    assert bench.events == [Refusal("A", "A fault of ours, see the log.")]


class OneByOne(RestSubscriptions):
    """Asks for the next instrument when the one before was answered."""

    batch = 1

    def kinds_of(self, key: Key, level: Level) -> tuple[int, ...]:
        return (1,)

    def request(self, action: str, kind: int | str, keys: tuple[Key, ...]) -> Request:
        return Request(method="POST", host="rest", path=f"/sub/{keys[0]}")

    def subscribed(self, kind: int | str, keys: tuple[Key, ...], payload: Any) -> Iterable[Result]:
        if payload == "odd":
            raise DecodeError("odd")
        return (Patch(keys[0], {"ltp": payload["ltp"]}),)

    def received(self, message: Message) -> Iterable[Result]:
        return ()


@pytest.mark.parametrize("fault", ["run", "answer", "damage"])
async def test_a_bug_in_one_subscription_does_not_silence_those_that_wait_behind_it(bench: Bench, fault: str) -> None:
    answers = {"run": KeyError("id"), "answer": {"no price": 1}, "damage": "odd"}
    bench.answer = lambda path: answers[fault] if path == "/sub/A" else {"ltp": 7.0}
    link = bench.link(OneByOne())
    await link.open(None, 5)
    link.update({"A": LTP, "B": LTP})
    await wait_for(lambda: bench.patches, what="the price of B")
    assert [patch.key for patch in bench.patches] == ["B"]
    assert not link.ended.done()


async def test_a_bug_in_an_update_ends_the_link(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(ToyCodec):
        def update(self, wanted: Mapping[Key, Level]) -> Iterable[Result]:
            raise KeyError("segment")

    link = bench.link(Broken())
    await link.open(None, 5)
    link.update({"A": LTP})
    assert link.ended.result() == "codec failure"
    assert "the codec failed on 1 instruments" in caplog.text


async def test_nothing_is_heard_after_closing(bench: Bench) -> None:
    never = asyncio.Event()
    bench.answer = lambda path: never
    link = bench.link(CallingCodec())
    await link.open(None, 5)
    link.update({"A": LTP})
    before = asyncio.all_tasks()
    await wait_for(lambda: any("call toy" in task.get_name() for task in before | asyncio.all_tasks()))
    link.close()
    bench.hear("anything")
    await wait_for(lambda: not any("call toy" in task.get_name() for task in asyncio.all_tasks()))
    assert (bench.patches, bench.events) == ([], [])
    assert bench.channel is not None
    assert bench.channel.closed


async def test_a_codec_is_kept_alive_at_its_pace(bench: Bench) -> None:
    link = bench.link(ToyCodec())
    await link.open(None, 5)
    assert bench.channel is not None
    link.keep_alive(None)
    link.keep_alive(60.0)
    assert bench.channel.sent == []
    link.keep_alive(1e-9)
    assert bench.channel.sent == ["beat"]


@pytest.mark.parametrize(("pace", "pings"), [(None, 0), (1e-9, 1)])
async def test_a_framing_pings_at_the_pace_of_the_stream_where_that_names_one(
    bench: Bench, pace: float | None, pings: int
) -> None:
    bench.greeting = [b"INFO {}\r\nPONG\r\n"]
    link = bench.link(ToyCodec(), "nats")
    await link.open(pace, 5)
    assert bench.channel is not None
    bench.channel.sent.clear()
    link.keep_alive(None)
    assert bench.channel.sent == [b"PING\r\n"] * pings


async def test_one_message_in_64_is_timed_if_it_told_a_price(bench: Bench) -> None:
    link = bench.link(ToyCodec())
    await link.open(None, 5)
    link.update({"A": LTP})
    for _ in range(2 * link_module.TIMED - 1):
        bench.hear(json.dumps({"tick": "A", "ltp": 1.5}))
    assert len(bench.times) == 1
    assert 0 <= bench.times[0] < 1
    bench.hear(json.dumps({"ok": "A"}))
    assert len(bench.times) == 1
