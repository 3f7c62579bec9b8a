"""A market on paper in this process, for tests of strategies: prices are told by the test, time stands still between
them, callbacks come before the call returns. Two runs of the same program do the same."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial, wraps
from typing import Concatenate, ParamSpec, TypeVar

from sangam.brokers.contract import Tag
from sangam.model.books import Funds, GttLeg
from sangam.model.clock import IST
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import BrokerError, Denied, Refused, Rejected
from sangam.model.instrument import Instrument
from sangam.model.market import Depth
from sangam.model.order import OrderState, Ticket, TradingMode
from sangam.paper import gtt, views
from sangam.paper.book import PaperBook
from sangam.paper.config import Config
from sangam.paper.quote import Quote
from sangam.paper.state import Balance, PaperOrder

from . import asked, books
from .answers import GttInfo, HoldingInfo, OrderInfo, PositionInfo, Tick, TradeInfo
from .asked import Name, Price, Terms
from .interface import BrokerInterface
from .listing import Listing
from .own_orders import OwnOrders
from .paper_prices import guessed, price

P = ParamSpec("P")
T = TypeVar("T")

ACCOUNT = "paper"
START = datetime(2026, 1, 5, 10, 0, tzinfo=IST)
TICK_MS = 1_000
"""How far each tick moves the time, unless it tells one."""


def _locked(method: Callable[Concatenate["PaperBroker", P], T]) -> Callable[Concatenate["PaperBroker", P], T]:
    """One thread at a time; a callback may call again."""

    @wraps(method)
    def alone(broker: "PaperBroker", /, *args: P.args, **more: P.kwargs) -> T:
        with broker.lock:
            return method(broker, *args, **more)

    return alone


class PaperBroker(BrokerInterface):
    """`cash` are rupees, `prices` first prices by symbol (``SBIN``, ``NFO:NIFTY24NOV26FUT``). Any symbol can be traded;
    `instruments` tells lot sizes and expiries of those that have some. Leverages, charges and fills by visible depth
    are in `config`. Its market knows no hours."""

    def __init__(
        self,
        cash: Price = 1_000_000,
        prices: Mapping[str, Price] | None = None,
        *,
        instruments: Iterable[Instrument] = (),
        config: Config | None = None,
        start: datetime = START,
    ) -> None:
        super().__init__()
        self.lock = threading.RLock()
        balance = Balance(cash=asked.rupees("cash", cash) or Decimal(0))
        self._book = PaperBook(ACCOUNT, config or Config(), balance, always_open=lambda account: True)
        tag = Tag("text", 10)
        self._orders = OwnOrders(ACCOUNT, ACCOUNT, tag, self._tell_order, TradingMode.PAPER)
        self._instruments = {(one.symbol, one.exchange): one for one in instruments}
        self._orders.listing = Listing(self._instruments.values())
        self._quotes: dict[Name, Quote] = {}
        self._ticks: dict[Name, Tick] = {}
        self._subscribed: set[Name] = set()
        self._triggers: dict[str, str] = {}
        self._calls: deque[Callable[[], None]] = deque()
        self._telling = False
        self._connected = False
        self._moves = self._named = 0
        self._now_ms = int(start.timestamp() * 1000)
        for symbol, first in (prices or {}).items():
            ((name, place),) = asked.instruments(symbol, "NSE")
            self.tick(name, first, exchange=place)

    @property
    def now_ms(self) -> int:
        return self._now_ms

    # --- what the test does -------------------------------------------------------------------------------------------

    @_locked
    def tick(
        self,
        symbol: str,
        ltp: Price,
        *,
        exchange: str = "NSE",
        bid: Price | None = None,
        ask: Price | None = None,
        depth: Depth | None = None,
        volume: int | None = None,
        timestamp: int | None = None,
    ) -> None:
        """Something traded at this price: orders meet it, then the strategy hears of it. `timestamp` is epoch
        milliseconds and must not lie before the last."""
        ((symbol, place),) = asked.instruments([(symbol, exchange)], exchange)
        self._now_ms = max(self._now_ms, self._now_ms + TICK_MS if timestamp is None else timestamp)
        self._moves += 1
        name = (symbol, place)
        quote, told = price(name, ltp, bid, ask, depth, volume, self._now_ms, self._moves)
        self._quotes[name], self._ticks[name] = quote, told
        self._book.on_quote(name, quote, self._now_ms)
        self._heard()
        if name in self._subscribed:
            self._call(lambda: self._tell(self._tick_listener(told), told))
        self._flush()

    # --- life ---------------------------------------------------------------------------------------------------------

    @_locked
    def connect(self, timeout: float = 10.0) -> None:
        if not self._connected:
            self._connected = True
            self._call(lambda: self._tell(self.on_connect))
            self._flush()

    @_locked
    def disconnect(self) -> None:
        if self._connected:
            self._connected = False
            self._call(lambda: self._tell(self.on_disconnect, "closed by us"))
            self._flush()

    # --- orders -------------------------------------------------------------------------------------------------------

    @_locked
    def _place(self, ticket: Ticket, patience: float) -> OrderInfo:
        self._refuse_unconnected()
        order = self._orders.standing(ticket)
        if order is None:
            order = self._orders.begin(ticket, self._now_ms)
            paper = PaperOrder(
                id=order.id,
                account=ACCOUNT,
                instrument=self._instrument(ticket.symbol, ticket.exchange),
                action=ticket.action,
                quantity=ticket.quantity,
                price_type=ticket.price_type,
                product=ticket.product,
                price=ticket.price,
                trigger_price=ticket.trigger_price,
                validity=ticket.validity,
                strategy=ticket.strategy,
                tag=ticket.tag,
            )
            try:
                self._book.place(paper, self._quotes.get((ticket.symbol, ticket.exchange)), self._now_ms)
            except Refused as refused:
                self._orders.refused(order.id, str(refused), refused.code, self._now_ms)
            else:
                self._orders.accepted(order.id, order.id, {}, self._now_ms)
            self._heard()
        self._flush()
        order = self._orders.known(order.id)
        if order.state is OrderState.REJECTED:
            raise Rejected(order.reason, order.code, order)
        return order

    @_locked
    def _modify(self, order_id: str, terms: Terms, patience: float) -> OrderInfo:
        order = self._known(order_id)
        quote = self._quotes.get((order.symbol, order.exchange))
        return self._change(order, partial(self._book.modify, order.id, terms.applied(order), quote, self._now_ms))

    @_locked
    def _cancel(self, order_id: str, patience: float) -> OrderInfo:
        order = self._known(order_id)
        return self._change(order, partial(self._book.cancel, order.id, self._now_ms))

    def _change(self, order: OrderInfo, work: Callable[[], PaperOrder]) -> OrderInfo:
        try:
            work()
        except Refused as refused:
            raise Rejected(str(refused), refused.code, order) from None
        self._heard()
        self._flush()
        return self._orders.known(order.id)

    def _known(self, reference: str) -> OrderInfo:
        self._refuse_unconnected()
        return self._orders.known(reference)

    @_locked
    def get_order(self, order_id: str) -> OrderInfo:
        return self._orders.known(order_id)

    @_locked
    def get_orderbook(self) -> list[OrderInfo]:
        return self._orders.all()

    @_locked
    def get_tradebook(self) -> list[TradeInfo]:
        return books.trades(map(views.trade, self._book.trades), self._orders.listing)

    # --- triggers -----------------------------------------------------------------------------------------------------

    @_locked
    def _place_gtt(self, name: Name, leg: GttLeg, client_order_id: str, patience: float) -> str:
        self._refuse_unconnected()
        if client_order_id not in self._triggers:
            last, instrument = self.get_quote(*name).ltp, self._instrument(*name)
            try:
                placed = gtt.place(self._book, ACCOUNT, instrument, [leg], last, self._now_ms)
            except Refused as refused:
                raise Rejected(str(refused), refused.code) from None
            self._triggers[client_order_id] = placed.id
        return self._triggers[client_order_id]

    @_locked
    def cancel_gtt(self, trigger_id: str, *, timeout: float | None = None) -> None:
        self._refuse_unconnected()
        try:
            gtt.cancel(self._book, trigger_id, self._now_ms)
        except Refused as refused:
            raise Rejected(str(refused), refused.code) from None

    @_locked
    def get_gtts(self) -> list[GttInfo]:
        rows = [views.gtt(one, ACCOUNT, _own) for one in self._book.gtts.values()]
        return books.gtts(rows, self._orders.listing)

    # --- books and prices ---------------------------------------------------------------------------------------------

    @_locked
    def get_positions(self) -> list[PositionInfo]:
        rows = [views.position(one, ACCOUNT, _own) for one in self._book.ledger.positions.values()]
        return books.positions(rows, self._orders.listing)

    @_locked
    def get_holdings(self) -> list[HoldingInfo]:
        rows = [views.holding(one, ACCOUNT, _own) for one in self._book.ledger.holdings.values()]
        return books.holdings(rows, self._orders.listing)

    @_locked
    def get_funds(self) -> Funds:
        return views.funds(self._book)

    def get_quote(self, symbol: str, exchange: str = "NSE") -> Tick:
        ((symbol, place),) = asked.instruments([(symbol, exchange)], exchange)
        if (symbol, place) not in self._ticks:
            raise BrokerError(f"There is no price of {place}:{symbol}: call tick() first.")
        return self._ticks[symbol, place]

    @_locked
    def _subscribe(self, names: list[Name], mode: Mode) -> None:
        self._refuse_unconnected()
        self._subscribed.update(names)

    @_locked
    def _unsubscribe(self, names: list[Name]) -> None:
        self._subscribed.difference_update(names)

    def _instrument(self, symbol: str, exchange: Exchange) -> Instrument:
        """As it was listed, else what its symbol says."""
        name = (symbol, exchange)
        if name not in self._instruments:
            self._instruments[name] = guessed(symbol, exchange)
        return self._instruments[name]

    def _new_id(self) -> str:
        self._named += 1
        return f"paper-{self._named}"

    def _refuse_unconnected(self) -> None:
        if not self._connected:
            raise Denied("This client is not connected: call connect() first. Nothing was sent.")

    # --- to the strategy ----------------------------------------------------------------------------------------------

    def _heard(self) -> None:
        """What the book did since the last time."""
        news, self._book.news = self._book.news, []
        self._book.dirty.clear()
        for order in news:
            self._orders.heard(views.update(order))

    def _tell_order(self, order: OrderInfo) -> None:
        self._call(lambda: self._tell(self.on_order_update, order))

    def _call(self, call: Callable[[], None]) -> None:
        self._calls.append(call)

    def _flush(self) -> None:
        """One callback after the other: what one of them does is told when it has returned."""
        if self._telling:
            return
        self._telling = True
        try:
            while self._calls:
                self._calls.popleft()()
        finally:
            self._telling = False


def _own(account: str, symbol: str, exchange: str) -> None:
    """Instruments keep their own names here."""
