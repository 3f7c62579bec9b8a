"""The simulated XTS: its packets are those of the official vectors, its two sessions end one by one, and each broker of
the family is a row of its table."""

import json
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.contract.test_xts import PLAIN_1501, PLAIN_1510
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from sangam import simulators
from sangam.brokers import registry
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange
from sangam.simulators.book import Row
from sangam.simulators.xts import VARIANTS, Xts
from sangam.simulators.xts_wire import packet

SBIN = {"exchangeSegment": 1, "exchangeInstrumentID": 3045}
HEARD = 1_736_142_418_000


def reliance(exchange: Code = Code.NSE) -> Any:
    """The market of the sheet's vectors (xts.md, 7.6), in rupees for ticks."""
    sides = {True: [Row(1233.05, 221, 7)], False: [Row(1233.4, 266, 3)]}  # type: ignore[arg-type]
    book = SimpleNamespace(total_buy=465102, total_sell=726357, depth=lambda buy, levels: sides[buy])
    return SimpleNamespace(
        contract=SimpleNamespace(exchange=exchange), book=book, rupees=lambda price: price, is_index=False, ltp=1233.1,
        ltq=1, close=1251.15, open=1253.95, high=1262.0, low=1231.6, volume=6349910, average=1247.75, ltt=HEARD,
        updated=HEARD, oi=12345675,
    )  # fmt: skip


def without(data: bytes, *parts: slice) -> bytes:
    """A packet without its sequence number, which is anything, and other parts."""
    found = bytearray(data)
    for part in (slice(29, 37), *parts):
        found[part] = bytes(part.stop - part.start)
    return bytes(found)


def test_its_packets_are_those_of_the_official_vectors() -> None:
    touchline, percent = packet(reliance(), 2885, 1501, wide=False, packed=False), slice(139, 147)
    assert without(touchline, percent) == without(PLAIN_1501, percent)
    (ours,), (official,) = (struct.unpack("<d", data[percent]) for data in (touchline, PLAIN_1501))
    assert ours == pytest.approx(official)
    interest, of_all = packet(reliance(Code.NFO), 35001, 1510, wide=False, packed=False), slice(72, 76)
    assert without(interest, of_all) == without(PLAIN_1510, of_all)
    deflated = packet(reliance(), 2885, 1501, wide=False, packed=True)
    assert zlib.decompress(deflated[17:], -15) == touchline[15:]
    assert int.from_bytes(deflated[15:17], "little") == len(deflated) - 17


def test_the_wide_packets_have_the_sizes_of_the_sheet() -> None:
    sizes = [len(packet(reliance(), 1, code, wide=True, packed=False)) - 15 for code in (1501, 1502)]
    assert sizes == [204, 432]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_broker_of_the_family_is_known_by_its_name(variant: Any) -> None:
    made = simulators.create(variant.name, Exchange())
    assert isinstance(made, Xts)
    assert (made.name, made.variant) == (variant.name, variant)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
async def test_its_hosts_are_the_rows_of_the_brokers_table(variant: Any) -> None:
    async with simulators.create(variant.name, Exchange()) as made:
        assert made.hosts.keys() == registry.load()[variant.name].hosts.keys()


@pytest.fixture
async def broker() -> AsyncIterator[Xts]:
    async with simulators.create("iifl", Exchange()) as simulator:
        assert isinstance(simulator, Xts)
        yield simulator


async def ask(broker: Xts, method: str, service: str, path: str, **what: Any) -> dict[str, Any]:
    """With the token of the service."""
    token = (broker.market_login if service == "market" else broker.login).access_token
    async with httpx.AsyncClient(trust_env=False) as client:
        url = broker.hosts[service] + path
        reply = await client.request(method, url, headers={"Authorization": token}, **what)
    told: dict[str, Any] = reply.json()
    return told


async def heard(broker: Xts, row: str, token: str, **query: str) -> list[str]:
    """What a socket says until it is quiet or closed."""
    query = {"token": token, "userID": broker.user_id, "transport": "websocket", "EIO": "3"} | query
    address = f"{broker.hosts[row]}?{httpx.QueryParams(query)}"
    texts = []
    async with connect(address, proxy=None) as socket:
        with suppress(ConnectionClosed):
            await socket.send("2")
        async for text in socket:
            assert isinstance(text, str)
            texts.append(text)
            if text == "3":
                break
    return texts


async def test_a_socket_opens_joins_and_answers_the_clients_ping(broker: Xts) -> None:
    opening, connected, joined, *_, pong = await heard(broker, "orders", broker.login.access_token)
    assert json.loads(opening[1:]).keys() == {"sid", "upgrades", "pingInterval", "pingTimeout"}
    assert (connected, pong) == ("40", "3")
    assert joined.startswith('42["joined","{')


async def test_a_token_of_the_other_service_is_none(broker: Xts) -> None:
    texts = await heard(broker, "stream", broker.login.access_token)
    assert texts[1] == '44"Authentication error"'


@pytest.mark.parametrize("wrong", [{"EIO": "4"}, {"transport": "polling"}])
async def test_other_protocols_are_not_served(broker: Xts, wrong: dict[str, str]) -> None:
    with pytest.raises(Exception, match="400"):
        await heard(broker, "stream", broker.market_login.access_token, **wrong)


async def test_a_login_to_market_data_ends_that_session_alone(broker: Xts) -> None:
    body = {"instruments": [SBIN], "xtsMessageCode": 1501}
    taken = await ask(broker, "POST", "market", "/instruments/subscription", json=body)
    assert taken["result"]["Remaining_Subscription_Count"] == 499
    before = broker.market_login.access_token
    keys = {"appKey": broker.market_login.api_key, "secretKey": broker.market_login.api_secret}
    assert (await ask(broker, "POST", "market", "/auth/login", json=keys))["type"] == "success"
    assert broker.market_login.access_token != before
    assert broker.subscribed == {}
    assert (await ask(broker, "GET", "api", "/user/profile"))["type"] == "success"


async def test_an_empty_book_is_an_error_here(broker: Xts) -> None:
    told = await ask(broker, "GET", "api", "/orders")
    assert (told["code"], told["description"]) == ("e-orders-0005", "Data Not Available")
