"""Router, live executor and HTTP driver together, against a server that answers badly or not at all."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.http_server import Answer, Heard, HttpServer, session_for
from tests.router_rig import House, caller, ticket, trading
from tests.support import free_port, wait_for
from tests.toy_broker import toy_spec

from sangam.brokers.contract import Ctx, Limit, Operation, Reply, Request, Session
from sangam.model.clock import SystemClock
from sangam.model.errors import Denied, InDoubt, RateLimited, Refused, Rejected, SangamError, SessionExpired, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Order, OrderState
from sangam.orders.live import Live
from sangam.orders.timing import RouterTiming
from sangam.transport.http import HttpDriver, HttpTiming

S = OrderState
TIMING = RouterTiming(evidence=0.3, gate=0.2, group_wait=10.0)


def _place(order: Order, instrument: Instrument, session: Session, ctx: Ctx) -> Operation[Accepted]:
    form = {"symbol": instrument.brsymbol, "tag": order.our_tag}
    taken = yield Request(method="POST", host="api", path="/orders", form=form, effect="write", lane="orders")
    return Accepted(order_id=taken["id"])


def _cancel(order: Order, session: Session, ctx: Ctx) -> Operation[Accepted]:
    yield Request(method="DELETE", host="api", path=f"/orders/{order.order_id}", effect="write", lane="orders")
    return Accepted(order_id=order.order_id)


def _check(request: Request, reply: Reply) -> Any:
    told = reply.payload if isinstance(reply.payload, dict) else {}
    if reply.status == 403:
        raise SessionExpired("token rejected")
    if told.get("why") == "margin":
        raise Refused("no margin", "INSUFFICIENT_FUNDS")
    if reply.status != 200 or (request.effect == "write" and "id" not in told):
        raise Unknown(f"HTTP {reply.status}")
    return told


@asynccontextmanager
async def trading_house(home: Path, port: int, *limits: Limit, write: float = 10.0) -> AsyncIterator[House]:
    driver = HttpDriver(SystemClock(), HttpTiming(write=write, write_wait=0.2, pause=0.01))
    own = trading(place=_place, cancel=_cancel)
    spec = replace(toy_spec(), trading=own, limits=limits, check=_check)
    async with House(home, TIMING, Live(driver, lambda _: spec, lambda _: session_for(port))) as house:
        house.trading = own
        yield house
    await driver.close()


async def _reset(heard: Heard, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _swallow(heard: Heard, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3)


def json(body: bytes, status: str = "200 OK") -> Callable[[], Answer]:
    return lambda: HttpServer.json(body, status)


FATES: list[tuple[Callable[[], Answer], type[SangamError] | None, OrderState]] = [
    (json(b'{"id":"B1"}'), None, S.OPEN),
    (lambda: _reset, InDoubt, S.UNKNOWN),
    (lambda: _swallow, InDoubt, S.UNKNOWN),
    (json(b"{}", "503 Service Unavailable"), InDoubt, S.UNKNOWN),
    (json(b'{"text":"timed out, look into the order book"}', "400 Bad Request"), InDoubt, S.UNKNOWN),
    (json(b"<html>"), InDoubt, S.UNKNOWN),
    (json(b'{"status":"ok"}'), InDoubt, S.UNKNOWN),
    (json(b'{"why":"margin"}', "400 Bad Request"), Rejected, S.REJECTED),
    (json(b"{}", "403 Forbidden"), SessionExpired, S.REJECTED),
]


@pytest.mark.parametrize(("answer", "raised", "state"), FATES)
async def test_promises_1_and_2_over_a_bad_wire(
    tmp_path: Path, answer: Callable[[], Answer], raised: type[SangamError] | None, state: OrderState
) -> None:
    seconds = 1.0 if answer() is _swallow else 10.0
    async with HttpServer() as server, trading_house(tmp_path, server.port, write=seconds) as house:
        server.answer = answer()
        for again in (False, True):
            (result,) = await house.place_all(ticket(client_order_id="c1"))
            kind = Rejected if raised is SessionExpired and again else raised
            assert type(result) is (kind or Order)
        await wait_for(lambda: house.states == [state], what=state.value)
        assert len(server.heard) == 1
        assert house.only.our_tag.encode() in server.heard[0].body


async def test_a_broker_that_is_not_there_gets_nothing_and_the_order_is_denied(tmp_path: Path) -> None:
    async with trading_house(tmp_path, free_port()) as house:
        with pytest.raises(Denied, match="cannot be reached") as told:
            await house.place()
        assert told.value.code == "NETWORK_ERROR"
        assert house.states == [S.DENIED]


async def test_promise_6_a_basket_keeps_the_limits_and_a_cancel_overtakes_it(tmp_path: Path) -> None:
    moments: list[tuple[str, float]] = []

    async def taken(heard: Heard, writer: asyncio.StreamWriter) -> None:
        moments.append((heard.method, time.monotonic()))
        await HttpServer.json(b'{"id":"B%d"}' % len(moments))(heard, writer)

    limit = Limit("orders", 4, 0.4, reserve=1)
    async with HttpServer() as server, trading_house(tmp_path, server.port, limit) as house:
        server.answer = taken
        tickets = [ticket() for _ in range(7)]
        basket = asyncio.create_task(house.place_all(*tickets))
        await wait_for(lambda: len(moments) == 3, what="the first three")

        def answered() -> list[Order]:
            return [order for order in house.journal.of("u-toy") if order.order_id]

        await wait_for(answered, what="an answer to one of them")
        await house.router.cancel(caller(), answered()[0])
        assert [method for method, _ in moments] == ["POST"] * 3 + ["DELETE"]
        with pytest.raises(RateLimited) as told:
            await house.place(wait_ms=0)
        assert told.value.order is not None
        assert told.value.order.state is S.DENIED
        results = await basket
    assert all(isinstance(result, Order) for result in results)
    times = [at for _, at in moments]
    assert len(times) == 8
    assert min(later - earlier for earlier, later in zip(times, times[4:], strict=False)) > 0.4


async def test_a_queued_order_is_withdrawn_and_never_arrives(tmp_path: Path) -> None:
    async with HttpServer() as server, trading_house(tmp_path, server.port, Limit("orders", 1, 0.3)) as house:
        server.answer = HttpServer.json(b'{"id":"B1"}')
        await house.place()
        waiting = asyncio.create_task(house.place(wait_ms=5000))
        await wait_for(lambda: house.states == [S.OPEN, S.PENDING], what="the queue")
        after = await house.router.cancel(caller(), house.journal.of("u-toy")[1])
        assert after.state is S.DENIED
        with pytest.raises(Denied, match="Cancelled before"):
            await waiting
        assert (await house.place(wait_ms=5000)).state is S.OPEN
        assert len(server.heard) == 2
