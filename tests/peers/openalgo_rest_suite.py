"""What a program with the official `openalgo` SDK gets over REST, field by field as the contract has it. Runs in the
SDK's own environment, all checks in one call, and prints what did not hold by the check's name:

    python openalgo_rest_suite.py '{"host": …, "key": …, "broker": …}'"""

import json
import re
import sys
import traceback
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx  # type: ignore[import-not-found,unused-ignore]
import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
from openalgo import api  # type: ignore[import-not-found,unused-ignore]

SETTINGS: dict[str, Any] = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {"host": "", "key": ""}
SHARE = {"symbol": "RELIANCE", "exchange": "NSE"}
INDEX = {"symbol": "NIFTY", "exchange": "NSE_INDEX"}
ROW = [
    "symbol", "brsymbol", "name", "exchange", "brexchange", "token", "expiry", "strike", "lotsize", "instrumenttype",
    "tick_size",
]  # fmt: skip
QUOTE = ["open", "high", "low", "ltp", "ask", "bid", "prev_close", "volume", "oi"]
DEPTH = [
    "open",
    "high",
    "low",
    "ltp",
    "ltq",
    "prev_close",
    "volume",
    "oi",
    "totalbuyqty",
    "totalsellqty",
    "bids",
    "asks",
]
LEG = [
    "symbol", "label", "ltp", "bid", "ask", "bid_qty", "ask_qty", "open", "high", "low", "prev_close", "volume", "oi",
    "lotsize", "tick_size",
]  # fmt: skip
BAR = ["open", "high", "low", "close", "volume", "oi"]
IST = timezone(timedelta(hours=5, minutes=30))
TODAY = datetime.now(IST).date()

client = api(api_key=SETTINGS["key"], host=SETTINGS["host"], timeout=20)


def good(reply: Any, *keys: str) -> Any:
    """A success with exactly these keys beside `status`."""
    assert isinstance(reply, dict), reply
    assert reply.get("status") == "success", reply
    assert set(reply) - {"simulated"} == {"status", *keys}, sorted(reply)  # prices of the simulated market say so
    return reply


def failed(reply: Any, code: int) -> dict[str, Any]:
    """The server's error body behind what the SDK makes of it."""
    assert (reply["status"], reply["error_type"], reply["code"]) == ("error", "http_error", code), reply
    body: dict[str, Any] = json.loads(reply["message"].partition(": ")[2])
    assert body["status"] == "error"
    assert re.fullmatch("[A-Z_]+", body["error_code"]), body
    return body


def numbers(row: dict[str, Any], *names: str) -> None:
    for name in names:
        assert isinstance(row[name], int | float), (name, row)
        assert not isinstance(row[name], bool)


def starts_with(row: dict[str, Any], names: list[str]) -> None:
    """The contract's keys first and in its order, then ours."""
    assert list(row)[: len(names)] == names, list(row)


def raw(path: str, **body: Any) -> Any:
    return httpx.post(f"{SETTINGS['host']}/api/v1/{path}", json={"apikey": SETTINGS["key"], **body}, timeout=20)


def nearest(kind: str = "options") -> str:
    """The nearest expiry as option calls take it."""
    told: str = client.expiry(symbol="NIFTY", exchange="NFO", instrumenttype=kind)["data"][0]
    return told.replace("-", "")


# --- checks -----------------------------------------------------------------------------------------------------------


def check_ping() -> None:
    reply = raw("ping")
    assert (
        reply.content == b'{"status":"success","data":{"message":"pong","broker":"%s"}}' % SETTINGS["broker"].encode()
    )


def check_quotes() -> None:
    data = good(client.quotes(**SHARE), "data")["data"]
    starts_with(data, QUOTE)
    numbers(data, *QUOTE)
    assert data["low"] <= data["ltp"] <= data["high"]
    assert data["bid"] < data["ask"]
    assert data["prev_close"] > 0
    index = good(client.quotes(**INDEX), "data")["data"]
    assert index["ltp"] > 1000
    assert index["bid"] == index["ask"] == index["volume"] == 0


