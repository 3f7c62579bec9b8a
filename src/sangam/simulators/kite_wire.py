"""Kite's wire, from the market's side: binary ticker packets, instrument rows, and quotes.

Written from the documentation (Kite Connect 3: WebSocket streaming, market quotes, instruments) and judged by
the official SDK; it shares nothing with the decoder of the broker's room."""

import struct
from collections.abc import Iterable
from typing import Any

from sangam.model.clock import ist_from_ms
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import expiry_text, strike_text

from .book import Row
from .listing import Contract
from .market import Market

SEGMENTS = {
    Exchange.NSE: 1,
    Exchange.NFO: 2,
    Exchange.CDS: 3,
    Exchange.BSE: 4,
    Exchange.BFO: 5,
    Exchange.BCD: 6,
    Exchange.MCX: 7,
    Exchange.NSE_INDEX: 9,
    Exchange.BSE_INDEX: 9,
    Exchange.NCO: 12,
}
"""The low byte of an instrument_token."""

INDEX_TOKENS = {26000: 1001, 26009: 1016, 26017: 1035, 1: 1}
"""Kite's own numbers of the indices, by the exchange's."""

INDEX_NAMES = {"NIFTY": "NIFTY 50", "BANKNIFTY": "NIFTY BANK", "INDIAVIX": "INDIA VIX"}

COLUMNS = (
    *("instrument_token", "exchange_token", "tradingsymbol", "name", "last_price", "expiry", "strike"),
    *("tick_size", "lot_size", "instrument_type", "segment", "exchange"),
)

_MULTIPLIERS = {3: 10_000_000, 6: 10_000, 12: 10_000}
_LTP = struct.Struct(">2I")
_INDEX_QUOTE = struct.Struct(">6Ii")
_INDEX_FULL = struct.Struct(">6IiI")
_QUOTE = struct.Struct(">11I")
_FULL = struct.Struct(">16I" + "2IH2x" * 10)
_NO_ROW = (0, 0, 0)
_MAX = 0xFFFFFFFF


# --- names ------------------------------------------------------------------------------------------------------------


def exchange_token(contract: Contract, token: int) -> int:
    return INDEX_TOKENS[token] if contract.exchange.is_index else token


def instrument_token(contract: Contract, token: int) -> int:
    return exchange_token(contract, token) << 8 | SEGMENTS[contract.exchange]


def quote_name(contract: Contract, token: int) -> str:
    """What quotes are asked by."""
    return f"{kite_exchange(contract)}:{tradingsymbol(contract)}"


def kite_exchange(contract: Contract) -> str:
    return contract.exchange.value.removesuffix("_INDEX")


def tradingsymbol(contract: Contract) -> str:
    """Monthly contracts carry the month (NIFTY26AUG24500CE), weekly ones the date as yy, m, dd (NIFTY2681824700CE)."""
    if contract.expiry is None:
        return INDEX_NAMES.get(contract.symbol, contract.symbol)
    day = contract.expiry
    when = (
        f"{day:%y}{expiry_text(day)[2:5]}" if contract.monthly else f"{day:%y}{'123456789OND'[day.month - 1]}{day:%d}"
    )
    if contract.instrument_type is InstrumentType.FUT:
        return f"{contract.name}{when}FUT"
    return f"{contract.name}{when}{strike_text(contract.strike)}{contract.instrument_type.value}"


def instrument_row(contract: Contract, token: int) -> list[str]:
    """One row of the instruments file, in the order of `COLUMNS`."""
    exchange = kite_exchange(contract)
    index = contract.instrument_type is InstrumentType.INDEX
    kind = "EQ" if index else contract.instrument_type.value
    segment = "INDICES" if index else exchange
    if contract.expiry is not None:
        segment += "-FUT" if contract.instrument_type is InstrumentType.FUT else "-OPT"
    return [
        str(instrument_token(contract, token)),
        str(exchange_token(contract, token)),
        tradingsymbol(contract),
        tradingsymbol(contract) if index else contract.name,
        "0.0",
        contract.expiry.isoformat() if contract.expiry else "",
        str(contract.strike),
        "0" if index else str(contract.tick_size),
        "0" if index else str(contract.lot_size),
        kind,
        segment,
        exchange,
    ]


