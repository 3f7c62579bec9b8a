"""Order actions over a socket: side by side, answered by request_id, never held up by one another."""

from typing import Any

import msgspec
import pytest
from tests.gateway_support import Client, World
from tests.order_actions import Scripted, turns

from sangam.feed.port import Granted
from sangam.gateway.server import Gateway
from sangam.gateway.session import Services
from sangam.model.enums import Mode
from sangam.model.errors import Denied, InDoubt, InvalidInput
from sangam.model.instrument import Level
from sangam.model.order import Order, OrderState, TradingMode


@pytest.fixture
def orders() -> Scripted:
    return Scripted()


@pytest.fixture
def world(orders: Scripted) -> World:
    world = World()
    world.services.orders = orders
    return world


async def told(client: Client) -> list[dict[str, Any]]:
    await turns()
    client.world.loop.settle()
    return client.heard()


def an_order(**terms: Any) -> Order:
    row: dict[str, Any] = {
        "id": "L-1",
        "account": "u1-main",
        "user": "u1",
        "broker": "alpha",
        "mode": "live",
        "symbol": "SBIN",
    }
    row |= {"exchange": "NSE", "action": "BUY", "quantity": 1, "price_type": "MARKET", "product": "MIS"}
    return msgspec.convert({**row, **terms}, Order)


async def test_answers_come_as_they_are_ready(world: World, orders: Scripted) -> None:
    client = world.client()
    client.say(action="place_order", symbol="SBIN", request_id=1)
    client.say(action="cancel_order", order_id="7", request_id="two")
    client.say(action="get_funds", request_id=[3])
    await turns()
    first, second, third = orders.asked
    assert [each.action for each in orders.asked] == ["place_order", "cancel_order", "get_funds"]
    assert first.fields["symbol"] == "SBIN"
    assert first.identity.key_id == "k1"
    assert await told(client) == []
    third.answer.set_result({"data": {"availablecash": "1.00"}})
    second.answer.set_result({"order_id": "7", "state": "cancelled"})
    assert await told(client) == [
        {"type": "get_funds", "status": "success", "data": {"availablecash": "1.00"}, "request_id": [3]},
        {"type": "cancel_order", "status": "success", "order_id": "7", "state": "cancelled", "request_id": "two"},
    ]
    first.answer.set_result({"status": "partial", "results": []})
    assert await told(client) == [{"type": "place_order", "status": "partial", "results": [], "request_id": 1}]


async def test_the_side_may_be_called_action(world: World, orders: Scripted) -> None:
    client = world.client()
    client.say(type="place_order", action="BUY")
    client.say(action="place_order", side="BUY")
    await turns()
    assert [each.action for each in orders.asked] == ["place_order"] * 2
    assert client.ask(action="BUY")["code"] == "INVALID_ACTION"


async def test_an_error_names_code_and_order(world: World, orders: Scripted) -> None:
    client = world.client()
    for number in range(4):
        client.say(action="place_order", request_id=number)
    await turns()
    order = an_order(order_id="9", client_order_id="c", state=OrderState.UNKNOWN, mode=TradingMode.LIVE)
    orders.asked[0].answer.set_exception(InDoubt("Sent, and nobody answered.", order=order))
    orders.asked[1].answer.set_exception(Denied("Too many.", "RATE_LIMITED"))
    orders.asked[2].answer.set_exception(InvalidInput("quantity is missing."))
    orders.asked[3].answer.set_exception(RuntimeError("a bug"))
    in_doubt, denied, invalid, puzzled = await told(client)
    assert in_doubt == {
        "type": "place_order",
        "status": "error",
        "code": "OUTCOME_UNKNOWN",
        "message": "Sent, and nobody answered.",
        "order_id": "9",
        "client_order_id": "c",
        "id": "L-1",
        "state": "unknown",
        "mode": "live",
        "request_id": 0,
    }
    assert (denied["code"], denied["request_id"]) == ("RATE_LIMITED", 1)
    assert (invalid["code"], invalid["message"]) == ("INVALID_INPUT", "quantity is missing.")
    assert puzzled["code"] == "OUTCOME_UNKNOWN"
    assert "a bug" not in puzzled["message"]


async def test_a_defect_of_ours_in_a_read_is_a_server_error(world: World, orders: Scripted) -> None:
    client = world.client()
    client.say(action="get_funds")
    await turns()
    orders.asked[0].answer.set_exception(RuntimeError("a bug"))
    assert (await told(client))[0]["code"] == "SERVER_ERROR"