def check_compact_json() -> None:
    """What the AmiBroker plug-in looks for in the text."""
    text = raw("quotes", **SHARE).content
    assert b'"status":"success"' in text
    assert b'"ltp":' in text
    for name in (b"open", b"high", b"low"):
        assert re.search(b'"%s":[0-9.]+,' % name, text), text


def check_quotes_errors() -> None:
    body = failed(client.quotes(symbol="NOPE", exchange="NSE"), 400)
    told = "Symbol 'NOPE' not found for exchange 'NSE'. Please verify the symbol name and ensure master contracts are"
    assert body["message"] == f"{told} downloaded."
    assert body["broker"] == SETTINGS["broker"]
    body = failed(client.quotes(symbol="RELIANCE", exchange="nse"), 400)
    assert body["message"]["exchange"][0].startswith("Must be one of: NSE, ")
    stranger = api(api_key="0" * 64, host=SETTINGS["host"], timeout=20)
    for reply in (stranger.quotes(**SHARE), stranger.depth(**SHARE), stranger.search(query="x")):
        assert failed(reply, 403)["message"] == "Invalid openalgo apikey"


def check_multiquotes() -> None:
    rows = good(client.multiquotes(symbols=[SHARE, INDEX, {"symbol": "NOPE", "exchange": "NSE"}]), "results")["results"]
    assert [row["symbol"] for row in rows] == ["NOPE", "RELIANCE", "NIFTY"]
    assert set(rows[0]) == {"symbol", "exchange", "error"}
    for row in rows[1:]:
        assert set(row) == {"symbol", "exchange", "data"}
        starts_with(row["data"], QUOTE)
        numbers(row["data"], *QUOTE)
    body = failed(client.multiquotes(symbols=[{"symbol": "NOPE", "exchange": "NSE"}]), 400)
    assert body["invalid_symbols"]


def check_depth() -> None:
    data = good(client.depth(**SHARE), "data")["data"]
    starts_with(data, DEPTH)
    numbers(data, *DEPTH[:-2])
    for side in ("bids", "asks"):
        assert len(data[side]) == 5
        for row in data[side]:
            assert list(row) == ["price", "quantity"]
            numbers(row, "price", "quantity")
    assert 0 < data["bids"][0]["price"] < data["asks"][0]["price"]


def history(interval: str, days: int, **where: str) -> Any:
    begin = TODAY - timedelta(days=days)
    frame = client.history(**(where or SHARE), interval=interval, start_date=str(begin), end_date=str(TODAY))
    assert isinstance(frame, pd.DataFrame), frame
    assert list(frame.columns) == BAR
    assert frame.index.name == "timestamp"
    assert frame.index.is_monotonic_increasing
    assert frame.index.is_unique
    assert (frame["low"] <= frame[["open", "close"]].min(axis=1)).all()
    assert (frame["high"] >= frame[["open", "close"]].max(axis=1)).all()
    return frame


def check_history_intraday() -> None:
    frame = history("5m", 10)
    assert str(frame.index.tz) == "Asia/Kolkata"
    first = frame.index[0]
    assert (first.hour, first.minute) == (9, 15), first
    assert set(frame.index.minute % 5) == {0}
    assert (frame["volume"] > 0).any()


def check_history_daily() -> None:
    """Daily bars are at 00:00 UTC of their date, which the SDK shows as that date without a zone."""
    frame = history("D", 40)
    assert frame.index.tz is None
    assert set(frame.index.hour) == {0}
    assert 15 <= len(frame) <= 41
    body = raw("history", **SHARE, interval="D", start_date=str(TODAY - timedelta(days=20)), end_date=str(TODAY)).json()
    assert all(isinstance(bar["timestamp"], int) and bar["timestamp"] % 86_400 == 0 for bar in body["data"])


