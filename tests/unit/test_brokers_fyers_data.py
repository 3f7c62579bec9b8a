"""Quotes, books and candles on the documentation's samples (fyers.md, 5)."""

from datetime import date

import pytest
from tests.canned import conduct, result

from sangam.brokers.contract import Candle, Ctx, Session
from sangam.brokers.fyers import SPEC
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import Refused, Unknown
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, DepthLevel, Patch

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="fyers", generation=1, secrets={"api_key": "X-100", "access_token": "tok"})
SBIN = Instrument(symbol="SBIN", exchange=Exchange.NSE, brsymbol="NSE:SBIN-EQ", brexchange="nse_cm", token="1")
MAHINDRA = Instrument(symbol="M&M", exchange=Exchange.NSE, brsymbol="NSE:M&M-EQ", brexchange="nse_cm", token="2")
NIFTY = Instrument(
    symbol="NIFTY", exchange=Exchange.NSE_INDEX, brsymbol="NSE:NIFTY50-INDEX", brexchange="nse_cm", token="3",
    instrument_type=InstrumentType.INDEX,
)  # fmt: skip
FUTURE = Instrument(
    symbol="NIFTY25AUG26FUT", exchange=Exchange.NFO, brsymbol="NSE:NIFTY26AUGFUT", brexchange="nse_fo", token="4",
    instrument_type=InstrumentType.FUT, expiry=date(2026, 8, 25),
)  # fmt: skip
assert SPEC.data is not None
DATA = SPEC.data
assert DATA.history is not None
history = DATA.history

QUOTE = {
    "n": "NSE:SBIN-EQ",
    "s": "ok",
    "v": {
        "ch": 1.7, "chp": 0.4, "lp": 426.9, "spread": 0.05, "ask": 426.9, "bid": 426.85, "open_price": 430.5,
        "high_price": 433.65, "low_price": 423.6, "prev_close_price": 425.2, "atp": 428.07, "volume": 38977242,
        "short_name": "SBIN-EQ", "exchange": "NSE", "description": "NSE:SBIN-EQ", "original_name": "NSE:SBIN-EQ",
        "symbol": "NSE:SBIN-EQ", "fyToken": "10100000003045", "tt": "1622160000",
    },
}  # fmt: skip
BOOK = {
    "totalbuyqty": 2396063, "totalsellqty": 4990001, "bids": [{"price": 427.25, "volume": 4738, "ord": 5}],
    "ask": [{"price": 427.4, "volume": 2193, "ord": 4}, {"price": 0, "volume": 0, "ord": 0}], "o": 430.5, "h": 433.65,
    "l": 423.6, "c": 425.2, "chp": 0.48, "tick_Size": 0.05, "ch": 2.05, "ltq": 20, "ltt": 1622184920, "ltp": 427.25,
    "v": 39163870, "atp": 428.07, "lower_ckt": 382.7, "upper_ckt": 467.7, "expiry": "", "oi": 0, "oiflag": False,
    "pdoi": 0, "oipercent": 0.0,
}  # fmt: skip
CANDLES = {
    "s": "ok",
    "candles": [[1621814400, 417.0, 419.2, 405.3, 412.05, 142964052], [1621900800, 415, 415, 408, 412, 5]],
}


def test_several_are_asked_for_at_once() -> None:
    strange = {"n": "NSE:M&M-EQ", "s": "error", "v": {"code": -300, "errmsg": "invalid symbol provided"}}
    unasked = QUOTE | {"n": "NSE:TCS-EQ"}
    operation = DATA.quotes([SBIN, MAHINDRA], SESSION, CTX)
    (request,), found = conduct(SPEC, operation, (200, {"s": "ok", "code": 200, "d": [strange, QUOTE, unasked]}))
    assert (request.path, request.query) == ("/data/quotes", {"symbols": "NSE:SBIN-EQ,NSE:M&M-EQ"})
    fields = {
        "ltp": 426.9, "open": 430.5, "high": 433.65, "low": 423.6, "close": 425.2, "volume": 38977242,
        "bid_price": 426.85, "ask_price": 426.9, "avg_trade_price": 428.07,
    }  # fmt: skip
    assert found == [Patch(SBIN, fields)]  # type: ignore[arg-type]
    assert DATA.quote_batch == 50


