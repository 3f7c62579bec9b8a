"""Quotes and candles by request, on the documentation's samples."""

from datetime import date
from typing import Any

import pytest
from tests.canned import Canned, drive

from sangam.brokers.angel import SPEC
from sangam.brokers.contract import Candle, Ctx, Session
from sangam.model.enums import Exchange
from sangam.model.errors import RateLimited, Unknown
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, DepthLevel

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="angel", generation=1)
SBIN = Instrument(symbol="SBIN", exchange=Exchange.NSE, brsymbol="SBIN-EQ", brexchange="NSE", token="3045")
NIFTY = Instrument(symbol="NIFTY", exchange=Exchange.NSE_INDEX, brsymbol="Nifty 50", brexchange="NSE", token="99926000")
FUTURE = Instrument(
    symbol="NIFTY28JUL26FUT",
    exchange=Exchange.NFO,
    brsymbol="NIFTY28JUL26FUT",
    brexchange="NFO",
    token="3045",
    expiry=date(2026, 7, 28),
)
ROW = {
    "exchange": "NSE", "tradingSymbol": "SBIN-EQ", "symbolToken": "3045", "ltp": 568.2, "open": 567.4, "high": 569.35,
    "low": 566.1, "close": 567.4, "lastTradeQty": 1, "exchFeedTime": "21-Jun-2023 10:46:10",
    "exchTradeTime": "21-Jun-2023 10:46:09", "netChange": 0.8, "percentChange": 0.14, "avgPrice": 567.83,
    "tradeVolume": 3556150, "opnInterest": 0, "lowerCircuit": 510.7, "upperCircuit": 624.1, "totBuyQuan": 839549,
    "totSellQuan": 1284767, "52WeekLow": 430.7, "52WeekHigh": 629.55,
    "depth": {"buy": [{"price": 568.2, "quantity": 511, "orders": 2}, {"price": 0, "quantity": 0, "orders": 0}],
              "sell": [{"price": 568.25, "quantity": 3348, "orders": 5}]},
}  # fmt: skip
assert SPEC.data is not None
DATA = SPEC.data
assert DATA.history is not None
history = DATA.history


def success(data: Any) -> dict[str, Any]:
    return {"status": True, "message": "SUCCESS", "errorcode": "", "data": data}


def test_a_quote() -> None:
    told = drive(SPEC, DATA.quotes([SBIN], SESSION, CTX), success({"fetched": [ROW], "unfetched": []}))
    assert told.request.json == {"mode": "FULL", "exchangeTokens": {"NSE": ["3045"]}}
    assert (told.request.method, told.request.effect) == ("POST", "read")
    (patch,) = told.result
    assert patch.key is SBIN
    assert patch.full
    assert patch.fields == {
        "ltp": 568.2,
        "open": 567.4,
        "high": 569.35,
        "low": 566.1,
        "close": 567.4,
        "volume": 3556150,
        "last_trade_quantity": 1,
        "avg_trade_price": 567.83,
        "total_buy_quantity": 839549,
        "total_sell_quantity": 1284767,
        "lower_circuit": 510.7,
        "upper_circuit": 624.1,
        "ltt": 1687324569000,
        "timestamp": 1687324570000,
    }
    assert patch.depth == Depth([DepthLevel(568.2, 511, 2)], [DepthLevel(568.25, 3348, 5)])


def test_tokens_are_asked_for_and_told_by_segment() -> None:
    rows = [
        ROW | {"exchange": "NFO", "opnInterest": "65"},
        ROW | {"symbolToken": "99926000"},
        ROW | {"symbolToken": "9"},
    ]
    operation = DATA.quotes([SBIN, NIFTY, FUTURE], SESSION, CTX)
    told = drive(SPEC, operation, success({"fetched": rows, "unfetched": [{"symbolToken": "3045"}]}))
    assert told.request.json["exchangeTokens"] == {"NSE": ["3045", "99926000"], "NFO": ["3045"]}
    future, index = told.result
    assert (future.key, future.fields["oi"]) == (FUTURE, 65)
    assert index.key is NIFTY
    assert index.fields.keys() == {"ltp", "open", "high", "low", "close", "ltt", "timestamp"}


def test_nothing_found_is_nothing() -> None:
    nothing: tuple[Any, ...] = ({"fetched": [], "unfetched": []}, {"fetched": None}, {})
    for data in nothing:
        assert drive(SPEC, DATA.quotes([SBIN], SESSION, CTX), success(data)).result == []


@pytest.mark.parametrize("data", [None, [], {"fetched": [{"exchange": "NSE"}]}, {"fetched": [ROW | {"ltp": None}]}])
def test_quotes_in_another_form_are_unknown(data: Any) -> None:
    with pytest.raises(Unknown):
        drive(SPEC, DATA.quotes([SBIN], SESSION, CTX), success(data))


CANDLE = ["2023-09-06T11:15:00+05:30", 19571.2, 19573.35, 19534.4, 19552.05, 0]


def test_candles() -> None:
    operation = history(NIFTY, "1h", date(2023, 9, 6), date(2023, 9, 7), SESSION, CTX)
    told = drive(SPEC, operation, success([CANDLE]))
    assert told.request.json == {
        "exchange": "NSE",
        "symboltoken": "99926000",
        "interval": "ONE_HOUR",
        "fromdate": "2023-09-06 00:00",
        "todate": "2023-09-07 23:59",
    }
    assert told.result == [Candle(1693979100, 19571.2, 19573.35, 19534.4, 19552.05, 0)]


def test_days_begin_at_midnight_utc() -> None:
    row = ["2023-09-06T00:00:00+05:30", *CANDLE[1:]]
    told = drive(SPEC, history(SBIN, "D", date(2023, 9, 6), date(2023, 9, 6), SESSION, CTX), success([row]))
    assert told.result[0].timestamp == 1693958400


def test_contracts_have_their_open_interest() -> None:
    later = ["2023-09-06T11:16:00+05:30", *CANDLE[1:]]
    interest = [{"time": CANDLE[0], "oi": 166100}]
    operation = history(FUTURE, "1m", date(2023, 9, 6), date(2023, 9, 6), SESSION, CTX)
    told = drive(SPEC, operation, success([CANDLE, later]), success(interest))
    assert [request.path.rpartition("/")[2] for request in told.requests] == ["getCandleData", "getOIData"]
    assert [bar.oi for bar in told.result] == [166100, 0]


@pytest.mark.parametrize("data", [None, []])
def test_no_candles_are_no_error(data: Any) -> None:
    told = drive(SPEC, history(SBIN, "1m", date(2023, 9, 2), date(2023, 9, 3), SESSION, CTX), success(data))
    assert told.result == []


@pytest.mark.parametrize("data", [{}, [[]], [["soon", 1, 1, 1, 1, 1]], [CANDLE[:3]]])
def test_candles_in_another_form_are_unknown(data: Any) -> None:
    with pytest.raises(Unknown):
        drive(SPEC, history(SBIN, "1m", date(2023, 9, 6), date(2023, 9, 6), SESSION, CTX), success(data))


def test_too_many_questions() -> None:
    text = Canned("Access denied because of exceeding access rate", 403)
    with pytest.raises(RateLimited):
        drive(SPEC, DATA.quotes([SBIN], SESSION, CTX), text)
