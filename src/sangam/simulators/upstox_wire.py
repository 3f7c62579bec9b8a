"""Upstox' wire, from the market's side: names, the instruments file, the feed's protobuf messages, quotes.

Written from the documentation (instrument files, full market quotes, market data feed V3) and the descriptor of the
official SDK, and judged by that SDK; it shares nothing with the decoder of the broker's room."""

from collections.abc import Iterable, Sequence
from datetime import datetime, time
from typing import Any

from sangam.model.clock import IST, ist_from_ms
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import strike_text

from .book import Row
from .listing import Contract
from .market import Market
from .proto import chunk, double, integer

SEGMENTS = {
    Exchange.NSE: "NSE_EQ",
    Exchange.BSE: "BSE_EQ",
    Exchange.NFO: "NSE_FO",
    Exchange.BFO: "BSE_FO",
    Exchange.CDS: "NCD_FO",
    Exchange.BCD: "BCD_FO",
    Exchange.MCX: "MCX_FO",
    Exchange.NCO: "NSE_COM",
    Exchange.NSE_INDEX: "NSE_INDEX",
    Exchange.BSE_INDEX: "BSE_INDEX",
}
INDEX_NAMES = {"NIFTY": "Nifty 50", "BANKNIFTY": "Nifty Bank", "INDIAVIX": "India VIX"}
INDEX_SYMBOLS = {"INDIAVIX": "INDIA VIX"}
UNDERLYING_TYPES = {"NSE_FO": "EQUITY", "BSE_FO": "INDEX", "NCD_FO": "CUR", "BCD_FO": "CUR"}
COMMODITY_LOTS = {"CRUDEOIL": 100, "NATURALGAS": 1250, "GOLDM": 100, "SILVER": 30}
"""MCX is listed in units there."""

INITIAL, LIVE, INFO = 0, 1, 2
"""Types of messages."""

LTPC, FULL, GREEKS, D30 = "ltpc", "full", "option_greeks", "full_d30"
REQUEST_MODES = {LTPC: 0, FULL: 1, GREEKS: 2, D30: 3}
NORMAL_OPEN = 2


# --- names ------------------------------------------------------------------------------------------------------------


def instrument_key(contract: Contract, token: int) -> str:
    """Shares go by their ISIN, indices by their name, all others by the exchange's number."""
    segment = SEGMENTS[contract.exchange]
    if contract.exchange.is_index:
        return f"{segment}|{INDEX_NAMES.get(contract.symbol, contract.symbol)}"
    return f"{segment}|{isin(contract) if contract.expiry is None else token}"


def isin(contract: Contract) -> str:
    return f"INE{contract.token:06d}A01"


def exchange_of(contract: Contract) -> str:
    """The `exchange` of orders, trades and positions."""
    return "NCO" if contract.exchange is Exchange.NCO else contract.exchange.value


def master_symbol(contract: Contract) -> str:
    """``NIFTY 24500 CE 18 AUG 26`` in the instruments file."""
    if contract.expiry is None:
        return INDEX_SYMBOLS.get(contract.symbol, contract.symbol)
    kind = contract.instrument_type.value
    strike = "" if kind == "FUT" else f"{strike_text(contract.strike)} "
    return f"{contract.name} {strike}{kind} {contract.expiry:%d %b %y}".upper()


def order_symbol(contract: Contract) -> str:
    """Orders and quotes go by other names than the file: SBIN-EQ, SBIN23OCTFUT, NIFTY2681824500CE."""
    if contract.expiry is None:
        return f"{contract.symbol}-EQ" if contract.exchange is Exchange.NSE else contract.symbol
    day, kind = contract.expiry, contract.instrument_type.value
    when = f"{day:%y%b}".upper() if contract.monthly else f"{day:%y}{day.month:X}{day:%d}"
    return f"{contract.name}{when}{'' if kind == 'FUT' else strike_text(contract.strike)}{kind}"


def instrument_row(contract: Contract, token: int) -> dict[str, Any]:
    """One object of the instruments file."""
    segment = SEGMENTS[contract.exchange]
    exchange = "NSE" if segment.startswith("N") else segment[:3].replace("BCD", "BSE")
    row: dict[str, Any] = {
        "segment": segment,
        "name": INDEX_NAMES.get(contract.symbol, contract.name),
        "exchange": exchange,
        "instrument_type": contract.instrument_type.value,
        "instrument_key": instrument_key(contract, token),
        "exchange_token": str(token),
        "trading_symbol": master_symbol(contract),
    }
    if contract.exchange.is_index:
        return row
    lot = COMMODITY_LOTS.get(contract.name, 1) if segment == "MCX_FO" else contract.lot_size
    row |= {
        "lot_size": lot,
        "freeze_quantity": 100_000.0,
        "tick_size": round(contract.tick_size * 100, 4),
        "qty_multiplier": 1000.0 if segment in ("NCD_FO", "BCD_FO") else 1.0,
    }
    if contract.expiry is None:
        series = "EQ" if segment == "NSE_EQ" else "A"
        return row | {"instrument_type": series, "isin": isin(contract), "security_type": "NORMAL"}
    last = datetime.combine(contract.expiry, time(23, 59, 59), IST)
    underlying_type = UNDERLYING_TYPES.get(segment, "COM")
    return row | {
        "weekly": not contract.monthly,
        "expiry": int(last.timestamp() * 1000),
        "asset_symbol": contract.name,
        "underlying_symbol": contract.name,
        "asset_type": underlying_type,
        "underlying_type": underlying_type,
        "minimum_lot": lot,
        "strike_price": contract.strike,
    }


# --- the feed ---------------------------------------------------------------------------------------------------------


