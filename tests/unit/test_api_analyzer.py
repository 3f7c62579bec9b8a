from typing import Any

import pytest
from tests.served import Served

from sangam.model.errors import Unknown
from sangam.model.order import TradingMode


async def test_the_switch_and_what_it_says(served: Served) -> None:
    told = (await served.order("analyzer")).json()
    assert told == {
        "status": "success",
        "data": {"mode": "live", "analyze_mode": False, "total_logs": 0, "switch": False},
    }
    told = (await served.order("analyzer/toggle", mode=True)).json()
    assert told["data"] == {
        "mode": "analyze",
        "analyze_mode": True,
        "total_logs": 0,
        "switch": True,
        "message": "Analyzer mode switched to analyze",
    }
    await served.order("placeorder", symbol="SBIN", exchange="NSE", action="BUY", quantity=1)
    assert (await served.order("analyzer")).json()["data"]["total_logs"] == 1
    assert (await served.order("orderbook")).json()["mode"] == "analyze"
    served.desk.faults["orders"] = Unknown("no answer")
    assert (await served.order("analyzer")).json()["data"]["total_logs"] == 0
    told = (await served.order("analyzer/toggle", mode=False)).json()
    assert told["data"]["message"] == "Analyzer mode switched to live"
    assert [what[1:] for what in served.desk.asked if what[0] == "switch"] == [("asha", True), ("asha", False)]


@pytest.mark.parametrize(
    ("mode", "on", "told"),
    [
        (TradingMode.PAPER, False, "live; the orders of this key go to paper all the same"),
        (TradingMode.LIVE, True, "analyze; the orders of this key go to the broker all the same"),
    ],
)
async def test_it_says_where_orders_really_go(served: Served, mode: TradingMode, on: bool, told: str) -> None:
    """A pinned key, or a broker without live orders, follows no switch: a program must not take paper for live."""
    served.desk.mode, served.desk.pinned = mode, True
    data = (await served.order("analyzer/toggle", mode=on)).json()["data"]
    word = mode.word
    assert (data["mode"], data["analyze_mode"], data["switch"]) == (word, mode is TradingMode.PAPER, on)
    assert data["message"] == f"Analyzer mode switched to {told}"


@pytest.mark.parametrize("word", ["true", "1", 1, "yes", "on"])
async def test_truth_has_many_words(served: Served, word: Any) -> None:
    assert (await served.order("analyzer/toggle", mode=word)).json()["data"]["analyze_mode"] is True


async def test_what_is_no_switch(served: Served) -> None:
    reply = await served.order("analyzer/toggle", mode="perhaps")
    assert (reply.status_code, reply.json()["message"]) == (400, "{'mode': ['Not a valid boolean.']}")
    reply = await served.order("analyzer/toggle", mode=True, apikey=served.key)
    assert (reply.status_code, reply.json()["error_code"]) == (403, "INSUFFICIENT_PERMISSION")
