"""IIFL Capital's feed on a real MQTT server: the simulator publishes, Mosquitto is the broker, and the account's feed
listens with the broker's real folder."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests.conformance.matrix import World
from tests.conformance.rig import Rig, rig_for
from tests.conformance.stands import STANDS
from tests.conformance.streaming import Streaming
from tests.mosquitto import PUBLISHER, mosquitto, published
from tests.support import wait_for

from sangam.brokers.iiflcapital import SPEC
from sangam.brokers.iiflcapital.tables import SUBSCRIBE_BATCH
from sangam.model.enums import AccountState, Mode
from sangam.model.enums import Exchange as Code
from sangam.model.instrument import Instrument, Level
from sangam.simulators.iiflcapital import IiflCapital


class Scene(NamedTuple):
    rig: Rig
    feed: Streaming


@asynccontextmanager
async def scene(home: Path, *named: tuple[str, Code], wide: bool = False, silence: float = 5.0) -> AsyncIterator[Scene]:
    """A feed whose socket leads to a Mosquitto; markets that are named (all, where none is) are published there."""
    async with AsyncExitStack() as stack:
        rig = await stack.enter_async_context(rig_for(SPEC, STANDS["iiflcapital"], World(wide=wide)))
        simulator = rig.simulator
        assert isinstance(simulator, IiflCapital)
        users = {simulator.user_id: simulator.login.feed_password, PUBLISHER[0]: PUBLISHER[1]}
        port = stack.enter_context(mosquitto(home, users))
        exchange = rig.exchange
        markets = [exchange.market(*name) for name in named or [row.id for row in exchange.contracts]]
        await stack.enter_async_context(published(simulator, markets, port))
        simulator.hosts |= {"stream": f"tcp://127.0.0.1:{port}"}
        rig.session = rig.session_of(simulator.credentials)
        yield Scene(rig, await stack.enter_async_context(rig.streaming(silence=silence)))


async def test_prices_books_interest_and_orders_come_through_a_real_server(tmp_path: Path) -> None:
    names = (("SBIN", Code.NSE), ("NIFTY25AUG26FUT", Code.NFO), ("NIFTY", Code.NSE_INDEX))
    async with scene(tmp_path, *names) as (rig, feed):
        share, future, index = [await rig.named(*name) for name in names]
        for instrument in (share, future, index):
            feed.want(instrument, Mode.DEPTH)
        for _ in range(3):
            for instrument in (share, future, index):
                await feed.shows(instrument, Mode.DEPTH)
            await wait_for(lambda: feed.last(future).fields.get("oi") == rig.market(future).oi, what="open interest")
            rig.trade()
        order = rig.elsewhere(share)
        told = await feed.hears(order.order_id, "open")
        assert (await rig.master()).named(told) == share
        assert feed.reconnects == 0


async def test_a_market_that_is_quiet_is_kept_open_by_pings(tmp_path: Path) -> None:
    async with scene(tmp_path, ("SBIN", Code.NSE), silence=0.4) as (rig, feed):
        share = await rig.share()
        feed.want(share)
        await feed.shows(share)
        began = rig.clock.monotonic()
        await wait_for(lambda: rig.clock.monotonic() - began > 0.9, what="more than the silence allowed")
        assert feed.reconnects == 0
        await feed.live()


async def test_thousands_of_topics_are_granted_in_batches(tmp_path: Path) -> None:
    async with scene(tmp_path, wide=True) as (rig, feed):
        everything: list[Instrument] = await rig.instruments()
        for instrument in everything:
            feed.want(instrument, Mode.QUOTE)
        for instrument in everything:
            await feed.shows(instrument, Mode.QUOTE)
        assert sum(SPEC.streams[0].cost(row, Level(Mode.QUOTE)) for row in everything) > SUBSCRIBE_BATCH


async def test_a_dead_session_ends_the_attempts(tmp_path: Path) -> None:
    """Mosquitto's "not authorised" stops the loop, as the broker's must."""
    async with scene(tmp_path, ("SBIN", Code.NSE)) as (rig, feed):
        await feed.live()
        rig.log_in()  # of this session's password Mosquitto knows nothing
        await feed.open()
        await feed.state(AccountState.AUTH_EXPIRED)
