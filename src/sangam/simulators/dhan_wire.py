"""Dhan's wire, from the market's side: binary packets, instrument rows, quotes.

Written from the documentation (DhanHQ 2: Live Market Feed, Full Market Depth, Instrument List, Market Quote) and judged
by the official SDK; it shares nothing with the decoder of the broker's room."""

import struct
from typing import Any, NamedTuple

from sangam.model.clock import IST_SECONDS, ist_from_ms
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import expiry_text, strike_text

from .book import Row
from .listing import Contract, derivative_kind
from .market import Market


class Place(NamedTuple):
    """How Dhan calls an exchange: in texts, in packets, and in the first columns of its file."""

    segment: str
    code: int
    market: str
    letter: str


PLACES = {
    Exchange.NSE: Place("NSE_EQ", 1, "NSE", "E"),
    Exchange.NFO: Place("NSE_FNO", 2, "NSE", "D"),
    Exchange.CDS: Place("NSE_CURRENCY", 3, "NSE", "C"),
    Exchange.BSE: Place("BSE_EQ", 4, "BSE", "E"),
    Exchange.MCX: Place("MCX_COMM", 5, "MCX", "M"),
    Exchange.BCD: Place("BSE_CURRENCY", 7, "BSE", "C"),
    Exchange.BFO: Place("BSE_FNO", 8, "BSE", "D"),
    Exchange.NSE_INDEX: Place("IDX_I", 0, "NSE", "I"),
    Exchange.BSE_INDEX: Place("IDX_I", 0, "BSE", "I"),
}
INDEX_IDS = {26000: 13, 26009: 25, 26017: 21, 1: 51}
"""Dhan's own numbers of the indices, by the exchange's."""

COLUMNS = (
    *("EXCH_ID", "SEGMENT", "SECURITY_ID", "ISIN", "INSTRUMENT", "UNDERLYING_SECURITY_ID", "UNDERLYING_SYMBOL"),
    *("SYMBOL_NAME", "DISPLAY_NAME", "INSTRUMENT_TYPE", "SERIES", "LOT_SIZE", "SM_EXPIRY_DATE", "STRIKE_PRICE"),
    *("OPTION_TYPE", "TICK_SIZE", "EXPIRY_FLAG", "BRACKET_FLAG", "COVER_FLAG", "ASM_GSM_FLAG", "ASM_GSM_CATEGORY"),
    *("BUY_SELL_INDICATOR", "BUY_CO_MIN_MARGIN_PER", "BUY_CO_SL_RANGE_MAX_PERC", "BUY_CO_SL_RANGE_MIN_PERC"),
    *("BUY_BO_MIN_MARGIN_PER", "BUY_BO_PROFIT_RANGE_MAX_PERC", "BUY_BO_PROFIT_RANGE_MIN_PERC", "MTF_LEVERAGE"),
    *("SM_UPPER_LIMIT", "SM_LOWER_LIMIT"),
)

Name = tuple[str, str]
"""Segment and security id."""

_MAX = 0xFFFFFFFF
_HEADER = struct.Struct("<BHBI")
_TICKER = struct.Struct("<fI")
_QUOTE = struct.Struct("<fHIfIIIffff")
_FULL = struct.Struct("<fHIfIIIIIIffff")
_LEVEL = struct.Struct("<IIHHff")
_DEEP_HEADER = struct.Struct("<hBBiI")
_DEEP_LEVEL = struct.Struct("<dII")
_NO_ROW = Row(0, 0, 0)

TICKER, QUOTE, FULL = 2, 4, 8
BIDS, ASKS = 41, 51


# --- names ------------------------------------------------------------------------------------------------------------


def name(contract: Contract, token: int) -> Name | None:
    """None for what Dhan does not list."""
    place = PLACES.get(contract.exchange)
    if place is None:
        return None
    return place.segment, str(INDEX_IDS[token] if contract.exchange.is_index else token)


