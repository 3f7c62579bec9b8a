"""Noren's quotes and candles."""

import json
from datetime import date, datetime
from typing import Any

import pytest
from tests.canned import Canned, drive

from sangam.brokers.contract import Candle, Ctx, Session
from sangam.brokers.shoonya import SPEC
from sangam.model.clock import IST
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import RateLimited, SessionExpired, Unknown
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, DepthLevel

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="shoonya", generation=1, client_id="U", secrets={"access_token": "tok"})
MM = Instrument(symbol="M&M", exchange=Exchange.NSE, brsymbol="M&M-EQ", brexchange="NSE", token="2031")
NIFTY = Instrument(
    symbol="FINNIFTY", exchange=Exchange.NSE_INDEX, brsymbol="Nifty Fin Services", brexchange="NSE", token="26037",
    instrument_type=InstrumentType.INDEX,
)  # fmt: skip
assert SPEC.data is not None
DATA = SPEC.data
DAY = date(2022, 9, 21)

QUOTE = {
    "request_time": "12:05:21 18-05-2021", "stat": "Ok", "exch": "NSE", "tsym": "ACC-EQ", "token": "22", "pp": "2",
    "uc": "2093.95", "lc": "1713.25", "lp": "1903.00", "h": "1910.00", "l": "1890.00", "o": "1900.00", "c": "1895.00",
    "v": "1200", "ltq": "3", "ltt": "12:05:20", "ltd": "18-05-2021", "lut": "1621319721", "bp1": "1902.95", "bq1": "2",
    "bo1": "2", "sp1": "0.00", "sq1": "0", "so1": "0", "So5": "0", "oi": "",
}  # fmt: skip


def quoted(reply: Any, instrument: Instrument = MM) -> Any:
    return drive(SPEC, DATA.quotes([instrument], SESSION, CTX), reply)


def test_a_quote_is_asked_for_by_token_and_told_as_on_the_socket() -> None:
    told = quoted(QUOTE)
    assert told.request.content == b'jData={"uid":"U","exch":"NSE","token":"2031"}'
    (patch,) = told.result
    assert patch.fields == {
        "ltp": 1903.0,
        "open": 1900.0,
        "high": 1910.0,
        "low": 1890.0,
        "close": 1895.0,
        "volume": 1200,
        "last_trade_quantity": 3,
        "upper_circuit": 2093.95,
        "lower_circuit": 1713.25,
        "timestamp": 1_621_319_721_000,
        "ltt": 1_621_319_720_000,
    }
    assert (patch.depth, patch.full) == (Depth([DepthLevel(1902.95, 2, 2)], []), True)


def test_a_last_trade_without_a_date_is_of_the_quotes_own_day() -> None:
    (patch,) = quoted({name: text for name, text in QUOTE.items() if name != "ltd"}).result
    assert patch.fields["ltt"] == 1_621_319_720_000


def test_an_index_has_no_book() -> None:
    (patch,) = quoted({"stat": "Ok", "lp": "24000.00", "c": "1"}, NIFTY).result
    assert (patch.depth, patch.fields) == (None, {"ltp": 24000.0, "close": 1.0})


