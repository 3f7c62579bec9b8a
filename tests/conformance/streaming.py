"""An account's feed on the broker's sockets, and what it must show beside what the exchange has."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.feed_rig import Ears
from tests.support import wait_for

from sangam.brokers.contract import BooksChanged, BrokerSpec, Stream
from sangam.feed.feed import Feed
from sangam.feed.pool import Caps
from sangam.feed.port import Refused
from sangam.model.calendar import Calendar
from sangam.model.enums import AccountState, Mode
from sangam.model.enums import Exchange as Code
from sangam.model.identity import AccountInfo
from sangam.model.instrument import Instrument, Level
from sangam.model.order import OrderUpdate
from sangam.prices.last import Last
from sangam.prices.prices import Prices
from sangam.simulators.market import Market
from sangam.transport.socket import Timing

if TYPE_CHECKING:
    from tests.conformance.rig import Rig

ACCOUNT = "a1"
QUICK = Timing(stale_after=20.0, stuck_after=60.0, check=0.02, settled=0.2, backoff_first=0.02, backoff_cap=0.1)


class Streaming:
    """`news` is what the broker's sockets told of orders, oldest first."""

    def __init__(self, rig: "Rig", spec: BrokerSpec, caps: Caps | None) -> None:
        self._rig = rig
        self._prices = Prices()
        self._ears = Ears()
        self.feed = Feed(rig.driver.run, self._prices, rig.clock, Calendar(), QUICK, caps)
        self.feed.attach(self._ears)
        self.feed.on_order(lambda account, news: self.news.append(news))
        self.feed.add_account(AccountInfo(ACCOUNT, "u1", spec.name), spec)
        self.news: list[OrderUpdate | BooksChanged] = []

    async def start(self) -> None:
        self.feed.start()
        await self.open()

    async def open(self) -> None:
        """Take the rig's session."""
        await self.feed.open_session(ACCOUNT, self._rig.session, await self._rig.master())

    def want(self, instrument: Instrument, mode: Mode = Mode.LTP, depth: int = 5) -> int:
        answer = self.feed.want(ACCOUNT, instrument.symbol, instrument.exchange.value, Level(mode, depth))
        assert not isinstance(answer, Refused), answer.reason
        return answer.want

    def last(self, instrument: Instrument) -> Last:
        """What is known of an instrument; nothing where nobody wants it."""
        return self._prices.get(ACCOUNT, instrument.symbol, instrument.exchange.value) or Last()

    async def shows(self, instrument: Instrument, mode: Mode = Mode.LTP, depth: int = 5) -> Last:
        """Wait until what is known is the state of the exchange's market."""
        market = self._rig.market(instrument)
        await wait_for(
            lambda: not differences(self.last(instrument), market, mode, depth),
            what=f"{instrument.symbol} in mode {mode.label} as the exchange has it",
        )
        return self.last(instrument)

    async def state(self, *wanted: AccountState) -> None:
        await wait_for(lambda: self.feed.health(ACCOUNT).state in wanted, what=f"state {' or '.join(wanted)}")

    async def live(self) -> None:
        await self.state(AccountState.LIVE)

    @property
    def reconnects(self) -> int:
        return self.feed.health(ACCOUNT).reconnects

    async def reconnected(self, before: int = 0) -> None:
        await wait_for(lambda: self.reconnects > before, what="another life of the socket")
        await self.live()

    @property
    def updates(self) -> list[OrderUpdate]:
        return [news for news in self.news if isinstance(news, OrderUpdate)]

    async def hears(self, order_id: str, status: str, filled: int | None = None) -> OrderUpdate:
        """Wait for news of an order in a state."""

        def found() -> list[OrderUpdate]:
            rows = [row for row in self.updates if (row.order_id, row.status) == (order_id, status)]
            return rows if filled is None else [row for row in rows if row.filled_quantity == filled]

        await wait_for(found, what=f"news of {order_id}: {status}; heard: {self.updates}")
        return found()[-1]

    def carried(self) -> set[tuple[str, Code]]:
        """What the broker's sockets carry, as the broker sees it."""
        return {market.contract.id for session in self._rig.simulator.sessions for market in session.subscriptions}


def expected(market: Market, mode: Mode) -> dict[str, float]:
    """What a stream must tell of a market in a mode: none of these may be absent or other."""
    fields = {"ltp": market.rupees(market.ltp)}
    if mode is not Mode.LTP:
        prices = {"open": market.open, "high": market.high, "low": market.low, "close": market.close}
        fields |= {name: market.rupees(ticks) for name, ticks in prices.items()}
        if not market.is_index:
            fields["volume"] = market.volume
    return fields


def side(market: Market, buy: bool, levels: int) -> list[tuple[float, int]]:
    return [(market.rupees(row.price), row.quantity) for row in market.book.depth(buy, levels)]


def differences(last: Last, market: Market, mode: Mode, levels: int = 5) -> dict[str, Any]:
    """What is known beside what is so, where they differ."""
    fields: dict[str, Any] = dict(last.fields)
    found: dict[str, Any] = {
        name: (fields.get(name), value) for name, value in expected(market, mode).items() if fields.get(name) != value
    }
    if mode is Mode.DEPTH and not market.is_index:
        for name, buy in (("buy", True), ("sell", False)):
            rows = [] if last.depth is None else getattr(last.depth, name)
            told = [(row.price, row.quantity) for row in rows]
            if told != side(market, buy, levels):
                found[name] = (told, side(market, buy, levels))
    return found


def first_stream(streams: Sequence[Stream]) -> Stream:
    """The stream that carries market data."""
    return next(stream for stream in streams if stream.carries.modes)