def instrument_kind(contract: Contract) -> str:
    if contract.exchange.is_index:
        return "INDEX"
    if contract.expiry is None:
        return "EQUITY"
    return derivative_kind(contract)


def display_name(contract: Contract) -> str:
    """``NIFTY 27 FEB 29200 CALL``, ``NIFTY MAR FUT``; of shares and indices the plain name."""
    if contract.expiry is None:
        return contract.name
    day = expiry_text(contract.expiry)
    if contract.instrument_type is InstrumentType.FUT:
        return f"{contract.name} {day[2:5]} FUT"
    right = "CALL" if contract.instrument_type is InstrumentType.CE else "PUT"
    return f"{contract.name} {day[:2]} {day[2:5]} {strike_text(contract.strike)} {right}"


def trading_symbol(contract: Contract) -> str:
    """``NIFTY-Mar2025-FUT``, ``NIFTY-Feb2025-29200-CE``: weeks of one month have the same."""
    if contract.expiry is None:
        return contract.symbol
    month = f"{contract.name}-{expiry_text(contract.expiry)[2:5].title()}{contract.expiry.year}"
    if contract.instrument_type is InstrumentType.FUT:
        return f"{month}-FUT"
    return f"{month}-{strike_text(contract.strike)}-{contract.instrument_type.value}"


def instrument_row(contract: Contract, security_id: str) -> list[str]:
    """One row of the detailed file, in the order of `COLUMNS`."""
    place, index, dated = PLACES[contract.exchange], contract.exchange.is_index, contract.expiry is not None
    option = dated and contract.instrument_type is not InstrumentType.FUT
    underlying = contract.name if dated else contract.symbol
    row = [
        place.market,
        place.letter,
        security_id,
        "NA" if index or dated else isin(int(security_id)),
        instrument_kind(contract),
        "",
        underlying,
        trading_symbol(contract) if dated else contract.name,
        display_name(contract),
        "INDEX" if index else "OP" if option else "FUT" if dated else "ES",
        "NA" if index or dated else "EQ" if contract.exchange is Exchange.NSE else "A",
        f"{contract.lot_size}.0",
        contract.expiry.isoformat() if contract.expiry else "0001-01-01" if index else "",
        f"{contract.strike:.5f}" if option else "-0.01000" if dated else "",
        contract.instrument_type.value if option else "XX" if index or dated else "",
        "0.05" if index else f"{contract.tick_size * 100:.4f}",
        "M" if dated else "N" if index else "NA",
    ]
    return row + ["N"] * 3 + ["NA", "A"] + ["0"] * (len(COLUMNS) - len(row) - 5)


def isin(number: int) -> str:
    return f"INE{number:06d}01{number % 10}"[:12]


# --- the feed ---------------------------------------------------------------------------------------------------------


def _packet(code: int, place: Place, security_id: int, body: bytes) -> bytes:
    return _HEADER.pack(code, _HEADER.size + len(body), place.code, security_id) + body


def seconds(ms: int) -> int:
    """Last trade times are India's wall clock, counted as if it were UTC."""
    return ms // 1000 + IST_SECONDS


def previous_close(market: Market, security_id: int) -> bytes:
    body = struct.pack("<fI", market.rupees(market.close), market.oi)
    return _packet(6, PLACES[market.contract.exchange], security_id, body)


def open_interest(market: Market, security_id: int) -> bytes:
    return _packet(5, PLACES[market.contract.exchange], security_id, struct.pack("<I", market.oi))


def farewell(reason: int) -> bytes:
    return _HEADER.pack(50, 10, 0, 0) + struct.pack("<H", reason)


