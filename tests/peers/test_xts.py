"""The judge of the simulated XTS: python-socketio of the line that Symphony's SDK pins, and its REST calls, against an
installation that sends JSON and one that sends packets."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.peers.environments import peer_report
from tests.simulator_thread import SimulatorThread

from sangam.brokers.families.xts.packets import quote, unpacked
from sangam.model.enums import Exchange as Code
from sangam.model.market import Patch
from sangam.simulators import Exchange

CLIENT = Path(__file__).with_name("xts_client.py")
EVENTS = {
    "wisdom": ["1501-json-full", "1502-json-full", "1512-json-full"],
    "ibulls": ["xts-binary-packet"],
}


@pytest.fixture(scope="module", params=EVENTS)
def broker(request: pytest.FixtureRequest) -> Iterator[SimulatorThread]:
    """The client leaves by itself where a ping is not answered before the next: a second is long enough for a crowd."""
    with SimulatorThread(request.param, exchange=Exchange(pace=10.0), run=True, heartbeat=1.0) as thread:
        yield thread


@pytest.fixture(scope="module")
def report(broker: SimulatorThread) -> dict[str, Any]:
    plan = broker.call(lambda: planned(broker.simulator)) | {"events": EVENTS[broker.name]}
    return peer_report("xts", CLIENT, plan)


def planned(simulator: Any) -> dict[str, Any]:
    share = simulator.exchange.market("SBIN", Code.NSE)
    prices = {name: share.rupees(round(share.ltp * factor)) for name, factor in (("low", 0.95), ("high", 1.05))}
    return dict(simulator.credentials | simulator.hosts | prices)


def test_two_sessions_and_who_has_none(report: dict[str, Any]) -> None:
    assert (report["stranger"]["status"], report["stranger"]["description"]) == (400, "Invalid Token")
    assert report["wrong"]["type"] == "error"
    assert report["session"]["type"] == report["data"]["type"] == "success"
    assert report["data"]["code"] == "e-response-0010"
    assert report["profile"]["result"]["ClientId"] == report["session"]["result"]["userID"] == "XTS001"


def test_both_sockets_join_and_live_on_the_clients_pings(report: dict[str, Any]) -> None:
    assert [told["code"] for told in report["joined"]] == ["s-socket-0001"] * 2
    assert report["ping"] == 1000
    assert report["stays"] is True


def test_orders_and_their_news(report: dict[str, Any], broker: SimulatorThread) -> None:
    told = report["orders"]
    number = told["placed"]["result"]["AppOrderID"]
    assert told["changed"]["result"]["AppOrderID"] == told["cancelled"]["result"]["AppOrderID"] == number
    assert (told["late"]["status"], told["late"]["description"]) == (400, "Bad Request")
    assert told["wrong"]["result"]["errors"][0]["messages"] == ["exchangeInstrumentID is invalid"]
    words = [row["OrderStatus"] for row in told["news"] if row["AppOrderID"] == number]
    assert words == ["New", "Replaced", "Cancelled"]
    filled = {row["AppOrderID"] for row in told["trades"]}
    assert filled == {told["market"]["result"]["AppOrderID"]}
    assert {row["OrderUniqueIdentifier"] for row in told["orders"]["result"]} == {"454845", "m"}
    assert set(broker.ledger().tags("XTS001")) == {"454845", "m"}


def test_books(report: dict[str, Any]) -> None:
    told = report["orders"]
    assert sum(row["LastTradedQuantity"] for row in told["tradebook"]["result"]) == 10
    (position,) = told["positions"]["result"]["positionList"]
    assert (position["Quantity"], position["ProductType"]) == ("10", "MIS")
    assert "," in position["BuyAmount"]
    held = told["holdings"]["result"]["RMSHoldings"]["Holdings"]
    assert sorted(row["HoldingQuantity"] for row in held.values()) == [50, 100]
    headers = [row["limitHeader"] for row in told["balance"]["result"]["BalanceList"]]
    assert "ALL|ALL|ALL" in headers


def test_what_market_data_answers(report: dict[str, Any]) -> None:
    told = report["market"]
    rows = [row.split("|") for row in told["master"]["result"].split("\n")]
    assert {len(row) for row in rows} == {22}
    assert "NIFTY 50_26000" in told["indices"]["result"]["indexList"]
    share, index = (json.loads(text) for text in told["quotes"]["result"]["listQuotes"])
    assert len(share["Bids"]) == len(share["Asks"]) == 5
    assert index["Touchline"]["TotalTradedQuantity"] == 0
    assert len(told["candles"]["result"]["dataReponse"].split(",")) == 5


def test_subscriptions_are_counted_by_instruments(report: dict[str, Any]) -> None:
    told = report["market"]
    assert {each["result"]["Remaining_Subscription_Count"] for each in told["subscribed"]} == {498}
    assert (told["again"]["status"], told["again"]["code"]) == (400, "e-session-0002")
    assert {each["type"] for each in told["left"]} == {"success"}
    assert told["bands"][0].startswith("t:12_2201,")


def test_what_the_client_heard_is_what_our_decoder_reads(report: dict[str, Any], broker: SimulatorThread) -> None:
    patches: list[Patch] = []
    for name, payloads in report["market"]["frames"].items():
        for payload in payloads:
            if name == "xts-binary-packet":
                patches += [told for _, told in unpacked(bytes.fromhex(payload)) if isinstance(told, Patch)]
            else:
                patches.append(quote(payload))
    keys = {patch.key for patch in patches}
    assert keys <= {(1, 3045), (1, 26000)}
    assert all(patch.fields["ltp"] > 0 for patch in patches if "ltp" in patch.fields)
    assert len(patches) >= 3


def test_another_login_takes_the_session(report: dict[str, Any]) -> None:
    assert report["again"]["type"] == "success"
    assert report["logout"] is True
    assert report["dead"]["code"] == "e-session-0007"
    assert report["out"]["type"] == "success"
