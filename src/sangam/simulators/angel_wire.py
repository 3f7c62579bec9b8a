"""Angel One's wire, from the market's side: names, master rows, feed packets, quotes.

Written from SmartAPI's documentation (WebSocket streaming 2.0, instruments, live market data) and judged by the
official SDK; it shares nothing with the decoder of the broker's room."""

import struct
from collections.abc import Iterable
from typing import Any

from sangam.model.clock import ist_from_ms
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import expiry_text, strike_text

from .book import Row
from .listing import Contract, derivative_kind
from .market import Market

EXCHANGE_TYPES = {
    Exchange.NSE: 1,
    Exchange.NSE_INDEX: 1,
    Exchange.NFO: 2,
    Exchange.BSE: 3,
    Exchange.BSE_INDEX: 3,
    Exchange.BFO: 4,
    Exchange.MCX: 5,
    Exchange.CDS: 13,
}
"""What is listed, and the feed's number of each segment."""

LTP, QUOTE, SNAP, DEPTH20 = 1, 2, 3, 4

_INDEX_TOKENS = {Exchange.NSE_INDEX: 99_900_000, Exchange.BSE_INDEX: 99_918_999}
_INDEX_NAMES = {"NIFTY": "Nifty 50", "BANKNIFTY": "Nifty Bank", "INDIAVIX": "India VIX"}

_HEAD = struct.Struct("<BB25sq")
_LTP = struct.Struct("<qq")
_QUOTE = struct.Struct("<qqqddqqqq")
_SNAP = struct.Struct("<qqd")
_BEST = struct.Struct("<HqqH")
_LIMITS = struct.Struct("<qqqq")
_DEEP = struct.Struct("<iih")
_NO_ROW = Row(0, 0, 0)


# --- names ------------------------------------------------------------------------------------------------------------


def exchange_name(contract: Contract) -> str:
    return contract.exchange.value.removesuffix("_INDEX")


def name(contract: Contract, number: int) -> tuple[str, str] | None:
    """The segment and the token, which only together name a contract; None for what Angel does not list."""
    if contract.exchange not in EXCHANGE_TYPES:
        return None
    return exchange_name(contract), str(number + _INDEX_TOKENS.get(contract.exchange, 0))


def tradingsymbol(contract: Contract) -> str:
    """Shares of NSE have their series; BSE and the currencies write monthly contracts without the day."""
    if contract.instrument_type is InstrumentType.INDEX:
        return _INDEX_NAMES.get(contract.symbol, contract.symbol)
    if contract.expiry is None:
        return f"{contract.symbol}-EQ" if contract.exchange is Exchange.NSE else contract.symbol
    when = expiry_text(contract.expiry)
    if contract.exchange in (Exchange.BFO, Exchange.CDS) and contract.monthly:
        when = when[5:] + when[2:5]
    right = contract.instrument_type
    return contract.name + when + ("FUT" if right is InstrumentType.FUT else strike_text(contract.strike) + right.value)


def master_row(contract: Contract, token: str) -> dict[str, Any]:
    """One object of the scrip master: all text, prices in paise, those of currencies in tens of millionths."""
    scale = _scale(contract)
    index = contract.instrument_type is InstrumentType.INDEX
    strike = 0.0 if index else contract.strike * scale if contract.strike else -1.0
    day = contract.expiry
    return {
        "token": token,
        "symbol": tradingsymbol(contract),
        "name": contract.symbol if day is None else contract.name,
        "expiry": "" if day is None else f"{expiry_text(day)[:5]}{day.year}",
        "strike": f"{strike:.6f}",
        "lotsize": str(contract.lot_size),
        "instrumenttype": _kind(contract),
        "exch_seg": exchange_name(contract),
        "tick_size": f"{0 if index else contract.tick_size * scale:.6f}",
        "freeze_qty": "0",
        "is_cas_enabled": False,
    }


def _kind(contract: Contract) -> str:
    if contract.expiry is None:
        return "AMXIDX" if contract.instrument_type is InstrumentType.INDEX else ""
    return derivative_kind(contract)


