"""The paper executor over a real database: durable before it answers, the same after a restart, on time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from tests.databases import database_url
from tests.paper_rig import ACCOUNT, CALL, CRUDE, FUTURE, INFY, SBIN, FakeSource, at
from tests.support import wait_for

from sangam.model.books import GttLeg, MarginLeg
from sangam.model.calendar import Calendar
from sangam.model.clock import ManualClock
from sangam.model.enums import Action, PriceType, Product
from sangam.model.errors import InvalidInput, Refused
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, OrderUpdate, TradingMode
from sangam.orders.ports import Executor
from sangam.paper.executor import PaperExecutor
from sangam.store.journal import open_journal_database
from sangam.store.writer import Writer

BUY, SELL = Action.BUY, Action.SELL
MARKET, LIMIT, SL_M = PriceType.MARKET, PriceType.LIMIT, PriceType.SL_M
CNC, MIS, NRML = Product.CNC, Product.MIS, Product.NRML
OTHER = "asha-upstox"
DEMO = "asha-demo"
SPOT = SBIN.symbol, SBIN.exchange


class Rig:
    """An executor with its database; `restart` is what a new process would see."""

    def __init__(self, home: Path, moment: datetime) -> None:
        self.home = home
        self.clock = ManualClock(moment)
        self.source = FakeSource(self.clock.now_ms)
        self.news: list[tuple[str, OrderUpdate]] = []
        self.sent: list[str] = []
        self.number = 0
        self.round_the_clock = False
        self.accounts = [ACCOUNT, OTHER]
        self.multiplier: Callable[[Instrument], Decimal] = lambda of: Decimal(1)
        self.open()

    def open(self) -> None:
        self.database = open_journal_database(self.home, database_url(self.home))
        self.writer = Writer(self.database)
        self.paper = PaperExecutor(
            self.database,
            self.writer,
            self.clock,
            owner=lambda account: account.partition("-")[0],
            named=lambda account, symbol, exchange: None,
            source=self.source,
            listener=lambda account, update: self.news.append((account, update)),
            calendar=Calendar(),
            always_open=lambda account: self.round_the_clock or account == DEMO,
            accounts=lambda user: self.accounts,
            multiplier=lambda of: self.multiplier(of),  # noqa: PLW0108 - tests replace it
        )
        self.paper.catch_up()

    async def close(self) -> None:
        await self.paper.stop()
        await self.writer.close()
        self.database.close()

    async def restart(self) -> None:
        """As after kill -9: what was not durable is gone."""
        await self.close()
        assert not self.source.watched
        self.open()

    async def sending(self) -> None:
        self.sent.append("now")

    async def place(
        self,
        of: Instrument = SBIN,
        action: Action = BUY,
        quantity: int = 10,
        kind: PriceType = MARKET,
        product: Product = MIS,
        account: str = ACCOUNT,
        **more: Any,
    ) -> Order:
        self.number += 1
        order = Order(
            id=f"P-{self.number:010d}",
            account=account,
            user="asha",
            broker="zerodha",
            mode=TradingMode.PAPER,
            symbol=of.symbol,
            exchange=of.exchange,
            action=action,
            quantity=quantity,
            price_type=kind,
            product=product,
            **more,
        )
        accepted = await self.paper.place(account, order, of, self.sending, urgent=False, wait=None)
        assert accepted == Accepted(order_id=order.id)
        return order

    def tell(self, of: Instrument, ltp: float, **more: Any) -> None:
        last = self.source.tell(of, ltp, **more)
        self.paper.on_price(ACCOUNT, of.symbol, of.exchange.value, last)

    async def heard(self, status: str) -> OrderUpdate:
        await wait_for(lambda: any(update.status == status for _, update in self.news), what=status)
        return next(update for _, update in self.news if update.status == status)

    async def at(self, hour: int, minute: int = 0, day: int = 24) -> None:
        self.clock.set(at(hour, minute, day))
        await self.paper.tick()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path, at(10))
    yield rig
    await rig.close()


def test_it_is_an_executor(tmp_path: Path) -> None:
    executor: type[Executor] = PaperExecutor
    assert executor.mode is TradingMode.PAPER


async def test_an_order_is_durable_when_it_is_accepted(rig: Rig) -> None:
    rig.tell(SBIN, 800.0, bid=799.5, ask=800.5)
    order = await rig.place()
    assert rig.sent == ["now"]
    await rig.restart()
    (told,) = await rig.paper.orders(ACCOUNT)
    assert (told.order_id, told.status, told.average_price) == (order.id, "complete", 800.5)
    assert (told.tag, told.price) == (order.our_tag, 0.0)
    (trade,) = await rig.paper.trades(ACCOUNT)
    assert (trade.order_id, trade.quantity, trade.price) == (order.id, 10, 800.5)
    (position,) = await rig.paper.positions(ACCOUNT)
    assert (position.quantity, position.average_price, position.pnl) == (10, 800.5, -5.0)
    funds = await rig.paper.funds(ACCOUNT)
    assert (funds.available_cash, funds.utilised, funds.m2m_unrealised) == (10_000_000 - 1601, 1601.0, -5.0)


async def test_news_of_fills_go_to_the_listener_with_their_account(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    order = await rig.place(kind=LIMIT, price=Decimal(790), account=OTHER)
    assert rig.source.watched == [SPOT]
    rig.tell(SBIN, 789.0)
    update = await rig.heard("complete")
    assert rig.news[-1][0] == OTHER
    assert (update.order_id, update.filled_quantity, update.average_price) == (order.id, 10, 790.0)
    assert await rig.paper.orders(ACCOUNT) == []
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [10]  # one book for each user


async def test_prices_are_watched_while_something_waits_or_is_held(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    order = await rig.place(kind=LIMIT, price=Decimal(700))
    await rig.restart()
    assert rig.source.watched == [SPOT]
    await rig.paper.cancel(ACCOUNT, order, rig.sending)
    assert rig.source.watched == []
    await rig.place()
    assert rig.source.watched == [SPOT]
    await rig.place(action=SELL)
    assert rig.source.watched == []


async def test_without_a_stream_prices_are_asked_for(rig: Rig) -> None:
    rig.source.asked[SPOT] = rig.source.last(800.0)
    await rig.place()
    order = await rig.place(action=SELL, kind=LIMIT, price=Decimal(810))
    rig.source.asked[SPOT] = rig.source.last(812.0)
    rig.clock.advance(5)
    await rig.paper.tick()
    found = await rig.paper.find(ACCOUNT, order)
    assert found is not None
    assert (found.status, found.average_price) == ("complete", 810.0)


async def test_a_market_order_without_a_price_is_refused_before_anything_is_sent_to_the_book(rig: Rig) -> None:
    rig.source.down = True
    with pytest.raises(Refused, match="no current price of SBIN"):
        await rig.place()
    assert rig.source.fetches == 3
    assert await rig.paper.orders(ACCOUNT) == []


async def test_yesterdays_price_fills_nothing(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    await rig.place(kind=LIMIT, price=Decimal(700), product=CNC)
    rig.clock.set(at(10, day=25))
    with pytest.raises(Refused, match="no current price"):
        await rig.place()
    order = await rig.place(kind=LIMIT, price=Decimal(900))
    rig.source.asked[SPOT] = rig.source.last(800.0, ltt=rig.clock.now_ms() - 24 * 3600 * 1000)
    rig.clock.advance(6)
    await rig.paper.tick()
    found = await rig.paper.find(ACCOUNT, order)
    assert found is not None
    assert found.status == "open"
    rig.tell(SBIN, 800.0)
    assert (await rig.heard("complete")).order_id == order.id


async def test_a_refusal_that_belongs_into_the_book_is_stored(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    with pytest.raises(Refused, match="Insufficient holdings"):
        await rig.place(action=SELL, product=CNC)
    await rig.restart()
    (told,) = await rig.paper.orders(ACCOUNT)
    assert told.status == "rejected"
    assert "Required: 10, Available: 0" in told.rejection_reason


async def test_a_change_is_durable_and_only_waiting_orders_take_one(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    order = await rig.place(kind=LIMIT, price=Decimal(700))
    change = Change(quantity=20, price_type=LIMIT, price=Decimal(710))
    await rig.paper.modify(ACCOUNT, order, change, SBIN, rig.sending, urgent=False)
    await rig.restart()
    (told,) = await rig.paper.orders(ACCOUNT)
    assert (told.quantity, told.price, told.pending_quantity) == (20, 710.0, 20)
    assert (await rig.paper.funds(ACCOUNT)).utilised == 2840.0
    await rig.paper.cancel(ACCOUNT, order, rig.sending)
    with pytest.raises(Refused, match="Cannot cancel order in cancelled status"):
        await rig.paper.cancel(ACCOUNT, order, rig.sending)
    assert (await rig.paper.funds(ACCOUNT)).utilised == 0


async def test_what_could_not_be_journalled_is_not_placed(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)

    async def fails() -> None:
        raise RuntimeError("the journal is full")

    rig.sending = fails  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await rig.place()
    assert await rig.paper.orders(ACCOUNT) == []


async def test_a_caller_who_goes_away_undoes_nothing(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    task = asyncio.create_task(rig.place())
    await wait_for(lambda: rig.sent, what="sending")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await rig.restart()
    assert [one.status for one in await rig.paper.orders(ACCOUNT)] == ["complete"]


# --- the day ----------------------------------------------------------------------------------------------------------


async def test_a_day_from_morning_to_the_day_after(rig: Rig) -> None:
    """Intraday is squared off, delivery becomes a holding, day orders end, a new session begins."""
    for of, price in ((SBIN, 800.0), (INFY, 1500.0), (FUTURE, 26_000.0), (CRUDE, 5000.0)):
        rig.tell(of, price)
    await rig.place(SBIN)
    await rig.place(INFY, product=CNC)
    await rig.place(FUTURE, quantity=75, product=NRML)
    await rig.place(CRUDE, action=SELL, quantity=100)
    waiting = await rig.place(SBIN, kind=LIMIT, price=Decimal(700))
    resting = await rig.place(INFY, kind=LIMIT, product=CNC, price=Decimal(1400))

    await rig.at(15, 14)
    assert {one.quantity for one in await rig.paper.positions(ACCOUNT)} == {10, 75, -100}
    rig.tell(SBIN, 805.0)
    await rig.at(15, 15)
    quantities = {one.brsymbol: one.quantity for one in await rig.paper.positions(ACCOUNT)}
    assert quantities == {"SBIN-BR": 0, "INFY-BR": 10, FUTURE.brsymbol: 75, CRUDE.brsymbol: -100}
    orders = {one.order_id: one for one in await rig.paper.orders(ACCOUNT)}
    assert (orders[waiting.id].status, orders[waiting.id].rejection_reason) == ("cancelled", "AUTO_SQUARE_OFF")
    (own,) = [one for one in orders.values() if one.tag == "AUTO_SQUARE_OFF"]
    assert (own.action, own.status, own.average_price) == ("SELL", "complete", 805.0)
    assert orders[resting.id].status == "open"
    assert (await rig.paper.funds(ACCOUNT)).m2m_realised == 50.0

    rig.tell(CRUDE, 4990.0)
    await rig.at(23, 30)
    assert (await rig.paper.funds(ACCOUNT)).m2m_realised == 1050.0

    cash = rig.paper.details(ACCOUNT).cash
    await rig.at(0, 1, day=25)
    (holding,) = await rig.paper.holdings(ACCOUNT)
    assert (holding.quantity, holding.average_price) == (10, 1500.0)
    details = rig.paper.details(ACCOUNT)
    assert details.cash == cash - 15_000
    assert details.holdings[0].settlement_date == "2026-11-25"
    assert (await rig.paper.funds(ACCOUNT)).m2m_realised == 1050.0

    await rig.at(3, 0, day=25)
    assert (await rig.heard("cancelled")).status == "cancelled"
    assert await rig.paper.orders(ACCOUNT) == []
    assert await rig.paper.trades(ACCOUNT) == []
    past = await rig.paper.find(ACCOUNT, resting)
    assert past is not None
    assert (past.status, past.rejection_reason) == ("cancelled", "Day order: its session is over")
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [75]
    details = rig.paper.details(ACCOUNT)
    assert (details.today_realised, details.total_realised) == (0.0, 1050.0)
    assert [(one.day, one.realised) for one in details.days] == [("2026-11-24", Decimal(1050))]

    await rig.restart()
    assert rig.paper.details(ACCOUNT) == details


async def test_what_was_missed_is_caught_up_at_the_start(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    rig.tell(INFY, 1500.0)
    await rig.place(SBIN)
    await rig.place(INFY, product=CNC)
    rig.clock.set(at(9, 30, day=26))
    await rig.restart()
    assert [one.quantity for one in await rig.paper.holdings(ACCOUNT)] == [10]
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [10]
    await rig.paper.tick()  # only yesterday's price is known: it must wait
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [10]
    rig.tell(SBIN, 790.0)
    rig.clock.advance(5)
    await rig.paper.tick()
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [0]
    assert (await rig.paper.funds(ACCOUNT)).m2m_realised == -100.0


async def test_a_market_that_never_closes_squares_nothing_off(rig: Rig) -> None:
    rig.round_the_clock = True
    rig.tell(SBIN, 800.0)
    await rig.at(16)
    rig.tell(SBIN, 800.0)
    await rig.place()
    await rig.at(17)
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [10]


async def test_sold_holdings_bring_their_price_the_day_after(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    await rig.place(product=CNC)
    await rig.at(10, day=25)
    rig.tell(SBIN, 850.0)
    await rig.place(action=SELL, quantity=4, product=CNC)
    (position,) = await rig.paper.positions(ACCOUNT)
    assert position.quantity == -4
    cash = rig.paper.details(ACCOUNT).cash
    await rig.at(0, 5, day=26)
    (holding,) = await rig.paper.holdings(ACCOUNT)
    details = rig.paper.details(ACCOUNT)
    assert (holding.quantity, details.cash - cash, details.total_realised) == (6, 3400.0, 200.0)
    await rig.at(10, day=26)
    rig.tell(SBIN, 850.0)
    with pytest.raises(Refused, match="Available: 6"):
        await rig.place(action=SELL, quantity=7, product=CNC)


async def test_expired_contracts_are_settled_at_their_last_price(rig: Rig) -> None:
    rig.tell(FUTURE, 26_000.0)
    rig.tell(CALL, 120.0)
    await rig.place(FUTURE, quantity=75, product=NRML)
    await rig.place(CALL, action=SELL, quantity=75, product=NRML)
    late = await rig.place(CALL, kind=LIMIT, quantity=75, product=NRML, price=Decimal(1))
    await rig.at(10, day=26)
    late = await rig.place(CALL, kind=LIMIT, quantity=75, product=NRML, price=Decimal(1))
    rig.tell(FUTURE, 26_100.0)
    rig.tell(CALL, 90.0)
    await rig.at(15, 39, day=26)
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [75, -75]
    await rig.at(15, 40, day=26)
    positions = await rig.paper.positions(ACCOUNT)
    assert [(one.quantity, one.realised) for one in positions] == [(0, 7500.0), (0, 2250.0)]
    found = await rig.paper.find(ACCOUNT, late)
    assert found is not None
    assert found.status == "cancelled"
    assert rig.paper.details(ACCOUNT).used == 0
    assert rig.source.watched == []


async def test_a_contract_that_was_settled_is_traded_no_more(rig: Rig) -> None:
    rig.clock.set(at(15, 40, day=26))
    rig.tell(CALL, 20.0)
    with pytest.raises(Refused, match="NIFTY26NOV2626000CE expired"):
        await rig.place(CALL, SELL, 75, product=NRML)
    assert await rig.paper.orders(ACCOUNT) == []


async def test_an_option_may_be_worthless_at_its_end(rig: Rig) -> None:
    await rig.paper.configure("asha", {"option_expiry_settlement": "zero", "expiry_settlement_timing": "next_day"})
    rig.tell(CALL, 120.0)
    await rig.place(CALL, quantity=75, product=NRML)
    await rig.at(15, 45, day=26)
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [75]
    await rig.at(15, 45, day=27)
    assert (await rig.paper.funds(ACCOUNT)).m2m_realised == -9000.0


async def test_the_weekly_reset_keeps_orders_and_the_manual_one_nothing(rig: Rig) -> None:
    await rig.paper.configure("asha", {"reset_day": "Wednesday", "reset_time": "08:00"})
    rig.tell(SBIN, 800.0)
    await rig.place(product=CNC)
    await rig.at(7, 59, day=25)
    order = await rig.place(kind=LIMIT, price=Decimal(700), product=CNC)
    assert len(await rig.paper.holdings(ACCOUNT)) == 1
    await rig.at(8, 1, day=25)
    details = rig.paper.details(ACCOUNT)
    assert (details.available, details.used, details.reset_count, details.holdings) == (10_000_000, 0, 1, ())
    assert [(one.order_id, one.status) for one in await rig.paper.orders(ACCOUNT)] == [(order.id, "cancelled")]
    await rig.restart()
    await rig.at(8, 2, day=25)
    assert rig.paper.details(ACCOUNT).reset_count == 1
    assert rig.paper.details(ACCOUNT).config.reset_day == "Wednesday"

    await rig.paper.reset("asha")
    await rig.restart()
    details = rig.paper.details(ACCOUNT)
    assert (details.reset_count, details.days, details.config.reset_day) == (2, (), "Never")
    assert await rig.paper.orders(ACCOUNT) == []
    assert await rig.paper.find(ACCOUNT, order) is None


async def test_settings_have_limits_and_capital_is_added(rig: Rig) -> None:
    with pytest.raises(InvalidInput, match="starting_capital must be one of"):
        await rig.paper.configure("asha", {"starting_capital": 12})
    await rig.paper.configure("asha", {"starting_capital": 500_000, "depth_fills": True})
    await rig.restart()
    details = await rig.paper.statement("asha")
    assert (details.available, details.config.depth_fills) == (500_000.0, True)


# --- GTTs, margins, conversions ---------------------------------------------------------------------------------------


def leg(trigger: int, price: int, action: Action = SELL, quantity: int = 10) -> GttLeg:
    return GttLeg(trigger=Decimal(trigger), action=action, quantity=quantity, price=Decimal(price))


async def test_an_oco_survives_a_restart_and_places_one_order(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    await rig.place(product=CNC)
    trigger = await rig.paper.place_gtt(ACCOUNT, SBIN, [leg(750, 745), leg(900, 899)], 800.0, rig.sending)
    await rig.restart()
    (gtt,) = await rig.paper.gtts(ACCOUNT)
    assert (gtt.trigger_id, gtt.status, gtt.brsymbol) == (trigger, "active", "SBIN-BR")
    rig.tell(SBIN, 899.0)
    assert (await rig.paper.gtts(ACCOUNT))[0].status == "active"
    rig.tell(SBIN, 905.0, bid=904.0, ask=906.0)
    await rig.restart()
    assert (await rig.paper.gtts(ACCOUNT))[0].status == "triggered"
    own = (await rig.paper.orders(ACCOUNT))[-1]
    assert (own.tag, own.status, own.average_price) == ("GTT", "complete", 904.0)


async def test_a_gtt_whose_order_is_refused_is_rejected_with_the_reason(rig: Rig) -> None:
    trigger = await rig.paper.place_gtt(ACCOUNT, SBIN, [leg(750, 745)], 800.0, rig.sending)
    rig.tell(SBIN, 740.0)
    assert [one.status for one in await rig.paper.gtts(ACCOUNT)] == ["rejected"]
    with pytest.raises(Refused, match="Cannot cancel GTT in rejected status"):
        await rig.paper.cancel_gtt(ACCOUNT, trigger, rig.sending)


async def test_a_gtt_is_changed_and_cancelled(rig: Rig) -> None:
    trigger = await rig.paper.place_gtt(ACCOUNT, SBIN, [leg(750, 745)], 800.0, rig.sending)
    await rig.paper.modify_gtt(ACCOUNT, trigger, SBIN, [leg(850, 850, BUY, 5)], 800.0, rig.sending)
    rig.tell(SBIN, 740.0)
    (gtt,) = await rig.paper.gtts(ACCOUNT)
    assert (gtt.status, gtt.legs[0].quantity) == ("active", 5)
    await rig.paper.cancel_gtt(ACCOUNT, trigger, rig.sending)
    assert rig.source.watched == []
    for legs in ([leg(750, 745), leg(760, 755)], [leg(800, 800)]):
        with pytest.raises(Refused):
            await rig.paper.place_gtt(ACCOUNT, SBIN, legs, 800.0, rig.sending)


async def test_a_gtt_waits_for_a_year(rig: Rig) -> None:
    await rig.paper.place_gtt(ACCOUNT, SBIN, [leg(750, 745)], 800.0, rig.sending)
    rig.clock.advance(364 * 86400)
    assert [one.status for one in await rig.paper.gtts(ACCOUNT)] == ["active"]
    rig.clock.advance(86400)
    assert [one.status for one in await rig.paper.gtts(ACCOUNT)] == ["expired"]


async def test_margins_of_orders_that_are_only_asked_about(rig: Rig) -> None:
    rig.tell(FUTURE, 26_000.0)
    legs = [
        (FUTURE, MarginLeg(action=BUY, quantity=75, product=NRML, price_type=MARKET)),
        (SBIN, MarginLeg(action=BUY, quantity=10, product=MIS, price_type=LIMIT, price=Decimal(800))),
    ]
    assert (await rig.paper.margin(ACCOUNT, legs)).total == 195_000.0 + 1600.0


async def test_an_intraday_position_becomes_delivery(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    await rig.place()
    await rig.paper.convert(ACCOUNT, SBIN, MIS, CNC, 4, rig.sending)
    await rig.restart()
    positions = {one.product: one for one in await rig.paper.positions(ACCOUNT)}
    assert (positions[MIS].quantity, positions[CNC].quantity, positions[CNC].average_price) == (6, 4, 800.0)
    assert (await rig.paper.funds(ACCOUNT)).utilised == 960.0 + 3200.0
    with pytest.raises(Refused, match="no MIS position of 7"):
        await rig.paper.convert(ACCOUNT, SBIN, MIS, CNC, 7, rig.sending)
    with pytest.raises(Refused, match="cannot become NRML"):
        await rig.paper.convert(ACCOUNT, SBIN, MIS, NRML, 1, rig.sending)


async def test_a_reset_while_prices_are_asked_for_leaves_nothing_to_square_off(rig: Rig) -> None:
    rig.source.asked[SPOT] = rig.source.last(800.0)
    await rig.place()
    rig.clock.set(at(15, 16))
    rig.source.asked[SPOT] = rig.source.last(800.0)
    ask = rig.source.fetch

    async def slowly(account: str, instruments: Any) -> Any:
        told = await ask(account, instruments)
        await rig.paper.reset("asha")
        return told

    rig.source.fetch = slowly  # type: ignore[method-assign]
    await rig.paper.tick()
    assert await rig.paper.orders(ACCOUNT) == []
    assert rig.paper.details(ACCOUNT).positions == ()


async def test_one_book_in_trouble_does_not_hold_up_another(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.tell(SBIN, 800.0)
    await rig.place(account="ravi-zerodha")
    await rig.place()
    quote = rig.source.quote

    def fails_for_ravi(account: str, of: Instrument) -> Any:
        if account.startswith("ravi"):
            raise RuntimeError("broken")
        return quote(account, of)

    rig.source.quote = fails_for_ravi  # type: ignore[method-assign]
    await rig.at(15, 15)
    assert rig.paper.details(ACCOUNT).positions[0].quantity == 0
    assert "the paper book of ravi was not brought up" in caplog.text
    assert [one.quantity for one in rig.paper.details("ravi-zerodha").positions] == [10]


async def test_nobody_is_asked_for_prices_of_a_closed_market(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    await rig.place(product=CNC)
    await rig.place(kind=LIMIT, price=Decimal(700), product=CNC)
    rig.source.streamed.clear()
    await rig.at(15, 29)
    assert rig.source.fetches == 1
    await rig.at(15, 31)
    await rig.at(20)
    assert rig.source.fetches == 1


async def test_after_the_close_what_is_due_is_still_closed_at_the_last_price_of_the_day(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    await rig.place()
    rig.source.streamed.clear()
    rig.source.asked[SPOT] = rig.source.last(810.0)
    await rig.at(18)
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [0]
    assert (await rig.paper.funds(ACCOUNT)).m2m_realised == 100.0


async def test_what_only_paper_tells_of_trades(rig: Rig) -> None:
    await rig.paper.configure("asha", {"charges": True})
    rig.tell(SBIN, 100.0)
    await rig.place(quantity=1000, product=CNC, strategy="Momentum")
    (detail,) = await rig.paper.trade_details(ACCOUNT)
    assert (detail.strategy, detail.charges) == ("Momentum", 118.74)
    assert rig.paper.details(ACCOUNT).charges_today == 118.74


async def test_a_book_outlives_the_account_that_it_was_filled_through(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    await rig.place(account=OTHER)
    await rig.place(INFY, kind=LIMIT, price=Decimal(1), account=OTHER)
    gone, quote = rig.source.watch, rig.source.quote

    def known(account: str) -> None:
        if account == OTHER:
            raise InvalidInput(f"No account '{account}'.")

    def watch(account: str, of: Instrument) -> Any:
        known(account)
        return gone(account, of)

    def ask(account: str, of: Instrument) -> Any:
        known(account)
        return quote(account, of)

    rig.source.watch, rig.source.quote = watch, ask  # type: ignore[method-assign]
    rig.clock.advance(60)
    await rig.restart()
    await rig.paper.tick()
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [10]
    order = await rig.place(action=SELL)
    assert order.account == ACCOUNT
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [0]


# --- what could cost money --------------------------------------------------------------------------------------------


async def test_a_square_off_that_finds_too_little_to_trade_with_never_turns_a_position_round(rig: Rig) -> None:
    await rig.paper.configure("asha", {"depth_fills": True})
    rig.tell(SBIN, 800.0, bid=799.0, ask=801.0)
    await rig.place(quantity=1000)
    await rig.at(9, 30, day=25)  # left over: nobody was there at its hour
    for moment in range(6):
        rig.clock.advance(5)
        rig.tell(SBIN, 800.0, bid=799.0 + moment / 100, ask=801.0, bid_quantity=300)
        await rig.paper.tick()
    (position,) = await rig.paper.positions(ACCOUNT)
    assert position.quantity == 0
    closing = [one for one in await rig.paper.orders(ACCOUNT) if one.action == "SELL"]
    assert [one.filled_quantity for one in closing] == [1000]


async def test_a_square_off_takes_the_users_own_exits_away(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    await rig.place()
    rig.clock.set(at(9, 20, day=25))
    exit_ = await rig.place(action=SELL, kind=LIMIT, price=Decimal(810))
    rig.tell(SBIN, 800.0)
    rig.clock.advance(5)
    await rig.paper.tick()
    rig.tell(SBIN, 820.0)
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [0]
    found = await rig.paper.find(ACCOUNT, exit_)
    assert found is not None
    assert (found.status, found.rejection_reason) == ("cancelled", "AUTO_SQUARE_OFF")


async def test_nothing_is_placed_beside_a_square_off_that_waits(rig: Rig) -> None:
    await rig.paper.configure("asha", {"depth_fills": True})
    rig.tell(SBIN, 800.0, bid=799.0, ask=801.0)
    await rig.place(quantity=1000)
    rig.clock.set(at(9, 30, day=25))
    rig.tell(SBIN, 800.0, bid=799.0, ask=801.0, bid_quantity=300)
    await rig.paper.tick()
    await rig.restart()
    with pytest.raises(Refused, match="SBIN is being squared off"):
        await rig.place(action=SELL, kind=LIMIT, price=Decimal(805), quantity=700)
    rig.tell(SBIN, 810.0, bid=809.0, ask=811.0)
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [0]


async def test_a_weekly_reset_begins_with_the_next_one(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    await rig.place(product=CNC)
    await rig.at(10, day=26)
    await rig.paper.configure("asha", {"reset_day": "Wednesday"})  # that was yesterday
    assert [one.quantity for one in await rig.paper.holdings(ACCOUNT)] == [10]
    await rig.paper.configure("asha", {"charges": True})
    await rig.restart()
    rig.clock.set(at(1, day=2, month=12))
    assert await rig.paper.holdings(ACCOUNT) == []


async def test_what_a_removed_account_left_goes_on_through_another(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    await rig.place(account=OTHER)
    await rig.place(INFY, product=CNC, kind=LIMIT, price=Decimal(1), account=OTHER)
    rig.accounts = [ACCOUNT]
    asked: list[str] = []
    quote, fetch = rig.source.quote, rig.source.fetch

    def known(account: str) -> None:
        asked.append(account)
        if account == OTHER:
            raise InvalidInput(f"No account '{account}'.")

    def streams(account: str, of: Instrument) -> Any:
        known(account)
        return quote(account, of)

    async def ask(account: str, instruments: Any) -> Any:
        known(account)
        return await fetch(account, instruments)

    rig.source.quote, rig.source.fetch = streams, ask  # type: ignore[method-assign]
    await rig.at(15, 15)
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [0]
    asked.clear()
    await rig.at(15, 16)
    assert OTHER not in asked
    assert rig.source.watched == []  # nobody could see or cancel the order that waited


async def test_a_book_that_cannot_be_read_holds_up_no_other_and_can_begin_anew(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.tell(SBIN, 800.0)
    await rig.place(account="ravi-zerodha")
    await rig.place()
    with rig.database.begin() as connection:
        connection.execute(text("UPDATE paper_records SET body = '{' WHERE owner = 'ravi' AND kind = 'position'"))
    await rig.restart()
    assert "the paper book of ravi cannot be read" in caplog.text
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [10]
    with pytest.raises(Refused, match="sangam paper reset"):
        await rig.place(account="ravi-zerodha")
    assert (await rig.paper.reset("ravi")).reset_count == 0
    await rig.place(account="ravi-zerodha")
    await rig.restart()
    assert [one.quantity for one in await rig.paper.positions("ravi-zerodha")] == [10]


async def test_units_of_two_accounts_that_count_differently_are_not_mixed(rig: Rig) -> None:
    rig.multiplier = lambda of: Decimal(100) if of.lot_size == 1 else Decimal(1)
    await rig.restart()
    in_barrels = msgspec.structs.replace(CRUDE, lot_size=100)
    rig.tell(CRUDE, 6000.0)
    await rig.place(CRUDE, quantity=1)
    with pytest.raises(Refused, match="counts CRUDEOIL18DEC26FUT differently"):
        await rig.place(in_barrels, action=SELL, quantity=100, account=OTHER)
    await rig.place(CRUDE, action=SELL, quantity=1)
    await rig.place(in_barrels, quantity=100, account=OTHER)
    rig.tell(CRUDE, 6010.0)
    (position,) = await rig.paper.positions(OTHER)
    assert (position.quantity, position.multiplier, position.pnl) == (100, 1.0, 1000.0)


async def test_simulated_and_real_prices_are_not_mixed(rig: Rig) -> None:
    rig.tell(SBIN, 800.0)
    rig.tell(INFY, 1500.0)
    await rig.place(account=DEMO)
    with pytest.raises(Refused, match="SBIN is open at prices of another market"):
        await rig.place(action=SELL)
    with pytest.raises(Refused, match="another market"):
        await rig.paper.place_gtt(ACCOUNT, SBIN, [leg(900, 900)], 800.0, rig.sending)
    await rig.place(INFY)
    await rig.place(account=DEMO, action=SELL)
    await rig.place()
    assert [one.quantity for one in await rig.paper.positions(ACCOUNT)] == [10, 10]


async def test_gtts_that_ended_are_forgotten_after_a_month(rig: Rig) -> None:
    waiting, ended = [await rig.paper.place_gtt(ACCOUNT, SBIN, [leg(900, 900)], 800.0, rig.sending) for _ in range(2)]
    await rig.paper.cancel_gtt(ACCOUNT, ended, rig.sending)
    rig.clock.set(at(10, day=20, month=12))
    assert {one.trigger_id for one in await rig.paper.gtts(ACCOUNT)} == {waiting, ended}
    rig.clock.set(at(10, day=26, month=12))
    assert [one.trigger_id for one in await rig.paper.gtts(ACCOUNT)] == [waiting]
    await rig.restart()
    assert [one.trigger_id for one in await rig.paper.gtts(ACCOUNT)] == [waiting]
