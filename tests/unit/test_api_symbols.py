"""Search, expiries and whole lists of instruments."""

import csv
import io

import pytest
from tests.served import Served

COLUMNS = [
    "symbol", "brsymbol", "name", "exchange", "brexchange", "token", "expiry", "strike", "lotsize", "instrumenttype",
    "tick_size",
]  # fmt: skip


async def test_search(served: Served) -> None:
    reply = await served.post("search", query="nifty 24000 ce")
    assert reply.json()["message"] == "Found 2 matching symbols"
    rows = reply.json()["data"]
    assert [row["symbol"] for row in rows] == ["NIFTY25AUG2624000CE", "NIFTY29SEP2624000CE"]
    assert list(rows[0]) == [*COLUMNS, "freeze_qty"]
    assert (rows[0]["expiry"], rows[0]["freeze_qty"]) == ("25-AUG-26", 1800)
    reply = await served.post("search", query="nifty", exchange="NSE_INDEX")
    assert [row["symbol"] for row in reply.json()["data"]] == ["NIFTY"]
    reply = await served.post("search", query="zzz")
    assert (reply.status_code, reply.json()["message"]) == (200, "No matching symbols found")
    assert reply.json()["data"] == []


@pytest.mark.parametrize("query", [{}, {"query": ""}, {"query": "  "}])
async def test_an_empty_search(served: Served, query: dict[str, str]) -> None:
    reply = await served.post("search", **query)
    assert (reply.status_code, reply.json()["message"]) == (400, "Query parameter is required and cannot be empty")


async def test_expiries(served: Served) -> None:
    reply = await served.post("expiry", symbol="NIFTY", exchange="NFO", instrumenttype="options")
    assert reply.json() == {
        "status": "success",
        "message": "Found 2 expiry dates for NIFTY options in NFO",
        "data": ["25-AUG-26", "29-SEP-26"],
    }
    served.house.clock.advance(23 * 86_400)
    reply = await served.post("expiry", symbol="NIFTY", exchange="NFO", instrumenttype="futures")
    assert reply.json()["data"] == ["29-SEP-26"]
    reply = await served.post("expiry", symbol="SBIN", exchange="NFO", instrumenttype="options")
    assert reply.json() == {
        "status": "success", "message": "No expiry dates found for SBIN options in NFO", "data": [],
    }  # fmt: skip
    reply = await served.post("expiry", symbol="NIFTY", exchange="NSE", instrumenttype="swaps")
    assert reply.json()["message"] == {
        "exchange": ["Must be one of: NFO, BFO, MCX, CDS, NCO, BCD, NCDEX, CRYPTO."],
        "instrumenttype": ["Must be one of: futures, options."],
    }


async def test_all_instruments(served: Served) -> None:
    rows = (await served.get("instruments")).json()["data"]
    assert len(rows) == served.master.count
    assert list(rows[0]) == COLUMNS
    reply = await served.post("instruments", exchange="MCX", format="json")
    assert {row["exchange"] for row in reply.json()["data"]} == {"MCX"}
    assert reply.json()["message"] == "Instruments of MCX"
    assert (await served.get("instruments", exchange="CRYPTO")).json()["data"] == []


async def test_instruments_as_csv(served: Served) -> None:
    reply = await served.get("instruments", exchange="NSE", format="csv")
    assert reply.headers["content-disposition"] == 'attachment; filename="NSE_instruments.csv"'
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert rows[0]["symbol"] == "SBIN"
    assert list(rows[0]) == COLUMNS


async def test_instruments_need_a_good_key_and_known_words(served: Served) -> None:
    assert (await served.get("instruments", apikey="x")).status_code == 403
    reply = await served.get("instruments", exchange="MOON", format="xml")
    assert reply.status_code == 400
    assert set(reply.json()["message"]) == {"exchange", "format"}


async def test_freeze_quantities_are_shown(served: Served) -> None:
    data = (await served.post("symbol", symbol="NIFTY25AUG26FUT", exchange="NFO")).json()["data"]
    assert (data["freeze_qty"], data["lotsize"], data["instrumenttype"]) == (1800, 65, "FUT")
