"""Noren's master files, zipped and Flattrade's own, and the lists of indices."""

import io
import pickle
import zipfile
from collections.abc import Iterable
from typing import Any

import pytest
from tests.canned import Canned, drive

from sangam.brokers.contract import Ctx, RowRefused, Session
from sangam.brokers.families.noren import Member, broker
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import DecodeError, SessionExpired, Unknown
from sangam.model.instrument import Instrument

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="toy", generation=1, client_id="U", secrets={"access_token": "t"})
SPEC = broker(Member(name="toy", title="Toy", host="toy.example"))
PI = broker(
    Member(
        name="pi",
        title="Pi",
        host="pi.example",
        files=("/a.csv", "/b.csv"),
        ticks={Exchange.NSE: 0.01, Exchange.NFO: 0.05},
    )
)
CASH = "Exchange,Token,LotSize,Symbol,TradingSymbol,Instrument,TickSize,"
FO = "Exchange,Token,LotSize,Symbol,TradingSymbol,Expiry,Instrument,OptionType,StrikePrice,TickSize,"
CDS = (
    "Exchange,Token,LotSize,Precision,Multiplier,Symbol,TradingSymbol,Expiry,Instrument,OptionType,StrikePrice,"
    "TickSize,"
)


def zipped(*lines: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("symbols.txt", "\n".join(lines) + "\n")
    return packed.getvalue()


def parsed(*files: bytes, spec: Any = SPEC) -> list[Instrument | RowRefused]:
    return list(spec.instruments.parse(files))


def symbols(rows: Iterable[Instrument | RowRefused]) -> list[str]:
    return [row.symbol for row in rows if isinstance(row, Instrument)]


def test_shares_and_indices() -> None:
    share, index = parsed(
        zipped(CASH, "NSE,2885,1,RELIANCE,RELIANCE-EQ,EQ,0.05,", "NSE,26037,1,Nifty Fin Services,FINNIFTY,INDEX,0,")
    )
    assert share == Instrument(
        symbol="RELIANCE",
        exchange=Exchange.NSE,
        brsymbol="RELIANCE-EQ",
        brexchange="NSE",
        token="2885",
        name="RELIANCE",
        tick_size=0.05,
    )
    assert isinstance(index, Instrument)
    assert (index.symbol, index.exchange, index.brexchange, index.token) == (
        "FINNIFTY",
        Exchange.NSE_INDEX,
        "NSE",
        "26037",
    )


@pytest.mark.parametrize(
    ("head", "row", "symbol", "terms"),
    [
        (FO, "NFO,1,50,NIFTY,NIFTY27JUL23F,27-JUL-2023,FUTIDX,XX,-0.01,0.05", "NIFTY27JUL23FUT", (0.0, 50, 0.05)),
        (FO, "NFO,2,500,RELIANCE,RELIANCE30JUN26C1960,30-JUN-2026,OPTSTK,CE,1960,0.05,", "RELIANCE30JUN261960CE",
         (1960.0, 500, 0.05)),
        (FO, "BFO,3,20,BSXOPT,SENSEX26SEP91000PE,24-SEP-2026,OPTIDX,PE,91000,0.05,", "SENSEX24SEP2691000PE",
         (91000.0, 20, 0.05)),
        (FO, "BFO,4,20,BSXOPT,SENSEX2682091000PE,20-AUG-2026,OPTIDX,PE,91000,0.05,", "SENSEX20AUG2691000PE",
         (91000.0, 20, 0.05)),
        (FO, "BFO,5,20,SX50FUT,SENSEX5026OCTFUT,29-OCT-2026,FUTIDX,XX,0,0.05,", "SENSEX5029OCT26FUT", (0.0, 20, 0.05)),
        (FO.replace("StrikePrice", "Strike"), "BFO,6,2,X,M&M26SEP3050.5CE,24-SEP-2026,OPTSTK,CE,3050.50,0.05,",
         "M&M24SEP263050.5CE", (3050.5, 2, 0.05)),
        (CDS, "CDS,7,1,4,1000,USDINR,USDINR11SEP26F,11-SEP-2026,FUTCUR,XX,-1e-07,0.0025", "USDINR11SEP26FUT",
         (0.0, 1, 0.0025)),
        (FO.replace("LotSize", "LotSize,GNGD"), "MCX,8,10,1,CRUDEOILM,CRUDEOILM19AUG26,19-AUG-2026,FUTCOM,XX,0,1,",
         "CRUDEOILM19AUG26FUT", (0.0, 10, 1.0)),
    ],
)  # fmt: skip
def test_derivatives(head: str, row: str, symbol: str, terms: tuple[float, int, float]) -> None:
    (found,) = parsed(zipped(head, row))
    assert isinstance(found, Instrument), found
    assert found.symbol == symbol
    assert (found.strike, found.lot_size, found.tick_size) == terms
    assert found.expiry is not None


@pytest.mark.parametrize(
    ("head", "row", "reason"),
    [
        (CASH, "NSE,1,1,A,A-EQ,EQ,0,", "no tick size"),
        (CASH, "NSE,1,1,A,A-EQ,EQ,x,", "unreadable tick size"),
        (CASH, "NSE,,1,A,A-EQ,EQ,1,", "no token"),
        (CASH, "NSE,1,0,A,A-EQ,EQ,1,", "no lot size"),
        (CASH, "XYZ,1,1,A,A-EQ,EQ,1,", "exchange XYZ is not offered"),
        (CASH, "NSE,1,1,A", "wrong number of columns"),
        (CASH, "NSE,1,1,A,A-EQ,EQ,1,2,3", "wrong number of columns"),
        (FO, "NFO,1,50,,,,,,,,", "no trading symbol"),
        (FO, "NFO,1,50,N,N,27-JUL-2023,OPTIDX,CE,-1,0.05,", "no strike"),
        (FO, "NFO,1,50,N,N,27-JUL,FUTIDX,XX,-1,0.05,", "unreadable expiry"),
        (FO, "BFO,1,20,BSXOPT,SENSEX26SEP91000PE,24-SEP-2026,OPTIDX,PE,92000,0.05,", "no underlying name"),
        (CDS, "CDS,1,1,4,1000,USDINR,USDINR,,UNDCUR,,,", "instrument type UNDCUR is not traded"),
    ],
)
def test_what_is_not_taken_has_a_reason(head: str, row: str, reason: str) -> None:
    assert parsed(zipped(head, row)) == [RowRefused(reason, row)]


def test_a_share_of_two_series_keeps_the_lesser_ones_name() -> None:
    rows = parsed(zipped(CASH, "NSE,1,1,SBIN,SBIN-EQ,EQ,0.05,", "NSE,2,1,SBIN,SBIN-BE,BE,0.05,"))
    assert symbols(rows) == ["SBIN", "SBIN-BE"]


def test_flattrades_files_have_neither_ticks_nor_full_rows() -> None:
    head = "Exchange,Token,Lotsize,Symbol,Tradingsymbol,Instrument,Expiry,Strike,Optiontype"
    option = "NFO,69681,30,BANKNIFTY,BANKNIFTY29SEP26P52800,OPTIDX,29-SEP-2026,52800.00,PE"
    future = "NFO,52210,400,INFY,INFY27OCT26F,FUTSTK,27-OCT-2026,,XX"
    lines = (head, "NSE,22,1,ACC,ACC-EQ,EQ", "BSE,1,1,SENSEX,SENSEX,UNDIND", option, future, "BSE,5,1,A,A,EQ")
    rows = parsed("\n".join(lines).encode(), spec=PI)
    assert symbols(rows) == ["ACC", "SENSEX", "BANKNIFTY29SEP2652800PE", "INFY27OCT26FUT"]
    assert [row.tick_size for row in rows if isinstance(row, Instrument) and row.expiry] == [0.05, 0.05]
    assert rows[-1] == RowRefused("unreadable tick size", "BSE,5,1,A,A,EQ")


def test_files_of_the_brokers_own_are_asked_by_their_paths() -> None:
    empty = {"stat": "Not_Ok", "emsg": 'Error Occurred : 5 "no data"'}
    told = drive(PI, PI.instruments.download(SESSION, CTX), b"1", b"2", empty, empty)
    assert [request.path for request in told.requests] == ["/a.csv", "/b.csv", "/GetIndexList", "/GetIndexList"]
    assert told.result[:2] == [b"1", b"2"]


def test_indices_that_a_list_has_beside_the_file_are_added_once() -> None:
    file = zipped(CASH, "NSE,26000,1,Nifty 50,NIFTY INDEX,INDEX,0,")
    replies = [file] * 6
    nse = {
        "stat": "Ok",
        "values": [{"idxname": "Nifty 50", "token": "26000"}, {"idxname": "Nifty IT", "token": "26008"}],
    }
    bse = {"stat": "Ok", "values": [{"idxname": "SENSEX", "token": "1"}]}
    files = drive(SPEC, SPEC.instruments.download(SESSION, CTX), *replies, nse, bse).result
    rows = parsed(files[0], *files[6:])
    assert [(row.symbol, row.exchange.value, row.token) for row in rows if isinstance(row, Instrument)] == [
        ("NIFTY", "NSE_INDEX", "26000"),
        ("NIFTYIT", "NSE_INDEX", "26008"),
        ("SENSEX", "BSE_INDEX", "1"),
    ]
    assert all(row.instrument_type is InstrumentType.INDEX for row in rows if isinstance(row, Instrument))


def test_a_list_of_indices_needs_no_word_of_success_and_its_bad_rows_are_counted() -> None:
    """The samples of two brokers' documents have none (GetIndexList)."""
    values = [{"idxname": "Nifty IT", "token": 26008}, {"idxname": "", "token": "7"}, {"idxname": "Nameless"}]
    told = {"request_time": "20:12:29 13-12-2020", "values": values}
    files = drive(SPEC, SPEC.instruments.download(SESSION, CTX), *[b"x"] * 6, told, told).result
    rows = parsed(files[6])
    assert symbols(rows) == ["NIFTYIT"]
    reason = "index without name or token"
    assert rows[1:] == [RowRefused(reason, "NSE,7,"), RowRefused(reason, "NSE,,Nameless")]
    odd: list[Any] = [[{"stat": "Ok"}], {"stat": "Ok", "values": 7}, {"stat": "Not_Ok", "values": []}, {}]
    for reply in odd:
        with pytest.raises(Unknown):
            drive(SPEC, SPEC.instruments.download(SESSION, CTX), *[b"x"] * 6, reply)


def test_a_refused_list_of_indices_costs_nothing_else_and_a_dead_session_all() -> None:
    refused = {"stat": "Not_Ok", "emsg": 'Error Occurred : 2 "invalid input"'}
    files = drive(SPEC, SPEC.instruments.download(SESSION, CTX), *[b"x"] * 6, refused, refused).result
    assert files[6:] == [b'{"exch":"NSE","values":[]}', b'{"exch":"BSE","values":[]}']
    unknown = Canned("<html>", 404)  # not every broker's documents name the route
    files = drive(SPEC, SPEC.instruments.download(SESSION, CTX), *[b"x"] * 6, unknown, unknown).result
    assert files[6:] == [b'{"exch":"NSE","values":[]}', b'{"exch":"BSE","values":[]}']
    with pytest.raises(Unknown):
        drive(SPEC, SPEC.instruments.download(SESSION, CTX), *[Canned(b"<html>", 404)] * 6)
    dead = {"stat": "Not_Ok", "emsg": "Session Expired : Invalid Session Key"}
    with pytest.raises(SessionExpired):
        drive(SPEC, SPEC.instruments.download(SESSION, CTX), *[b"x"] * 6, dead)
    with pytest.raises(SessionExpired):
        drive(SPEC, SPEC.instruments.download(SESSION, CTX), *[b"x"] * 6, Canned(dead, 401))


@pytest.mark.parametrize("status", [401, 403])
def test_a_file_that_is_withheld_says_nothing_of_the_session(status: int) -> None:
    """It is asked without one: Amazon's store, where Flattrade's lie, answers 403 for what is not there."""
    with pytest.raises(Unknown):
        drive(SPEC, SPEC.instruments.download(SESSION, CTX), *[Canned(b"<Error/>", status)] * 6)


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04torn", b"{torn", b'{"exch":"NSE","values":7}'])
def test_another_file_is_refused_whole(content: bytes) -> None:
    with pytest.raises(DecodeError):
        parsed(content)


def test_the_reader_goes_to_a_process_of_its_own() -> None:
    parse = pickle.loads(pickle.dumps(SPEC.instruments.parse))  # noqa: S301 - our own bytes
    (found,) = parse([zipped(CASH, "NSE,22,1,ACC,ACC-EQ,EQ,0.05,")])
    assert (found.symbol, found.expiry) == ("ACC", None)