def response(kind: int, feeds: Iterable[tuple[str, bytes]], now_ms: int) -> bytes:
    """One FeedResponse with `Feed`s by instrument key."""
    entries = b"".join(chunk(2, chunk(1, key.encode()) + chunk(2, feed)) for key, feed in feeds)
    return integer(1, kind) + entries + integer(3, now_ms)


def market_info(now_ms: int) -> bytes:
    """The first message of a connection: which segments are open."""
    statuses = b"".join(
        chunk(1, chunk(1, segment.encode()) + integer(2, NORMAL_OPEN))
        for segment in SEGMENTS.values()
        if not segment.endswith("INDEX")
    )
    return integer(1, INFO) + integer(3, now_ms) + chunk(4, statuses)


def parts(market: Market, mode: str) -> Sequence[bytes]:
    """What a mode tells of a market, in the parts that change by themselves: last trade, book, bars, the rest."""
    last = _ltpc(market)
    if mode == LTPC:
        return (last,)
    if market.is_index:
        return (chunk(1, last), chunk(2, _bars(market)))
    if mode == GREEKS:
        return (chunk(1, last), chunk(2, _rows(market, 1)[0]), integer(4, market.volume) + double(5, market.oi))
    book = market.book
    average = round(market.average * market.contract.tick_size, market.contract.decimals)
    totals = double(9, book.total_buy) + double(10, book.total_sell)
    rest = double(5, average) + integer(6, market.volume) + double(7, market.oi) + totals
    levels = b"".join(chunk(1, row) for row in _rows(market, 30 if mode == D30 else 5))
    return (chunk(1, last), chunk(2, levels), chunk(4, _bars(market)), rest)


def feed(market: Market, mode: str, told: Iterable[bytes]) -> bytes:
    """A `Feed` of some of a mode's parts."""
    content = b"".join(told)
    if mode == LTPC:
        content = chunk(1, content)
    elif mode == GREEKS and not market.is_index:
        content = chunk(3, content)
    else:
        content = chunk(2, chunk(2 if market.is_index else 1, content))
    return content + integer(4, REQUEST_MODES[mode])


def _ltpc(market: Market) -> bytes:
    quantity = 0 if market.is_index else market.ltq
    last, close = market.rupees(market.ltp), market.rupees(market.close)
    return double(1, last) + integer(2, market.ltt) + integer(3, quantity) + double(4, close)


def _rows(market: Market, levels: int) -> list[bytes]:
    """Both sides of the book, row by row; missing ones are zeros."""
    sides = [market.book.depth(buy, levels) for buy in (True, False)]
    bids, asks = (rows + [Row(0, 0, 0)] * (levels - len(rows)) for rows in sides)
    return [
        integer(1, bid.quantity)
        + double(2, market.rupees(bid.price))
        + integer(3, ask.quantity)
        + double(4, market.rupees(ask.price))
        for bid, ask in zip(bids, asks, strict=True)
    ]


def _bars(market: Market) -> bytes:
    """The day's bar, and that of the minute."""
    day = ist_from_ms(market.updated).replace(hour=0, minute=0, second=0, microsecond=0)
    bars = [("1d", market.open, market.high, market.low, market.ltp, market.volume, int(day.timestamp() * 1000))]
    if (minute := next(iter(list(market.tape.bars())[-1:]), None)) is not None:
        bars.append(("I1", minute.open, minute.high, minute.low, minute.close, minute.volume, minute.time * 1000))
    return b"".join(
        chunk(
            1,
            chunk(1, name.encode())
            + b"".join(double(2 + n, market.rupees(price)) for n, price in enumerate(prices))
            + integer(6, volume)
            + integer(7, begin),
        )
        for name, *prices, volume, begin in bars
    )


# --- quotes -----------------------------------------------------------------------------------------------------------


def moment(ms: int) -> str:
    return f"{ist_from_ms(ms):%Y-%m-%d %H:%M:%S}"


def full_quote(market: Market, key: str) -> dict[str, Any]:
    """The day's `close` is the last price, as in the documents' sample."""

    def side(buy: bool) -> list[dict[str, Any]]:
        rows = market.book.depth(buy, 5)
        rows += [Row(0, 0, 0)] * (5 - len(rows))
        return [{"quantity": row.quantity, "price": market.rupees(row.price), "orders": row.orders} for row in rows]

    last = market.rupees(market.ltp)
    prices = {"open": market.open, "high": market.high, "low": market.low, "close": market.ltp}
    return {
        "ohlc": {name: market.rupees(ticks) for name, ticks in prices.items()},
        "depth": {"buy": side(True), "sell": side(False)},
        "timestamp": ist_from_ms(market.updated).isoformat(timespec="milliseconds"),
        "instrument_token": key,
        "symbol": order_symbol(market.contract),
        "last_price": last,
        "volume": None if market.is_index else market.volume,
        "average_price": round(market.average * market.contract.tick_size, market.contract.decimals),
        "oi": float(market.oi),
        "net_change": round(last - market.rupees(market.close), market.contract.decimals),
        "total_buy_quantity": float(market.book.total_buy),
        "total_sell_quantity": float(market.book.total_sell),
        "lower_circuit_limit": market.rupees(market.lower_circuit),
        "upper_circuit_limit": market.rupees(market.upper_circuit),
        "last_trade_time": str(market.ltt),
        "oi_day_high": float(market.oi_high),
        "oi_day_low": float(market.oi_low),
    }


def quote_name(market: Market) -> str:
    """Answers go by segment and symbol, which no request has."""
    contract = market.contract
    symbol = order_symbol(contract).removesuffix("-EQ") if contract.expiry is None else order_symbol(contract)
    return f"{SEGMENTS[contract.exchange]}:{INDEX_NAMES.get(symbol, symbol)}"


def is_cash(contract: Contract) -> bool:
    return contract.instrument_type is InstrumentType.EQ
