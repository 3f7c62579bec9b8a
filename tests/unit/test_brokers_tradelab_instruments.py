"""The contract file: its archive, its columns, and every kind of row."""

import io
import zipfile
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.canned import drive

from sangam.brokers import mastertrust, pocketful
from sangam.brokers.contract import Ctx, RowRefused, Session
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="pocketful", generation=1, secrets={"access_token": "t"})
HEAD = (
    "Exchange,Exchange_Token,Trading_Symbol,Company_Name,Close_Price,Segment,Instrument_Name,Option_Type,Expiry,"
    "Strike,Lot_Size,Tick_Size"
)


def packed(**lists: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, rows in lists.items():
            archive.writestr(name.replace("_", "."), f"{HEAD}\r\n{rows}")
    return content.getvalue()


def parsed(*rows: str, spec: object = mastertrust) -> list[Instrument | RowRefused]:
    return list(spec.SPEC.instruments.parse([packed(CompactScrip_csv="\r\n".join(rows))]))  # type: ignore[attr-defined]


def one(row: str) -> Instrument:
    (found,) = parsed(row)
    assert isinstance(found, Instrument), found
    return found


def refused(row: str) -> str:
    (found,) = parsed(row)
    assert isinstance(found, RowRefused)
    return found.reason


SHARE = "NSE,14366,IDEA-EQ,VODAFONE IDEA LIMITED,0,NSE,EQ,,,0,1,0.01"
OPTION = "NFO,45835,NIFTY26AUG24000CE,NIFTY,0,NFO,OPTIDX,CE,25-Aug-2026,24000,65,0.05"


def test_a_share_loses_its_series() -> None:
    assert one(SHARE) == Instrument(
        symbol="IDEA",
        exchange=Exchange.NSE,
        brsymbol="IDEA-EQ",
        brexchange="NSE",
        token="14366",
        name="VODAFONE IDEA LIMITED",
        tick_size=0.01,
    )


@pytest.mark.parametrize(
    ("told", "symbol"),
    [("SBIN-A", "SBIN"), ("MONOT-Z", "MONOT"), ("BAJAJ-AUTO-A", "BAJAJ-AUTO"), ("BAJAJ-AUTO", "BAJAJ-AUTO")],
)
def test_a_share_of_bse_loses_its_group(told: str, symbol: str) -> None:
    found = one(f"BSE,500112,{told},STATE BANK OF INDIA,0,BSE,A,,,0,1,0.05")
    assert (found.symbol, found.brsymbol, found.exchange) == (symbol, told, Exchange.BSE)


def test_shares_of_one_name_are_told_apart() -> None:
    found = parsed(SHARE, SHARE.replace("14366", "1").replace("-EQ", "-BE"))
    assert [each.symbol for each in found if isinstance(each, Instrument)] == ["IDEA", "IDEA-BE"]


@pytest.mark.parametrize(
    ("row", "symbol", "exchange"),
    [
        ("NSE,26000,Nifty 50,Nifty 50,0,INDICES,,,,0,1,0.05", "NIFTY", Exchange.NSE_INDEX),
        ("NSE,26009,Nifty Bank,,0,IDX,,,,0,1,0", "BANKNIFTY", Exchange.NSE_INDEX),
        ("BSE,1,SENSEX,,0,IDX,,,,0,0,0", "SENSEX", Exchange.BSE_INDEX),
    ],
)
def test_an_index_is_told_by_its_segment(row: str, symbol: str, exchange: Exchange) -> None:
    found = one(row)
    assert (found.symbol, found.exchange, found.instrument_type) == (symbol, exchange, InstrumentType.INDEX)


@pytest.mark.parametrize(
    ("row", "symbol", "lot"),
    [
        (OPTION, "NIFTY25AUG2624000CE", 65),
        (OPTION.replace("25-Aug-2026", "2026-08-25 00:00:00"), "NIFTY25AUG2624000CE", 65),
        ("NFO,73627,TCS26AUGFUT,TCS,0,NFO,FUTSTK,XX,2026-08-25,0,175,0.1", "TCS25AUG26FUT", 175),
        ("BFO,863673,SENSEX26820FUT,SENSEX,0,BFO,IF,,20-Aug-2026,0,20,0.05", "SENSEX20AUG26FUT", 20),
        ("BFO,863674,SENSEX2682078000PE,SENSEX,0,BFO,IO,PE,20-Aug-2026,78000.5,20,0.05", "SENSEX20AUG2678000.5PE", 20),
        ("MCX,441305,CRUDEOIL26AUGFUT,CRUDE OIL,0,MCX,FUTCOM,XX,19-Aug-2026,0,100,1", "CRUDEOIL19AUG26FUT", 1),
    ],
)
def test_derivatives_of_every_exchange(row: str, symbol: str, lot: int) -> None:
    """Orders count commodities in lots, whatever the file says of them."""
    found = one(row)
    assert (found.symbol, found.lot_size) == (symbol, lot)
    assert found.expiry is not None
    assert found.expiry.year == 2026


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (SHARE.replace("NSE,1", "NCDEX,1"), "exchange NCDEX is not offered"),
        (SHARE.replace("NSE,1", "CDS,1"), "exchange CDS is not offered"),
        (SHARE.replace("14366", "x1"), "unreadable token"),
        (SHARE.replace("IDEA-EQ", ""), "no trading symbol"),
        (SHARE.replace("0.01", "0"), "no tick size"),
        (SHARE.replace(",1,0.01", ",1.5,0.01"), "unreadable lot size"),
        (OPTION.replace("25-Aug-2026", ""), "no expiry"),
        (OPTION.replace("25-Aug-2026", "08-07-2026"), "unreadable expiry"),
        (OPTION.replace("25-Aug-2026", "1787616000"), "unreadable expiry"),
        (OPTION.replace(",24000,", ",0,"), "no strike"),
        (OPTION.replace(",NIFTY,", ",BANKNIFTY,"), "no underlying name"),
        ("MCX,11,GOLD,GOLD,0,MCX,COM,,,0,1,1", "instrument COM of MCX is not known"),
        (SHARE + ",1,2", "wrong number of columns"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_reason(row: str, reason: str) -> None:
    assert refused(row) == reason


def test_each_broker_asks_for_what_it_lists() -> None:
    asked = drive(pocketful.SPEC, pocketful.SPEC.instruments.download(SESSION, CTX), b"zip").request
    assert asked.query == {"info": "download", "exchanges": "NSE,BSE,NFO,BFO"}
    asked = drive(mastertrust.SPEC, mastertrust.SPEC.instruments.download(SESSION, CTX), b"zip").request
    assert (asked.query, asked.reply) == ({"info": "download"}, "file")
    (row,) = parsed("MCX,441305,CRUDEOIL26AUGFUT,CRUDEOIL,0,MCX,FUTCOM,XX,19-Aug-2026,0,100,1", spec=pocketful)
    assert row == RowRefused("exchange MCX is not offered", row.row if isinstance(row, RowRefused) else "")


def test_every_list_of_the_archive_is_read() -> None:
    content = packed(NSECompactScrip_csv=SHARE, NFOCompactScrip_csv=OPTION.replace("25-Aug-2026", "2026-08-25"))
    found = [each for each in pocketful.SPEC.instruments.parse([content]) if isinstance(each, Instrument)]
    assert [each.symbol for each in found] == ["IDEA", "NIFTY25AUG2624000CE"]
    assert found[1].expiry == date(2026, 8, 25)


@pytest.mark.parametrize("content", [b"", b"<html>", packed(readme_txt=""), packed(NSECompactScrip_csv=SHARE)[:-30]])
def test_a_file_that_is_no_such_archive_is_refused_whole(content: bytes) -> None:
    with pytest.raises(DecodeError):
        list(pocketful.SPEC.instruments.parse([content]))


def test_a_list_without_its_columns_is_refused_whole() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("NSECompactScrip.csv", "exchange,token\nNSE,1\n")
    with pytest.raises(DecodeError, match="no column exchange_token"):
        list(pocketful.SPEC.instruments.parse([content.getvalue()]))


@given(st.data())
def test_a_damaged_archive_raises_decode_error_or_gives_rows(data: st.DataObject) -> None:
    damaged = bytearray(packed(NSECompactScrip_csv=SHARE))
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    with suppress(DecodeError):
        assert all(
            isinstance(row, Instrument | RowRefused) for row in pocketful.SPEC.instruments.parse([bytes(damaged)])
        )
