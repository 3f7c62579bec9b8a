"""Every row of real Kite dumps either loads or is refused with a counted reason (traps: see the data's INDEX.md)."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from tests.support import shared_data

from sangam.brokers.contract import RowRefused
from sangam.brokers.zerodha import SPEC
from sangam.instruments import Masters
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import MasterRejected
from sangam.model.instrument import Instrument, ParsedSymbol, parse_symbol

CLOCK = ManualClock(datetime(2026, 8, 18, 8, 30, tzinfo=IST))


def read(*parts: str) -> tuple[list[Instrument], Counter[str]]:
    items = list(SPEC.instruments.parse([shared_data("zerodha", *parts).read_bytes()]))
    refusals = Counter(item.reason for item in items if isinstance(item, RowRefused))
    return [item for item in items if isinstance(item, Instrument)], refusals


def test_derivatives_of_august_2026() -> None:
    instruments, refusals = read("instruments_nfo_bfo.csv")
    assert refusals == {}
    assert Counter((row.exchange, row.instrument_type) for row in instruments) == {
        (Exchange.NFO, InstrumentType.FUT): 640,
        (Exchange.NFO, InstrumentType.CE): 17_474,
        (Exchange.NFO, InstrumentType.PE): 17_569,
        (Exchange.BFO, InstrumentType.FUT): 12,
        (Exchange.BFO, InstrumentType.CE): 2_123,
        (Exchange.BFO, InstrumentType.PE): 2_123,
    }
    assert len({(row.symbol, row.exchange) for row in instruments}) == len(instruments) == 39_941
    for row in instruments:
        assert row.expiry is not None
        assert parse_symbol(row.symbol) == ParsedSymbol(row.name, row.expiry, row.strike, row.instrument_type)
    by_brsymbol = {row.brsymbol: row for row in instruments}
    assert by_brsymbol["NIFTY2681824350CE"].symbol == "NIFTY18AUG2624350CE"
    assert by_brsymbol["ASHOKLEY26AUG172.5CE"].symbol == "ASHOKLEY25AUG26172.5CE"
    assert by_brsymbol["SENSEX26AUGFUT"].symbol == "SENSEX27AUG26FUT"
    assert by_brsymbol["NIFTY26AUGFUT"].lot_size == 65


def test_a_dump_saved_again_by_a_spreadsheet_loses_its_dated_rows() -> None:
    """Its expiries are DD-MM-YYYY: guessing at dates would be worse than refusing them."""
    instruments, refusals = read("instruments_fno_underlyings_2024.csv")
    assert refusals == {"unreadable expiry": 31_010}
    assert Counter(row.exchange for row in instruments) == {Exchange.NSE: 182, Exchange.BSE: 181}
    symbols = {row.symbol for row in instruments if row.exchange is Exchange.NSE}
    assert {"BAJAJ-AUTO", "M&M", "MCDOWELL-N", "RELIANCE"} <= symbols


@pytest.mark.parametrize(
    ("file", "nse", "bse", "nfo"), [("instruments_all.csv", 55, 19, 25), ("instruments_nse.csv", 99, 0, 0)]
)
def test_the_official_mocks(file: str, nse: int, bse: int, nfo: int) -> None:
    instruments, refusals = read("mocks", file)
    assert refusals == {}
    counts = Counter(row.exchange for row in instruments)
    assert (counts[Exchange.NSE], counts[Exchange.BSE], counts[Exchange.NFO]) == (nse, bse, nfo)
    assert len({(row.symbol, row.exchange) for row in instruments}) == len(instruments)


def test_series_of_the_official_mock_do_not_steal_names() -> None:
    instruments, _ = read("mocks", "instruments_all.csv")
    symbols = {row.brsymbol: row.symbol for row in instruments}
    assert {name: symbols[name] for name in ("CDSL", "CDSL-BE", "CDSL-BL")} == {
        "CDSL": "CDSL",
        "CDSL-BE": "CDSL-BE",
        "CDSL-BL": "CDSL-BL",
    }
    assert symbols["CENTRALBK-BE"] == "CENTRALBK"
    assert symbols["HUDCO-N8"] == "HUDCO-N8"
    assert symbols["828GOI27-ML"] == "828GOI27-ML"
    assert symbols["BANKNIFTY18JAN23500CE"] == "BANKNIFTY25JAN1823500CE"  # its name column is empty


async def test_a_real_dump_becomes_a_master_and_a_bad_one_does_not(tmp_path: Path) -> None:
    masters = Masters(tmp_path, CLOCK)
    report = await masters.refresh(SPEC, [shared_data("zerodha", "instruments_nfo_bfo.csv").read_bytes()])
    assert (report.rows, report.refused) == (39_941, {})
    master = masters.current("zerodha")
    assert master is not None
    option = master.lookup("NIFTY18AUG2624350CE", "NFO")
    assert (option.brsymbol, option.token, option.lot_size) == ("NIFTY2681824350CE", "11546626::::45104", 65)
    assert master.by_brsymbol("NIFTY2681824350CE", "NFO") == master.by_token(option.token, "NFO") == option
    with pytest.raises(MasterRejected, match=r"unreadable expiry \(31010\)"):
        await masters.refresh(SPEC, [shared_data("zerodha", "instruments_fno_underlyings_2024.csv").read_bytes()])
    with pytest.raises(MasterRejected, match="looks cut off"):
        await masters.refresh(SPEC, [shared_data("zerodha", "mocks", "instruments_all.csv").read_bytes()])
    assert masters.current("zerodha") is master
