"""One client's conversation: every action, its replies, its errors, and what it leaves behind."""

import json
from typing import Any

import msgspec
import pytest
from tests.gateway_support import KEYS, MAIN, SECOND, Client, World

from sangam.feed.port import Dialect, Granted, Pending, Refused
from sangam.gateway import protocol
from sangam.gateway.chores import SLICE
from sangam.gateway.session import Session
from sangam.model.enums import AccountState, Mode
from sangam.model.instrument import Level
from sangam.model.order import OrderNews


def rows(*symbols: str) -> list[dict[str, str]]:
    return [{"symbol": symbol, "exchange": "NSE"} for symbol in symbols]


@pytest.fixture
def world() -> World:
    return World()


class TestAuthenticate:
    @pytest.mark.parametrize("action", ["authenticate", "auth"])
    def test_success(self, world: World, action: str) -> None:
        reply = world.client(None).ask(action=action, api_key="key-u1", request_id=1)
        assert reply == {
            "type": "auth",
            "status": "success",
            "message": "Authentication successful",
            "broker": "alpha",
            "user_id": "u1",
            "supported_features": {"ltp": True, "quote": True, "depth": True},
            "request_id": 1,
        }

    def test_features_are_confirmed_to_those_who_list_some(self, world: World) -> None:
        reply = world.client(None).ask(action="auth", apikey="key-u1", features=["refusals", "feed_state", "magic"])
        assert reply["features"] == ["feed_state", "refusals"]

    def test_a_missing_key_leaves_the_socket_open(self, world: World) -> None:
        client = world.client(None)
        reply = client.ask(action="authenticate")
        assert (reply["code"], reply["message"]) == ("AUTHENTICATION_ERROR", "API key is required")
        client.login()

    def test_a_bad_key_is_answered_and_closed_a_little_later(self, world: World) -> None:
        client = world.client(None)
        reply = client.ask(action="authenticate", api_key="wrong")
        assert reply == {
            "type": "auth",
            "status": "error",
            "code": "AUTHENTICATION_ERROR",
            "message": "Invalid API key",
        }
        client.say(action="authenticate", api_key="key-u1")
        assert client.heard() == []
        world.loop.advance(0.29)
        assert client.closed is None
        world.loop.advance(0.02)
        assert client.closed == (4401, "invalid API key")

    def test_requests_right_behind_the_key_are_served(self, world: World) -> None:
        """The Node client and the charts library do not wait for the reply."""
        client = world.client(None)
        client.session.receive(b'{"action":"authenticate","api_key":"key-u1"}')
        client.session.receive(b'{"action":"subscribe","symbols":[{"symbol":"A","exchange":"NSE"}],"mode":"LTP"}')
        world.loop.settle()
        assert [row["type"] for row in client.heard()] == ["auth", "subscribe"]

    def test_another_key_of_the_user_keeps_subscriptions(self, world: World) -> None:
        client = world.client()
        client.say(action="subscribe", symbol="A", exchange="NSE")
        client.login("key-u1-slow")
        assert world.feed.total_held == 1
        assert client.ask(action="subscribe_orders")["code"] == "INSUFFICIENT_PERMISSION"

    @pytest.mark.parametrize("key", ["key-u2", "key-u1-none"])
    def test_a_key_that_may_not_hear_them_ends_them(self, world: World, key: str) -> None:
        client = world.client(features=["feed_state"])
        client.say(action="subscribe", symbol="A", exchange="NSE")
        client.say(action="subscribe_orders")
        client.login(key)
        assert world.feed.total_held == 0
        world.hub.order(OrderNews(1, MAIN.id, b"", b'{"type":"order_update","orderid":"1","order_status":"open"}'))
        world.hub.state(world.feed.health(MAIN.id))
        world.loop.settle()
        assert client.heard() == []

    def test_the_state_of_the_feeds_is_told_at_once_to_those_who_asked(self, world: World) -> None:
        client = world.client(None)
        client.session.receive(b'{"action":"authenticate","api_key":"key-u1","features":["feed_state"]}')
        world.loop.settle()
        auth, *states = client.heard()
        assert auth["type"] == "auth"
        accounts = client.session.identity.accounts if client.session.identity else ()
        assert [(row["type"], row["account"]) for row in states] == [("feed_state", each.id) for each in accounts]
        assert {row["state"] for row in states} == {"live"}


