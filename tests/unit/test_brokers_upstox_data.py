"""Quotes and candles by request: what is asked, and what the documentation's samples tell."""

from datetime import date, datetime
from typing import Any

import pytest
from tests.canned import drive

from sangam.brokers.contract import Candle, Ctx, Operation, Session
from sangam.brokers.upstox import SPEC
from sangam.model.clock import IST
from sangam.model.enums import Exchange
from sangam.model.errors import Unknown
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, DepthLevel, Patch

TODAY = date(2026, 8, 18)
CTX = Ctx(int(datetime(2026, 8, 18, 10, 0, tzinfo=IST).timestamp() * 1000), bytes)
SESSION = Session(account="a1", broker="upstox", generation=1, secrets={"access_token": "tok"})
NHPC = Instrument(
    symbol="NHPC", exchange=Exchange.NSE, brsymbol="NHPC", brexchange="NSE_EQ", token="NSE_EQ|INE848E01016"
)
USDINR = Instrument(
    symbol="USDINR26AUG26FUT", exchange=Exchange.CDS, brsymbol="USDINR FUT 26 AUG 26", brexchange="NCD_FO",
    token="NCD_FO|14294", tick_size=0.0025,
)  # fmt: skip
assert SPEC.data is not None
DATA = SPEC.data

QUOTE: dict[str, Any] = {
    "ohlc": {"open": 53.4, "high": 53.8, "low": 51.75, "close": 52.05},
    "depth": {
        "buy": [{"quantity": 100, "price": 52.0, "orders": 3}, {"quantity": 0, "price": 0, "orders": 0}],
        "sell": [{"quantity": 7, "price": 52.05, "orders": 1}],
    },
    "timestamp": "2023-10-19T05:21:51.099+05:30",
    "instrument_token": "NSE_EQ|INE848E01016",
    "symbol": "NHPC",
    "last_price": 52.05,
    "volume": 24123697,
    "average_price": 52.41,
    "oi": 0,
    "net_change": -1.05,
    "total_buy_quantity": 100.0,
    "total_sell_quantity": None,
    "lower_circuit_limit": 46.85,
    "upper_circuit_limit": 57.25,
    "last_trade_time": "1697624972130",
    "oi_day_high": 0,
    "oi_day_low": 0,
}


def quotes(*instruments: Instrument) -> Operation[list[Patch]]:
    return DATA.quotes(instruments, SESSION, CTX)


def test_a_quote_is_known_by_the_key_inside() -> None:
    """The answer goes by another name; the close of its day is not yesterday's, which the change tells."""
    told = {"status": "success", "data": {"NSE_EQ:NHPC": QUOTE, "NSE_EQ:OTHER": QUOTE | {"instrument_token": "x"}}}
    (patch,), (request,) = drive(SPEC, quotes(NHPC, USDINR), told)
    assert request.query == {"instrument_key": "NSE_EQ|INE848E01016,NCD_FO|14294"}
    assert (request.path, request.lane) == ("/v2/market-quote/quotes", "quote")
    assert patch.key == NHPC
    assert patch.fields == {
        "ltp": 52.05,
        "open": 53.4,
        "high": 53.8,
        "low": 51.75,
        "close": 53.1,
        "volume": 24123697,
        "oi": 0,
        "avg_trade_price": 52.41,
        "total_buy_quantity": 100,
        "lower_circuit": 46.85,
        "upper_circuit": 57.25,
        "oi_day_high": 0,
        "oi_day_low": 0,
        "ltt": 1697624972130,
        "timestamp": 1697673111099,
    }
    assert patch.depth == Depth([DepthLevel(52.0, 100, 3)], [DepthLevel(52.05, 7, 1)])


def test_a_currency_keeps_its_decimals() -> None:
    quote = QUOTE | {"instrument_token": "NCD_FO|14294", "last_price": 86.3725, "net_change": 0.0575}
    (patch,), _ = drive(SPEC, quotes(USDINR), {"status": "success", "data": {"NCD_FO:USDINR26AUGFUT": quote}})
    assert patch.fields["close"] == 86.315


