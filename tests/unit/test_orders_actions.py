"""Order actions at the desk: what reaches it, and the shape of every reply."""

import asyncio
import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests import listed
from tests.gateway_support import KEYS, MAIN, World
from tests.order_actions import event
from tests.scripted_desk import ScriptedDesk

from sangam.model.books import Gtt, GttLeg, Holding, Position, Trade
from sangam.model.clock import ManualClock
from sangam.model.enums import Action, Mode, PriceType, Product, Scope
from sangam.model.errors import BrokerError, Denied, InDoubt, InvalidInput, OrderNotFound
from sangam.model.identity import Identity
from sangam.model.instrument import Instrument
from sangam.model.order import OrderNews, OrderState, TradingMode
from sangam.orders.actions import SCOPES, DeskActions
from sangam.orders.failure import ActionFailed
from sangam.orders.telling import Told
from sangam.prices.last import Last

SBIN: dict[str, Any] = {"symbol": "SBIN", "exchange": "NSE"}
BUY: dict[str, Any] = {**SBIN, "side": "BUY", "quantity": 5, "price_type": "LIMIT", "price": "1.5"}
KEY = KEYS["key-u1"]


class Journal:
    def __init__(self) -> None:
        self.news: list[OrderNews] = []

    async def since(self, accounts: Any, seq: int, limit: int = 10_000) -> list[OrderNews]:
        return [news for news in self.news if news.seq > seq and news.account in accounts][:limit]


class House:
    def __init__(self, folder: Path) -> None:
        self.desk = ScriptedDesk(listed.master(folder))
        self.journal = Journal()
        self.passed_on: list[int] = []
        self.told = Told(0, lambda news: self.passed_on.append(news.seq))
        self.clock = ManualClock(listed.NOW)
        self.quoted: list[tuple[str, str, Mode]] = []
        self.actions = DeskActions(self.desk, self.journal, self.told, self.quotes, self.clock)

    async def quotes(self, account: str, instruments: Any, mode: Mode) -> dict[Instrument, Last]:
        self.quoted.append((account, instruments[0].symbol, mode))
        last = Last()
        last.fields = {"ltp": 1.5, "timestamp": 1}
        last.received_at = self.clock.now_ms() - 40
        return {} if instruments[0].symbol == "NIFTY" else {listed.SBIN: last}

    async def ask(self, action: str, identity: Identity = KEY, /, **fields: Any) -> Any:
        """The reply as a client reads it."""
        return json.loads(msgspec.json.encode(await self.actions.act(identity, action, fields)))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_an_order_is_placed_and_told_of(house: House) -> None:
    reply = await house.ask("place_order", **BUY, client_order_id="c", tag="t", strategy="s", timeout_ms=100)
    assert reply == {
        "order_id": "260803000001",
        "client_order_id": "c",
        "id": "L-0000000001",
        "state": "complete",
        "order_status": "complete",
        "mode": "live",
        "account": "u1-main",
        "broker": "alpha",
        "filled_quantity": 0,
        "average_price": 0.0,
    }
    (ticket,) = house.desk.placed()
    assert (ticket.symbol, str(ticket.price), ticket.tag, ticket.strategy, ticket.wait_ms) == (
        "SBIN",
        "1.5",
        "t",
        "s",
        100,
    )


async def test_the_account_and_the_mode(house: House) -> None:
    house.desk.mode = TradingMode.PAPER
    for name in ("u1-second", "beta"):
        reply = await house.ask("place_order", **BUY, account=name)
        assert (reply["account"], reply["mode"]) == ("u1-second", "analyze")
    house.desk.faults["caller"] = InvalidInput("You have no account 'u2-main'.")
    with pytest.raises(InvalidInput, match="You have no account"):
        await house.ask("place_order", **BUY, account="u2-main")
    assert len(house.desk.placed()) == 2


@pytest.mark.parametrize("action", list(SCOPES))
async def test_every_action_asks_for_its_scope(house: House, action: str) -> None:
    others = frozenset(Scope) - {SCOPES[action], Scope.ADMIN}
    with pytest.raises(ActionFailed) as refused:
        await house.ask(action, msgspec.structs.replace(KEY, scopes=others), **BUY)
    assert refused.value.code == "INSUFFICIENT_PERMISSION"
    assert house.desk.asked == []


async def test_the_side_may_be_called_action(house: House) -> None:
    terms = {**SBIN, "quantity": 5}
    await house.actions.act(KEY, "place_order", {"type": "place_order", "action": "SELL", **terms})
    await house.actions.act(KEY, "place_order", {"action": "place_order", "side": "SELL", **terms})
    assert [ticket.action for ticket in house.desk.placed()] == [Action.SELL] * 2
    with pytest.raises(InvalidInput, match="side is missing"):
        await house.actions.act(KEY, "place_order", {"action": "place_order", **terms})


