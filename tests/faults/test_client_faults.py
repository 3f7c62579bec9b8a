"""Clients that are slow, broken, hostile or dead. Each costs itself only."""

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import date
from functools import partial

import pytest
from tests.support import wait_for
from websockets.exceptions import ConnectionClosed

from sangam.gateway.chores import SLICE
from sangam.gateway.settings import GatewaySettings
from sangam.model.enums import Exchange as Code
from sangam.model.enums import InstrumentType
from sangam.simulators.listing import Contract, listing

from .clients import BINARY, TEXT, Client, RawClient, frame
from .harness import SYMBOLS, Rig
from .proxy import FaultProxy

OpenRig = Callable[..., Awaitable[Rig]]

HIGH, BACKLOG = 64 << 10, 256 << 10


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway's limits on slow clients, made small."""
    limits = partial(
        GatewaySettings,
        write_high=HIGH,
        max_backlog=BACKLOG,
        max_backlog_events=300,
        stuck_seconds=2.0,
        message_burst=100_000,
    )
    monkeypatch.setattr("sangam.app.front.GatewaySettings", limits)


def shares(rig: Rig, count: int) -> list[dict[str, str]]:
    names = (row.symbol for row in rig.exchange.contracts if row.exchange is Code.NSE)
    return [{"symbol": name, "exchange": "NSE"} for name, _ in zip(names, range(count), strict=False)]


async def enter(client: RawClient, rig: Rig, symbols: int) -> None:
    await client.say("authenticate", api_key=rig.key)
    await client.say("subscribe", symbols=shares(rig, symbols), mode="Depth", interval=0)


QUESTIONS = 100 * frame(TEXT, b'{"action": "get_broker_info"}')


async def fill(client: RawClient, rig: Rig) -> None:
    """Ask, and read no answer, until the server sees that its bytes are not taken."""
    (outbox,) = (each.session.outbox for each in rig.gateway.connections if each.session and each.peer == client.name)
    due = 0
    while outbox.paused_at is None:
        if outbox.sent >= due:
            due = outbox.sent + 100
            await client.send_bytes(QUESTIONS)
        await rig.trader.ask("ping")


def waiting(rig: Rig) -> int:
    """Bytes that the server holds for all its clients."""
    sessions = [(each, each.session) for each in rig.gateway.connections]
    backlogs = [session.outbox.backlog for _, session in sessions if session is not None]
    return sum(each.unsent() for each, _ in sessions) + sum(each.size for each in backlogs if each is not None)


# --- slow readers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", ["never", "a byte a second"])
async def test_a_client_that_does_not_read_is_cut(open_rig: OpenRig, strict: None, pace: str) -> None:
    rig = await open_rig()
    most = 0
    async with rig.trouble(rig.trader, resumes=False), RawClient.open(rig.port, window=4096) as client:
        await enter(client, rig, 40)
        await fill(client, rig)

        async def cut() -> bool:
            nonlocal most
            most = max(most, waiting(rig))
            if pace != "never":
                await client.read(1)
            return rig.logged("cut: slow consumer, nothing read for 2 s", "WARNING")

        await wait_for(cut, what="the client to be cut")
        assert await client.close_code() == 4408
    assert HIGH < most < HIGH + 2 * BACKLOG
    assert rig.gateway.cut == 1


async def test_a_client_that_asks_much_and_reads_nothing_is_cut(open_rig: OpenRig, strict: None) -> None:
    rig = await open_rig()
    async with rig.trouble(rig.trader, resumes=False), RawClient.open(rig.port, window=4096) as client:
        await client.say("authenticate", api_key=rig.key)
        await fill(client, rig)
        while not rig.logged("cut: slow consumer, too much waiting", "WARNING"):
            await client.send_bytes(QUESTIONS)
            await rig.trader.ask("ping")
            assert waiting(rig) < HIGH + 2 * BACKLOG
        assert await client.close_code() == 4408


async def test_a_client_that_pauses_goes_on_with_the_newest_prices(open_rig: OpenRig, strict: None) -> None:
    rig = await open_rig()
    delivery = rig.gateway.hub.delivery
    async with rig.trouble(rig.trader, resumes=False), RawClient.open(rig.port, window=4096) as client:
        await enter(client, rig, 40)
        await fill(client, rig)
        await rig.trader.hears(10, *SYMBOLS)
        async with client.reading():
            await wait_for(lambda: delivery.slow == 0, what="the client to catch up")
            due = rig.clock.now_ms()
            await wait_for(lambda: client.newest_timestamp() >= due, what="a price of now")
    assert delivery.conflated > 0
    assert rig.gateway.cut == 0


# --- floods and garbage -----------------------------------------------------------------------------------------------


