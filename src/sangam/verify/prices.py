"""What every price that a broker tells must be like."""

from sangam.model.instrument import Instrument
from sangam.model.market import Depth, Fields

from .checks import Wrong, expect

_FACTOR = 3.0
"""A price of today beyond a third or three times yesterday's close was divided by the wrong number."""
_PRICES = ("ltp", "open", "high", "low", "close")
_DAY_MS = 86_400_000
_OLDEST_MS = 7 * _DAY_MS
_AHEAD_MS = 5_000


def plausible(fields: Fields, instrument: Instrument, *names: str) -> None:
    """These fields are there; prices fit to each other and have the digits of the tick."""
    values: dict[str, float] = {name: value for name, value in fields.items() if isinstance(value, (int, float))}
    lacking = [name for name in names if name not in values]
    expect(not lacking, f"not told: {', '.join(lacking)}")
    prices = {name: values[name] for name in _PRICES if name in values}
    expect(prices.get("ltp", 0) > 0, "the last price is not above zero")
    if not instrument.exchange.is_index:
        long = [name for name, price in prices.items() if round(price, instrument.decimals) != price]
        expect(not long, f"more digits than the tick has: {', '.join(long)}")
    ltp, high, low, close = (prices.get(name, 0.0) for name in ("ltp", "high", "low", "close"))
    if high and low:
        expect(low <= high, "the day's low is above its high")
        expect(low <= ltp <= high, "the last price is outside the day's range")
    if close and instrument.strike == 0:
        expect(close / _FACTOR < ltp < close * _FACTOR, "last price and previous close are of different scales")


def book(depth: Depth | None, levels: int, whole: bool) -> None:
    """Best first, nothing empty, not crossed. `whole` asks for what a liquid instrument always has: some rows, and in a
    deep book more than the usual five. There may be more than asked for: a client may listen to a deeper book."""
    least = 3 if levels <= 5 else 6
    if depth is None:
        raise Wrong("there is no book")
    for name, rows, sign in (("buy", depth.buy, -1), ("sell", depth.sell, 1)):
        expect(all(row.price > 0 and row.quantity > 0 for row in rows), f"an empty row on the {name} side")
        ordered = sorted((row.price for row in rows), key=lambda price: sign * price)
        expect([row.price for row in rows] == ordered, f"the {name} side is not best first")
        expect(not whole or len(rows) >= least, f"{len(rows)} rows on the {name} side of a book of {levels}")
    if depth.buy and depth.sell:
        expect(depth.buy[0].price < depth.sell[0].price, "the book is crossed")


def recent(moment: float, now_ms: int, what: str, is_open: bool) -> None:
    """An epoch millisecond of the exchange: of the last minutes while it trades, else of the last days."""
    expect(moment <= now_ms + _AHEAD_MS, f"{what} lies in the future, or is no epoch millisecond")
    oldest = 120_000 if is_open else _OLDEST_MS
    expect(moment >= now_ms - oldest, f"{what} is {round((now_ms - moment) / 1000)} s old, or no epoch millisecond")


def had(day: Fields, price: float) -> bool:
    """Whether an instrument had a price today; a range that is not told excludes nothing."""
    return day.get("low", price) <= price <= day.get("high", price)
