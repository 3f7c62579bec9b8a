"""A warm connection for the next write, in session hours only."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
import pytest
from tests.http_server import HttpServer, one, post, session_for
from tests.support import wait_for
from tests.toy_broker import toy_spec

from sangam.brokers.contract import BrokerSpec, Session
from sangam.model.clock import SystemClock
from sangam.model.errors import NotSent, SessionExpired
from sangam.transport.http import HttpDriver, HttpTiming
from sangam.transport.keeper import Keeper


class House:
    def __init__(self, server: HttpServer, driver: HttpDriver) -> None:
        self.server, self.driver = server, driver
        self.spec = replace(toy_spec(), simulated=False, idle_reuse=1.0)
        self.sessions = [session_for(server.port)]
        self.open = True
        self.rounds = 0
        self.keeper = Keeper(driver, self._held, lambda spec: self.open, every=0.01)

    def _held(self) -> Iterator[tuple[BrokerSpec, Session]]:
        self.rounds += 1
        return ((self.spec, session) for session in self.sessions)

    async def some_rounds(self) -> None:
        until = self.rounds + 10
        await wait_for(lambda: self.rounds >= until, what="rounds")


@asynccontextmanager
async def kept() -> AsyncIterator[House]:
    driver = HttpDriver(SystemClock(), HttpTiming(pause=0.01))
    async with HttpServer() as server:
        server.answer = server.json(b'{"id":"U1"}')
        house = House(server, driver)
        yield house
        await house.keeper.stop()
        await driver.close()


async def test_a_write_finds_the_connection_that_the_keeper_keeps_open() -> None:
    async with kept() as house:
        house.keeper.start()
        await wait_for(lambda: len(house.server.heard) >= 2, what="warming")
        await house.driver.run(house.spec, house.sessions[0], one(post("/order", effect="write")))
        assert {heard.target for heard in house.server.heard} == {"/base/who", "/base/order"}
        assert house.server.connections == 1


async def test_it_is_not_used_more_often_than_needed() -> None:
    async with kept() as house:
        assert house.driver.idle(house.spec, house.sessions[0]) is None
        house.spec = replace(house.spec, idle_reuse=60.0)
        house.keeper.start()
        await wait_for(lambda: house.server.heard, what="the first call")
        await house.some_rounds()
        assert len(house.server.heard) == 1
        idle = house.driver.idle(house.spec, house.sessions[0])
        assert idle is not None
        assert 0 < idle < 42


async def test_outside_session_hours_and_without_a_session_nothing_is_sent() -> None:
    async with kept() as house:
        house.open = False
        house.keeper.start()
        await house.some_rounds()
        house.open, house.sessions = True, []
        await house.some_rounds()
        assert not house.server.heard


async def test_a_simulated_broker_needs_none() -> None:
    async with kept() as house:
        house.spec = replace(house.spec, simulated=True)
        house.keeper.start()
        await house.some_rounds()
        assert not house.server.heard


async def test_accounts_that_share_a_way_out_share_the_connection() -> None:
    async with kept() as house:
        house.spec = replace(house.spec, idle_reuse=60.0)
        house.sessions = [session_for(house.server.port, account=name) for name in ("a", "b")]
        house.sessions.append(msgspec.structs.replace(house.sessions[0], account="c", egress="127.0.0.1"))
        house.keeper.start()
        await wait_for(lambda: len(house.server.heard) == 2, what="warming")
        await house.some_rounds()
        assert len(house.server.heard) == house.server.connections == 2


async def test_a_dead_session_is_not_hammered() -> None:
    async with kept() as house:
        house.server.answer = house.server.json(b"{}", "401 Unauthorized")
        house.spec = replace(house.spec, idle_reuse=0.0)
        house.keeper.start()
        await wait_for(lambda: house.server.heard, what="the first call")
        await house.some_rounds()
        assert len(house.server.heard) == 1
        with pytest.raises(SessionExpired):
            await house.driver.warm(house.spec, house.sessions[0])


async def test_a_broker_that_is_down_does_not_end_the_keeper() -> None:
    async with kept() as house:
        house.spec = replace(house.spec, idle_reuse=0.0)
        down = msgspec.structs.replace(house.sessions[0], hosts={"api": "http://127.0.0.1:1"})
        house.sessions.insert(0, msgspec.structs.replace(down, account="down", egress="127.0.0.1"))
        house.keeper.start()
        await wait_for(lambda: len(house.server.heard) > 5, what="the other account's calls")
        with pytest.raises(NotSent):
            await house.driver.warm(house.spec, house.sessions[0])
