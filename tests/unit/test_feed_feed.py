"""What a gateway may ask of the feed, over real sockets."""

import asyncio
from datetime import datetime

import pytest
from tests.feed_rig import ACCOUNT, Ears, feed_rig, no_rest
from tests.support import wait_for
from tests.toy_broker import ToyMaster, toy_instrument, toy_session, toy_spec, toy_stream

from sangam.feed.feed import Feed
from sangam.feed.pool import Caps
from sangam.feed.port import Dialect, Granted, Pending, Refused
from sangam.model.calendar import Calendar
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import AccountState, Mode
from sangam.model.identity import AccountInfo
from sangam.model.instrument import Level
from sangam.prices.prices import Prices


async def test_a_want_becomes_a_price() -> None:
    async with feed_rig() as rig:
        await rig.login()
        answer = rig.ask("SBIN", Mode.QUOTE)
        assert answer == Granted(answer.want if isinstance(answer, Granted) else 0, Level(Mode.QUOTE))
        await rig.carries(SBIN=2)
        await rig.server.tick("SBIN", 5.25, volume=7)
        await wait_for(lambda: rig.ears.published)
        want, told = rig.ears.published[0]
        assert want == answer.want
        assert (told["symbol"], told["ltp"], told["volume"], told["seq"]) == ("SBIN", 5.25, 7, 1)
        assert rig.feed.sequence(want) == 1
        last = rig.feed.last(ACCOUNT, "SBIN", "NSE")
        assert last is not None
        assert last.fields["ltp"] == 5.25


async def test_a_room_that_acts_on_prices_is_called_after_each_merge_and_over_logins() -> None:
    async with feed_rig() as rig:
        seen: list[float] = []

        def look() -> None:
            last = rig.feed.last(ACCOUNT, "SBIN", "NSE")
            assert last is not None
            seen.append(last.fields["ltp"])

        rig.feed.watch(ACCOUNT, "SBIN", "NSE", look)
        rig.ask("SBIN", Mode.QUOTE)
        for price in (5.0, 6.0):
            await rig.login()
            await rig.carries(SBIN=2)
            await rig.server.tick("SBIN", price)
            await wait_for(lambda: seen)
            assert seen.pop() == price
        rig.feed.watch(ACCOUNT, "SBIN", "NSE", None)
        await rig.server.tick("SBIN", 7.0)
        await wait_for(lambda: 7.0 in [told["ltp"] for _, told in rig.ears.published])
        assert not seen


async def test_wants_without_a_session_wait_and_are_started_by_the_login() -> None:
    async with feed_rig() as rig:
        answer = rig.ask("SBIN")
        assert isinstance(answer, Pending)
        assert answer.reason == "Toy Broker is not logged in"
        assert (rig.server.upgrades, rig.health.state) == (0, AccountState.NO_SESSION)
        await rig.login()
        await rig.carries(SBIN=1)
        await rig.server.tick("SBIN", 5.0)
        await rig.hears(answer.want, 5.0)


async def test_wants_without_a_master_wait_for_it() -> None:
    async with feed_rig() as rig:
        await rig.feed.open_session(ACCOUNT, toy_session(rig.server.url), None)
        answer = rig.ask("SBIN")
        assert isinstance(answer, Pending)
        assert answer.reason == "the instruments of Toy Broker are being loaded"
        assert (rig.health.state, rig.health.detail) == (AccountState.CONNECTING, answer.reason)
        rig.feed.use_master(ACCOUNT, rig.master)
        await rig.carries(SBIN=1)
        await rig.state(AccountState.LIVE)


async def test_a_pending_want_for_a_symbol_that_does_not_exist_is_refused_after_the_ack() -> None:
    async with feed_rig() as rig:
        want = rig.want("NOPE")
        await rig.login()
        (refusal,) = rig.ears.refusals
        assert (refusal.want, refusal.code) == (want, "SYMBOL_NOT_FOUND")
        rig.feed.release(want)
        assert rig.health.wants == 0


