"""Prices for the paper book: from whichever of a user's feeds has them."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from sangam.accounts.accounts import Accounts
from sangam.feed.feed import Feed
from sangam.feed.market import Market
from sangam.feed.port import Refused
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import SymbolNotFound
from sangam.model.instrument import Instrument, Level
from sangam.prices.last import Last

log = logging.getLogger("sangam.paper")

OnPrice = Callable[[str, str, str, Last], object]
Spot = tuple[str, Exchange]

_LEVELS = (Level(Mode.DEPTH, 5), Level(Mode.QUOTE), Level(Mode.LTP))


class PaperPrices:
    """Implements `paper.watching.PriceSource`; `on_price` hears each update of what is watched."""

    def __init__(
        self,
        feed: Feed,
        market: Market,
        accounts: Accounts,
        simulated: Callable[[str], bool] = lambda account: False,
    ) -> None:
        """Prices of accounts that are `simulated` are none for the others, and the other way round."""
        self.on_price: OnPrice = lambda account, symbol, exchange, last: None
        self._feed = feed
        self._market = market
        self._accounts = accounts
        self._simulated = simulated

    def watch(self, account: str, instrument: Instrument) -> Callable[[], None]:
        via = self._via(account, instrument)
        symbol, exchange = instrument.symbol, instrument.exchange.value
        feed = self._feed
        answers = (feed.want(via, symbol, exchange, level) for level in _LEVELS)
        want = next((answer.want for answer in answers if not isinstance(answer, Refused)), None)
        if want is None:
            log.warning("%s: %s:%s is not streamed; its price is asked for", via, exchange, symbol)
            return lambda: None

        failed = False

        def look() -> None:
            """A defect of the paper book is not the feed's, nor of those who listen to it."""
            nonlocal failed
            try:
                if (last := self._current(via, instrument)) is not None:
                    self.on_price(account, symbol, exchange, last)
            except Exception:
                if not failed:
                    log.exception("%s: a price of %s:%s was not taken", account, exchange, symbol)
                failed = True

        def end() -> None:
            feed.watch(via, symbol, exchange, None)
            feed.release(want)

        feed.watch(via, symbol, exchange, look)
        return end

    def quote(self, account: str, instrument: Instrument) -> Last | None:
        found = (self._current(one, instrument) for one in self._candidates(account))
        return next((last for last in found if last is not None), None)

    async def fetch(self, account: str, instruments: Sequence[Instrument]) -> Mapping[Spot, Last]:
        told: dict[Spot, Last] = {}
        groups: dict[str, list[Instrument]] = {}
        for instrument in instruments:
            groups.setdefault(self._via(account, instrument), []).append(instrument)
        for via, group in groups.items():
            for instrument, last in (await self._market.quotes(via, group, Mode.QUOTE)).items():
                told[instrument.symbol, instrument.exchange] = last
        return told

    def _current(self, account: str, instrument: Instrument) -> Last | None:
        symbol, exchange = instrument.symbol, instrument.exchange.value
        return self._feed.current(account, symbol, exchange, Mode.QUOTE) or self._feed.current(
            account, symbol, exchange, Mode.LTP
        )

    def _via(self, account: str, instrument: Instrument) -> str:
        """The account itself while it is logged in, else another of its user's that knows the instrument."""
        for one in self._candidates(account):
            master = self._feed.master(one)
            if self._feed.session(one) is None or master is None:
                continue
            try:
                master.lookup(instrument.symbol, instrument.exchange.value)
            except SymbolNotFound:
                continue
            return one
        return account

    def _candidates(self, account: str) -> Iterator[str]:
        yield account
        market = self._simulated(account)
        for info in self._accounts.list(self._accounts[account].info.user):
            if info.id != account and self._simulated(info.id) == market:
                yield info.id