async def test_what_is_no_action(house: House) -> None:
    with pytest.raises(InvalidInput):
        await house.ask("dance")


async def test_several_orders_in_one_message(house: House) -> None:
    house.desk.faults |= {
        "NIFTY": InDoubt("Nobody knows."),
        "TCS": Denied("Off the tick.", "INVALID_ORDER"),
        "INFY": RuntimeError("a bug"),
    }
    orders = [{**BUY, "symbol": symbol} for symbol in ("SBIN", "NIFTY", "TCS", "INFY")]
    reply = await house.ask("place_orders", orders=orders, strategy="basket")
    assert (reply["status"], reply["mode"], reply["account"]) == ("partial", "live", "u1-main")
    first, *failed = reply["results"]
    assert (first["status"], first["order_id"]) == ("success", "260803000001")
    assert [(row["status"], row["code"]) for row in failed] == [
        ("error", "OUTCOME_UNKNOWN"),
        ("error", "INVALID_ORDER"),
        ("error", "OUTCOME_UNKNOWN"),
    ]
    assert house.desk.asked[0] == ("place_all", 4, "")
    assert {ticket.strategy for ticket in house.desk.placed()} == {"basket"}
    assert (await house.ask("place_orders", orders=orders[:1]))["status"] == "success"
    assert (await house.ask("place_orders", orders=orders[1:3]))["status"] == "error"


async def test_one_unreadable_order_refuses_all(house: House) -> None:
    with pytest.raises(InvalidInput, match=r"orders\[1\]\.quantity"):
        await house.ask("place_orders", orders=[BUY, {**BUY, "quantity": "many"}])
    with pytest.raises(InvalidInput, match="at most 100"):
        await house.ask("place_orders", orders=[BUY] * 101)
    assert house.desk.asked == []


@pytest.mark.parametrize("name", ["order_id", "orderid", "id", "client_order_id"])
async def test_an_order_is_named_by_any_of_its_ids(house: House, name: str) -> None:
    placed = await house.ask("place_order", **BUY, client_order_id="c")
    reference = placed["order_id" if name == "orderid" else name]
    assert (await house.ask("cancel_order", **{name: reference}))["state"] == "cancelled"
    assert (await house.ask("get_order", **{name: reference}))["data"]["price"] == 1.5
    await house.ask("modify_order", **{name: reference}, quantity=7)
    _, ours, change = house.desk.asked[-1]
    assert (ours, change.quantity, str(change.price), change.price_type) == (placed["id"], 7, "1.5", PriceType.LIMIT)


async def test_an_order_placed_elsewhere_is_found_in_the_book(house: House) -> None:
    with pytest.raises(OrderNotFound):
        await house.ask("modify_order", order_id="9", quantity=7)
    assert house.desk.asked == [("orders",)]
    with pytest.raises(InvalidInput, match="order_id is missing"):
        await house.ask("cancel_order")


async def test_triggers(house: House) -> None:
    gtt = {**SBIN, "side": "SELL", "quantity": 5, "trigger_price": 1.4}
    reply = await house.ask("place_gtt", **gtt, client_order_id="g")
    assert reply == {"trigger_id": "77", "mode": "live", "account": "u1-main", "client_order_id": "g"}
    assert (await house.ask("modify_gtt", **gtt, trigger_id="5"))["trigger_id"] == "5"
    assert (await house.ask("cancel_gtt", trigger_id="5"))["trigger_id"] == "5"
    assert [what[0] for what in house.desk.asked] == ["place_gtt", "modify_gtt", "cancel_gtt"]
    leg = GttLeg(trigger=Decimal("1.4"), action=Action.SELL, quantity=5, price=Decimal(0))
    house.desk.triggers = [(listed.SBIN, Gtt(trigger_id="5", brsymbol="", brexchange="", legs=(leg, leg)))]
    (row,) = (await house.ask("get_gtts"))["data"]
    assert (row["trigger_id"], row["trigger_type"], row["trigger_prices"]) == ("5", "two-leg", [1.4, 1.4])
    with pytest.raises(InvalidInput, match="trigger_id is missing"):
        await house.ask("cancel_gtt")