def check_history_resampled() -> None:
    """Intervals that the broker lacks are made of finer ones."""
    weeks, days = history("W", 28), history("D", 28)
    assert set(weeks.index.dayofweek) == {0}
    assert weeks["high"].max() >= days["high"].max()
    halves, ones = history("2h", 10), history("1h", 10)
    # today's go on, and at night yesterday's last one does
    halves, ones = (frame[frame.index.date < TODAY - timedelta(days=1)] for frame in (halves, ones))
    assert halves["volume"].sum() == ones["volume"].sum()
    assert len(ones) / 2 <= len(halves) < len(ones)


def check_history_of_derivatives() -> None:
    future = client.expiry(symbol="NIFTY", exchange="NFO", instrumenttype="futures")["data"][0].replace("-", "")
    frame = history("D", 20, symbol=f"NIFTY{future}FUT", exchange="NFO")
    assert (frame["oi"] > 0).any()


def check_history_errors() -> None:
    span = {"start_date": str(TODAY), "end_date": str(TODAY)}
    assert "interval" in failed(client.history(**SHARE, interval="7m", **span), 400)["message"]
    assert "NOPE" in failed(client.history(symbol="NOPE", exchange="NSE", interval="D", **span), 400)["message"]
    wrong = {"start_date": str(TODAY), "end_date": str(TODAY - timedelta(days=1))}
    assert "after" in failed(client.history(**SHARE, interval="D", **wrong), 400)["message"]
    assert "start_date" in failed(client.history(**SHARE, interval="D", start_date="1", end_date="2"), 400)["message"]


def check_intervals() -> None:
    data = good(client.intervals(), "data")["data"]
    assert list(data) == ["seconds", "minutes", "hours", "days", "weeks", "months"]
    assert {"1m", "5m", "15m"} <= set(data["minutes"])
    assert data["days"] == ["D"]
    assert client.interval() == client.intervals()


def check_ticker() -> None:
    where = f"{SETTINGS['host']}/api/v1/ticker/NSE:RELIANCE"
    query = {"apikey": SETTINGS["key"], "interval": "5m", "from": str(TODAY - timedelta(days=7)), "to": str(TODAY)}
    bars = httpx.get(where, params=query, timeout=20).json()["data"]
    text = httpx.get(where, params={**query, "format": "txt"}, timeout=20).text.splitlines()
    assert len(bars) == len(text)
    assert re.fullmatch(r"NSE:RELIANCE,\d{4}-\d\d-\d\d,09:15:00,[\d.]+,[\d.]+,[\d.]+,[\d.]+,\d+", text[0]), text[0]
    daily = httpx.get(where, params={**query, "interval": "D", "format": "txt"}, timeout=20).text.splitlines()
    assert re.fullmatch(r"NSE:RELIANCE,\d{4}-\d\d-\d\d,[\d.]+,[\d.]+,[\d.]+,[\d.]+,\d+", daily[0]), daily[0]


def check_symbol() -> None:
    data = good(client.symbol(**SHARE), "data")["data"]
    assert list(data) == ["id", *ROW, "freeze_qty"]
    assert isinstance(data["id"], int)
    assert isinstance(data["token"], str)
    assert (data["symbol"], data["exchange"], data["lotsize"], data["expiry"]) == ("RELIANCE", "NSE", 1, "")
    body = failed(client.symbol(symbol="NOPE", exchange="NSE"), 404)
    assert body["message"] == "Symbol NOPE not found in exchange NSE"


def check_search() -> None:
    told = good(client.search(query="relianc"), "message", "data")
    assert told["message"] == f"Found {len(told['data'])} matching symbols"
    assert told["data"][0]["symbol"] == "RELIANCE"
    assert all(list(row) == [*ROW, "freeze_qty"] for row in told["data"])
    told = good(client.search(query="nifty ce", exchange="NFO"), "message", "data")
    assert {row["exchange"] for row in told["data"]} == {"NFO"}
    assert all(row["instrumenttype"] == "CE" for row in told["data"])
    told = good(client.search(query="zzzzzz"), "message", "data")
    assert (told["message"], told["data"]) == ("No matching symbols found", [])
    assert failed(client.search(query=""), 400)["message"] == "Query parameter is required and cannot be empty"


