"""The dump's rows: unified symbols, index names, series, and reasons for refusals."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.contract import RowRefused
from sangam.brokers.zerodha import SPEC
from sangam.brokers.zerodha.instruments import COLUMNS
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument

HEADER = ",".join(COLUMNS)


def parse(*rows: str) -> list[Instrument | RowRefused]:
    return list(SPEC.instruments.parse(["\n".join((HEADER, *rows, "")).encode()]))


def one(row: str) -> Instrument:
    (instrument,) = parse(row)
    assert isinstance(instrument, Instrument), instrument
    return instrument


def refused(row: str) -> str:
    (refusal,) = parse(row)
    assert isinstance(refusal, RowRefused), refusal
    assert refusal.row == row
    return refusal.reason


def test_equity() -> None:
    assert one("408065,1594,INFY,INFOSYS,0,,,0.05,1,EQ,NSE,NSE") == Instrument(
        symbol="INFY",
        exchange=Exchange.NSE,
        brsymbol="INFY",
        brexchange="NSE",
        token="408065::::1594",
        name="INFOSYS",
        instrument_type=InstrumentType.EQ,
        lot_size=1,
        tick_size=0.05,
    )


def test_option() -> None:
    assert one("11546626,45104,NIFTY2681824350CE,NIFTY,0.0,2026-08-18,24350.0,0.05,65,CE,NFO-OPT,NFO") == Instrument(
        symbol="NIFTY18AUG2624350CE",
        exchange=Exchange.NFO,
        brsymbol="NIFTY2681824350CE",
        brexchange="NFO",
        token="11546626::::45104",
        name="NIFTY",
        instrument_type=InstrumentType.CE,
        expiry=date(2026, 8, 18),
        strike=24350.0,
        lot_size=65,
        tick_size=0.05,
    )


@pytest.mark.parametrize(
    ("row", "symbol", "exchange"),
    [
        ("1,1,NIFTY26AUGFUT,NIFTY,0,2026-08-25,0,0.1,65,FUT,NFO-FUT,NFO", "NIFTY25AUG26FUT", "NFO"),
        ("1,1,VEDL26APR292.5CE,VEDL,0,2026-04-28,292.5,0.05,1150,CE,NFO-OPT,NFO", "VEDL28APR26292.5CE", "NFO"),
        ("1,1,SENSEX2682078000PE,SENSEX,0,2026-08-20,78000,0.05,20,PE,BFO-OPT,BFO", "SENSEX20AUG2678000PE", "BFO"),
        ("1,1,USDINR26AUG85.25CE,USDINR,0,2026-08-26,85.25,0.0025,1,CE,CDS-OPT,CDS", "USDINR26AUG2685.25CE", "CDS"),
        ("1,1,USDINR26AUGFUT,USDINR,0,2026-08-26,0,0.0025,1,FUT,BCD-FUT,BCD", "USDINR26AUG26FUT", "BCD"),
        ("1,1,CRUDEOILM26AUGFUT,CRUDEOILM,0,2026-08-19,0,1,10,FUT,MCX-FUT,MCX", "CRUDEOILM19AUG26FUT", "MCX"),
        ("1,1,GOLDM26AUGFUT,GOLD MINI,0,2026-08-05,0,1,10,FUT,NCO-FUT,NCO", "GOLDMINI05AUG26FUT", "NCO"),
        ("1,1,M&M26AUG3000PE,M&M,0,2026-08-25,3000,0.05,200,PE,NFO-OPT,NFO", "M&M25AUG263000PE", "NFO"),
    ],
)
def test_derivatives_of_every_segment(row: str, symbol: str, exchange: str) -> None:
    instrument = one(row)
    assert (instrument.symbol, instrument.exchange) == (symbol, exchange)


@pytest.mark.parametrize(
    ("brsymbol", "brexchange", "symbol", "exchange"),
    [
        ("NIFTY 50", "NSE", "NIFTY", "NSE_INDEX"),
        ("NIFTY BANK", "NSE", "BANKNIFTY", "NSE_INDEX"),
        ("NIFTY FIN SERVICE", "NSE", "FINNIFTY", "NSE_INDEX"),
        ("NIFTY NEXT 50", "NSE", "NIFTYNXT50", "NSE_INDEX"),
        ("NIFTY MID SELECT", "NSE", "MIDCPNIFTY", "NSE_INDEX"),
        ("INDIA VIX", "NSE", "INDIAVIX", "NSE_INDEX"),
        ("NIFTY GS 10YR", "NSE", "NIFTYGS10YR", "NSE_INDEX"),
        ("NIFTY50 PR 1X INV", "NSE", "NIFTY50PR1XINV", "NSE_INDEX"),
        ("HANGSENG BEES-NAV", "NSE", "HANGSENGBEESNAV", "NSE_INDEX"),
        ("SENSEX", "BSE", "SENSEX", "BSE_INDEX"),
        ("BANKEX", "BSE", "BANKEX", "BSE_INDEX"),
        ("SNSX50", "BSE", "SENSEX50", "BSE_INDEX"),
        ("BSE CG", "BSE", "BSECAPITALGOODS", "BSE_INDEX"),
        ("OILGAS", "BSE", "BSEOIL&GAS", "BSE_INDEX"),
        ("BSE500", "BSE", "BSE500", "BSE_INDEX"),
        ("MCXGOLDEX", "MCX", "MCXGOLDEX", "MCX_INDEX"),
        ("GIFT NIFTY", "NSEIX", "GIFTNIFTY", "GLOBAL_INDEX"),
        ("US 500", "GLOBAL", "US500", "GLOBAL_INDEX"),
    ],
)
def test_indices(brsymbol: str, brexchange: str, symbol: str, exchange: str) -> None:
    instrument = one(f"265,1,{brsymbol},{brsymbol},0,,0,0,0,EQ,INDICES,{brexchange}")
    assert (instrument.symbol, instrument.exchange) == (symbol, exchange)
    assert (instrument.brsymbol, instrument.brexchange) == (brsymbol, brexchange)
    assert instrument.instrument_type is InstrumentType.INDEX
    assert instrument.lot_size == 1


@pytest.mark.parametrize(
    ("brsymbol", "symbol"),
    [
        ("CENTRALBK-BE", "CENTRALBK"),
        ("INFY-EQ", "INFY"),
        ("754AP29-SG", "754AP29"),
        ("LIQUID-MF", "LIQUID"),
        ("HUDCO-N8", "HUDCO-N8"),
        ("CDSL-BL", "CDSL-BL"),
        ("BAJAJ-AUTO", "BAJAJ-AUTO"),
        ("MCDOWELL-N", "MCDOWELL-N"),
    ],
)
def test_series(brsymbol: str, symbol: str) -> None:
    assert one(f"257,1,{brsymbol},NAME,0,,0,0.05,1,EQ,NSE,NSE").symbol == symbol


def test_a_series_never_takes_the_name_of_the_plain_share() -> None:
    rows = [f"{257 + 256 * n},{1 + n},{name},CDSL,0,,0,0.05,1,EQ,NSE,NSE" for n, name in enumerate(("CDSL-BE", "CDSL"))]
    for order in (rows, rows[::-1]):
        symbols = {row.brsymbol: row.symbol for row in parse(*order) if isinstance(row, Instrument)}
        assert symbols == {"CDSL": "CDSL", "CDSL-BE": "CDSL-BE"}
    other = rows[1].replace("NSE", "BSE")
    assert [row.symbol for row in parse(rows[0], other) if isinstance(row, Instrument)] == ["CDSL", "CDSL"]


@pytest.mark.parametrize(
    ("row", "symbol"),
    [
        ("1,1,BANKNIFTY18JAN23500CE,,2528.4,2018-01-25,23500.0,0.05,40,CE,NFO-OPT,NFO", "BANKNIFTY25JAN1823500CE"),
        ("1,1,NIFTY2681824350CE,,0,2026-08-18,24350,0.05,65,CE,NFO-OPT,NFO", "NIFTY18AUG2624350CE"),
        ("1,1,NIFTY26O0624350PE,,0,2026-10-06,24350,0.05,65,PE,NFO-OPT,NFO", "NIFTY06OCT2624350PE"),
        ("1,1,NIFTY15DECFUT,,78.0,2015-12-31,,0.05,75,FUT,NFO-FUT,NFO", "NIFTY31DEC15FUT"),
    ],
)
def test_underlying_from_the_symbol_where_the_name_is_empty(row: str, symbol: str) -> None:
    assert one(row).symbol == symbol


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,1,N26AUGFUT,N,0,2026-08-25,0,1,1,FUT,NSEIX-FUT,NSEIX", "segment NSEIX-FUT of exchange NSEIX is not known"),
        ("1,1,X,X,0,,0,1,1,EQ,,NSE", "segment  of exchange NSE is not known"),
        ("1,1,X,X,0,,0,1,1,EQ,NSE,BSE", "segment NSE of exchange BSE is not known"),
        ("1,1,X,X,0,,0,1,1,EQ,INDICES,NCO", "segment INDICES of exchange NCO is not known"),
        ("1,1,X,X,0,,0,1,1,SPOT,NSE,NSE", "instrument type SPOT is not known"),
        ("1,1,X,X,0,,0,1,1,,NSE,NSE", "instrument type (none) is not known"),
        ("1,1,X26AUGFUT,X,0,25-08-2026,0,1,1,FUT,NFO-FUT,NFO", "unreadable expiry"),
        ("1,1,X26AUGFUT,X,0,,0,1,1,FUT,NFO-FUT,NFO", "no expiry"),
        ("1,1,X26AUGCE,X,0,2026-08-25,0,1,1,CE,NFO-OPT,NFO", "no strike"),
        ("1,1,X26AUGCE,X,0,2026-08-25,nan,1,1,CE,NFO-OPT,NFO", "no strike"),
        ("1,1,X26AUGCE,X,0,2026-08-25,abc,1,1,CE,NFO-OPT,NFO", "unreadable strike"),
        ("1,1,X,X,0,,0,0,1,EQ,NSE,NSE", "no tick size"),
        ("1,1,X,X,0,,0,inf,1,EQ,NSE,NSE", "no tick size"),
        ("1,1,X,X,0,,0,0.05,0,EQ,NSE,NSE", "no lot size"),
        ("1,1,X,X,0,,0,0.05,1.5,EQ,NSE,NSE", "unreadable lot size"),
        ("1,1,X,X,0,,0,0.05,1e300,EQ,NSE,NSE", "unreadable lot size"),
        ("x,1,X,X,0,,0,0.05,1,EQ,NSE,NSE", "unreadable token"),
        ("1,1,,X,0,,0,0.05,1,EQ,NSE,NSE", "no trading symbol"),
        ("1,1,ODD,,0,2026-08-25,0,1,1,FUT,NFO-FUT,NFO", "no underlying name"),
        ("1,1,X", "wrong number of columns"),
    ],
)  # fmt: skip
def test_refusals(row: str, reason: str) -> None:
    assert refused(row) == reason


def test_quotes_blank_lines_and_line_ends() -> None:
    content = f'\ufeff{HEADER}\r\n\r\n1,1,"A,B","SOME, NAME ",0,,0,0.05,1,EQ,NSE,NSE\r\n'.encode()
    (instrument,) = SPEC.instruments.parse([content])
    assert isinstance(instrument, Instrument)
    assert (instrument.symbol, instrument.name) == ("A,B", "SOME, NAME")


@pytest.mark.parametrize("content", [b"", b"{}", b'{"status":"error"}', b"a,b,c\n1,2,3\n", b"\xff\xfe\x00"])
def test_other_files_are_rejected_whole(content: bytes) -> None:
    with pytest.raises(DecodeError):
        list(SPEC.instruments.parse([content]))


def test_a_runaway_quote_rejects_the_file() -> None:
    with pytest.raises(DecodeError, match="damaged"):
        parse('1,1,"X' + "y" * 200_000)


@given(st.lists(st.lists(st.text(max_size=6), min_size=10, max_size=13).map(",".join), max_size=5))
def test_garbage_rows_never_raise(rows: list[str]) -> None:
    try:
        items = parse(*rows)
    except DecodeError:
        return
    assert all(isinstance(item, (Instrument, RowRefused)) for item in items)
