"""Composite orders over a scripted desk: what is asked of it, in which order, and what comes back."""

import asyncio
from pathlib import Path

import pytest
from tests import listed
from tests.scripted_desk import ScriptedDesk

from sangam.model.books import Position
from sangam.model.enums import Action, Exchange, PriceType, Product, Scope
from sangam.model.errors import InDoubt, InvalidInput, OrderNotFound, Rejected, SymbolNotFound, Unknown
from sangam.model.identity import AccountInfo, Identity
from sangam.model.order import Order, OrderState, Ticket, TradingMode
from sangam.orders.composites import Composites
from sangam.orders.ports import Caller
from sangam.orders.smart import MATCHED

ACCOUNT = AccountInfo("asha-example", "asha", "example")
CALLER = Caller(Identity(user="asha", key_id="k", scopes=frozenset(Scope)), ACCOUNT, TradingMode.LIVE)
FUTURE = "NIFTY25AUG26FUT"


@pytest.fixture
def desk(tmp_path: Path) -> ScriptedDesk:
    return ScriptedDesk(listed.master(tmp_path))


@pytest.fixture
def made_of(desk: ScriptedDesk) -> Composites:
    return Composites(desk, lambda: "G-1")


def ticket(symbol: str = "SBIN", action: Action = Action.BUY, quantity: int = 10, client: str = "") -> Ticket:
    exchange = Exchange.NSE if symbol == "SBIN" else Exchange.NFO
    return Ticket(symbol=symbol, exchange=exchange, action=action, quantity=quantity, client_order_id=client)


def hold(desk: ScriptedDesk, quantity: int, symbol: str = "SBIN", product: Product = Product.MIS) -> None:
    instrument = desk.master.lookup(symbol, "NSE" if symbol == "SBIN" else "NFO")
    position = Position(
        brsymbol=instrument.brsymbol, brexchange=instrument.brexchange, product=product, quantity=quantity
    )
    desk.positions_held.append((instrument, position))


def sides(desk: ScriptedDesk) -> list[tuple[str, int, str]]:
    return [(one.action.value, one.quantity, one.client_order_id) for one in desk.placed()]


# --- smart order ------------------------------------------------------------------------------------------------------


async def test_smart_counts_only_its_own_symbol_and_product(desk: ScriptedDesk, made_of: Composites) -> None:
    hold(desk, 4)
    hold(desk, 100, product=Product.CNC)
    hold(desk, 65, FUTURE)
    order = await made_of.smart(CALLER, ticket(), 10)
    assert isinstance(order, Order)
    assert sides(desk) == [("BUY", 6, "")]
    assert order.group == "G-1"
    assert await made_of.smart(CALLER, ticket(), 4) == MATCHED


async def test_a_failed_read_is_not_flat(desk: ScriptedDesk, made_of: Composites) -> None:
    desk.faults["positions"] = Unknown("no answer")
    with pytest.raises(Unknown) as caught:
        await made_of.smart(CALLER, ticket(), 0)
    assert not caught.value.sent
    with pytest.raises(Unknown):
        await made_of.close_all(CALLER)
    assert desk.placed() == []


async def test_a_smart_order_of_an_unknown_symbol(desk: ScriptedDesk, made_of: Composites) -> None:
    with pytest.raises(SymbolNotFound):
        await made_of.smart(CALLER, ticket("NOPE"), 5)
    assert desk.asked == []


async def test_a_repeated_smart_order_is_the_same_order(desk: ScriptedDesk, made_of: Composites) -> None:
    first = await made_of.smart(CALLER, ticket(client="X"), 10)
    hold(desk, 10)
    assert await made_of.smart(CALLER, ticket(client="X"), 10) == first
    assert sides(desk) == [("BUY", 10, "X")] * 2
    assert len(desk.book) == 1


async def test_two_smart_orders_at_once_read_one_after_another(desk: ScriptedDesk, made_of: Composites) -> None:
    """The second sees what the first has done."""
    place = desk.place

    async def slow(caller: Caller, ticket: Ticket, *, group: str = "", urgent: bool = False) -> Order:
        await asyncio.sleep(0)
        hold(desk, ticket.quantity)
        return await place(caller, ticket, group=group, urgent=urgent)

    desk.place = slow  # type: ignore[method-assign]
    outcomes = await asyncio.gather(*(made_of.smart(CALLER, ticket(), 10) for _ in range(3)))
    assert [isinstance(one, Order) for one in outcomes] == [True, False, False]


# --- basket and split -------------------------------------------------------------------------------------------------


async def test_buy_legs_go_first_and_results_keep_their_order(desk: ScriptedDesk, made_of: Composites) -> None:
    legs = [ticket(FUTURE, Action.SELL, 65), ticket(), ticket(action=Action.SELL, quantity=3), ticket(quantity=2)]
    outcomes = await made_of.basket(CALLER, legs, "B")
    assert sides(desk) == [("BUY", 10, "B/2"), ("BUY", 2, "B/4"), ("SELL", 65, "B/1"), ("SELL", 3, "B/3")]
    assert [one.quantity for one in outcomes if isinstance(one, Order)] == [65, 10, 3, 2]
    assert [what[1:] for what in desk.asked if what[0] == "place_all"] == [(2, "B"), (2, "B")]
    again = await made_of.basket(CALLER, legs, "B")
    assert again == outcomes
    assert len(desk.book) == 4


