"""Placements through the router: journalled before they leave, sent once, their outcome told as it is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.orders_support import an_update
from tests.router_rig import ACCOUNT, QUICK, House, caller, ticket, trading
from tests.support import wait_for

from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import (
    Conflict,
    Denied,
    InDoubt,
    NotSent,
    RateLimited,
    Refused,
    Rejected,
    SangamError,
    SessionExpired,
    StoreError,
    SymbolNotFound,
    Unknown,
    Unsupported,
)
from sangam.model.order import Accepted, Order, OrderState, TradingMode
from sangam.model.rules import Rules
from sangam.orders.journal import EventKind
from sangam.orders.ports import Sending

S = OrderState


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House(tmp_path) as house:
        yield house


def failing(error: Exception, *, after: bool) -> Any:
    async def script(order: Order, sending: Sending) -> Accepted:
        if after:
            await sending()
        raise error

    return script


class Held:
    """A broker that keeps its answer; `go` lets it answer."""

    def __init__(self, before: bool = False, error: Exception | None = None) -> None:
        self.go = asyncio.Event()
        self.reached = 0
        self._before = before
        self._error = error

    async def __call__(self, order: Order, sending: Sending) -> Accepted:
        if self._before:
            self.reached += 1
            await self.go.wait()
        await sending()
        if not self._before:
            self.reached += 1
            await self.go.wait()
        if self._error is not None:
            raise self._error
        return Accepted(order_id="B1")


# --- outcomes ---------------------------------------------------------------------------------------------------------


async def test_an_order_that_is_filled_as_it_is_taken_is_told_so(house: House) -> None:
    """A paper MARKET order is: both news come in one turn of the loop."""

    async def filled(order: Order, sending: Sending) -> Accepted:
        await sending()
        terms: Any = {"order_id": "B1", "tag": order.our_tag, "brsymbol": "SBIN", "brexchange": "NSE"}
        house.updates.heard(ACCOUNT.id, order.mode, an_update("open", **terms))
        house.updates.heard(ACCOUNT.id, order.mode, an_update("complete", filled_quantity=10, **terms))
        await asyncio.sleep(0.01)
        return Accepted(order_id="B1")

    house.live.placing = filled
    order = await house.router.place(caller(), ticket())
    assert (order.state, order.filled_quantity) == (S.COMPLETE, 10)


async def test_an_order_is_durably_sent_before_its_first_byte(house: House) -> None:
    seen: list[tuple[OrderState, int]] = []

    async def look(order: Order, sending: Sending) -> Accepted:
        assert house.only.state is S.PENDING
        await sending()
        with house.database.begin() as connection:
            rows = connection.exec_driver_sql("SELECT state, sent_at FROM orders").all()
        seen.extend((OrderState(state), sent_at) for state, sent_at in rows)
        return Accepted(order_id="B1", native={"variety": "regular"})

    house.live.placing = look
    order = await house.place(tag="mine", strategy="s", client_order_id="c1")
    ((state, sent_at),) = seen
    assert state is S.SENT
    assert sent_at > 0
    assert (order.state, order.order_id, order.native) == (S.OPEN, "B1", {"variety": "regular"})
    assert (order.account, order.user, order.broker, order.key_id) == ("u-toy", "u", "toy", "k1")
    assert (order.tag, order.strategy, order.client_order_id, order.mode) == ("mine", "s", "c1", TradingMode.LIVE)
    assert order.id.startswith("L-")
    assert order == house.now(order)


@pytest.mark.parametrize(
    ("error", "after", "raised", "state", "code"),
    [
        (NotSent("unreachable"), True, Denied, S.DENIED, "NETWORK_ERROR"),
        (NotSent("unreachable"), False, Denied, S.DENIED, "NETWORK_ERROR"),
        (RateLimited("used up").unsent(), False, RateLimited, S.DENIED, "RATE_LIMITED"),
        (SessionExpired("log in").unsent(), False, SessionExpired, S.DENIED, "INVALID_TOKEN"),
        (Unsupported("no orders"), False, Unsupported, S.DENIED, "UNSUPPORTED"),
        (Unknown("a read failed"), False, Denied, S.DENIED, "NETWORK_ERROR"),
        (Refused("a read was refused"), False, Denied, S.DENIED, "BROKER_ERROR"),
        (ValueError("a bug"), False, Denied, S.DENIED, "UNKNOWN_ERROR"),
        (Denied("not on paper"), True, Denied, S.DENIED, "INVALID_ORDER"),
        (Refused("no margin", "INSUFFICIENT_FUNDS"), True, Rejected, S.REJECTED, "INSUFFICIENT_FUNDS"),
        (SessionExpired("dead"), True, SessionExpired, S.REJECTED, "INVALID_TOKEN"),
        (RateLimited("429"), True, RateLimited, S.REJECTED, "RATE_LIMITED"),
        (Unknown("no answer"), True, InDoubt, S.UNKNOWN, "OUTCOME_UNKNOWN"),
        (ValueError("a bug"), True, InDoubt, S.UNKNOWN, "OUTCOME_UNKNOWN"),
        (StoreError("lost"), True, InDoubt, S.UNKNOWN, "OUTCOME_UNKNOWN"),
    ],
)
async def test_promise_2_an_error_says_what_is_known_and_no_more(
    house: House, error: Exception, after: bool, raised: type[SangamError], state: OrderState, code: str
) -> None:
    house.live.placing = failing(error, after=after)
    with pytest.raises(raised) as told:
        await house.place()
    assert type(told.value) is raised
    assert told.value.order == house.only
    assert house.only.state is state
    assert house.only.code == code
    assert house.only.reason
    assert told.value.code == code
    assert len(house.live.asked) == 1


async def test_a_doubt_says_why(house: House) -> None:
    house.live.placing = failing(Unknown("HTTP 503"), after=True)
    with pytest.raises(InDoubt, match=r"nobody knows yet what became of it \(HTTP 503\)"):
        await house.place()


async def test_evidence_within_the_window_answers(house: House) -> None:
    house.live.placing = failing(Unknown("no answer"), after=True)
    placing = asyncio.create_task(house.place())
    await wait_for(lambda: house.states == [S.UNKNOWN], what="doubt")
    house.hear(house.only, "complete", filled_quantity=10)
    order = await placing
    assert (order.state, order.order_id) == (S.COMPLETE, "B77")


async def test_evidence_may_be_a_rejection(house: House) -> None:
    house.live.placing = failing(Unknown("no answer"), after=True)
    placing = asyncio.create_task(house.place())
    await wait_for(lambda: house.states == [S.UNKNOWN], what="doubt")
    house.hear(house.only, "rejected", rejection_reason="no margin")
    with pytest.raises(Rejected, match="no margin"):
        await placing


async def test_nobody_waits_longer_than_the_window_and_the_outcome_still_counts(house: House) -> None:
    house.live.placing = held = Held()
    with pytest.raises(InDoubt, match="Do not repeat it") as told:
        await house.place()
    assert told.value.order == house.only
    assert house.states == [S.SENT]
    held.go.set()
    await wait_for(lambda: house.states == [S.OPEN], what="the outcome")


async def test_news_that_are_faster_than_the_reply_answer(house: House) -> None:
    house.live.placing = held = Held()
    placing = asyncio.create_task(house.place())
    await wait_for(lambda: held.reached, what="the broker")
    house.hear(house.only, "open")
    assert (await placing).order_id == "B77"
    held.go.set()


async def test_a_caller_who_goes_away_cancels_nothing(house: House) -> None:
    house.live.placing = held = Held()
    placing = asyncio.create_task(house.place())
    await wait_for(lambda: held.reached, what="the broker")
    placing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await placing
    held.go.set()
    await wait_for(lambda: house.states == [S.OPEN], what="the outcome")


# --- refused before anything is journalled ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "raised"),
    [
        ({"symbol": "NOSUCH"}, SymbolNotFound),
        ({"price": "100.03"}, Denied),
        ({"quantity": 0}, Denied),
        ({"exchange": Exchange.NFO}, SymbolNotFound),
        ({"tag": "t" * 21}, Denied),
    ],
)
async def test_promise_5_wrong_terms_reach_nobody(
    house: House, fields: dict[str, Any], raised: type[Exception]
) -> None:
    with pytest.raises(raised):
        await house.place(**fields)
    assert not house.live.asked
    assert not house.states


async def test_freeze_quantities_and_products_of_the_broker(house: House) -> None:
    house.master.freezes = {"SBIN": 100}
    with pytest.raises(Denied, match="splitorder"):
        await house.place(quantity=101)
    house.trading = trading(products={Exchange.NSE: frozenset({Product.CNC})})
    with pytest.raises(Denied, match="Use CNC"):
        await house.place()
    assert (await house.place(TradingMode.PAPER)).id.startswith("P-"), "paper has products of its own"


async def test_the_kill_switch_also_stops_those_who_wait_for_their_turn(house: House) -> None:
    house.live.placing = held = Held(before=True)
    placing = asyncio.create_task(house.place())
    await wait_for(lambda: held.reached, what="the queue")
    house.rules = Rules(killed=True)
    held.go.set()
    with pytest.raises(Denied, match="kill switch"):
        await placing
    assert house.states == [S.DENIED]
    with pytest.raises(Denied, match="kill switch"):
        await house.place()
    assert (await house.router.place(caller(), ticket(), urgent=True)).state is S.OPEN


async def test_the_days_count_counts_a_basket_too(house: House) -> None:
    house.rules = Rules(max_orders_per_day=3)
    await house.place()
    results = await house.place_all(*[ticket(symbol=symbol) for symbol in ("SBIN", "TCS", "SBIN")])
    assert [type(result) for result in results] == [Order, Order, Denied]
    with pytest.raises(Denied, match="3 orders a day"):
        await house.place()


async def test_a_stale_price_measures_nothing(house: House) -> None:
    house.rules, house.last = Rules(price_band=5), (100.0, 60_000)
    with pytest.raises(Denied, match="60 s old"):
        await house.place()
    house.last = (100.0, 100)
    assert (await house.place(price="104")).state is S.OPEN


# --- protection -------------------------------------------------------------------------------------------------------


async def test_market_orders_are_protected_where_the_broker_wants_it(house: House) -> None:
    house.trading = trading(market="limit")
    order = await house.place(price_type=PriceType.MARKET, price="0")
    assert (order.price_type, order.price) == (PriceType.MARKET, Decimal(0))
    assert (order.sent_price_type, str(order.sent_price)) == (PriceType.LIMIT, "101.00")
    assert order.conversion == "MARKET sent as LIMIT 101.00: last price 100.0, 1 % protection"
    for last in (None, (100.0, 60_000)):
        house.last = last
        with pytest.raises(Denied, match="No live price"):
            await house.place(price_type=PriceType.MARKET, price="0")
    assert len(house.live.asked) == 1
    assert not (await house.place(TradingMode.PAPER, price_type=PriceType.MARKET, price="0")).conversion


async def test_only_stops_at_the_market_are_protected_where_the_broker_takes_market(house: House) -> None:
    house.trading = trading(market="limit stops")
    market = await house.place(price_type=PriceType.MARKET, price="0")
    assert (market.sent_price_type, market.conversion) == (None, "")
    stop = await house.place(price_type=PriceType.SL_M, price="0", trigger_price="102")
    assert (stop.sent_price_type, str(stop.sent_price)) == (PriceType.SL, "103.00")


# --- the gate ---------------------------------------------------------------------------------------------------------


async def test_orders_wait_until_the_books_are_compared_and_not_for_ever(house: House) -> None:
    house.gate.clear()
    with pytest.raises(Denied, match="still being compared"):
        await house.place()
    assert not house.states
    placing = asyncio.create_task(house.place())
    await asyncio.sleep(0)
    house.gate.set()
    assert (await placing).state is S.OPEN
    house.gate.clear()
    assert (await house.place(TradingMode.PAPER)).state is S.OPEN


# --- promise 1: once --------------------------------------------------------------------------------------------------


async def test_fifty_at_once_with_one_id_are_one_order(house: House) -> None:
    house.live.placing = held = Held()
    tasks = [asyncio.create_task(house.place(client_order_id="c1")) for _ in range(50)]
    await wait_for(lambda: held.reached, what="the broker")
    held.go.set()
    orders = await asyncio.gather(*tasks)
    assert {order.id for order in orders} == {house.only.id}
    assert len(house.live.asked) == 1
    assert await house.place(client_order_id="c1") == house.only
    assert len(house.live.asked) == 1


async def test_other_content_under_the_same_id_is_refused(house: House) -> None:
    house.live.placing = held = Held()
    placing = asyncio.create_task(house.place(client_order_id="c1"))
    await wait_for(lambda: held.reached, what="the broker")
    others: list[dict[str, Any]] = [{"quantity": 11}, {"action": Action.SELL}, {"symbol": "TCS"}, {"price": "99"}]
    for fields in others:
        with pytest.raises(Conflict, match="stands for another order"):
            await house.place(client_order_id="c1", **fields)
    held.go.set()
    first = await placing
    for fields in others:
        with pytest.raises(Conflict, match=first.id):
            await house.place(client_order_id="c1", **fields)
    with pytest.raises(Conflict):
        await house.place(TradingMode.PAPER, client_order_id="c1")
    assert len(house.live.asked) == 1
    assert not house.paper.asked


@pytest.mark.parametrize(
    ("error", "raised"),
    [(Refused("no margin"), Rejected), (NotSent("down"), Denied), (Unknown("no answer"), InDoubt)],
)
async def test_the_same_id_again_gets_the_same_outcome(house: House, error: Exception, raised: type[Exception]) -> None:
    house.live.placing = failing(error, after=True)
    for _ in range(3):
        with pytest.raises(raised):
            await house.place(client_order_id="c1")
    assert len(house.live.asked) == 1


async def test_the_same_id_again_waits_for_evidence(house: House) -> None:
    house.live.placing = failing(Unknown("no answer"), after=True)
    with pytest.raises(InDoubt):
        await house.place(client_order_id="c1")
    again = asyncio.create_task(house.place(client_order_id="c1"))
    await asyncio.sleep(0)
    house.hear(house.only, "open")
    assert (await again).order_id == "B77"


async def test_what_was_refused_before_the_journal_may_be_corrected_under_its_id(house: House) -> None:
    with pytest.raises(Denied):
        await house.place(client_order_id="c1", price="100.03")
    assert (await house.place(client_order_id="c1", price="100.05")).state is S.OPEN


async def test_prices_that_a_market_order_does_not_have_make_no_difference(house: House) -> None:
    first = await house.place(client_order_id="c1", price_type=PriceType.MARKET, price="0")
    assert await house.place(client_order_id="c1", price_type=PriceType.MARKET, price="55.5") == first


async def test_after_a_restart_an_id_still_stands(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        first = await house.place(client_order_id="c1")
    async with House(tmp_path) as house:
        assert (await house.place(client_order_id="c1")).id == first.id
        assert not house.live.asked
        with pytest.raises(Conflict):
            await house.place(client_order_id="c1", quantity=1)


async def test_a_look_alike_of_an_order_in_doubt_is_refused(house: House) -> None:
    house.live.placing = failing(Unknown("no answer"), after=True)
    with pytest.raises(InDoubt):
        await house.place()
    doubtful = house.only
    house.live.placing = house.live.accept
    with pytest.raises(Conflict, match=doubtful.id) as told:
        await house.place()
    assert told.value.order == doubtful
    assert (await house.place(price="99")).state is S.OPEN
    assert (await house.place(action=Action.SELL)).state is S.OPEN
    assert (await house.place(client_order_id="another")).state is S.OPEN
    assert (await house.place(TradingMode.PAPER)).state is S.OPEN
    house.hear(doubtful, "cancelled")
    assert (await house.place()).state is S.OPEN


async def test_a_defect_after_the_answer_leaves_nobody_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Order:
        raise ValueError("a defect")

    monkeypatch.setattr(house.updates, "accepted", broken)
    with pytest.raises(InDoubt):
        await asyncio.wait_for(house.place(), QUICK.evidence / 2)
    monkeypatch.setattr(house.updates, "denied", broken)
    house.live.placing = failing(NotSent("no way"), after=False)
    with pytest.raises(Denied, match="A fault of ours"):
        await asyncio.wait_for(house.place(symbol="TCS"), QUICK.evidence / 2)
    assert caplog.text.count("was not followed to its end") == 2


async def test_a_look_alike_of_an_order_whose_caller_was_sent_away_is_refused(house: House) -> None:
    """The broker still has it, and the caller was told not to repeat: it is in doubt for him."""
    house.live.placing = held = Held()
    with pytest.raises(InDoubt):
        await house.place()
    assert house.only.state is S.SENT
    with pytest.raises(Conflict, match=house.only.id):
        await house.place()
    held.go.set()
    await wait_for(lambda: house.only.state is S.OPEN, what="the answer")
    assert (await house.place(client_order_id="c2")).state is S.OPEN


# --- several at once --------------------------------------------------------------------------------------------------


async def test_a_basket_is_one_commit_and_goes_side_by_side(house: House) -> None:
    house.live.placing = held = Held()
    placing = asyncio.create_task(
        house.place_all(ticket(), ticket(symbol="TCS"), ticket(price="100.03"), ticket(quantity=20))
    )
    await wait_for(lambda: held.reached == 3, what="three at the broker")
    held.go.set()
    results = await placing
    assert [type(result) for result in results] == [Order, Order, Denied, Order]
    assert house.live.waits == [QUICK.group_wait] * 3
    assert len({order.id for _, order in house.live.asked}) == 3


async def test_one_id_twice_in_a_basket_is_one_order(house: House) -> None:
    results = await house.place_all(ticket(client_order_id="c1"), ticket(client_order_id="c1"))
    assert results[0] == results[1]
    assert len(house.live.asked) == 1


async def test_how_long_an_order_may_wait_is_its_own_word(house: House) -> None:
    await house.place(wait_ms=250)
    await house.place()
    assert house.live.waits == [0.25, None]


async def test_urgent_orders_say_so(house: House) -> None:
    await house.router.place(caller(), ticket(), urgent=True)
    assert house.live.urgent == [True]


async def test_no_limit_keeps_anybody_in_a_position(house: House) -> None:
    house.rules = Rules(killed=True, max_quantity=1, max_value=1.0, max_orders_per_day=1, symbols=("NSE:OTHER",))
    assert (await house.router.place(caller(), ticket(), urgent=True)).state is S.OPEN
    with pytest.raises(Denied):
        await house.place()


# --- a journal that takes nothing -------------------------------------------------------------------------------------


async def test_a_full_disk_denies_and_sends_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    async def place(order: Order, sending: Sending) -> Accepted:
        await sending()
        sent.append(order.id)
        return Accepted(order_id="B1")

    def full(*_: object) -> None:
        raise StoreError("The disk is full.")

    house.live.placing = place
    monkeypatch.setattr(house.writer, "_transact", full)
    monkeypatch.setattr(house.writer, "_try", lambda *_: StoreError("The disk is full."))
    with pytest.raises(StoreError) as told:
        await house.place(client_order_id="c1")
    assert not sent
    order = told.value.order
    assert order is not None
    assert order.state is S.DENIED


async def test_an_order_that_could_not_be_marked_as_sent_is_denied(house: House) -> None:
    def refuse(order: Order, now_ms: int) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(StoreError("The disk is full."))
        return future

    house.journal.sent = refuse  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="disk is full") as told:
        await house.place()
    assert house.states == [S.DENIED]
    assert told.value.order == house.only


async def test_an_executor_cannot_announce_twice(house: House) -> None:
    async def twice(order: Order, sending: Sending) -> Accepted:
        await sending()
        await sending()
        raise AssertionError("announced twice")

    house.live.placing = twice
    with pytest.raises(InDoubt):
        await house.place()


# --- the end ----------------------------------------------------------------------------------------------------------


async def test_shutting_down_refuses_what_is_new_and_lets_end_what_is_under_way(house: House) -> None:
    house.live.placing = held = Held()
    placing = asyncio.create_task(house.place())
    await wait_for(lambda: held.reached, what="the broker")
    closing = asyncio.create_task(house.router.close(5.0))
    await asyncio.sleep(0)
    with pytest.raises(Denied, match="shutting down"):
        await house.place()
    held.go.set()
    assert (await placing).state is S.OPEN
    await closing


@pytest.mark.parametrize(("before", "state", "raised"), [(True, S.DENIED, Denied), (False, S.UNKNOWN, InDoubt)])
async def test_what_does_not_end_in_time_is_denied_or_in_doubt(
    house: House, before: bool, state: OrderState, raised: type[Exception]
) -> None:
    house.live.placing = held = Held(before)
    placing = asyncio.create_task(house.place())
    await wait_for(lambda: held.reached, what="the executor")
    await house.router.close(0.05)
    with pytest.raises(raised):
        await placing
    assert house.states == [state]


def events(house: House) -> Callable[[], list[EventKind]]:
    return lambda: [row["kind"] for row in house.journal.export(ACCOUNT.id, 0, 2**53)]


async def test_the_audit_trail_has_every_step(house: House) -> None:
    await house.place()
    told = await asyncio.to_thread(events(house))
    assert told[:2] == [EventKind.PENDING, EventKind.SENT]
