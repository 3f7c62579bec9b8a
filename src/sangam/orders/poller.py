"""When to read the order books again, where no stream tells of orders and where one might have missed some."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from sangam.brokers.contract import BooksChanged, BrokerSpec, Session
from sangam.model.calendar import AlwaysOpen, Calendar
from sangam.model.clock import Clock
from sangam.model.order import OrderState, OrderUpdate, TradingMode

from .journal import Journal
from .reconciler import Reconciler
from .updates import Updates

log = logging.getLogger("sangam.orders")

TICK = 0.5
IDLE = 30.0
"""Seconds between two reads of a broker without pushes while no order is open: others may be placed elsewhere."""
OVERDUE = 3.0
"""Seconds after which a push that did not come is taken for lost."""
SAFETY = 60.0
"""Seconds between two reads beside a stream that tells of orders, while some are open."""


class Poller:
    """`sessions` are the accounts that are logged in, with their brokers. Passes on what streams tell as well."""

    def __init__(
        self,
        reconciler: Reconciler,
        updates: Updates,
        journal: Journal,
        sessions: Callable[[], Mapping[str, tuple[BrokerSpec, Session]]],
        calendar: Calendar,
        clock: Clock,
        tick: float = TICK,
    ) -> None:
        self._reconciler = reconciler
        self._updates = updates
        self._journal = journal
        self._sessions = sessions
        self._calendar = calendar
        self._clock = clock
        self._tick = tick
        self._generations: dict[str, int] = {}
        self._read_at: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._watch(), name="order polls")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def told(self, account: str, news: OrderUpdate | BooksChanged) -> None:
        """What a stream of a live account tells; a `Feed.on_order` listener."""
        if isinstance(news, BooksChanged):
            self.read(account)
        else:
            self._updates.heard(account, TradingMode.LIVE, news)

    def read(self, account: str) -> None:
        """Read the books soon; what is asked meanwhile is one more reading."""
        if account in self._sessions():
            self._read_at[account] = self._clock.monotonic()
            self._reconciler.check(account)

    async def _watch(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                log.exception("the order polls failed")
            await asyncio.sleep(self._tick)

    def look(self) -> None:
        """Read what is due now: a new session's books at once."""
        sessions = self._sessions()
        for account, (spec, session) in sessions.items():
            try:
                self._look(account, spec, session)
            except Exception:
                log.exception("%s: its order polls failed", account)
        for gone in self._generations.keys() - sessions.keys():
            del self._generations[gone]
            self._read_at.pop(gone, None)

    def _look(self, account: str, spec: BrokerSpec, session: Session) -> None:
        if spec.trading is None:
            return
        self._reconciler.seek_late(account)
        if self._generations.get(account) != session.generation:
            self._generations[account] = session.generation
            self._reconciler.renewed(account)
            self.read(account)
            return
        pause = self._pause(account, spec)
        since = self._clock.monotonic() - self._read_at.get(account, float("-inf"))
        if pause is not None and since >= pause and account not in self._reconciler.refused:
            self.read(account)

    def _pause(self, account: str, spec: BrokerSpec) -> float | None:
        """Seconds between two reads; None where pushes suffice or the markets are closed."""
        open_orders = any(
            order.mode is TradingMode.LIVE and order.state is not OrderState.UNKNOWN  # those are looked for one by one
            for order in self._journal.unsettled(account)
        )
        pushed = any(stream.carries.orders for stream in spec.streams)
        if spec.trading is not None and (self._updates.overdue(account, OVERDUE) or (open_orders and not pushed)):
            return spec.trading.polls
        if pushed:
            return SAFETY if open_orders else None
        calendar = AlwaysOpen() if spec.simulated else self._calendar
        return IDLE if calendar.trades_on(self._clock.now_ms(), spec.exchanges) else None
