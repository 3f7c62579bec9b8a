"""Fyers' limits of subscriptions, as its simulator keeps them and the feed hears of them."""

from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
from tests.conformance.matrix import World
from tests.conformance.rig import Rig, rig_for
from tests.conformance.stands import STANDS
from tests.conformance.streaming import ACCOUNT
from tests.support import wait_for

from sangam.brokers.fyers import SPEC
from sangam.feed.port import Refused
from sangam.model.enums import Exchange, Mode
from sangam.model.instrument import Level
from sangam.simulators.fyers import Fyers
from sangam.simulators.fyers_sockets import MAX_BOOKS, Hsm


def bench() -> AbstractAsyncContextManager[Rig]:
    return rig_for(SPEC, STANDS["fyers"], World())


async def shares(rig: Rig, count: int) -> list[Any]:
    return [row for row in await rig.instruments() if row.exchange is Exchange.NSE][:count]


async def test_a_plan_of_few_symbols_is_told_and_heeded() -> None:
    async with bench() as rig:
        fyers: Any = rig.simulator
        fyers.plan = 2
        one, two, three = await shares(rig, 3)
        async with rig.streaming() as feed:
            for share in (one, two):
                feed.want(share)
                await feed.shows(share)
            feed.want(three)
            await wait_for(
                lambda: isinstance(
                    feed.feed.want(ACCOUNT, three.symbol, three.exchange.value, Level(Mode.LTP)), Refused
                ),
                what="a refusal of one symbol more",
            )
            rig.trade()
            await feed.shows(one)
            await feed.shows(two)


async def test_messages_are_acknowledged() -> None:
    async with bench() as rig:
        share = await rig.share()
        async with rig.streaming() as feed:
            feed.want(share, Mode.QUOTE)
            await feed.shows(share, Mode.QUOTE)
            (socket,) = [session for session in rig.simulator.sessions if isinstance(session, Hsm)]
            for _ in range(12):
                rig.trade()
            await wait_for(lambda: socket.acknowledged >= 5, what="an acknowledgement")


async def test_books_of_fifty_levels_go_over_several_sockets() -> None:
    async with bench() as rig:
        wanted = await shares(rig, MAX_BOOKS + 2)
        async with rig.streaming() as feed:
            for share in wanted:
                rig.market(share).deepen(50)
                feed.want(share, Mode.DEPTH, 50)
            for share in wanted:
                await feed.shows(share, Mode.DEPTH, 50)
            rig.trade()
            for share in wanted:
                await feed.shows(share, Mode.DEPTH, 50)
            assert sorted(len(session.subscriptions) for session in rig.simulator.sessions) == [
                0,
                2,
                MAX_BOOKS,
                len(wanted),
            ]


async def test_a_refresh_token_is_closed_for_most() -> None:
    async with Fyers() as fyers, httpx.AsyncClient(base_url=fyers.hosts["api"], trust_env=False) as client:
        answer = await client.post("/api/v3/validate-refresh-token", json={"grant_type": "refresh_token"})
        assert (answer.status_code, answer.json()["code"]) == (401, -16)


async def test_all_calls_count_together() -> None:
    async with Fyers(limits=True) as fyers, httpx.AsyncClient(base_url=fyers.hosts["api"], trust_env=False) as client:
        headers = {"Authorization": f"{fyers.login.api_key}:{fyers.login.access_token}"}
        paths = ["/api/v3/profile", "/api/v3/orders"] * 6
        statuses = [(await client.get(path, headers=headers)).status_code for path in paths]
        assert statuses == [200] * 10 + [429] * 2
        assert fyers.too_many == 2
