"""Every row of real detailed files loads or is refused with a counted reason (traps: see the data's INDEX.md)."""

import csv
import io
from collections import Counter
from pathlib import Path

import pytest
from tests.support import shared_data

from sangam.brokers.contract import RowRefused
from sangam.brokers.dhan import SPEC
from sangam.brokers.dhan_sandbox import SPEC as SANDBOX
from sangam.instruments.build import Checks, build
from sangam.instruments.master import Master
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import Instrument, ParsedSymbol, parse_symbol

SHARES = "api-scrip-master-detailed.subset.csv"
DERIVATIVES = "detailed_sample_incl_derivatives.csv"


def read(name: str) -> tuple[dict[tuple[str, Exchange], Instrument], Counter[str]]:
    items = list(SPEC.instruments.parse([shared_data("dhan", name).read_bytes()]))
    found = {(item.symbol, item.exchange): item for item in items if isinstance(item, Instrument)}
    assert len(found) == sum(isinstance(item, Instrument) for item in items)
    return found, Counter(item.reason for item in items if isinstance(item, RowRefused))


@pytest.mark.parametrize("name", [SHARES, DERIVATIVES])
def test_every_row_is_stored_or_counted(name: str) -> None:
    content = shared_data("dhan", name).read_bytes()
    lines = sum(1 for row in csv.reader(io.StringIO(content.decode(), newline="")) if row) - 1
    for spec in (SPEC, SANDBOX):
        checks = Checks()
        assert sum(1 for _ in checks.passed(spec.instruments.parse([content]))) == checks.rows
        assert checks.rows + checks.refused.total() == lines
        assert set(checks.refused) <= {"instrument INDEX of segment C is not known"}


def test_shares_and_indices_of_april_2026() -> None:
    found, refused = read(SHARES)
    assert refused == {}
    assert Counter(exchange for _, exchange in found) == {
        Exchange.NSE: 9350,
        Exchange.NSE_INDEX: 118,
        Exchange.GLOBAL_INDEX: 1,
    }
    reliance = found["RELIANCE", Exchange.NSE]
    assert (reliance.token, reliance.tick_size, reliance.lot_size) == ("2885", 0.1, 1)
    assert {symbol for symbol, _ in found if symbol.startswith(("MOTHERSON", "IMC1"))} == {
        "MOTHERSON", "MOTHERSON-D1", "IMC1-N1", "IMC1-N2", "IMC1-N3",
    }  # fmt: skip
    assert found["ARE&M", Exchange.NSE].token == "100"


def test_indices_bear_the_names_that_all_brokers_share() -> None:
    found, _ = read(SHARES)
    names = {symbol for symbol, exchange in found if exchange is Exchange.NSE_INDEX}
    known = {
        "NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50", "INDIAVIX", "NIFTY100", "NIFTY500", "NIFTYIT",
        "NIFTYMIDCAP50", "NIFTYMIDCAP100", "NIFTYMIDCAP150", "NIFTYMIDSML400", "NIFTYSMLCAP50", "NIFTYSMLCAP100",
        "NIFTYSMLCAP250", "NIFTY100EQLWGT", "NIFTY100LOWVOL30", "NIFTY50EQLWGT", "NIFTYGS1115YR", "NIFTYPVTBANK",
        "NIFTY50TR2XLEV", "NIFTYDIVOPPS50", "NIFTYSERVSECTOR", "NIFTYMIDLIQ15", "NIFTY200QUALTY30",
    }  # fmt: skip
    assert known <= names


def test_rows_of_every_segment_of_2025() -> None:
    """Its rows end with a comma that its header has not; NSE's currency indices are no instruments."""
    found, refused = read(DERIVATIVES)
    assert refused == {"instrument INDEX of segment C is not known": 2}
    assert len(found) == 38
    for instrument in found.values():
        if instrument.expiry is not None:
            parsed = ParsedSymbol(instrument.name, instrument.expiry, instrument.strike, instrument.instrument_type)
            assert parse_symbol(instrument.symbol) == parsed
    rows = {
        ("NIFTY27FEB2529200CE", Exchange.NFO): ("35024", "NSE_FNO", 0.05, 75),
        ("SENSEX25MAR2587000PE", Exchange.BFO): ("1107216", "BSE_FNO", 0.05, 20),
        ("USDINR30AUG2488.75PE", Exchange.CDS): ("10002", "NSE_CURRENCY", 0.0025, 1),
        ("EURINR01NOV2492CE", Exchange.BCD): ("1075397", "BSE_CURRENCY", 0.0025, 1),
        ("GOLD05FEB25FUT", Exchange.MCX): ("428750", "MCX_COMM", 1.0, 1),
        ("SENSEX50", Exchange.BSE_INDEX): ("83", "IDX_I", 0.05, 1),
        ("RELIANCE", Exchange.BSE): ("500325", "BSE_EQ", 0.05, 1),
    }
    for key, told in rows.items():
        row = found[key]
        assert (row.token, row.brexchange, row.tick_size, row.lot_size) == told


def test_a_real_file_becomes_a_master_that_knows_rows_by_their_token(tmp_path: Path) -> None:
    target = tmp_path / "dhan.db"
    build(SPEC.instruments.parse, [shared_data("dhan", DERIVATIVES).read_bytes()], target)
    master = Master(target, "today")
    option = master.lookup("NIFTY27FEB2529200CE", "NFO")
    assert option.instrument_type is InstrumentType.CE
    assert master.by_token("35024", "NFO") == master.by_brsymbol("NIFTY 27 FEB 29200 CALL", "NSE_FNO") == option
    assert master.by_token("35024", "BFO") is None
