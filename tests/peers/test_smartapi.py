"""The judge of the simulated Angel One: the official client (smartapi-python 1.5.5) logs in, asks, trades and streams
against it, with nothing changed but its addresses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.peers.environments import peer_report
from tests.simulator_thread import SimulatorThread

from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange

CLIENT = Path(__file__).with_name("smartapi_client.py")


@pytest.fixture(scope="module")
def broker() -> Iterator[SimulatorThread]:
    with SimulatorThread("angel", exchange=Exchange(pace=10.0), run=True) as thread:
        yield thread


@pytest.fixture(scope="module")
def report(broker: SimulatorThread) -> dict[str, Any]:
    return peer_report("smartapi", CLIENT, broker.call(lambda: plan(broker.simulator)))


def plan(simulator: Any) -> dict[str, Any]:
    exchange: Exchange = simulator.exchange
    share = exchange.market("SBIN", Code.NSE)
    future = next(row for row in exchange.contracts if row.exchange is Code.NFO and row.symbol.startswith("NIFTY"))
    around = {"low": 0.95, "lower": 0.94, "high": 1.05}
    prices = {name: str(share.rupees(round(share.ltp * factor))) for name, factor in around.items()}
    known: dict[str, Any] = simulator.credentials | simulator.hosts | prices
    return known | {"future": str(exchange.token(future))}


def rows(answer: dict[str, Any], key: str = "orderid") -> dict[str, dict[str, Any]]:
    assert answer["status"] is True
    return {row[key]: row for row in answer["data"]}


def test_the_way_in_and_out(report: dict[str, Any]) -> None:
    assert report["stranger"]["errorCode"] == "AG8003"
    assert report["wrong_code"]["errorcode"] == "AB1050"
    assert report["wrong_pin"]["errorcode"] == "AB1007"
    session = report["session"]["data"]
    assert session["clientcode"] == report["profile"]["data"]["clientcode"] == "A123456"
    assert session["jwtToken"].startswith("Bearer eyJ")
    assert report["renewed"]["data"]["feedToken"] != session["feedToken"]
    assert report["out"]["status"] is True
    assert report["after"]["errorCode"] == "AG8002"


def test_orders_of_every_kind(report: dict[str, Any], broker: SimulatorThread) -> None:
    told, book = report["orders"], rows(report["books"]["orders"])
    states = {name: (book[number]["variety"], book[number]["orderstatus"]) for name, number in told["placed"].items()}
    assert states == {
        "limit": ("NORMAL", "cancelled"),
        "market": ("NORMAL", "complete"),
        "stop": ("STOPLOSS", "trigger pending"),
        "stop_market": ("STOPLOSS", "trigger pending"),
        "ioc": ("NORMAL", "cancelled"),
        "amo": ("AMO", "after market order req received"),
        "dear": ("NORMAL", "rejected"),
    }
    limit = book[told["placed"]["limit"]]
    assert (limit["quantity"], limit["cancelsize"], limit["ordertag"]) == ("20", "20", "one")
    assert told["changed"]["data"]["uniqueorderid"] == limit["uniqueorderid"]
    assert told["details"]["data"]["ordertag"] == "full"
    assert "funds" in book[told["placed"]["dear"]]["text"].casefold()
    ledger = broker.ledger()
    assert [order.order_id for order in ledger.tags("A123456")["taken"]] == [told["placed"]["market"]]
    assert set(book) <= set(ledger.orders)


def test_wrong_orders_are_told_by_code(report: dict[str, Any]) -> None:
    codes = {name: (row["status"], row["errorcode"]) for name, row in report["orders"]["wrong"].items()}
    assert codes == {
        "symbol": (False, "AB1009"),
        "tag": (False, "AB4008"),
        "variety": (False, "AB1008"),
        "product": (False, "AB1012"),
        "order": (False, "AB1013"),
    }
    assert report["orders"]["again"]["errorcode"] == "AB1013"


def test_the_books(report: dict[str, Any]) -> None:
    books, placed = report["books"], report["orders"]["placed"]
    trades = books["trades"]["data"]
    assert {row["orderid"] for row in trades} == {placed["market"]}
    assert sum(int(row["fillsize"]) for row in trades) == 10
    (position,) = books["positions"]["data"]
    assert (position["producttype"], position["netqty"], position["netvalue"][:2]) == ("INTRADAY", "10", "- ")
    assert books["converted"] == {"status": True, "message": "SUCCESS", "errorcode": "", "data": None}
    assert {row["producttype"]: row["netqty"] for row in books["after"]["data"]} == {"INTRADAY": "6", "DELIVERY": "4"}
    assert books["too_much"]["errorcode"] == "AB1017"
    held = {row["tradingsymbol"]: row["quantity"] for row in books["holdings"]["data"]}
    assert held == {"SBIN-EQ": 100, "INFY-EQ": 50}
    assert books["all_holdings"]["data"]["totalholding"]["totalinvvalue"] == 100 * 801.5 + 50 * 1412
    assert float(books["funds"]["data"]["utiliseddebits"]) > 0


def test_market_data(report: dict[str, Any]) -> None:
    data = report["data"]
    full = {row["tradingSymbol"]: row for row in data["full"]["data"]["fetched"]}
    assert {"SBIN-EQ", "Nifty 50"} < full.keys()
    assert len(full["SBIN-EQ"]["depth"]["buy"]) == 5
    assert [row["errorCode"] for row in data["full"]["data"]["unfetched"]] == ["AB1018"]
    assert "open" in data["ohlc"]["data"]["fetched"][0]
    assert "open" not in data["ltp"]["data"]["fetched"][0]
    assert float(data["old_ltp"]["data"]["ltp"]) > 0
    assert data["search"]["data"] == [{"exchange": "NSE", "tradingsymbol": "SBIN-EQ", "symboltoken": "3045"}]
    assert data["margin"]["data"]["totalMarginRequired"] > 0


def test_candles(report: dict[str, Any]) -> None:
    data = report["data"]
    assert len(data["days"]["data"]) > 15
    time, opened, high, low, closed, volume = data["minutes"]["data"][0]
    assert time.endswith("T09:15:00+05:30")
    assert low <= min(opened, closed) <= max(opened, closed) <= high
    assert volume > 0
    assert data["interest"]["data"][0]["oi"] > 0
    assert data["too_long"]["status"] is False


def test_rules(report: dict[str, Any]) -> None:
    told = report["rules"]
    assert told["modified"] == told["id"]
    details = told["details"]["data"]
    assert (details["status"], details["qty"], details["transactiontype"]) == ("NEW", 5, "BUY")
    assert [row["id"] for row in told["list"]["data"]] == [told["id"]]
    assert told["cancelled"]["data"] == {"id": told["id"]}
    assert told["left"]["data"] is None
    assert told["unknown"]["errorcode"] == "AB9013"


def test_the_feed_in_every_mode(report: dict[str, Any]) -> None:
    heard = {(row["subscription_mode"], row["token"]): row for row in report["feed"]}
    tokens = {token for _, token in heard}
    assert sorted(mode for mode, _ in heard) == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4]
    assert {"3045", "99926000"} < tokens
    share, deep, index = heard[3, "3045"], heard[4, "3045"], heard[3, "99926000"]
    assert share["low_price_of_the_day"] <= share["last_traded_price"] <= share["high_price_of_the_day"]
    assert share["lower_circuit_limit"] < share["last_traded_price"] < share["upper_circuit_limit"]
    assert [row["flag"] for row in share["best_5_buy_data"]] == [1] * 5
    assert share["best_5_buy_data"][0]["price"] < share["best_5_sell_data"][0]["price"]
    assert [len(deep[name]) for name in ("depth_20_buy_data", "depth_20_sell_data")] == [20, 20]
    assert all(row["quantity"] for row in deep["depth_20_buy_data"])
    assert (index["sequence_number"], index["volume_trade_for_the_day"]) == (0, 0)
    (future,) = (row for (mode, _), row in heard.items() if mode == 3 and row["exchange_type"] == 2)
    assert future["open_interest"] > 0


def test_a_stranger_is_refused_at_the_upgrade(report: dict[str, Any]) -> None:
    assert "401" in report["refused"][0]


def test_the_order_socket(report: dict[str, Any]) -> None:
    heard = report["updates"]
    assert [row["order-status"] for row in heard] == ["AB00", "AB01", "AB04", "AB02"]
    assert [row["orderData"].get("quantity") for row in heard] == ["0", "10", "20", "20"]
    assert heard[1]["orderData"]["ordertag"] == "pushed"