def check_expiry() -> None:
    told = good(client.expiry(symbol="NIFTY", exchange="NFO", instrumenttype="options"), "message", "data")
    assert told["message"] == f"Found {len(told['data'])} expiry dates for NIFTY options in NFO"
    days = [datetime.strptime(text.title(), "%d-%b-%y").date() for text in told["data"]]
    assert days == sorted(days)
    assert days[0] >= TODAY
    assert all(text == text.upper() for text in told["data"])
    told = good(client.expiry(symbol="ZZZ", exchange="NFO", instrumenttype="futures"), "message", "data")
    assert (told["message"], told["data"]) == ("No expiry dates found for ZZZ futures in NFO", [])


def check_instruments() -> None:
    frame = client.instruments(exchange="NSE")
    assert isinstance(frame, pd.DataFrame), frame
    assert list(frame.columns) == ROW
    assert set(frame["exchange"]) == {"NSE"}
    whole = client.instruments()
    assert {"NSE", "NFO", "NSE_INDEX"} <= set(whole["exchange"])
    assert len(whole) == len(whole.drop_duplicates(["symbol", "exchange"]))
    text = httpx.get(
        f"{SETTINGS['host']}/api/v1/instruments",
        params={"apikey": SETTINGS["key"], "exchange": "NSE", "format": "csv"},
        timeout=20,
    ).text.splitlines()
    assert text[0] == ",".join(ROW)
    assert len(text) == len(frame) + 1


def check_optionsymbol() -> None:
    told = client.optionsymbol(
        underlying="NIFTY", exchange="NSE_INDEX", expiry_date=nearest(), offset="OTM2", option_type="CE"
    )
    good(told, "symbol", "exchange", "lotsize", "tick_size", "freeze_qty", "underlying_ltp")
    assert re.fullmatch(rf"NIFTY{nearest()}\d+CE", told["symbol"])
    assert told["exchange"] == "NFO"
    strike = client.symbol(symbol=told["symbol"], exchange="NFO")["data"]["strike"]
    assert 0 < strike - told["underlying_ltp"] < 200
    terms = {"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": nearest(), "option_type": "CE"}
    failed(client.optionsymbol(**terms, offset="OTM50"), 400)
    failed(client.optionsymbol(**{**terms, "expiry_date": "01JAN30"}, offset="ATM"), 404)
    body = failed(client.optionsymbol(**{**terms, "option_type": "XX"}, offset="ATM"), 400)
    assert body["message"] == "Validation error"
    assert body["errors"] == {"option_type": ["Must be one of: CE, PE, ce, pe."]}


def check_optionchain() -> None:
    told = client.optionchain(underlying="NIFTY", exchange="NSE_INDEX", expiry_date=nearest(), strike_count=3)
    good(
        told, "underlying", "underlying_symbol", "underlying_exchange", "underlying_ltp", "underlying_prev_close",
        "expiry_date", "expiry_ts", "server_ts", "atm_strike", "quotes_included", "greeks_included", "forward_price",
        "chain",
    )  # fmt: skip
    assert len(told["chain"]) == 7
    assert told["chain"][3]["strike"] == told["atm_strike"]
    for row in told["chain"]:
        assert list(row) == ["strike", "ce", "pe"]
        for side in ("ce", "pe"):
            assert list(row[side]) == LEG
            numbers(row[side], *LEG[2:])
    assert [row["pe"]["label"] for row in told["chain"]] == ["OTM3", "OTM2", "OTM1", "ATM", "ITM1", "ITM2", "ITM3"]
    told = client.optionchain(underlying="NIFTY", exchange="NSE_INDEX", strike_count=1)
    assert told["expiry_date"] == nearest()


