"""IIFL Capital: quotes, books, open interest and candles by request."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from tests.canned import Canned, drive

from sangam.brokers.contract import Candle, Ctx, Session
from sangam.brokers.iiflcapital import SPEC
from sangam.model.enums import Exchange
from sangam.model.errors import BrokerError, RateLimited, Refused, Unknown
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, DepthLevel

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="iiflcapital", generation=1)
INFY = Instrument(symbol="INFY", exchange=Exchange.NSE, brsymbol="INFY-EQ", brexchange="NSEEQ", token="1594")
NIFTY = Instrument(
    symbol="NIFTY", exchange=Exchange.NSE_INDEX, brsymbol="Nifty 50", brexchange="NSEEQ", token="999920010"
)
FUTURE = Instrument(
    symbol="NIFTY31OCT24FUT", exchange=Exchange.NFO, brsymbol="NIFTY24OCTFUT", brexchange="NSEFO", token="35382",
    expiry=date(2024, 10, 31),
)  # fmt: skip
ROW = {
    "exchange": "NSEEQ", "instrumentId": 1594, "ltp": 1890.5, "lastTradedQuantity": 3, "averageTradedPrice": 1888.2,
    "tradedVolume": 512345, "open": 1880, "high": 1899.9, "low": 1875.05, "close": 1879.4, "bestBidPrice": 1890.4,
    "bestBidQuantity": 10, "bestAskPrice": 1890.6, "bestAskQuantity": 20, "totalBidQuantity": 1000,
    "totalAskQuantity": 2000, "tickTimestamp": "19-Sep-2024 09:15:00",
}  # fmt: skip
DEPTH = {
    "marketDepth": {"bids": [{"price": 1890.4, "quantity": 10, "orders": 2}, {"price": 0, "quantity": 0, "orders": 0}],
                    "asks": [{"price": 1890.6, "quantity": 20, "orders": 1}]},
    "totalBidQuantity": 1000, "totalAskQuantity": 2000,
}  # fmt: skip
assert SPEC.data is not None
DATA = SPEC.data
assert DATA.history is not None
history = DATA.history


def ok(result: Any) -> dict[str, Any]:
    return {"status": "Ok", "message": "Success", "result": result}


def test_one_share_is_told_with_its_book() -> None:
    told = drive(SPEC, DATA.quotes([INFY], SESSION, CTX), ok([ROW]), ok(DEPTH))
    quotes, depth = told.requests
    assert quotes.json == [{"exchange": "NSEEQ", "instrumentId": "1594"}]
    assert (quotes.method, quotes.path, quotes.effect) == ("POST", "/marketdata/marketquotes", "read")
    assert (depth.path, depth.json) == ("/marketdata/marketdepth", {"exchange": "NSEEQ", "instrumentId": "1594"})
    (patch,) = told.result
    assert patch.key is INFY
    assert patch.fields == {
        "ltp": 1890.5, "open": 1880.0, "high": 1899.9, "low": 1875.05, "close": 1879.4, "volume": 512345,
        "last_trade_quantity": 3, "avg_trade_price": 1888.2, "bid_price": 1890.4, "bid_size": 10,
        "ask_price": 1890.6, "ask_size": 20, "total_buy_quantity": 1000, "total_sell_quantity": 2000,
        "timestamp": 1_726_717_500_000,
    }  # fmt: skip
    assert patch.depth == Depth([DepthLevel(1890.4, 10, 2)], [DepthLevel(1890.6, 20, 1)])


@pytest.mark.parametrize("wrap", [ok, lambda told: told | {"status": "Ok"}])
def test_a_derivative_is_told_with_its_open_interest(wrap: Any) -> None:
    row = ROW | {"exchange": "NSEFO", "instrumentId": "35382"}
    interest = wrap({"openInterest": 5000, "dayHighOi": 6000, "dayLowOi": 4000})
    told = drive(SPEC, DATA.quotes([FUTURE], SESSION, CTX), ok([row]), ok(DEPTH), interest)
    fields = told.result[0].fields
    assert (fields["oi"], fields["oi_day_high"], fields["oi_day_low"]) == (5000, 6000, 4000)


def test_a_price_stands_without_what_is_refused_beside_it() -> None:
    row, no = ROW | {"exchange": "NSEFO", "instrumentId": "35382"}, Canned({"status": "EC946", "message": "no"}, 400)
    (patch,) = drive(SPEC, DATA.quotes([FUTURE], SESSION, CTX), ok([row]), no, no).result
    assert patch.depth is None
    assert "oi" not in patch.fields
    with pytest.raises(RateLimited):
        drive(SPEC, DATA.quotes([FUTURE], SESSION, CTX), ok([row]), Canned("", 429))


def test_several_are_told_by_one_call_and_strangers_are_missing() -> None:
    index = {"exchange": "NSEEQ", "instrumentId": 999920010, "ltp": 25000.5, "open": 1, "high": 1, "low": 1, "close": 1}
    index |= {"tradedVolume": 0, "bestBidPrice": 0, "bestBidQuantity": 0}
    rows = [index, {"status": "EC947", "message": "Invalid instrumentId"}]
    told = drive(SPEC, DATA.quotes([INFY, NIFTY], SESSION, CTX), ok(rows))
    (patch,) = told.result
    assert patch.key is NIFTY
    assert patch.fields == {"ltp": 25000.5, "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}


@pytest.mark.parametrize("payload", [ok({}), ok(None), ok([ROW | {"ltp": "nan"}]), ok([1]), {"status": "Ok"}])
def test_a_damaged_answer_is_no_quote(payload: Any) -> None:
    with pytest.raises(Unknown):
        drive(SPEC, DATA.quotes([INFY], SESSION, CTX), payload)


# --- candles ----------------------------------------------------------------------------------------------------------

BARS = [["2024-11-11T09:16:00", 2, 4, 1, 3, 20], ["2024-11-11T09:15:00", 1, 3, 1, 2, 10]]
DAY = date(2024, 11, 11)


@pytest.mark.parametrize("bars", [BARS, json.dumps(BARS)])
def test_candles_come_as_a_list_or_as_a_text_of_one(bars: Any) -> None:
    told = drive(SPEC, history(INFY, "1m", DAY, DAY, SESSION, CTX), ok([{"candles": bars}]))
    assert told.request.json == {
        "exchange": "NSEEQ", "instrumentId": "1594", "interval": "1 minute", "fromDate": "11-Nov-2024",
        "toDate": "11-Nov-2024",
    }  # fmt: skip
    begin = 1_731_296_700
    assert told.result == [Candle(begin, 1.0, 3.0, 1.0, 2.0, 10), Candle(begin + 60, 2.0, 4.0, 1.0, 3.0, 20)]


def test_a_day_begins_at_midnight_utc_of_its_date() -> None:
    bars = [["2024-11-11T00:00:00", 1, 3, 1, 2, 10]]
    told = drive(SPEC, history(INFY, "D", DAY, DAY, SESSION, CTX), ok([{"candles": bars}]))
    assert [bar.timestamp for bar in told.result] == [1_731_283_200]


def test_a_span_that_is_too_long_is_halved() -> None:
    too_long = Canned({"status": "EC809", "message": "Date range is too long"}, 400)
    first, last = DAY - timedelta(days=2), DAY
    no_bars = ok([{"candles": []}])
    told = drive(SPEC, history(INFY, "1m", first, last, SESSION, CTX), too_long, no_bars, ok([{"candles": BARS}]))
    assert len(told.result) == 2
    spans = [(request.json["fromDate"], request.json["toDate"]) for request in told.requests]
    assert spans == [
        ("09-Nov-2024", "11-Nov-2024"), ("09-Nov-2024", "10-Nov-2024"), ("11-Nov-2024", "11-Nov-2024")
    ]  # fmt: skip
    with pytest.raises(Refused):
        drive(SPEC, history(INFY, "1m", DAY, DAY, SESSION, CTX), too_long)


@pytest.mark.parametrize(
    "payload",
    [
        ok([]), ok([{}]), ok([{"candles": "{"}]), ok([{"candles": "{}"}]), ok([{"candles": [["soon", 1, 1, 1, 1, 1]]}]),
        ok([{"status": "EC947", "message": "Invalid instrumentId"}]), ok([{"candles": None}]),
    ],
)  # fmt: skip
def test_damaged_candles_are_none(payload: Any) -> None:
    with pytest.raises(BrokerError):
        drive(SPEC, history(INFY, "1m", DAY, DAY, SESSION, CTX), payload)
