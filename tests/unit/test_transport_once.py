"""The one write of an operation: announced before its first byte, sent once, never called unsent by what follows."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.http_server import Heard, House, HttpServer, get, one, post, session_for
from tests.support import free_port, wait_for
from tests.toy_broker import toy_spec

from sangam.brokers.contract import Limit, Operation, Request
from sangam.model.clock import SystemClock
from sangam.model.errors import BrokerError, NotSent, RateLimited, Refused, StoreError, Unknown
from sangam.transport.http import HttpDriver, HttpTiming

WRITE = post("/orders", effect="write", lane="orders")


class Announced:
    """Counts how often a write was announced, and what the broker had heard by then; may fail or dawdle."""

    def __init__(self, server: HttpServer | None = None, error: Exception | None = None, seconds: float = 0.0) -> None:
        self.times = 0
        self.heard: list[int] = []
        self._server = server
        self._error = error
        self._seconds = seconds

    async def __call__(self) -> None:
        self.times += 1
        await asyncio.sleep(self._seconds)
        if self._server is not None:
            self.heard.append(len(self._server.heard))
        if self._error is not None:
            raise self._error


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with HttpServer() as server:
        driver = HttpDriver(SystemClock(), HttpTiming(pause=0.02))
        yield House(server, driver, toy_spec(), session_for(server.port))
        await driver.close()


async def test_a_write_is_announced_after_what_it_reads_and_before_it_leaves(house: House) -> None:
    sending = Announced(house.server)

    def place() -> Operation[int]:
        yield get("/token")
        yield WRITE
        return len(house.server.heard)

    assert await house.driver.run(house.spec, house.session, place(), sending=sending) == 2
    assert (sending.times, sending.heard) == (1, [1])


async def test_where_the_announcement_fails_nothing_is_sent(house: House) -> None:
    with pytest.raises(StoreError, match="disk full"):
        await house.driver.run(house.spec, house.session, one(WRITE), sending=Announced(error=StoreError("disk full")))
    assert not house.server.heard


async def test_reads_are_not_announced(house: House) -> None:
    sending = Announced()
    await house.driver.run(house.spec, house.session, one(get()), sending=sending)
    assert sending.times == 0


async def test_the_announcement_comes_after_the_slot(house: House) -> None:
    spec = replace(house.spec, limits=(Limit("orders", 1, 60.0),))
    sending = Announced()
    await house.driver.run(spec, house.session, one(WRITE), sending=sending)
    with pytest.raises(RateLimited) as told:
        await house.driver.run(spec, house.session, one(WRITE), sending=sending)
    assert not told.value.sent
    assert (sending.times, len(house.server.heard)) == (1, 1)


async def test_a_second_write_is_never_sent_and_leaves_the_first_in_doubt(house: House) -> None:
    def twice() -> Operation[None]:
        yield WRITE
        yield WRITE

    with pytest.raises(Unknown, match="twice"):
        await house.driver.run(house.spec, house.session, twice(), sending=Announced())
    assert len(house.server.heard) == 1


async def test_a_write_that_found_nobody_is_tried_once_more_and_announced_once() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    driver, spec, session = HttpDriver(SystemClock(), HttpTiming(pause=0.02)), toy_spec(), session_for(port)
    sending = Announced()
    with pytest.raises(NotSent, match="cannot be reached") as told:
        await driver.run(spec, session, one(WRITE), sending=sending)
    assert not told.value.sent
    assert sending.times == 1
    assert driver.trace.calls == {("toy", "NETWORK_ERROR"): 2}
    await driver.close()


async def test_the_second_try_may_succeed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sangam.transport.http.random.random", lambda: 1.0)
    port = free_port()
    driver, sending = HttpDriver(SystemClock(), HttpTiming(pause=1.0)), Announced()
    placing = asyncio.create_task(driver.run(toy_spec(), session_for(port), one(WRITE), sending=sending))
    await wait_for(lambda: driver.trace.calls, what="the first try")
    async with HttpServer(port) as server:
        assert await placing == {}
        assert (sending.times, len(server.heard)) == (1, 1)
    await driver.close()


async def test_a_write_whose_connection_broke_is_not_repeated(house: House) -> None:
    async def reset(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    house.server.answer = reset
    sending = Announced()
    with pytest.raises(Unknown):
        await house.driver.run(house.spec, house.session, one(WRITE), sending=sending)
    assert (sending.times, len(house.server.heard)) == (1, 1)


async def test_a_slow_journal_leaves_no_time_and_nothing_is_sent(house: House) -> None:
    driver = HttpDriver(SystemClock(), HttpTiming(write=0.1, write_wait=0.05))
    with pytest.raises(NotSent, match="no time left"):
        await driver.run(house.spec, house.session, one(WRITE), sending=Announced(seconds=0.2))
    assert not house.server.heard
    await driver.close()


async def test_what_is_read_first_does_not_make_a_write_late(house: House) -> None:
    async def slow(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        await house.server.json(b"{}")(heard, writer)

    def place() -> Operation[None]:
        with contextlib.suppress(BrokerError):  # it may go on without what it read
            yield get("/token")
        yield WRITE

    house.server.answer = slow
    driver = HttpDriver(SystemClock(), HttpTiming(write=0.2, write_wait=0.1, pause=0.01))
    sending = Announced()
    with pytest.raises(NotSent, match="took too long"):
        await driver.run(house.spec, house.session, place(), sending=sending)
    assert sending.times == 0
    assert [heard.method for heard in house.server.heard] == ["GET"]
    await driver.close()


async def test_a_caller_may_wait_longer_or_shorter_for_a_slot_than_is_usual(house: House) -> None:
    spec = replace(house.spec, limits=(Limit("orders", 1, 1.0),))
    driver = HttpDriver(SystemClock(), HttpTiming(write_wait=0.1))
    await driver.run(spec, house.session, one(WRITE), sending=Announced())
    with pytest.raises(RateLimited):
        await driver.run(spec, house.session, one(WRITE), sending=Announced())
    with pytest.raises(RateLimited):
        await driver.run(spec, house.session, one(WRITE), sending=Announced(), wait=0.0)
    assert await driver.run(spec, house.session, one(WRITE), sending=Announced(), wait=2.0) == {}
    await driver.close()


# --- what an error after the write says about it ----------------------------------------------------------------------


def _write_then(request: Request) -> Operation[None]:
    yield WRITE
    yield request


async def test_a_read_that_fails_after_the_write_leaves_the_write_in_doubt(house: House) -> None:
    spec = replace(house.spec, limits=(Limit("quote", 1, 60.0),))
    await house.driver.run(spec, house.session, one(get(lane="quote")))
    for later in (get(lane="quote"), get("/a\nb")):
        with pytest.raises(Unknown, match="It was sent") as told:
            await house.driver.run(spec, house.session, _write_then(later), sending=Announced())
        assert told.value.sent


async def test_a_refusal_of_the_write_stays_one(house: House) -> None:
    def refuse(request: Request, reply: object) -> object:
        raise Refused("no margin", "INSUFFICIENT_FUNDS")

    spec = replace(house.spec, check=refuse)
    with pytest.raises(Refused, match="no margin"):
        await house.driver.run(spec, house.session, _write_then(get()), sending=Announced())


async def test_a_failure_before_the_write_says_that_nothing_was_sent(house: House) -> None:
    def place() -> Operation[None]:
        yield get("/a\nb")
        yield WRITE

    sending = Announced()
    with pytest.raises(BrokerError) as told:
        await house.driver.run(house.spec, house.session, place(), sending=sending)
    assert not told.value.sent
    assert sending.times == 0


# --- the log of what went out before ----------------------------------------------------------------------------------


async def test_what_was_sent_before_a_restart_counts(house: House) -> None:
    spec = replace(house.spec, limits=(Limit("orders", 2, 60.0),))
    now = SystemClock().now_ms()
    house.driver.seed(spec, house.session.account, "orders", [now - 3_600_000, now - 50_000])
    await house.driver.run(spec, house.session, one(WRITE))
    with pytest.raises(RateLimited):
        await house.driver.run(spec, house.session, one(WRITE))
    assert len(house.server.heard) == 1
