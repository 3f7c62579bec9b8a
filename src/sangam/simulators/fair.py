"""Which path each contract's fair price follows: a recording, its underlying's path, or a walk of its own."""

import random
from collections.abc import Callable, Mapping
from datetime import datetime, time

from sangam.model.clock import IST
from sangam.model.enums import Exchange, InstrumentType

from .listing import Contract, Id
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

    def path(self, contract: Contract) -> Path:
        if (path := self._paths.get(contract.id)) is None:
            path = self._paths[contract.id] = self._new(contract)
        return path

    def dice(self, purpose: str, key: Id) -> random.Random:
        """Every path and market has its own, so that watching one does not change another."""
        return random.Random(f"{self._seed}/{purpose}/{key[1]}:{key[0]}")

    def _new(self, contract: Contract) -> Path:
        if (recorded := self._recorded.get(contract.symbol)) is not None:
            return recorded
        if contract.expiry is None:
            return self._walk(contract.id, contract)
        spot = self._spot(contract)
        expires = int(datetime.combine(contract.expiry, _EXPIRES_AT).timestamp() * 1000)

        def years() -> float:
            return max(expires - self._now_ms(), 0) / _YEAR_MS

        if contract.instrument_type is InstrumentType.FUT:
            return Derived(spot, lambda price: future_price(price, years()))
        volatility = _VOLATILITY.get(contract.exchange, _OPTION_VOLATILITY)
        call = contract.instrument_type is InstrumentType.CE
        return Derived(spot, lambda price: option_price(price, contract.strike, years(), volatility, call=call))

    def _spot(self, contract: Contract) -> Path:
        """The underlying's path; contracts of a base without a cash row share one of that base."""
        key = contract.underlying or (contract.name, contract.exchange)
        if (path := self._paths.get(key)) is None:
            path = self._paths[key] = self._recorded.get(key[0]) or self._walk(key, contract)
        return path

    def _walk(self, key: Id, contract: Contract) -> Path:
        volatility = _VOLATILITY.get(key[1], _SHARE_VOLATILITY)
        return RandomWalk(contract.price, volatility, self.dice("path", key))
