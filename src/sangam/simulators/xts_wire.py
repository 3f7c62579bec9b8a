"""XTS's wire, from the market's side: names, master rows, JSON rows and packed packets, Socket.IO frames.

Written from Symphony's documents and the byte tables of their binary SDK, and judged by python-socketio of the line
that their SDK uses; it shares nothing with the decoder of the brokers' family."""

import struct
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import strike_text

from .book import Row
from .listing import Contract
from .market import Market

TOUCHLINE, DEPTH, INTEREST, LTP = 1501, 1502, 1510, 1512

SEGMENTS: Mapping[Exchange, tuple[int, str]] = {
    Exchange.NSE: (1, "NSECM"),
    Exchange.NSE_INDEX: (1, "NSECM"),
    Exchange.NFO: (2, "NSEFO"),
    Exchange.CDS: (3, "NSECD"),
    Exchange.BSE: (11, "BSECM"),
    Exchange.BSE_INDEX: (11, "BSECM"),
    Exchange.BFO: (12, "BSEFO"),
    Exchange.MCX: (51, "MCXFO"),
}

_INDEX_NAMES = {"NIFTY": "NIFTY 50", "BANKNIFTY": "NIFTY BANK", "INDIAVIX": "INDIA VIX"}
_NSE_EPOCH = 315_532_800
_IST = 19_800


Name = tuple[int, int]
"""Segment and number."""


class Frame(NamedTuple):
    """A text message and the binary one behind it, if any."""

    text: bytes
    attachment: bytes = b""


# --- names ------------------------------------------------------------------------------------------------------------


def segment(contract: Contract) -> str:
    return SEGMENTS[contract.exchange][1]


def listed_as(contract: Contract) -> str:
    """The name with what it is a series of; of derivatives the trading symbol."""
    if contract.expiry is None:
        return f"{contract.symbol}-{_series(contract)}"
    right = contract.instrument_type
    day = f"{contract.expiry:%y%m%d}" if not contract.monthly else f"{contract.expiry:%y%b}".upper()
    return contract.name + day + ("FUT" if right is InstrumentType.FUT else strike_text(contract.strike) + right.value)


def display(contract: Contract) -> str:
    if contract.expiry is None:
        return contract.symbol
    right = contract.instrument_type
    day = f"{contract.name} {contract.expiry:%d%b%Y}".upper()
    return day if right is InstrumentType.FUT else f"{day} {right.value} {strike_text(contract.strike)}"


def index_row(contract: Contract, number: int) -> str:
    return f"{_INDEX_NAMES.get(contract.symbol, contract.symbol)}_{number}"


def _series(contract: Contract) -> str:
    if contract.exchange.is_index:
        return "SPOT"
    if contract.expiry is None:
        return "EQ" if contract.exchange is Exchange.NSE else "A"
    future = contract.instrument_type is InstrumentType.FUT
    of_index = contract.underlying is not None and contract.underlying[1].is_index
    if contract.exchange is Exchange.BFO:
        return "IF" if future else "IO"
    return ("FUT" if future else "OPT") + ("IDX" if of_index else "STK")


def master_row(contract: Contract, number: int) -> str:
    """22 columns of a share, 21 of a future, 23 of an option."""
    future = contract.instrument_type is InstrumentType.FUT
    name, series = contract.symbol if contract.expiry is None else contract.name, _series(contract)
    kind = 8 if contract.expiry is None else 1 if future else 2
    head = [segment(contract), number, kind, name, listed_as(contract), series, f"{name}-{series}"]
    prices = [round(contract.price * 1.1, 2), round(contract.price * 0.9, 2), 1801]
    row = [*head, f"11001{number:08d}", *prices, contract.tick_size, contract.lot_size, 1]
    if contract.expiry is None:
        row += [name, isin(number), 1, 1, f"{contract.name}-{series}", 0, -1, -1]
    else:
        row += [-1, contract.name, f"{contract.expiry}T14:30:00"]
        if not future:
            row += [strike_text(contract.strike), 3 if contract.instrument_type is InstrumentType.CE else 4]
        row += [display(contract), 1, 1, listed_as(contract)]
    return "|".join(map(str, row))


def isin(number: int) -> str:
    return f"INE{number:08d}0"[:12]


# --- rows -------------------------------------------------------------------------------------------------------------


def seconds(contract: Contract, ms: int) -> int:
    """India's wall clock, from 1980 in NSE's segments and from 1970 in the others."""
    return ms // 1000 + _IST - (_NSE_EPOCH if SEGMENTS[contract.exchange][0] < 4 else 0)


def row(market: Market, number: int, code: int) -> dict[str, Any]:
    """A live row of a code: prices are nested in `Touchline`."""
    contract = market.contract
    head: dict[str, Any] = {"MessageCode": code, "MessageVersion": 4, "ApplicationType": 0, "TokenID": 0}
    head |= {"ExchangeSegment": SEGMENTS[contract.exchange][0], "ExchangeInstrumentID": number}
    if code == LTP:
        return head | {"BookType": 1, "XMarketType": 1} | _last(market)
    head |= {"ExchangeTimeStamp": seconds(contract, market.updated)}
    if code == INTEREST:
        return head | {"XTSMarketType": 1, "OpenInterest": market.oi}
    if code == DEPTH:
        head |= {"Bids": _side(market, True), "Asks": _side(market, False)}
    touch = {"BidInfo": _side(market, True)[0], "AskInfo": _side(market, False)[0], **_touch(market)}
    return head | {"Touchline": touch, "BookType": 1, "XMarketType": 1, "SequenceNumber": 1583105129731225}


