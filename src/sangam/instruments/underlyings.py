"""Where an underlying's derivatives trade, and where its own price is quoted (specs: symbols.md, 1)."""

from collections.abc import Mapping

from sangam.model.enums import Exchange

_DERIVATIVES: Mapping[Exchange, Exchange] = {
    Exchange.NSE: Exchange.NFO,
    Exchange.NSE_INDEX: Exchange.NFO,
    Exchange.BSE: Exchange.BFO,
    Exchange.BSE_INDEX: Exchange.BFO,
}
_INDICES: Mapping[Exchange, tuple[Exchange, frozenset[str]]] = {
    Exchange.NFO: (
        Exchange.NSE_INDEX,
        frozenset({"NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50", "INDIAVIX"}),
    ),
    Exchange.BFO: (Exchange.BSE_INDEX, frozenset({"SENSEX", "BANKEX", "SENSEX50"})),
}
_SHARES: Mapping[Exchange, Exchange] = {Exchange.NFO: Exchange.NSE, Exchange.BFO: Exchange.BSE}


def derivatives_exchange(exchange: Exchange) -> Exchange:
    """NFO for NSE and its indices, BFO for BSE's; every other exchange lists its own."""
    return _DERIVATIVES.get(exchange, exchange)


def quote_exchange(underlying: str, exchange: Exchange) -> Exchange | None:
    """Where the underlying of a derivative exchange is quoted; None where only its near-month future tells a price."""
    index_exchange, names = _INDICES.get(exchange, (None, frozenset[str]()))
    return index_exchange if underlying in names else _SHARES.get(exchange)
