"""IIFL Capital's wire, from the market's side: names, contract files, feed packets, quotes.

Written from the portal's documentation and the layouts of the official BridgePy; it shares nothing with the decoder of
the broker's room."""

import csv
import io
import struct
from collections.abc import Iterable
from typing import Any

from sangam.model.clock import ist_from_ms
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import expiry_text, strike_text

from .book import Row
from .listing import Contract, derivative_kind
from .market import Market

SEGMENTS = {
    Exchange.NSE: "NSEEQ",
    Exchange.NSE_INDEX: "NSEEQ",
    Exchange.BSE: "BSEEQ",
    Exchange.BSE_INDEX: "BSEEQ",
    Exchange.NFO: "NSEFO",
    Exchange.BFO: "BSEFO",
    Exchange.CDS: "NSECURR",
    Exchange.BCD: "BSECURR",
    Exchange.MCX: "MCXCOMM",
    Exchange.NCO: "NSECOMM",
}
CASH = ("NSEEQ", "BSEEQ")

COLUMNS = (
    "Exchange", "Underlying Instrument Symbol", "Instrument ID", "Instrument Type", "Option Type", "Strike Price",
    "Underlying Instrument Name", "Trading Symbol", "Expiry", "Lot Size", "Tick Size",
)  # fmt: skip

_INDEX_NAMES = {"NIFTY": "Nifty 50", "BANKNIFTY": "Nifty Bank", "INDIAVIX": "India VIX"}
_INDEX_IDS = {Exchange.NSE_INDEX: 999_000_000, Exchange.BSE_INDEX: 998_000_000}

_HEAD = struct.Struct("<iIIiiiiiH")
_BEST = struct.Struct("<IiIiIIii")
_LEVEL = struct.Struct("<Iihh")
_INTEREST = struct.Struct("<iiii")
_SHORT_INDEX = struct.Struct("<BHIHHIi")
_NO_ROW = Row(0, 0, 0)


# --- names ------------------------------------------------------------------------------------------------------------


def name(contract: Contract, number: int) -> tuple[str, str]:
    """The segment and the instrument id, which only together name a contract."""
    return SEGMENTS[contract.exchange], str(number + _INDEX_IDS.get(contract.exchange, 0))


def tradingsymbol(contract: Contract) -> str:
    """Shares of NSE have their series; monthly contracts are written without the day."""
    if contract.instrument_type is InstrumentType.INDEX:
        return _INDEX_NAMES.get(contract.symbol, contract.symbol)
    if contract.expiry is None:
        return f"{contract.symbol}-EQ" if contract.exchange is Exchange.NSE else contract.symbol
    right = contract.instrument_type
    when = f"{contract.expiry:%y%b}".upper() if contract.monthly else expiry_text(contract.expiry)
    return contract.name + when + ("FUT" if right is InstrumentType.FUT else strike_text(contract.strike) + right.value)


def contract_file(rows: Iterable[tuple[Contract, str]]) -> bytes:
    """One of the files, of contracts with their ids."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(_row(contract, token) for contract, token in rows)
    return out.getvalue().encode()


def _row(contract: Contract, token: str) -> tuple[Any, ...]:
    day, right = contract.expiry, contract.instrument_type
    when = "" if day is None else f"{day:%d-%b-%Y}" + (" 23:59" if contract.exchange is Exchange.MCX else "")
    option = "" if day is None else "XX" if right is InstrumentType.FUT else right.value
    return (
        SEGMENTS[contract.exchange],
        contract.symbol if day is None else contract.name,
        token,
        _kind(contract),
        option,
        f"{contract.strike:.2f}",
        tradingsymbol(contract) if right is InstrumentType.INDEX else contract.name,
        tradingsymbol(contract),
        when,
        contract.lot_size,
        contract.tick_size,
    )


def _kind(contract: Contract) -> str:
    if contract.expiry is None:
        return "INDEX" if contract.instrument_type is InstrumentType.INDEX else "EQUITY"
    kind = derivative_kind(contract)
    return "OPTCOM" if kind == "OPTFUT" else kind


# --- the feed ---------------------------------------------------------------------------------------------------------


def divisor(contract: Contract) -> int:
    return int(10**contract.decimals)


def packet(market: Market) -> bytes:
    """The 188 bytes of the market feed; those of an index have no volume and an empty book."""
    book, scale = market.book, divisor(market.contract)
    unit = round(market.contract.tick_size * scale)
    buys, sells = (_rows(book.depth(buy, 5), 5) for buy in (True, False))
    index = market.is_index
    average = round(market.average * market.contract.tick_size * scale)
    head = _HEAD.pack(
        market.ltp * unit, 0 if index else market.ltq, 0 if index else market.volume % (1 << 32), market.high * unit,
        market.low * unit, market.open * unit, market.close * unit, 0 if index else average, 0,
    )  # fmt: skip
    best = _BEST.pack(
        buys[0].quantity, buys[0].price * unit, sells[0].quantity, sells[0].price * unit,
        0 if index else book.total_buy, 0 if index else book.total_sell, scale, market.ltt // 1000,
    )  # fmt: skip
    levels = (_LEVEL.pack(row.quantity, row.price * unit, row.orders, 0) for row in (*buys, *sells))
    return head + best + b"".join(levels) + b"\0\0"


def _rows(levels: list[Row], count: int) -> list[Row]:
    return [*levels, *[_NO_ROW] * (count - len(levels))]


def interest(market: Market) -> bytes:
    return _INTEREST.pack(market.oi, market.oi_high, market.oi_low, market.oi_low)


def short_index(market: Market) -> bytes:
    """The 19 bytes that BridgeNode reads on the topic of indices."""
    scale = divisor(market.contract)
    unit = round(market.contract.tick_size * scale)
    return _SHORT_INDEX.pack(1, 0, market.ltp * unit, 0, 0, market.close * unit, scale)


# --- quotes -----------------------------------------------------------------------------------------------------------


def moment(ms: int) -> str:
    return f"{ist_from_ms(ms):%d-%b-%Y %H:%M:%S}"


def quote(market: Market, segment: str, token: str) -> dict[str, Any]:
    rupees = market.rupees
    bids, asks = (_rows(market.book.depth(buy, 1), 1)[0] for buy in (True, False))
    return {
        "exchange": segment,
        "instrumentId": int(token),
        "ltp": rupees(market.ltp),
        "lastTradedQuantity": market.ltq,
        "averageTradedPrice": rupees(market.average),
        "tradedVolume": market.volume,
        "open": rupees(market.open),
        "high": rupees(market.high),
        "low": rupees(market.low),
        "close": rupees(market.close),
        "bestBidPrice": rupees(bids.price),
        "bestBidQuantity": bids.quantity,
        "bestAskPrice": rupees(asks.price),
        "bestAskQuantity": asks.quantity,
        "totalBidQuantity": market.book.total_buy,
        "totalAskQuantity": market.book.total_sell,
        "tickTimestamp": moment(market.updated),
    }


def depth(market: Market) -> dict[str, Any]:
    bids, asks = (
        [
            {"price": market.rupees(row.price), "quantity": row.quantity, "orders": row.orders}
            for row in market.book.depth(buy, 5)
        ]
        for buy in (True, False)
    )
    return {
        "marketDepth": {"bids": bids, "asks": asks},
        "totalBidQuantity": market.book.total_buy,
        "totalAskQuantity": market.book.total_sell,
    }