async def test_books(house: House) -> None:
    named: dict[str, Any] = {"brsymbol": "SBIN-EQ", "brexchange": "NSE"}
    desk = house.desk
    desk.trades_done = [
        (
            listed.SBIN,
            Trade(trade_id="t", order_id="o", action=Action.BUY, product=Product.CNC, quantity=3, price=1.5, **named),
        )
    ]
    desk.positions_held = [(listed.SBIN, Position(product=Product.MIS, quantity=-3, pnl=-1.5, ltp=2.0, **named))]
    desk.holdings_held = [
        (listed.SBIN, Holding(quantity=10, average_price=1.0, ltp=1.5, pnl=5.0, pnl_percent=50.0, **named))
    ]
    (trade,) = (await house.ask("get_tradebook"))["data"]
    assert (trade["tradeid"], trade["trade_value"], trade["symbol"]) == ("t", 4.5, "SBIN")
    reply = await house.ask("get_positions")
    assert {name: reply[name] for name in ("mode", "account", "broker")} == {
        "mode": "live",
        "account": "u1-main",
        "broker": "alpha",
    }
    assert reply["data"][0]["quantity"] == -3
    held = (await house.ask("get_holdings"))["data"]
    assert held["holdings"][0]["pnlpercent"] == 50.0
    assert held["statistics"] == {
        "totalholdingvalue": 15.0,
        "totalinvvalue": 10.0,
        "totalprofitandloss": 5.0,
        "totalpnlpercentage": 50.0,
    }
    assert (await house.ask("get_funds"))["data"]["m2mrealized"] == "-12.35"


async def test_the_order_book_counts_what_it_tells(house: House) -> None:
    for fills in (OrderState.OPEN, OrderState.UNKNOWN, OrderState.REJECTED):
        house.desk.fills = fills
        await house.ask("place_order", **BUY)
    book = (await house.ask("get_orderbook"))["data"]
    assert [(row["state"], row["order_status"]) for row in book["orders"]] == [
        ("rejected", "rejected"),
        ("unknown", "open"),
        ("open", "open"),
    ]
    assert book["statistics"]["total_open_orders"] == 2
    assert book["statistics"]["total_rejected_orders"] == 1


async def test_a_quote_is_of_the_account_that_feeds_the_key(house: House) -> None:
    reply = await house.ask("get_quote", **SBIN)
    assert reply == {
        "account": "u1-main",
        "broker": "alpha",
        "data": {"symbol": "SBIN", "exchange": "NSE", "ltp": 1.5, "timestamp": 1, "age_ms": 40},
    }
    await house.ask("get_quote", **SBIN, account="u1-second")
    assert house.quoted == [("u1-main", "SBIN", Mode.QUOTE), ("u1-second", "SBIN", Mode.QUOTE)]
    with pytest.raises(InvalidInput, match="No account 'u2-main'"):
        await house.ask("get_quote", **SBIN, account="u2-main")
    with pytest.raises(InvalidInput, match="no data account"):
        await house.ask("get_quote", KEYS["key-empty"], **SBIN)
    with pytest.raises(BrokerError, match="no price"):
        await house.ask("get_quote", symbol="NIFTY", exchange="NSE_INDEX")


async def test_a_quote_of_our_own_exchange_says_so(house: House) -> None:
    simulated = {"u1-main"}.__contains__
    house.actions = DeskActions(house.desk, house.journal, house.told, house.quotes, house.clock, simulated)
    assert (await house.ask("get_quote", **SBIN))["data"]["simulated"] is True
    assert "simulated" not in (await house.ask("get_quote", **SBIN, account="u1-second"))["data"]


async def test_only_what_was_told_is_told_again(house: House) -> None:
    for number in (1, 2, 3):
        house.journal.news.append(event(number, MAIN.id if number != 2 else "u2-main"))
    assert await house.actions.since(KEY, 0) == ([], 0)
    for news in house.journal.news[:2]:
        house.told(news)
    assert house.passed_on == [1, 2]
    events, newest = await house.actions.since(KEY, 0)
    assert ([news.seq for news in events], newest) == ([1], 2)
    house.told(house.journal.news[2])
    assert [news.seq for news in (await house.actions.since(KEY, 1))[0]] == [3]
    few = msgspec.structs.replace(KEY, scopes=frozenset({Scope.DATA}))
    assert await house.actions.since(few, 0) == ([], 3)


async def test_five_thousand_orders_are_told_in_slices(house: House) -> None:
    """Between two rows others have their turn; what is not sliced is one copy of the bytes."""
    await house.ask("place_order", **BUY)
    house.desk.book *= 5_000
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    reply = await house.actions.act(KEY, "get_orderbook", {})
    counting.cancel()
    assert turns >= 50
    world = World()
    client = world.client()
    began = time.perf_counter()
    client.session._send(msgspec.json.encode({"type": "get_orderbook", **reply}))
    encoded = time.perf_counter() - began
    world.loop.settle()
    (told,) = client.heard()
    assert len(told["data"]["orders"]) == 5_000
    assert encoded < 0.05  # a copy of two megabytes; rows made at once would take longer