async def test_a_flood_of_messages_is_refused_and_then_closed(open_rig: OpenRig) -> None:
    rig = await open_rig()
    async with rig.trouble(rig.trader, resumes=False), Client.login(rig.port, rig.key) as client:
        with contextlib.suppress(ConnectionClosed):
            while client.socket.close_code is None:
                await client.socket.send('{"action": "get_stats"}')
                await asyncio.sleep(0)
        assert client.socket.close_code == 4429
    assert [told["code"] for told in client.news if "code" in told][:1] == ["RATE_LIMITED"]
    assert rig.logged("closed: too many messages", "WARNING")


ACTIONS = ("subscribe", "unsubscribe", "unsubscribe_all", "subscribe_orders", "ping", "get_stats", "authenticates")
NAMES = ("symbols", "symbol", "exchange", "mode", "interval", "depth", "features", "request_id", "account")
VALUES: tuple[object, ...] = (
    None,
    True,
    -1,
    1e308,
    "",
    "NSE",
    [],
    {},
    [[]],
    {"symbol": 1},
    [{"symbol": {}, "exchange": []}],
    "\ud800",
)
TEXTS = ("", "{", "[]", "null", "[" * 5000, '"ping"', "{}" * 50, '{"action": 7}', "\x00")


def garbage(seed: int) -> Iterator[tuple[int, bytes]]:
    """What fuzzers and broken programs send, without end, as (kind of frame, payload)."""
    dice = random.Random(seed)
    while True:
        yield BINARY, dice.randbytes(dice.randrange(300))
        yield TEXT, dice.choice(TEXTS).encode()
        fields = {dice.choice(NAMES): dice.choice(VALUES) for _ in range(dice.randrange(5))}
        yield TEXT, json.dumps({"action": dice.choice(ACTIONS), **fields}).encode()


async def test_ten_thousand_garbage_frames(open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """With limits that let every one of them be read."""
    patient = partial(GatewaySettings, message_burst=100_000)
    monkeypatch.setattr("sangam.app.front.GatewaySettings", patient)
    rig = await open_rig(ws_max_messages_per_second=100_000)
    async with rig.trouble(rig.trader, resumes=False), RawClient.open(rig.port) as client:
        await client.say("authenticate", api_key=rig.key)
        async with client.reading():
            for kind, payload in itertools.islice(garbage(1), 10_000):
                await client.send_bytes(frame(kind, payload))
            await client.say("get_stats", request_id="still here")
            await wait_for(lambda: client.hears(b"still here"), what="an answer after all that")
    assert not rig.logged("A request of client .* failed", "ERROR")


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"\xff" * 5000,
        frame(3, b"reserved opcode"),
        frame(0, b"a fragment of nothing"),
        b"\x81\x05hello",
        b"\x81\xff" + b"\xff" * 8,
    ],
    ids=["noise", "reserved", "fragment", "unmasked", "endless"],
)
async def test_frames_against_the_protocol_cost_the_connection(open_rig: OpenRig, bytes_sent: bytes) -> None:
    rig = await open_rig()
    async with rig.trouble(rig.trader, resumes=False), RawClient.open(rig.port) as client:
        await client.say("authenticate", api_key=rig.key)
        await client.send_bytes(bytes_sent)
        await client.close_code()
        await wait_for(lambda: rig.gateway.clients == 2, what="the connection to be gone")


async def test_a_message_too_long(open_rig: OpenRig) -> None:
    rig = await open_rig()
    async with rig.trouble(rig.trader, resumes=False):
        async with RawClient.open(rig.port) as stranger:
            await stranger.send_bytes(frame(TEXT, b" " * 10_000))
            assert await stranger.close_code() == 1009
        async with Client.login(rig.port, rig.key) as client:
            with contextlib.suppress(ConnectionClosed):
                await client.socket.send(" " * (2 << 20))
            await client.socket.wait_closed()
            assert client.socket.close_code == 1009


# --- sudden deaths ----------------------------------------------------------------------------------------------------


async def test_a_client_dies_with_a_reset(open_rig: OpenRig) -> None:
    rig = await open_rig()
    async with rig.trouble(rig.trader, resumes=False), AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(RawClient.open(rig.port)) for _ in range(20)]
        for client in clients:
            await enter(client, rig, 10)
        await wait_for(lambda: rig.health()["wants"] > len(SYMBOLS), what="their wants")
        for client in clients:
            client.reset()
        await wait_for(lambda: rig.gateway.clients == 2, what="the dead to be noticed")
        await wait_for(lambda: rig.health()["wants"] == len(SYMBOLS), what="their wants to be released")


async def test_a_client_dies_and_its_connection_stays(open_rig: OpenRig) -> None:
    """Its machine lost power or its network: only a ping can tell."""
    rig = await open_rig(ws_ping_interval=0.3, ws_ping_timeout=0.3)
    async with (
        rig.trouble(rig.trader, resumes=False),
        FaultProxy(rig.port) as proxy,
        Client.login(proxy.port, rig.key) as client,
    ):
        await client.subscribe("TCS", mode="LTP", interval=1000)
        proxy.freeze()
        await wait_for(lambda: rig.gateway.clients == 2, what="the dead to be noticed")
        await wait_for(lambda: rig.health()["wants"] == len(SYMBOLS), what="its wants to be released")
        proxy.thaw()
    assert rig.logged("closed: no answer to a ping", "INFO")


