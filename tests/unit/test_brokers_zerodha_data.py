"""Quotes and candles: what is asked, and the official mocks read back."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import shared_data

from sangam.brokers.contract import Candle, Ctx, Operation, Reply, Request, Session
from sangam.brokers.rows import milliseconds
from sangam.brokers.zerodha import SPEC
from sangam.model.clock import IST
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import Unknown
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, DepthLevel, Patch

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="zerodha", generation=1, secrets={"api_key": "key", "access_token": "tok"})
INFY = Instrument(symbol="INFY", exchange=Exchange.NSE, brsymbol="INFY", brexchange="NSE", token="408065::::1594")
NIFTY = Instrument(
    symbol="NIFTY",
    exchange=Exchange.NSE_INDEX,
    brsymbol="NIFTY 50",
    brexchange="NSE",
    token="256265::::1001",
    instrument_type=InstrumentType.INDEX,
)
FUTURE = Instrument(
    symbol="NIFTY26DEC19FUT",
    exchange=Exchange.NFO,
    brsymbol="NIFTY19DECFUT",
    brexchange="NFO",
    token="12345858::::48226",
    instrument_type=InstrumentType.FUT,
    expiry=date(2019, 12, 26),
)
DATA = SPEC.data
assert DATA is not None
assert DATA.history is not None
ask_quotes, ask_history, INTERVALS = DATA.quotes, DATA.history, DATA.intervals


def asked(operation: Operation[Any]) -> Request:
    request = next(operation)
    assert isinstance(request, Request)
    return request


def answer(operation: Operation[Any], envelope: Any) -> Any:
    """What an operation makes of one reply."""
    request = asked(operation)
    with pytest.raises(StopIteration) as stop:
        operation.send(SPEC.check(request, Reply(200, {}, envelope)))
    return stop.value.value


def success(data: Any) -> dict[str, Any]:
    return {"status": "success", "data": data}


def mock(name: str) -> Any:
    return json.loads(shared_data("zerodha", "mocks", name).read_text())


def candles(interval: str, envelope: Any, instrument: Instrument = INFY) -> list[Candle]:
    day = date(2017, 12, 15)
    found: list[Candle] = answer(ask_history(instrument, interval, day, day, SESSION, CTX), envelope)
    return found


def test_quotes_are_asked_by_name_in_their_lane() -> None:
    request = asked(ask_quotes([INFY, NIFTY], SESSION, CTX))
    assert (request.method, request.path, request.lane, request.effect) == ("GET", "/quote", "quote", "read")
    assert request.query == {"i": ["NSE:INFY", "NSE:NIFTY 50"]}
    assert SPEC.data is not None
    assert SPEC.data.quote_batch == 500


def test_the_official_quote() -> None:
    (patch,) = answer(ask_quotes([INFY, NIFTY], SESSION, CTX), mock("quote.json"))
    assert patch == Patch(
        INFY,
        {
            "ltp": 1412.95,
            "open": 1396.0,
            "high": 1421.75,
            "low": 1395.55,
            "close": 1389.65,
            "volume": 7360198,
            "oi": 0,
            "last_trade_quantity": 5,
            "avg_trade_price": 1412.47,
            "total_buy_quantity": 0,
            "total_sell_quantity": 5191,
            "oi_day_high": 0,
            "oi_day_low": 0,
            "lower_circuit": 1250.7,
            "upper_circuit": 1528.6,
            "ltt": int(datetime(2021, 6, 8, 15, 45, 52, tzinfo=IST).timestamp() * 1000),
            "timestamp": int(datetime(2021, 6, 8, 15, 45, 56, tzinfo=IST).timestamp() * 1000),
        },
        Depth([], [DepthLevel(1412.95, 5191, 13)]),
        True,
    )


def test_what_an_index_does_not_tell_is_absent() -> None:
    row = {
        "instrument_token": 256265,
        "timestamp": "2021-06-08 15:45:56",
        "last_trade_time": None,
        "last_price": 15740.1,
        "net_change": 0,
        "ohlc": {"open": 15773.9, "high": 15778.8, "low": 15680, "close": 15751.65},
    }
    (patch,) = answer(ask_quotes([NIFTY], SESSION, CTX), success({"NSE:NIFTY 50": row}))
    assert patch.fields.keys() == {"ltp", "open", "high", "low", "close", "timestamp"}
    assert patch.depth == Depth([], [])


@pytest.mark.parametrize("name", ["ltp.json", "ohlc.json"])
def test_shorter_quotes_are_read_too(name: str) -> None:
    (patch,) = answer(ask_quotes([INFY], SESSION, CTX), mock(name))
    assert (patch.key, patch.fields["ltp"]) == (INFY, 1075.0 if name == "ohlc.json" else 1074.35)


def test_unknown_instruments_are_missing() -> None:
    for data in ({}, None, {"NSE:OTHER": {"last_price": 1}}):
        assert answer(ask_quotes([INFY], SESSION, CTX), success(data)) == []


@pytest.mark.parametrize("data", [[], "no", 7, {"NSE:INFY": None}, {"NSE:INFY": {}}, {"NSE:INFY": {"last_price": "x"}}])
def test_an_odd_quote_is_unknown(data: Any) -> None:
    operation = ask_quotes([INFY], SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown):
        operation.send(data)


def test_history_is_asked_in_india_time() -> None:
    request = asked(ask_history(FUTURE, "15m", date(2019, 12, 2), date(2019, 12, 4), SESSION, CTX))
    assert request.path == "/instruments/historical/12345858/15minute"
    assert request.query == {"from": "2019-12-02 00:00:00", "to": "2019-12-04 23:59:59", "oi": 1}
    assert (request.lane, request.effect) == ("historical", "read")
    share = asked(ask_history(INFY, "D", date(2019, 12, 2), date(2019, 12, 4), SESSION, CTX))
    assert share.path == "/instruments/historical/408065/day"
    assert share.query is not None
    assert share.query["oi"] == 0


def test_every_interval_has_kites_span() -> None:
    table = {name: (interval.native, interval.days) for name, interval in INTERVALS.items()}
    assert table == {
        "1m": ("minute", 60),
        "3m": ("3minute", 100),
        "5m": ("5minute", 100),
        "10m": ("10minute", 100),
        "15m": ("15minute", 200),
        "30m": ("30minute", 200),
        "1h": ("60minute", 400),
        "D": ("day", 2000),
    }


def test_the_official_minutes() -> None:
    found = candles("1m", mock("historical_minute.json"))
    begin = int(datetime(2017, 12, 15, 3, 45, tzinfo=UTC).timestamp())
    assert found[0] == Candle(begin, 1704.5, 1705.0, 1699.25, 1702.8, 2499, 0)
    assert [candle.timestamp - begin for candle in found] == list(range(0, 60 * len(found), 60))
    with_oi = candles("1m", mock("historical_oi.json"), FUTURE)
    assert (with_oi[0].volume, with_oi[0].oi) == (163275, 13667775)


def test_a_day_begins_at_midnight_utc_of_its_date() -> None:
    (found,) = candles("D", success({"candles": [["2025-04-01T00:00:00+0530", 1, 2, 0.5, 1.5, 10]]}))
    assert found == Candle(1743465600, 1.0, 2.0, 0.5, 1.5, 10)


def test_no_candles() -> None:
    assert candles("1m", success({"candles": []})) == []


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"candles": None},
        {"candles": [["2017-12-15T09:15:00+0530", 1, 2, 3]]},
        {"candles": [["yesterday", 1, 2, 3, 4, 5]]},
        {"candles": [[1513309500, 1, 2, 3, 4, 5]]},
    ],
)
def test_odd_candles_are_unknown(data: Any) -> None:
    operation = ask_history(INFY, "1m", date(2017, 12, 15), date(2017, 12, 15), SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown):
        operation.send(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["candles", "NSE:INFY"]), inner),
    max_leaves=8,
)


@given(json_values)
def test_any_payload_is_read_or_unknown(data: Any) -> None:
    day = date(2017, 12, 15)
    for operation in (ask_quotes([INFY], SESSION, CTX), ask_history(INFY, "1m", day, day, SESSION, CTX)):
        next(operation)
        with pytest.raises((StopIteration, Unknown)):
            operation.send(data)


@pytest.mark.parametrize("text", [None, "", "soon", "09:16:39", "0001-01-01 00:00:00", "2022-13-40 00:00:00"])
def test_an_unreadable_moment_is_zero(text: str | None) -> None:
    assert milliseconds(text) in (0, -62135616600000)
