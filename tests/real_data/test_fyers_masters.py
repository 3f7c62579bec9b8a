"""Every row of real symbol masters either loads or is refused with a counted reason (10 November 2025)."""

import csv
import io
import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from tests.support import shared_data

from sangam.brokers.contract import RowRefused
from sangam.brokers.fyers import SPEC
from sangam.instruments.build import build
from sangam.instruments.master import Master
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import Instrument, ParsedSymbol, parse_symbol

FILES = ("NSE_CM.csv", "BSE_CM.csv", "BSE_FO.csv")


def names() -> bytes:
    """The SDK's own copy of the public file of index names."""
    return json.dumps(json.loads(shared_data("fyers", "go_sdk", "map.json").read_text())["index_dict"]).encode()


def content(file: str) -> bytes:
    return shared_data("fyers", file).read_bytes()


def read(file: str) -> list[Instrument]:
    items = list(SPEC.instruments.parse([content(file), names()]))
    assert [item for item in items if isinstance(item, RowRefused)] == []
    return [item for item in items if isinstance(item, Instrument)]


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("NSE_CM.csv", {(Exchange.NSE, "EQ"): 8_610, (Exchange.NSE_INDEX, "INDEX"): 120}),
        ("BSE_CM.csv", {(Exchange.BSE, "EQ"): 12_513, (Exchange.BSE_INDEX, "INDEX"): 56}),
        (
            "BSE_FO.csv",
            {(Exchange.BFO, "FUT"): 48, (Exchange.BFO, "CE"): 3_330, (Exchange.BFO, "PE"): 3_330},
        ),
    ],
)
def test_every_row_loads(file: str, counts: dict[tuple[Exchange, str], int]) -> None:
    rows = list(csv.reader(io.StringIO(content(file).decode())))
    found = read(file)
    assert Counter((row.exchange, row.instrument_type.value) for row in found) == counts
    for row, instrument in zip(rows, found, strict=True):
        assert (instrument.token, instrument.brsymbol) == (row[0], row[9])
        assert instrument.brexchange == {"1010": "nse_cm", "1210": "bse_cm", "1211": "bse_fo"}[row[10] + row[11]]
        if instrument.exchange.is_index:
            continue
        assert (instrument.tick_size, instrument.lot_size, instrument.name) == (float(row[4]), int(row[3]), row[13])
        assert instrument.token[10:] == row[12]  # what the data socket's topics are made of


def test_derivatives_say_what_their_fields_say() -> None:
    found = read("BSE_FO.csv")
    for row in found:
        assert row.expiry is not None
        assert parse_symbol(row.symbol) == ParsedSymbol(row.name, row.expiry, row.strike, row.instrument_type)
    by_ticker = {row.brsymbol: row for row in found}
    weekly, monthly = by_ticker["BSE:SENSEX25N1374700CE"], by_ticker["BSE:SENSEX25NOVFUT"]
    assert (weekly.symbol, weekly.expiry, weekly.lot_size) == ("SENSEX13NOV2574700CE", date(2025, 11, 13), 20)
    assert (monthly.symbol, monthly.instrument_type) == ("SENSEX27NOV25FUT", InstrumentType.FUT)
    assert by_ticker["BSE:SENSEX30JUN75000PE"].symbol == "SENSEX27JUN3075000PE"


def test_names_of_shares_and_indices() -> None:
    symbols = {row.brsymbol: row.symbol for file in FILES[:2] for row in read(file)}
    assert {
        name: symbols[name] for name in ("NSE:RELIANCE-EQ", "NSE:ARE&M-EQ", "BSE:RELIANCE-A", "NSE:GOLDSTAR-SM")
    } == {
        "NSE:RELIANCE-EQ": "RELIANCE",
        "NSE:ARE&M-EQ": "ARE&M",
        "BSE:RELIANCE-A": "RELIANCE",
        "NSE:GOLDSTAR-SM": "GOLDSTAR-SM",
    }
    indices = {name: symbols[f"NSE:{name}-INDEX"] for name in ("NIFTY50", "NIFTYBANK", "FINNIFTY", "NIFTYQUALITY30")}
    assert list(indices.values()) == ["NIFTY", "BANKNIFTY", "FINNIFTY", "NIFTY100QUALTY30"]
    bse = [symbols[f"BSE:{name}-INDEX"] for name in ("SENSEX", "SNSX50", "CG", "150MIDCAP", "SME IPO")]
    assert bse == ["SENSEX", "SENSEX50", "BSECAPITALGOODS", "BSE150MIDCAPINDEX", "BSESMEIPO"]


def test_no_two_instruments_share_a_key_of_the_data_socket() -> None:
    (hsm, *_) = SPEC.streams
    keys = Counter(hsm.key(row) for file in FILES for row in read(file))
    assert [key for key, count in keys.items() if count > 1] == []


def test_they_become_a_master(tmp_path: Path) -> None:
    built = build(SPEC.instruments.parse, [*map(content, FILES), names()], tmp_path / "fyers.db")
    # One bond is listed twice, under one ticker and two tokens.
    assert (built.rows, built.refused) == (8_730 + 12_569 + 6_708 - 1, {"duplicate symbol": 1})
    master = Master(tmp_path / "fyers.db", "fyers")
    share = master.lookup("RELIANCE", "NSE")
    assert master.by_brsymbol("NSE:RELIANCE-EQ", "nse_cm") == master.by_token("10100000002885", "NSE") == share
    assert master.expiries("SENSEX", "BFO", "options", since=date(2025, 11, 10))[:2] == [
        date(2025, 11, 13),
        date(2025, 11, 20),
    ]