async def test_an_unknown_symbol_is_refused_with_the_known_text() -> None:
    async with feed_rig() as rig:
        await rig.login()
        assert rig.ask("NOPE") == Refused(
            "Symbol 'NOPE' not found for exchange 'NSE'. Please verify the symbol name and ensure master contracts "
            "are downloaded.",
            "SYMBOL_NOT_FOUND",
        )
        assert rig.server.upgrades == 0


async def test_an_unknown_account_is_refused() -> None:
    async with feed_rig() as rig:
        answer = rig.feed.want("nobody", "SBIN", "NSE", Level(Mode.LTP))
        assert answer == Refused("Unknown account 'nobody'", "BROKER_ERROR")


async def test_a_mode_the_broker_does_not_stream_is_refused() -> None:
    async with feed_rig(toy_stream(modes={Mode.LTP: ()})) as rig:
        await rig.login()
        assert rig.ask("SBIN", Mode.DEPTH) == Refused("Toy Broker does not stream Depth for NSE")


async def test_a_depth_suffix_asks_for_a_deeper_book_and_is_echoed() -> None:
    async with feed_rig() as rig:
        await rig.login()
        answer, plain = rig.ask("TCS:20", Mode.DEPTH), rig.ask("TCS", Mode.DEPTH)
        assert isinstance(answer, Granted)
        assert isinstance(plain, Granted)
        assert (answer.level, plain.level) == (Level(Mode.DEPTH, 20), Level(Mode.DEPTH, 5))
        await wait_for(lambda: '{"sub": "TCS", "mode": 3, "depth": 20}' in rig.server.heard)
        rows = [[5.0 - place / 100, 1, 1] for place in range(20)]
        await rig.server.tick("TCS", 5.0, buy=rows, sell=rows)
        await rig.hears(answer.want, 5.0)
        (deep,), (shallow,) = rig.ears.of(answer.want), rig.ears.of(plain.want)
        assert (deep["symbol"], len(deep["depth"]["buy"])) == ("TCS:20", 20)
        assert (shallow["symbol"], len(shallow["depth"]["sell"])) == ("TCS", 5)
        assert isinstance(rig.ask("TCS:7", Mode.DEPTH), Refused)


@pytest.mark.parametrize(("asked", "granted"), [(5, 5), (10, 20), (50, 20), (200, 20)])
async def test_the_level_that_will_really_be_delivered_is_told(asked: int, granted: int) -> None:
    async with feed_rig() as rig:
        await rig.login()
        answer = rig.ask("SBIN", Mode.DEPTH, asked)
        assert isinstance(answer, Granted)
        assert answer.level == Level(Mode.DEPTH, granted)


async def test_full_sockets_are_refused_with_the_known_text() -> None:
    async with feed_rig(toy_stream(symbols=2, sockets=2), caps=Caps(symbols_per_socket=1)) as rig:
        await rig.login()
        rig.want("SBIN")
        rig.want("TCS")
        assert rig.ask("INFY") == Refused(
            "Maximum capacity reached: 2 connections × 1 symbols = 2 symbols. Currently subscribed to 2 symbols.",
            "MAX_CAPACITY_REACHED",
        )
        assert isinstance(rig.ask("TCS", Mode.QUOTE), Granted)
        await rig.carries(SBIN=1, TCS=2)
        assert rig.server.upgrades == 2


async def test_an_upgrade_that_finds_no_room_leaves_everything_as_it_was() -> None:
    dear = toy_stream(symbols=2, sockets=1, cost=lambda instrument, level: 2 if level.mode is Mode.DEPTH else 1)
    async with feed_rig(dear) as rig:
        await rig.login()
        want = rig.want("SBIN")
        rig.want("TCS")
        refused = rig.ask("SBIN", Mode.DEPTH)
        assert isinstance(refused, Refused)
        assert "Currently subscribed to 2 symbols" in refused.reason
        await rig.carries(SBIN=1, TCS=1)
        await rig.server.tick("SBIN", 5.0)
        await rig.hears(want, 5.0)


async def test_what_only_lingers_makes_room() -> None:
    async with feed_rig(toy_stream(symbols=1, sockets=1, linger=60.0)) as rig:
        await rig.login()
        want = await rig.streaming("SBIN")
        rig.feed.release(want)
        assert isinstance(rig.ask("TCS"), Granted)
        await rig.carries(TCS=1)
        assert rig.server.upgrades == 1


