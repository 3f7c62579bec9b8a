"""What a trace tells of an instrument and of a client, for how long, and what it costs when nobody asks."""

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from tests.feed_rig import ACCOUNT, feed_rig
from tests.gateway_support import World
from tests.support import wait_for

from sangam.app.trace import MAX_LINES, MAX_TRACES, Tracer, detail, parse, targets
from sangam.feed.trace import Tell
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Mode
from sangam.model.errors import InvalidInput

NOON = datetime(2026, 8, 3, 12, tzinfo=IST)


class Room:
    """Feed or gateway: remembers who is traced."""

    def __init__(self) -> None:
        self.traced: dict[str, Tell] = {}

    def trace(self, symbol: str, exchange: str, tell: Tell | None) -> None:
        self.trace_key(f"{exchange}:{symbol}", tell)

    def trace_key(self, key_id: str, tell: Tell | None) -> None:
        if tell is None:
            del self.traced[key_id]
        else:
            self.traced[key_id] = tell


class Traces:
    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        self.feed, self.gateway = Room(), Room()
        self.tracer = Tracer(self.clock, self.feed, self.gateway)

    async def ask(self, verb: str, **arguments: Any) -> Any:
        return await self.tracer.call(f"trace/{verb}", arguments)

    async def lines(self, what: str, after: int = 0) -> list[str]:
        return [line["text"] for line in (await self.ask("lines", what=what, after=after))["lines"]]


@pytest.fixture
def traces() -> Iterator[Traces]:
    made = Traces()
    yield made
    made.tracer.close()
    assert not made.feed.traced
    assert not made.gateway.traced


def test_what_can_be_traced() -> None:
    assert parse("nse:sbin") == ("NSE", "SBIN")
    assert parse("key:0a1b2c3d") == ("", "0a1b2c3d")
    assert [str(target) for target in targets(["feed", "NSE:M&M", "KEY:0a1b"])] == ["NSE:M&M", "key:0a1b"]
    for bad in ("SBIN", "NSE:", ":SBIN", "key:", "LSE:VOD", ""):
        with pytest.raises(InvalidInput, match="EXCHANGE:SYMBOL"):
            parse(bad)


def test_a_part_without_a_colon_logs_in_detail() -> None:
    part = logging.getLogger("sangam.nowhere")
    detail(["nowhere", "NSE:SBIN"])
    assert part.level == logging.DEBUG
    part.setLevel(logging.NOTSET)


async def test_lines_are_logged_and_kept_without_secrets(traces: Traces, caplog: pytest.LogCaptureFixture) -> None:
    assert (await traces.ask("start", what="nse:sbin"))["next"] == 0
    traces.feed.traced["NSE:SBIN"](lambda: "in a")
    traces.gateway.traced["NSE:SBIN"](lambda: 'out {"api_key":"planted8"}')
    assert await traces.lines("NSE:SBIN") == ["in a", 'out {"api_key":"***"}']
    assert await traces.lines("NSE:SBIN", after=1) == ['out {"api_key":"***"}']
    assert await traces.lines("NSE:SBIN", after=2) == []
    assert [record.name for record in caplog.records] == ["sangam.trace"] * 2
    assert caplog.messages[0] == "NSE:SBIN in a"


async def test_a_trace_ends_by_itself_by_word_and_goes_on_by_a_second_word(traces: Traces) -> None:
    await traces.ask("start", what="key:k1", seconds=0.02)
    assert list(traces.gateway.traced) == ["k1"]
    assert not traces.feed.traced
    await wait_for(lambda: not traces.gateway.traced, what="the end")
    assert (await traces.ask("list"))["traces"] == []
    assert (await traces.ask("lines", what="key:k1"))["open"] is False

    await traces.ask("start", what="key:k1", seconds=0.02)
    again = await traces.ask("start", what="key:k1", seconds=60)
    assert again["until"] == traces.clock.now_ms() + 60_000
    await asyncio.sleep(0.05)
    assert [row["what"] for row in (await traces.ask("list"))["traces"]] == ["key:k1"]
    assert (await traces.ask("stop", what="key:k1"))["open"] is False
    assert (await traces.ask("stop", what="key:k1"))["open"] is False


async def test_nobody_ends_a_trace_that_another_asked_for_longer(traces: Traces) -> None:
    traces.tracer.start_all(targets(["NSE:SBIN"]))
    assert (await traces.ask("start", what="NSE:SBIN", seconds=0.01))["until"] is None
    longer = await traces.ask("start", what="NSE:TCS", seconds=60)
    assert await traces.ask("start", what="NSE:TCS", seconds=0.01) == longer
    await asyncio.sleep(0.03)
    assert [row["what"] for row in (await traces.ask("list"))["traces"]] == ["NSE:SBIN", "NSE:TCS"]


async def test_too_much_is_counted_and_not_even_written(traces: Traces) -> None:
    await traces.ask("start", what="NSE:SBIN")
    asked = []
    for _ in range(MAX_LINES + 50):
        traces.feed.traced["NSE:SBIN"](lambda: asked.append(1) or "x")  # type: ignore[func-returns-value]
    assert len(asked) == MAX_LINES
    traces.clock.advance(1)
    traces.feed.traced["NSE:SBIN"](lambda: "next second")
    assert (await traces.lines("NSE:SBIN"))[-2:] == ["... 50 more in that second are not shown", "next second"]


