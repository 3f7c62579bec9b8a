"""XTS's masters, quotes and candles (xts.md, 5 and 6)."""

import json
import pickle
from datetime import date
from typing import Any

import pytest
from tests.canned import drive
from tests.unit.test_brokers_xts_login import CTX, SESSION, failure, success

from sangam.brokers import iifl
from sangam.brokers.contract import Candle, RowRefused
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import DecodeError, Refused, SessionExpired, Unknown
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, DepthLevel, Patch

SPEC = iifl.SPEC
assert SPEC.data is not None
DATA = SPEC.data
assert DATA.history is not None
history = DATA.history
ROWS = (
    "NSECM|2885|8|RELIANCE|RELIANCE-EQ|EQ|RELIANCE-EQ|1100100002885|1336.95|1093.9|81194|0.05|1|1|RELIANCE"
    "|INE002A01018|1|1|RELIANCE INDUSTRIES LTD-EQ|0|-1|-1",
    "NSEFO|35001|1|NIFTY|NIFTY25MARFUT|FUTIDX|NIFTY-FUTIDX|25|26503.4|21684.6|1801|0.05|75|1|-1|Nifty 50"
    "|2025-03-27T14:30:00|NIFTY 27MAR2025|1|1|NIFTY25MARFUT",
    "BSEFO|824627|2|SENSEX|SENSEX2510384700CE|IO|SENSEX-IO|12|2.95|0.05|1000|0.05|10|1|-1|SENSEX"
    "|2025-01-03T00:00:00|84700|3|SENSEX 03JAN2025 CE 84700|1|1|SENSEX2510384700CE",
    "BSECM|26072|8|BSE HC|BSE HC-SPOT|SPOT|BSE HC-SPOT|11||||1|1|1|BSE HC||1|1|BSE HC-SPOT|-1|-1|-1",
)


def master(*rows: str) -> bytes:
    return json.dumps({"type": "success", "code": "s", "result": "\n".join(rows)}).encode()


def indices(*names: str) -> bytes:
    return json.dumps({"type": "success", "result": {"exchangeSegment": 1, "indexList": names}}).encode()


def parsed(*rows: str, names: tuple[str, ...] = ()) -> list[Instrument | RowRefused]:
    return list(SPEC.instruments.parse([master(*rows), indices(*names)]))


def reasons(*rows: str) -> list[str]:
    found = parsed(*rows)
    assert all(isinstance(row, RowRefused) for row in found)
    return [row.reason for row in found if isinstance(row, RowRefused)]


# --- masters ----------------------------------------------------------------------------------------------------------


def test_a_master_for_each_segment_and_the_list_of_indices() -> None:
    told = drive(SPEC, SPEC.instruments.download(SESSION, CTX), *[b"x"] * 7)
    assert told.result == [b"x"] * 7
    segments = [request.json["exchangeSegmentList"][0] for request in told.requests[:-1]]
    assert segments == ["NSECM", "NSEFO", "NSECD", "BSECM", "BSEFO", "MCXFO"]
    assert {request.reply for request in told.requests} == {"file"}
    assert (told.requests[-1].path, told.requests[-1].query) == ("/instruments/indexlist", {"exchangeSegment": 1})


def test_rows_of_the_three_shapes_and_indices_of_both_exchanges() -> None:
    share, future, option, bse, nse = parsed(*ROWS, names=("NIFTY 50_26000",))
    assert share == Instrument(
        symbol="RELIANCE", exchange=Exchange.NSE, brsymbol="RELIANCE-EQ", brexchange="NSECM", token="2885",
        name="RELIANCE INDUSTRIES LTD-EQ",
    )  # fmt: skip
    assert future == Instrument(
        symbol="NIFTY27MAR25FUT", exchange=Exchange.NFO, brsymbol="NIFTY25MARFUT", brexchange="NSEFO", token="35001",
        name="NIFTY", instrument_type=InstrumentType.FUT, expiry=date(2025, 3, 27), lot_size=75,
    )  # fmt: skip
    assert option == Instrument(
        symbol="SENSEX03JAN2584700CE", exchange=Exchange.BFO, brsymbol="SENSEX2510384700CE", brexchange="BSEFO",
        token="824627", name="SENSEX", instrument_type=InstrumentType.CE, expiry=date(2025, 1, 3), strike=84700.0,
        lot_size=10,
    )  # fmt: skip
    assert isinstance(bse, Instrument)
    assert isinstance(nse, Instrument)
    assert (bse.symbol, bse.exchange, bse.token) == ("BSEHEALTHCARE", Exchange.BSE_INDEX, "26072")
    assert (nse.symbol, nse.exchange, nse.token) == ("NIFTY", Exchange.NSE_INDEX, "26000")


