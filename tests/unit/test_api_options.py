"""Option symbols, chains, synthetic futures and greeks on a listed ladder with known volatility."""

from typing import Any

import pytest
from tests.listed import CRUDE, FORWARD, SIGMA, SPOT
from tests.served import Served

NIFTY = {"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": "25AUG26"}


async def test_an_option_by_its_offset(served: Served) -> None:
    reply = await served.post("optionsymbol", **NIFTY, offset="OTM2", option_type="ce", strategy="old", strike_int=None)
    assert reply.json() == {
        "status": "success",
        "symbol": "NIFTY25AUG2624100CE",
        "exchange": "NFO",
        "lotsize": 65,
        "tick_size": 0.05,
        "freeze_qty": 1800,
        "underlying_ltp": SPOT,
    }


@pytest.mark.parametrize(
    ("changes", "symbol"),
    [
        ({"offset": "ATM", "option_type": "PE"}, "NIFTY25AUG2624000PE"),
        ({"offset": "ITM1", "option_type": "PE"}, "NIFTY25AUG2624050PE"),
        ({"exchange": "NFO"}, "NIFTY25AUG2623950CE"),
        ({"exchange": "NSE"}, "NIFTY25AUG2623950CE"),
        ({"expiry_date": None}, "NIFTY25AUG2623950CE"),
        ({"expiry_date": "29-SEP-26"}, "NIFTY29SEP2623950CE"),
        ({"underlying": "NIFTY29SEP26FUT", "exchange": "NFO", "expiry_date": None}, "NIFTY29SEP2624000CE"),
        ({"strike_int": "100"}, "NIFTY25AUG2623900CE"),
        ({"underlying": "CRUDEOIL", "exchange": "MCX"}, "CRUDEOIL25AUG266000CE"),
    ],
)
async def test_ways_to_name_an_option(served: Served, changes: dict[str, Any], symbol: str) -> None:
    reply = await served.post("optionsymbol", **{**NIFTY, "offset": "ITM1", "option_type": "CE", **changes})
    assert reply.json().get("symbol") == symbol, reply.text


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"offset": "ITM6"}, 400, "beyond the last strike"),
        ({"offset": "DEEP"}, 400, "not ATM"),
        ({"expiry_date": "31FEB26"}, 400, "not a date like"),
        ({"expiry_date": "25AUG27"}, 404, "No strikes found for NIFTY"),
        ({"underlying": "NOPE"}, 404, "Symbol 'NOPE' not found"),
        ({"underlying": "SBIN", "exchange": "NSE", "expiry_date": None}, 404, "No options found for SBIN in NFO"),
        ({"strike_int": 70}, 404, "not found in exchange NFO"),
    ],
)
async def test_options_that_are_not_there(served: Served, changes: dict[str, Any], status: int, told: str) -> None:
    reply = await served.post("optionsymbol", **{**NIFTY, "offset": "ATM", "option_type": "CE", **changes})
    assert reply.status_code == status, reply.text
    assert told in reply.json()["message"]
    assert reply.json()["broker"] == "example"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("optionsymbol", "Validation error"),
        ("optionchain", "Validation error"),
        ("syntheticfuture", "Validation error"),
        ("optiongreeks", "Validation failed"),
        ("multioptiongreeks", "Validation failed"),
    ],
)
async def test_faults_beside_their_message(served: Served, path: str, message: str) -> None:
    reply = await served.client.post(f"/api/v1/{path}/", json={})
    assert (reply.status_code, reply.json()["message"]) == (400, message)
    assert reply.json()["errors"]["apikey"] == ["Missing data for required field."]


async def test_the_chain(served: Served) -> None:
    served.silent.add("NIFTY25AUG2624050PE")
    told = (await served.post("optionchain", **NIFTY, strike_count="2")).json()
    assert [told[name] for name in ("underlying", "underlying_symbol", "underlying_exchange", "underlying_ltp")] == [
        "NIFTY", "NIFTY", "NSE_INDEX", SPOT,
    ]  # fmt: skip
    assert (told["atm_strike"], told["expiry_date"], told["greeks_included"]) == (24_000.0, "25AUG26", False)
    assert told["forward_price"] == pytest.approx(FORWARD, abs=0.1)
    assert [row["strike"] for row in told["chain"]] == [23_900.0, 23_950.0, 24_000.0, 24_050.0, 24_100.0]
    assert [row["ce"]["label"] for row in told["chain"]] == ["ITM2", "ITM1", "ATM", "OTM1", "OTM2"]
    assert [row["pe"]["label"] for row in told["chain"]] == ["OTM2", "OTM1", "ATM", "ITM1", "ITM2"]
    assert list(told["chain"][0]["ce"]) == [
        "symbol", "label", "ltp", "bid", "ask", "bid_qty", "ask_qty", "open", "high", "low", "prev_close", "volume",
        "oi", "lotsize", "tick_size",
    ]  # fmt: skip
    assert told["chain"][3]["pe"]["ltp"] == 0
    assert told["expiry_ts"] - told["server_ts"] == pytest.approx(22.23 * 86_400_000, rel=1e-3)


async def test_a_whole_chain_with_greeks(served: Served) -> None:
    told = (await served.post("optionchain", **NIFTY, with_greeks="true", interest_rate="0")).json()
    assert len(told["chain"]) == 11
    for row in told["chain"]:
        for leg in (row["ce"], row["pe"]):
            assert leg["implied_volatility"] == pytest.approx(SIGMA * 100, abs=0.15)
            assert set(leg) >= {"delta", "gamma", "theta", "vega"}
        assert row["ce"]["delta"] - row["pe"]["delta"] == pytest.approx(1, abs=0.01)


