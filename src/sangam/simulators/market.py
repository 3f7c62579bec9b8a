"""The market of one contract: a book kept alive by market makers and takers around a fair price, and its statistics.

Prices are whole ticks; `rupees` turns them into money."""

import math
import random
from datetime import date

from sangam.model.enums import InstrumentType

from .book import Book, Fill, Resting
from .listing import Contract
from .paths import Path
from .tape import Bar, Tape

LADDER = 6
"""Levels that the makers keep on each side unless somebody asks for a deeper book."""


class Market:
    """`ltp`, `open`, `high`, `low` and `close` (of the previous day) are ticks; `turnover` is ticks x quantity;
    `ltt` and `updated` are epoch milliseconds. low <= ltp <= high and best bid < best ask hold at any time."""

    def __init__(
        self, contract: Contract, path: Path, rng: random.Random, *, pace: float, elapsed: float, now_ms: int
    ) -> None:
        self.contract = contract
        self.token = contract.token
        self.is_index = contract.instrument_type is InstrumentType.INDEX
        self.book = Book()
        self.fills: list[Fill] = []
        """Client orders that were hit since the exchange last looked."""
        self._path = path
        self._rng = rng
        self._interval = 1.0 / (pace * _LIVELINESS[contract.instrument_type])
        self._elapsed = elapsed
        self.due = elapsed + self._interval * rng.random()
        """When the market moves next, in seconds of trading."""
        self._ladder: dict[bool, dict[int, Resting]] = {True: {}, False: {}}
        self._levels = LADDER
        self.clip = contract.lot_size * max(1, round(_CLIP_RUPEES / (contract.price * contract.lot_size)))
        """What the crowd trades at least at once."""
        self.days: dict[date, Bar] = {}
        """One bar for each day that this market saw the end of."""
        self.ltq = 0
        self.oi = 0 if contract.expiry is None else contract.lot_size * (2_000 + int(rng.random() * 20_000))
        self.updates = 0
        """Rises with every change of what can be seen."""
        self.updated = now_ms
        self.ltt = now_ms
        self.ltp = self._ticks(path.start)
        self.new_day()
        self.ltp = self.open = self.high = self.low = self._clamp(self._ticks(path.at(elapsed)))
        self.tape = Tape(self.open)
        if self.is_index:
            self._print(self.ltp, 0, now_ms)
        else:
            self._trade(self.ltp, self.clip * (50 + int(rng.random() * 500)), now_ms)
            self.ltq = contract.lot_size
            self._quote(path.at(elapsed) / contract.tick_size)

    # --- what can be seen ---------------------------------------------------------------------------------------------

    def rupees(self, ticks: float) -> float:
        return round(ticks * self.contract.tick_size, self.contract.decimals)

    @property
    def average(self) -> float:
        """Volume-weighted average price of the day, in ticks."""
        return self.turnover / self.volume if self.volume else 0.0

    # --- time ---------------------------------------------------------------------------------------------------------

    def end_day(self, day: date) -> None:
        """Keep the day's bar."""
        seconds = (day - date(1970, 1, 1)).days * 86_400
        self.days[day] = Bar(seconds, self.open, self.high, self.low, self.ltp, self.volume, self.oi)

    def new_day(self) -> None:
        """Yesterday's last price becomes the close; the day's statistics begin anew."""
        self.updates += 1
        self.close = self.open = self.high = self.low = self.ltp
        self.tape = Tape(self.open)
        self.volume = 0
        self.turnover = 0
        self.oi_high = self.oi_low = self.oi
        self.lower_circuit, self.upper_circuit = self._circuits()

    def advance(self, elapsed: float, now_ms: int) -> None:
        """Let trading go on until `elapsed` seconds."""
        passed = elapsed - self._elapsed
        if passed <= 0:
            return
        self._elapsed = elapsed
        self.due = elapsed + self._interval * (0.5 + self._rng.random())
        self.updated = now_ms
        self.updates += 1
        fair = self._path.at(elapsed)
        if self.is_index:
            self._print(self._clamp(self._ticks(fair)), 0, now_ms)
            return
        self._quote(fair / self.contract.tick_size)
        if passed > 10 * self._interval:
            self._trade_in_the_dark(passed, now_ms)
        if self._rng.random() < 0.75:
            self._take(now_ms)

    def deepen(self, levels: int) -> None:
        """Keep at least so many levels on each side from now on."""
        if levels > self._levels and not self.is_index:
            self._levels = levels
            self._quote(self._path.at(self._elapsed) / self.contract.tick_size)

    def execute(self, buy: bool, quantity: int, limit: int | None, now_ms: int) -> list[Fill]:
        """Match an incoming order; every fill is a trade of the day."""
        self.updates += 1
        fills = self.book.match(buy, quantity, limit)
        for fill in fills:
            self._trade(fill.price, fill.quantity, now_ms)
            if fill.resting.client is not None:
                self.fills.append(fill)
            elif fill.resting.quantity == 0:
                del self._ladder[not buy][fill.price]
        return fills

    def rest(self, order: Resting) -> None:
        """Let a client's order wait in the book."""
        self.updates += 1
        self.book.rest(order)

    def withdraw(self, order: Resting) -> None:
        self.updates += 1
        self.book.remove(order)

    # --- the anonymous crowd ------------------------------------------------------------------------------------------

    def _quote(self, fair: float) -> None:
        """Makers move their ladders around the fair price (in ticks) and renew one level of each side."""
        dice = self._rng.random
        spread = max(1, int(fair * _SPREAD[self.contract.instrument_type]))
        low, high = self._range
        bid = min(max(math.floor(fair - spread / 2 + 0.5), low - 1), high - 1)
        ask = max(bid + spread, low)
        ranges = (
            (True, max(bid - self._levels + 1, low), bid),
            (False, ask, min(ask + self._levels - 1, high)),
        )
        for buy, bottom, top in ranges:
            ladder = self._ladder[buy]
            for price in [price for price in ladder if price < bottom or price > top]:
                self.book.remove(ladder.pop(price))
            renewed = ladder.pop(bottom + int(dice() * (top - bottom + 1)), None)
            if renewed is not None:
                self.book.remove(renewed)
        for buy, bottom, top in ranges:
            ladder = self._ladder[buy]
            for price in range(bottom, top + 1):
                if price not in ladder:
                    away = top - price if buy else price - bottom
                    lots = 1 + int(dice() * (10 + 4 * min(away, 20)))
                    self._make(buy, price, self.clip * lots, 1 + int(dice() * min(lots, 12)))

    def _make(self, buy: bool, price: int, quantity: int, parts: int) -> None:
        """A maker's order first trades with clients' orders that it meets; only the rest waits."""
        best = self.book.best_ask if buy else self.book.best_bid
        if best is not None and (best <= price if buy else best >= price):
            quantity -= sum(fill.quantity for fill in self.execute(buy, quantity, price, self.updated))
        if quantity:
            self._ladder[buy][price] = order = Resting(buy, price, quantity, parts)
            self.book.rest(order)

    def _take(self, now_ms: int) -> None:
        rng = self._rng
        self.execute(rng.random() < 0.5, self.clip * (1 + int(12 * rng.random() ** 3)), None, now_ms)

    def _trade_in_the_dark(self, passed: float, now_ms: int) -> None:
        """Nobody watched for a while: the trades of that time happened at the last price."""
        lots = int(passed / self._interval * (1 + 2 * self._rng.random()))
        self._trade(self.ltp, lots * self.clip, now_ms)

    # --- bookkeeping --------------------------------------------------------------------------------------------------

    def _trade(self, price: int, quantity: int, now_ms: int) -> None:
        self.volume += quantity
        self.turnover += price * quantity
        self.ltq = quantity
        if self.contract.expiry is not None:
            change = int((self._rng.random() - 0.5) * 3) * min(quantity, 20 * self.clip)
            self.oi = max(self.oi + change, 0)
            self.oi_high = max(self.oi_high, self.oi)
            self.oi_low = min(self.oi_low, self.oi)
        self._print(price, quantity, now_ms)

    def _print(self, price: int, quantity: int, now_ms: int) -> None:
        self.ltp = price
        self.ltt = now_ms
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.tape.add(price, quantity, self.oi, now_ms)

    def _ticks(self, price: float) -> int:
        return max(1, round(price / self.contract.tick_size))

    def _clamp(self, ticks: int) -> int:
        low, high = self._range
        return min(max(ticks, low), high)

    @property
    def _range(self) -> tuple[int, int]:
        return (self.lower_circuit, self.upper_circuit)

    def _circuits(self) -> tuple[int, int]:
        """A tenth around the close; options and indices are practically free."""
        if self.contract.instrument_type in (InstrumentType.CE, InstrumentType.PE, InstrumentType.INDEX):
            spot = self._ticks(self.contract.price)
            return (1, max(self.close * 3, spot))
        return (max(1, math.ceil(self.close * 0.9)), math.floor(self.close * 1.1))


_CLIP_RUPEES = 20_000
"""What the crowd trades at least at once, where one lot is worth less."""

_LIVELINESS = {
    InstrumentType.INDEX: 1.0,
    InstrumentType.EQ: 1.0,
    InstrumentType.FUT: 1.0,
    InstrumentType.CE: 0.6,
    InstrumentType.PE: 0.6,
}
"""How often a contract updates, as a share of the exchange's pace."""

_SPREAD = {
    InstrumentType.INDEX: 0.0,
    InstrumentType.EQ: 0.0002,
    InstrumentType.FUT: 0.0002,
    InstrumentType.CE: 0.004,
    InstrumentType.PE: 0.004,
}
"""Bid-ask spread as a share of the price; never less than one tick."""
