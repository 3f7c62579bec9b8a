"""Finds out what became of orders: reads the books after a start, a login and a reconnect, and looks for every order
in doubt until there is evidence (DESIGN §3.5).

Everything passes the executor, so its rate limits are shared; reads of one account are joined."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from math import inf
from typing import TypeVar

from sangam.brokers.contract import Tag, Trading
from sangam.instruments.daily import day_began
from sangam.model.clock import Clock
from sangam.model.errors import RateLimited, SangamError, SessionExpired
from sangam.model.order import Order, OrderState, TradingMode
from sangam.transport.sharing import JOINABLE

from . import evidence
from .evidence import Moments, Verdict
from .fills import FillCheck
from .journal import Journal
from .ports import Executor
from .seeking import Pace, Seeker
from .states import NEVER_REACHED
from .updates import Updates

log = logging.getLogger("sangam.orders")

T = TypeVar("T")

_SLICE = 25
"""Rows merged between two turns of the loop."""
_GONE = (
    "It never reached {broker}: the whole order book, read {seconds:.0f} s or more after the attempt, does not have "
    "it. You may place it again."
)


class Reconciler:
    """`trading(account)` is what its broker can do, None where orders of the account go to the paper book only."""

    def __init__(
        self,
        journal: Journal,
        updates: Updates,
        executors: Mapping[TradingMode, Executor],
        trading: Callable[[str], Trading | None],
        clock: Clock,
        pace: Pace | None = None,
    ) -> None:
        self._journal = journal
        self._updates = updates
        self._executors = executors
        self._trading = trading
        self._clock = clock
        self._pace = pace or Pace()
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._paper: set[str] = set()
        self._failing: set[tuple[str, TradingMode]] = set()
        self._gates: dict[str, asyncio.Event] = {}
        self._fills = FillCheck()
        self._lacking: dict[tuple[str, TradingMode], str] = {}
        self._doubted: dict[str, float] = {}  # by a clock that nobody can set
        self._woke: dict[str, float] = {}  # the same; infinite while the broker does not answer
        self.refused: set[str] = set()
        """Accounts whose session the broker no longer takes: no use in asking before the next login."""
        self._logins: Counter[str] = Counter()
        self._seeker = Seeker(self.seekable, self._look, clock, self._pace)
        updates.on_doubt(self._doubtful)

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self, accounts: Iterable[str]) -> None:
        """Orders of these accounts that are not settled, or that the journal cannot read, hold back new ones until the
        books were read once."""
        for account in accounts:
            modes = {order.mode for order in self._journal.unsettled(account)}
            if self._trading(account) is not None and (TradingMode.LIVE in modes or self._journal.unread(account)):
                self._gates[account] = asyncio.Event()
            if TradingMode.PAPER in modes:
                self._paper.add(account)
                self.check(account)

    async def stop(self) -> None:
        runs = list(self._runs.values())
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, self._seeker.stop(), return_exceptions=True)

    # --- what others ask ----------------------------------------------------------------------------------------------

    def check(self, account: str) -> None:
        """Read the books of an account soon. What is asked while a reading is under way is one more reading."""
        if account in self._runs:
            self._again.add(account)
            return
        self._runs[account] = asyncio.create_task(self._run(account), name=f"reconcile {account}")

    async def ready(self, account: str) -> None:
        """Returns once the books of an account were read after the start, or nothing of it is left to be settled; how
        long that is waited for is the caller's matter. Raises SessionExpired where nobody can read them."""
        while (gate := self._gates.get(account)) is not None:
            if not self._unsure(account):
                self._gates.pop(account).set()
                return
            self.check(account)
            await gate.wait()
            if account in self.refused:
                raise SessionExpired(
                    f"{account}: orders from before the server's start are not settled, and its books cannot be read "
                    "without a session. Log in; nothing was sent. Cancels work once you are."
                ).unsent()

    def renewed(self, account: str) -> None:
        """The account has a new session: its broker may be asked again."""
        self._logins[account] += 1
        self.refused.discard(account)

    def _refuse(self, account: str, login: int) -> None:
        """An answer that comes after the next login is about the session before it."""
        if self._logins[account] == login:
            self.refused.add(account)

    def _unsure(self, account: str) -> bool:
        live = any(order.mode is TradingMode.LIVE for order in self._journal.unsettled(account))
        return live or bool(self._journal.unread(account))

    def in_doubt(self, account: str) -> list[Order]:
        """Orders that nobody knows the outcome of, oldest first."""
        return sorted(self._journal.in_doubt(account), key=lambda order: order.created_at)

    def doubt_text(self, order: Order) -> str:
        """What a person must know of an order in doubt."""
        terms = f"{order.action} {order.quantity} {order.exchange}:{order.symbol}"
        hope = (
            "It is being looked for."
            if order in self.seekable(order.account)
            else f"Nothing in {order.broker}'s books can tell it from others: look there yourself and settle it with "
            f"sangam orders resolve {order.id}"
        )
        why = f"{order.reason.rstrip('.')}. " if order.reason else ""
        return f"Order {order.id} ({terms}) is in doubt; do not repeat it. {why}{hope}"

    def seekable(self, account: str) -> list[Order]:
        """Orders in doubt, and those whose answer is late, that the books of today can tell something of."""
        day = day_began(self._clock.now_ms())
        return [
            order
            for order in [*self.in_doubt(account), *self._late(account)]
            if order.created_at >= day
            and (order.order_id or self._tag(order).kind != "none")
            and not (order.mode is TradingMode.LIVE and account in self.refused)
        ]

    def seek_late(self, account: str) -> None:
        """Callers wait for evidence: do not let them wait for a broker's answer alone."""
        if self._late(account):
            self._seeker.seek(account)

    def _late(self, account: str) -> list[Order]:
        since = self._clock.now_ms() - self._pace.late * 1000
        return [
            order
            for order in self._journal.in_flight(account)
            if order.state is OrderState.SENT and order.sent_at <= since
        ]

    # --- reading ------------------------------------------------------------------------------------------------------

    async def _run(self, account: str) -> None:
        try:
            pause = self._pace.gap
            while True:
                self._again.discard(account)
                done = await self._check(account)
                if done and account not in self._again:
                    return
                await asyncio.sleep(pause)
                pause = self._pace.gap if done else min(2 * pause, self._pace.cap)
        finally:
            self._runs.pop(account, None)
            self._again.discard(account)

    async def _check(self, account: str) -> bool:
        """Whether there is nothing to try again: the first reading after a start does not wait for somebody to ask."""
        failed = [mode for mode in self._due(account) if not await self._readable(account, mode)]
        self._seeker.seek(account)
        first = {TradingMode.LIVE: account in self._gates, TradingMode.PAPER: account in self._paper}
        return not any(first[mode] for mode in failed)

    async def _readable(self, account: str, mode: TradingMode) -> bool:
        """One reading. False where it may go better next time; one mode's trouble does not touch the other."""
        login = self._logins[account]
        try:
            await self._read(account, mode)
            await self._compare_trades(account, mode)
        except SessionExpired:
            self._refuse(account, login)
            if (gate := self._gates.get(account)) is not None:
                self._gates[account] = asyncio.Event()
                gate.set()  # who waits hears of it
            return True
        except SangamError as error:
            level = logging.INFO if (account, mode) in self._failing else logging.WARNING
            log.log(level, "%s: the order book was not read: %s", account, error)
            self._failing.add((account, mode))
            return False
        except Exception:
            log.exception("%s: the order book was not merged", account)
            return False
        self._failing.discard((account, mode))
        if mode is TradingMode.PAPER:
            self._paper.discard(account)
            return True
        self.refused.discard(account)
        if (gate := self._gates.pop(account, None)) is not None:
            gate.set()
        return True

    def _due(self, account: str) -> list[TradingMode]:
        """The paper book runs in this process and tells everything: it is read after a start, and for doubts."""
        doubtful = any(order.mode is TradingMode.PAPER for order in self.in_doubt(account))
        paper = [TradingMode.PAPER] if doubtful or account in self._paper else []
        return [TradingMode.LIVE, *paper] if self._trading(account) is not None else paper

    async def _read(self, account: str, mode: TradingMode) -> None:
        """One whole order book: every row is merged, and what it lacks is judged. Raises what the executor raises."""
        now, began = self._clock.now_ms(), self._clock.monotonic() - JOINABLE
        settle = self._settle(mode)
        moments = Moments(day_began(now), round(now - JOINABLE * 1000), round(settle * 1000))
        rows = await self._asked(account, mode, self._executors[mode].orders(account))
        for at, row in enumerate(rows):
            if at % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
            self._updates.heard(account, mode, row)
        await asyncio.sleep(0)
        known = [order for order in self._journal.of(account) if order.mode is mode]
        lost = next((order.order_id for order in evidence.missing(known, rows, moments)), "")
        if lost and lost != self._lacking.get((account, mode)):
            log.warning("%s: the order book lacks %s; it proves nothing", account, lost)
        self._lacking[account, mode] = lost
        if lost:
            return
        await asyncio.sleep(0)
        self._doubted = {order.id: self._doubted[order.id] for order in self._still_doubted()}
        early = {id for id, at in self._doubted.items() if at + settle > began}
        if mode is TradingMode.LIVE and self._woke.get(account, -inf) + settle > began:
            early |= {order.id for order in known if order.state is OrderState.UNKNOWN}
        open_orders = [order for order in known if not order.state.is_final and order.id not in early]
        for order, verdict in list(evidence.absent(open_orders, rows, moments, tagged=self._tagged(account, mode))):
            log.warning("%s: %s %s", account, order.id, verdict.value)
            if verdict is Verdict.EXPIRED:
                self._updates.expired(order)
            else:
                text = _GONE.format(broker=order.broker, seconds=settle)
                self._updates.rejected(order, text, NEVER_REACHED)

    async def _compare_trades(self, account: str, mode: TradingMode) -> None:
        """Trades are detail that sums to what was filled; a difference that stays is told once."""
        try:
            trades = await self._executors[mode].trades(account)
        except SessionExpired:
            raise
        except SangamError as error:
            log.info("%s: the trade book was not read: %s", account, error)
            return
        self._fills.compare(account, mode, self._journal.of(account), trades)

    # --- looking for one ----------------------------------------------------------------------------------------------

    def _doubtful(self, order: Order) -> None:
        self._doubted[order.id] = self._clock.monotonic()
        self._seeker.seek(order.account)

    def _still_doubted(self) -> list[Order]:
        known = (self._journal.get(id) for id in self._doubted)
        return [order for order in known if order is not None and order.state is OrderState.UNKNOWN]

    async def _look(self, account: str, orders: list[Order]) -> None:
        """One look for orders in doubt: a single one by the cheapest read, several by one read of the book."""
        login = self._logins[account]
        for mode in {order.mode for order in orders}:
            mine = [order for order in orders if order.mode is mode]
            try:
                if len(mine) > 1 or not await self._found(mine[0]):
                    await self._read(account, mode)
            except SessionExpired:
                self._refuse(account, login)
            except SangamError as error:
                log.info("%s: an order in doubt was looked for in vain: %s", account, error)
            except Exception:
                log.exception("%s: an order in doubt was looked for in vain", account)

    async def _found(self, order: Order) -> bool:
        """Whether a targeted read settled this, or it is too early for the book to prove anything."""
        trading = self._trading(order.account)
        if order.mode is TradingMode.LIVE and (trading is None or trading.find is None):
            return False
        row = await self._asked(order.account, order.mode, self._executors[order.mode].find(order.account, order))
        if row is not None:
            self._updates.heard(order.account, order.mode, row)
            return True
        return self._clock.now_ms() < evidence.attempted(order) + self._settle(order.mode) * 1000

    def _settle(self, mode: TradingMode) -> float:
        """How long an order may need to show: none on paper, whose book is in this process and has no queue."""
        return self._pace.settle if mode is TradingMode.LIVE else 0.0

    async def _asked(self, account: str, mode: TradingMode, answer: Awaitable[T]) -> T:
        """A broker that did not answer, or late, may have orders in its queue that it takes only now: what its book
        lacks proves nothing before it has been awake for the settling time."""
        began = self._clock.monotonic()
        try:
            told = await answer
        except (SessionExpired, RateLimited):
            raise
        except SangamError:
            if mode is TradingMode.LIVE:
                self._woke[account] = inf
            raise
        now = self._clock.monotonic()
        if mode is TradingMode.LIVE and (self._woke.get(account) == inf or now - began > self._pace.settle / 2):
            self._woke[account] = now
        return told

    def _tag(self, order: Order) -> Tag:
        trading = self._trading(order.account)
        return Tag("text", 10) if order.mode is TradingMode.PAPER else trading.tag if trading is not None else Tag()

    def _tagged(self, account: str, mode: TradingMode) -> bool:
        trading = self._trading(account)
        return mode is TradingMode.PAPER or (trading is not None and trading.tag.kind != "none")
