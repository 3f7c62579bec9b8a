"""The prices that orders are judged, converted and made by."""

from sangam.feed.feed import Feed
from sangam.feed.market import Market
from sangam.model.clock import Clock
from sangam.model.enums import Mode
from sangam.model.errors import BrokerError
from sangam.model.instrument import Instrument


class OrderPrices:
    """Money does not move by prices of the simulated market: an account that borrows its streams has none then, unless
    its broker is a sandbox."""

    def __init__(self, feed: Feed, market: Market, clock: Clock) -> None:
        self._feed = feed
        self._market = market
        self._clock = clock

    def seen(self, account: str, instrument: Instrument) -> tuple[float, int] | None:
        """The last price that streams now, and its age in milliseconds."""
        last = self._feed.current(account, instrument.symbol, instrument.exchange.value, Mode.LTP)
        age = last.age_ms(self._clock.now_ms()) if last is not None else None
        if last is None or age is None or not self._fit(account):
            return None
        return last.fields["ltp"], age

    async def price(self, account: str, instrument: Instrument) -> float:
        """The last price, asked for where it does not stream. Raises BrokerError."""
        if not self._fit(account):
            raise BrokerError(
                f"{account} hears the simulated market, and no order of real money is made by its prices; nothing was "
                "sent. Log in to an account that streams real ones."
            )
        last = (await self._market.quotes(account, [instrument], Mode.LTP)).get(instrument)
        if last is None or not last.fields.get("ltp"):
            raise BrokerError(f"There is no price of {instrument.exchange}:{instrument.symbol}; nothing was sent.")
        return last.fields["ltp"]

    def _fit(self, account: str) -> bool:
        if not self._feed.simulated(account):
            return True
        spec = self._feed.broker(account)
        return spec.trading is None or spec.sandbox or spec.simulated
