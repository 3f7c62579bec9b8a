"""Quotes of many, depth, candles and the ticker: shapes, statuses and texts of the REST contract."""

from typing import Any

import pytest
from tests.served import Served

from sangam.brokers.contract import Candle
from sangam.model.errors import InvalidInput
from sangam.model.market import Depth, DepthLevel

QUOTE = {"open", "high", "low", "ltp", "ask", "bid", "prev_close", "volume", "oi", "age_ms"}
BARS = [Candle(1785728700, 1.0, 2.0, 0.5, 1.5, 10), Candle(1785729000, 1.5, 2.5, 1.0, 2.0, 20, 3)]
NIFTY = {"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": "25AUG26"}
OPTION = {"symbol": "NIFTY25AUG2624000CE", "exchange": "NFO"}
DATES = {"start_date": "2026-08-01", "end_date": "2026-08-03"}


async def test_multiquotes_tells_good_and_bad(served: Served) -> None:
    served.silent.add("SENSEX")
    pairs = [("SBIN", "NSE"), ("SENSEX", "BSE_INDEX"), ("NOPE", "NSE"), ("NIFTY", "NSE_INDEX")]
    reply = await served.post("multiquotes", symbols=[{"symbol": one, "exchange": place} for one, place in pairs])
    assert reply.status_code == 200
    rows = reply.json()["results"]
    assert [(row["symbol"], row["exchange"]) for row in rows] == [pairs[number] for number in (2, 1, 0, 3)]
    assert [set(row) - {"symbol", "exchange"} for row in rows] == [{"error"}, {"error"}, {"data"}, {"data"}]
    assert set(rows[2]["data"]) == QUOTE
    assert served.fetched == ["SBIN", "SENSEX", "NIFTY"]  # in one call


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("quotes", {"symbol": "SBIN", "exchange": "NSE"}),
        ("multiquotes", {"symbols": [{"symbol": "SBIN", "exchange": "NSE"}]}),
        ("depth", {"symbol": "SBIN", "exchange": "NSE"}),
        ("optionchain", {**NIFTY, "strike_count": 2}),
        ("optionsymbol", {**NIFTY, "offset": "ATM", "option_type": "CE"}),
        ("syntheticfuture", NIFTY),
        ("optiongreeks", OPTION),
        ("multioptiongreeks", {"symbols": [OPTION]}),
    ],
)
async def test_prices_of_our_own_exchange_and_what_is_made_of_them_say_so(
    served: Served, path: str, body: dict[str, Any]
) -> None:
    real = await served.post(path, **body)
    assert (real.status_code, "simulated" in real.json()) == (200, False), real.text
    served.simulated = True
    assert (await served.post(path, **body)).json()["simulated"] is True


async def test_multiquotes_of_nothing_known(served: Served) -> None:
    reply = await served.post("multiquotes", symbols=[{"symbol": "NOPE", "exchange": "NSE"}])
    assert reply.status_code == 400
    assert [row["symbol"] for row in reply.json()["invalid_symbols"]] == ["NOPE"]
    assert reply.json()["broker"] == "example"
    reply = await served.post("multiquotes", symbols=[])
    assert reply.json()["message"] == {"symbols": ["Shorter than minimum length 1."]}
    reply = await served.post("multiquotes", symbols=[{"symbol": "SBIN"}, 5])
    assert reply.json()["message"] == {
        "symbols": {"0": {"exchange": ["Missing data for required field."]}, "1": ["Invalid input type."]}
    }


async def test_depth_is_filled_up(served: Served) -> None:
    last = served.stream({"ltp": 1.0, "last_trade_quantity": 3, "total_buy_quantity": 9})
    last.depth = Depth([DepthLevel(1.0 - n / 100, 10 + n, 1) for n in range(7)], [DepthLevel(1.1, 4, 2)])
    data = (await served.post("depth", symbol="SBIN", exchange="NSE")).json()["data"]
    assert list(data)[:10] == [
        "open", "high", "low", "ltp", "ltq", "prev_close", "volume", "oi", "totalbuyqty", "totalsellqty",
    ]  # fmt: skip
    assert (data["ltq"], data["totalbuyqty"], data["totalsellqty"]) == (3, 9, 0)
    assert [row["quantity"] for row in data["bids"]] == [10, 11, 12, 13, 14]
    assert data["asks"] == [{"price": 1.1, "quantity": 4}] + [{"price": 0, "quantity": 0}] * 4


async def test_a_symbol_without_a_price(served: Served) -> None:
    served.silent.add("SBIN")
    reply = await served.post("quotes", symbol="SBIN", exchange="NSE")
    assert (reply.status_code, reply.json()["error_code"]) == (503, "NETWORK_ERROR")


