"""Login, malformed input and information of the WebSocket contract, with a raw client (sdk-tests §5, item 9)."""

import asyncio
import time

import pytest
from tests.peers.served import AUTH_GRACE, IDLE_PING, Served
from tests.peers.wire_client import Message, dial, logged_in, named

# --- authentication ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_keys",
    [("action", "authenticate", "api_key"), ("action", "auth", "apikey"), ("type", "authenticate", "api_key")],
    ids="-".join,
)
@pytest.mark.parametrize("path", ["", "/ws", "/any/path?x=1"])
async def test_authenticate(served: Served, request_keys: tuple[str, str, str], path: str) -> None:
    where, action, key = request_keys
    async with dial(served, path) as wire:
        answer = await wire.ask(**{where: action, key: served.key})
    assert answer["type"] == "auth"
    assert answer["status"] == "success"
    assert answer["message"] == "Authentication successful"
    assert answer["broker"] == served.broker
    assert answer["user_id"]
    assert answer["supported_features"] == {"ltp": True, "quote": True, "depth": True}


async def test_nothing_is_said_before_the_client(served: Served) -> None:
    async with dial(served) as wire:
        with pytest.raises(TimeoutError):
            await wire.next(0.2)


async def test_a_bad_key_is_told_and_closed_in_time(served: Served) -> None:
    async with dial(served) as wire:
        answer = await wire.ask(action="authenticate", api_key="0" * 64)
        assert answer["type"] == "auth"
        assert answer["status"] == "error"
        assert answer["code"] == "AUTHENTICATION_ERROR"
        assert answer["message"] == "Invalid API key"
        _, after = await wire.closed()
        assert 0.2 < after < 0.6  # at once or never would cost the SDK its 5 s


@pytest.mark.parametrize("key", [{}, {"api_key": ""}, {"api_key": None}, {"api_key": 5}])
async def test_a_missing_key(served: Served, key: Message) -> None:
    async with dial(served) as wire:
        answer = await wire.ask(action="authenticate", **key)
        assert (answer["status"], answer["code"]) == ("error", "AUTHENTICATION_ERROR")


async def test_silence_before_authentication_is_closed(served: Served) -> None:
    async with dial(served) as wire:
        code, after = await wire.closed(AUTH_GRACE * 4)
        assert code == 4401
        assert after > AUTH_GRACE * 0.8


@pytest.mark.parametrize(
    "message",
    [
        {"action": "subscribe", "symbol": "RELIANCE", "exchange": "NSE", "mode": 1},
        {"action": "unsubscribe", "symbol": "RELIANCE", "exchange": "NSE", "mode": 1},
        {"action": "unsubscribe_all"},
        {"action": "subscribe_orders"},
        {"action": "unsubscribe_orders"},
        {"action": "get_broker_info"},
    ],
    ids=lambda message: str(message["action"]),
)
async def test_these_need_authentication(served: Served, message: Message) -> None:
    async with dial(served) as wire:
        answer = await wire.ask(**message)
        assert (answer["status"], answer["code"]) == ("error", "NOT_AUTHENTICATED")
        assert answer["message"] == "You must authenticate first"


async def test_authenticate_again_on_an_open_socket(served: Served) -> None:
    async with logged_in(served) as wire:
        await wire.ask(action="subscribe", **named(served.symbol), mode=1)
        assert (await wire.ask(action="authenticate", api_key=served.key))["status"] == "success"
        await wire.tick()


async def test_a_subscribe_may_follow_authenticate_without_waiting(served: Served) -> None:
    async with dial(served) as wire:
        await wire.send(action="authenticate", api_key=served.key)
        await wire.send(action="subscribe", **named(served.symbol), mode="LTP")
        assert (await wire.reply())["type"] == "auth"
        assert (await wire.reply())["status"] == "success"
        assert (await wire.tick())["symbol"] == served.symbol[0]