async def test_sockets_that_never_finish_their_handshake(open_rig: OpenRig) -> None:
    rig = await open_rig()
    async with rig.trouble(rig.trader, resumes=False):
        silent = [await asyncio.open_connection("127.0.0.1", rig.port) for _ in range(20)]
        for _, writer in silent:
            writer.write(b"GET / HTTP/1.1\r\nHost: ")
        for reader, writer in silent:
            await asyncio.wait_for(reader.read(), 10)
            writer.close()
            await writer.wait_closed()


# --- strangers --------------------------------------------------------------------------------------------------------


async def test_sockets_that_never_authenticate(open_rig: OpenRig) -> None:
    rig = await open_rig(ws_auth_grace_seconds=0.5)
    async with rig.trouble(rig.trader, resumes=False), AsyncExitStack() as stack:
        strangers = [await stack.enter_async_context(RawClient.open(rig.port)) for _ in range(50)]
        for stranger in strangers:
            await stranger.say("subscribe", symbols=shares(rig, 3), mode="LTP")
        for stranger in strangers:
            assert await stranger.close_code() == 4401
            assert stranger.hears(b"NOT_AUTHENTICATED")
            assert not stranger.hears(b"market_data")


async def test_a_stranger_who_talks_a_lot(open_rig: OpenRig) -> None:
    rig = await open_rig()
    async with rig.trouble(rig.trader, resumes=False), RawClient.open(rig.port) as stranger:
        await stranger.send_bytes(frame(TEXT, b'{"action": "ping"}') * 100)
        assert await stranger.close_code() == 4401


async def test_wrong_keys_again_and_again(open_rig: OpenRig) -> None:
    rig = await open_rig()
    wrong = f"{rig.key[:-1]}{'b' if rig.key.endswith('a') else 'a'}"
    async with rig.trouble(rig.trader, resumes=False), AsyncExitStack() as stack:
        for _ in range(2):
            strangers = [await stack.enter_async_context(RawClient.open(rig.port)) for _ in range(50)]
            for stranger in strangers:
                await stranger.say("authenticate", api_key=wrong)
            for stranger in strangers:
                assert await stranger.close_code() == 4401
                assert stranger.hears(b"Invalid API key")
    assert rig.logged("gave an unknown API key", "INFO")
    assert not rig.logged(wrong)


# --- appetite ---------------------------------------------------------------------------------------------------------


def many(day: date) -> list[Contract]:
    """Three thousand small companies beside the usual market."""
    small = (
        Contract(
            symbol=f"SMALL{number:04}",
            exchange=Code.NSE,
            token=500_000 + number,
            name=f"Small Company {number}",
            instrument_type=InstrumentType.EQ,
            price=100.0 + number,
            tick_size=0.05,
        )
        for number in range(3000)
    )
    return [*listing(day), *small]


async def test_three_thousand_symbols_at_once(open_rig: OpenRig) -> None:
    rig = await open_rig(contracts=many, pace=0.5)
    rows = [{"symbol": f"SMALL{number:04}", "exchange": "NSE"} for number in range(2990)]
    unknown = [{"symbol": f"NOBODY{number}", "exchange": "NSE"} for number in range(10)]
    turns = 0

    async def spin() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with rig.trouble(resumes=False), Client.login(rig.port, rig.key) as client:
        spinning = asyncio.create_task(spin())
        ack = await client.ask("subscribe", symbols=[*rows, *unknown], mode="Quote", interval=0)
        spinning.cancel()
        assert turns > 3000 / SLICE, "others have their turns meanwhile"
        assert ack["count"] == 2990
        assert [row["code"] for row in ack["subscriptions"] if row["status"] == "error"] == ["SYMBOL_NOT_FOUND"] * 10
        await wait_for(lambda: len({tick.symbol for tick in client.ticks}) == 2990, 10, "a price of every symbol")
        one_more = await client.ask("subscribe", symbols=rows[:20], mode="LTP")
        assert "MAX_CAPACITY_REACHED" in [row.get("code") for row in one_more["subscriptions"]]
    await wait_for(lambda: rig.health()["wants"] == len(SYMBOLS), what="all wants to be released")


async def test_coming_and_going_leaves_nothing(open_rig: OpenRig) -> None:
    rig = await open_rig()
    async with rig.trouble(rig.trader, resumes=False):
        for number in range(100):
            async with RawClient.open(rig.port) as client:
                await enter(client, rig, 5 + number % 5)
                if number % 2:
                    await client.say("unsubscribe_all")
                if number % 3:
                    client.reset()
        await wait_for(lambda: rig.health()["wants"] == len(SYMBOLS), what="all wants to be released")
        lanes = rig.gateway.hub.metrics()["lanes"]
        assert lanes == len(SYMBOLS) + 5
