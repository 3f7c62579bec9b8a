"""The simulated Upstox on its wire: one-time addresses, binary requests, messages in parts, the hour of its tokens."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import msgspec
import pytest
from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from tests.support import wait_for

from sangam.brokers.upstox.packets import patches
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Exchange as Code
from sangam.model.market import Patch
from sangam.prices.last import Last
from sangam.simulators import Exchange
from sangam.simulators.upstox import Upstox
from sangam.simulators.upstox_rest import next_half_past_three

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)


class Listener(WSListener):
    def __init__(self) -> None:
        self.binary: list[bytes] = []
        self.text: list[bytes] = []
        self.transport: WSTransport | None = None
        self.gone = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.BINARY:
            self.binary.append(frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.TEXT:
            self.text.append(frame.get_payload_as_bytes())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.gone = True

    def ask(self, method: str, keys: list[str], mode: str, kind: WSMsgType = WSMsgType.BINARY) -> None:
        assert self.transport is not None
        data = {"mode": mode, "instrumentKeys": keys}
        self.transport.send(kind, msgspec.json.encode({"guid": "g", "method": method, "data": data}))

    @property
    def patches(self) -> list[Patch]:
        return [patch for frame in self.binary for patch in patches(frame)]


@pytest.fixture
async def upstox() -> AsyncIterator[Upstox]:
    async with Upstox(Exchange(clock=ManualClock(MORNING)), heartbeat=0.02) as simulator:
        yield simulator


async def address(upstox: Upstox, path: str = "/v3/feed/market-data-feed/authorize") -> str:
    headers = {"Authorization": f"Bearer {upstox.login.access_token}"}
    async with httpx.AsyncClient(trust_env=False, base_url=upstox.hosts["api"], headers=headers) as client:
        answer = (await client.get(path)).json()
    url: str = answer["data"]["authorized_redirect_uri"]
    assert url == answer["data"]["authorizedRedirectUri"]
    return url


async def connect(url: str, **headers: str) -> Listener:
    _, listener = await ws_connect(Listener, url, extra_headers=headers)
    assert isinstance(listener, Listener)
    return listener


async def test_an_address_opens_one_socket(upstox: Upstox) -> None:
    url = await address(upstox)
    listener = await connect(url)
    await wait_for(lambda: listener.binary, what="the state of the market")
    assert patches(listener.binary[0]) == []
    with pytest.raises(WSError):
        await connect(url)
    with pytest.raises(WSError):
        await connect(f"{upstox.stream}/v3/feed/market-data-feed/v1?code=mine")


async def test_who_comes_with_a_session_is_sent_on(upstox: Upstox) -> None:
    with pytest.raises(WSError):
        await connect(f"{upstox.stream}/v3/feed/market-data-feed", Authorization="Bearer wrong")
    await connect(f"{upstox.stream}/v3/feed/market-data-feed", Authorization=f"Bearer {upstox.login.access_token}")
    assert len(upstox.sessions) == 1


async def test_requests_are_binary_and_messages_come_in_parts(upstox: Upstox) -> None:
    market = upstox.exchange.market("SBIN", Code.NSE)
    key = upstox.keys.of(market.contract)
    listener = await connect(await address(upstox))
    listener.ask("sub", [key], "full", WSMsgType.TEXT)
    listener.ask("sub", [key], "full")
    await wait_for(lambda: listener.patches, what="the first message")
    (first,) = listener.patches
    assert first.full
    last = Last()
    last.merge(first, 1)
    for _ in range(20):
        upstox.exchange.step(1.0)
    await wait_for(lambda: len(listener.patches) == 21, what="the moves")
    assert any("open" not in patch.fields or "ltp" not in patch.fields for patch in listener.patches[1:])
    for patch in listener.patches[1:]:
        last.merge(patch, 1)
    told: dict[str, Any] = dict(last.fields)
    assert (told["ltp"], told["volume"]) == (market.rupees(market.ltp), market.volume)
    assert last.depth is not None
    assert [row.quantity for row in last.depth.buy] == [row.quantity for row in market.book.depth(True, 5)]


async def test_too_many_keys_of_a_mode_are_told(upstox: Upstox) -> None:
    listener = await connect(await address(upstox))
    shares = [upstox.keys.of(row) for row in upstox.exchange.contracts if row.exchange is Code.NFO][:51]
    listener.ask("sub", shares, "full_d30")
    await wait_for(lambda: listener.text, what="a text")
    assert msgspec.json.decode(listener.text[0])["status"] == "failed"


async def test_a_login_takes_the_session_and_cuts_the_sockets(upstox: Upstox) -> None:
    listener = await connect(await address(upstox))
    waiting = await address(upstox)
    upstox.expire_token()
    await wait_for(lambda: listener.gone, what="a cut socket")
    with pytest.raises(WSError):
        await connect(waiting)


@pytest.mark.parametrize("hour", [0, 2, 10, 23])
def test_a_token_dies_at_half_past_three_of_the_next_day(hour: int) -> None:
    now = int(datetime(2026, 8, 18, hour, tzinfo=IST).timestamp() * 1000)
    assert next_half_past_three(now) == int(datetime(2026, 8, 19, 3, 30, tzinfo=IST).timestamp() * 1000)
