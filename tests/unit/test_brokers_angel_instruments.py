"""The scrip master: names, scales, and reasons that are counted."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.canned import drive

from sangam.brokers.angel import SPEC
from sangam.brokers.contract import Ctx, RowRefused, Session
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument

SHARE = {
    "token": "3045", "symbol": "SBIN-EQ", "name": "SBIN", "expiry": "", "strike": "-1.000000", "lotsize": "1",
    "instrumenttype": "", "exch_seg": "NSE", "tick_size": "10.000000",
}  # fmt: skip
OPTION = SHARE | {
    "token": "63915", "symbol": "NIFTY28JUL2623500CE", "name": "NIFTY", "expiry": "28JUL2026",
    "strike": "2350000.000000", "lotsize": "65", "instrumenttype": "OPTIDX", "exch_seg": "NFO", "tick_size": "5.000000",
}  # fmt: skip
INDEX = SHARE | {
    "token": "99926000", "symbol": "Nifty 50", "name": "NIFTY", "strike": "0.000000", "instrumenttype": "AMXIDX",
    "tick_size": "0.000000",
}  # fmt: skip


def parse(*rows: Any) -> list[Instrument | RowRefused]:
    return list(SPEC.instruments.parse([json.dumps(rows).encode()]))


def one(row: Any) -> Instrument:
    (found,) = parse(row)
    assert isinstance(found, Instrument), found
    return found


def test_a_share() -> None:
    assert one(SHARE) == Instrument(
        symbol="SBIN",
        exchange=Exchange.NSE,
        brsymbol="SBIN-EQ",
        brexchange="NSE",
        token="3045",
        name="SBIN",
        tick_size=0.1,
    )


def test_an_option_has_its_strike_in_rupees() -> None:
    assert one(OPTION) == Instrument(
        symbol="NIFTY28JUL2623500CE",
        exchange=Exchange.NFO,
        brsymbol="NIFTY28JUL2623500CE",
        brexchange="NFO",
        token="63915",
        name="NIFTY",
        instrument_type=InstrumentType.CE,
        expiry=date(2026, 7, 28),
        strike=23500.0,
        lot_size=65,
        tick_size=0.05,
    )


@pytest.mark.parametrize(
    ("row", "symbol", "exchange"),
    [
        (INDEX, "NIFTY", Exchange.NSE_INDEX),
        (INDEX | {"symbol": "Nifty Bank"}, "BANKNIFTY", Exchange.NSE_INDEX),
        (INDEX | {"symbol": "NIFTY MID SELECT"}, "MIDCPNIFTY", Exchange.NSE_INDEX),
        (INDEX | {"symbol": "SENSEX", "exch_seg": "BSE", "token": "99919000"}, "SENSEX", Exchange.BSE_INDEX),
        (INDEX | {"symbol": "MCXBULLDEX", "exch_seg": "MCX"}, "MCXBULLDEX", Exchange.MCX_INDEX),
        (SHARE | {"symbol": "TITAN", "exch_seg": "BSE"}, "TITAN", Exchange.BSE),
        (SHARE | {"symbol": "STALLION-BE"}, "STALLION", Exchange.NSE),
        (SHARE | {"symbol": "SGBJUL29IV-GB"}, "SGBJUL29IV-GB", Exchange.NSE),
        (OPTION | {"expiry": "04Apr2024", "symbol": "NIFTY04APR2423500PE"}, "NIFTY04APR2423500PE", Exchange.NFO),
        # the date of a symbol of BSE is no date that one could read; the columns are
        (OPTION | {"symbol": "SENSEX24MAR75000PE", "name": "SENSEX", "expiry": "28MAR2024", "strike": "7500000.000000",
                   "exch_seg": "BFO"}, "SENSEX28MAR2475000PE", Exchange.BFO),
        (OPTION | {"symbol": "NIFTY28JUL26FUT", "instrumenttype": "FUTIDX", "strike": "-1.000000"}, "NIFTY28JUL26FUT",
         Exchange.NFO),
        (OPTION | {"symbol": "CRUDEOIL26JUL6000CE", "name": "CRUDEOIL", "instrumenttype": "OPTFUT", "exch_seg": "MCX",
                   "strike": "600000.000000"}, "CRUDEOIL28JUL266000CE", Exchange.MCX),
        (OPTION | {"symbol": "GUARSEED", "name": "GUARSEED10", "instrumenttype": "FUTCOM", "exch_seg": "NCDEX"},
         "GUARSEED1028JUL26FUT", Exchange.NCDEX),
    ],
)  # fmt: skip
def test_symbols_are_ours(row: Any, symbol: str, exchange: Exchange) -> None:
    found = one(row)
    assert (found.symbol, found.exchange) == (symbol, exchange)


def test_currencies_have_a_scale_of_their_own() -> None:
    """SmartAPI forum, topic 286."""
    row = {
        "token": "14182", "symbol": "USDINR21DEC75.25CE", "name": "USDINR", "expiry": "29DEC2021",
        "strike": "752500000.000000", "lotsize": "1", "instrumenttype": "OPTCUR", "exch_seg": "CDS",
        "tick_size": "25000.000000",
    }  # fmt: skip
    found = one(row)
    assert (found.symbol, found.strike, found.tick_size) == ("USDINR29DEC2175.25CE", 75.25, 0.0025)
    assert found.decimals == 4


def test_series_of_a_share_do_not_steal_its_name() -> None:
    rows = [
        SHARE | {"token": str(number), "symbol": f"SBIN-{series}"} for number, series in enumerate(("BE", "EQ", "BL"))
    ]
    symbols = [row.symbol for row in parse(*rows) if isinstance(row, Instrument)]
    assert symbols == ["SBIN-BE", "SBIN", "SBIN-BL"]
    both = parse(SHARE, SHARE | {"symbol": "SBIN", "exch_seg": "BSE", "token": "500112"})
    assert [row.symbol for row in both if isinstance(row, Instrument)] == ["SBIN", "SBIN"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (SHARE | {"token": "x"}, "unreadable token"),
        (SHARE | {"symbol": ""}, "no trading symbol"),
        (SHARE | {"exch_seg": "NCO"}, "segment NCO is not offered"),
        (SHARE | {"instrumenttype": "COMDTY", "exch_seg": "MCX"}, "instrument type COMDTY of MCX is not known"),
        (SHARE | {"exch_seg": "NFO"}, "instrument type (none) of NFO is not known"),
        (SHARE | {"tick_size": "0.000000"}, "no tick size"),
        (SHARE | {"lotsize": "1.5"}, "unreadable lot size"),
        (OPTION | {"symbol": "NIFTY28JUL2623500"}, "instrument type OPTIDX of NFO is not known"),
        (OPTION | {"expiry": ""}, "no expiry"),
        (OPTION | {"expiry": "31FEB2026"}, "unreadable expiry"),
        (OPTION | {"strike": "-1.000000"}, "no strike"),
        (OPTION | {"strike": "nan"}, "no strike"),
        (OPTION | {"name": " "}, "no underlying name"),
        ({"token": "1"}, "unreadable row"),
        (SHARE | {"token": 3045}, "unreadable row"),
        ("SBIN", "unreadable row"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(row: Any, reason: str) -> None:
    refused, taken = parse(row, INDEX)
    assert isinstance(refused, RowRefused)
    assert refused.reason == reason
    assert isinstance(taken, Instrument)


@pytest.mark.parametrize("content", [b"", b"<html>Back soon</html>", b"{}", b'[{"token":"1"'])
def test_another_file_is_refused_whole(content: bytes) -> None:
    with pytest.raises(DecodeError, match="Angel One's instruments file"):
        list(SPEC.instruments.parse([content]))


@given(st.binary(max_size=200))
def test_nonsense_is_a_decode_error_or_refusals(content: bytes) -> None:
    try:
        rows = list(SPEC.instruments.parse([content]))
    except DecodeError:
        return
    assert all(isinstance(row, RowRefused) for row in rows)


def test_the_file_needs_no_session() -> None:
    session = Session(account="a1", broker="angel", generation=1)
    told = drive(SPEC, SPEC.instruments.download(session, Ctx(0, bytes)), b"[]")
    assert told.result == [b"[]"]
    assert (told.request.host, told.request.auth, told.request.reply) == ("files", "none", "file")
