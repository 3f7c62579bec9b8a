"""Subscribing, leaving and the data of the WebSocket contract, with a raw client (sdk-tests §5, item 9)."""

import pytest
from tests.peers.served import Served
from tests.peers.wire_client import Message, logged_in, named

LABELS = {1: "LTP", 2: "Quote", 3: "Depth"}

# --- subscribe --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "mode"),
    [
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 3),
        ("1", 1),
        ("2", 2),
        ("3", 3),
        ("LTP", 1),
        ("ltp", 1),
        (" Quote ", 2),
        ("depth", 3),
    ],
)
async def test_mode_spellings_in_a_bulk_subscribe(served: Served, spelling: object, mode: int) -> None:
    async with logged_in(served) as wire:
        symbols = [named(served.symbol), named(served.other)]
        ack = await wire.ask(action="subscribe", symbols=symbols, mode=spelling, depth=5, request_id={"n": [1]})
        assert (ack["type"], ack["status"]) == ("subscribe", "success")
        assert ack["message"] == "Subscription processing complete"
        assert ack["request_id"] == {"n": [1]}
        assert ack["count"] == 2
        assert [(one["symbol"], one["exchange"]) for one in ack["subscriptions"]] == [served.symbol, served.other]
        for one in ack["subscriptions"]:
            assert (one["status"], one["mode"], one["mode_name"]) == ("success", mode, LABELS[mode])
            assert (one["depth"], one["broker"]) == (5, served.broker)
        assert (await wire.tick())["mode"] == mode


@pytest.mark.parametrize("mode", [7, 0, -1, "", "fast", "0", None, True, 1.5, [], {}])
async def test_other_modes_are_refused(served: Served, mode: object) -> None:
    async with logged_in(served) as wire:
        answer = await wire.ask(action="subscribe", **named(served.symbol), mode=mode)
        assert (answer["status"], answer["code"]) == ("error", "INVALID_MODE")
        if mode == 7:
            assert answer["message"] == "Invalid mode 7; expected 1 (LTP), 2 (Quote), or 3 (Depth)"


async def test_a_subscribe_without_mode_is_quote(served: Served) -> None:
    async with logged_in(served) as wire:
        ack = await wire.ask(action="subscribe", **named(served.symbol))
        assert ack["subscriptions"][0]["mode"] == 2
        assert "request_id" not in ack


@pytest.mark.parametrize("extra", [{}, {"symbols": []}, {"symbols": [{}]}, {"symbol": "X"}, {"exchange": "NSE"}])
async def test_a_subscribe_of_nothing(served: Served, extra: Message) -> None:
    async with logged_in(served) as wire:
        answer = await wire.ask(action="subscribe", mode=1, **extra)
        assert (answer["code"], answer["message"]) == ("INVALID_PARAMETERS", "At least one symbol must be specified")


async def test_the_list_wins_and_incomplete_entries_are_skipped(served: Served) -> None:
    async with logged_in(served) as wire:
        symbols = [{"symbol": "X"}, {"exchange": "NSE"}, named(served.other, mode=3)]
        ack = await wire.ask(action="subscribe", **named(served.symbol), symbols=symbols, mode=1)
        assert [(one["symbol"], one["mode"]) for one in ack["subscriptions"]] == [(served.other[0], 1)]


@pytest.mark.parametrize("spelling", [{"depth": 5}, {"depth_level": 5}, {"depth": 20}, {"depth_level": 200}])
async def test_the_ack_tells_the_depth_really_delivered(served: Served, spelling: Message) -> None:
    async with logged_in(served) as wire:
        ack = await wire.ask(action="subscribe", **named(served.symbol), mode=3, **spelling)
        delivered = ack["subscriptions"][0]["depth"]
        book = (await wire.tick(lambda one: one["mode"] == 3))["data"]["depth"]
        assert delivered in (5, 20, 30, 50, 200)
        assert 5 <= len(book["buy"]) <= delivered
        if served.broker == "zerodha":
            assert delivered == 5