def test_where_a_name_has_several_series_all_but_the_main_one_keep_theirs() -> None:
    other = ROWS[0].replace("RELIANCE-EQ", "RELIANCE-BE").replace("|2885|", "|2886|")
    first, second = parsed(ROWS[0], other)
    assert [row.symbol for row in (first, second) if isinstance(row, Instrument)] == ["RELIANCE", "RELIANCE-BE"]


def test_what_is_no_row_is_refused_with_its_reason() -> None:
    future = ROWS[1]
    assert reasons(
        "NSECM|1|8",
        ROWS[0].replace("NSECM", "SLBM"),
        ROWS[0].replace("|2885|", "|x|"),
        ROWS[0].replace("|8|", "|16|"),
        ROWS[0].replace("|0.05|", "|0|"),
        ROWS[0].replace("|RELIANCE|RELIANCE-EQ|", "||RELIANCE-EQ|"),
        future.replace("|1|NIFTY|", "|4|NIFTY|"),
        future.replace("2025-03-27", "1"),
        future.replace("|75|", "|7.5|"),
        future + "|1",
        ROWS[2].replace("|84700|3|", "|84700|5|"),
        ROWS[2].replace("|84700|3|", "|0|3|"),
    ) == [
        "wrong number of columns",
        "segment SLBM is not known",
        "unreadable instrument id",
        "instrument type 16 of NSECM is not known",
        "no tick size",
        "no name",
        "a spread is no single contract",
        "unreadable expiry",
        "unreadable lot size",
        "instrument type 1 with 22 columns is not known",
        "option type 5 is not known",
        "no strike",
    ]
    assert next(iter(SPEC.instruments.parse([indices("NIFTY 50")]))) == RowRefused("unreadable index", "NIFTY 50")


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"type":"success","result":{}}', master()[:-3]])
def test_another_file_is_rejected_as_a_whole(content: bytes) -> None:
    for files in ([content, indices()], [master(*ROWS), content]):
        with pytest.raises(DecodeError):
            list(SPEC.instruments.parse(files))


def test_reading_goes_to_another_process() -> None:
    again = pickle.loads(pickle.dumps(SPEC.instruments.parse))  # noqa: S301 - our own
    assert len(list(again([master(*ROWS), indices()]))) == 4


# --- quotes -----------------------------------------------------------------------------------------------------------

RELIANCE, FUTURE, _, _, NIFTY = (row for row in parsed(*ROWS, names=("NIFTY 50_26000",)) if isinstance(row, Instrument))


def told(*rows: dict[str, Any]) -> dict[str, Any]:
    return success({"mdp": 1502, "listQuotes": [json.dumps(row) for row in rows]})


def row(segment: int, number: int, **more: Any) -> dict[str, Any]:
    return {"ExchangeSegment": segment, "ExchangeInstrumentID": number, **more}


