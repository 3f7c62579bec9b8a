"""Modify, cancel and other writes through the router: journalled acts that never change an order by failing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.router_rig import ACCOUNT, SBIN, House, caller, ticket, trading
from tests.support import wait_for

from sangam.brokers.contract import Trading
from sangam.model.enums import PriceType
from sangam.model.errors import (
    Conflict,
    Denied,
    InDoubt,
    NotSent,
    RateLimited,
    Refused,
    Rejected,
    SangamError,
    StoreError,
    Unknown,
)
from sangam.model.order import Accepted, Change, Order, OrderState, TradingMode
from sangam.model.rules import Rules
from sangam.orders.journal import Act, ActKind, ActState
from sangam.orders.ports import Sending

S = OrderState


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House(tmp_path) as house:
        yield house


def change(price: str = "101", **fields: Any) -> Change:
    return Change(**{"quantity": 10, "price_type": PriceType.LIMIT, "price": Decimal(price), **fields})


async def modify(house: House, order: Order, asked: Change | None = None) -> Order:
    return await house.router.modify(caller(), order, asked or change())


async def cancel(house: House, order: Order) -> Order:
    return await house.router.cancel(caller(), order)


async def acts(house: House) -> list[tuple[str, str]]:
    """Kind and state of each act, oldest first, once all of it is durable."""
    await house.writer.put((text("SELECT 1"), {}))
    rows = await asyncio.to_thread(lambda: list(house.journal.export(ACCOUNT.id, 0, 2**53)))
    return [(row["kind"].removeprefix("ACT_"), row["state"]) for row in rows if row["kind"].startswith("ACT_")]


class Failing:
    """A broker that fails, before or after the write was announced."""

    def __init__(self, error: Exception, after: bool = True) -> None:
        self._error = error
        self._after = after

    async def __call__(self, order: Order, sending: Sending) -> Accepted:
        if self._after:
            await sending()
        raise self._error


class Held:
    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.reached = 0

    async def __call__(self, order: Order, sending: Sending) -> Accepted:
        self.reached += 1
        await self.go.wait()
        await sending()
        return Accepted(order_id=order.order_id or "B1")


# --- modify -----------------------------------------------------------------------------------------------------------


async def test_a_change_is_journalled_sent_and_becomes_the_orders_terms(house: House) -> None:
    order = await house.place()
    after = await modify(house, order, change("101.05", quantity=12, disclosed_quantity=3))
    assert (after.price, after.quantity, after.disclosed_quantity) == (Decimal("101.05"), 12, 3)
    assert after == house.now(order)
    assert after.state is S.OPEN
    (_, (name, told, asked)) = house.live.asked
    assert (name, told.order_id, told.native) == ("modify", "B1", {"variety": "regular"})
    assert asked.price == Decimal("101.05")
    assert await acts(house) == [("MODIFY", "accepted")]


OUTCOMES = [
    (NotSent("down"), True, Denied, ActState.DENIED),
    (RateLimited("used up").unsent(), False, RateLimited, ActState.DENIED),
    (ValueError("a bug"), False, Denied, ActState.DENIED),
    (Refused("too late", "ORDER_ERROR"), True, Rejected, ActState.REFUSED),
    (Unknown("no answer"), True, InDoubt, ActState.UNKNOWN),
    (ValueError("a bug"), True, InDoubt, ActState.UNKNOWN),
]


@pytest.mark.parametrize(("error", "after", "raised", "state"), OUTCOMES)
async def test_a_change_or_cancel_that_fails_leaves_the_order_as_it_is(
    house: House, error: Exception, after: bool, raised: type[SangamError], state: ActState
) -> None:
    order = await house.place()
    house.live.changing = house.live.cancelling = Failing(error, after)
    writes: list[Awaitable[Order]] = [modify(house, order), cancel(house, order)]
    for write in writes:
        with pytest.raises(raised) as told:
            await write
        assert type(told.value) is raised
        assert told.value.order == house.now(order) == order
    assert sorted(await acts(house)) == [("CANCEL", state.value), ("MODIFY", state.value)]
    assert len(house.live.asked) == 3, "nothing is repeated"


async def test_what_is_over_cannot_be_changed(house: House) -> None:
    order = await house.place()
    house.hear(order, "complete", order_id="B1", filled_quantity=10)
    with pytest.raises(Denied, match="Cannot modify order in complete status"):
        await modify(house, order)
    with pytest.raises(Denied, match="Cannot cancel order in complete status"):
        await cancel(house, order)
    assert await acts(house) == []


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (change("101.03"), "tick size"),
        (change(quantity=0), "quantity must be more"),
        (change(price_type=PriceType.SL, trigger_price=Decimal("101.05")), "at or below"),
    ],
)
async def test_a_change_keeps_to_the_rules_of_an_order(house: House, asked: Change, says: str) -> None:
    order = await house.place()
    with pytest.raises(Denied, match=says):
        await modify(house, order, asked)
    assert len(house.live.asked) == 1


async def test_limits_and_the_kill_switch_hold_for_changes_that_make_more(house: House) -> None:
    order = await house.place()
    house.rules = Rules(killed=True)
    with pytest.raises(Denied, match="kill switch"):
        await modify(house, order, change(quantity=11))
    assert (await modify(house, order, change("99", quantity=9))).quantity == 9
    house.rules = Rules(max_quantity=9)
    with pytest.raises(Denied, match="max_quantity"):
        await modify(house, order, change(quantity=10))


async def test_a_smaller_order_may_use_the_reserve(house: House) -> None:
    order = await house.place()
    for quantity in (9, 9, 10):
        await modify(house, order, change(quantity=quantity))
    assert house.live.urgent == [False, True, False, False]


async def test_a_change_to_market_is_protected_too(house: House) -> None:
    order = await house.place()
    house.trading = trading(market="limit")
    market = change("0", price_type=PriceType.MARKET)
    after = await modify(house, order, market)
    assert house.live.asked[-1][2].price == Decimal("101.00")
    assert house.live.asked[-1][2].price_type is PriceType.LIMIT
    assert (after.price_type, after.sent_price_type) == (PriceType.MARKET, PriceType.LIMIT)
    assert after.conversion.startswith("MARKET sent as LIMIT 101.00")


async def test_a_protected_change_says_so_and_what_really_went_out_is_kept(house: House) -> None:
    """A broker whose files tell no ticks brings that price to the true one, and no other."""
    order = await house.place()
    await modify(house, order)
    assert not house.live.asked[-1][2].protected
    house.trading = trading(market="limit")

    async def on_tick(order: Order, sending: Sending) -> Accepted:
        await sending()
        return Accepted(order_id=order.order_id, price=Decimal("100.95"))

    house.live.changing = on_tick
    after = await modify(house, order, change("0", price_type=PriceType.MARKET))
    assert house.live.asked[-1][2].protected
    assert (after.sent_price_type, after.sent_price) == (PriceType.LIMIT, Decimal("100.95"))


async def test_a_broker_that_allows_only_so_many_changes(house: House) -> None:
    house.trading = trading(modifications=2)
    order = await house.place()
    for _ in range(2):
        await modify(house, order)
    with pytest.raises(Denied, match="changed 2 times"):
        await modify(house, order)
    house.live.changing = Failing(Refused("no"))
    other = await house.place(symbol="TCS")
    for _ in range(3):
        with pytest.raises(Rejected):
            await modify(house, other)


async def test_changes_are_counted_over_a_restart(house: House, tmp_path: Path) -> None:
    house.trading = trading(modifications=2)
    order = await house.place(client_order_id="c1")
    for _ in range(2):
        await modify(house, order)
    async with House(tmp_path) as again:
        again.trading = trading(modifications=2)
        assert (await again.place(client_order_id="c1")).id == order.id, "the id stands for the changed order"
        with pytest.raises(Denied, match="changed 2 times"):
            await modify(again, order)


async def test_changes_of_one_order_follow_each_other(house: House) -> None:
    order = await house.place()
    house.live.changing = held = Held()
    tasks = [asyncio.create_task(modify(house, order, change(price))) for price in ("101", "102", "103")]
    await wait_for(lambda: held.reached, what="the first change")
    assert (await cancel(house, order)).id == order.id, "a cancel waits for none of them"
    assert held.reached == 1
    held.go.set()
    assert [(await task).price for task in tasks] == [101, 102, 103]
    assert house.now(order).price == Decimal(103)


async def test_an_id_of_a_changed_order_still_stands_for_it(house: House) -> None:
    order = await house.place(client_order_id="c1")
    await modify(house, order, change("105", quantity=20))
    assert (await house.place(client_order_id="c1")).id == order.id
    with pytest.raises(Conflict):
        await house.place(client_order_id="c1", symbol="TCS")


async def test_a_cancel_of_an_order_that_the_journal_does_not_take_is_told_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that it was sent, and nobody knows."""
    durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(house.journal, "sent", lambda order, now_ms: durable)
    placing = asyncio.create_task(house.place())
    await wait_for(lambda: house.live.asked, what="the attempt")
    order = house.only
    cancelling = asyncio.create_task(cancel(house, order))
    await wait_for(lambda: order.id in house.updates._waiters and len(house.updates._waiters[order.id]) == 2, what="it")
    house.journal._standing.drop(order)
    durable.set_exception(StoreError("the disk is full"))
    with pytest.raises(StoreError):
        await placing
    with pytest.raises(Denied, match="Cannot cancel"):
        await cancelling