# --- the ticker -------------------------------------------------------------------------------------------------------


def frame(packets: Iterable[bytes]) -> bytes:
    """Several packets in one binary message: their number, then each with its length before it."""
    packed = list(packets)
    parts = [len(packed).to_bytes(2, "big")]
    for packet in packed:
        parts += (len(packet).to_bytes(2, "big"), packet)
    return b"".join(parts)


def packet(market: Market, token: int, mode: str) -> bytes:
    """One instrument in mode ltp (8 bytes), quote (44; index 28) or full (184; index 32); `token` is Kite's."""
    multiplier = _MULTIPLIERS.get(token & 0xFF, 100)
    unit = round(market.contract.tick_size * multiplier)
    if mode == "ltp":
        return _LTP.pack(token, market.ltp * unit)
    prices = market.high * unit, market.low * unit, market.open * unit, market.close * unit
    if market.is_index:
        change = (market.ltp - market.close) * unit
        if mode == "quote":
            return _INDEX_QUOTE.pack(token, market.ltp * unit, *prices, change)
        return _INDEX_FULL.pack(token, market.ltp * unit, *prices, change, market.updated // 1000)
    high, low, opened, close = prices
    average = round(market.average * market.contract.tick_size * multiplier)
    book = market.book
    head = (
        *(token, market.ltp * unit, market.ltq, average, min(market.volume, _MAX)),
        *(min(book.total_buy, _MAX), min(book.total_sell, _MAX), opened, high, low, close),
    )
    if mode == "quote":
        return _QUOTE.pack(*head)
    times = (market.ltt // 1000, market.oi, market.oi_high, market.oi_low, market.updated // 1000)
    rows = [value for buy in (True, False) for value in _rows(book.depth(buy, 5), unit)]
    return _FULL.pack(*head, *times, *rows)


def _rows(levels: list[Row], unit: int) -> Iterable[int]:
    """Five rows of quantity, price and orders; missing ones are zeros."""
    for price, quantity, orders in levels:
        yield from (quantity, price * unit, orders)
    for _ in range(5 - len(levels)):
        yield from _NO_ROW


# --- quotes -----------------------------------------------------------------------------------------------------------


def moment(ms: int) -> str:
    return f"{ist_from_ms(ms):%Y-%m-%d %H:%M:%S}"


def ltp_quote(market: Market, token: int) -> dict[str, Any]:
    return {"instrument_token": token, "last_price": market.rupees(market.ltp)}


def ohlc_quote(market: Market, token: int) -> dict[str, Any]:
    names = ("open", "high", "low", "close")
    return ltp_quote(market, token) | {"ohlc": {name: market.rupees(getattr(market, name)) for name in names}}


def full_quote(market: Market, token: int) -> dict[str, Any]:
    def side(buy: bool) -> list[dict[str, Any]]:
        rows = market.book.depth(buy, 5)
        rows += [Row(0, 0, 0)] * (5 - len(rows))
        return [{"price": market.rupees(row.price), "quantity": row.quantity, "orders": row.orders} for row in rows]

    return ohlc_quote(market, token) | {
        "timestamp": moment(market.updated),
        "last_trade_time": moment(market.ltt),
        "last_quantity": market.ltq,
        "buy_quantity": market.book.total_buy,
        "sell_quantity": market.book.total_sell,
        "volume": market.volume,
        "average_price": round(market.average * market.contract.tick_size, market.contract.decimals),
        "oi": market.oi,
        "oi_day_high": market.oi_high,
        "oi_day_low": market.oi_low,
        "net_change": 0,
        "lower_circuit_limit": market.rupees(market.lower_circuit),
        "upper_circuit_limit": market.rupees(market.upper_circuit),
        "depth": {"buy": side(True), "sell": side(False)},
    }
