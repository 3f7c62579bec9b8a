"""The simulated brokers of the Noren family where their clients do not look: frames that tell what changed, logins of
both generations, what each of them lacks, and limits told in words."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Action
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange, create, names
from sangam.simulators.noren import MAX_SOCKETS, Noren
from sangam.simulators.noren_kinds import KINDS

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)


@pytest.fixture(params=["zebu"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Noren]:
    simulator = create(request.param, Exchange(clock=ManualClock(MORNING)), limits=True)
    assert isinstance(simulator, Noren)
    async with simulator:
        yield simulator


def dialled(broker: Noren) -> Any:
    return connect(broker.hosts["stream"], proxy=None)


async def say(socket: ClientConnection, kind: str, **more: str) -> None:
    await socket.send(json.dumps({"t": kind, **more}))


async def hear(socket: ClientConnection) -> dict[str, str]:
    frame: dict[str, str] = json.loads(await asyncio.wait_for(socket.recv(), 5))
    return frame


async def logged_in(broker: Noren, socket: ClientConnection) -> None:
    known = broker.credentials
    await say(socket, "a", uid=known["user_id"], accesstoken=known["access_token"])
    assert await hear(socket) == {"t": "ak", "uid": known["user_id"], "s": "OK"}


async def ask(broker: Noren, route: str, token: str = "", **told: Any) -> Any:
    headers = {"Authorization": f"Bearer {token or broker.credentials['access_token']}"}
    async with httpx.AsyncClient(trust_env=False) as rest:
        body = b"jData=" + json.dumps(told).encode()
        answer = await rest.post(f"{broker.hosts['api']}/{route}", content=body, headers=headers)
    return answer.json() if answer.status_code == 200 else answer.status_code


def test_each_broker_of_the_family_is_known_by_its_name() -> None:
    assert set(KINDS) <= set(names())


async def test_a_subscription_is_told_whole_and_then_by_what_changed(broker: Noren) -> None:
    market = broker.exchange.market("SBIN", Code.NSE)
    async with dialled(broker) as socket:
        await logged_in(broker, socket)
        await say(socket, "d", k="NSE|3045#NSE|nobody")
        whole = await hear(socket)
        assert (whole["t"], whole["ts"], whole["ti"]) == ("dk", "SBIN-EQ", "0.1")
        assert len([name for name in whole if name[:2] in ("bp", "sq")]) == 10
        broker.exchange.step(1.0)
        changed = await hear(socket)
        assert changed["t"] == "df"
        assert {"ts", "ti", "o", "c"}.isdisjoint(changed)
        whole |= changed
        assert float(whole["lp"]) == market.rupees(market.ltp)
        assert int(whole["v"]) == market.volume
        await say(socket, "ud", k="NSE|3045")
        assert (await hear(socket))["t"] == "udk"
        assert not broker.sessions[0].subscriptions


async def test_nothing_is_told_before_the_login_and_a_wrong_token_is_refused(broker: Noren) -> None:
    async with dialled(broker) as socket:
        await say(socket, "t", k="NSE|3045")
        await say(socket, "c", uid="FA12345", susertoken="wrong")
        assert await hear(socket) == {"t": "ck", "uid": "FA12345", "s": "Not_Ok"}
        await say(socket, "c", uid="FA12345", susertoken=broker.credentials["access_token"])
        assert (await hear(socket))["s"] == "OK"
        await socket.send("nonsense")
        await say(socket, "h")
        assert (await hear(socket))["t"] == "hk"


async def test_orders_are_told_to_who_asked_for_them(broker: Noren) -> None:
    async with dialled(broker) as deaf, dialled(broker) as socket:
        await logged_in(broker, deaf)
        await logged_in(broker, socket)
        await say(socket, "o", actid="FA12345")
        assert (await hear(socket))["t"] == "ok"
        broker.exchange.place(broker.user_id, "SBIN", Code.NSE, Action.BUY, 1)
        assert (await hear(socket))["t"] == "om"
        await say(deaf, "h")
        assert (await hear(deaf))["t"] == "hk"


async def test_one_socket_more_than_there_may_be_is_refused(broker: Noren) -> None:
    sockets = [await dialled(broker) for _ in range(MAX_SOCKETS)]
    with pytest.raises(InvalidStatus):
        await dialled(broker)
    for socket in sockets:
        await socket.close()


async def test_a_body_is_cut_at_an_ampersand(broker: Noren) -> None:
    order = {"uid": "FA12345", "exch": "NSE", "trantype": "B", "prctyp": "MKT", "prd": "I", "ret": "DAY", "qty": "1"}
    assert "jData is not valid json" in (await ask(broker, "PlaceOrder", **order, tsym="M&M-EQ"))["emsg"]
    assert (await ask(broker, "PlaceOrder", **order, tsym="SBIN-EQ"))["emsg"].startswith("ALGO_CHK")
    assert (await ask(broker, "PlaceOrder", **order, tsym="NOBODY-EQ"))["emsg"] == 'Error Occurred : 2 "invalid input"'


async def test_a_stranger_is_told_that_his_session_has_expired(broker: Noren) -> None:
    told = await ask(broker, "OrderBook", token="nobody's", uid="FA12345")
    assert told == {"stat": "Not_Ok", "emsg": "Session Expired :  Invalid Session Key"}


@pytest.mark.parametrize("broker", ["tradesmart"], indirect=True)
async def test_tradesmart_counts_all_routes_together_and_says_so_in_words(broker: Noren) -> None:
    answers = [await ask(broker, route, uid="x") for route in ("OrderBook", "PositionBook") * 6]
    told = {answer["emsg"] for answer in answers if isinstance(answer, dict) and "exceeds Limit" in answer["emsg"]}
    assert len(told) == 1
    assert broker.too_many == 2
    assert await ask(broker, "PlaceGTTOrder", uid="x") == 404


@pytest.mark.parametrize("broker", ["tradesmart"], indirect=True)
async def test_tradesmart_tells_orders_unasked(broker: Noren) -> None:
    async with dialled(broker) as socket:
        await logged_in(broker, socket)
        broker.exchange.place(broker.user_id, "SBIN", Code.NSE, Action.BUY, 1)
        assert (await hear(socket))["prd"] == "I"