async def test_a_caller_who_goes_away_cancels_no_change(house: House) -> None:
    order = await house.place()
    house.live.changing = held = Held()
    task = asyncio.create_task(modify(house, order))
    await wait_for(lambda: held.reached, what="the broker")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    held.go.set()
    await wait_for(lambda: house.now(order).price == Decimal(101), what="the change")


async def test_an_order_goes_where_it_was_placed_whatever_the_callers_mode(house: House) -> None:
    order = await house.place(TradingMode.PAPER)
    await cancel(house, order)
    await modify(house, order)
    assert [name for name, *_ in house.paper.asked] == ["place", "cancel", "modify"]
    assert not house.live.asked


# --- cancel -----------------------------------------------------------------------------------------------------------


async def test_a_cancel_waits_for_no_gate_and_no_kill_switch(house: House) -> None:
    order = await house.place()
    house.gate.clear()
    house.rules = Rules(killed=True)
    assert (await cancel(house, order)).state is S.OPEN, "that it is cancelled comes as news"
    assert await acts(house) == [("CANCEL", "accepted")]


async def test_an_order_that_waits_for_its_turn_is_withdrawn(house: House) -> None:
    house.live.placing = Held()
    placing = asyncio.create_task(house.place())
    await wait_for(lambda: house.live.asked, what="the queue")
    assert house.states == [S.PENDING]
    after = await cancel(house, house.only)
    assert (after.state, after.reason) == (S.DENIED, "Cancelled before it was sent.")
    with pytest.raises(Denied, match="Cancelled before it was sent"):
        await placing
    assert await acts(house) == []
    with pytest.raises(Denied, match="Cannot cancel order in rejected status"):
        await cancel(house, after)