def check_optiongreeks() -> None:
    chain = client.optionchain(underlying="NIFTY", exchange="NSE_INDEX", strike_count=1)
    symbol = chain["chain"][1]["ce"]["symbol"]
    told = client.optiongreeks(symbol=symbol, exchange="NFO", interest_rate=6.5)
    expected = {
        "status", "symbol", "exchange", "underlying", "strike", "option_type", "expiry_date", "days_to_expiry",
        "spot_price", "option_price", "interest_rate", "implied_volatility", "greeks",
    }  # fmt: skip
    assert set(told) - {"forward_price", "simulated"} == expected, sorted(told)
    assert set(told["greeks"]) == {"delta", "gamma", "theta", "vega", "rho"}
    assert 1 < told["implied_volatility"] < 100
    assert 0.3 < told["greeks"]["delta"] < 0.7
    assert told["greeks"]["theta"] < 0
    assert re.fullmatch(r"\d\d-[A-Z][a-z]{2}-20\d\d", told["expiry_date"])
    failed(client.optiongreeks(symbol="RELIANCE", exchange="NFO"), 404)
    stranger = api(api_key="0" * 64, host=SETTINGS["host"], timeout=20)
    failed(stranger.optiongreeks(symbol=symbol, exchange="NFO"), 401)
    both = [{"symbol": symbol, "exchange": "NFO"}, {"symbol": "NOPE", "exchange": "NFO"}]
    many = raw("multioptiongreeks", symbols=both).json()
    assert (many["status"], many["summary"]) == ("partial", {"total": 2, "success": 1, "failed": 1})
    assert many["data"][0]["symbol"] == symbol


def check_syntheticfuture() -> None:
    told = client.syntheticfuture(underlying="NIFTY", exchange="NSE_INDEX", expiry_date=nearest())
    good(told, "underlying", "underlying_ltp", "expiry", "atm_strike", "synthetic_future_price")
    assert told["expiry"] == nearest()
    assert abs(told["synthetic_future_price"] / told["underlying_ltp"] - 1) < 0.02


def check_holidays() -> None:
    told = good(client.holidays(2026), "year", "timezone", "data")
    assert (told["year"], told["timezone"]) == (2026, "Asia/Kolkata")
    for row in told["data"]:
        assert list(row) == ["date", "description", "holiday_type", "closed_exchanges", "open_exchanges"]
        assert row["holiday_type"] in ("TRADING_HOLIDAY", "SETTLEMENT_HOLIDAY", "SPECIAL_SESSION")
        assert all(list(one) == ["exchange", "start_time", "end_time"] for one in row["open_exchanges"])
    assert "2026-01-26" in {row["date"] for row in told["data"]}
    assert good(client.holidays(), "year", "timezone", "data")["year"] == TODAY.year


def check_timings() -> None:
    rows = good(client.timings("2026-11-23"), "data")["data"]
    nse = next(row for row in rows if row["exchange"] == "NSE")
    midnight = int(datetime(2026, 11, 23, tzinfo=IST).timestamp() * 1000)
    assert nse == {"exchange": "NSE", "start_time": midnight + 33_300_000, "end_time": midnight + 55_800_000}
    assert good(client.timings("2026-01-26"), "data")["data"] == []
    assert [row["exchange"] for row in good(client.timings("2026-11-22"), "data")["data"]] == ["CRYPTO"]
    assert isinstance(good(client.timings(), "data")["data"], list)


def check_paths() -> None:
    reply = httpx.post(f"{SETTINGS['host']}/api/v1/nothing", json={}, timeout=20)
    assert reply.status_code == 404
    assert (reply.json()["message"], reply.json()["path"]) == ("Not found", "/api/v1/nothing")
    reply = httpx.post(f"{SETTINGS['host']}/api/v1/ping/", json={"apikey": SETTINGS["key"]}, timeout=20)
    assert reply.status_code == 200


CHECKS = {name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")}


def main() -> None:
    told: dict[str, str] = {}
    for name, check in CHECKS.items():
        try:
            check()
            told[name] = ""
        except Exception:  # noqa: BLE001 - whatever a check meets is its result
            told[name] = traceback.format_exc(limit=-2)
    print(json.dumps(told))  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main()
