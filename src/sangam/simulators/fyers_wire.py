"""Fyers' names, its symbol masters, and the frames of its data sockets (sheet: fyers.md, 6 and 7)."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, time

from sangam.model.clock import IST, ist_from_ms
from sangam.model.enums import Exchange, InstrumentType

from . import proto
from .book import Row
from .kite_wire import tradingsymbol
from .listing import Contract
from .market import Market

PLACES = {
    Exchange.NSE: ("1010", "nse_cm", "NSE_CM"),
    Exchange.NSE_INDEX: ("1010", "nse_cm", "NSE_CM"),
    Exchange.NFO: ("1011", "nse_fo", "NSE_FO"),
    Exchange.CDS: ("1012", "cde_fo", "NSE_CD"),
    Exchange.NCO: ("1020", "nse_com", "NSE_COM"),
    Exchange.BSE: ("1210", "bse_cm", "BSE_CM"),
    Exchange.BSE_INDEX: ("1210", "bse_cm", "BSE_CM"),
    Exchange.BFO: ("1211", "bse_fo", "BSE_FO"),
    Exchange.MCX: ("1120", "mcx_fo", "MCX_COM"),
}
"""Exchange and segment, the data socket's word for them, and the file that lists them. BCD is in no file."""

INDICES = {
    "NIFTY": ("NSE:NIFTY50-INDEX", "Nifty 50"),
    "BANKNIFTY": ("NSE:NIFTYBANK-INDEX", "Nifty Bank"),
    "INDIAVIX": ("NSE:INDIAVIX-INDEX", "India VIX"),
    "SENSEX": ("BSE:SENSEX-INDEX", "SENSEX"),
}
MARKETS = {"10": "NSE", "11": "MCX", "12": "BSE"}
CLOSING = time(15, 30)
DEPTH = 50
ABSENT = -(2**31)
_MOST = 2**31 - 1


def ticker(contract: Contract, token: int = 0) -> str | None:
    """``NSE:SBIN-EQ``, ``NSE:NIFTY26AUGFUT``; None for what Fyers does not list."""
    if contract.exchange not in PLACES:
        return None
    if contract.exchange.is_index:
        return INDICES[contract.symbol][0]
    series = {Exchange.NSE: "-EQ", Exchange.BSE: "-A"}.get(contract.exchange, "")
    return f"{MARKETS[PLACES[contract.exchange][0][:2]]}:{tradingsymbol(contract)}{series}"


def fy_token(contract: Contract, token: int) -> str:
    expiry = f"{contract.expiry:%y%m%d}" if contract.expiry else "000000"
    return f"{PLACES[contract.exchange][0]}{expiry}{token}"


def topic(contract: Contract, token: int) -> str | None:
    """What stands behind the kind of a topic: ``nse_cm|3045``, ``nse_cm|Nifty 50``."""
    if contract.exchange not in PLACES:
        return None
    return f"{PLACES[contract.exchange][1]}|{INDICES[contract.symbol][1] if contract.exchange.is_index else token}"


def master_row(contract: Contract, token: int, today: str) -> list[str]:
    place, name = PLACES[contract.exchange][0], ticker(contract) or ""
    index = contract.instrument_type is InstrumentType.INDEX
    expiry = ""
    if contract.expiry is not None:
        expiry = str(int(datetime.combine(contract.expiry, CLOSING, IST).timestamp()))
    kinds = {InstrumentType.INDEX: "10", InstrumentType.EQ: "0", InstrumentType.FUT: "11"}
    right = contract.instrument_type.value if contract.instrument_type.value in ("CE", "PE") else "XX"
    own = fy_token(contract, token)
    return [
        own, name.partition(":")[2], kinds.get(contract.instrument_type, "14"),
        "0" if index else str(contract.lot_size),
        str(contract.tick_size), "", "0915-1530|1815-1915:", today, expiry, name, place[:2], place[2:], str(token),
        contract.symbol if contract.expiry is None else contract.name, str(token),
        str(contract.strike) if right != "XX" else "-1.0", right, own, "None", "0", "0.0",
    ]  # fmt: skip


def moment(ms: int) -> str:
    return f"{ist_from_ms(ms):%d-%b-%Y %H:%M:%S}"


# --- the data socket --------------------------------------------------------------------------------------------------


def answer(kind: int, *fields: bytes) -> bytes:
    body = bytes((kind, len(fields)))
    for number, value in enumerate(fields, 1):
        body += struct.pack(">BH", number, len(value)) + value
    return struct.pack(">H", len(body)) + body


def fields_of(frame: bytes) -> dict[int, bytes]:
    found, at = {}, 4
    for _ in range(frame[3]):
        number, size = struct.unpack_from(">BH", frame, at)
        found[number] = frame[at + 3 : at + 3 + size]
        at += 3 + size
    return found


def topics_of(listed: bytes) -> list[str]:
    names, at = [], 2
    for _ in range(struct.unpack_from(">H", listed)[0]):
        names.append(listed[at + 1 : at + 1 + listed[at]].decode())
        at += 1 + listed[at]
    return names