async def test_traces_are_few(traces: Traces) -> None:
    for number in range(MAX_TRACES):
        await traces.ask("start", what=f"NSE:S{number}")
    with pytest.raises(InvalidInput, match="stop one"):
        await traces.ask("start", what="NSE:SBIN")
    await traces.ask("stop", what="NSE:S3")
    await traces.ask("start", what="NSE:SBIN")
    with pytest.raises(InvalidInput, match=r"'NSE:S3' is not traced\. Traced now: NSE:S0"):
        await traces.lines("NSE:S3")


@pytest.mark.parametrize(
    "arguments", [{}, {"what": "SBIN"}, {"what": "NSE:A", "seconds": 0}, {"what": "NSE:A", "seconds": 1e9}, {"w": 1}]
)
async def test_bad_arguments_are_named(traces: Traces, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        await traces.ask("start", **arguments)


async def test_a_process_without_clients_says_so_and_traces_the_rest() -> None:
    feed = Room()
    tracer = Tracer(ManualClock(NOON), feed, None)
    tracer.start_all(targets(["key:k1", "NSE:SBIN"]))
    assert list(feed.traced) == ["NSE:SBIN"]
    with pytest.raises(InvalidInput, match="--split --trace key:k1"):
        await tracer.call("trace/start", {"what": "key:k1"})
    tracer.close()


# --- the feed's side --------------------------------------------------------------------------------------------------


async def test_patches_of_an_instrument_are_told_wherever_it_streams() -> None:
    told: list[str] = []
    async with feed_rig() as rig:
        await rig.login()
        await rig.streaming("SBIN")
        rig.feed.trace("SBIN", "NSE", lambda line: told.append(line()))
        rig.feed.trace("TCS", "NSE", lambda line: told.append(line()))
        first = await rig.streaming("SBIN", ltp=7.0)
        await rig.streaming("INFY", ltp=8.0)
        second = await rig.streaming("TCS", Mode.DEPTH, 9.0)  # wanted after the trace began
        assert [line.partition(": ")[0] for line in told] == [f"in {ACCOUNT} (full)"] * 2
        assert json.loads(told[0].partition(": ")[2])["ltp"] == 7.0
        assert json.loads(told[1].partition(": ")[2])["depth"]["buy"][0]["price"] == 5
        rig.feed.trace("SBIN", "NSE", None)
        rig.feed.trace("TCS", "NSE", None)
        await rig.server.tick("SBIN", 11.0)
        await rig.hears(first, 11.0)
        await rig.server.tick("TCS", 12.0, buy=[], sell=[])
        await rig.hears(second, 12.0)
        assert len(told) == 2


# --- the gateway's side -----------------------------------------------------------------------------------------------


def test_what_is_written_of_an_instrument_is_told_with_its_reach() -> None:
    world, told = World(interval_ms=0), list[str]()
    world.hub.trace("A", "NSE", lambda line: told.append(line()))
    clients = [world.client() for _ in range(2)]
    for client in clients:
        client.say(action="subscribe", symbols=[{"symbol": s, "exchange": "NSE"} for s in "AB"])
        client.heard()
    world.loop.advance(1)
    told.clear()
    world.publish("A", b'{"n":1}')
    world.publish("B", b'{"n":2}')
    world.loop.advance(1)
    (line,) = told
    assert line.endswith(' Quote at once to 2 clients: {"n":1}')
    assert [row["data"] for row in clients[1].heard()] == [{"n": 1}, {"n": 2}]
    world.hub.trace("A", "NSE", None)
    world.publish("A", b'{"n":3}')
    world.loop.advance(1)
    assert len(told) == 1
    assert [row["data"] for row in clients[0].heard()][-1] == {"n": 3}


def test_a_clients_messages_are_told_both_ways_joined_or_not() -> None:
    world, told = World(interval_ms=0), list[str]()
    client, other = world.client(), world.client("key-u2")
    assert client.session.identity is not None
    key = client.session.identity.key_id
    world.services.traced[key] = lambda line: told.append(line())
    client.session.trace()
    other.session.trace()
    client.say(action="subscribe", symbols=[{"symbol": s, "exchange": "NSE"} for s in "AB"])
    other.say(action="ping")
    world.loop.advance(1)
    assert told[0].startswith('in test:1: {"action": "subscribe"')
    assert told[1].startswith('out test:1: {"type":"subscribe"')
    assert len(told) == 2
    world.publish("A", b'{"n":1}')
    world.publish("B", b'{"text":"%s"}' % (b"long" * 20_000))
    world.loop.advance(1)
    assert [line.partition(": ")[0] for line in told[2:]] == ["out test:1"] * 2
    assert told[2].endswith('"data":{"n":1}}')
    assert told[3].endswith("bytes)")
    assert len(told[3]) < 2100
    assert client.heard()[-2]["data"] == {"n": 1}

    late = world.client()  # the same key, after the trace began
    assert told[-1].startswith('out test:1: {"type":"auth"')
    world.services.traced.clear()
    count = len(told)
    for each in (client, late):
        each.session.trace()
        assert each.ask(action="ping")["type"] == "pong"
    assert len(told) == count