def test_quotes_with_book_and_open_interest() -> None:
    touch = {"LastTradedPrice": 1.5, "TotalTradedQuantity": 7, "Close": 1.0}
    level = {"Size": 5, "Price": 1.4, "TotalOrders": 1}
    depth = told(
        row(1, 2885, Touchline=touch, Bids=[level], Asks=[]),
        row(2, 35001, Touchline=touch, Bids=[], Asks=[]),
        row(1, 26000, Touchline=touch | {"TotalTradedQuantity": 0}, Bids=[], Asks=[]),
        row(1, 99, Touchline=touch),
    )
    answer = drive(
        SPEC, DATA.quotes([RELIANCE, FUTURE, NIFTY], SESSION, CTX), depth, told(row(2, 35001, OpenInterest=9))
    )
    assert answer.result == [
        Patch(RELIANCE, {"ltp": 1.5, "volume": 7, "close": 1.0}, Depth([DepthLevel(1.4, 5, 1)], []), True),
        Patch(FUTURE, {"ltp": 1.5, "volume": 7, "close": 1.0, "oi": 9}, Depth([], []), True),
        Patch(NIFTY, {"ltp": 1.5, "close": 1.0}, Depth([], []), True),
    ]
    forms = [(request.json["xtsMessageCode"], len(request.json["instruments"])) for request in answer.requests]
    assert forms == [(1502, 3), (1510, 1)]
    assert {(request.auth, request.effect) for request in answer.requests} == {("market", "read")}


def test_a_price_stands_without_open_interest_where_that_is_not_offered() -> None:
    depth = told(row(2, 35001, Touchline={"LastTradedPrice": 1.5}, Bids=[], Asks=[]))
    asked = DATA.quotes([FUTURE], SESSION, CTX)
    answer = drive(SPEC, asked, depth, failure("e-property-validation-failed", "Bad Request"))
    assert answer.result == [Patch(FUTURE, {"ltp": 1.5}, Depth([], []), True)]
    for unsure in (failure("e-session-0007", "Invalid Token"), failure("e-x", "Try again", 503)):
        with pytest.raises((SessionExpired, Unknown)):
            drive(SPEC, DATA.quotes([FUTURE], SESSION, CTX), depth, unsure)


@pytest.mark.parametrize("result", [{"listQuotes": ["{"]}, {"listQuotes": [5]}, [], None])
def test_damaged_quotes_are_unknown(result: Any) -> None:
    with pytest.raises(Unknown):
        drive(SPEC, DATA.quotes([RELIANCE], SESSION, CTX), success(result))


# --- candles ----------------------------------------------------------------------------------------------------------


def candles(interval: str, reply: Any) -> tuple[list[Candle], Any]:
    done = drive(SPEC, history(RELIANCE, interval, date(2025, 1, 2), date(2025, 1, 6), SESSION, CTX), reply)
    return done.result, done.request


def test_candles_are_told_by_indias_clock() -> None:
    """1735809300 is 09:15 on India's wall clock, which is 03:45 UTC."""
    text = "1735809360|2|4|1|3|20|5|,1735809300|1.5|2.5|1.0|2|10|0|"
    bars, request = candles("1m", success({"dataReponse": text}))
    assert bars == [Candle(1735789500, 1.5, 2.5, 1.0, 2.0, 10, 0), Candle(1735789560, 2.0, 4.0, 1.0, 3.0, 20, 5)]
    assert request.query == {
        "exchangeSegment": "NSECM",
        "exchangeInstrumentID": "2885",
        "startTime": "Jan 02 2025 000000",
        "endTime": "Jan 06 2025 235959",
        "compressionValue": "60",
    }


def test_a_day_begins_at_midnight_utc_of_its_date() -> None:
    for wall in (1735776000, 1735809300):  # 2 January, 00:00 and 09:15
        bars, request = candles("D", success({"dataReponse": f"{wall}|1|1|1|1|1|0|"}))
        assert [bar.timestamp for bar in bars] == [1735776000]
        assert request.query["compressionValue"] == "D"


def test_no_candles_are_none_and_damaged_ones_unknown() -> None:
    assert candles("5m", success({"dataReponse": ""}))[0] == []
    for damaged in ("x", "1|2|3", "1735809300|a|1|1|1|1|0|", None):
        with pytest.raises(Unknown):
            candles("5m", success({"dataReponse": damaged}))
    with pytest.raises(Refused):
        candles("5m", failure("e-x", "Bad Request"))
