"""The instruments file: names, ticks and expiries of the documentation's rows, and what is refused."""

import gzip
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.canned import drive

from sangam.brokers.contract import Ctx, RowRefused, Session
from sangam.brokers.upstox import SPEC
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument

SHARE: dict[str, Any] = {
    "segment": "NSE_EQ", "name": "RELIANCE INDUSTRIES LTD ", "exchange": "NSE", "isin": "INE002A01018",
    "instrument_type": "EQ", "instrument_key": "NSE_EQ|INE002A01018", "lot_size": 1, "freeze_quantity": 100000.0,
    "exchange_token": "2885", "tick_size": 10.0, "trading_symbol": "RELIANCE", "short_name": "Reliance",
    "qty_multiplier": 1.0, "security_type": "NORMAL",
}  # fmt: skip
INDEX: dict[str, Any] = {
    "segment": "NSE_INDEX", "name": "Nifty 50", "exchange": "NSE", "instrument_type": "INDEX",
    "instrument_key": "NSE_INDEX|Nifty 50", "trading_symbol": "NIFTY 50",
}  # fmt: skip
OPTION: dict[str, Any] = {
    "weekly": False, "segment": "NSE_FO", "name": "BANKNIFTY", "exchange": "NSE", "expiry": 1767119399000,
    "instrument_type": "CE", "asset_symbol": "BANKNIFTY", "underlying_symbol": "BANKNIFTY",
    "instrument_key": "NSE_FO|50904", "lot_size": 35, "freeze_quantity": 875.0, "exchange_token": "50904",
    "minimum_lot": 35, "tick_size": 5.0, "trading_symbol": "BANKNIFTY 51200 CE 30 DEC 25", "strike_price": 51200.0,
    "qty_multiplier": 1.0,
}  # fmt: skip
CURRENCY = OPTION | {
    "segment": "NCD_FO", "name": "JPYINR", "underlying_symbol": "JPYINR", "instrument_key": "NCD_FO|14294",
    "expiry": 1774636199000, "lot_size": 1, "tick_size": 0.25, "strike_price": 60.25,
    "trading_symbol": "JPYINR 60.25 CE 27 MAR 26",
}  # fmt: skip


def parse(*rows: Any) -> list[Instrument | RowRefused]:
    return list(SPEC.instruments.parse([gzip.compress(json.dumps(rows).encode())]))


def one(row: dict[str, Any]) -> Instrument:
    (found,) = parse(row)
    assert isinstance(found, Instrument)
    return found


def test_a_share() -> None:
    assert one(SHARE) == Instrument(
        symbol="RELIANCE",
        exchange=Exchange.NSE,
        brsymbol="RELIANCE",
        brexchange="NSE_EQ",
        token="NSE_EQ|INE002A01018",
        name="RELIANCE INDUSTRIES LTD",
        lot_size=1,
        tick_size=0.1,
    )


def test_an_option_and_a_future() -> None:
    option = one(OPTION)
    assert (option.symbol, option.exchange) == ("BANKNIFTY30DEC2551200CE", Exchange.NFO)
    assert (option.expiry, option.strike, option.lot_size, option.tick_size) == (date(2025, 12, 30), 51200.0, 35, 0.05)
    assert option.instrument_type is InstrumentType.CE
    future = one(OPTION | {"instrument_type": "FUT", "strike_price": 0.0})
    assert (future.symbol, future.strike) == ("BANKNIFTY30DEC25FUT", 0.0)


def test_a_currency_has_four_decimals() -> None:
    option = one(CURRENCY)
    assert (option.symbol, option.exchange) == ("JPYINR27MAR2660.25CE", Exchange.CDS)
    assert (option.tick_size, option.decimals) == (0.0025, 4)


def test_an_index_has_its_unified_name_and_its_own_key() -> None:
    index = one(INDEX)
    assert (index.symbol, index.exchange, index.token) == ("NIFTY", Exchange.NSE_INDEX, "NSE_INDEX|Nifty 50")
    assert index.instrument_type is InstrumentType.INDEX


def test_the_main_series_keeps_a_name_that_several_bear() -> None:
    warrant = SHARE | {"instrument_type": "W1", "instrument_key": "NSE_EQ|INE086A13016"}
    bond = SHARE | {"instrument_type": "SG", "instrument_key": "NSE_EQ|IN2920250163", "trading_symbol": "749RJ35"}
    orders: tuple[tuple[Any, ...], ...] = (
        (warrant, SHARE, bond),
        (SHARE, bond, warrant),
        (warrant, None, SHARE, bond, 7, "x", []),
    )
    for rows in orders:
        symbols = {row.token: row.symbol for row in parse(*rows) if isinstance(row, Instrument)}
        assert symbols == {
            "NSE_EQ|INE002A01018": "RELIANCE",
            "NSE_EQ|INE086A13016": "RELIANCE-W1",
            "NSE_EQ|IN2920250163": "749RJ35",
        }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (SHARE | {"segment": "NSE_XX"}, "segment NSE_XX is not known"),
        (SHARE | {"instrument_key": "BSE_EQ|INE002A01018"}, "unreadable instrument key"),
        (SHARE | {"instrument_key": "NSE_EQ|"}, "unreadable instrument key"),
        (SHARE | {"trading_symbol": ""}, "no trading symbol"),
        (SHARE | {"tick_size": 0.0}, "no tick size"),
        (SHARE | {"lot_size": 0}, "no lot size"),
        (SHARE | {"tick_size": "10"}, "unreadable row"),
        (OPTION | {"expiry": 0}, "no expiry"),
        (OPTION | {"expiry": 10**17}, "unreadable expiry"),
        (OPTION | {"strike_price": 0.0}, "no strike"),
        (OPTION | {"underlying_symbol": "", "name": " "}, "no underlying name"),
        ({}, "unreadable row"),
        (None, "unreadable row"),
        ([], "unreadable row"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(row: Any, reason: str) -> None:
    (refused,) = parse(row)
    assert isinstance(refused, RowRefused)
    assert refused.reason == reason


@pytest.mark.parametrize("content", [b"", b"<html>", b"{}", b"\x1f\x8b", gzip.compress(b"[{}", mtime=0)])
def test_another_file_is_refused_whole(content: bytes) -> None:
    with pytest.raises(DecodeError):
        list(SPEC.instruments.parse([content]))


PACKED = gzip.compress(json.dumps([SHARE, INDEX, OPTION]).encode())


@given(st.integers(0, len(PACKED)), st.binary(max_size=8))
def test_a_damaged_file_is_refused_or_read(at: int, more: bytes) -> None:
    for content in (PACKED[:at], PACKED[:at] + more + PACKED[at:], PACKED + more):
        try:
            list(SPEC.instruments.parse([content]))
        except DecodeError:
            continue


def test_the_file_is_fetched_without_a_token() -> None:
    session = Session(account="a1", broker="upstox", generation=1)
    operation = SPEC.instruments.download(session, Ctx(0, bytes))
    request = next(operation)
    assert not isinstance(request, list)
    assert (request.host, request.auth, request.reply) == ("assets", "none", "file")
    files, _ = drive(SPEC, SPEC.instruments.download(session, Ctx(0, bytes)), PACKED)
    assert files == [PACKED]
