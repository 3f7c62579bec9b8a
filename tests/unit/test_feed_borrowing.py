"""An account whose broker streams nothing hears another's streams, and is told so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.feed_rig import ACCOUNT, Rig, feed_rig
from tests.support import wait_for
from tests.toy_broker import ToyMaster, ToyServer, toy_instrument, toy_session, toy_spec

from sangam.feed.port import Dialect, Granted, Pending, Refused
from sangam.model.enums import AccountState, Mode
from sangam.model.identity import AccountInfo
from sangam.model.instrument import Level

QUIET = "u-quiet"
LTP = Level(Mode.LTP)


@asynccontextmanager
async def rig_with_borrower(simulated: bool = False) -> AsyncIterator[Rig]:
    async with feed_rig(simulated=simulated) as rig:
        rig.feed.add_account(
            AccountInfo(QUIET, "u", "quiet"), replace(toy_spec(name="quiet", simulated=False), streams=())
        )
        yield rig


async def open_borrower(rig: Rig) -> None:
    await rig.feed.open_session(QUIET, toy_session(rig.server.url, 1, "t"), rig.master)


async def test_without_a_lender_it_is_refused_with_what_to_do() -> None:
    async with rig_with_borrower() as rig:
        answer = rig.feed.want(QUIET, "SBIN", "NSE", LTP)
        assert isinstance(answer, Refused)
        assert "streams no market data. Add an account that does, and make it your data account." in answer.reason
        assert rig.feed.current(QUIET, "SBIN", "NSE", Mode.LTP) is None


@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize("dialect", list(Dialect))
async def test_its_wants_are_served_by_the_lender_and_say_whether_prices_are_simulated(
    simulated: bool, dialect: Dialect
) -> None:
    async with rig_with_borrower(simulated) as rig:
        rig.feed.lend(lambda account, former: ACCOUNT)
        await rig.login()
        await open_borrower(rig)
        own = rig.feed.want(ACCOUNT, "SBIN", "NSE", LTP, dialect)
        borrowed = rig.feed.want(QUIET, "SBIN", "NSE", LTP, dialect)
        assert isinstance(own, Granted)
        assert isinstance(borrowed, Granted)
        assert own.want != borrowed.want  # each goes out under its own account's name
        await rig.carries(SBIN=1)
        await rig.server.tick("SBIN", 5.25)
        await wait_for(lambda: rig.ears.of(own.want) and rig.ears.of(borrowed.want))
        for want in (own.want, borrowed.want):
            (told,) = rig.ears.of(want)
            assert (told["ltp"], told.get("simulated", False)) == (5.25, simulated)
        last = rig.feed.last(QUIET, "SBIN", "NSE")
        assert last is rig.feed.current(QUIET, "SBIN", "NSE", Mode.LTP)
        assert last is not None
        assert (rig.feed.simulated(QUIET), rig.feed.source(QUIET)) == (simulated, ACCOUNT)
        rig.feed.release(own.want)
        rig.feed.release(borrowed.want)


async def test_its_state_is_its_own_while_it_is_not_logged_in_and_the_lenders_then() -> None:
    async with rig_with_borrower(simulated=True) as rig:
        rig.feed.lend(lambda account, former: ACCOUNT)
        assert rig.feed.health(QUIET).state is AccountState.NO_SESSION
        waiting = rig.feed.want(QUIET, "SBIN", "NSE", LTP)
        assert isinstance(waiting, Pending)
        await open_borrower(rig)
        health = rig.feed.health(QUIET)
        assert (health.state, health.source, health.broker) == (AccountState.NO_SESSION, ACCOUNT, "quiet")
        assert health.detail.startswith(f"market data of {ACCOUNT}")
        await rig.login()
        await wait_for(lambda: rig.feed.health(QUIET).state is AccountState.LIVE)
        assert [told.state for told in rig.ears.states if told.account == QUIET][-1] is AccountState.LIVE
        await rig.server.tick("SBIN", 7.0)
        await wait_for(lambda: rig.ears.of(waiting.want))


async def test_who_watches_a_borrowed_price_is_called() -> None:
    async with rig_with_borrower() as rig:
        rig.feed.lend(lambda account, former: ACCOUNT)
        await rig.login()
        calls: list[int] = []
        rig.feed.watch(QUIET, "SBIN", "NSE", lambda: calls.append(1))
        rig.feed.want(QUIET, "SBIN", "NSE", LTP)
        await rig.carries(SBIN=1)
        await rig.server.tick("SBIN", 5.0)
        await wait_for(lambda: calls)
        rig.feed.watch(QUIET, "SBIN", "NSE", None)


async def test_a_token_of_the_borrowers_broker_is_none_of_the_lenders() -> None:
    """The same number may be another instrument there."""
    async with rig_with_borrower() as rig:
        rig.feed.lend(lambda account, former: ACCOUNT)
        await rig.login(ToyMaster(toy_instrument("SBIN", "1333")))
        await open_borrower(rig)
        own = rig.feed.want(ACCOUNT, "1333", "NSE", LTP)
        assert isinstance(own, Granted)
        answer = rig.feed.want(QUIET, "1333", "NSE", LTP)
        assert isinstance(answer, Refused)
        assert "not found" in answer.reason
        rig.feed.release(own.want)


async def test_an_unknown_lender_is_none() -> None:
    async with rig_with_borrower() as rig:
        rig.feed.lend(lambda account, former: "gone")
        assert isinstance(rig.feed.want(QUIET, "SBIN", "NSE", LTP), Refused)
        assert rig.feed.source(QUIET) == QUIET


# --- another lender ---------------------------------------------------------------------------------------------------

MARKET = "u-market"


@asynccontextmanager
async def rig_with_two_lenders() -> AsyncIterator[tuple[Rig, ToyServer, list[str | None]]]:
    """Beside the real one there is a simulated market, logged in. Whose id stands in the list lends."""
    lender: list[str | None] = [ACCOUNT]
    async with rig_with_borrower() as rig, ToyServer() as market:
        rig.feed.add_account(AccountInfo(MARKET, "v", "toymarket"), toy_spec(name="toymarket", simulated=True))
        rig.feed.lend(lambda account, former: lender[0])
        await rig.login()
        await rig.feed.open_session(MARKET, toy_session(market.url, 1, "t"), rig.master)
        await open_borrower(rig)
        try:
            yield rig, market, lender
        finally:
            await rig.feed.close_session(MARKET, AccountState.NO_SESSION, "")


@pytest.mark.parametrize("dialect", list(Dialect))
async def test_what_was_wanted_before_follows_to_another_lender(dialect: Dialect) -> None:
    async with rig_with_two_lenders() as (rig, market, lender):
        answer = rig.feed.want(QUIET, "SBIN", "NSE", LTP, dialect)
        assert isinstance(answer, Granted)
        want = answer.want
        await rig.carries(SBIN=1)
        await rig.server.tick("SBIN", 5.0)
        await rig.hears(want, 5.0)
        lender[0] = MARKET  # nobody tells: the feed looks by itself
        await wait_for(lambda: market.carried == {"SBIN": 1}, timeout=3)
        await rig.carries()
        await market.tick("SBIN", 6.0)
        await rig.hears(want, 6.0)
        first, last = rig.ears.of(want)
        assert (first.get("simulated", False), last["simulated"]) == (False, True)
        assert want in rig.ears.lapsed
        health = rig.feed.health(QUIET)
        assert (rig.feed.source(QUIET), health.source, health.simulated) == (MARKET, MARKET, True)
        assert rig.feed.simulated(QUIET)
        current = rig.feed.current(QUIET, "SBIN", "NSE", Mode.LTP)
        assert current is not None
        assert current.fields["ltp"] == 6.0
        told = [state for state in rig.ears.states if state.account == QUIET][-1]
        assert told.source == MARKET
        rig.feed.release(want)


async def test_what_the_next_lender_knows_is_told_at_once() -> None:
    async with rig_with_two_lenders() as (rig, market, _):
        there = rig.feed.want(MARKET, "SBIN", "NSE", LTP)
        borrowed = rig.feed.want(QUIET, "SBIN", "NSE", LTP)
        assert isinstance(there, Granted)
        assert isinstance(borrowed, Granted)
        await wait_for(lambda: market.carried == {"SBIN": 1})
        await market.tick("SBIN", 6.0)
        await rig.hears(there.want, 6.0)
        rig.feed.lend(lambda account, former: MARKET)
        assert rig.ears.prices(borrowed.want) == [6.0]


async def test_a_lender_that_is_removed_takes_no_wants_along_while_another_lends() -> None:
    async with rig_with_two_lenders() as (rig, market, lender):
        answer = rig.feed.want(QUIET, "SBIN", "NSE", LTP)
        assert isinstance(answer, Granted)
        lender[0] = MARKET
        await rig.feed.close_session(ACCOUNT, AccountState.NO_SESSION, "removed")
        rig.feed.remove_account(ACCOUNT)
        assert rig.ears.refusals == []
        await wait_for(lambda: market.carried == {"SBIN": 1})
        await market.tick("SBIN", 6.0)
        await rig.hears(answer.want, 6.0)


async def test_who_cannot_say_who_lends_changes_nothing() -> None:
    async with rig_with_two_lenders() as (rig, _, lender):
        want = rig.feed.want(QUIET, "SBIN", "NSE", LTP)
        assert isinstance(want, Granted)

        def broken(account: str, former: str) -> str | None:
            raise KeyError(account)

        rig.feed.lend(broken)
        assert rig.feed.source(QUIET) == ACCOUNT
        assert isinstance(rig.feed.want(QUIET, "SBIN", "NSE", LTP), Granted)
        lender[0] = MARKET
        rig.feed.lend(lambda account, former: lender[0])
        assert rig.feed.source(QUIET) == MARKET


async def test_without_any_lender_left_the_clients_are_told() -> None:
    async with rig_with_two_lenders() as (rig, _, lender):
        answer = rig.feed.want(QUIET, "SBIN", "NSE", LTP)
        assert isinstance(answer, Granted)
        lender[0] = None
        await wait_for(lambda: rig.ears.refusals, timeout=3)
        assert [refusal.want for refusal in rig.ears.refusals] == [answer.want]
        rig.feed.release(answer.want)


async def test_who_watches_goes_along_and_nobody_hears_in_anothers_place() -> None:
    async with rig_with_two_lenders() as (rig, market, lender):
        calls: list[str] = []
        for account in (QUIET, MARKET):
            assert not isinstance(rig.feed.want(account, "SBIN", "NSE", LTP), Refused)
        rig.feed.watch(QUIET, "SBIN", "NSE", lambda: calls.append("quiet"))
        rig.feed.watch(MARKET, "SBIN", "NSE", lambda: calls.append("market"))
        await wait_for(lambda: market.carried == {"SBIN": 1})
        lender[0] = MARKET
        await wait_for(lambda: rig.feed.source(QUIET) == MARKET, timeout=3)
        await market.tick("SBIN", 6.0)
        await wait_for(lambda: sorted(calls) == ["market", "quiet"])
        rig.feed.watch(QUIET, "SBIN", "NSE", None)
        calls.clear()
        await market.tick("SBIN", 7.0)
        await wait_for(lambda: calls == ["market"])