# --- malformed input --------------------------------------------------------------------------------------------------


async def test_malformed_frames_get_a_code_and_cost_nothing_else(served: Served) -> None:
    async with logged_in(served) as wire:
        for frame, code in (("{", "INVALID_JSON"), ("nonsense", "INVALID_JSON"), ("[1]", "SERVER_ERROR")):
            await wire.socket.send(frame)
            answer = await wire.reply()
            assert (answer["status"], answer["code"]) == ("error", code), frame
        answer = await wire.ask(action="dance")
        assert (answer["code"], answer["message"]) == ("INVALID_ACTION", "Invalid action: dance")
        assert (await wire.ask(action="ping"))["type"] == "pong"


async def test_stray_pongs_are_ignored(served: Served) -> None:
    async with logged_in(served) as wire:
        await wire.socket.send("pong")
        await wire.socket.send("ping")
        await wire.send(action="pong")
        await wire.send(type="pong")
        assert (await wire.ask(action="ping", timestamp=7))["client_timestamp"] == 7


async def test_json_in_a_binary_frame(served: Served) -> None:
    async with logged_in(served) as wire:
        await wire.socket.send(b'{"action":"ping"}')
        assert (await wire.reply())["type"] == "pong"


# --- information ------------------------------------------------------------------------------------------------------


async def test_ping_echoes(served: Served) -> None:
    async with dial(served) as wire:
        answer = await wire.ask(action="ping", timestamp=123, _pingId="p7")
        assert (answer["type"], answer["status"]) == ("pong", "success")
        assert (answer["client_timestamp"], answer["_pingId"]) == (123, "p7")
        assert abs(answer["server_timestamp"] - time.time() * 1000) < 60_000
        assert "client_timestamp" not in await wire.ask(action="ping")


async def test_supported_brokers_needs_no_key(served: Served) -> None:
    async with dial(served) as wire:
        answer = await wire.ask(action="get_supported_brokers")
        assert (answer["type"], answer["status"]) == ("supported_brokers", "success")
        assert served.broker in answer["brokers"]
        assert answer["count"] == len(answer["brokers"])


async def test_broker_info(served: Served) -> None:
    async with logged_in(served) as wire:
        await wire.ask(action="subscribe", **named(served.symbol), mode=1)
        await wire.tick()
        answer = await wire.ask(action="get_broker_info")
        assert (answer["type"], answer["status"], answer["broker"]) == ("broker_info", "success", served.broker)
        assert answer["adapter_status"] == "connected"
        assert answer["user_id"]
        assert [account["broker"] for account in answer["accounts"]] == [served.broker]


async def test_stats_of_this_client(served: Served) -> None:
    async with logged_in(served) as wire:
        await wire.ask(action="subscribe", **named(served.symbol), mode=2, interval=100)
        await wire.tick()
        answer = await wire.ask(action="get_stats")
        assert (answer["type"], answer["status"]) == ("stats", "success")
        (row,) = answer["subscriptions"]
        assert (row["symbol"], row["exchange"], row["mode"], row["interval"]) == (*served.symbol, 2, 100)
        assert row["seq"] > 0
        assert answer["sent"] > 0
        assert answer["conflated"] == 0


async def test_protocol_pings_keep_a_silent_client(served: Served) -> None:
    async with logged_in(served) as wire:
        with pytest.raises(TimeoutError):
            await wire.next(3 * IDLE_PING)
        assert (await wire.ask(action="ping"))["type"] == "pong"


# --- loss of the server ----------------------------------------------------------------------------------------------


async def test_a_stopping_server_says_so(served: Served) -> None:
    async with logged_in(served) as wire:
        await asyncio.to_thread(served.server.stop)
        code, _ = await wire.closed()
        assert code == 1001
    await asyncio.to_thread(served.server.start)
    async with logged_in(served) as wire:
        await wire.ask(action="subscribe", **named(served.symbol), mode=1)
        await wire.tick()