def test_what_the_broker_does_not_know_is_missing() -> None:
    for text in ('Error Occurred : 5 "no data"', 'Error Occurred : 2 "invalid input"'):
        assert quoted({"stat": "Not_Ok", "emsg": text}).result == []


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ({"stat": "Not_Ok", "emsg": "Session Expired : Invalid Session Key"}, SessionExpired),
        (Canned("", 429), RateLimited),
        ({"stat": "Ok", "lp": "nan"}, Unknown),
        ({"stat": "Ok", "v": "many"}, Unknown),
        ([{"stat": "Ok"}], Unknown),
    ],
)
def test_no_other_failure_is_taken_for_that(reply: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        quoted(reply)


def bar(second: int, low: str = "10.0") -> dict[str, str]:
    prices = {"into": "11.0", "inth": "12.0", "intl": low, "intc": "11.5"}
    return {"stat": "Ok", "time": "x", "ssboe": str(second), **prices, "intv": "7", "v": "90", "oi": "5"}


def at(hour: int, minute: int) -> int:
    return int(datetime(2022, 9, 21, hour, minute, tzinfo=IST).timestamp())


def test_minutes_are_asked_by_token_with_the_token_behind_the_body() -> None:
    rows = [bar(at(9, 16)), bar(at(9, 15)), bar(at(9, 14), low="0.00"), bar(at(9, 15) - 86_400)]
    assert DATA.history is not None
    told = drive(SPEC, DATA.history(MM, "5m", DAY, DAY, SESSION, CTX), rows)
    assert (told.request.path, told.request.auth) == ("/TPSeries", "body")
    text, _, key = told.request.content.partition(b"&")  # type: ignore[union-attr]
    assert key == b"jKey=tok"
    assert json.loads(text.removeprefix(b"jData=")) == {
        "uid": "U", "exch": "NSE", "token": "2031", "st": str(at(0, 0)), "et": str(at(23, 59) + 59), "intrv": "5",
    }  # fmt: skip
    assert told.result == [
        Candle(at(9, 15), 11.0, 12.0, 10.0, 11.5, 7, 5),
        Candle(at(9, 16), 11.0, 12.0, 10.0, 11.5, 7, 5),
    ]


def test_a_candle_may_tell_its_time_by_the_wall_clock_alone() -> None:
    """As in the samples of Flattrade's and Zebu's documents (TPSeries)."""
    clocked = {name: text for name, text in bar(0).items() if name != "ssboe"} | {"time": "21-09-2022 09:15:00"}
    assert DATA.history is not None
    told = drive(SPEC, DATA.history(MM, "1m", DAY, DAY, SESSION, CTX), [clocked])
    assert told.result == [Candle(at(9, 15), 11.0, 12.0, 10.0, 11.5, 7, 5)]
    for damage in ({"time": "x"}, {"time": ""}, {"ssboe": "-5"}):
        with pytest.raises(Unknown):
            drive(SPEC, DATA.history(MM, "1m", DAY, DAY, SESSION, CTX), [clocked | damage])


def test_days_are_asked_by_name_in_which_nothing_cuts_the_body() -> None:
    """Each row is a text that holds an object (noren.md, 5)."""
    row = (
        '{"time":"21-SEP-2022","into":"2496.75","inth":"2533.00","intl":"2495.00","intc":"2509.75",'
        '"ssboe":"1663718400","intv":"4249172.00"}'
    )
    assert DATA.history is not None
    told = drive(SPEC, DATA.history(MM, "D", DAY, DAY, SESSION, CTX), [row])
    content = told.request.content
    assert content is not None
    assert b'"sym":"NSE:M\\u0026M-EQ"' in content
    assert content.count(b"&") == 1
    assert told.result == [Candle(1_663_718_400, 2496.75, 2533.0, 2495.0, 2509.75, 4_249_172)]
    index = drive(SPEC, DATA.history(NIFTY, "D", DAY, DAY, SESSION, CTX), [row]).request.content
    assert b"NSE:Nifty Financial Services" in (index or b"")


@pytest.mark.parametrize("reply", [["{"], [7], {"stat": "Ok"}, [{"ssboe": "1"}], [bar(at(9, 15), low="nan")]])
def test_damaged_candles_are_no_candles(reply: Any) -> None:
    assert DATA.history is not None
    with pytest.raises(Unknown):
        drive(SPEC, DATA.history(MM, "D", DAY, DAY, SESSION, CTX), reply)


def test_a_day_without_trading_has_none() -> None:
    assert DATA.history is not None
    empty = {"stat": "Not_Ok", "emsg": 'Error Occurred : 5 "no data"'}
    assert drive(SPEC, DATA.history(MM, "1m", DAY, DAY, SESSION, CTX), empty).result == []