async def test_an_order_withdrawn_before_its_task_began(house: House) -> None:
    seen: list[Order] = []

    async def withdraw_first(order: Order) -> None:
        seen.append(await cancel(house, order))

    add = house.journal.add

    def added(orders: Any) -> asyncio.Future[None]:
        future = add(orders)
        asyncio.get_running_loop().call_soon(lambda: tasks.append(asyncio.ensure_future(withdraw_first(orders[0]))))
        return future

    tasks: list[asyncio.Future[None]] = []
    house.journal.add = added  # type: ignore[method-assign]
    house.live.placing = Held()
    with pytest.raises(Denied, match="Cancelled before"):
        await house.place()
    await asyncio.gather(*tasks)
    assert [order.state for order in seen] == [S.DENIED]


async def test_an_order_under_way_is_cancelled_once_it_has_a_number(house: House) -> None:
    go = asyncio.Event()

    async def slow(order: Order, sending: Sending) -> Accepted:
        await sending()
        await go.wait()
        return Accepted(order_id="B9")

    house.live.placing = slow
    placing = asyncio.create_task(house.place())
    await wait_for(lambda: house.states == [S.SENT], what="the first byte")
    cancelling = asyncio.create_task(cancel(house, house.only))
    await asyncio.sleep(0)
    go.set()
    await placing
    await cancelling
    assert house.live.asked[-1][1].order_id == "B9"


async def test_an_order_in_doubt_cannot_be_cancelled_by_guessing(house: House) -> None:
    house.live.placing = Failing(Unknown("no answer"))
    with pytest.raises(InDoubt):
        await house.place()
    with pytest.raises(InDoubt) as told:
        await cancel(house, house.only)
    assert told.value.order == house.only
    assert len(house.live.asked) == 1


# --- other writes -----------------------------------------------------------------------------------------------------


async def test_a_trigger_under_one_id_is_placed_once(house: House) -> None:
    go, reached = asyncio.Event(), [0]

    async def work(sending: Sending) -> str:
        reached[0] += 1
        await go.wait()
        await sending()
        return "G1"

    def place(content: dict[str, Any], kind: ActKind = ActKind.PLACE_GTT) -> Awaitable[str]:
        return house.router.act(caller(), kind, content, work, client_order_id="g1")

    first = {"symbol": "SBIN", "legs": [{"trigger": "90"}]}
    tasks = [asyncio.ensure_future(place(first)) for _ in range(20)]
    await wait_for(lambda: reached[0], what="the broker")
    with pytest.raises(Conflict):
        await place({**first, "symbol": "TCS"})
    go.set()
    assert set(await asyncio.gather(*tasks)) == {"G1"}
    assert await place(first) == "G1"
    for other in (place({"symbol": "SBIN"}), place(first, ActKind.MODIFY_GTT)):
        with pytest.raises(Conflict, match="stands for another request"):
            await other
    assert reached == [1]
    assert await acts(house) == [("PLACE_GTT", "accepted")]