class TestErrors:
    @pytest.mark.parametrize(
        ("data", "code", "text"),
        [
            (b"{", "INVALID_JSON", "Invalid JSON message"),
            (b"[]", "SERVER_ERROR", "A message must be a JSON object"),
            (b'{"action":"dance"}', "INVALID_ACTION", "Invalid action: dance"),
            (b'{"action":"subscribe"}', "NOT_AUTHENTICATED", "You must authenticate first"),
            (b'{"action":"get_stats"}', "NOT_AUTHENTICATED", "You must authenticate first"),
        ],
    )
    def test_before_authentication(self, world: World, data: bytes, code: str, text: str) -> None:
        client = world.client(None)
        client.session.receive(data)
        world.loop.settle()
        assert client.heard() == [{"status": "error", "code": code, "message": text}]

    @pytest.mark.parametrize(
        ("request_", "code"),
        [
            ({"action": "subscribe"}, "INVALID_PARAMETERS"),
            ({"action": "unsubscribe"}, "INVALID_PARAMETERS"),
            ({"action": "subscribe", "symbol": "A", "exchange": "NSE", "mode": 7}, "INVALID_MODE"),
            ({"action": "subscribe", "symbol": "A", "exchange": "NSE", "interval": 10}, "INVALID_PARAMETERS"),
            ({"action": "subscribe", "symbol": "A", "exchange": "NSE", "account": "u2-main"}, "INVALID_PARAMETERS"),
            ({"action": "subscribe", "symbol": "A", "exchange": "NSE", "broker": 5}, "INVALID_PARAMETERS"),
        ],
    )
    def test_after_authentication(self, world: World, request_: dict[str, Any], code: str) -> None:
        reply = world.client().ask(**request_, request_id="r")
        assert (reply["status"], reply["code"], reply["request_id"]) == ("error", code, "r")

    def test_a_user_without_accounts(self, world: World) -> None:
        client = world.client("key-empty")
        assert client.ask(action="subscribe", symbol="A", exchange="NSE")["code"] == "BROKER_ERROR"
        assert client.ask(action="get_broker_info")["code"] == "BROKER_ERROR"

    def test_a_key_without_scopes(self, world: World) -> None:
        client = world.client("key-u1-none")
        for action in ("subscribe", "unsubscribe", "unsubscribe_all", "subscribe_orders", "unsubscribe_orders"):
            assert client.ask(action=action, symbol="A", exchange="NSE")["code"] == "INSUFFICIENT_PERMISSION"

    def test_a_defect_costs_the_request_only(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        def broken(want: int) -> None:
            raise RuntimeError("defect")

        client = world.client()
        client.say(action="subscribe", symbol="A", exchange="NSE")
        client.heard()
        world.feed.on_want = broken
        assert client.ask(action="subscribe", symbol="B", exchange="NSE")["code"] == "SERVER_ERROR"
        assert "A request of client test:1 failed" in caplog.text
        assert client.ask(action="ping")["type"] == "pong"

    def test_a_reply_that_cannot_be_written_costs_the_request_only(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a client wants echoed may be nested too deeply for our encoder, though not for our decoder."""

        def too_deep(fields: Any) -> dict[str, Any]:
            if fields and "request_id" in fields:
                raise RecursionError
            return {}

        monkeypatch.setattr(protocol, "_request_id", too_deep)
        client = world.client()
        assert client.ask(action="ping", request_id=[[[]]])["code"] == "SERVER_ERROR"
        assert client.ask(action="nonsense", request_id=[[[]]])["code"] == "SERVER_ERROR"
        assert client.ask(action="ping")["type"] == "pong"

    def test_keep_alive_texts_and_pongs_are_not_answered(self, world: World) -> None:
        client = world.client()
        for data in (b"ping", b"pong", b'{"action":"pong"}', b'{"type":"pong"}'):
            client.session.receive(data)
        world.loop.settle()
        assert client.heard() == []

    def test_a_stranger_who_talks_too_much_is_closed(self, world: World) -> None:
        client = world.client(None)
        for _ in range(21):
            client.say(action="ping")
        assert client.closed == (4401, "too many messages")

    def test_a_flood_is_refused_then_closed(self) -> None:
        world = World(message_burst=5, max_refused_messages=10)
        client = world.client()
        for _ in range(20):
            client.say(action="ping")
        codes = [row.get("code", row.get("type")) for row in client.heard()]
        assert codes == ["pong"] * 5 + ["RATE_LIMITED"] * 10
        assert client.closed == (4429, "too many messages")

    def test_requests_have_their_share_of_a_turn(self, world: World) -> None:
        """One client's expensive requests, however many arrive at once, do not delay what the others hear."""
        busy, other = world.client(), world.client()
        world.feed.on_want = lambda want: world.loop.clock.advance(0.002)
        for symbol in "ABCDEFGH":
            busy.session.receive(b'{"action":"subscribe","symbol":"%b","exchange":"NSE"}' % symbol.encode())
        assert world.feed.total_held == 1
        other.session.receive(b'{"action":"ping"}')
        for _ in range(3):
            world.loop.turn()
        assert [row["type"] for row in other.heard()] == ["pong"]
        assert world.feed.total_held < 8
        world.loop.settle()
        assert [row["type"] for row in busy.heard()] == ["subscribe"] * 8

    def test_a_newcomer_is_known_at_once_however_busy_the_turn(self, world: World) -> None:
        """What follows right behind the key, before any reply, must not be judged by the limits for strangers."""
        busy, newcomer = world.client(), Client(world)
        world.feed.on_want = lambda want: world.loop.clock.advance(0.002)
        for symbol in "AB":
            busy.session.receive(b'{"action":"subscribe","symbol":"%b","exchange":"NSE"}' % symbol.encode())
        newcomer.session.receive(b'{"action":"authenticate","api_key":"key-u1"}')
        assert newcomer.session.identity is not None

    def test_what_waits_to_be_handled_is_bounded(self) -> None:
        world = World(max_waiting=10_000)
        client = world.client()
        client.session.receive(json.dumps({"action": "subscribe", "symbols": rows(*map(str, range(SLICE)))}).encode())
        for _ in range(11):
            client.session.receive(b'{"action":"ping","x":"%b"}' % (b"x" * 1000))
        assert client.closed == (4429, "too many messages")
        world.loop.advance(1)
        assert world.feed.total_held == 0


class TestSubscribe:
    def test_ack(self, world: World) -> None:
        reply = world.client().ask(action="subscribe", symbols=rows("A", "NOPE"), mode="Depth", request_id=[1])
        assert reply == {
            "type": "subscribe",
            "status": "partial",
            "message": "Subscription processing complete",
            "broker": "alpha",
            "count": 1,
            "subscriptions": [
                {
                    "symbol": "A",
                    "exchange": "NSE",
                    "status": "success",
                    "mode": 3,
                    "mode_name": "Depth",
                    "depth": 5,
                    "interval": 50,
                    "broker": "alpha",
                },
                {
                    "symbol": "NOPE",
                    "exchange": "NSE",
                    "status": "error",
                    "code": "SYMBOL_NOT_FOUND",
                    "message": "Symbol 'NOPE' not found",
                    "broker": "alpha",
                },
            ],
            "request_id": [1],
        }

    def test_mode_4_is_depth(self, world: World) -> None:
        (row,) = world.client().ask(action="subscribe", symbols=rows("A"), mode=4)["subscriptions"]
        assert (row["mode"], row["mode_name"]) == (3, "Depth")

    def test_the_depth_suffix_is_echoed_and_the_real_level_told(self, world: World) -> None:
        client = world.client()
        (row,) = client.ask(action="subscribe", symbol="TCS:20", exchange="NSE", mode=3)["subscriptions"]
        assert (row["symbol"], row["depth"]) == ("TCS:20", 20)
        world.publish("TCS:20", b'{"symbol":"TCS:20"}', mode=3)
        world.loop.settle()
        assert client.heard()[0]["symbol"] == "TCS:20"

    def test_all_failed_is_partial(self, world: World) -> None:
        assert world.client().ask(action="subscribe", symbols=rows("NOPE"))["status"] == "partial"

    def test_pending_is_success_and_says_why(self, world: World) -> None:
        reply = world.client().ask(action="subscribe", symbols=rows("LATER"))
        (row,) = reply["subscriptions"]
        assert (reply["status"], row["state"], row["reason"]) == ("success", "pending", "no session; log in first")

    @pytest.mark.parametrize(
        ("key", "request_", "interval"),
        [("key-u1", {}, 50), ("key-u1-slow", {}, 250), ("key-u1-slow", {"interval": 0}, 0)],
    )
    def test_interval_of_request_key_server(
        self, world: World, key: str, request_: dict[str, int], interval: int
    ) -> None:
        (row,) = world.client(key).ask(action="subscribe", symbols=rows("A"), **request_)["subscriptions"]
        assert row["interval"] == interval

    @pytest.mark.parametrize("naming", [{"account": "u1-second"}, {"broker": "BETA"}])
    def test_another_account_of_the_user(self, world: World, naming: dict[str, str]) -> None:
        reply = world.client().ask(action="subscribe", symbols=rows("A"), **naming)
        assert reply["broker"] == "beta"
        assert world.feed.id("A", account=SECOND.id)

    def test_another_default_holds_from_the_next_request(self, world: World) -> None:
        """What was subscribed before stays, and an unsubscribe that names no account still finds it."""
        client = world.client()
        client.say(action="subscribe", symbols=rows("A"))
        identity = KEYS["key-u1"]
        client.session.renew(msgspec.structs.replace(identity, data_account=SECOND))
        assert client.ask(action="subscribe", symbols=rows("B"))["broker"] == "beta"
        assert {key.account: key.symbol for key in client.session.outbox.lanes} == {MAIN.id: "A", SECOND.id: "B"}
        client.say(action="unsubscribe", symbols=rows("A"))
        assert [key.symbol for key in client.session.outbox.lanes] == ["B"]
        client.session.renew(msgspec.structs.replace(identity, accounts=(SECOND,), data_account=SECOND))
        assert [row["id"] for row in client.ask(action="get_broker_info")["accounts"]] == [SECOND.id]

    def test_again_is_success_without_a_second_want(self, world: World) -> None:
        client = world.client()
        for _ in range(3):
            assert client.ask(action="subscribe", symbols=rows("A", "A"))["status"] == "success"
        assert world.feed.total_held == 1
        world.publish("A", b"{}")
        world.loop.advance(0.1)
        assert len(client.heard()) == 1

    def test_another_interval_replaces_the_first(self, world: World) -> None:
        client = world.client()
        client.say(action="subscribe", symbols=rows("A"), interval=0)
        client.say(action="subscribe", symbols=rows("A"), interval=1000)
        assert (world.feed.total_held, world.hub.metrics()["lanes"]) == (1, 1)
        client.heard()
        for n in range(3):
            world.publish("A", b'{"n":%d}' % n)
        world.loop.advance(1.1)
        assert [row["data"]["n"] for row in client.heard()] == [0, 2]

    def test_one_message_per_subscribed_mode(self, world: World) -> None:
        client = world.client()
        for mode in (1, 2, 3):
            client.say(action="subscribe", symbols=rows("A"), mode=mode)
        client.heard()
        for mode in (1, 2, 3):
            world.publish("A", b'{"mode":%d}' % mode, mode)
        world.loop.advance(0.01)
        assert [(row["mode"], row["data"]["mode"]) for row in client.heard()] == [(1, 1), (2, 2), (3, 3)]

    def test_the_limit_fails_what_is_too_much(self) -> None:
        world = World(max_subscriptions=3)
        client = world.client()
        reply = client.ask(action="subscribe", symbols=rows("A", "B", "C", "D"))
        assert reply["count"] == 3
        assert reply["subscriptions"][3]["code"] == "MAX_CAPACITY_REACHED"
        assert client.ask(action="subscribe", symbols=rows("A"))["status"] == "success"
        client.say(action="unsubscribe", symbols=rows("B"))
        assert client.ask(action="subscribe", symbols=rows("D"))["status"] == "success"

    def test_snapshot_follows_the_ack(self, world: World) -> None:
        world.client().say(action="subscribe", symbols=rows("A", "B"))
        world.feed.snapshots[world.feed.id("A")] = b'{"ltp":5.0}'
        client = world.client()
        client.say(action="subscribe", symbols=rows("A", "B"))
        world.loop.advance(0.01)
        heard = client.heard()
        assert [row["type"] for row in heard] == ["subscribe", "market_data"]
        assert heard[1]["data"] == {"ltp": 5.0}

    def test_an_update_within_the_want_comes_behind_the_ack_and_replaces_the_snapshot(self, world: World) -> None:
        """A feed may have news before the ack is written."""
        client = world.client()

        def news(want: int) -> None:
            world.loop.call_soon(lambda: world.hub.publish(want, b'{"n":1}'))

        world.feed.on_want = news
        symbols = [f"S{n}" for n in range(SLICE * 3)]
        client.session.receive(json.dumps({"action": "subscribe", "symbols": rows(*symbols)}).encode())
        for want in range(1, 500):
            world.feed.snapshots[want] = b'{"n":0}'
        world.loop.advance(1)
        first, *data = client.heard()
        assert (first["type"], first["count"]) == ("subscribe", len(symbols))
        assert {row["symbol"] for row in data} == set(symbols)
        newest = {row["symbol"]: row["data"]["n"] for row in data}
        assert set(newest.values()) == {1}
        assert len(data) == len(symbols)

    def test_a_long_list_lets_others_go_on_and_later_requests_wait(self, world: World) -> None:
        client, other = world.client(), world.client()
        symbols = [f"S{n}" for n in range(3000)]
        client.session.receive(json.dumps({"action": "subscribe", "symbols": rows(*symbols)}).encode())
        client.session.receive(b'{"action":"ping"}')
        assert world.feed.total_held == SLICE
        other.session.receive(b'{"action":"ping"}')
        world.loop.turn()
        assert [row["type"] for row in other.heard()] == ["pong"]
        assert client.heard() == []
        world.loop.settle()
        assert [row["type"] for row in client.heard()] == ["subscribe", "pong"]
        assert world.feed.total_held == 3000

    def test_a_client_that_goes_in_the_middle_leaves_nothing(self, world: World) -> None:
        client = world.client()
        client.say(action="subscribe", symbols=rows("A"))
        symbols = [f"S{n}" for n in range(SLICE * 5)]
        client.session.receive(json.dumps({"action": "subscribe", "symbols": rows(*symbols)}).encode())
        world.loop.turn()
        client.session.end(flush=False)
        world.loop.advance(1)
        metrics = world.hub.metrics()
        assert world.feed.total_held == metrics["wants"] == metrics["lanes"] == metrics["cohorts"] == 0


class TestUnsubscribe:
    @pytest.mark.parametrize(
        ("request_", "left"),
        [
            ({"symbols": [{"symbol": "A", "exchange": "NSE", "mode": 1}]}, {2, 3}),
            ({"symbols": rows("A"), "mode": "Depth"}, {1, 2}),
            ({"symbols": rows("A")}, {1, 3}),
            ({"symbol": "A", "exchange": "NSE", "mode": 1}, {2, 3}),
            ({"unsubscribe_all": True}, set()),
        ],
    )
    def test_only_the_named_mode_stops(self, world: World, request_: dict[str, Any], left: set[int]) -> None:
        client = world.client()
        for mode in (1, 2, 3):
            client.say(action="subscribe", symbols=rows("A"), mode=mode)
        assert client.ask(action="unsubscribe", **request_)["status"] == "success"
        for mode in (1, 2, 3):
            world.publish("A", b"{}", mode)
        world.loop.advance(0.1)
        assert {row["mode"] for row in client.heard()} == left
        assert world.feed.total_held == len(left)

    def test_ack(self, world: World) -> None:
        client = world.client()
        bad = {"symbol": "B", "exchange": "NSE", "mode": 9}
        reply = client.ask(action="unsubscribe", symbols=[*rows("A"), bad], request_id="r")
        assert reply["type"] == "unsubscribe"
        assert reply["status"] == "partial"
        assert reply["message"] == "Unsubscription processing complete"
        assert reply["successful"] == [
            {"symbol": "A", "exchange": "NSE", "status": "success", "mode": 2, "broker": "alpha"}
        ]
        assert reply["failed"][0]["message"].startswith("Invalid mode 9")
        assert reply["request_id"] == "r"
        assert client.ask(action="unsubscribe", symbols=[bad])["status"] == "error"

    def test_all(self, world: World) -> None:
        client = world.client()
        client.say(action="subscribe", symbols=rows("A", "B"))
        client.say(action="subscribe", symbols=rows("A"), account=SECOND.id)
        reply = client.ask(action="unsubscribe_all")
        assert (reply["type"], reply["status"], len(reply["successful"])) == ("unsubscribe", "success", 3)
        assert world.feed.total_held == 0


class TestRefusals:
    def test_told_as_an_error_to_official_clients(self, world: World) -> None:
        client = world.client()
        client.say(action="subscribe", symbols=rows("LATER", "A"))
        client.heard()
        world.hub.refuse(world.feed.id("LATER"), "SYMBOL_NOT_FOUND", "no such symbol")
        assert world.feed.total_held == 2
        world.loop.settle()
        (told,) = client.heard()
        assert (told["status"], told["code"], told["symbol"]) == ("error", "SYMBOL_NOT_FOUND", "LATER")
        assert "type" not in told
        assert world.feed.total_held == 1

    def test_told_with_a_type_to_those_who_listed_it(self, world: World) -> None:
        client = world.client(features=["refusals"])
        client.say(action="subscribe", symbols=rows("LATER"))
        client.heard()
        world.hub.refuse(world.feed.id("LATER"), "SYMBOL_NOT_FOUND", "no such symbol")
        world.loop.settle()
        (told,) = client.heard()
        assert told == {
            "type": "subscription_refused",
            "code": "SYMBOL_NOT_FOUND",
            "message": "no such symbol",
            "symbol": "LATER",
            "exchange": "NSE",
            "mode": 2,
            "account": MAIN.id,
            "broker": "alpha",
        }

    def test_told_behind_the_ack_of_a_subscribe_in_progress(self, world: World) -> None:
        client = world.client(features=["refusals"])
        symbols = ["LATER", *(f"S{n}" for n in range(SLICE * 2))]
        client.session.receive(json.dumps({"action": "subscribe", "symbols": rows(*symbols)}).encode())
        world.hub.refuse(world.feed.id("LATER"), "SYMBOL_NOT_FOUND", "no such symbol")
        world.loop.settle()
        assert [row["type"] for row in client.heard()] == ["subscribe", "subscription_refused"]
        assert world.feed.total_held == SLICE * 2


class TestOrdersAndInformation:
    def test_order_acks(self, world: World) -> None:
        client = world.client()
        assert client.ask(action="subscribe_orders", request_id=1) == {
            "type": "subscribe_orders",
            "status": "success",
            "message": "Subscribed to order updates",
            "request_id": 1,
        }
        assert client.ask(action="unsubscribe_orders")["message"] == "Unsubscribed from order updates"

    def test_ping(self, world: World) -> None:
        reply = world.client(None).ask(action="ping", timestamp=17, _pingId="p")
        now = world.loop.clock.now_ms()
        assert reply == {
            "type": "pong",
            "status": "success",
            "server_timestamp": now,
            "client_timestamp": 17,
            "_pingId": "p",
        }
        assert "client_timestamp" not in world.client(None).ask(type="ping")

    def test_brokers(self, world: World) -> None:
        reply = world.client(None).ask(action="get_supported_brokers")
        assert reply == {"type": "supported_brokers", "status": "success", "brokers": ["alpha", "beta"], "count": 2}

    def test_broker_info(self, world: World) -> None:
        client = world.client()
        client.say(action="subscribe", symbols=rows("A"))
        reply = client.ask(action="get_broker_info")
        assert (reply["type"], reply["broker"], reply["user_id"]) == ("broker_info", "alpha", "u1")
        assert reply["adapter_status"] == "connected"
        assert [(row["id"], row["state"]) for row in reply["accounts"]] == [(MAIN.id, "live"), (SECOND.id, "live")]
        assert reply["accounts"][0]["modes"] == {"NSE": {"Depth": [5, 20]}}
        assert reply["limits"]["subscriptions"] == {"max": 3000, "used": 1}
        world.feed.states[MAIN.id] = AccountState.RECONNECTING
        assert client.ask(action="get_broker_info")["adapter_status"] == "disconnected"

    def test_stats(self, world: World) -> None:
        client = world.client()
        client.say(action="subscribe", symbols=rows("A"), interval=100)
        reply = client.ask(action="get_stats")
        assert reply == {
            "type": "stats",
            "status": "success",
            "subscriptions": [{"symbol": "A", "exchange": "NSE", "mode": 2, "interval": 100, "seq": 100}],
            "sent": 2,
            "conflated": 0,
            "queued_bytes": 7,
            "lag_ms": 0,
        }


class TestFlatDialect:
    def flat(self, world: World) -> Client:
        client = Client(world, Dialect.FLAT)
        assert client.ask(action="authenticate", api_key="key-u1") == {
            "status": "authenticated",
            "message": "Connected",
        }
        return client

    def test_messages(self, world: World) -> None:
        client = self.flat(world)
        reply = client.ask(action="subscribe", symbols=rows("A", "B"), mode="LTP")
        assert reply == {"status": "subscribed", "count": 2}
        world.hub.publish(world.feed.id("A", 1, dialect=Dialect.FLAT), b'{"symbol":"A","exchange":"NSE","ltp":1.5}')
        world.loop.advance(0.01)
        assert client.heard() == [{"symbol": "A", "exchange": "NSE", "ltp": 1.5}]
        reply = client.ask(action="unsubscribe", symbols=rows("A"), mode="LTP")
        assert reply == {"status": "unsubscribed", "count": 1}

    def test_failures_and_errors(self, world: World) -> None:
        client = self.flat(world)
        reply = client.ask(action="subscribe", symbols=rows("A", "NOPE"))
        failed = {"symbol": "NOPE", "exchange": "NSE", "message": "Symbol 'NOPE' not found"}
        assert reply == {"status": "subscribed", "count": 1, "errors": [failed]}
        assert client.ask(action="dance")["code"] == "INVALID_ACTION"

    def test_asked_for_in_authenticate(self, world: World) -> None:
        reply = world.client(None).ask(action="authenticate", api_key="key-u1", format="flat")
        assert reply["status"] == "authenticated"


def test_a_client_that_is_gone_is_never_written_to_again(world: World) -> None:
    """A reply that waits behind data of a shared buffer dies with its client: its socket may raise."""
    gone, stays = world.client(), world.client()
    for client in (gone, stays):
        client.say(action="subscribe", symbol="A", exchange="NSE", interval=0)
    world.loop.advance(2)
    for client in (gone, stays):
        client.heard()
    for n in (1, 2):
        world.publish("A", b'{"n":%d}' % n)
        if n == 1:
            world.loop.settle()
    for client in (gone, stays):
        client.say(action="ping")
    before = len(gone.writes)
    gone.session.end(flush=False)
    world.loop.advance(1)
    assert len(gone.writes) == before
    assert [row["type"] for row in stays.heard()] == ["market_data", "market_data", "pong"]


def test_a_session_that_ended_is_silent(world: World) -> None:
    client = world.client()
    session: Session = client.session
    session.end(flush=False)
    session.receive(b'{"action":"ping"}')
    world.loop.settle()
    assert client.heard() == []


class TestAnswersOfAFeedElsewhere:
    """A feed in another process answers a moment after it was asked."""

    @staticmethod
    def asked(world: World, client: Client, *symbols: str) -> list[int]:
        """Subscribe; the wants, whose answers are on their way."""
        world.feed.slow |= set(symbols)
        message = {"action": "subscribe", "symbols": rows(*symbols), "mode": 3, "depth": 20}
        client.session.receive(json.dumps(message).encode())
        for _ in range(5):
            world.loop.turn()  # it would never settle, since the ack waits
        assert client.heard() == []
        return [world.feed.id(symbol, 3) for symbol in symbols]

    def test_the_ack_waits_and_tells_the_truth(self, world: World) -> None:
        client = world.client()
        first, second, third = self.asked(world, client, "A", "B", "C")
        world.feed.answers |= {
            first: Granted(first, Level(Mode.DEPTH, 5)),
            second: Refused("no such symbol", "SYMBOL_NOT_FOUND"),
            third: Pending(third, Level(Mode.DEPTH, 20), "log in first"),
        }
        world.hub.publish(first, b'{"seq":1}')
        world.loop.settle()
        ack, data = client.heard()
        granted, refused, pending = ack["subscriptions"]
        assert (ack["status"], ack["count"]) == ("partial", 2)
        assert (granted["status"], granted["depth"], "state" in granted) == ("success", 5, False)
        assert (refused["code"], refused["message"], "mode" in refused) == ("SYMBOL_NOT_FOUND", "no such symbol", False)
        assert (pending["state"], pending["reason"]) == ("pending", "log in first")
        assert (data["symbol"], data["data"]) == ("A", {"seq": 1})
        assert dict(world.feed.held) == {first: 1, second: 0, third: 1}

    def test_a_client_that_goes_meanwhile_leaves_nothing(self, world: World) -> None:
        client = world.client()
        self.asked(world, client, "A", "B")
        client.close(1000, "gone")
        world.loop.settle()
        assert world.feed.total_held == 0
        assert world.hub.metrics()["lanes"] == 0
