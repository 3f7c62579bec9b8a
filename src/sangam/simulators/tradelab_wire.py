"""Tradelab's wire, from the market's side: names, rows of the contract file, packets.

Written from the documents and the official SDK pocketful 0.1.2 (packetDecoder), which judges it; it shares nothing with
the decoder of the brokers' family."""

import csv
import io
import struct
import zipfile
from collections.abc import Iterable
from datetime import date

from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import strike_text

from .book import Row
from .listing import Contract, derivative_kind
from .market import Market
from .portfolio import multiplier

EXCHANGE_CODES = {"NSE": 1, "NFO": 2, "CDS": 3, "MCX": 4, "BSE": 6, "BFO": 7}
MODES = {"marketdata": 1, "compact_marketdata": 2, "full_snapquote": 4}

COLUMNS = (
    "Exchange", "Exchange_Token", "Trading_Symbol", "Company_Name", "Close_Price", "Segment", "Instrument_Name",
    "Option_Type", "Expiry", "Strike", "Lot_Size", "Tick_Size",
)  # fmt: skip

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_INDEX_NAMES = {"NIFTY": "Nifty 50", "BANKNIFTY": "Nifty Bank", "INDIAVIX": "India VIX"}
_NO_ROW = Row(0, 0, 0)

_DETAILED = struct.Struct(">bbI8I2Q12I")
_COMPACT = struct.Struct(">bbIIi7I")
_SNAP = struct.Struct(">bbI35I2QI")


# --- names ------------------------------------------------------------------------------------------------------------


def exchange_name(contract: Contract) -> str:
    return contract.exchange.value.removesuffix("_INDEX")


def trading_symbol(contract: Contract) -> str:
    """Monthly contracts have the month's name, weekly ones a letter or digit for it and the day."""
    if contract.instrument_type is InstrumentType.INDEX:
        return _INDEX_NAMES.get(contract.symbol, contract.symbol)
    if contract.expiry is None:
        return f"{contract.symbol}-{'EQ' if contract.exchange is Exchange.NSE else 'A'}"
    day = contract.expiry
    when = _MONTHS[day.month - 1].upper() if contract.monthly else f"{'123456789OND'[day.month - 1]}{day.day:02d}"
    right = contract.instrument_type
    strike = "FUT" if right is InstrumentType.FUT else strike_text(contract.strike) + right.value
    return f"{contract.name}{day.year % 100:02d}{when}{strike}"


def contract_file(rows: Iterable[tuple[Contract, int]], *, apart: bool) -> bytes:
    """The archive: one list for each exchange, with dates that begin with their year, or one for all, with the names of
    months."""
    lists: dict[str, list[tuple[str, ...]]] = {}
    for contract, token in rows:
        name = f"{exchange_name(contract)}CompactScrip.csv" if apart else "CompactScrip.csv"
        lists.setdefault(name, []).append(_row(contract, token, iso=apart))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, found in lists.items():
            text = io.StringIO(newline="")
            csv.writer(text).writerows([COLUMNS if apart else [each.lower() for each in COLUMNS], *found])
            archive.writestr(name, text.getvalue())
    return packed.getvalue()


def _row(contract: Contract, token: int, *, iso: bool) -> tuple[str, ...]:
    segment, name, right = _kind(contract)
    return (
        exchange_name(contract),
        str(token),
        trading_symbol(contract),
        contract.name,
        "0",
        segment,
        name,
        right,
        _expiry(contract.expiry, iso),
        strike_text(contract.strike) if contract.strike else "0",
        str(contract.lot_size * (multiplier(contract) if contract.exchange is Exchange.MCX else 1)),
        f"{contract.tick_size:g}",
    )


def _kind(contract: Contract) -> tuple[str, str, str]:
    """Segment, instrument name and option type. BSE's futures are known by their names alone."""
    if contract.instrument_type is InstrumentType.INDEX:
        return ("INDICES" if contract.exchange is Exchange.NSE_INDEX else "IDX"), "", ""
    if contract.expiry is None:
        return exchange_name(contract), ("EQ" if contract.exchange is Exchange.NSE else "A"), ""
    future = contract.instrument_type is InstrumentType.FUT
    of_index = contract.underlying is not None and contract.underlying[1].is_index
    if contract.exchange is Exchange.BFO:
        return "BFO", ("I" if of_index else "S") + ("F" if future else "O"), "" if future else contract.instrument_type
    segment = "MCX" if contract.exchange is Exchange.MCX else "NFO"
    return segment, derivative_kind(contract), "XX" if future else contract.instrument_type


def _expiry(day: date | None, iso: bool) -> str:
    if day is None:
        return ""
    return day.isoformat() if iso else f"{day.day:02d}-{_MONTHS[day.month - 1]}-{day.year}"


# --- packets ----------------------------------------------------------------------------------------------------------


def packet(market: Market, token: int, topic: str) -> bytes:
    """One market in paise: 102, 42 or 166 bytes. Indices have neither volume, circuits nor book."""
    contract, book = market.contract, market.book
    unit = round(contract.tick_size * 100)
    head = (MODES[topic], EXCHANGE_CODES[exchange_name(contract)], token)
    price = unit.__mul__
    lower, upper = (0, 0) if market.is_index else (price(market.lower_circuit), price(market.upper_circuit))
    if topic == "compact_marketdata":
        change = price(market.ltp - market.close)
        best = (price(max(book.best_bid or 0, 0)), price(book.best_ask or 0))
        return _COMPACT.pack(
            *head, price(market.ltp), change, market.ltt // 1000, lower, upper, market.oi, market.oi_low, *best
        )
    average = round(market.average * unit)
    day = [price(ticks) for ticks in (market.open, market.high, market.low, market.close)]
    volume = 0 if market.is_index else market.volume
    bids, asks = (_rows(book.depth(buy, 5)) for buy in (True, False))
    if topic == "full_snapquote":
        columns = (
            column
            for rows in (bids, asks)
            for column in (
                [row.orders for row in rows],
                [price(row.price) for row in rows],
                [row.quantity for row in rows],
            )
        )
        levels = [number for column in columns for number in column]
        return _SNAP.pack(*head, *levels, average, *day, book.total_buy, book.total_sell, volume)
    best_rows = (price(bids[0].price), bids[0].quantity, price(asks[0].price), asks[0].quantity)
    return _DETAILED.pack(
        *head, price(market.ltp), market.ltt // 1000, 0 if market.is_index else market.ltq, volume, *best_rows,
        book.total_buy, book.total_sell, average, market.updated // 1000, *day, day[1], day[2], lower, upper, market.oi,
        market.oi_low,
    )  # fmt: skip


def _rows(levels: list[Row]) -> list[Row]:
    return [*levels, *[_NO_ROW] * (5 - len(levels))]


def order_frame(kind: int, text: bytes) -> bytes:
    """News: the kind, four bytes that nobody explains, and JSON."""
    return bytes([kind, 0, 0, 0, 0]) + text
