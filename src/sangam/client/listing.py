"""A broker's instruments by our names and by its own."""

import time
from collections.abc import Iterable, Iterator

from sangam.model.enums import Exchange
from sangam.model.errors import SymbolNotFound
from sangam.model.instrument import Instrument, Named


class Listing:
    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._named: dict[tuple[str, str], Instrument] = {}
        self._native: dict[tuple[str, str], Instrument] = {}
        self._tokens: dict[tuple[str, str], Instrument] = {}
        for count, one in enumerate(instruments, 1):
            self._named[one.symbol, one.exchange.value] = one
            self._native[one.brsymbol, one.brexchange] = one
            self._tokens[one.token, one.brexchange] = one
            if count % 1000 == 0:
                time.sleep(0)  # read in a thread beside a connection, which must not wait for it

    def __len__(self) -> int:
        return len(self._named)

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._named.values())

    def lookup(self, symbol: str, exchange: str) -> Instrument:
        """Raises SymbolNotFound."""
        found = self._named.get((symbol, exchange))
        if found is None:
            raise SymbolNotFound(symbol, exchange)
        return found

    def native(self, row: Named) -> Instrument | None:
        """What a broker's row is about. An instrument that today's list does not know keeps the broker's names, where
        its exchange is one of ours."""
        known, name = (self._tokens, row.token) if row.token else (self._native, row.brsymbol)
        found = known.get((name, row.brexchange))
        if found is None and row.brexchange in Exchange.__members__:
            symbol, exchange = row.brsymbol or row.token, Exchange(row.brexchange)
            found = Instrument(
                symbol=symbol, exchange=exchange, brsymbol=symbol, brexchange=row.brexchange, token=row.token
            )
        return found