async def test_thirty_two_at_once_and_eight_more_cancels(world: World, orders: Scripted) -> None:
    client = world.client()
    for number in range(33):
        client.say(action="place_order", request_id=number)
    (refused,) = await told(client)
    assert (refused["code"], refused["request_id"], refused["type"]) == ("RATE_LIMITED", 32, "place_order")
    for number in range(9):
        client.say(action="cancel_order", request_id=f"c{number}")
    (refused,) = await told(client)
    assert (refused["code"], refused["request_id"]) == ("RATE_LIMITED", "c8")
    assert len(orders.asked) == 40
    for each in orders.asked[32:]:
        each.answer.set_result({})
    assert len(await told(client)) == 8
    client.say(action="get_orderbook")
    assert (await told(client))[0]["code"] == "RATE_LIMITED"
    orders.asked[0].answer.set_result({})
    await told(client)
    client.say(action="get_orderbook")
    assert await told(client) == []
    assert orders.asked[-1].action == "get_orderbook"


async def test_an_order_that_comes_too_fast_hears_that_it_was_not_begun(orders: Scripted) -> None:
    world = World(message_burst=1)
    world.services.orders = orders
    client = world.client()
    client.say(action="get_funds", request_id=0)
    client.heard()
    client.say(action="place_order", symbol="SBIN", request_id="p1")
    client.say(action="place_order", symbol="SBIN", tag="x" * 70_000, request_id="long")
    client.say(action="ping", request_id="ping")
    first, long, ping = await told(client)
    assert (first["type"], first["code"], first["request_id"]) == ("place_order", "RATE_LIMITED", "p1")
    assert first["message"].endswith("this one was not begun")
    assert "request_id" not in long
    assert "request_id" not in ping
    assert [each.action for each in orders.asked] == ["get_funds"]


async def test_an_order_waits_for_no_subscribe(world: World, orders: Scripted) -> None:
    """A long subscribe is under way, whose ack the feed holds up: the cancel is begun at once."""
    client = world.client()
    world.feed.slow.add("SLOW")
    client.session.receive(b'{"action":"subscribe","symbol":"SLOW","exchange":"NSE"}')
    client.session.receive(b'{"action":"get_stats"}')
    client.session.receive(b'{"action":"cancel_order","order_id":"1"}')
    await turns()
    assert [each.action for each in orders.asked] == ["cancel_order"]
    assert client.heard() == []


async def test_an_order_waits_for_the_key_before_it(world: World, orders: Scripted) -> None:
    client = world.client(None)
    client.session.receive(b'{"action":"authenticate","api_key":"key-u1"}')
    client.session.receive(b'{"action":"place_order"}')
    await turns()
    assert orders.asked[0].identity.key_id == "k1"
    world.feed.slow.add("SLOW")
    client.session.receive(b'{"action":"subscribe","symbol":"SLOW","exchange":"NSE"}')
    client.session.receive(b'{"action":"authenticate","api_key":"key-u2"}')
    client.session.receive(b'{"action":"place_order"}')
    await turns()
    assert len(orders.asked) == 1
    want = world.feed.id("SLOW")
    world.feed.answers[want] = Granted(want, Level(Mode.QUOTE))
    world.loop.settle()
    await turns()
    assert [each.identity.key_id for each in orders.asked] == ["k1", "k4"]


async def test_a_client_that_goes_cancels_nothing(world: World, orders: Scripted) -> None:
    client = world.client()
    client.say(action="place_order")
    await turns()
    client.session.end(flush=False)
    client.heard()
    await turns()
    assert not orders.asked[0].answer.cancelled()
    orders.asked[0].answer.set_result({"order_id": "1"})
    assert await told(client) == []


@pytest.mark.parametrize(
    ("key", "code"), [("key-u1-none", "INSUFFICIENT_PERMISSION"), ("key-u1-slow", "INSUFFICIENT_PERMISSION")]
)
async def test_the_scope_is_asked_first(world: World, orders: Scripted, key: str, code: str) -> None:
    reply = world.client(key).ask(action="place_order", request_id=5)
    assert (reply["type"], reply["code"], reply["request_id"]) == ("place_order", code, 5)
    assert orders.asked == []


def test_before_authentication_and_without_orders() -> None:
    world = World()
    client = world.client(None)
    assert client.ask(action="get_quote")["code"] == "NOT_AUTHENTICATED"
    client.login()
    reply = client.ask(action="place_order", request_id=1)
    assert reply == {
        "type": "place_order",
        "status": "error",
        "code": "UNSUPPORTED",
        "message": "Orders are not served here; nothing was sent.",
        "request_id": 1,
    }


async def test_a_gateway_takes_orders_later(orders: Scripted) -> None:
    world = World()
    gateway = Gateway(world.feed, world.services.authenticate, brokers=[])
    assert isinstance(gateway.services, Services)
    assert gateway.services.orders is None
    gateway.attach_orders(orders)
    assert gateway.services.orders is orders


async def test_what_looks_like_an_order_but_is_none(world: World, orders: Scripted) -> None:
    client = world.client()
    reply = client.ask(action="ping", timestamp="place_order")
    assert reply["client_timestamp"] == "place_order"
    client.session.receive(b'{"action":"place_order"')
    world.loop.settle()
    assert client.heard()[0]["code"] == "INVALID_JSON"
    assert orders.asked == []