async def test_instruments_is_another_name_of_symbols(served: Served) -> None:
    async with logged_in(served) as wire:
        ack = await wire.ask(action="subscribe", instruments=[named(served.symbol)], mode="LTP")
        assert ack["subscriptions"][0]["status"] == "success"


async def test_an_unknown_symbol_fails_alone(served: Served) -> None:
    async with logged_in(served) as wire:
        symbols = [named(("NOSUCHTHING", "NSE")), named(served.symbol)]
        ack = await wire.ask(action="subscribe", symbols=symbols, mode=1)
        bad, good = ack["subscriptions"]
        assert ack["status"] == "partial"
        assert (bad["status"], bad["symbol"], bad["broker"]) == ("error", "NOSUCHTHING", served.broker)
        assert "NOSUCHTHING" in bad["message"]
        assert good["status"] == "success"
        assert (await wire.tick())["symbol"] == served.symbol[0]


async def test_subscribing_again_is_success_and_not_twice(served: Served) -> None:
    async with logged_in(served) as wire:
        for _ in range(2):
            ack = await wire.ask(action="subscribe", **named(served.symbol), mode=2, interval=0)
            assert ack["status"] == "success"
        await wire.settle()
        wire.data.clear()
        while len(wire.data) < 5:
            await wire.tick()
        seqs = [one["data"]["seq"] for one in wire.data]
        assert seqs == list(range(seqs[0], seqs[0] + 5))


@pytest.mark.parametrize("interval", [1, 75, -50, 5000, "fast", 0.5])
async def test_intervals_that_are_not_allowed(served: Served, interval: object) -> None:
    async with logged_in(served) as wire:
        answer = await wire.ask(action="subscribe", **named(served.symbol), mode=1, interval=interval)
        assert answer["code"] == "INVALID_PARAMETERS"
        assert "interval" in answer["message"]
        if isinstance(interval, int):
            assert "0, 50, 100, 250, 500, 1000" in answer["message"]


async def test_an_account_that_is_not_ours(served: Served) -> None:
    async with logged_in(served) as wire:
        answer = await wire.ask(action="subscribe", **named(served.symbol), mode=1, account="somebody-else")
        failed = answer.get("status") == "error" or answer["subscriptions"][0]["status"] == "error"
        assert failed
        named_one = await wire.ask(action="subscribe", **named(served.symbol), mode=1, broker=served.broker)
        assert named_one["subscriptions"][0]["status"] == "success"


# --- data -------------------------------------------------------------------------------------------------------------


async def test_ack_first_then_every_mode_in_the_canonical_form(served: Served) -> None:
    async with logged_in(served) as wire:
        for mode in (1, 2, 3):
            await wire.send(action="subscribe", **named(served.symbol), mode=mode, interval=0)
        seen: dict[int, Message] = {}
        acked = 0
        while len(seen) < 3 or acked < 3:
            message = await wire.next()
            if message["type"] == "subscribe":
                acked += 1
            else:
                assert message["mode"] <= acked, "data before its ack"
                seen[message["mode"]] = message
        symbol, exchange = served.symbol
        for mode, message in seen.items():
            data = message["data"]
            assert (message["symbol"], message["exchange"], message["broker"]) == (symbol, exchange, served.broker)
            assert (data["symbol"], data["exchange"], data["mode"]) == (symbol, exchange, mode)
            assert type(data["ltp"]) is float
            for name in ("timestamp", "seq"):
                assert type(data[name]) is int, name
            assert data["timestamp"] > 10**12
            assert "epoch" in data
            if mode >= 2:
                for name in ("open", "high", "low", "close", "avg_trade_price", "average_price", "change"):
                    assert type(data[name]) is float, name
                for name in ("volume", "last_trade_quantity", "last_quantity", "total_buy_quantity"):
                    assert type(data[name]) is int, name
                assert type(data["change_percent"]) is float
                assert data["low"] <= data["ltp"] <= data["high"]
        assert len(seen[1]["data"]) < 12, "the LTP message stays small"
        book = seen[3]["data"]["depth"]
        assert all(1 <= len(book[side]) <= 5 for side in ("buy", "sell"))  # a taker may just have eaten a row
        for side, better in (("buy", -1), ("sell", 1)):
            prices = [better * row["price"] for row in book[side]]
            assert prices == sorted(prices)
            assert all(type(row["quantity"]) is int and type(row["orders"]) is int for row in book[side])


