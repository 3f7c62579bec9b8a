"""Composite orders over a scripted desk: what is asked of it, in which order, and what comes back."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests import listed
from tests.scripted_desk import ScriptedDesk

from sangam.model.books import Position
from sangam.model.enums import Action, Exchange, PriceType, Product, Scope
from sangam.model.errors import Conflict, InDoubt, InvalidInput, OrderNotFound, Rejected, SymbolNotFound, Unknown
from sangam.model.identity import AccountInfo, Identity
from sangam.model.order import Order, OrderState, Ticket, TradingMode
from sangam.orders.closing import Closing
from sangam.orders.composites import Composites
from sangam.orders.legs import Outcome
from sangam.orders.ports import Caller
from sangam.orders.smart import MATCHED, NOTHING_OPEN

ACCOUNT = AccountInfo("asha-example", "asha", "example")
CALLER = Caller(Identity(user="asha", key_id="k", scopes=frozenset(Scope)), ACCOUNT, TradingMode.LIVE)
FUTURE = "NIFTY25AUG26FUT"


@pytest.fixture
def desk(tmp_path: Path) -> ScriptedDesk:
    return ScriptedDesk(listed.master(tmp_path))


@pytest.fixture
def made_of(desk: ScriptedDesk) -> Composites:
    return Composites(desk, lambda: "G-1")


@pytest.fixture
def impatient(desk: ScriptedDesk) -> Composites:
    return Composites(desk, lambda: "G-1", patience=0.1)


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


def outcomes(told: list[Closing]) -> list[Outcome]:
    return [part.outcome for one in told for part in one.slices]


# --- smart order ------------------------------------------------------------------------------------------------------


async def test_smart_counts_only_its_own_symbol_and_product(desk: ScriptedDesk, made_of: Composites) -> None:
    hold(desk, 4)
    hold(desk, 100, product=Product.CNC)
    hold(desk, 65, FUTURE)
    order = await made_of.smart(CALLER, ticket(), 10)
    assert isinstance(order, Order)
    assert sides(desk) == [("BUY", 6, "")]
    assert order.group == "smart-G-1"
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
    told = await asyncio.gather(*(made_of.smart(CALLER, ticket(), 10) for _ in range(3)))
    assert [isinstance(one, Order) for one in told] == [True, False, False]


async def test_a_smart_order_repeated_under_way_is_no_decision(desk: ScriptedDesk, made_of: Composites) -> None:
    desk.fills = OrderState.OPEN
    first = await made_of.smart(CALLER, ticket(client="X"), 10)
    async with asyncio.timeout(1):
        assert await made_of.smart(CALLER, ticket(client="X"), 10) == first


async def test_a_second_closing_waits_for_the_first_one(desk: ScriptedDesk, made_of: Composites) -> None:
    """Else it would sell again what is sold already."""
    hold(desk, 10)
    desk.fills = OrderState.OPEN
    (first,) = outcomes(await made_of.close_all(CALLER))
    assert isinstance(first, Order)
    second = asyncio.ensure_future(made_of.close_all(CALLER))
    smart = asyncio.ensure_future(made_of.smart(CALLER, ticket(quantity=0), 0))
    await asyncio.sleep(0.1)
    assert (second.done(), smart.done()) == (False, False)
    desk.positions_held.clear()
    desk.become(first, OrderState.COMPLETE, filled_quantity=10)
    assert await second == []
    assert await smart == NOTHING_OPEN
    assert len(desk.book) == 1


@pytest.mark.parametrize(
    "standing",
    [
        {"price_type": PriceType.MARKET},
        {"price_type": PriceType.MARKET, "state": OrderState.UNKNOWN},
        {"price_type": PriceType.MARKET, "state": OrderState.PENDING},
        {"price_type": PriceType.SL_M, "trigger_price": Decimal(9), "state": OrderState.PARTIALLY_FILLED},
        {"price_type": PriceType.LIMIT, "price": Decimal(9), "group": "smart-G-7"},
    ],
)
async def test_what_an_order_still_changes_is_left_alone(
    desk: ScriptedDesk, impatient: Composites, standing: dict[str, Any]
) -> None:
    hold(desk, 10)
    hold(desk, 65, FUTURE)
    order = await desk.place(CALLER, ticket(quantity=3))
    desk.become(order, **{"state": OrderState.OPEN, **standing})
    with pytest.raises(Conflict, match=f"Order {order.order_id} .BUY 3 SBIN, .* still changes this position") as caught:
        await impatient.smart(CALLER, ticket(), 4)
    assert getattr(caught.value.order, "id", "") == order.id
    told = await impatient.close_all(CALLER)
    assert [(one.symbol, isinstance(one.slices[0].outcome, Conflict)) for one in told] == [
        (FUTURE, False), ("SBIN", True),
    ]  # fmt: skip
    assert sides(desk) == [("BUY", 3, ""), ("SELL", 65, "")]


@pytest.mark.parametrize(
    "standing",
    [
        {"price_type": PriceType.LIMIT, "price": Decimal(9)},
        {"price_type": PriceType.SL_M, "trigger_price": Decimal(9), "state": OrderState.TRIGGER_PENDING},
        {"price_type": PriceType.MARKET, "state": OrderState.CANCELLED},
    ],
)
async def test_what_waits_for_a_price_keeps_nobody(
    desk: ScriptedDesk, impatient: Composites, standing: dict[str, Any]
) -> None:
    hold(desk, 10)
    desk.become(await desk.place(CALLER, ticket(quantity=3)), **{"state": OrderState.OPEN, **standing})
    assert [isinstance(one, Order) for one in outcomes(await impatient.close_all(CALLER))] == [True]


async def test_another_product_is_another_position(desk: ScriptedDesk, impatient: Composites) -> None:
    hold(desk, 10)
    desk.become(await desk.place(CALLER, ticket(quantity=3)), OrderState.OPEN, product=Product.CNC)
    assert isinstance(await impatient.smart(CALLER, ticket(), 0), Order)


async def test_a_position_book_that_is_behind_is_read_again(desk: ScriptedDesk, made_of: Composites) -> None:
    """The order is over, and the book does not know it yet."""
    hold(desk, 10)
    (first,) = outcomes(await made_of.close_all(CALLER))
    assert isinstance(first, Order)
    desk.become(first, OrderState.COMPLETE, filled_quantity=10)
    second = asyncio.ensure_future(made_of.close_all(CALLER))
    smart = asyncio.ensure_future(made_of.smart(CALLER, ticket(), 4))
    await asyncio.sleep(0.1)
    assert (second.done(), smart.done()) == (False, False)
    desk.positions_held.clear()
    assert await second == []
    assert isinstance(await smart, Order)
    assert sides(desk)[1:] == [("BUY", 4, "")]


async def test_a_book_that_stays_behind_decides_nothing(desk: ScriptedDesk, impatient: Composites) -> None:
    hold(desk, 10)
    (first,) = outcomes(await impatient.close_all(CALLER))
    assert isinstance(first, Order)
    desk.become(first, OrderState.COMPLETE, filled_quantity=10)
    with pytest.raises(Conflict, match="is not in the broker's position book yet"):
        await impatient.smart(CALLER, ticket(), 0)
    desk.ended.clear()  # long ago: the book is right, whatever led back there
    assert isinstance(await impatient.smart(CALLER, ticket(), 0), Order)


async def test_other_orders_may_have_led_back(desk: ScriptedDesk, impatient: Composites) -> None:
    first = await impatient.smart(CALLER, ticket(), 10)
    assert isinstance(first, Order)
    desk.become(first, OrderState.COMPLETE, filled_quantity=10)
    exit_ = await desk.place(CALLER, ticket(action=Action.SELL))
    desk.become(exit_, OrderState.COMPLETE, filled_quantity=10)
    assert isinstance(await impatient.smart(CALLER, ticket(), 10), Order)


async def test_the_order_book_is_read_where_no_push_comes(desk: ScriptedDesk, made_of: Composites) -> None:
    hold(desk, 10)
    desk.fills = OrderState.OPEN
    (first,) = outcomes(await made_of.close_all(CALLER))
    assert isinstance(first, Order)

    async def read(caller: Caller) -> list[Order]:
        desk.positions_held.clear()
        desk.become(first, OrderState.COMPLETE, filled_quantity=10)
        return desk.book

    desk.orders = read  # type: ignore[method-assign]
    assert await made_of.close_all(CALLER) == []


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


async def test_what_ended_meanwhile_is_no_failure(desk: ScriptedDesk, made_of: Composites) -> None:
    desk.fills = OrderState.OPEN
    ended, told, waits = [await desk.place(CALLER, ticket()) for _ in range(3)]
    cancel, orders = desk.cancel, desk.orders

    async def late(caller: Caller, reference: str) -> Order:
        if reference == ended.order_id:
            desk.become(ended, OrderState.COMPLETE)
        if reference == waits.order_id:
            return await cancel(caller, reference)
        raise Rejected("it is not open")

    async def read(caller: Caller) -> list[Order]:
        if any(what[0] == "cancel" for what in desk.asked):
            desk.become(told, OrderState.CANCELLED)
        return await orders(caller)

    desk.cancel, desk.orders = late, read  # type: ignore[method-assign]
    assert [one.order.id for one in await made_of.cancel_all(CALLER)] == [waits.id]


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
    assert [(one.symbol, one.product) for one in told] == [("SBIN", Product.MIS), (FUTURE, Product.NRML)]


async def test_a_repeated_closing_closes_once(desk: ScriptedDesk, made_of: Composites) -> None:
    hold(desk, 10)
    hold(desk, -65, FUTURE)
    first = await made_of.close_all(CALLER, client_order_id="C")
    desk.positions_held.clear()
    hold(desk, 0, FUTURE)
    hold(desk, 3)
    again = await made_of.close_all(CALLER, client_order_id="C")
    assert {one.id for one in outcomes(again) if isinstance(one, Order)} == {order.id for order in desk.book}
    assert len(outcomes(first)) == 2
    assert len(desk.book) == 2


async def test_one_closing_that_fails(desk: ScriptedDesk, made_of: Composites) -> None:
    hold(desk, 10)
    hold(desk, 65, FUTURE)
    desk.faults["SBIN"] = OrderNotFound("odd")
    told = await made_of.close_all(CALLER)
    assert [isinstance(one, Order) for one in outcomes(told)] == [False, True]


async def test_a_large_position_is_closed_in_slices(desk: ScriptedDesk, made_of: Composites) -> None:
    desk.freezes[FUTURE] = 150
    hold(desk, 325, FUTURE, Product.NRML)
    (told,) = await made_of.close_all(CALLER, client_order_id="C")
    assert [(part.quantity, isinstance(part.outcome, Order)) for part in told.slices] == [(130, True)] * 2 + [
        (65, True)
    ]
    assert [name.rpartition("/")[2] for _, _, name in sides(desk)] == ["1", "2", "3"]
    (again,) = await made_of.close_all(CALLER, client_order_id="C")
    assert again == told
    assert len(desk.book) == 3


async def test_slices_that_were_never_made_are_told(desk: ScriptedDesk, made_of: Composites) -> None:
    desk.freezes[FUTURE] = 130
    hold(desk, 325, FUTURE)
    await made_of.close_all(CALLER, client_order_id="C")
    desk.book.pop(0)
    desk.positions_held.clear()
    hold(desk, 65, FUTURE)
    (told,) = await made_of.close_all(CALLER, client_order_id="C")
    assert [type(part.outcome) for part in told.slices] == [Order, Order, Conflict]
    assert len(desk.book) == 2
    desk.positions_held.clear()
    hold(desk, 65 * 201, FUTURE)
    desk.freezes[FUTURE] = 130
    (told,) = await made_of.close_all(CALLER)
    assert [type(part.outcome) for part in told.slices] == [InvalidInput]
