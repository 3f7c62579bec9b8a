"""Three thousand symbols of one Angel One account: three sockets of a thousand each, all live against the simulator,
and an honest refusal of what is beyond that."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from tests.conformance.rig import Morning, Rig
from tests.conformance.stands import STANDS
from tests.conformance.streaming import ACCOUNT, Streaming, differences
from tests.support import wait_for

from sangam.brokers.angel import SPEC
from sangam.feed.port import Granted, Refused
from sangam.model.enums import Exchange as Code
from sangam.model.enums import Mode
from sangam.model.instrument import Instrument, Level
from sangam.simulators import Exchange
from sangam.simulators.angel import Angel, Feed
from sangam.simulators.listing import listing

SOCKETS, ROOM = 3, 1000
STRANGER = "ONEMORE"
"""A share that our list has beside the fifty of the simulated exchange."""


@asynccontextmanager
async def crowded() -> AsyncIterator[tuple[Rig, Streaming, list[Instrument]]]:
    """A market with enough strikes, our feed on it, and its instruments: shares first."""
    exchange = Exchange(clock=(clock := Morning()), contracts=lambda day: listing(day, strikes=140))
    async with Angel(exchange, heartbeat=0.02) as simulator:
        rig = Rig(SPEC, STANDS["angel"], simulator, clock)
        share = await rig.share()
        rig.know(msgspec.structs.replace(share, symbol=STRANGER, brsymbol=STRANGER, token="1"))
        instruments = sorted(await rig.instruments(), key=lambda row: row.exchange is not Code.NSE)
        assert len(instruments) > SOCKETS * ROOM
        async with rig.streaming() as feed:
            yield rig, feed, instruments
        await rig.driver.close()


def loads(rig: Rig) -> list[int]:
    """Token-mode subscriptions of each socket of the feed, as the broker counts them."""
    sockets = [session for session in rig.simulator.sessions if isinstance(session, Feed)]
    return [sum(len(modes) for modes in socket.subscriptions.values()) for socket in sockets]


def ask(feed: Streaming, instrument: Instrument, level: Level) -> object:
    return feed.feed.want(ACCOUNT, instrument.symbol, instrument.exchange.value, level)


async def test_three_thousand_symbols_and_one_more() -> None:
    async with crowded() as (rig, feed, instruments):
        carried, more = instruments[: SOCKETS * ROOM], instruments[SOCKETS * ROOM]
        for instrument in carried:
            feed.want(instrument)

        def late() -> list[str]:
            return [row.symbol for row in carried if differences(feed.last(row), rig.market(row), Mode.LTP)]

        await wait_for(lambda: not late(), timeout=30.0, what="3,000 prices as the exchange has them")
        assert loads(rig) == [ROOM] * SOCKETS
        await feed.live()

        before = {row.symbol: rig.market(row).updates for row in carried}
        rig.trade(60.0)
        assert all(rig.market(row).updates > before[row.symbol] for row in carried)
        await wait_for(lambda: not late(), timeout=30.0, what="3,000 new prices")

        for level in (Level(Mode.LTP), Level(Mode.DEPTH)):
            answer = ask(feed, more, level)
            assert isinstance(answer, Refused)
            assert answer.code == "MAX_CAPACITY_REACHED"
            assert "3 connections × 1000 symbols = 3000 symbols" in answer.reason
        # A book of twenty levels needs a socket of the same budget.
        deep = ask(feed, carried[0], Level(Mode.DEPTH, 20))
        assert isinstance(deep, Refused)
        assert deep.code == "MAX_CAPACITY_REACHED"


async def test_a_mode_changes_on_a_full_socket() -> None:
    """The former mode is left first, so that the broker never counts a token twice."""
    async with crowded() as (rig, feed, instruments):
        carried = instruments[: SOCKETS * ROOM]
        for instrument in carried:
            feed.want(instrument)
        await wait_for(lambda: loads(rig) == [ROOM] * SOCKETS, timeout=30.0, what="three full sockets")
        for instrument in carried[::100]:
            feed.want(instrument, Mode.DEPTH)
        for instrument in carried[::100]:
            await feed.shows(instrument, Mode.DEPTH)
        assert loads(rig) == [ROOM] * SOCKETS
        assert feed.reconnects == 0


async def test_books_of_twenty_levels_take_one_socket_of_the_three() -> None:
    async with crowded() as (rig, feed, instruments):
        shares = [row for row in instruments if row.exchange is Code.NSE]
        assert len(shares) == 50
        for share in shares:
            feed.want(share, Mode.DEPTH, 20)
        for share in shares:
            await feed.shows(share, Mode.DEPTH, 20)
        assert loads(rig) == [50, 50]  # books on one, the prices of the same shares on another
        more = await rig.named(STRANGER, Code.NSE)
        answer = ask(feed, more, Level(Mode.DEPTH, 20))
        assert isinstance(answer, Refused)
        assert answer.code == "MAX_CAPACITY_REACHED"
        assert isinstance(ask(feed, more, Level(Mode.DEPTH)), Granted)