def _scale(contract: Contract) -> int:
    return 10_000_000 if contract.exchange is Exchange.CDS else 100


# --- the feed ---------------------------------------------------------------------------------------------------------


def packet(market: Market, token: str, mode: int) -> bytes:
    """One instrument in mode LTP (51 bytes), quote (123), snap quote (379) or twenty levels (443)."""
    contract, book = market.contract, market.book
    scale = _scale(contract)
    unit = round(contract.tick_size * scale)
    kind = EXCHANGE_TYPES[contract.exchange]
    if mode == DEPTH20:
        head = _HEAD.pack(mode, kind, token.encode(), market.updated) + bytes(8)
        rows = [row for buy in (True, False) for row in _rows(book.depth(buy, 20), 20)]
        return head + b"".join(_DEEP.pack(row.quantity, row.price * unit, row.orders) for row in rows)
    sequence = 0 if market.is_index else market.updates
    packed = _HEAD.pack(mode, kind, token.encode(), sequence) + _LTP.pack(market.updated, market.ltp * unit)
    if mode == LTP:
        return packed
    traded: tuple[float, ...] = (0, 0, 0, 0.0, 0.0)
    if not market.is_index:
        average = round(market.average * contract.tick_size * scale)
        traded = (market.ltq, average, market.volume, float(book.total_buy), float(book.total_sell))
    packed += _QUOTE.pack(*traded, *(ticks * unit for ticks in (market.open, market.high, market.low, market.close)))
    if mode == QUOTE:
        return packed
    packed += _SNAP.pack(0 if market.is_index else market.ltt // 1000, market.oi, 0.104)
    for buy in (True, False):
        packed += b"".join(
            _BEST.pack(buy, row.quantity, row.price * unit, row.orders) for row in _rows(book.depth(buy, 5), 5)
        )
    limits = (0, 0) if market.is_index else (market.upper_circuit * unit, market.lower_circuit * unit)
    return packed + _LIMITS.pack(*limits, market.high * unit, market.low * unit)


def _rows(levels: list[Row], count: int) -> Iterable[Row]:
    return [*levels, *[_NO_ROW] * (count - len(levels))]


# --- quotes -----------------------------------------------------------------------------------------------------------


def moment(ms: int) -> str:
    return f"{ist_from_ms(ms):%d-%b-%Y %H:%M:%S}"


def quote(market: Market, token: str, mode: str) -> dict[str, Any]:
    """A row of the live market data in mode LTP, OHLC or FULL, in rupees."""
    rupees = market.rupees
    row: dict[str, Any] = {
        "exchange": exchange_name(market.contract),
        "tradingSymbol": tradingsymbol(market.contract),
        "symbolToken": token,
        "ltp": rupees(market.ltp),
    }
    if mode == "LTP":
        return row
    row |= {each: rupees(getattr(market, each)) for each in ("open", "high", "low", "close")}
    if mode == "OHLC":
        return row
    change = rupees(market.ltp - market.close)
    return row | {
        "lastTradeQty": market.ltq,
        "exchFeedTime": moment(market.updated),
        "exchTradeTime": moment(market.ltt),
        "netChange": change,
        "percentChange": round(change / rupees(market.close) * 100, 2),
        "avgPrice": rupees(market.average),
        "tradeVolume": market.volume,
        "opnInterest": market.oi,
        "lowerCircuit": rupees(market.lower_circuit),
        "upperCircuit": rupees(market.upper_circuit),
        "totBuyQuan": market.book.total_buy,
        "totSellQuan": market.book.total_sell,
        "52WeekLow": rupees(market.low),
        "52WeekHigh": rupees(market.high),
        "depth": {"buy": _side(market, True), "sell": _side(market, False)},
    }


def _side(market: Market, buy: bool) -> list[dict[str, float]]:
    return [
        {"price": market.rupees(row.price), "quantity": row.quantity, "orders": row.orders}
        for row in _rows(market.book.depth(buy, 5), 5)
    ]
