"""Instruments of those who give no list of them: names pass as they are, and nothing is known beside the name."""

from sangam.model.enums import Exchange
from sangam.model.errors import SymbolNotFound
from sangam.model.instrument import Instrument

_FINE_TICKS = {Exchange.CDS: 0.0025, Exchange.BCD: 0.0025}


def unlisted(symbol: str, exchange: Exchange) -> Instrument:
    """The tick is that of the exchange, so that prices keep their decimals."""
    tick = _FINE_TICKS.get(exchange, 0.05)
    return Instrument(
        symbol=symbol, exchange=exchange, brsymbol=symbol, brexchange=exchange.value, token="", tick_size=tick
    )


class Unlisted:
    """The master (`account.Master`) of a broker without a list."""

    version = "unlisted"

    def lookup(self, symbol: str, exchange: str) -> Instrument:
        if exchange not in Exchange.__members__:
            raise SymbolNotFound(symbol, exchange)
        return unlisted(symbol, Exchange(exchange))

    def by_token(self, token: str, exchange: str) -> Instrument | None:
        return None