def test_one_has_its_book_and_all_the_rest() -> None:
    (request,), found = conduct(SPEC, DATA.quotes([SBIN], SESSION, CTX), (200, {"s": "ok", "d": {"NSE:SBIN-EQ": BOOK}}))
    assert (request.path, request.query) == ("/data/depth", {"symbol": "NSE:SBIN-EQ", "ohlcv_flag": 1})
    fields = {
        "ltp": 427.25, "open": 430.5, "high": 433.65, "low": 423.6, "close": 425.2, "volume": 39163870,
        "ltt": 1_622_184_920_000, "last_trade_quantity": 20, "avg_trade_price": 428.07, "total_buy_quantity": 2396063,
        "total_sell_quantity": 4990001, "lower_circuit": 382.7, "upper_circuit": 467.7,
    }  # fmt: skip
    depth = Depth([DepthLevel(427.25, 4738, 5)], [DepthLevel(427.4, 2193, 4)])
    assert found == [Patch(SBIN, fields, depth, True)]  # type: ignore[arg-type]
    assert DATA.depth_batch == 1


def test_an_index_has_no_book_to_ask_for() -> None:
    index = QUOTE | {"n": "NSE:NIFTY50-INDEX", "v": {"lp": 24383.6, "bid": 0, "ask": 0, "atp": 0, "volume": 0}}
    (request,), found = conduct(SPEC, DATA.quotes([NIFTY], SESSION, CTX), (200, {"s": "ok", "d": [index]}))
    assert (request.path, found) == ("/data/quotes", [Patch(NIFTY, {"ltp": 24383.6})])


def test_what_fyers_does_not_know_is_missing() -> None:
    for code in (-300, -310):
        answer = (400, {"s": "error", "code": code, "message": "Invalid symbol provided"})
        assert result(SPEC, DATA.quotes([SBIN], SESSION, CTX), answer) == []
    assert result(SPEC, DATA.quotes([SBIN], SESSION, CTX), (200, {"s": "ok", "d": {}})) == []
    with pytest.raises(Refused):
        result(SPEC, DATA.quotes([SBIN], SESSION, CTX), (400, {"s": "error", "code": -50, "message": "Invalid input"}))


@pytest.mark.parametrize("answer", [{"s": "ok"}, {"s": "ok", "d": 7}, {"s": "ok", "d": {"NSE:SBIN-EQ": {"ltp": 1}}}])
def test_damaged_answers_are_unknown(answer: dict[str, object]) -> None:
    for instruments in ([SBIN], [SBIN, MAHINDRA]):
        with pytest.raises(Unknown):
            result(SPEC, DATA.quotes(instruments, SESSION, CTX), (200, answer))


def test_candles() -> None:
    days = date(2021, 5, 24), date(2021, 5, 25)
    (request,), found = conduct(SPEC, history(SBIN, "D", *days, SESSION, CTX), (200, CANDLES))
    assert (request.path, request.query) == (
        "/data/history",
        {
            "symbol": "NSE:SBIN-EQ", "resolution": "1D", "date_format": 1, "range_from": "2021-05-24",
            "range_to": "2021-05-25", "cont_flag": 0, "oi_flag": 0,
        },
    )  # fmt: skip
    assert found[0] == Candle(1621814400, 417.0, 419.2, 405.3, 412.05, 142964052)
    with_oi = {"s": "ok", "candles": [[1621828800, 1.0, 2.0, 0.5, 1.5, 10, 77]]}
    (request,), (bar,) = conduct(SPEC, history(FUTURE, "15m", *days, SESSION, CTX), (200, with_oi))
    assert (request.query["resolution"], request.query["oi_flag"]) == ("15", 1)  # type: ignore[index]
    assert bar == Candle(1621828800, 1.0, 2.0, 0.5, 1.5, 10, 77)


def test_no_candles_are_no_error() -> None:
    days = date(2021, 5, 22), date(2021, 5, 23)
    assert result(SPEC, history(SBIN, "1m", *days, SESSION, CTX), (200, {"s": "no_data", "candles": []})) == []
    assert result(SPEC, history(SBIN, "1m", *days, SESSION, CTX), (200, {"s": "no_data"})) == []
    with pytest.raises(Refused):
        result(SPEC, history(SBIN, "1m", *days, SESSION, CTX), (400, {"s": "error", "code": -300, "message": "no"}))
