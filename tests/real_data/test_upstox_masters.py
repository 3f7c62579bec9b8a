"""Every row of real files of Upstox either loads or is refused with a counted reason (traps: see the data's
INDEX.md)."""

import csv
import gzip
import io
from collections import Counter
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support import shared_data

from sangam.brokers.contract import RowRefused
from sangam.brokers.upstox import SPEC
from sangam.instruments import Master
from sangam.instruments.build import build
from sangam.model.clock import IST
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import Instrument, ParsedSymbol, parse_symbol

KINDS = {"FUT", "CE", "PE"}


@pytest.fixture(scope="module")
def packed() -> bytes:
    return shared_data("upstox", "complete.json.gz").read_bytes()


@pytest.fixture(scope="module")
def told(packed: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = msgspec.json.decode(gzip.decompress(packed))
    return rows


@pytest.fixture(scope="module")
def instruments(packed: bytes) -> list[Instrument]:
    found = list(SPEC.instruments.parse([packed]))
    assert [row for row in found if isinstance(row, RowRefused)] == []
    return [row for row in found if isinstance(row, Instrument)]


def test_every_row_of_august_2025_is_taken(instruments: list[Instrument]) -> None:
    assert len(instruments) == 95_846
    assert Counter(row.exchange for row in instruments) == {
        Exchange.NFO: 31_285,
        Exchange.MCX: 13_849,
        Exchange.BSE: 12_373,
        Exchange.CDS: 8_992,
        Exchange.BCD: 8_942,
        Exchange.NSE: 8_102,
        Exchange.NCO: 7_798,
        Exchange.BFO: 4_311,
        Exchange.NSE_INDEX: 124,
        Exchange.BSE_INDEX: 70,
    }
    assert len({(row.symbol, row.exchange) for row in instruments}) == len(instruments)
    assert len({(row.brsymbol, row.brexchange) for row in instruments}) == len(instruments)
    assert len({row.token for row in instruments}) == len(instruments)


def test_every_field_that_is_stored_is_the_files(told: list[dict[str, Any]], instruments: list[Instrument]) -> None:
    """Ticks are paise, strikes rupees, expiries the last second of India's day."""
    for row, found in zip(told, instruments, strict=True):
        assert (found.token, found.brexchange) == (row["instrument_key"], row["segment"])
        assert found.name == row["name"].strip()
        if "tick_size" in row:
            assert found.tick_size * 100 == pytest.approx(row["tick_size"])
            assert found.lot_size == row["lot_size"]
        if row["instrument_type"] not in KINDS:
            assert found.expiry is None
            continue
        expiry = datetime.fromtimestamp(row["expiry"] / 1000, IST)
        assert (found.expiry, expiry.time()) == (expiry.date(), time(23, 59, 59))
        assert found.strike == row["strike_price"]
        assert found.expiry is not None
        base = "".join(row["underlying_symbol"].split()).upper()
        assert parse_symbol(found.symbol) == ParsedSymbol(base, found.expiry, found.strike, found.instrument_type)
        assert found.brsymbol.endswith(f"{found.expiry:%d %b %y}".upper())


def test_the_master_finds_each_by_all_its_names(packed: bytes, tmp_path: Path) -> None:
    built = build(SPEC.instruments.parse, [packed], tmp_path / "master.sqlite")
    assert (built.rows, built.refused) == (95_846, {})
    master = Master(tmp_path / "master.sqlite", "today")
    nifty = master.lookup("NIFTY", "NSE_INDEX")
    assert (nifty.token, nifty.brsymbol) == ("NSE_INDEX|Nifty 50", "NIFTY")
    for symbol, exchange in (
        ("RELIANCE", "NSE"),
        ("BANKNIFTY", "NSE_INDEX"),
        ("INDIAVIX", "NSE_INDEX"),
        ("BSECAPITALGOODS", "BSE_INDEX"),
        ("NIFTY28OCT25FUT", "NFO"),
        ("SENSEX30DEC2776000CE", "BFO"),
        ("CRUDEOIL18DEC25FUT", "MCX"),
        ("JPYINR27MAR2661CE", "CDS"),
        ("BAJAJ-AUTO", "NSE"),
    ):
        found = master.lookup(symbol, exchange)
        assert master.by_token(found.token, exchange) == found
        assert master.by_brsymbol(found.brsymbol, found.brexchange) == found


def test_the_share_keeps_its_name_and_its_warrants_do_not(instruments: list[Instrument]) -> None:
    symbols = {row.symbol for row in instruments if row.exchange is Exchange.NSE}
    for name, series in (("ELECTCAST", "W1"), ("MOTHERSON", "D1"), ("RADIOCITY", "P1"), ("AARTISURF", "P1")):
        assert {name, f"{name}-{series}"} <= symbols
    assert {"IMC1-N0", "IMC1-N1", "IMC1-N2", "IMC1-N3"} <= symbols
    by_token = {row.token: row.symbol for row in instruments}
    assert by_token["NSE_EQ|INE086A01029"] == "ELECTCAST"


# --- NSE's list of August 2026, in the older form ---------------------------------------------------------------------


def as_object(row: dict[str, str]) -> dict[str, Any]:
    """A row of the CSV as the JSON file writes it; only its ticks of shares and their derivatives are rupees."""
    segment, kind = row["exchange"], {"FF": "FUT", "COM": "COM"}.get(row["option_type"], row["option_type"]) or "EQ"
    made: dict[str, Any] = {
        "segment": segment,
        "instrument_key": row["instrument_key"],
        "trading_symbol": row["tradingsymbol"],
        "instrument_type": kind,
        "name": row["name"],
    }
    if kind == "INDEX":
        return made
    paise = 100 if segment in ("NSE_EQ", "NSE_FO") else 1
    made |= {"tick_size": float(row["tick_size"]) * paise, "lot_size": int(row["lot_size"])}
    if kind in KINDS:
        end = datetime.combine(date.fromisoformat(row["expiry"]), time(23, 59, 59), IST)
        made |= {"expiry": int(end.timestamp() * 1000), "strike_price": float(row["strike"])}
    return made


def test_nses_list_of_august_2026() -> None:
    text = gzip.decompress(shared_data("upstox", "NSE.csv.gz").read_bytes()).decode()
    rows = [as_object(row) for row in csv.DictReader(io.StringIO(text))]
    found = list(SPEC.instruments.parse([msgspec.json.encode(rows)]))
    refused = Counter(row.reason for row in found if isinstance(row, RowRefused))
    taken = [row for row in found if isinstance(row, Instrument)]
    assert len(rows) == len(taken) + refused.total() == 76_745
    assert refused == {}
    assert Counter(row.exchange for row in taken) == {
        Exchange.NFO: 30_922,
        Exchange.NCO: 27_305,
        Exchange.NSE: 9_483,
        Exchange.CDS: 8_896,
        Exchange.NSE_INDEX: 139,
    }
    by_token = {row.token: row for row in taken}
    share = by_token["NSE_EQ|INE002A01018"]
    assert (share.symbol, share.tick_size, share.decimals) == ("RELIANCE", 0.1, 2)
    assert by_token["NSE_FO|48699"].symbol == "BANKNIFTY27OCT26FUT"
    assert by_token["NCD_FO|14294"].tick_size == 0.0025
    assert {row.symbol for row in taken if row.exchange is Exchange.NSE_INDEX} >= {
        "NIFTY", "BANKNIFTY", "FINNIFTY", "NIFTYNXT50", "MIDCPNIFTY", "INDIAVIX", "NIFTYIT", "NIFTY100",
    }  # fmt: skip
    assert all(row.instrument_type is InstrumentType.INDEX for row in taken if row.exchange is Exchange.NSE_INDEX)