async def test_sells_wait_for_the_outcome_of_buys(desk: ScriptedDesk, made_of: Composites) -> None:
    gate = asyncio.Event()
    place_all = desk.place_all

    async def held(*args: object, **kwargs: object) -> list[Order | Exception]:
        await gate.wait()
        return await place_all(*args, **kwargs)  # type: ignore[arg-type]

    desk.place_all = held  # type: ignore[method-assign]
    basket = asyncio.ensure_future(made_of.basket(CALLER, [ticket(action=Action.SELL), ticket()]))
    await asyncio.sleep(0)
    assert desk.placed() == []
    gate.set()
    await basket
    assert [one.action for one in desk.placed()] == [Action.BUY, Action.SELL]


async def test_a_failing_leg_costs_only_itself(desk: ScriptedDesk, made_of: Composites) -> None:
    desk.faults[FUTURE] = Rejected("no margin", "INSUFFICIENT_MARGIN")
    outcomes = await made_of.basket(CALLER, [ticket(FUTURE, quantity=65), ticket()])
    assert isinstance(outcomes[0], Rejected)
    assert isinstance(outcomes[1], Order)


async def test_a_leg_may_have_an_id_of_its_own(desk: ScriptedDesk, made_of: Composites) -> None:
    await made_of.basket(CALLER, [ticket(client="mine"), ticket()], "B")
    assert [one.client_order_id for one in desk.placed()] == ["mine", "B/2"]


async def test_a_split(desk: ScriptedDesk, made_of: Composites) -> None:
    parts = await made_of.split(CALLER, ticket(quantity=105, client="S"), 50)
    assert [part.quantity for part in parts] == [50, 50, 5]
    assert sides(desk) == [("BUY", 50, "S/1"), ("BUY", 50, "S/2"), ("BUY", 5, "S/3")]
    with pytest.raises(InvalidInput, match="maximum limit of 100"):
        await made_of.split(CALLER, ticket(quantity=101), 1)
    assert len(desk.placed()) == 3


# --- cancel all, close all --------------------------------------------------------------------------------------------


async def test_whatever_waits_is_cancelled(desk: ScriptedDesk, made_of: Composites) -> None:
    for state in (
        OrderState.OPEN, OrderState.TRIGGER_PENDING, OrderState.PARTIALLY_FILLED, OrderState.COMPLETE,
        OrderState.UNKNOWN, OrderState.REJECTED,
    ):  # fmt: skip
        desk.fills = state
        await desk.place(CALLER, ticket())
    doubtful = next(order for order in desk.book if order.state is OrderState.UNKNOWN)
    desk.faults[doubtful.order_id] = InDoubt("nobody knows", order=doubtful)
    told = await made_of.cancel_all(CALLER)
    assert {one.order.state for one in told} == {
        OrderState.OPEN, OrderState.TRIGGER_PENDING, OrderState.PARTIALLY_FILLED, OrderState.UNKNOWN,
    }  # fmt: skip
    assert [one.order for one in told if isinstance(one.outcome, Exception)] == [doubtful]


async def test_a_book_that_cannot_be_read_cancels_nothing(desk: ScriptedDesk, made_of: Composites) -> None:
    desk.faults["orders"] = Unknown("no answer")
    with pytest.raises(Unknown):
        await made_of.cancel_all(CALLER)


async def test_every_open_position_is_closed_at_market(desk: ScriptedDesk, made_of: Composites) -> None:
    hold(desk, 10)
    hold(desk, -65, FUTURE, Product.NRML)
    hold(desk, 0, product=Product.CNC)
    told = await made_of.close_all(CALLER, "exit")
    asked = [what for what in desk.asked if what[0] == "place"]
    assert [(one.action, one.quantity, one.product, one.price_type, one.strategy) for one in desk.placed()] == [
        (Action.SELL, 10, Product.MIS, PriceType.MARKET, "exit"),
        (Action.BUY, 65, Product.NRML, PriceType.MARKET, "exit"),
    ]
    assert all(urgent and group == "G-1" for _, _, group, urgent in asked)
    assert [(one.instrument.symbol, one.product) for one in told] == [("SBIN", Product.MIS), (FUTURE, Product.NRML)]


async def test_a_repeated_closing_closes_once(desk: ScriptedDesk, made_of: Composites) -> None:
    hold(desk, 10)
    hold(desk, -65, FUTURE)
    first = await made_of.close_all(CALLER, client_order_id="C")
    desk.positions_held.clear()
    hold(desk, 0, FUTURE)
    hold(desk, 3)
    again = await made_of.close_all(CALLER, client_order_id="C")
    assert {one.outcome.id for one in again if isinstance(one.outcome, Order)} == {
        one.outcome.id for one in first if isinstance(one.outcome, Order)
    }
    assert len(desk.book) == 2


async def test_one_closing_that_fails(desk: ScriptedDesk, made_of: Composites) -> None:
    hold(desk, 10)
    hold(desk, 65, FUTURE)
    desk.faults["SBIN"] = OrderNotFound("odd")
    told = await made_of.close_all(CALLER)
    assert [isinstance(one.outcome, Order) for one in told] == [False, True]
