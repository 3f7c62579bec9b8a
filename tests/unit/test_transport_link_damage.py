"""What ends a link and what does not: close codes that name a dead credential, damage between good messages."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from sangam.brokers.contract import BaseCodec, BooksChanged, Carries, Endpoint, Event, Operation, Result
from sangam.brokers.wire import Message, NatsMessage
from sangam.model.clock import SystemClock
from sangam.model.enums import Mode
from sangam.model.errors import BrokerError, DecodeError, SessionExpired
from sangam.model.instrument import Level
from sangam.model.market import Key, Patch
from sangam.transport.link import Link


class Codec(BaseCodec):
    def update(self, wanted: Mapping[Key, Level]) -> list[Result]:
        return []

    def received(self, message: Message) -> list[Result]:
        assert isinstance(message, NatsMessage)
        if message.payload == b"bad":
            raise DecodeError("bad payload")
        return [Patch(message.subject, {})]


async def run(operation: Operation[Any]) -> Any:
    raise AssertionError("no call expected")


@pytest.mark.parametrize(("code", "auth"), [(4001, True), (4002, False), (1000, False), (1012, False)])
async def test_close_codes_of_a_dead_credential_stop_for_good(code: int, auth: bool) -> None:
    async def peer(socket: ServerConnection) -> None:
        await socket.close(code, "Unauthorized Access")

    async with serve(peer, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        endpoint = Endpoint(url=f"ws://127.0.0.1:{port}", dead_credential=frozenset({401, 4001}))
        link = Link(endpoint, Codec(), lambda _: None, lambda _: None, run, SystemClock(), "test")
        with contextlib.suppress(BrokerError):
            await link.open(None, 5)
        await asyncio.wait({link.ended}, timeout=5)
        try:
            if auth:
                with pytest.raises(SessionExpired, match=str(code)):
                    link.ended.result()
            else:
                assert str(code) in link.ended.result()
        finally:
            link.close()


async def test_damage_costs_its_message_and_not_those_that_came_with_it() -> None:
    patches: list[Patch] = []
    endpoint = Endpoint(url="ws://unused", framing="nats")
    link = Link(endpoint, Codec(), patches.append, lambda _: None, run, SystemClock(), "test")
    link.wire_data(b"INFO {}\r\nPONG\r\nMSG a 1 2\r\nok\r\nMSG b 1 3\r\nbad\r\nMSG c 1 2\r\nok\r\n")
    assert [patch.key for patch in patches] == ["a", "c"]
    assert not link.ended.done()
    link.wire_data(b"NONSENSE\r\n")
    link.wire_data(b"PING\r\n")
    assert link.ended.result() == "the NATS stream is damaged"
    link.close()


class Deaf(Codec):
    def received(self, message: Message) -> list[Result]:
        raise DecodeError("in an unknown form")


@pytest.mark.parametrize(
    ("carries", "message", "told"),
    [
        (Carries(orders=True), "news", [BooksChanged()]),
        (Carries(orders=True), b"news", [BooksChanged()]),
        (Carries(modes={Mode.LTP: ()}, orders=True), "news", [BooksChanged()]),
        (Carries(modes={Mode.LTP: ()}, orders=True), b"prices", []),
        (Carries(modes={Mode.LTP: ()}), "words", []),
    ],
)
async def test_news_of_orders_that_cannot_be_read_send_us_to_the_books(
    carries: Carries, message: str | bytes, told: list[Event]
) -> None:
    """No stream of orders is polled beside: a fill in a form that we do not know would never be heard of."""
    events: list[Event] = []
    endpoint = Endpoint(url="ws://unused")
    link = Link(endpoint, Deaf(), lambda _: None, events.append, run, SystemClock(), "test", carries=carries)
    link.wire_data(message)
    assert events == told
    link.close()
