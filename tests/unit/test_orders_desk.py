"""The order desk: whom a request means, which order, and books in the house's words."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.orders_support import an_update
from tests.router_rig import ACCOUNT, SBIN, House, ScriptedExecutor, caller, ticket

from sangam.model.books import Funds, Gtt, GttLeg, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Action, Exchange, KeyMode, Product, Scope
from sangam.model.errors import AuthError, Denied, InvalidInput, OrderNotFound, Unknown, Unsupported
from sangam.model.identity import AccountInfo, Identity
from sangam.model.instrument import Instrument
from sangam.model.order import Order, OrderState, OrderUpdate, TradingMode
from sangam.model.rules import Rules
from sangam.orders.desk import OrderDesk
from sangam.orders.ports import Caller, Sending

PAPER_ONLY = AccountInfo("u-sim", "u", "simulated")
LIVE, PAPER = TradingMode.LIVE, TradingMode.PAPER


class Books(ScriptedExecutor):
    """An executor with books that a test fills; `error` is what every read raises."""

    def __init__(self, mode: TradingMode) -> None:
        super().__init__(mode)
        self.rows: list[OrderUpdate] = []
        self.held: list[Position] = []
        self.owned: list[Holding] = []
        self.done: list[Trade] = []
        self.triggers: list[Gtt] = []
        self.writes: list[tuple[Any, ...]] = []
        self.error: Exception | None = None

    def _read(self) -> None:
        if self.error is not None:
            raise self.error

    async def orders(self, account: str) -> list[OrderUpdate]:
        self._read()
        return self.rows

    async def find(self, account: str, order: Order) -> OrderUpdate | None:
        return next((row for row in self.rows if row.order_id == order.order_id), None)

    async def trades(self, account: str) -> list[Trade]:
        self._read()
        return self.done

    async def positions(self, account: str) -> list[Position]:
        self._read()
        return self.held

    async def holdings(self, account: str) -> list[Holding]:
        return self.owned

    async def funds(self, account: str) -> Funds:
        return Funds(available_cash=5.0)

    async def margin(self, account: str, legs: Sequence[tuple[Instrument, MarginLeg]]) -> Margin:
        return Margin(total=float(len(legs)))

    async def gtts(self, account: str) -> list[Gtt]:
        return self.triggers

    async def convert(
        self, account: str, instrument: Instrument, old: Product, new: Product, quantity: int, sending: Sending
    ) -> None:
        await sending()
        self.writes.append(("convert", instrument.symbol, old, new, quantity))

    async def place_gtt(
        self, account: str, instrument: Instrument, legs: Sequence[GttLeg], last_price: float, sending: Sending
    ) -> str:
        await sending()
        self.writes.append(("place", instrument.symbol, last_price))
        return "7"

    async def modify_gtt(
        self,
        account: str,
        trigger_id: str,
        instrument: Instrument,
        legs: Sequence[GttLeg],
        last_price: float,
        sending: Sending,
    ) -> str:
        await sending()
        self.writes.append(("modify", trigger_id, last_price))
        return trigger_id

    async def cancel_gtt(self, account: str, trigger_id: str, sending: Sending) -> str:
        await sending()
        self.writes.append(("cancel", trigger_id))
        return trigger_id


class Room:
    def __init__(self, home: Path) -> None:
        self.live, self.paper = Books(LIVE), Books(PAPER)
        self.house = House(home, live=self.live)
        self.clock = ManualClock(datetime(2026, 8, 18, 10, 0, tzinfo=IST))
        self.desk = OrderDesk(
            self.house.journal,
            self.house.router,
            self.house.updates,
            {LIVE: self.live, PAPER: self.paper},
            master=lambda account: self.house.master,
            price=self._price,
            venue={ACCOUNT.broker: LIVE, PAPER_ONLY.broker: PAPER}.get,
            clock=self.clock,
        )

    async def _price(self, account: str, instrument: Instrument) -> float:
        return 625.5


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = Room(tmp_path)
    async with room.house:
        yield room


def identity(mode: KeyMode = KeyMode.FOLLOW, *, analyzer: bool = False, **accounts: Any) -> Identity:
    given: dict[str, Any] = {"accounts": (ACCOUNT, PAPER_ONLY), "order_account": ACCOUNT} | accounts
    return Identity(
        user="u", key_id="k1", scopes=frozenset({Scope.ORDERS_WRITE}), mode=mode, analyzer=analyzer, **given
    )


# --- whom -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "analyzer", "account", "expected"),
    [
        (KeyMode.FOLLOW, False, None, LIVE),
        (KeyMode.FOLLOW, True, None, PAPER),
        (KeyMode.PAPER, False, None, PAPER),
        (KeyMode.LIVE, True, None, LIVE),
        (KeyMode.FOLLOW, False, "u-sim", PAPER),
        (KeyMode.PAPER, False, "simulated", PAPER),
    ],
)
async def test_the_mode_is_that_of_key_switch_and_broker(
    room: Room, mode: KeyMode, analyzer: bool, account: str | None, expected: TradingMode
) -> None:
    asked = room.desk.caller(identity(mode, analyzer=analyzer), account)
    assert asked.mode is expected
    assert asked.account == (PAPER_ONLY if account else ACCOUNT)


async def test_promise_5_a_key_for_live_orders_never_trades_paper(room: Room) -> None:
    with pytest.raises(Denied, match="This key trades live only"):
        room.desk.caller(identity(KeyMode.LIVE), "u-sim")


async def test_promise_5_orders_for_a_broker_that_takes_none_do_not_become_paper(room: Room) -> None:
    off = AccountInfo("u-off", "u", "switched-off")
    held: dict[str, Any] = {"accounts": (ACCOUNT, off), "order_account": off}
    with pytest.raises(Unsupported, match="not supported for broker 'switched-off'"):
        room.desk.caller(identity(**held), None)
    assert room.desk.caller(identity(KeyMode.PAPER, **held), None).mode is PAPER


async def test_accounts_are_never_guessed(room: Room) -> None:
    with pytest.raises(InvalidInput, match="no account 'nobodys'"):
        room.desk.caller(identity(), "nobodys")
    with pytest.raises(AuthError, match="no account for orders"):
        room.desk.caller(identity(order_account=None), None)


# --- which order ------------------------------------------------------------------------------------------------------


async def test_an_order_is_found_by_each_of_its_names_in_its_own_mode_and_account(room: Room) -> None:
    order = await room.desk.place(caller(), ticket(client_order_id="c1"))
    for name in (order.id, order.order_id, "c1"):
        assert room.desk.find(caller(), name) == room.house.now(order)
        with pytest.raises(OrderNotFound, match=r"it is a live order, and this key is on paper now.*--mode live"):
            room.desk.find(caller(PAPER), name)
    with pytest.raises(OrderNotFound, match="Order nope not found"):
        room.desk.find(caller(), "nope")


async def test_an_order_in_another_account_of_ones_own_says_where_it_is(room: Room) -> None:
    order = await room.desk.place(caller(), ticket())
    other = Caller(identity(), PAPER_ONLY, PAPER)
    for name in (order.id, order.order_id):
        with pytest.raises(OrderNotFound, match=r"in u-sim: it is in u-toy; name that as `account`"):
            room.desk.find(other, name)
        stranger = Caller(identity(accounts=(PAPER_ONLY,), order_account=PAPER_ONLY), PAPER_ONLY, PAPER)
        with pytest.raises(OrderNotFound, match=rf"^Order {name} not found$"):
            room.desk.find(stranger, name)


async def test_an_order_placed_elsewhere_can_be_cancelled(room: Room) -> None:
    room.live.rows = [an_update(order_id="B9", tag="")]
    await room.desk.cancel(caller(), "B9")
    ((what, order),) = room.live.asked
    assert (what, order.order_id, order.foreign) == ("cancel", "B9", True)
    with pytest.raises(OrderNotFound):
        await room.desk.cancel(caller(), "B10")


async def test_the_order_book_has_what_only_the_journal_knows(room: Room) -> None:
    denied = room.desk.place(caller(), ticket(quantity=0))
    with pytest.raises(Denied):
        await denied
    mine = await room.desk.place(caller(), ticket())
    await room.desk.place(caller(PAPER), ticket())
    room.live.rows = [
        an_update("complete", order_id=mine.order_id, tag=mine.our_tag, filled_quantity=10, average_price=99.5),
        an_update(order_id="B9", tag="", brsymbol="TCS-TOY"),
    ]
    book = await room.desk.orders(caller())
    assert [(order.symbol, order.state, order.foreign) for order in book if order.order_id == mine.order_id] == [
        ("SBIN", OrderState.COMPLETE, False)
    ]
    assert {order.order_id for order in book} == {mine.order_id, "B9"}
    assert {order.mode for order in book} == {LIVE}


async def test_what_may_still_change_positions(room: Room) -> None:
    """From the journal alone; what ended a moment ago is told to whom asks for it."""
    over = await room.desk.place(caller(), ticket())
    works = await room.desk.place(caller(), ticket())
    await room.desk.place(caller(PAPER), ticket())
    room.live.error = Unknown("nothing is read")
    room.clock.advance((over.updated_at - room.clock.now_ms()) / 1000)
    terms: dict[str, Any] = {"order_id": over.order_id, "tag": over.our_tag, "brsymbol": "SBIN"}
    room.house.updates.heard(ACCOUNT.id, LIVE, an_update("complete", filled_quantity=10, **terms))
    assert [order.id for order in room.desk.moving(caller())] == [works.id]
    assert {order.id for order in room.desk.moving(caller(), ended_within=60)} == {over.id, works.id}
    room.clock.advance(3600)
    assert {order.id for order in room.desk.moving(caller(), ended_within=60)} == {works.id}


async def test_a_paper_book_is_one_for_all_accounts_of_its_user(room: Room) -> None:
    mine = await room.desk.place(caller(PAPER), ticket())
    other = AccountInfo("u-other", "u", "toy")
    whole = Identity(user="u", key_id="k2", scopes=frozenset(), accounts=(ACCOUNT, other))
    assert [order.id for order in room.desk.moving(Caller(whole, other, PAPER))] == [mine.id]
    assert room.desk.moving(Caller(whole, other, LIVE)) == []


async def test_the_largest_order_of_an_exchange(room: Room) -> None:
    assert room.desk.freeze_quantity(caller(), SBIN) is None
    room.house.master.freezes["SBIN"] = 500
    assert room.desk.freeze_quantity(caller(), SBIN) == 500


async def test_promise_7_a_book_that_cannot_be_read_is_not_empty(room: Room) -> None:
    room.live.error = Unknown("no answer")
    for read in (room.desk.orders, room.desk.positions, room.desk.trades):
        with pytest.raises(Unknown):
            await read(caller())


# --- books ------------------------------------------------------------------------------------------------------------


def position(brsymbol: str, brexchange: str = "NSE") -> Position:
    return Position(brsymbol=brsymbol, brexchange=brexchange, product=Product.MIS, quantity=5)


async def test_books_name_instruments_as_the_house_does(room: Room) -> None:
    room.live.held = [position("SBIN-TOY")]
    room.live.owned = [Holding(brsymbol="SBIN-TOY", brexchange="NSE", quantity=1)]
    ((instrument, _),) = await room.desk.positions(caller())
    assert instrument == SBIN
    assert (await room.desk.holdings(caller()))[0][0] == SBIN
    room.live.owned = [Holding(brsymbol="", token=SBIN.token, brexchange=SBIN.brexchange, quantity=1)]
    assert (await room.desk.holdings(caller()))[0][0] == SBIN
    assert await room.desk.trades(caller()) == []
    assert (await room.desk.funds(caller())).available_cash == 5.0
    leg = MarginLeg(action=Action.BUY, quantity=1, product=Product.MIS, price_type=ticket().price_type)
    assert (await room.desk.margin(caller(), [(SBIN, leg)])).total == 1.0


async def test_a_position_that_the_master_does_not_know_is_shown_all_the_same(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    room.live.held = [position("GONE-TOY")]
    ((instrument, _),) = await room.desk.positions(caller())
    assert (instrument.symbol, instrument.exchange, instrument.brsymbol) == ("GONE-TOY", Exchange.NSE, "GONE-TOY")
    assert "GONE-TOY on NSE is not in today's instruments" in caplog.text


async def test_promise_7_a_book_of_an_unknown_exchange_is_not_shown_in_part(room: Room) -> None:
    room.live.held = [position("SBIN-TOY"), position("GOLD", "XYZ")]
    with pytest.raises(Unknown, match="the book is not shown in part"):
        await room.desk.positions(caller())


# --- other writes -----------------------------------------------------------------------------------------------------


def leg(**changes: Any) -> GttLeg:
    values: dict[str, Any] = {"trigger": Decimal(600), "action": Action.BUY, "quantity": 1, "price": Decimal(599)}
    return GttLeg(**{**values, **changes})


async def test_triggers_are_placed_changed_and_cancelled_at_the_last_price(room: Room) -> None:
    desk = room.desk
    assert await desk.place_gtt(caller(), SBIN, [leg()], "g1") == "7"
    assert await desk.place_gtt(caller(), SBIN, [leg()], "g1") == "7"
    assert await desk.modify_gtt(caller(), "7", SBIN, [leg(trigger=Decimal(601))]) == "7"
    assert await desk.cancel_gtt(caller(), "7") == "7"
    assert room.live.writes == [("place", "SBIN", 625.5), ("modify", "7", 625.5), ("cancel", "7")]


async def test_a_trigger_keeps_the_users_limits(room: Room) -> None:
    room.house.rules = Rules(max_quantity=1)
    with pytest.raises(Denied, match="max_quantity"):
        await room.desk.place_gtt(caller(), SBIN, [leg(quantity=2)])
    with pytest.raises(Denied, match="max_quantity"):
        await room.desk.modify_gtt(caller(), "7", SBIN, [leg(quantity=2)])
    assert not room.live.writes


async def test_a_position_changes_its_product(room: Room) -> None:
    await room.desk.convert(caller(), SBIN, Product.MIS, Product.CNC, 5)
    assert room.live.writes == [("convert", "SBIN", Product.MIS, Product.CNC, 5)]