async def test_the_synthetic_future(served: Served) -> None:
    told = (await served.post("syntheticfuture", **NIFTY)).json()
    assert told == {
        "status": "success",
        "underlying": "NIFTY",
        "underlying_ltp": SPOT,
        "expiry": "25AUG26",
        "atm_strike": 24_000.0,
        "synthetic_future_price": pytest.approx(FORWARD, abs=0.1),
    }
    told = (await served.post("syntheticfuture", underlying="CRUDEOIL", exchange="MCX")).json()
    assert told["synthetic_future_price"] == pytest.approx(CRUDE, abs=0.1)
    served.silent.add("NIFTY25AUG2624000CE")
    reply = await served.post("syntheticfuture", **NIFTY)
    assert (reply.status_code, reply.json()["error_code"]) == (503, "NETWORK_ERROR")


async def test_greeks_of_one_option(served: Served) -> None:
    told = (await served.post("optiongreeks", symbol="NIFTY25AUG2624100CE", exchange="NFO")).json()
    assert told["implied_volatility"] == pytest.approx(SIGMA * 100, abs=0.15)
    assert told["days_to_expiry"] == pytest.approx(22.23, abs=0.01)
    assert told["greeks"]["delta"] == pytest.approx(0.476, abs=0.01)
    assert told["greeks"].keys() == {"delta", "gamma", "theta", "vega", "rho"}
    assert told["expiry_date"] == "25-Aug-2026"
    assert (told["underlying"], told["strike"], told["option_type"]) == ("NIFTY", 24_100.0, "CE")
    assert (told["spot_price"], told["forward_price"]) == (SPOT, pytest.approx(FORWARD, abs=0.1))
    assert served.fetched == ["NIFTY25AUG2624100CE", "NIFTY", "NIFTY25AUG2624000CE", "NIFTY25AUG2624000PE"]


async def test_a_given_forward_and_hour_are_used(served: Served) -> None:
    body = {"symbol": "NIFTY25AUG2624100CE", "exchange": "NFO", "forward_price": "24200", "expiry_time": "10:00"}
    told = (await served.post("optiongreeks", **body, interest_rate="6.5")).json()
    assert (told["forward_price"], told["interest_rate"]) == (24_200.0, 6.5)
    assert told["days_to_expiry"] == pytest.approx(22.0, abs=0.001)
    assert served.fetched == ["NIFTY25AUG2624100CE", "NIFTY"]


async def test_an_option_without_time_value(served: Served) -> None:
    served.stream({"ltp": 100.0}, "NIFTY25AUG2623750CE")
    told = (await served.post("optiongreeks", symbol="NIFTY25AUG2623750CE", exchange="NFO")).json()
    assert (told["implied_volatility"], told["greeks"]["delta"]) == (0.0, 1.0)
    assert told["intrinsic_value"] == pytest.approx(FORWARD - 23_750, abs=0.2)
    assert told["time_value"] < 0
    assert "note" in told


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"symbol": "NIFTY25AUG26FUT"}, 400),
        ({"symbol": "NIFTY25AUG2699999CE"}, 404),
        ({"underlying_symbol": "NOPE", "underlying_exchange": "NSE"}, 404),
        ({"exchange": "NSE"}, 400),
        ({"interest_rate": 101}, 400),
        ({"expiry_time": "25:00"}, 400),
        ({"forward_price": "inf"}, 400),
        ({"apikey": "wrong"}, 401),
    ],
)
async def test_greeks_refused(served: Served, changes: dict[str, Any], status: int) -> None:
    reply = await served.post("optiongreeks", **{"symbol": "NIFTY25AUG2624100CE", "exchange": "NFO", **changes})
    assert reply.status_code == status, reply.text


async def test_a_dead_option(served: Served) -> None:
    served.house.clock.advance(30 * 86_400)
    reply = await served.post("optiongreeks", symbol="NIFTY25AUG2624100CE", exchange="NFO")
    assert (reply.status_code, reply.json()["message"]) == (400, "NIFTY25AUG2624100CE has expired.")


async def test_greeks_of_many(served: Served) -> None:
    names = ["NIFTY25AUG2624100CE", "NIFTY25AUG2624100PE", "NOPE", "CRUDEOIL25AUG266100CE"]
    symbols = [{"symbol": name, "exchange": "MCX" if name.startswith("C") else "NFO"} for name in names]
    told = (await served.post("multioptiongreeks", symbols=symbols)).json()
    assert (told["status"], told["summary"]) == ("partial", {"total": 4, "success": 3, "failed": 1})
    assert [row["symbol"] for row in told["data"]] == names
    assert [row["status"] for row in told["data"]] == ["success", "success", "error", "success"]
    assert told["data"][3]["implied_volatility"] == pytest.approx(SIGMA * 100, abs=0.3)
    told = (await served.post("multioptiongreeks", symbols=symbols[2:3])).json()
    assert told["status"] == "error"


async def test_greeks_have_a_rate_of_their_own(served: Served) -> None:
    statuses = [
        (await served.post("optiongreeks", symbol="NIFTY25AUG2624100CE", exchange="NFO")).status_code for _ in range(4)
    ]
    assert statuses == [200, 200, 200, 429]
    assert (await served.post("ping")).status_code == 200
    served.house.clock.advance(60)
    assert (await served.post("optiongreeks", symbol="NIFTY25AUG2624100CE", exchange="NFO")).status_code == 200
