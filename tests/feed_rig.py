"""A feed with toy brokers behind real sockets and a sink that remembers, for tests of the feed."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from tests.support import wait_for
from tests.toy_broker import ToyMaster, ToyServer, toy_instrument, toy_session, toy_spec

from sangam.brokers.contract import BrokerSpec, Operation, Session, Stream
from sangam.feed.feed import Feed
from sangam.feed.pool import Caps
from sangam.feed.port import AccountHealth, Dialect, Granted, Pending, Refused
from sangam.model.calendar import Calendar
from sangam.model.clock import Clock, SystemClock
from sangam.model.enums import AccountState, Mode
from sangam.model.errors import BrokerError
from sangam.model.identity import AccountInfo
from sangam.model.instrument import Level
from sangam.model.order import OrderNews
from sangam.prices.prices import Prices
from sangam.transport.socket import Timing

ACCOUNT = "u-toy"
FAST = Timing(stale_after=0.3, stuck_after=5.0, check=0.02, settled=0.2, backoff_first=0.02, backoff_cap=0.1)


class Refusal(NamedTuple):
    want: int
    code: str
    reason: str


class Ears:
    """A sink that remembers. `seqs` proves that no want's sequence ever falls or repeats."""

    def __init__(self) -> None:
        self.published: list[tuple[int, Any]] = []
        self.lapsed: list[int] = []
        self.refusals: list[Refusal] = []
        self.states: list[AccountHealth] = []
        self.orders: list[tuple[str, Any]] = []
        self.seqs: dict[int, int] = {}

    def publish(self, want: int, payload: bytes) -> None:
        told = json.loads(payload)
        if "seq" in told:
            assert told["seq"] == self.seqs.get(want, 0) + 1
            self.seqs[want] = told["seq"]
        self.published.append((want, told))

    def lapse(self, want: int) -> None:
        self.lapsed.append(want)

    def refuse(self, want: int, code: str, reason: str) -> None:
        self.refusals.append(Refusal(want, code, reason))

    def state(self, health: AccountHealth) -> None:
        self.states.append(health)

    def order(self, news: OrderNews) -> None:
        self.orders.append((news.account, json.loads(news.update)))

    def of(self, want: int) -> list[Any]:
        return [told for number, told in self.published if number == want]

    def prices(self, want: int) -> list[float]:
        return [told["ltp"] for told in self.of(want)]


async def no_rest(spec: BrokerSpec, session: Session, operation: Operation[Any]) -> Any:
    """Toy streams ask nothing before they open."""
    try:
        operation.send(None)
    except StopIteration as stop:
        return stop.value
    raise BrokerError("the toy broker has no REST")


class Rig:
    def __init__(self, server: ToyServer, feed: Feed, ears: Ears, clock: Clock, spec: BrokerSpec) -> None:
        self.server, self.feed, self.ears, self.clock, self.spec = server, feed, ears, clock, spec
        self.master = ToyMaster(*map(toy_instrument, ("SBIN", "TCS", "INFY", "ITC")))
        self.generation = 0

    async def login(self, master: ToyMaster | None = None, **options: Any) -> None:
        self.generation += 1
        session = toy_session(self.server.url, self.generation, f"token-{self.generation}", **options)
        await self.feed.open_session(ACCOUNT, session, master or self.master)

    def ask(
        self, symbol: str, mode: Mode = Mode.LTP, depth: int = 5, dialect: Dialect = Dialect.CANONICAL
    ) -> Granted | Pending | Refused:
        return self.feed.want(ACCOUNT, symbol, "NSE", Level(mode, depth), dialect)

    def want(self, symbol: str, mode: Mode = Mode.LTP, depth: int = 5) -> int:
        """The id of a want that is not refused."""
        answer = self.ask(symbol, mode, depth)
        assert not isinstance(answer, Refused), answer.reason
        return answer.want

    @property
    def health(self) -> AccountHealth:
        return self.feed.health(ACCOUNT)

    async def state(self, wanted: AccountState) -> None:
        await wait_for(lambda: self.health.state is wanted, what=f"state {wanted}, not {self.health}")

    async def carries(self, **wanted: int) -> None:
        """Wait until the broker's sockets carry exactly these, by mode."""
        await wait_for(
            lambda: self.server.carried == wanted, what=f"{wanted} upstream, not {self.server.carried}", timeout=3
        )

    async def hears(self, want: int, ltp: float) -> None:
        await wait_for(lambda: ltp in self.ears.prices(want), what=f"{ltp} for {want}")

    async def streaming(self, symbol: str, mode: Mode = Mode.LTP, ltp: float = 5.0) -> int:
        """A want that has heard its first price."""
        want = self.want(symbol, mode)
        await wait_for(lambda: self.server.carried.get(symbol, 0) >= mode, what=symbol)
        await self.server.tick(symbol, ltp, **({"buy": [[5, 1, 1]], "sell": []} if mode is Mode.DEPTH else {}))
        await self.hears(want, ltp)
        return want


@contextlib.asynccontextmanager
async def feed_rig(
    *streams: Stream,
    clock: Clock | None = None,
    calendar: Calendar | None = None,
    timing: Timing = FAST,
    caps: Caps | None = None,
    **options: Any,
) -> AsyncIterator[Rig]:
    """A started feed with one account and no session yet. Leaves no task of the house behind."""
    before = asyncio.all_tasks()
    clock = clock or SystemClock()
    spec = toy_spec(*streams, **options)
    async with ToyServer() as server:
        feed, ears = Feed(no_rest, Prices(), clock, calendar or Calendar(), timing, caps), Ears()
        feed.attach(ears)
        feed.add_account(AccountInfo(ACCOUNT, "u", "toy", "TOY1"), spec)
        feed.start()
        try:
            yield Rig(server, feed, ears, clock, spec)
        finally:
            await feed.stop()
            await wait_for(lambda: not server.sockets, what="closed sockets")
    await wait_for(lambda: not asyncio.all_tasks() - before, what="no task left")
