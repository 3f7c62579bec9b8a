"""IIFL Capital: the contract files, whose columns are found by name."""

from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.canned import Canned, drive

from sangam.brokers.contract import Ctx, RowRefused, Session
from sangam.brokers.iiflcapital import SPEC
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument

HEADER = (
    "Exchange,Underlying Instrument Symbol,Instrument ID,Instrument Type,Option Type,Strike Price,"
    "Underlying Instrument Name,Trading Symbol,Expiry,Lot Size,Tick Size"
)
SHARES = (
    f"{HEADER}\n"
    "NSEEQ,RELIANCE,2885,EQUITY,,0,RELIANCE INDUSTRIES,RELIANCE-EQ,,1,0.1\n"
    "NSEEQ,SBIN,3045,EQUITY,,0,STATE BANK,SBIN-EQ,,1,0.05\n"
    "NSEEQ,SBIN,9999,EQUITY,,0,STATE BANK,SBIN-BE,,1,0.05\n"
    "NSEEQ,NIFTY,999920010,INDEX,,0,Nifty 50,NIFTY,,1,0.05\n"
)
DERIVATIVES = (
    f"{HEADER}\n"
    "NSEFO,NIFTY,35382,FUTIDX,XX,-1,NIFTY 31 Oct 2024,NIFTY24OCTFUT,31-Oct-2024,25,0.05\n"
    "NSEFO,NIFTY,35383,OPTIDX,CE,25000.00,NIFTY,NIFTY24OCT25000CE,31-Oct-2024 23:59,25,0.05\n"
    "NSEFO,BAJAJ-AUTO,35384,OPTSTK,PE,9000.5,BAJAJ AUTO,BAJAJ-AUTO24OCT9000.5PE,31-Oct-2024,75,0.05\n"
)
INDICES = f"{HEADER}\nNSEEQ,,999920010,INDEX,,,Nifty 50,,,,\nBSEEQ,,999901,INDEX,,,SENSEX,SENSEX,,,\n"
EMPTY = f"{HEADER}\n"


def parsed(*, shares: str = EMPTY, derivatives: str = EMPTY, indices: str = EMPTY) -> list[Instrument | RowRefused]:
    """The files in their order: eight segments, then the indices."""
    files = [shares, EMPTY, derivatives, *[EMPTY] * 5, indices]
    return list(SPEC.instruments.parse([file.encode() for file in files]))


def refused(rows: Sequence[Instrument | RowRefused]) -> list[str]:
    return [row.reason for row in rows if isinstance(row, RowRefused)]


def test_shares_lose_their_series_where_one_has_the_name_alone() -> None:
    rows = parsed(shares=SHARES)
    symbols = {row.brsymbol: row.symbol for row in rows if isinstance(row, Instrument)}
    assert symbols == {"RELIANCE-EQ": "RELIANCE", "SBIN-EQ": "SBIN", "SBIN-BE": "SBIN-BE"}
    assert refused(rows) == ["an index among the shares: they have a file of their own"]
    assert rows[0] == Instrument(
        symbol="RELIANCE",
        exchange=Exchange.NSE,
        brsymbol="RELIANCE-EQ",
        brexchange="NSEEQ",
        token="2885",
        name="RELIANCE INDUSTRIES",
        tick_size=0.1,
        lot_size=1,
    )


def test_derivatives_are_told_by_their_option_type() -> None:
    future, call, put = parsed(derivatives=DERIVATIVES)
    assert isinstance(future, Instrument)
    assert (future.symbol, future.exchange, future.lot_size) == ("NIFTY31OCT24FUT", Exchange.NFO, 25)
    assert (future.instrument_type, future.strike) == (InstrumentType.FUT, 0.0)
    assert isinstance(call, Instrument)
    assert (call.symbol, call.expiry, call.strike) == ("NIFTY31OCT2425000CE", date(2024, 10, 31), 25000.0)
    assert isinstance(put, Instrument)
    assert put.symbol == "BAJAJ-AUTO31OCT249000.5PE"