def test_what_is_not_told_is_absent() -> None:
    bare = {"instrument_token": NHPC.token, "last_price": 52.05, "net_change": None, "volume": None, "ohlc": None}
    (patch,), _ = drive(SPEC, quotes(NHPC), {"status": "success", "data": {"NSE_EQ:NHPC": bare}})
    assert patch.fields == {"ltp": 52.05}
    for moment in ("", "0", "later", "٣" * 13, "1" * 40):
        told = bare | {"last_trade_time": moment, "timestamp": "later"}
        found, _ = drive(SPEC, quotes(NHPC), {"status": "success", "data": {"NSE_EQ:NHPC": told}})
        assert found[0].fields == {"ltp": 52.05}


@pytest.mark.parametrize("data", [[], {"a": 1}, {"a": {}}, {"a": {"instrument_token": "x", "last_price": None}}])
def test_damaged_quotes(data: Any) -> None:
    with pytest.raises(Unknown):
        drive(SPEC, quotes(NHPC), {"status": "success", "data": data})


# --- candles ----------------------------------------------------------------------------------------------------------


def history(interval: str, first: date, last: date) -> Operation[list[Candle]]:
    assert DATA.history is not None
    return DATA.history(NHPC, interval, first, last, SESSION, CTX)


def bars(*rows: list[Any]) -> dict[str, Any]:
    return {"status": "success", "data": {"candles": list(rows)}}


PRICES = [53.1, 53.95, 51.6, 52.05, 235519861, 0]


def test_days_before_today_are_one_question_newest_first() -> None:
    told = bars(["2026-08-14T00:00:00+05:30", *PRICES], ["2026-08-13T00:00:00+05:30", *PRICES])
    found, (request,) = drive(SPEC, history("D", date(2026, 8, 10), date(2026, 8, 16)), told)
    assert request.path == "/v3/historical-candle/NSE_EQ%7CINE848E01016/days/1/2026-08-16/2026-08-10"
    assert request.lane == "historical"
    assert [candle.timestamp for candle in found] == [1_786_579_200, 1_786_665_600]
    assert found[0] == Candle(1_786_579_200, 53.1, 53.95, 51.6, 52.05, 235519861, 0)


def test_today_is_another_question() -> None:
    now = bars(["2026-08-18T09:20:00+05:30", *PRICES], ["2026-08-18T09:15:00+05:30", *PRICES])
    found, (request,) = drive(SPEC, history("5m", TODAY, TODAY), now)
    assert request.path == "/v3/historical-candle/intraday/NSE_EQ%7CINE848E01016/minutes/5"
    assert len(found) == 2


def test_a_span_up_to_today_asks_both_side_by_side_and_no_bar_is_doubled() -> None:
    before = bars(["2026-08-18T09:15:00+05:30", *PRICES], ["2026-08-17T15:25:00+05:30", *PRICES])
    now = bars(["2026-08-18T09:20:00+05:30", *PRICES], ["2026-08-18T09:15:00+05:30", *PRICES])
    found, requests = drive(SPEC, history("5m", date(2026, 8, 17), TODAY), before, now)
    assert [request.path.rpartition("minutes/5")[2] for request in requests] == ["/2026-08-17/2026-08-17", ""]
    begins = [candle.timestamp for candle in found]
    assert begins == sorted(set(begins))
    assert len(begins) == 3


def test_bars_of_another_day_are_left_out() -> None:
    """On a Sunday the question about today may be answered with Friday."""
    found, _ = drive(SPEC, history("5m", TODAY, TODAY), bars(["2026-08-17T15:25:00+05:30", *PRICES]))
    assert found == []


def test_every_interval_fits_the_brokers_spans() -> None:
    spans = {name: interval.days for name, interval in DATA.intervals.items()}
    assert all(spans[name] <= 28 for name in ("1m", "3m", "5m", "10m", "15m"))
    assert all(spans[name] <= 90 for name in ("30m", "1h"))
    assert spans["D"] <= 3652


@pytest.mark.parametrize(
    "row", [["2026-08-17Tnoon", *PRICES], ["2026-08-17", 1, 2], None, ["2026-08-17T09:15:00+05:30"]]
)
def test_damaged_candles(row: Any) -> None:
    with pytest.raises(Unknown):
        drive(SPEC, history("5m", date(2026, 8, 17), date(2026, 8, 17)), bars(row))