async def test_history(served: Served) -> None:
    served.bars = BARS
    reply = await served.post("history", symbol="SBIN", exchange="NSE", interval="5m", source="api", **DATES)
    assert reply.json() == {
        "status": "success",
        "data": [
            {"timestamp": 1785728700, "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 10, "oi": 0},
            {"timestamp": 1785729000, "open": 1.5, "high": 2.5, "low": 1.0, "close": 2.0, "volume": 20, "oi": 3},
        ],
    }
    ((instrument, interval, start, end),) = served.asked
    assert (instrument.symbol, interval, str(start), str(end)) == ("SBIN", "5m", "2026-08-01", "2026-08-03")


async def test_a_long_history_comes_in_pieces_and_is_the_same(served: Served) -> None:
    served.bars = [Candle(60 * number, 1.0, 2.0, 0.5, 1.5, number) for number in range(2500)]
    reply = await served.post("history", symbol="SBIN", exchange="NSE", interval="1m", **DATES)
    assert [bar["volume"] for bar in reply.json()["data"]] == list(range(2500))
    assert reply.headers["content-type"] == "application/json"
    assert b" " not in reply.content


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"start_date": "01-08-2026"}, {"start_date": ["Not a valid date."]}),
        ({"end_date": "2026-02-30"}, {"end_date": None}),
        ({"end_date": 5}, {"end_date": ["Not a valid date."]}),
        ({"interval": None}, {"interval": ["Field may not be null."]}),
        ({"source": "x"}, {"source": ["Must be one of: api, db."]}),
        ({"end_date": "2026-07-01"}, "The start date 2026-08-01 is after the end date 2026-07-01."),
    ],
)
async def test_bad_questions_for_history(served: Served, changes: dict[str, Any], told: Any) -> None:
    body = {"symbol": "SBIN", "exchange": "NSE", "interval": "5m", **DATES, **changes}
    reply = await served.post("history", **body)
    assert reply.status_code == 400
    message = reply.json()["message"]
    assert message == told or (told == {"end_date": None} and "end_date" in message)


async def test_an_interval_that_cannot_be_had(served: Served) -> None:
    served.fault = InvalidInput("Example has no interval '7m'.")
    reply = await served.post("history", symbol="SBIN", exchange="NSE", interval="7m", **DATES)
    assert (reply.status_code, reply.json()["message"]) == (400, "Example has no interval '7m'.")


@pytest.mark.parametrize("path", ["intervals", "interval"])
async def test_intervals_are_grouped(served: Served, path: str) -> None:
    assert (await served.post(path)).json()["data"] == {
        "seconds": [], "minutes": ["1m", "5m"], "hours": ["1h"], "days": ["D"], "weeks": ["W"], "months": [],
    }  # fmt: skip


async def test_the_ticker_as_json_and_text(served: Served) -> None:
    served.bars = BARS
    assert (await served.get("ticker/NSE:SBIN")).json()["data"][1]["volume"] == 20
    reply = await served.get("ticker/NSE:SBIN", interval="5m", format="txt")
    assert reply.headers["content-type"].startswith("text/plain")
    assert reply.text.splitlines() == [
        "NSE:SBIN,2026-08-03,09:15:00,1.0,2.0,0.5,1.5,10",
        "NSE:SBIN,2026-08-03,09:20:00,1.5,2.5,1.0,2.0,20",
    ]
    reply = await served.get(
        "ticker/NSE:SBIN/", interval="D", format="txt", **{"from": "2026-08-01", "to": "2026-08-02"}
    )
    assert reply.text.startswith("NSE:SBIN,2026-08-03,1.0,")
    assert [str(asked[2]) for asked in served.asked] == ["2016-08-02", "2026-07-04", "2026-08-01"]
    assert str(served.asked[-1][3]) == "2026-08-02"


async def test_the_tickers_errors(served: Served) -> None:
    reply = await served.get("ticker/SBIN")
    assert (reply.status_code, reply.json()["status"]) == (400, "error")
    assert "EXCHANGE:SYMBOL" in reply.json()["message"]
    reply = await served.get("ticker/NSE:NOPE", format="txt")
    assert (reply.status_code, reply.headers["content-type"][:10]) == (400, "text/plain")
    assert "not found" in reply.text
    reply = await served.client.get("/api/v1/ticker/NSE:SBIN")
    assert reply.json()["message"] == {"apikey": ["Missing data for required field."]}
    reply = await served.get("ticker/NSE:SBIN", **{"from": "yesterday"})
    assert reply.json()["message"] == {"from": ["Not a valid date."]}
