"""The judge of the simulated Pocketful: the official client (pocketful 0.1.2) logs in by its channel, trades, reads the
books and streams against it, with nothing changed but its addresses. It hears news of orders and trades, too."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.peers.environments import peer_report
from tests.simulator_thread import SimulatorThread

from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange

CLIENT = Path(__file__).with_name("pocketful_client.py")


@pytest.fixture(scope="module")
def broker() -> Iterator[SimulatorThread]:
    with SimulatorThread("pocketful", exchange=Exchange(pace=10.0), run=True) as thread:
        yield thread


@pytest.fixture(scope="module")
def report(broker: SimulatorThread) -> dict[str, Any]:
    return peer_report("pocketful", CLIENT, broker.call(lambda: plan(broker.simulator)))


def plan(simulator: Any) -> dict[str, Any]:
    """The client makes its socket's address of an ``http`` one."""
    exchange: Exchange = simulator.exchange
    share = exchange.market("SBIN", Code.NSE)
    future = next(row for row in exchange.contracts if row.exchange is Code.NFO and row.symbol.startswith("NIFTY"))
    prices = {name: share.rupees(round(share.ltp * factor)) for name, factor in {"low": 0.95, "high": 1.05}.items()}
    known: dict[str, Any] = simulator.credentials | prices
    return known | {
        "api": simulator.hosts["channel"],
        "socket": simulator.hosts["channel_stream"].replace("ws://", "http://"),
        "code": simulator.login.authenticator.code(),
        "future": exchange.token(future),
    }


def rows(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    assert answer["status"] == "success"
    return {row["oms_order_id"]: row for row in answer["data"]["orders"]}


def test_the_way_in(report: dict[str, Any]) -> None:
    assert report["stranger"] == {
        "status": "error",
        "message": "Request Unauthorised",
        "error_code": 40000,
        "data": {},
    }
    assert report["wrong_secret"]["status"] == report["wrong_code"]["status"] == "error"
    assert report["session"]["data"]["auth_token"]
    assert report["profile"]["data"]["client_id"] == "YG1234"


def test_orders_of_every_kind(report: dict[str, Any], broker: SimulatorThread) -> None:
    told = report["orders"]
    numbers = {name: answer["data"].get("oms_order_id") for name, answer in told["placed"].items()}
    assert (numbers.pop("wrong"), told["placed"]["wrong"]["error_code"]) == (None, 44000)
    book = rows(told["pending"]) | rows(told["completed"])
    assert {name: book[number]["order_status"] for name, number in numbers.items()} == {
        "limit": "CANCEL_CONFIRMED",
        "market": "COMPLETE",
        "stop": "TRIGGER_PENDING",
        "stop_market": "TRIGGER_PENDING",
        "ioc": "CANCEL_CONFIRMED",
        "amo": "AMO_SUBMITTED",
        "dear": "REJECTED",
    }
    assert told["bare"]["message"] == "`exchange_order_id` can't be blank"
    assert told["changed"]["data"]["oms_order_id"] == numbers["limit"]
    waiting = rows(told["pending"])[numbers["limit"]]
    assert (waiting["quantity"], waiting["order_status"], waiting["user_order_id"]) == (20, "MODIFY_CONFIRMED", "10002")
    assert told["cancelled"]["message"].endswith(numbers["limit"])
    assert told["again"]["error_code"] == 44000
    assert "RMS:Margin" in book[numbers["dear"]]["rejection_reason"]
    assert [order.order_id for order in broker.ledger().tags("YG1234")["10003"]] == [numbers["market"]]


def test_the_books(report: dict[str, Any]) -> None:
    books = report["books"]
    number = report["orders"]["placed"]["market"]["data"]["oms_order_id"]
    trades = books["trades"]["data"]["trades"]
    assert {row["oms_order_id"] for row in trades} == {number}
    assert sum(row["trade_quantity"] for row in trades) == 10
    (position,) = books["net"]["data"]
    assert (position["product"], position["net_quantity"], position["instrument_token"]) == ("MIS", 10, 3045)
    assert [row["net_quantity"] for row in books["day"]["data"]] == [10]
    held = {row["trading_symbol"]: row["quantity"] for row in books["holdings"]["data"]["holdings"]}
    assert held == {"SBIN-EQ": 100, "INFY-EQ": 50}
    funds = dict(books["funds"]["data"]["values"])
    assert float(funds["Margin Used"]) > 0
    assert float(funds["Available Margin"]) < 10_000_000


def test_the_feed_in_every_kind(report: dict[str, Any]) -> None:
    feed = report["feed"]
    share, index = feed["detailed"]["3045_1"], feed["detailed"]["26000_1"]
    assert share["low_price"] <= share["last_traded_price"] <= share["high_price"]
    assert share["lowDPR"] < share["last_traded_price"] < share["highDPR"]
    assert share["best_bid_price"] < share["best_ask_price"]
    assert (index["trade_volume"], index["best_bid_quantity"]) == (0, 0)
    (future,) = (row for key, row in feed["compact"].items() if key.endswith("_2"))
    assert future["currentOpenInterest"] > 0
    book = feed["snapquote"]["3045_1"]
    assert book["bidPrices"] == sorted(book["bidPrices"], reverse=True)
    assert all(book["bidQtys"] + book["askQtys"] + book["buyers"] + book["sellers"])
    assert not any(feed["snapquote"]["26000_1"]["askPrices"])


def test_news_of_an_order_and_its_trade(report: dict[str, Any]) -> None:
    order, trade = report["feed"]["order"], report["feed"]["trade"]
    assert (order["user_order_id"], order["order_status"], order["filled_quantity"]) == ("10009", "COMPLETE", 10)
    assert (trade["oms_order_id"], trade["order_side"]) == (order["oms_order_id"], "BUY")
