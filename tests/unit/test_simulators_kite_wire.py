"""Kite's bytes: the official sample packets, every segment, every length."""

import json
import struct
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import cast

import pytest
from tests.support import shared_data

from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Exchange as Code
from sangam.model.enums import InstrumentType
from sangam.simulators import kite_wire
from sangam.simulators.book import Row
from sangam.simulators.exchange import Exchange
from sangam.simulators.listing import Contract, listing
from sangam.simulators.market import Market

# The sheet's samples (zerodha/kiteconnect-mocks ticker_full.packet and ticker_quote.packet): INFY on 2021-07-05.
FULL = bytes.fromhex(
    "00063a01000266ba000000070002656d001232170003e9bb00058a01000264f30002673c000261c90002646c60e2947f"
    "00000000000000000000000060e2947f"
    "000000050002669c000100000000008c0002667400020000000000020002666f00010000000000db0002666a0007000000000032"
    "0002666500010000"
    "000000ac000266ba000300000000002c000266bf000300000000012e000266c9000300000000008d000266ce00020000000002d4"
    "000266d300050000"
)
QUOTE = bytes.fromhex("00063a010002668300000001000265690011f1b20003e9ff00058037000264f30002673c000261c90002646c")
INFY = Contract(
    symbol="INFY",
    exchange=Code.NSE,
    token=1594,
    name="INFOSYS",
    instrument_type=InstrumentType.EQ,
    price=1567.8,
    tick_size=0.05,
)


@dataclass
class StillBook:
    total_buy: int
    total_sell: int
    bids: list[Row] = field(default_factory=list)
    asks: list[Row] = field(default_factory=list)

    def depth(self, buy: bool, levels: int) -> list[Row]:
        return (self.bids if buy else self.asks)[:levels]


@dataclass
class StillMarket:
    """A market as it was at one moment: prices in ticks of five paise."""

    book: StillBook
    ltp: int
    ltq: int
    average: float
    volume: int
    contract: Contract = INFY
    is_index: bool = False
    open: int = 31383
    high: int = 31500
    low: int = 31221
    close: int = 31356
    ltt: int = 1625461887000
    updated: int = 1625461887000
    oi: int = 0
    oi_high: int = 0
    oi_low: int = 0


def test_the_official_full_packet() -> None:
    bids = [(31468, 5, 1), (31460, 140, 2), (31459, 2, 1), (31458, 219, 7), (31457, 50, 1)]
    asks = [(31474, 172, 3), (31475, 44, 3), (31477, 302, 3), (31478, 141, 2), (31479, 724, 5)]
    book = StillBook(256443, 363009, [Row(*row) for row in bids], [Row(*row) for row in asks])
    market = StillMarket(book, ltp=31474, ltq=7, average=1570.37 / 0.05, volume=1192471)
    assert kite_wire.packet(cast(Market, market), 408065, "full") == FULL


def test_the_official_quote_and_ltp_packets() -> None:
    market = StillMarket(StillBook(256511, 360503), ltp=31463, ltq=1, average=1570.33 / 0.05, volume=1175986)
    assert kite_wire.packet(cast(Market, market), 408065, "quote") == QUOTE
    assert kite_wire.packet(cast(Market, market), 408065, "ltp") == QUOTE[:8]


def test_missing_rows_of_the_book_are_zeros() -> None:
    market = StillMarket(StillBook(5, 0, [Row(31468, 5, 1)]), ltp=31463, ltq=1, average=31463.0, volume=1)
    packet = kite_wire.packet(cast(Market, market), 408065, "full")
    assert packet[64:76] == struct.pack(">2IH2x", 5, 157340, 1)
    assert packet[76:] == bytes(108)


def test_packets_of_a_frame_carry_their_lengths() -> None:
    assert kite_wire.frame([QUOTE, QUOTE[:8]]) == b"\x00\x02\x00\x2c" + QUOTE + b"\x00\x08" + QUOTE[:8]


def market_of(symbol: str, exchange: Code) -> Market:
    return Exchange(clock=ManualClock(datetime(2026, 8, 18, 10, 0, tzinfo=IST))).market(symbol, exchange)