async def test_an_index_streams_too(served: Served) -> None:
    async with logged_in(served) as wire:
        ack = await wire.ask(action="subscribe", **named(served.index), mode=2)
        assert ack["subscriptions"][0]["status"] == "success"
        data = (await wire.tick())["data"]
        assert data["exchange"] == "NSE_INDEX"
        assert data["ltp"] > 0


async def test_seq_rises_by_one_at_interval_zero(served: Served) -> None:
    async with logged_in(served) as wire:
        await wire.ask(action="subscribe", **named(served.symbol), mode=2, interval=0)
        seqs = [(await wire.tick())["data"]["seq"] for _ in range(6)]
        assert seqs == list(range(seqs[0], seqs[0] + 6))


# --- unsubscribe ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "left"),
    [
        ({"mode": 1}, {2, 3}),
        ({}, {1, 3}),
        ({"symbols": [{"mode": 3}]}, {1, 2}),
        ({"symbols": [{"mode": "LTP"}], "mode": 2}, {2, 3}),
        ({"symbols": [{}], "mode": "Depth"}, {1, 2}),
        ({"symbols": [{}]}, {1, 3}),
    ],
    ids=["single", "single default", "per entry", "entry before top", "top level", "list default"],
)
async def test_unsubscribe_stops_only_that_mode(served: Served, message: Message, left: set[int]) -> None:
    async with logged_in(served) as wire:
        for mode in (1, 2, 3):
            await wire.ask(action="subscribe", **named(served.symbol), mode=mode)
        request: Message = {"action": "unsubscribe", "request_id": "u1", **message}
        if "symbols" in message:
            request["symbols"] = [named(served.symbol, **entry) for entry in message["symbols"]]
        else:
            request |= named(served.symbol)
        ack = await wire.ask(**request)
        assert (ack["type"], ack["status"], ack["request_id"]) == ("unsubscribe", "success", "u1")
        assert ack["message"] == "Unsubscription processing complete"
        assert [(one["symbol"], one["status"]) for one in ack["successful"]] == [(served.symbol[0], "success")]
        assert ack["failed"] == []
        await wire.settle()
        wire.data.clear()
        while len(wire.data) < 8:
            await wire.tick()
        assert {one["mode"] for one in wire.data} == left


async def test_releasing_what_was_never_taken_is_success(served: Served) -> None:
    async with logged_in(served) as wire:
        assert (await wire.ask(action="unsubscribe", **named(served.symbol), mode=3))["status"] == "success"


async def test_an_unsubscribe_of_nothing(served: Served) -> None:
    async with logged_in(served) as wire:
        answer = await wire.ask(action="unsubscribe", mode=1)
        assert answer["code"] == "INVALID_PARAMETERS"
        assert answer["message"] == "Either symbols or unsubscribe_all is required"


async def test_unsubscribe_all(served: Served) -> None:
    async with logged_in(served) as wire:
        await wire.ask(action="subscribe", symbols=[named(served.symbol), named(served.other)], mode=2)
        await wire.tick()
        ack = await wire.ask(action="unsubscribe_all")
        assert (ack["type"], ack["status"], len(ack["successful"])) == ("unsubscribe", "success", 2)
        await wire.settle()
        with pytest.raises(TimeoutError):
            await wire.next(0.5)
