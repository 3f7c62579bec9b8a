"""One account's feed through logins, masters, faults and market hours, over real sockets."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

import pytest
from msgspec import structs, to_builtins
from tests.feed_rig import ACCOUNT, FAST, Rig, feed_rig
from tests.orders_support import an_update
from tests.support import wait_for
from tests.toy_broker import ToyCodec, ToyMaster, toy_instrument, toy_stream

from sangam.brokers.contract import BooksChanged, Ctx, Endpoint, Session
from sangam.feed import feed as feed_module
from sangam.feed.assess import Dead
from sangam.feed.pool import Caps
from sangam.feed.port import Granted, Pending, Refused
from sangam.model.calendar import Calendar, Holiday
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import AccountState, Exchange, Mode
from sangam.model.instrument import Level
from sangam.model.order import OrderUpdate
from sangam.transport.socket import Timing

MONDAY = datetime(2026, 8, 3, 10, 0, tzinfo=IST)


def told_states(rig: Rig) -> list[AccountState]:
    return [health.state for health in rig.ears.states]


def epochs(rig: Rig, want: int) -> list[int]:
    return list(dict.fromkeys(told["epoch"] for told in rig.ears.of(want)))


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """States that follow from the clock alone are looked at often."""
    monkeypatch.setattr(feed_module, "REFRESH_SECONDS", 0.02)


# --- states -----------------------------------------------------------------------------------------------------------


async def test_from_no_session_to_live() -> None:
    async with feed_rig() as rig:
        rig.want("SBIN")
        assert rig.health.state is AccountState.NO_SESSION
        await rig.login()
        await rig.state(AccountState.LIVE)
        assert told_states(rig) == [AccountState.CONNECTING, AccountState.LIVE]


async def test_stale_then_live_again_by_data() -> None:
    async with feed_rig(timing=replace(FAST, stale_after=0.1)) as rig:
        await rig.login()
        want = await rig.streaming("SBIN")
        await rig.state(AccountState.STALE)
        assert "no data for" in rig.health.detail
        assert rig.feed.snapshot(want) is None
        await rig.server.tick("SBIN", 6.0)
        await rig.state(AccountState.LIVE)
        assert len(epochs(rig, want)) == 1
        assert rig.feed.snapshot(want) is not None


async def test_a_lost_socket_is_seen_and_starts_a_new_epoch() -> None:
    async with feed_rig() as rig:
        await rig.login()
        want = await rig.streaming("SBIN", Mode.QUOTE)
        await rig.server.drop()
        await rig.state(AccountState.RECONNECTING)
        assert rig.feed.snapshot(want) is None
        await rig.state(AccountState.LIVE)
        assert rig.feed.snapshot(want) is None
        await rig.carries(SBIN=2)
        await rig.server.tick("SBIN", 6.0)
        await rig.hears(want, 6.0)
        assert [told["seq"] for told in rig.ears.of(want)] == [1, 2]
        first, second = epochs(rig, want)
        assert second > first
        assert rig.health.reconnects == 1


async def test_one_lost_socket_of_two_touches_only_its_instruments() -> None:
    async with feed_rig(toy_stream(symbols=1, sockets=2)) as rig:
        await rig.login()
        kept, lost = await rig.streaming("SBIN"), await rig.streaming("TCS")
        socket = next(socket for socket, keys in rig.server.subscribed.items() if "TCS" in keys)
        socket.transport.abort()
        await wait_for(lambda: rig.health.reconnects == 1)
        await rig.carries(SBIN=1, TCS=1)
        await rig.server.tick("SBIN", 7.0)
        await rig.server.tick("TCS", 7.0)
        await rig.hears(kept, 7.0)
        await rig.hears(lost, 7.0)
        assert (len(epochs(rig, kept)), len(epochs(rig, lost))) == (1, 2)
        assert rig.ears.lapsed == [lost]


@pytest.mark.parametrize("how", ["upgrade", "event"])
async def test_token_death_and_a_new_login(how: str) -> None:
    async with feed_rig() as rig:
        await rig.login()
        want = await rig.streaming("SBIN")
        if how == "upgrade":
            rig.server.refuse_upgrade = HTTPStatus.FORBIDDEN
            await rig.server.drop()
        else:
            await rig.server.tell({"event": "expired"})
        await rig.state(AccountState.AUTH_EXPIRED)
        upgrades = rig.server.upgrades
        assert rig.feed.snapshot(want) is None
        rig.server.refuse_upgrade = None
        await rig.login()
        await rig.state(AccountState.LIVE)
        await rig.carries(SBIN=1)
        await rig.server.tick("SBIN", 6.0)
        await rig.hears(want, 6.0)
        assert want in rig.ears.lapsed
        assert rig.server.upgrades == upgrades + 1
        assert rig.server.paths[-1] == "/data?token=token-2"
        assert len(epochs(rig, want)) == 2


async def test_a_dead_credential_is_not_hammered_by_clients_who_come_and_go() -> None:
    async with feed_rig(toy_stream(symbols=1, sockets=3, linger=0.0)) as rig:
        rig.server.refuse_upgrade = HTTPStatus.FORBIDDEN
        await rig.login()
        first = rig.want("SBIN")
        await rig.state(AccountState.AUTH_EXPIRED)
        for symbol in ("TCS", "INFY"):
            answer = rig.ask(symbol)
            assert isinstance(answer, Pending)
            assert answer.reason.startswith("Toy Broker needs a new login: ")
            rig.feed.release(answer.want)
        rig.feed.release(first)
        await wait_for(lambda: not rig.health.wants and not rig.feed.last(ACCOUNT, "SBIN", "NSE"))
        again = rig.want("SBIN")
        await asyncio.sleep(5 * FAST.backoff_cap)
        assert rig.server.upgrades == 1
        assert rig.health.state is AccountState.AUTH_EXPIRED
        rig.server.refuse_upgrade = None
        await rig.login()
        await rig.carries(SBIN=1)
        await rig.server.tick("SBIN", 6.0)
        await rig.hears(again, 6.0)


async def test_a_session_that_somebody_else_took() -> None:
    async with feed_rig() as rig:
        await rig.login()
        await rig.streaming("SBIN")
        await rig.server.tell({"event": "replaced"})
        await rig.state(AccountState.REPLACED)
        assert rig.health.detail == "another program logged in"
        await rig.login()
        await rig.state(AccountState.LIVE)


@pytest.mark.parametrize("auth", ["default", "market"])
async def test_a_credential_that_streams_have_for_themselves_is_not_the_session(auth: str) -> None:
    async with feed_rig(toy_stream(auth=auth)) as rig:
        await rig.login()
        await rig.streaming("SBIN")
        assert rig.feed.dead(ACCOUNT) is None
        await rig.server.tell({"event": "replaced"})
        await rig.state(AccountState.REPLACED)
        dead = rig.feed.dead(ACCOUNT)
        assert dead == Dead(1, AccountState.REPLACED, "another program logged in", whole=auth == "default")


async def test_the_worst_socket_speaks_for_the_account() -> None:
    async with feed_rig(toy_stream(symbols=1, sockets=2)) as rig:
        await rig.login()
        await rig.streaming("SBIN")
        rig.server.refuse_upgrade = HTTPStatus.TOO_MANY_REQUESTS
        rig.want("TCS")
        await rig.state(AccountState.RECONNECTING)
        assert rig.health.detail.endswith("refused the socket: HTTP 429")
        rig.server.refuse_upgrade = None
        await rig.state(AccountState.LIVE)


async def test_a_closed_session_keeps_the_wants() -> None:
    async with feed_rig() as rig:
        await rig.login()
        want = await rig.streaming("SBIN")
        await rig.feed.close_session(ACCOUNT, AccountState.AUTH_EXPIRED, "token rejected")
        await wait_for(lambda: not rig.server.sockets)
        assert (rig.health.state, rig.health.detail, rig.health.wants) == (
            AccountState.AUTH_EXPIRED,
            "token rejected",
            1,
        )
        assert isinstance(rig.ask("SBIN"), Pending)
        assert rig.feed.last(ACCOUNT, "SBIN", "NSE") is None
        await rig.login()
        await rig.carries(SBIN=1)
        await rig.server.tick("SBIN", 6.0)
        await rig.hears(want, 6.0)


async def test_market_hours_by_the_calendar(brisk: None) -> None:
    clock = ManualClock(MONDAY.replace(hour=8))
    async with feed_rig(clock=clock, simulated=False) as rig:
        await rig.login()
        want = rig.want("SBIN")
        await rig.state(AccountState.CLOSED_MARKET)
        await rig.carries(SBIN=1)
        await rig.server.tick("SBIN", 5.0)
        await rig.hears(want, 5.0)
        assert rig.feed.snapshot(want) is not None
        clock.set(MONDAY.replace(hour=9, minute=15))
        await rig.state(AccountState.LIVE)
        clock.set(MONDAY.replace(hour=15, minute=30))
        await rig.state(AccountState.CLOSED_MARKET)
        assert rig.server.upgrades == 1


async def test_a_holiday_is_no_reason_to_reconnect(brisk: None) -> None:
    clock = ManualClock(MONDAY)
    calendar = Calendar([Holiday(date=MONDAY.date(), description="Test", closed=frozenset({Exchange.NSE}))])
    async with feed_rig(clock=clock, calendar=calendar, simulated=False) as rig:
        await rig.login()
        await rig.streaming("SBIN")
        clock.advance(3600)
        await rig.state(AccountState.CLOSED_MARKET)
        await asyncio.sleep(3 * FAST.check)
        assert rig.server.upgrades == 1
        assert told_states(rig)[-1] is AccountState.CLOSED_MARKET


async def test_yesterdays_price_is_never_shown_as_todays(brisk: None) -> None:
    clock = ManualClock(MONDAY)
    patient = Timing(stale_after=1e9, stuck_after=1e9, check=0.02)
    async with feed_rig(clock=clock, simulated=False, timing=patient) as rig:
        await rig.login()
        want = await rig.streaming("SBIN")
        clock.set(MONDAY.replace(hour=20))
        await rig.state(AccountState.CLOSED_MARKET)
        assert rig.feed.snapshot(want) is not None
        clock.set(MONDAY.replace(day=4, hour=9, minute=15))
        await rig.state(AccountState.LIVE)
        assert rig.feed.snapshot(want) is None
        await rig.server.tick("SBIN", 6.0)
        await rig.hears(want, 6.0)
        assert rig.feed.snapshot(want) is not None


# --- sessions and masters ---------------------------------------------------------------------------------------------


async def test_a_new_generation_replaces_the_sockets_and_replays_every_want() -> None:
    async with feed_rig(toy_stream(symbols=2, sockets=2)) as rig:
        await rig.login()
        wants = [rig.want(symbol) for symbol in ("SBIN", "TCS")] + [rig.want("INFY", Mode.QUOTE)]
        await rig.carries(SBIN=1, TCS=1, INFY=2)
        await rig.login()
        await rig.carries(SBIN=1, TCS=1, INFY=2)
        await wait_for(lambda: len(rig.server.sockets) == 2)
        assert [path.rsplit("=", 1)[1] for path in rig.server.paths] == ["token-1"] * 2 + ["token-2"] * 2
        for symbol, want in zip(("SBIN", "TCS", "INFY"), wants, strict=True):
            await rig.server.tick(symbol, 6.0)
            await rig.hears(want, 6.0)


async def test_tokens_that_changed_overnight_stream_the_right_instrument() -> None:
    """Token 1 was SBIN and is TCS today: no price of the one may appear under the name of the other."""
    before = ToyMaster(toy_instrument("SBIN", "1"), toy_instrument("TCS", "2"), toy_instrument("ITC", "3"), version="a")
    after = ToyMaster(toy_instrument("SBIN", "2"), toy_instrument("TCS", "1"), toy_instrument("ITC", "3"), version="b")
    async with feed_rig() as rig:
        await rig.login(before)
        sbin, tcs, itc = (rig.want(symbol) for symbol in ("SBIN", "TCS", "ITC"))
        await rig.carries(**{"1": 1, "2": 1, "3": 1})
        for token, price in (("1", 11.0), ("2", 22.0), ("3", 33.0)):
            await rig.server.tick(token, price)
        await rig.hears(itc, 33.0)
        rig.feed.use_master(ACCOUNT, after)
        assert rig.feed.snapshot(sbin) is None
        assert rig.feed.snapshot(itc) is not None
        for token, price in (("1", 222.0), ("2", 111.0), ("3", 333.0)):
            await rig.server.tick(token, price)
        await rig.hears(itc, 333.0)
        assert rig.ears.prices(sbin) == [11.0, 111.0]
        assert rig.ears.prices(tcs) == [22.0, 222.0]
        assert [len(epochs(rig, want)) for want in (sbin, tcs, itc)] == [2, 2, 1]
        await rig.carries(**{"1": 1, "2": 1, "3": 1})
        assert rig.server.upgrades == 1
        assert [text for text in rig.server.heard if '"3"' in text] == ['{"sub": "3", "mode": 1, "depth": 5}']


async def test_a_renumbered_instrument_moves_and_its_old_token_falls_silent() -> None:
    async with feed_rig() as rig:
        await rig.login(ToyMaster(toy_instrument("SBIN", "1"), version="a"))
        want = rig.want("SBIN")
        await rig.carries(**{"1": 1})
        rig.feed.use_master(ACCOUNT, ToyMaster(toy_instrument("SBIN", "9"), version="b"))
        await rig.carries(**{"9": 1})
        await rig.server.tell({"tick": "1", "ltp": 1.0})
        await rig.server.tick("9", 9.0)
        await rig.hears(want, 9.0)
        assert rig.ears.prices(want) == [9.0]


async def test_a_token_names_its_contract_of_the_day_for_good() -> None:
    async with feed_rig() as rig:
        await rig.login(ToyMaster(toy_instrument("SBIN", "1"), version="a"))
        want = rig.want("1")
        await rig.carries(**{"1": 1})
        await rig.server.tick("1", 3.0)
        await rig.hears(want, 3.0)
        assert rig.ears.of(want)[0]["symbol"] == "1"  # as the client spelt it
        renumbered = ToyMaster(toy_instrument("SBIN", "9"), toy_instrument("TCS", "1"), version="b")
        rig.feed.use_master(ACCOUNT, renumbered)
        await rig.carries(**{"9": 1})
        assert isinstance(rig.ask("404"), Refused)


async def test_a_new_login_is_never_told_as_no_session() -> None:
    async with feed_rig() as rig:
        await rig.login()
        await rig.streaming("SBIN")
        await rig.server.tell({"event": "expired"})
        await rig.state(AccountState.AUTH_EXPIRED)
        await rig.login()
        await rig.state(AccountState.LIVE)
        assert told_states(rig)[-3:] == [AccountState.AUTH_EXPIRED, AccountState.CONNECTING, AccountState.LIVE]


async def test_a_changed_instrument_on_a_wire_that_tells_the_whole_only_once() -> None:
    """The token stays, the lot changes: the line starts anew, so the wire is asked for the whole again."""
    async with feed_rig() as rig:
        await rig.login()
        want = await rig.streaming("SBIN", Mode.QUOTE)
        changed = structs.replace(toy_instrument("SBIN"), lot_size=2)
        rig.feed.use_master(ACCOUNT, ToyMaster(changed, version="2"))
        sub = '{"sub": "SBIN", "mode": 2, "depth": 5}'
        await wait_for(lambda: rig.server.heard[1:] == ['{"unsub": ["SBIN"]}', sub])
        await rig.server.tell({"tick": "SBIN", "ltp": 6.0, "full": False})
        await rig.server.tick("SBIN", 7.0)
        await rig.hears(want, 7.0)
        assert rig.ears.prices(want) == [5.0, 7.0]


async def test_an_equal_master_changes_nothing() -> None:
    async with feed_rig() as rig:
        await rig.login()
        want = await rig.streaming("SBIN")
        rig.feed.use_master(ACCOUNT, ToyMaster(version=rig.master.version))
        assert rig.feed.snapshot(want) is not None


async def test_a_symbol_that_vanished_overnight_is_refused_after_the_ack() -> None:
    async with feed_rig() as rig:
        await rig.login()
        gone, kept = await rig.streaming("SBIN"), await rig.streaming("TCS")
        rig.feed.use_master(ACCOUNT, ToyMaster(toy_instrument("TCS"), version="2"))
        (refusal,) = rig.ears.refusals
        assert (refusal.want, refusal.code) == (gone, "SYMBOL_NOT_FOUND")
        rig.feed.release(gone)
        await rig.carries(TCS=1)
        assert isinstance(rig.ask("SBIN"), Refused)
        assert rig.feed.snapshot(kept) is not None
        assert rig.health.wants == 1
        rig.feed.use_master(ACCOUNT, ToyMaster(toy_instrument("TCS"), toy_instrument("SBIN"), version="3"))
        assert isinstance(rig.ask("SBIN"), Granted)


async def test_when_all_symbols_vanished_no_socket_stays() -> None:
    async with feed_rig() as rig:
        await rig.login()
        rig.feed.release(await rig.streaming("TCS"))
        want = await rig.streaming("SBIN")
        rig.feed.use_master(ACCOUNT, ToyMaster(version="2"))
        assert [refusal.want for refusal in rig.ears.refusals] == [want]
        await wait_for(lambda: not rig.server.sockets)


# --- from the sockets -------------------------------------------------------------------------------------------------


async def test_a_refusal_of_the_broker_reaches_all_wants_of_the_instrument() -> None:
    async with feed_rig() as rig:
        rig.server.refusals["SBIN"] = "no permission for this token"
        await rig.login()
        wants = {rig.want("SBIN"), rig.want("SBIN", Mode.QUOTE)}
        other = await rig.streaming("TCS")
        await wait_for(lambda: len(rig.ears.refusals) == 2)
        assert {refusal.want for refusal in rig.ears.refusals} == wants
        assert {refusal.reason for refusal in rig.ears.refusals} == {"no permission for this token"}
        for want in wants:
            rig.feed.release(want)
        assert rig.health.wants == 1
        rig.server.refusals.clear()
        await rig.streaming("SBIN")
        await rig.server.tick("TCS", 6.0)
        await rig.hears(other, 6.0)


async def test_a_smaller_limit_moves_what_fits_and_refuses_the_rest() -> None:
    async with feed_rig(toy_stream(symbols=3, sockets=2)) as rig:
        await rig.login()
        wants = [rig.want(symbol) for symbol in ("SBIN", "TCS", "INFY")]
        await rig.carries(SBIN=1, TCS=1, INFY=1)
        await rig.server.tell({"limit": 2})
        await wait_for(lambda: rig.server.upgrades == 2)
        await rig.carries(SBIN=1, TCS=1, INFY=1)
        assert not rig.ears.refusals
        assert rig.health.streams[0].max_symbols_per_socket == 2
        await rig.server.tell({"limit": 1})
        await wait_for(lambda: rig.ears.refusals)
        (refusal,) = rig.ears.refusals
        assert (refusal.want, refusal.code) == (wants[1], "MAX_CAPACITY_REACHED")
        assert "2 connections × 1 symbols = 2 symbols" in refusal.reason
        await rig.carries(SBIN=1, INFY=1)
        await rig.server.tick("INFY", 6.0)
        await rig.hears(wants[2], 6.0)


async def test_what_a_stream_tells_of_orders_reaches_the_listener() -> None:
    async with feed_rig(toy_stream(opens="with_session", orders=True)) as rig:
        heard: list[tuple[str, OrderUpdate | BooksChanged]] = []
        rig.feed.on_order(lambda account, news: heard.append((account, news)))
        await rig.login()
        await wait_for(lambda: heard == [(ACCOUNT, BooksChanged())], what="the books' first reading")
        order = an_update()
        await rig.server.tell({"order": to_builtins(order)})
        await wait_for(lambda: len(heard) == 2, what="the order")
        assert heard[1] == (ACCOUNT, order)
        await rig.server.drop()
        await wait_for(lambda: heard[2:] == [(ACCOUNT, BooksChanged())], what="a reading after the reconnect")


async def test_a_listener_that_fails_costs_no_stream(caplog: pytest.LogCaptureFixture) -> None:
    async with feed_rig(toy_stream(opens="with_session", orders=True)) as rig:

        def fails(account: str, news: OrderUpdate | BooksChanged) -> None:
            raise RuntimeError("broken")

        rig.feed.on_order(fails)
        await rig.login()
        await wait_for(lambda: "news of an order were not taken" in caplog.text, what="the log")
        await rig.streaming("SBIN")
        assert rig.health.reconnects == 0


async def test_a_stream_that_opens_with_the_session_stays_without_wants() -> None:
    async with feed_rig(toy_stream(opens="with_session", linger=0.0)) as rig:
        await rig.login()
        await wait_for(lambda: len(rig.server.sockets) == 1)
        want = await rig.streaming("SBIN")
        rig.feed.release(want)
        await rig.carries()
        assert len(rig.server.sockets) == 1
        assert rig.server.upgrades == 1


# --- two streams ------------------------------------------------------------------------------------------------------


def two_streams() -> tuple[Any, Any]:
    return (
        toy_stream("prices", modes={Mode.LTP: (), Mode.QUOTE: ()}),
        toy_stream("book", modes={Mode.DEPTH: (50,)}, book_only=True),
    )


def socket_of(rig: Rig, name: str) -> Callable[[], Any]:
    return lambda: next(
        (each for each in rig.server.sockets if each.request is not None and f"/{name}?" in each.request.path), None
    )


async def test_a_book_and_its_prices_come_together_from_two_sockets() -> None:
    async with feed_rig(*two_streams()) as rig:
        await rig.login()
        want = rig.want("SBIN", Mode.DEPTH)
        await wait_for(lambda: sorted(map(list, rig.server.subscribed.values())) == [["SBIN"], ["SBIN"]])
        prices, book = socket_of(rig, "prices")(), socket_of(rig, "book")()
        await prices.send('{"tick":"SBIN","ltp":5.0,"open":1.0,"high":6.0,"low":1.0,"close":4.0}')
        await book.send('{"tick":"SBIN","buy":[[4.9,1,1]],"sell":[[5.1,2,1]]}')
        await wait_for(lambda: rig.ears.of(want))
        await prices.send('{"tick":"SBIN","ltp":5.05,"open":1.0,"high":6.0,"low":1.0,"close":4.0}')
        await rig.hears(want, 5.05)
        told = rig.ears.of(want)[-1]
        assert told["depth"]["buy"] == [{"price": 4.9, "quantity": 1, "orders": 1}]
        assert (told["bid_price"], told["ask_price"], told["close"]) == (4.9, 5.1, 4.0)


async def test_a_book_that_nobody_wants_any_more_closes_its_socket() -> None:
    async with feed_rig(*two_streams()) as rig:
        await rig.login()
        quote = rig.want("SBIN", Mode.QUOTE)
        depth = rig.want("SBIN", Mode.DEPTH)
        await wait_for(lambda: len(rig.server.sockets) == 2)
        rig.feed.release(depth)
        await wait_for(lambda: len(rig.server.sockets) == 1, what="only the prices' socket")
        await rig.server.tick("SBIN", 6.0)
        await rig.hears(quote, 6.0)


async def test_a_lost_book_leaves_the_prices_of_the_other_stream_standing() -> None:
    """A wire that tells only changes would not tell the open again, and the want would fall silent for good."""
    async with feed_rig(*two_streams()) as rig:
        await rig.login()
        want = rig.want("SBIN", Mode.DEPTH)
        await wait_for(lambda: sorted(map(list, rig.server.subscribed.values())) == [["SBIN"], ["SBIN"]])
        prices, book = socket_of(rig, "prices")(), socket_of(rig, "book")
        await prices.send('{"tick":"SBIN","ltp":5.0,"open":1.0,"high":6.0,"low":1.0,"close":4.0}')
        await book().send('{"tick":"SBIN","buy":[[4.9,1,1]],"sell":[]}')
        await wait_for(lambda: rig.ears.of(want))
        old = book()
        old.transport.abort()
        await wait_for(lambda: book() not in (None, old) and rig.server.subscribed.get(book()))
        await rig.state(AccountState.LIVE)
        await prices.send('{"tick":"SBIN","ltp":5.5,"full":false}')
        await wait_for(lambda: (last := rig.feed.last(ACCOUNT, "SBIN", "NSE")) and last.fields.get("ltp") == 5.5)
        assert rig.ears.prices(want) == [5.0]
        await book().send('{"tick":"SBIN","buy":[[4.8,1,1]],"sell":[]}')
        await rig.hears(want, 5.5)
        assert rig.ears.of(want)[-1]["depth"]["buy"][0]["price"] == 4.8
        assert len(epochs(rig, want)) == 2


async def test_a_full_second_stream_refuses_the_deeper_book_and_keeps_the_quote() -> None:
    prices, book = two_streams()
    async with feed_rig(prices, book, caps=Caps(symbols_per_socket=1, sockets=1)) as rig:
        await rig.login()
        quote = rig.want("SBIN", Mode.QUOTE)
        await rig.carries(SBIN=2)
        refused = rig.ask("TCS", Mode.DEPTH)
        assert isinstance(refused, Refused)
        assert refused.code == "MAX_CAPACITY_REACHED"
        await wait_for(lambda: len(rig.server.sockets) == 1)
        await rig.server.tick("SBIN", 6.0)
        await rig.hears(quote, 6.0)


async def test_a_broker_whose_code_fails_is_told_and_tried_again() -> None:
    def codec(session: Session, endpoint: Endpoint, ctx: Ctx) -> ToyCodec:
        if session.generation == 1:
            raise KeyError("a bug")
        return ToyCodec()

    async with feed_rig(replace(toy_stream(), codec=codec)) as rig:
        await rig.login()
        want = rig.want("SBIN")
        await rig.state(AccountState.RECONNECTING)
        assert "KeyError" in rig.health.detail
        await rig.login()
        await rig.carries(SBIN=1)
        await rig.server.tick("SBIN", 5.0)
        await rig.hears(want, 5.0)


async def test_wants_while_the_old_sockets_are_closing_are_kept() -> None:
    async with feed_rig() as rig:
        await rig.login()
        await rig.streaming("SBIN")
        login = asyncio.create_task(rig.login())
        await asyncio.sleep(0)
        answer = rig.feed.want(ACCOUNT, "TCS", "NSE", Level(Mode.LTP))
        assert isinstance(answer, Pending)
        await login
        await rig.carries(SBIN=1, TCS=1)