@pytest.mark.parametrize(
    ("symbol", "exchange", "segment", "divisor"),
    [
        ("SBIN", Code.NSE, 1, 100),
        ("NIFTY25AUG26FUT", Code.NFO, 2, 100),
        ("USDINR27AUG26FUT", Code.CDS, 3, 10_000_000),
        ("SBIN", Code.BSE, 4, 100),
        ("SENSEX27AUG26FUT", Code.BFO, 5, 100),
        ("USDINR27AUG26FUT", Code.BCD, 6, 10_000),
        ("CRUDEOIL19AUG26FUT", Code.MCX, 7, 100),
        ("NIFTY", Code.NSE_INDEX, 9, 100),
        ("SENSEX", Code.BSE_INDEX, 9, 100),
        ("GOLD04SEP26FUT", Code.NCO, 12, 10_000),
    ],
)
def test_every_segment_has_its_divisor(symbol: str, exchange: Code, segment: int, divisor: int) -> None:
    market = market_of(symbol, exchange)
    token = kite_wire.instrument_token(market.contract, market.token)
    assert token & 0xFF == segment
    lengths = {mode: len(kite_wire.packet(market, token, mode)) for mode in ("ltp", "quote", "full")}
    assert lengths == {"ltp": 8, "quote": 28 if segment == 9 else 44, "full": 32 if segment == 9 else 184}
    for mode in lengths:
        sent, price = struct.unpack_from(">2I", kite_wire.packet(market, token, mode))
        assert sent == token
        assert price / divisor == market.rupees(market.ltp)


def test_an_index_packet_orders_its_prices_otherwise() -> None:
    market = market_of("NIFTY", Code.NSE_INDEX)
    market.low -= 100
    market.high += 200
    values = struct.unpack(">6IiI", kite_wire.packet(market, 256265, "full"))
    names = ("ltp", "high", "low", "open", "close")
    assert values[1:6] == tuple(getattr(market, name) * 5 for name in names)
    assert values[6] == (market.ltp - market.close) * 5
    assert values[7] == market.updated // 1000


def test_rows_are_those_of_the_real_dump() -> None:
    """Every derivative of ours that Zerodha's dump of the same day has: same symbol, lot, tick, kind and segment."""
    real = {}
    for line in shared_data("zerodha", "instruments_nfo_bfo.csv").read_text().splitlines()[1:]:
        row = line.split(",")
        real[row[2]] = row[3:]
    compared = 0
    for contract in listing(date(2026, 8, 18)):
        if contract.exchange in (Code.NFO, Code.BFO) and contract.expiry is not None:
            row = kite_wire.instrument_row(contract, contract.token)
            assert row[3:] == real[row[2]]
            compared += 1
    assert compared > 350


def test_index_and_share_rows() -> None:
    def row(symbol: str, exchange: Code) -> str:
        market = market_of(symbol, exchange)
        return ",".join(kite_wire.instrument_row(market.contract, market.token))

    assert row("NIFTY", Code.NSE_INDEX) == "256265,1001,NIFTY 50,NIFTY 50,0.0,,0.0,0,0,EQ,INDICES,NSE"
    assert row("SENSEX", Code.BSE_INDEX) == "265,1,SENSEX,SENSEX,0.0,,0.0,0,0,EQ,INDICES,BSE"
    assert row("INFY", Code.NSE) == "408065,1594,INFY,INFOSYS LIMITED,0.0,,0.0,0.1,1,EQ,NSE,NSE"


def test_quotes_have_the_documented_shape() -> None:

    documented = json.loads(shared_data("zerodha", "mocks", "quote.json").read_text())["data"]["NSE:INFY"]
    quote = kite_wire.full_quote(market_of("INFY", Code.NSE), 408065)
    assert quote.keys() == documented.keys()
    assert quote["ohlc"].keys() == documented["ohlc"].keys()
    assert quote["depth"]["buy"][0].keys() == documented["depth"]["buy"][0].keys()
    assert len(quote["depth"]["buy"]) == len(quote["depth"]["sell"]) == 5
