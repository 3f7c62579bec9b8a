"""The symbol masters on the sheet's rows (fyers.md, 6)."""

import json
from datetime import date

import pytest
from tests.canned import conduct

from sangam.brokers.contract import Ctx, RowRefused, Session
from sangam.brokers.fyers import SPEC
from sangam.brokers.fyers.instruments import INDEX_NAMES_FILE, parse
from sangam.brokers.fyers.tables import MASTERS
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import DecodeError, Unknown
from sangam.model.instrument import Instrument

SBIN = (
    "10100000003045,STATE BANK OF INDIA,0,1,0.1,INE062A01020,0915-1530|1815-1915:,"
    "2026-09-09,,NSE:SBIN-EQ,10,10,3045,SBIN,3045,-1.0,XX,10100000003045,None,1,3.7"
)
NIFTY = (
    "101000000026000,NIFTY50-INDEX,10,0,0.05,,0915-1530|1815-1915:,2026-09-09,,"
    "NSE:NIFTY50-INDEX,10,10,26000,NIFTY,26000,-1.0,XX,101000000026000,None,0,0.0"
)
FUTURE = (
    "101126092968407,NIFTY 29 Sep 26 FUT,11,65,0.1,,0915-1540|1815-1915:,2026-09-09,1790676600,"
    "NSE:NIFTY26SEPFUT,10,11,68407,NIFTY,26000,-1.0,XX,101000000026000,None,0,0.0"
)
OPTION = (
    "101126092935086,NIFTY 29 Sep 26 29200 CE,14,65,0.05,,0915-1540|1815-1915:,2026-09-09,1790676600,"
    "NSE:NIFTY26SEP29200CE,10,11,35086,NIFTY,26000,29200.0,CE,101000000026000,None,0,0.0"
)
CRUDE = (
    "1120260921565899,CRUDEOIL 21 Sep 26 FUT,30,1,1.0,,0900-2330|1815-1915:,2026-09-10,1790013600,"
    "MCX:CRUDEOIL26SEPFUT,11,20,565899,CRUDEOIL,294,-1.0,XX,1120000000294,1790013600,0,0.0"
)
NAMES = json.dumps({"NSE:NIFTYIT-INDEX": "Nifty IT"}).encode()


def one(row: str, names: bytes = NAMES) -> Instrument | RowRefused:
    (found,) = parse([names, row.encode()])
    return found


def changed(row: str, **columns: str) -> str:
    """A row with some columns replaced; they go by their numbers (``c4``)."""
    cells = row.split(",")
    for name, value in columns.items():
        cells[int(name[1:])] = value
    return ",".join(cells)


def test_the_sheets_rows() -> None:
    assert one(SBIN) == Instrument(
        symbol="SBIN", exchange=Exchange.NSE, brsymbol="NSE:SBIN-EQ", brexchange="nse_cm", token="10100000003045",
        name="SBIN", tick_size=0.1,
    )  # fmt: skip
    assert one(NIFTY) == Instrument(
        symbol="NIFTY", exchange=Exchange.NSE_INDEX, brsymbol="NSE:NIFTY50-INDEX", brexchange="nse_cm",
        token="101000000026000", name="Nifty 50", instrument_type=InstrumentType.INDEX,
    )  # fmt: skip
    assert one(FUTURE) == Instrument(
        symbol="NIFTY29SEP26FUT", exchange=Exchange.NFO, brsymbol="NSE:NIFTY26SEPFUT", brexchange="nse_fo",
        token="101126092968407", name="NIFTY", instrument_type=InstrumentType.FUT, expiry=date(2026, 9, 29),
        lot_size=65, tick_size=0.1,
    )  # fmt: skip
    assert one(OPTION) == Instrument(
        symbol="NIFTY29SEP2629200CE", exchange=Exchange.NFO, brsymbol="NSE:NIFTY26SEP29200CE", brexchange="nse_fo",
        token="101126092935086", name="NIFTY", instrument_type=InstrumentType.CE, expiry=date(2026, 9, 29),
        strike=29200.0, lot_size=65,
    )  # fmt: skip
    assert one(CRUDE) == Instrument(
        symbol="CRUDEOIL21SEP26FUT", exchange=Exchange.MCX, brsymbol="MCX:CRUDEOIL26SEPFUT", brexchange="mcx_fo",
        token="1120260921565899", name="CRUDEOIL", instrument_type=InstrumentType.FUT, expiry=date(2026, 9, 21),
        tick_size=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ticker", "exchange", "symbol"),
    [
        ("NSE:M&M-EQ", "10", "M&M"), ("NSE:BAJAJ-AUTO-EQ", "10", "BAJAJ-AUTO"), ("NSE:CDSL-BE", "10", "CDSL"),
        ("NSE:656MH32-SG", "10", "656MH32"), ("NSE:GOLDSTAR-SM", "10", "GOLDSTAR-SM"), ("NSE:PLAIN", "10", "PLAIN"),
        ("BSE:RELIANCE-A", "12", "RELIANCE"), ("BSE:BAJAJ-AUTO-XT", "12", "BAJAJ-AUTO"), ("BSE:PLAIN", "12", "PLAIN"),
    ],
)  # fmt: skip
def test_shares_go_by_their_names_without_series(ticker: str, exchange: str, symbol: str) -> None:
    found = one(changed(SBIN, c9=ticker, c10=exchange))
    assert isinstance(found, Instrument)
    assert (found.symbol, found.brsymbol) == (symbol, ticker)