@pytest.mark.parametrize(("error", "after", "raised", "state"), OUTCOMES)
async def test_what_became_of_a_trigger_is_told_again(
    house: House, error: Exception, after: bool, raised: type[SangamError], state: ActState
) -> None:
    calls = 0

    async def work(sending: Sending) -> str:
        nonlocal calls
        calls += 1
        if after:
            await sending()
        raise error

    for again in (False, True):
        with pytest.raises(SangamError) as told:
            await house.router.act(caller(), ActKind.PLACE_GTT, {}, work, client_order_id="g1")
        assert isinstance(told.value, raised) or (again and type(told.value) is Denied)
        assert told.value.order is None
    assert calls == 1
    assert await acts(house) == [("PLACE_GTT", state.value)]


async def accept(sending: Sending) -> str:
    await sending()
    return "G1"


async def test_triggers_keep_the_users_limits_and_the_gate(house: House) -> None:
    async def act(kind: ActKind, **options: Any) -> str:
        return await house.router.act(caller(), kind, {}, accept, **options)

    house.rules = Rules(max_quantity=5, price_band=1)
    with pytest.raises(Denied, match="max_quantity"):
        await act(ActKind.PLACE_GTT, tickets=[ticket()])
    assert await act(ActKind.PLACE_GTT, tickets=[ticket(quantity=5, price="50")]) == "G1"
    house.rules = Rules(killed=True)
    with pytest.raises(Denied, match="kill switch"):
        await act(ActKind.MODIFY_GTT)
    assert await act(ActKind.CANCEL_GTT, urgent=True) == "G1"
    house.gate.clear()
    assert await act(ActKind.CANCEL_GTT, urgent=True) == "G1"
    with pytest.raises(Denied, match="still being compared"):
        await act(ActKind.CONVERT)


async def test_a_journal_that_takes_nothing_lets_no_act_leave(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    order = await house.place()
    left = False

    async def leave(order: Order, sending: Sending) -> Accepted:
        nonlocal left
        await sending()
        left = True
        return Accepted(order_id="B1")

    def full(act: Act) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(StoreError("The disk is full."))
        return future

    house.live.cancelling = leave
    monkeypatch.setattr(house.journal, "act_sent", full)
    with pytest.raises(StoreError, match="disk is full") as told:
        await cancel(house, order)
    assert not left
    assert told.value.order == order


async def test_a_shutdown_leaves_acts_in_doubt_or_denied(house: House) -> None:
    never, sent = asyncio.Event(), asyncio.Event()

    async def after(sending: Sending) -> str:
        await sending()
        sent.set()
        await never.wait()
        return ""

    async def before(sending: Sending) -> str:
        await never.wait()
        return ""

    tasks = [
        asyncio.ensure_future(house.router.act(caller(), ActKind.CONVERT, {}, after)),
        asyncio.ensure_future(house.router.act(caller(), ActKind.CONVERT, {}, before)),
    ]
    await sent.wait()
    await house.router.close(0.05)
    assert sorted(state for _, state in await acts(house)) == ["denied", "unknown"]
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(error) for error in told] == [InDoubt, Denied]
    with pytest.raises(Denied, match="shutting down"):
        await house.router.act(caller(), ActKind.CONVERT, {}, accept)


def test_the_rig_trades_what_the_toy_broker_does() -> None:
    own: Trading = trading()
    assert SBIN.exchange in own.products


async def test_the_kill_switch_stops_a_larger_order_that_waits_for_its_turn(house: House) -> None:
    order = await house.place()
    reached, go = asyncio.Event(), asyncio.Event()

    async def waits(order: Order, sending: Sending) -> Accepted:
        reached.set()
        await go.wait()
        await sending()
        return Accepted(order_id=order.order_id)

    house.live.changing = waits
    larger = asyncio.create_task(modify(house, order, change(quantity=20)))
    await reached.wait()
    house.rules = Rules(killed=True)
    go.set()
    with pytest.raises(Denied, match="kill switch"):
        await larger
    assert (await modify(house, order, change("99"))).price == 99
