"""The order side of a server: journal, executors, router, reconciler and desk, built and connected."""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client.core import Metric

from sangam.accounts.accounts import Accounts
from sangam.api.postbacks import Addressee
from sangam.brokers.contract import BrokerSpec, Session, Trading
from sangam.brokers.registry import Registry
from sangam.feed.feed import Feed
from sangam.feed.market import Market
from sangam.instruments.master import Master
from sangam.model.calendar import Calendar
from sangam.model.clock import Clock
from sangam.model.errors import BrokerError, SymbolNotFound
from sangam.model.identity import Identity
from sangam.model.instrument import Instrument
from sangam.model.order import OrderNews, OrderUpdate, TradingMode
from sangam.orders.actions import DeskActions
from sangam.orders.desk import OrderDesk
from sangam.orders.events import order_news
from sangam.orders.journal import Journal
from sangam.orders.live import Live
from sangam.orders.poller import Poller
from sangam.orders.ports import Caller, Executor
from sangam.orders.reconciler import Reconciler
from sangam.orders.router import Router
from sangam.orders.telling import Told
from sangam.orders.updates import Updates
from sangam.paper import units
from sangam.paper.executor import PaperExecutor
from sangam.store.home import Home
from sangam.store.journal import open_journal_database
from sangam.store.writer import Writer
from sangam.transport.http import HttpDriver
from sangam.transport.keeper import Keeper

from .alerts import Alert
from .order_figures import order_families
from .order_prices import OrderPrices
from .order_verbs import OrderVerbs
from .paper_prices import PaperPrices

log = logging.getLogger("sangam.orders")

DOUBTFUL_MS = 30_000
"""An order may be in doubt for so long before a person is called."""
ORDER_LANE = "orders"
_DAY_SECONDS = 86_400.0


