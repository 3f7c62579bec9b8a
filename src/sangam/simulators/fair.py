"""Which path each contract's fair price follows: a recording, its underlying's path, or a walk of its own."""

import random
from collections.abc import Callable, Mapping
from datetime import date, datetime, time

from sangam.model.clock import IST
from sangam.model.enums import Exchange, InstrumentType

from .listing import Contract, Id
from .past import PastCloses
from .paths import Derived, Path, RandomWalk, future_price, option_price

_YEAR_MS = 365 * 86_400_000
_EXPIRES_AT = time(15, 30, tzinfo=IST)
_VOLATILITY = {Exchange.NSE_INDEX: 0.14, Exchange.BSE_INDEX: 0.14, Exchange.CDS: 0.05, Exchange.BCD: 0.05}
_SHARE_VOLATILITY = 0.25
_OPTION_VOLATILITY = 0.14


class FairPrices:
    """`recorded` gives paths by symbol; those of a share or index also move its derivatives."""

    def __init__(self, seed: int, recorded: Mapping[str, Path], now_ms: Callable[[], int]) -> None:
        self._seed = seed
        self._recorded = recorded
        self._now_ms = now_ms
        self._paths: dict[Id, Path] = {}
        self._past: dict[tuple[Id, date], PastCloses] = {}

    def path(self, contract: Contract) -> Path:
        if (path := self._paths.get(contract.id)) is None:
            path = self._paths[contract.id] = self._new(contract)
        return path

    def close(self, contract: Contract, begin: date, day: date) -> float:
        """The fair price at the end of a weekday before `begin`, the day when its path started."""
        if contract.expiry is None or contract.symbol in self._recorded:
            return self._closes(contract.id, self.path(contract).start, begin).at(day)
        closes = self._closes(_spot_id(contract), self._spot(contract).start, begin)
        return _derived(contract, closes.at(day), (_expires(contract.expiry) - _expires(day)) / _YEAR_MS)

    def forget(self) -> None:
        """Let go of the past, which is the same when it is drawn again."""
        self._past.clear()

    def dice(self, purpose: str, key: Id) -> random.Random:
        """Every path and market has its own, so that watching one does not change another."""
        return random.Random(f"{self._seed}/{purpose}/{key[1]}:{key[0]}")

    def _new(self, contract: Contract) -> Path:
        if (recorded := self._recorded.get(contract.symbol)) is not None:
            return recorded
        if contract.expiry is None:
            return self._walk(contract.id, contract)
        expires = _expires(contract.expiry)
        return Derived(
            self._spot(contract), lambda price: _derived(contract, price, max(expires - self._now_ms(), 0) / _YEAR_MS)
        )

    def _spot(self, contract: Contract) -> Path:
        """The underlying's path; contracts of a base without a cash row share one of that base."""
        key = _spot_id(contract)
        if (path := self._paths.get(key)) is None:
            path = self._paths[key] = self._recorded.get(key[0]) or self._walk(key, contract)
        return path

    def _closes(self, key: Id, start: float, begin: date) -> PastCloses:
        if (closes := self._past.get((key, begin))) is None:
            volatility = _VOLATILITY.get(key[1], _SHARE_VOLATILITY)
            closes = PastCloses(start, volatility, begin, lambda year: self.dice(f"closes {year}", key))
            self._past[key, begin] = closes
        return closes

    def _walk(self, key: Id, contract: Contract) -> Path:
        volatility = _VOLATILITY.get(key[1], _SHARE_VOLATILITY)
        return RandomWalk(contract.price, volatility, self.dice("path", key))


def _spot_id(contract: Contract) -> Id:
    return contract.underlying or (contract.name, contract.exchange)


def _expires(day: date) -> int:
    return int(datetime.combine(day, _EXPIRES_AT).timestamp() * 1000)


def _derived(contract: Contract, spot: float, years: float) -> float:
    """A derivative's fair price at a price of its underlying."""
    if contract.instrument_type is InstrumentType.FUT:
        return future_price(spot, years)
    volatility = _VOLATILITY.get(contract.exchange, _OPTION_VOLATILITY)
    return option_price(spot, contract.strike, years, volatility, call=contract.instrument_type is InstrumentType.CE)