def test_indices_have_a_file_and_our_names() -> None:
    nifty, sensex = parsed(indices=INDICES)
    assert isinstance(nifty, Instrument)
    assert (nifty.symbol, nifty.exchange, nifty.brsymbol, nifty.token) == (
        "NIFTY", Exchange.NSE_INDEX, "Nifty 50", "999920010"
    )  # fmt: skip
    assert isinstance(sensex, Instrument)
    assert (sensex.symbol, sensex.exchange, sensex.brexchange) == ("SENSEX", Exchange.BSE_INDEX, "BSEEQ")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("BSECOMM,X,1,FUTCOM,XX,0,X,X24OCTFUT,31-Oct-2024,1,1", "exchange BSECOMM is not offered"),
        (",X,1,FUTCOM,XX,0,X,X24OCTFUT,31-Oct-2024,1,1", "exchange (none) is not offered"),
        ("NSEFO,X,DHANIYA10JUL25,FUTCOM,XX,0,X,X24OCTFUT,31-Oct-2024,1,1", "unreadable instrument id"),
        ("NSEFO,X,1,FUTSTK,XX,0,X,,31-Oct-2024,1,1", "no trading symbol"),
        ("NSEFO,X,1,FUTSTK,ZZ,0,X,X24OCTFUT,31-Oct-2024,1,1", "option type ZZ is not known"),
        ("NSEFO,X,1,OPTSTK,CE,0,X,X24OCT0CE,31-Oct-2024,1,1", "no strike"),
        ("NSEFO,X,1,FUTSTK,XX,0,X,X24OCTFUT,soon,1,1", "unreadable expiry"),
        ("NSEFO,X,1,FUTSTK,XX,0,X,X24OCTFUT,,1,1", "no expiry"),
        ("NSEFO,,1,FUTSTK,XX,0,X,X24OCTFUT,31-Oct-2024,1,1", "no underlying"),
        ("NSEFO,X,1,FUTSTK,XX,0,X,X24OCTFUT,31-Oct-2024,1.5,1", "unreadable lot size"),
        ("NSEFO,X,1,FUTSTK,XX,0,X,X24OCTFUT,31-Oct-2024,1,0", "no tick size"),
        ("NSEFO,X,1", "wrong number of columns"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_name(row: str, reason: str) -> None:
    assert refused(parsed(derivatives=f"{HEADER}\n{row}\n")) == [reason]


def test_columns_are_found_in_any_order_and_a_file_that_lacks_one_is_another_file() -> None:
    swapped = DERIVATIVES.splitlines()[0].split(",")
    rows = [dict(zip(swapped, line.split(","), strict=True)) for line in DERIVATIVES.splitlines()[1:]]
    columns = ["More", *reversed(swapped)]
    text = "\n".join([",".join(columns), *(",".join(row.get(name, "?") for name in columns) for row in rows)])
    assert parsed(derivatives=text) == parsed(derivatives=DERIVATIVES)
    with pytest.raises(DecodeError, match="no column Expiry"):
        parsed(derivatives=DERIVATIVES.replace("Expiry", "When"))
    with pytest.raises(DecodeError, match="no text"):
        list(SPEC.instruments.parse([b"\xff\xfe"]))


@given(st.text())
def test_garbage_is_refused_or_another_file(text: str) -> None:
    try:
        rows = parsed(derivatives=f"{HEADER}\n{text}")
    except DecodeError:
        return
    assert all(isinstance(row, RowRefused) for row in rows)


def test_every_file_is_asked_for_once_and_without_a_session() -> None:
    session = Session(account="a1", broker="iiflcapital", generation=1)
    told = drive(SPEC, SPEC.instruments.download(session, Ctx(0, bytes)), *(Canned(b"x") for _ in range(9)))
    assert told.result == [b"x"] * 9
    assert told.requests[-1].path == "/contractfiles/INDICES.csv"
    assert {request.auth for request in told.requests} == {"none"}
    assert len({request.path for request in told.requests}) == 9
    assert {(limit.lane, limit.count) for limit in SPEC.limits} >= {("files", 18)}
    assert {request.lane for request in told.requests} == {"files"}