async def test_equal_wants_share_an_id_and_are_counted() -> None:
    async with feed_rig() as rig:
        await rig.login()
        first, second = rig.want("SBIN"), rig.want("SBIN")
        others = [rig.want("SBIN", Mode.QUOTE), rig.want("SBIN:20")]
        flat = rig.ask("SBIN", dialect=Dialect.FLAT)
        assert isinstance(flat, Granted)
        assert first == second
        assert len({first, *others, flat.want}) == 4
        assert rig.health.wants == 4
        for want in (*others, flat.want, first):
            rig.feed.release(want)
        await rig.carries(SBIN=1)
        await rig.server.tick("SBIN", 5.0)
        await rig.hears(second, 5.0)
        rig.feed.release(second)
        await rig.carries()
        assert rig.health.wants == 0
        assert rig.feed.last(ACCOUNT, "SBIN", "NSE") is None


async def test_the_last_release_lingers_then_lets_go_of_instrument_and_socket() -> None:
    async with feed_rig(toy_stream(linger=0.2)) as rig:
        await rig.login()
        want = await rig.streaming("SBIN")
        rig.feed.release(want)
        started = asyncio.get_running_loop().time()
        await rig.server.tick("SBIN", 6.0)
        await wait_for(lambda: not rig.server.sockets, what="socket closed")
        assert asyncio.get_running_loop().time() - started >= 0.19
        assert rig.ears.prices(want) == [5.0]
        await rig.state(AccountState.LIVE)


async def test_coming_back_while_it_lingers_keeps_the_upstream_and_the_want() -> None:
    async with feed_rig(toy_stream(linger=0.2)) as rig:
        await rig.login()
        want = await rig.streaming("SBIN")
        heard = list(rig.server.heard)
        for _ in range(3):
            rig.feed.release(want)
            await asyncio.sleep(0.12)
            assert rig.want("SBIN") == want
        assert rig.server.heard == heard
        await rig.server.tick("SBIN", 6.0)
        await rig.hears(want, 6.0)
        assert [told["seq"] for told in rig.ears.of(want)] == [1, 2]


async def test_a_linger_of_zero_lets_go_at_once() -> None:
    async with feed_rig(toy_stream(linger=0.0)) as rig:
        await rig.login()
        want = await rig.streaming("SBIN")
        rig.feed.release(want)
        await wait_for(lambda: not rig.server.sockets)


async def test_modes_are_raised_and_lowered_upstream() -> None:
    async with feed_rig() as rig:
        await rig.login()
        ltp = rig.want("SBIN")
        await rig.carries(SBIN=1)
        quote, depth = rig.want("SBIN", Mode.QUOTE), rig.want("SBIN", Mode.DEPTH)
        await rig.carries(SBIN=3)
        await rig.server.tick("SBIN", 5.0, buy=[[4.95, 1, 1]], sell=[])
        await rig.hears(depth, 5.0)
        assert [want for want, _ in rig.ears.published] == [ltp, quote, depth]
        rig.feed.release(depth)
        await rig.carries(SBIN=2)
        rig.feed.release(quote)
        await rig.carries(SBIN=1)
        assert rig.server.upgrades == 1


async def test_a_lowered_stream_shows_nothing_old_when_raised_again() -> None:
    async with feed_rig() as rig:
        await rig.login()
        rig.want("SBIN")
        quote = await rig.streaming("SBIN", Mode.QUOTE)
        rig.feed.release(quote)
        await rig.carries(SBIN=1)
        await rig.server.tell({"tick": "SBIN", "ltp": 6.0})
        await wait_for(lambda: 6.0 in [told["ltp"] for _, told in rig.ears.published])
        again = rig.want("SBIN", Mode.QUOTE)
        assert rig.feed.snapshot(again) is None


