"""Order updates and the flat dialect of the WebSocket contract, with a raw client (sdk-tests §5, item 9)."""

from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.peers.served import Served
from tests.peers.wire_client import Message, dial, logged_in, named

# --- order updates ----------------------------------------------------------------------------------------------------


async def test_order_subscription_acks(served: Served) -> None:
    async with logged_in(served) as wire:
        ack = await wire.ask(action="subscribe_orders", request_id=5)
        assert ack == {
            "type": "subscribe_orders", "status": "success", "message": "Subscribed to order updates", "request_id": 5,
        }  # fmt: skip
        ack = await wire.ask(action="unsubscribe_orders")
        assert ack["type"] == "unsubscribe_orders"
        assert ack["message"] == "Unsubscribed from order updates"


async def test_an_order_update_reaches_its_user_once_and_nobody_else(served: Served) -> None:
    if served.simulator is None:
        pytest.skip("the embedded market takes no orders from outside the server")
    stranger_key = served.server.create_key("--user", "stranger")
    async with AsyncExitStack() as stack:
        mine = await stack.enter_async_context(logged_in(served))
        deaf = await stack.enter_async_context(logged_in(served))
        stranger = await stack.enter_async_context(dial(served))
        await stranger.ask(action="authenticate", api_key=stranger_key)
        assert (await stranger.ask(action="subscribe_orders"))["status"] == "success"
        assert (await mine.ask(action="subscribe_orders"))["status"] == "success"

        push_twice(served, order_id="250101000000001", status="COMPLETE")
        push_twice(served, order_id="250101000000002", status="REJECTED")
        first, second = await mine.reply(), await mine.reply()

        assert (first["type"], first["orderid"], first["order_status"]) == (
            "order_update", "250101000000001", "complete",
        )  # fmt: skip
        assert (second["orderid"], second["order_status"]) == ("250101000000002", "rejected")
        assert (first["broker"], first["mode"]) == (served.broker, "live")
        assert (first["symbol"], first["exchange"], first["action"]) == (*served.symbol, "BUY")
        for name in ("quantity", "filled_quantity", "pending_quantity"):
            assert type(first[name]) is int, name
        for name in ("price", "trigger_price", "average_price"):
            assert type(first[name]) is float, name
        for other in (deaf, stranger):
            assert (await other.ask(action="ping"))["type"] == "pong"
            assert "order_update" not in other.order


def push_twice(served: Served, **fields: Any) -> None:
    """The broker repeats itself, as brokers do."""
    assert served.simulator is not None
    symbol, exchange = served.symbol
    postback = {
        "tradingsymbol": symbol, "exchange": exchange, "transaction_type": "BUY", "quantity": 1, "product": "CNC",
        "order_type": "LIMIT", "price": 100.0, "filled_quantity": 1, "pending_quantity": 0, "average_price": 100.0,
        **fields,
    }  # fmt: skip
    thread = served.simulator
    for _ in range(2):
        thread.call(lambda: thread.simulator.push_order(**postback))


# --- the flat dialect -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "extra"), [("?format=flat", {}), ("", {"format": "flat"})], ids=["url", "message"])
async def test_flat_dialect(served: Served, path: str, extra: Message) -> None:
    async with dial(served, path) as wire:
        answer = await wire.ask(action="authenticate", api_key=served.key, **extra)
        assert answer == {"status": "authenticated", "message": "Connected"}
        symbols = [named(served.symbol), named(served.other)]
        answer = await wire.ask(action="subscribe", symbols=symbols, mode="Quote")
        assert answer == {"status": "subscribed", "count": 2}
        quote = await wire.next()
        assert {"symbol", "exchange", "ltp", "open", "high", "low", "close", "volume", "timestamp"} <= set(quote)
        assert quote["timestamp"].endswith("+05:30")
        assert "data" not in quote
        answer = await wire.ask(action="subscribe", symbols=[named(("NOSUCHTHING", "NSE"))], mode=1)
        while "ltp" in answer:
            answer = await wire.next()
        assert answer["errors"][0]["symbol"] == "NOSUCHTHING"