def test_indices_bear_the_data_sockets_names_and_ours() -> None:
    found = [
        one(changed(NIFTY, c9=ticker)) for ticker in ("NSE:NIFTYIT-INDEX", "NSE:NIFTYBANK-INDEX", "NSE:NEW ONE-INDEX")
    ]
    assert [(each.symbol, each.name) for each in found if isinstance(each, Instrument)] == [
        ("NIFTYIT", "Nifty IT"),
        ("BANKNIFTY", "Nifty Bank"),
        ("NEWONE", "NEW ONE"),
    ]
    (alone,) = parse([NIFTY.encode()])
    assert isinstance(alone, Instrument)
    assert alone.name == "Nifty 50"


def test_the_day_of_an_expiry_is_indias() -> None:
    found = one(changed(CRUDE, c8=str(1790013600 + 12 * 3600)))
    assert isinstance(found, Instrument)
    assert found.expiry == date(2026, 9, 22)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (changed(SBIN, c0="x"), "unreadable token"),
        (changed(SBIN, c9="SBIN"), "no ticker"),
        (changed(SBIN, c10="12", c11="12"), "segment 12 of exchange 12 is not known"),
        (changed(NIFTY, c11="11"), "segment 11 of exchange 10 is not known"),
        (changed(SBIN, c4="0"), "no tick size"),
        (changed(SBIN, c3="1.5"), "unreadable lot size"),
        (changed(FUTURE, c8=""), "no expiry"),
        (changed(FUTURE, c8="soon"), "unreadable expiry"),
        (changed(FUTURE, c8="9" * 13), "unreadable expiry"),
        (changed(FUTURE, c8="9" * 40), "unreadable expiry"),
        (changed(FUTURE, c13=" "), "no underlying name"),
        (changed(OPTION, c15="-1.0"), "no strike"),
        (changed(OPTION, c16="CA"), "option type CA is not known"),
        (SBIN + "\n" + SBIN[:60], "wrong number of columns"),
    ],
)
def test_rows_that_are_not_taken_are_counted(row: str, reason: str) -> None:
    *_, refused = parse([NAMES, row.encode()])
    assert isinstance(refused, RowRefused)
    assert refused.reason == reason


@pytest.mark.parametrize("content", [b"<html>Back soon</html>", b"", b'{"NSE:NIFTY50-INDEX": 7}', b"{"])
def test_another_file_is_refused_whole(content: bytes) -> None:
    with pytest.raises(DecodeError):
        list(parse([SBIN.encode(), content]))


def test_all_lists_are_fetched_and_need_no_session() -> None:
    session = Session(account="a1", broker="fyers", generation=0)
    download = SPEC.instruments.download
    replies = [(200, SBIN.encode())] * len(MASTERS)
    asked, files = conduct(SPEC, download(session, Ctx(0, bytes)), *replies, (200, NAMES))
    assert [each.path for each in asked] == [*(f"/sym_details/{name}.csv" for name in MASTERS), INDEX_NAMES_FILE]
    assert {(each.host, each.auth, each.reply) for each in asked} == {("public", "none", "file")}
    assert files == [SBIN.encode()] * len(MASTERS) + [NAMES]
    assert conduct(SPEC, download(session, Ctx(0, bytes)), *replies, (404, "gone"))[1] == files[:-1]
    with pytest.raises(Unknown):
        conduct(SPEC, download(session, Ctx(0, bytes)), *replies[:-1], (503, "later"))