async def test_a_snapshot_is_the_newest_payload_where_it_may_be_shown() -> None:
    async with feed_rig() as rig:
        pending = rig.want("SBIN")
        assert rig.feed.snapshot(pending) is None
        await rig.login()
        assert rig.feed.snapshot(pending) is None
        await rig.carries(SBIN=1)
        await rig.server.tick("SBIN", 5.0)
        await rig.hears(pending, 5.0)
        told = rig.feed.snapshot(pending)
        assert told is not None
        assert b'"ltp":5.0' in told
        assert rig.feed.snapshot(rig.want("SBIN", Mode.QUOTE)) is not None
        assert rig.feed.snapshot(rig.want("SBIN", Mode.DEPTH)) is None
        assert rig.feed.sequence(pending) == 1


async def test_an_accounts_feed_is_blind_to_the_others() -> None:
    async with feed_rig() as rig:
        rig.feed.add_account(AccountInfo("v-toy", "v", "toy"), rig.spec)
        rig.feed.add_account(AccountInfo("v-toy", "v", "toy"), rig.spec)
        await rig.login()
        want = await rig.streaming("SBIN")
        other = rig.feed.want("v-toy", "SBIN", "NSE", Level(Mode.LTP))
        assert isinstance(other, Pending)
        assert other.want != want
        assert rig.feed.master(ACCOUNT) is rig.master
        assert rig.feed.master("v-toy") is None
        assert rig.feed.master("nobody") is None
        assert [health.account for health in rig.feed.all_health()] == [ACCOUNT, "v-toy"]


async def test_health_tells_limits_and_their_use() -> None:
    async with feed_rig(toy_stream(symbols=10, sockets=3), caps=Caps(sockets=2)) as rig:
        await rig.login()
        await rig.streaming("SBIN")
        rig.want("SBIN", Mode.QUOTE)
        health = rig.health
        (use,) = health.streams
        assert (use.name, use.symbols, use.sockets, use.max_symbols_per_socket, use.max_sockets) == (
            "data",
            1,
            1,
            10,
            2,
        )
        assert (health.account, health.broker, health.state, health.wants) == (ACCOUNT, "toy", AccountState.LIVE, 2)
        assert health.last_data_at is not None
        assert abs(health.last_data_at - rig.clock.now_ms()) < 10_000
        assert health.modes["NSE"] == {"LTP": (), "Quote": (), "Depth": (5, 20)}


async def test_accounts_need_a_sink_first() -> None:
    clock = ManualClock(datetime(2026, 8, 3, 10, 0, tzinfo=IST))
    feed = Feed(no_rest, Prices(), clock, Calendar())
    with pytest.raises(RuntimeError, match="attach a sink"):
        feed.add_account(AccountInfo(ACCOUNT, "u", "toy"), toy_spec())
    await feed.stop()


async def test_epochs_rise_over_restarts() -> None:
    clock = ManualClock(datetime(2026, 8, 3, 10, 0, tzinfo=IST))
    ids = []
    for _ in range(2):
        feed = Feed(no_rest, Prices(), clock, Calendar())
        feed.attach(Ears())
        feed.add_account(AccountInfo(ACCOUNT, "u", "toy"), toy_spec())
        for number in range(500):
            answer = feed.want(ACCOUNT, f"S{number}", "NSE", Level(Mode.LTP))
            assert isinstance(answer, Pending)
            ids.append(answer.want)
        await feed.stop()
        clock.advance(10)
    assert ids == sorted(set(ids))


async def test_stopping_leaves_nothing_running() -> None:
    async with feed_rig(toy_stream(linger=60.0)) as rig:
        await rig.login()
        await rig.streaming("SBIN")
        rig.feed.release(await rig.streaming("TCS"))
        await rig.feed.stop()
        await wait_for(lambda: not rig.server.sockets)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith(("socket", "feed", "close"))]
        assert isinstance(rig.ask("SBIN"), Pending)
        assert rig.ask("TCS") != rig.ask("SBIN")


async def test_a_master_for_nobody_in_particular_is_harmless() -> None:
    async with feed_rig() as rig:
        rig.feed.use_master(ACCOUNT, ToyMaster(toy_instrument("SBIN"), version="2"))
        assert rig.feed.master(ACCOUNT) is None