def message(number: int, records: Sequence[bytes]) -> bytes:
    body = struct.pack(">BIH", 6, number, len(records)) + b"".join(records)
    return struct.pack(">H", len(body)) + body


def snapshot(number: int, name: str, values: Sequence[int], market: Market, token: int) -> bytes:
    texts = (PLACES[market.contract.exchange][1][:3].upper(), str(token), (ticker(market.contract) or "")[4:])
    record = (
        struct.pack(">BH", 0x53, number)
        + _text(name)
        + bytes((len(values),))
        + struct.pack(f">{len(values)}i", *values)
    )
    return record + b"\x00\x00" + struct.pack(">HB", _multiplier(market), 2) + b"".join(map(_text, texts))


def update(number: int, before: Sequence[int], after: Sequence[int]) -> bytes:
    news = [ABSENT if new == old else new for old, new in zip(before, after, strict=True)]
    return struct.pack(f">BHB{len(news)}i", 0x55, number, len(news), *news)


def lite(number: int, ltp: int) -> bytes:
    return struct.pack(">BHi", 0x4C, number, ltp)


def values(kind: str, market: Market) -> list[int]:
    """The fields of a topic as the wire counts them."""
    unit = round(market.contract.tick_size * 100 * _multiplier(market))

    def price(ticks: float) -> int:
        return round(ticks * unit)

    prices = price(market.ltp), price(market.close), price(market.high), price(market.low), price(market.open)
    ltp, close, high, low, opened = prices
    updated = market.updated // 1000
    if kind == "if":
        return [ltp, close, updated, high, low, opened]
    rows = [_five(market.book.depth(buy, 5)) for buy in (True, False)]
    if kind == "dp":
        return [
            *(price(row.price) for side in rows for row in side),
            *(row.quantity for side in rows for row in side),
            *(row.orders for side in rows for row in side),
        ]
    bid, ask = rows[0][0], rows[1][0]
    return [
        ltp, min(market.volume, _MOST), market.ltt // 1000, updated, bid.quantity, ask.quantity, price(bid.price),
        price(ask.price), market.ltq, min(market.book.total_buy, _MOST), min(market.book.total_sell, _MOST),
        price(market.average), market.oi if market.contract.expiry else ABSENT, low, high, ABSENT, ABSENT,
        price(market.lower_circuit), price(market.upper_circuit), opened, close,
    ]  # fmt: skip


def _multiplier(market: Market) -> int:
    """Currency has four decimals, and the wire a precision of two."""
    return 100 if market.contract.decimals == 4 else 1


def _five(rows: list[Row]) -> list[Row]:
    return rows + [Row(0, 0, 0)] * (5 - len(rows))


def _text(text: str) -> bytes:
    return bytes((len(text.encode()),)) + text.encode()


# --- the tick-by-tick socket ------------------------------------------------------------------------------------------

Book = list[tuple[int, int, int]]
"""Price in paise, quantity and orders of each level of one side."""


def book(market: Market) -> tuple[Book, Book]:
    """Bids and asks, with empty levels to the end."""
    unit = round(market.contract.tick_size * 100)

    def side(buy: bool) -> Book:
        rows = [(row.price * unit, row.quantity, row.orders) for row in market.book.depth(buy, DEPTH)]
        return rows + [(0, 0, 0)] * (DEPTH - len(rows))

    return side(True), side(False)


def feed(market: Market, token: int, now: tuple[Book, Book], before: tuple[Book, Book] | None, sequence: int) -> bytes:
    """One entry of the map of feeds: the whole book, or what differs."""
    name = (ticker(market.contract) or "").encode()
    bids, asks = (
        b"".join(proto.chunk(place, row) for row in _levels(new, old))
        for place, new, old in zip((4, 3), now, before or (None, None), strict=True)
    )
    depth = proto.wrapped(1, market.book.total_buy) + proto.wrapped(2, market.book.total_sell) + asks + bids
    told = [
        proto.chunk(5, depth), proto.wrapped(6, market.updated // 1000), proto.wrapped(7, market.updated // 1000),
        proto.chunk(8, fy_token(market.contract, token).encode()), proto.number(9, sequence),
    ]  # fmt: skip
    if before is None:
        told.append(proto.number(10, 1))
    entry = proto.chunk(1, name) + proto.chunk(2, b"".join([*told, proto.chunk(11, name)]))
    return proto.chunk(2, entry)


def depth_message(feeds: Iterable[bytes], *, whole: bool) -> bytes:
    return proto.number(1, 6) + b"".join(feeds) + (proto.number(3, 1) if whole else b"")


def error_message(text: str) -> bytes:
    return proto.number(1, 8) + proto.chunk(4, text.encode()) + proto.number(5, 1)


def _levels(new: Book, old: Book | None) -> Iterator[bytes]:
    for number, row in enumerate(new):
        known = (None, None, None) if old is None else old[number]
        changed = [
            proto.wrapped(place, value) for place, value, was in zip((1, 2, 3), row, known, strict=True) if value != was
        ]
        if changed:
            yield b"".join(changed) + proto.wrapped(4, number)
