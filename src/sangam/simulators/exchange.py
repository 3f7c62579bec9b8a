"""A seeded matching exchange: the market behind every simulated broker.

Equal seeds and equal calls give equal ticks and ledgers. Time is the caller's: `step(dt)` lets `dt` seconds of trading
happen, stamped with the clock's hour. Only markets that somebody watches, or where a client's order waits, are moved;
the others catch up when they are looked at."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta

from sangam.model import enums
from sangam.model.clock import IST, Clock, SystemClock, ist_from_ms
from sangam.model.enums import Action, PriceType, Product
from sangam.model.errors import SymbolNotFound

from .desk import Desk
from .fair import FairPrices
from .history import Birth, History
from .listing import Contract, Id, listing
from .market import Market
from .orders import Ledger, Order, Validity
from .paths import Path
from .tape import Bar

DAY_BEGINS = time(6, 0)
"""When a trading day begins (IST): statistics start anew, expired contracts leave, brokers' tokens die."""


class Exchange:
    """`contracts` lists a day's market; `paths` gives recorded prices by symbol (those of a share or index also move
    its derivatives); `pace` is how many updates a second an active contract makes."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        seed: int = 1,
        contracts: Callable[[date], Iterable[Contract]] = listing,
        paths: Mapping[str, Path] | None = None,
        pace: float = 5.0,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.seed = seed
        self.elapsed = 0.0
        """Seconds of trading so far."""
        self.edition = 0
        """Rises whenever tokens or contracts changed."""
        self._list = contracts
        self._pace = pace
        self._fair = FairPrices(seed, dict(paths or {}), self.clock.now_ms)
        self._desk = Desk(self.clock.now_ms, self.watch, self.unwatch)
        self._contracts: dict[Id, Contract] = {}
        self._tokens: dict[Id, int] = {}
        self._ids: dict[tuple[enums.Exchange, int], Id] = {}
        self._rotation = 0
        self._markets: dict[Id, Market] = {}
        self._births: dict[Id, Birth] = {}
        self._history = History(self._fair)
        self._watchers: dict[Id, int] = {}
        self._turn = 0
        self.day = trading_day(self.now_ms)
        """The trading day that is open."""
        self._listeners: list[Callable[[list[Market]], None]] = []
        self._open_day()

    # --- the market ---------------------------------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        return self.clock.now_ms()

    @property
    def ledger(self) -> Ledger:
        """What clients' orders did here, the judge of anybody's journal."""
        return self._desk.ledger

    @property
    def contracts(self) -> list[Contract]:
        """Everything listed today."""
        return list(self._contracts.values())

    def market(self, symbol: str, exchange: enums.Exchange) -> Market:
        """A contract's market as of now. Raises SymbolNotFound."""
        key = (symbol, exchange)
        market = self._markets.get(key)
        if market is None:
            market = self._open(key)
        if key not in self._watchers:
            self._advance(market)
        return market

    def token(self, contract: Contract) -> int:
        """The exchange's number of a contract today."""
        return self._tokens[contract.id]

    def by_token(self, exchange: enums.Exchange, token: int) -> Market | None:
        found = self._ids.get((exchange, token))
        return None if found is None else self.market(*found)

    def candles(
        self, market: Market, minutes: int, first: date, last: date, *, continuous: bool = False
    ) -> Iterator[list[Bar]]:
        """Bars of so many minutes (0: of days) of IST dates `first` to `last`, oldest first, in portions of about a
        millisecond's work. `continuous` tells days from before a contract was listed."""
        birth = self._births[market.contract.id]
        if minutes:
            return self._history.minutes(market, birth, self.day, first, last, minutes)
        return self._history.days(market, birth, self.day, first, last, continuous=continuous)

    def renumber(self) -> None:
        """Give every contract the number that another one of its exchange had: the worst that a night can do."""
        self._rotation += 1
        self._number()

    def watch(self, market: Market) -> None:
        """Keep a market moving until `unwatch` was called as often."""
        key = market.contract.id
        self._watchers[key] = self._watchers.get(key, 0) + 1

    def unwatch(self, market: Market) -> None:
        key = market.contract.id
        if self._watchers[key] == 1:
            del self._watchers[key]
        else:
            self._watchers[key] -= 1

    # --- time ---------------------------------------------------------------------------------------------------------

    def step(self, dt: float, moves: int | None = None) -> list[Market]:
        """Trade for `dt` seconds; returns the markets that moved, and tells the listeners of them.

        At most `moves` of them move now; the others are first next time."""
        if trading_day(self.now_ms) != self.day:
            self._open_day()
        self.elapsed += dt
        moved: list[Market] = []
        keys = list(self._watchers)
        begin, self._turn = self._turn, 0
        for n in range(begin, begin + len(keys)):
            market = self._markets.get(keys[n % len(keys)])
            if market is None or market.due > self.elapsed:
                continue
            if len(moved) == moves:
                self._turn = n % len(keys)
                break
            self._advance(market)
            moved.append(market)
        for listener in list(self._listeners):
            listener(moved)
        return moved

    async def run(self, rate: float = 50.0, speed: float = 1.0, moves: int | None = None) -> None:
        """Step in real time, `rate` times a second, until cancelled; `speed` makes the market's seconds shorter."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(1 / rate)
            now = loop.time()
            self.step((now - last) * speed, moves)
            last = now

    def on_step(self, listener: Callable[[list[Market]], None]) -> Callable[[], None]:
        """Hear of the markets that moved, after every step. Returns how to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # --- clients' orders ----------------------------------------------------------------------------------------------

    def place(
        self,
        owner: str,
        symbol: str,
        exchange: enums.Exchange,
        action: Action,
        quantity: int,
        price_type: PriceType = PriceType.MARKET,
        *,
        price: float = 0.0,
        trigger_price: float = 0.0,
        product: Product = Product.MIS,
        tag: str = "",
        validity: Validity = Validity.DAY,
        variety: str = "",
        terms: Mapping[str, float | str] | None = None,
        held: bool = False,
        refusal: str = "",
    ) -> Order:
        """Take an order. A wrong one, or one with a `refusal` of its broker, is in the ledger too, as rejected with its
        reason; a `held` one meets the market when the next day opens or at `release`. Raises SymbolNotFound."""
        return self._desk.place(
            self.day,
            self._current(symbol, exchange),
            owner,
            action,
            quantity,
            price_type,
            price,
            trigger_price,
            product,
            tag,
            validity=validity,
            variety=variety,
            terms=terms,
            held=held,
            refusal=refusal,
        )

    def modify(
        self,
        order_id: str,
        *,
        quantity: int | None = None,
        price: float | None = None,
        trigger_price: float | None = None,
        price_type: PriceType | None = None,
    ) -> Order:
        """Change a waiting order, at most 25 times. Raises Refusal."""
        order = self._desk.waiting(order_id)
        self._desk.modify(
            self._current(order.symbol, order.exchange),
            self._desk.waiting(order_id),
            order.quantity if quantity is None else quantity,
            order.price if price is None else price,
            order.trigger_price if trigger_price is None else trigger_price,
            price_type or order.price_type,
        )
        return order

    def release(self, order_id: str) -> Order:
        """Let a held order into the market. Raises Refusal when it is over already."""
        order = self._desk.waiting(order_id)
        if order.held:
            self._desk.release(self._current(order.symbol, order.exchange), order)
        return order

    def cancel(self, order_id: str, reason: str = "") -> Order:
        """Raises Refusal when there is nothing left to cancel."""
        order = self._desk.waiting(order_id)
        self._desk.cancel(self._markets[order.symbol, order.exchange], order, reason)
        return order

    def on_order(self, listener: Callable[[Order], None]) -> Callable[[], None]:
        """Hear of every change of a client's order. Returns how to stop."""
        self._desk.listeners.append(listener)
        return lambda: self._desk.listeners.remove(listener)

    # --- days and markets ---------------------------------------------------------------------------------------------

    def _open_day(self) -> None:
        """Orders of yesterday end, statistics begin anew, and the day's listing replaces the old one."""
        for market in self._markets.values():
            market.end_day(self.day)
        day = trading_day(self.now_ms)
        contracts = {contract.id: contract for contract in self._list(day)}
        waiting = [order for order in self.ledger.orders.values() if not order.status.is_final]
        for order in waiting:
            if not order.held or (order.symbol, order.exchange) not in contracts:
                self.cancel(order.order_id, "End of day")
        self.day, self._contracts = day, contracts
        self._number()
        self._markets = {key: market for key, market in self._markets.items() if key in self._contracts}
        self._births = {key: self._births[key] for key in self._markets}
        self._fair.forget()
        for market in self._markets.values():
            market.new_day()
        for order in waiting:
            if not order.status.is_final:
                self.release(order.order_id)

    def _number(self) -> None:
        self.edition += 1
        groups: dict[enums.Exchange, list[Contract]] = {}
        for contract in self._contracts.values():
            groups.setdefault(contract.exchange, []).append(contract)
        self._tokens = {
            contract.id: group[(n + self._rotation) % len(group)].token
            for group in groups.values()
            for n, contract in enumerate(group)
        }
        self._ids = {(key[1], token): key for key, token in self._tokens.items()}

    def _open(self, key: Id) -> Market:
        if (contract := self._contracts.get(key)) is None:
            raise SymbolNotFound(*key)
        market = self._markets[key] = Market(
            contract,
            self._fair.path(contract),
            self._fair.dice("market", key),
            pace=self._pace,
            elapsed=self.elapsed,
            now_ms=self.now_ms,
        )
        self._births[key] = Birth(self.day, market.close, market.oi)
        return market

    def _current(self, symbol: str, exchange: enums.Exchange) -> Market:
        market = self.market(symbol, exchange)
        self._advance(market)
        return market

    def _advance(self, market: Market) -> None:
        market.advance(self.elapsed, self.now_ms)
        self._desk.settle(market)


def trading_day(now_ms: int) -> date:
    """The date of the trading day that an instant belongs to."""
    moment = ist_from_ms(now_ms)
    return moment.date() if moment.time() >= DAY_BEGINS else moment.date() - timedelta(days=1)


def next_day_begins(now_ms: int) -> int:
    """When the next trading day begins, epoch milliseconds."""
    day = trading_day(now_ms) + timedelta(days=1)
    return int(datetime.combine(day, DAY_BEGINS, IST).timestamp() * 1000)
