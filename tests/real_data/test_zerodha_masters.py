"""Every row of real Kite dumps either loads or is refused with a counted reason (traps: see the data's INDEX.md)."""

import csv
import io
from collections import Counter
from datetime import date, datetime
from pathlib import Path

import pytest
from tests.support import shared_data

from sangam.brokers.contract import RowRefused
from sangam.brokers.zerodha import SPEC
from sangam.instruments import Master, Masters
from sangam.instruments.build import Checks, build
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


@pytest.mark.parametrize(
    "parts",
    [
        ("instruments_nfo_bfo.csv",),
        ("instruments_fno_underlyings_2024.csv",),
        ("mocks", "instruments_all.csv"),
        ("mocks", "instruments_nse.csv"),
    ],
    ids="/".join,
)
def test_every_row_is_stored_or_counted(tmp_path: Path, parts: tuple[str, ...]) -> None:
    content = shared_data("zerodha", *parts).read_bytes()
    lines = sum(1 for row in csv.reader(io.StringIO(content.decode(), newline="")) if row) - 1
    checks = Checks()
    assert sum(1 for _ in checks.passed(SPEC.instruments.parse([content]))) == checks.rows
    assert checks.rows + checks.refused.total() == lines
    assert set(checks.refused) <= {"unreadable expiry"}


async def test_options_of_a_real_dump(tmp_path: Path) -> None:
    masters = Masters(tmp_path, CLOCK)
    await masters.refresh(SPEC, [shared_data("zerodha", "instruments_nfo_bfo.csv").read_bytes()])
    master = masters.current("zerodha")
    assert master is not None
    expiries = master.expiries("NIFTY", "NFO", "options", since=date(2026, 8, 18))
    assert expiries[:3] == [date(2026, 8, 18), date(2026, 8, 25), date(2026, 9, 1)]
    assert master.expiries("NIFTY", "NFO", "futures") == [date(2026, 8, 25), date(2026, 9, 29), date(2026, 10, 27)]
    strikes = master.strikes("NIFTY", "NFO", expiries[0])
    assert (len(strikes), strikes[0], strikes[-1]) == (105, 22000.0, 27200.0)
    chain = master.chain("NIFTY", "NFO", expiries[0], 24_362.35, 10)
    assert [rung.strike for rung in chain] == [23850.0 + 50 * step for step in range(21)]
    assert all(rung.ce and rung.pe for rung in chain)
    assert all(master.freeze_quantity(rung.ce) == 1800 for rung in chain if rung.ce)
    option = chain[10].ce
    assert option is not None
    assert [master.by_token(part, "NFO") for part in option.token.split("::::")] == [option] * 2
    assert master.by_token(option.token.split("::::")[1], "BFO") is None


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("nifty 24350 ce", "NIFTY18AUG2624350CE"),
        ("24350ce nifty", "NIFTY18AUG2624350CE"),
        ("NIFTY2681824350CE", "NIFTY18AUG2624350CE"),
        ("banknifty fut", "BANKNIFTY25AUG26FUT"),
        ("bank fut", "BANKINDIA25AUG26FUT"),
        ("relianc", "RELIANCE25AUG26FUT"),
        ("m&m fut", "M&M25AUG26FUT"),
        ("ashokley 172.5", "ASHOKLEY25AUG26172.5CE"),
        ("NIFTY26AUGFUT", "NIFTY25AUG26FUT"),
        ("SENSEX27AUG2675000PE", "SENSEX27AUG2675000PE"),
    ],
)
def test_a_real_dump_is_searched(real_master: Master, query: str, first: str) -> None:
    assert [instrument.symbol for instrument in real_master.search(query, limit=1)] == [first]


@pytest.fixture(scope="module")
def real_master(tmp_path_factory: pytest.TempPathFactory) -> Master:
    path = tmp_path_factory.mktemp("real") / "zerodha.db"
    build(SPEC.instruments.parse, [shared_data("zerodha", "instruments_nfo_bfo.csv").read_bytes()], path)
    return Master(path, path.stem)