class OrderRoom:
    """`start` reads the journal; `serve` begins to look at the brokers' books, once the accounts are up; `drain` takes
    no new orders and waits for those under way; `stop` leaves nothing running."""

    def __init__(
        self,
        home: Home,
        database_url: str,
        *,
        clock: Clock,
        calendar: Calendar,
        http: HttpDriver,
        feed: Feed,
        market: Market,
        accounts: Accounts,
        brokers: Registry,
        master: Callable[[str], Master],
        tell: Callable[[OrderNews], object],
    ) -> None:
        """Opens the journal. Raises ConfigError where it cannot be opened."""
        self._clock = clock
        self._calendar = calendar
        self._http = http
        self._feed = feed
        self._market = market
        self._accounts = accounts
        self._brokers = brokers
        self._master = master
        self._database = open_journal_database(home.path, database_url)
        self._writer = Writer(self._database)
        journal = self.journal = Journal(self._database, self._writer, clock, order_news)
        told = Told(journal.newest, tell)
        updates = self.updates = Updates(journal, self._named, self._owner, told, clock)
        prices = PaperPrices(feed, market, accounts, feed.simulated)
        self.paper = PaperExecutor(
            self._database,
            self._writer,
            clock,
            owner=lambda account: self._accounts[account].info.user,
            named=self._by_symbol,
            source=prices,
            listener=self._heard_on_paper,
            calendar=calendar,
            multiplier=units.multiplier,
            always_open=feed.simulated,
            accounts=lambda user: [info.id for info in accounts.list(user)],
        )
        prices.on_price = self.paper.on_price
        live = self.live = Live(http, self._spec, feed.session)
        executors: dict[TradingMode, Executor] = {TradingMode.LIVE: live, TradingMode.PAPER: self.paper}
        self._reconciler = Reconciler(journal, updates, executors, self._trading, clock)
        self._poller = Poller(self._reconciler, updates, journal, self._sessions, calendar, clock)
        seen = OrderPrices(feed, market, clock)
        self._router = Router(
            journal,
            updates,
            executors,
            master=master,
            price=seen.seen,
            rules=accounts.rules.binding,
            trading=self._trading,
            ready=self._reconciler.ready,
            clock=clock,
            random=os.urandom,
        )
        self.desk = OrderDesk(
            journal,
            self._router,
            updates,
            executors,
            master=master,
            price=seen.price,
            venue=self._venue,
            clock=clock,
        )
        self.actions = DeskActions(self.desk, journal, told, market.quotes, clock, feed.simulated)
        self.verbs = OrderVerbs(journal, updates, self.paper, accounts, clock)
        self._keeper = Keeper(http, lambda: self._sessions().values(), self._in_session)

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._feed.on_order(self._poller.told)

    def serve(self) -> None:
        since = self._clock.now_ms() - int(_DAY_SECONDS * 1000)
        for info in self._accounts.list():
            if (spec := self._broker(info.broker)) is not None:
                self._http.seed(spec, info.id, ORDER_LANE, self.journal.placed_at(info.id, since))
        self.paper.start()
        self._reconciler.start([info.id for info in self._accounts.list()])
        self._poller.start()
        self._keeper.start()

    async def drain(self) -> None:
        await self._router.close()

    async def stop(self) -> None:
        await self._router.close(0)
        await self._keeper.stop()
        await self._poller.stop()
        await self._reconciler.stop()
        await self.paper.stop()
        self.updates.close()
        await self._writer.close()
        self._database.close()

    # --- what can be seen ---------------------------------------------------------------------------------------------

    def troubles(self) -> Iterable[Alert]:
        now = self._clock.now_ms()
        if trouble := self._writer.trouble:
            text = f"the journal takes nothing, so no order is sent: {trouble}"
            yield Alert(kind="journal", about="journal", broker="", text=text, since=now)
        for info in self._accounts.list():
            if unread := self.journal.unread(info.id):
                text = (
                    f"the journal's rows of {', '.join(unread[:3])} are damaged: look for these orders in the broker's "
                    "own book. What that book has is shown here as placed elsewhere"
                )
                yield Alert(kind="journal_row", about=info.id, broker=info.broker, text=text, since=now)
            doubtful = [order for order in self._reconciler.in_doubt(info.id) if now - order.created_at >= DOUBTFUL_MS]
            if doubtful:
                text = " ".join(self._reconciler.doubt_text(order) for order in doubtful[:3])
                more = f" And {len(doubtful) - 3} more." if len(doubtful) > 3 else ""
                since = doubtful[0].created_at
                yield Alert(kind="order_unknown", about=info.id, broker=info.broker, text=f"{text}{more}", since=since)

    def metrics(self) -> Mapping[str, float]:
        return {"journal_in_trouble": bool(self._writer.trouble)}

    def families(self) -> Iterable[Metric]:
        return order_families(self._accounts.list(), self.journal.of, self._writer.committed)

    async def events(self, identity: Identity, after: int) -> tuple[list[OrderNews], int]:
        return await self.actions.since(identity, after)

    def addressee(self, account: str) -> Addressee | None:
        """Whom a posted order is for, while it is logged in."""
        if (held := self._sessions().get(account)) is None:
            return None
        spec, session = held
        return Addressee(spec.name, session, spec.trading.postback if spec.trading else None)

    def posted(self, account: str, update: OrderUpdate) -> None:
        self._poller.told(account, update)

    def read(self, account: str) -> None:
        """Look into an account's books soon."""
        self._poller.read(account)

    def paper_figures(self, caller: Caller) -> Mapping[str, Any]:
        """What funds of the known API tell of a paper account beside the usual five."""
        told = self.paper.details(caller.account.id)
        return {
            "total_realized_pnl": told.total_realised,
            "today_realized_pnl": told.today_realised,
            "last_reset": told.last_reset,
            "reset_count": told.reset_count,
        }

    # --- what the rooms ask of the house ------------------------------------------------------------------------------

    def _spec(self, account: str) -> BrokerSpec:
        return self._brokers[self._accounts[account].info.broker]

    def _venue(self, broker: str) -> TradingMode | None:
        """Where orders of a broker's accounts can go: one that was switched off takes none, and what would have been
        money never quietly becomes paper."""
        spec = self._broker(broker)
        if spec is None:
            return None
        return TradingMode.LIVE if spec.trading is not None else TradingMode.PAPER if spec.simulated else None

    def _trading(self, account: str) -> Trading | None:
        """None also where the account left, or its broker is switched off."""
        spec = self._known(account)
        return None if spec is None else spec.trading

    def _known(self, account: str) -> BrokerSpec | None:
        return self._broker(self._accounts[account].info.broker) if account in self._accounts else None

    def _broker(self, name: str) -> BrokerSpec | None:
        return self._brokers[name] if name in self._brokers.names else None

    def _owner(self, account: str) -> tuple[str, str]:
        info = self._accounts[account].info
        return info.user, info.broker

    def _named(self, account: str, update: OrderUpdate) -> Instrument | None:
        try:
            return self._master(account).named(update)
        except BrokerError:
            return None

    def _by_symbol(self, account: str, symbol: str, exchange: str) -> Instrument | None:
        try:
            return self._master(account).lookup(symbol, exchange)
        except (BrokerError, SymbolNotFound):
            return None

    def _sessions(self) -> Mapping[str, tuple[BrokerSpec, Session]]:
        """The accounts that trade at their broker and are logged in."""
        return {
            info.id: (spec, session)
            for info in self._accounts.list()
            if (spec := self._broker(info.broker)) is not None
            and spec.trading is not None
            and (session := self._feed.session(info.id)) is not None
        }

    def _in_session(self, spec: BrokerSpec) -> bool:
        return self._calendar.trades_on(self._clock.now_ms(), spec.exchanges)

    def _heard_on_paper(self, account: str, update: OrderUpdate) -> None:
        self.updates.heard(account, TradingMode.PAPER, update)
