"""A broker's instruments by our names and by its own."""

import time
from collections.abc import Iterable

from sangam.model.enums import Exchange
from sangam.model.errors import SymbolNotFound
from sangam.model.instrument import Instrument


class Listing:
    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._named: dict[tuple[str, str], Instrument] = {}
        self._native: dict[tuple[str, str], Instrument] = {}
        for count, one in enumerate(instruments, 1):
            self._named[one.symbol, one.exchange.value] = one
            self._native[one.brsymbol, one.brexchange] = one
            if count % 1000 == 0:
                time.sleep(0)  # read in a thread beside a connection, which must not wait for it

    def __len__(self) -> int:
        return len(self._named)

    def lookup(self, symbol: str, exchange: str) -> Instrument:
        """Raises SymbolNotFound."""
        found = self._named.get((symbol, exchange))
        if found is None:
            raise SymbolNotFound(symbol, exchange)
        return found

    def native(self, brsymbol: str, brexchange: str) -> Instrument | None:
        """By the broker's names. One that today's list does not know keeps those, where its exchange is one of ours."""
        found = self._native.get((brsymbol, brexchange))
        if found is None and brexchange in Exchange.__members__:
            exchange = Exchange(brexchange)
            found = Instrument(symbol=brsymbol, exchange=exchange, brsymbol=brsymbol, brexchange=brexchange, token="")
        return found