def packet(market: Market, kind: int, security_id: int) -> bytes:
    """One instrument as a ticker (16 bytes), quote (50) or full packet (162)."""
    place, rupees = PLACES[market.contract.exchange], market.rupees
    if kind == TICKER:
        return _packet(kind, place, security_id, _TICKER.pack(rupees(market.ltp), seconds(market.ltt)))
    book = market.book
    head = (
        *(rupees(market.ltp), market.ltq & 0xFFFF, seconds(market.ltt), rupees(market.average)),
        *(min(market.volume, _MAX), min(book.total_sell, _MAX), min(book.total_buy, _MAX)),
    )
    day = (rupees(market.open), 0.0, rupees(market.high), rupees(market.low))
    if kind == QUOTE:
        return _packet(kind, place, security_id, _QUOTE.pack(*head, *day))
    interest = (market.oi, 0, 0)
    if market.contract.exchange is Exchange.NFO:
        interest = (market.oi, market.oi_high, market.oi_low)
    bids, asks = (_padded(book.depth(buy, 5), 5) for buy in (True, False))
    levels = b"".join(
        _LEVEL.pack(bid.quantity, ask.quantity, bid.orders, ask.orders, rupees(bid.price), rupees(ask.price))
        for bid, ask in zip(bids, asks, strict=True)
    )
    return _packet(kind, place, security_id, _FULL.pack(*head, *interest, *day) + levels)


def _padded(rows: list[Row], levels: int) -> list[Row]:
    return rows + [_NO_ROW] * (levels - len(rows))


# --- deep books -------------------------------------------------------------------------------------------------------


def deep_book(market: Market, levels: int, security_id: int, sequence: int = 0) -> bytes:
    """Bids, then asks. 20 levels are always as many rows; 200 are as many as there are."""
    parts = []
    for code, buy in ((BIDS, True), (ASKS, False)):
        rows = market.book.depth(buy, levels)
        if levels == 20:
            rows = _padded(rows, levels)
        body = b"".join(_DEEP_LEVEL.pack(market.rupees(row.price), row.quantity, row.orders) for row in rows)
        count = sequence if levels == 20 else len(rows)
        place = PLACES[market.contract.exchange]
        parts.append(_DEEP_HEADER.pack(_DEEP_HEADER.size + len(body), code, place.code, security_id, count) + body)
    return b"".join(parts)


def deep_farewell(reason: int) -> bytes:
    return _DEEP_HEADER.pack(14, 50, 0, 0, reason) + struct.pack("<h", reason)


# --- quotes -----------------------------------------------------------------------------------------------------------


def moment(ms: int, *, utc: bool = False) -> str:
    return f"{ist_from_ms(ms - IST_SECONDS * 1000 if utc else ms):%Y-%m-%d %H:%M:%S}"


def ltp_quote(market: Market) -> dict[str, Any]:
    return {"last_price": _float32(market.rupees(market.ltp))}


def ohlc_quote(market: Market) -> dict[str, Any]:
    names = ("open", "close", "high", "low")
    return ltp_quote(market) | {"ohlc": {name: _float32(market.rupees(getattr(market, name))) for name in names}}


def full_quote(market: Market) -> dict[str, Any]:
    def side(buy: bool) -> list[dict[str, Any]]:
        rows = _padded(market.book.depth(buy, 5), 5)
        return [
            {"quantity": row.quantity, "orders": row.orders, "price": _float32(market.rupees(row.price))}
            for row in rows
        ]

    return ohlc_quote(market) | {
        "average_price": _float32(market.rupees(market.average)),
        "buy_quantity": market.book.total_buy,
        "depth": {"buy": side(True), "sell": side(False)},
        "last_quantity": market.ltq,
        "last_trade_time": f"{ist_from_ms(market.ltt):%d/%m/%Y %H:%M:%S}",
        "lower_circuit_limit": market.rupees(market.lower_circuit),
        "net_change": 0,
        "oi": market.oi,
        "oi_day_high": market.oi_high,
        "oi_day_low": market.oi_low,
        "sell_quantity": market.book.total_sell,
        "upper_circuit_limit": market.rupees(market.upper_circuit),
        "volume": market.volume,
    }


def _float32(price: float) -> float:
    """Prices of a quote are single floats written out (23482.150390625)."""
    value: float = struct.unpack("<f", struct.pack("<f", price))[0]
    return value