def snapshot(market: Market, number: int, code: int) -> dict[str, Any]:
    """A row as REST tells it: a touchline is flat there."""
    told = row(market, number, code)
    return {**told, **told.pop("Touchline")} if code == TOUCHLINE else told


def _last(market: Market) -> dict[str, Any]:
    rupees = market.rupees
    return {
        "LastTradedPrice": rupees(market.ltp),
        "LastTradedQunatity": 0 if market.is_index else market.ltq,
        "LastUpdateTime": seconds(market.contract, market.updated),
        "PercentChange": (market.ltp - market.close) / market.close * 100,
        "Close": rupees(market.close),
    }


def _touch(market: Market) -> dict[str, Any]:
    rupees, book, idle = market.rupees, market.book, market.is_index
    return _last(market) | {
        "TotalBuyQuantity": 0 if idle else book.total_buy,
        "TotalSellQuantity": 0 if idle else book.total_sell,
        "TotalTradedQuantity": 0 if idle else market.volume,
        "AverageTradedPrice": rupees(market.ltp if idle else market.average),
        "LastTradedTime": seconds(market.contract, market.ltt),
        "Open": rupees(market.open),
        "High": rupees(market.high),
        "Low": rupees(market.low),
        "TotalValueTraded": None,
        "BuyBackTotalBuy": 0,
        "BuyBackTotalSell": 0,
    }


def _rows(market: Market, buy: bool) -> list[Row]:
    found = market.book.depth(buy, 5)
    return found + [Row(0, 0, 0)] * (5 - len(found))


def _side(market: Market, buy: bool) -> list[dict[str, Any]]:
    return [
        {"Size": each.quantity, "Price": market.rupees(each.price), "TotalOrders": each.orders, "BuyBackMarketMaker": 0}
        for each in _rows(market, buy)
    ]


# --- packets ----------------------------------------------------------------------------------------------------------


def packet(market: Market, number: int, code: int, wide: bool, packed: bool) -> bytes:
    """One packet of `xts-binary-packet`, with quantities of 32 or 64 bits; `packed` deflates it."""
    contract = market.contract
    where = SEGMENTS[contract.exchange][0]
    inner = struct.pack("<HHHQQi", code, 4, 0, 0, 1583105129731225, 0)
    inner += struct.pack("<hiQ", where, number, max(seconds(contract, market.updated), 0))
    if code == INTEREST:
        inner += struct.pack("<hihQbi", 1, market.oi, 1, 26000, 0, market.oi)
    if code == DEPTH:
        for buy in (True, False):
            inner += struct.pack("<i", 5) + b"".join(_level(market, each, wide) for each in _rows(market, buy))
    if code in (TOUCHLINE, DEPTH):
        inner += _touchline(market, wide)
    head = struct.pack("<bHhihhH", packed, code, where, number, 1, 1, len(inner))
    if not packed:
        return head + inner
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflate.compress(inner) + deflate.flush()
    return head + struct.pack("<H", len(body)) + body


def _level(market: Market, each: Row, wide: bool) -> bytes:
    return struct.pack("<qdih" if wide else "<idih", each.quantity, market.rupees(each.price), each.orders, 0)


def _touchline(market: Market, wide: bool) -> bytes:
    told = _touch(market)
    best = b"".join(_level(market, _rows(market, buy)[0], wide) for buy in (True, False))
    return best + struct.pack(
        "<Qdqqqqdqdddddd4h" if wide else "<QdiIIIdqdddddd4h",
        told["LastUpdateTime"],
        told["LastTradedPrice"],
        told["LastTradedQunatity"],
        told["TotalBuyQuantity"],
        told["TotalSellQuantity"],
        told["TotalTradedQuantity"],
        told["AverageTradedPrice"],
        told["LastTradedTime"],
        told["PercentChange"],
        told["Open"],
        told["High"],
        told["Low"],
        told["Close"],
        0.0,
        0,
        0,
        1,
        1,
    )


# --- Socket.IO 2 on Engine.IO 3 ---------------------------------------------------------------------------------------

CONNECTED = b"40"
PACKETS = b'451-["xts-binary-packet",{"_placeholder":true,"num":0}]'
BINARY_MESSAGE = b"\x04"


def opening(sid: str, ping_ms: int) -> bytes:
    told = {"sid": sid, "upgrades": [], "pingInterval": ping_ms, "pingTimeout": 60_000}
    return b"0" + msgspec.json.encode(told)


def event(name: str, payload: Any) -> bytes:
    """The payload is a text of its own: JSON within JSON."""
    text = payload if isinstance(payload, str) else msgspec.json.encode(payload).decode()
    return b"42" + msgspec.json.encode([name, text])


def joined(sid: str) -> bytes:
    said = {"type": "success", "code": "s-socket-0001"}
    return event("joined", said | {"description": f"Socket joined successfully! SocketId={sid}"})
