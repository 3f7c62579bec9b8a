"""The judge of the simulated Dhan and its sandbox: the official client (dhanhq 2.3.0) logs in, trades, asks and streams
against them, with nothing changed but its addresses."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.peers.environments import peer_report
from tests.simulator_thread import SimulatorThread

from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange, dhan_wire

CLIENT = Path(__file__).with_name("dhanhq_client.py")

ORDER_KEYS = {
    *("dhanClientId", "orderId", "exchangeOrderId", "correlationId", "orderStatus", "transactionType"),
    *("exchangeSegment", "productType", "orderType", "validity", "tradingSymbol", "securityId", "quantity"),
    *("disclosedQuantity", "price", "triggerPrice", "afterMarketOrder", "boProfitValue", "boStopLossValue", "legName"),
    *("createTime", "updateTime", "exchangeTime", "drvExpiryDate", "drvOptionType", "drvStrikePrice", "omsErrorCode"),
    *("omsErrorDescription", "algoId", "remainingQuantity", "averageTradedPrice", "filledQty"),
}
"""What every row of the documented order book has."""


@pytest.fixture(scope="module", params=["dhan", "dhan_sandbox"])
def both(request: pytest.FixtureRequest) -> Iterator[SimulatorThread]:
    with SimulatorThread(request.param, exchange=Exchange(pace=20.0), run=True) as thread:
        yield thread


@pytest.fixture(scope="module")
def report(both: SimulatorThread, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    told = both.call(lambda: plan(both.simulator)) | {"file": str(tmp_path_factory.mktemp("dhan") / "list.csv")}
    return peer_report("dhanhq", CLIENT, told)


def plan(simulator: Any) -> dict[str, Any]:
    exchange: Exchange = simulator.exchange
    sbin, infy = (exchange.market(symbol, Code.NSE) for symbol in ("SBIN", "INFY"))
    contract = next(row for row in exchange.contracts if row.exchange is Code.NFO and row.symbol.startswith("NIFTY"))
    future = exchange.market(*contract.id)
    known: dict[str, Any] = simulator.credentials | simulator.hosts
    ids = {"sbin": sbin, "infy": infy, "future": future}
    day = date.today()
    return known | {
        **{name: simulator.security_id(market) for name, market in ids.items()},
        "code": simulator.login.authenticator.code(),
        "low": sbin.rupees(round(sbin.ltp * 0.95)),
        "high": sbin.rupees(round(sbin.ltp * 1.05)),
        "future_low": future.rupees(round(future.ltp * 0.95)),
        "from": f"{day - timedelta(days=20)}",
        "to": f"{day}",
    }


def data(answer: dict[str, Any]) -> Any:
    assert answer["status"] == "success", answer
    return answer["data"]


def production(both: SimulatorThread) -> None:
    if both.name != "dhan":
        pytest.skip("the sandbox has it not")


def test_every_way_in(report: dict[str, Any], both: SimulatorThread) -> None:
    production(both)
    told = report["logins"]
    assert told["wrong"] == {"message": "Invalid Pin", "status": "error"}
    tokens = [told[way]["accessToken"] for way in ("by_code", "by_page", "renewed")]
    assert len(set(tokens)) == 3
    assert told["by_page"].keys() >= {"dhanClientId", "dhanClientName", "dhanClientUcc", "expiryTime"}
    assert told["profile"]["dhanClientId"] == both.simulator.user_id


def test_orders_of_every_kind(report: dict[str, Any], both: SimulatorThread) -> None:
    told = report["orders"]
    numbers = {kind: data(answer) for kind, answer in told["placed"].items()}
    assert len(numbers.pop("slices")) == 2
    rows = {row["orderId"]: row for row in data(told["list"])}
    assert all(row.keys() == ORDER_KEYS for row in rows.values())
    assert {kind: rows[taken["orderId"]]["orderStatus"] for kind, taken in numbers.items()} == {
        "limit": "CANCELLED",
        "ioc": "CANCELLED",
        "market": "TRADED",
        "stop": "PENDING",
        "dear": "REJECTED",
    }
    assert "Insufficient funds" in rows[numbers["dear"]["orderId"]]["omsErrorDescription"]
    assert data(told["modified"])["orderStatus"] == "TRANSIT"
    assert data(told["cancelled"])["orderStatus"] == "CANCELLED"
    (one,) = data(told["one"])
    assert (one["quantity"], one["correlationId"]) == (20, "one1")
    assert data(told["by_tag"])["orderId"] == one["orderId"]
    assert data(told["unknown"]) == []
    assert told["no_tag"]["remarks"]["error_code"] == told["again"]["remarks"]["error_code"] == "DH-906"
    assert told["wrong"]["remarks"]["error_type"] == "Input_Exception"
    ledger = both.ledger().tags(both.simulator.user_id)
    assert [order.quantity for order in ledger["taken"]] == [10]


def test_books(report: dict[str, Any], both: SimulatorThread) -> None:
    told = report["books"]
    (position,) = data(told["positions"])
    assert (position["netQty"], position["positionType"], position["productType"]) == (10, "LONG", "INTRADAY")
    assert {row["productType"]: row["netQty"] for row in data(told["after"])} == {"INTRADAY": 6, "CNC": 4}
    assert {row["tradingSymbol"] for row in data(told["holdings"])} == {"SBIN", "INFY"}
    assert data(told["funds"])["availabelBalance"] < 10_000_000
    one = data(told["margin"])["totalMargin"]
    if both.name == "dhan":
        assert float(data(told["margins"])["total_margin"]) == pytest.approx(2 * one, abs=0.01)
    else:
        assert told["margins"]["status"] == "failure"


def test_forever_orders(report: dict[str, Any]) -> None:
    told = report["forever"]
    listed = data(told["listed"])
    assert [(row["orderType"], row["legName"], row["orderStatus"]) for row in listed] == [
        ("SINGLE", "TARGET_LEG", "CONFIRM"),
        ("OCO", "STOP_LOSS_LEG", "CONFIRM"),
        ("OCO", "TARGET_LEG", "CONFIRM"),
    ]
    assert data(told["modified"])["orderStatus"] == "PENDING"
    assert [row["orderStatus"] for row in data(told["left"])] == ["CANCELLED", "CONFIRM", "CONFIRM"]


def test_market_data(report: dict[str, Any], both: SimulatorThread) -> None:
    production(both)
    told = report["market"]
    quotes = data(told["quote"])
    assert quotes["status"] == "success"
    assert {segment: len(rows) for segment, rows in quotes["data"].items()} == {"NSE_EQ": 1, "NSE_FNO": 1, "IDX_I": 1}
    (share,) = quotes["data"]["NSE_EQ"].values()
    assert len(share["depth"]["buy"]) == 5
    assert all(len(data(told[kind])["data"]) == 3 for kind in ("ohlc", "ltp"))
    minutes, days, nobody = data(told["minutes"]), data(told["days"]), data(told["nobody"])
    assert len(minutes["timestamp"]) == len(minutes["close"]) > len(days["timestamp"]) > 5
    assert nobody["timestamp"] == []
    assert told["columns"] == list(dhan_wire.COLUMNS)
    assert told["rows"] > 400


def test_the_feed(report: dict[str, Any], both: SimulatorThread) -> None:
    production(both)
    packets = {(packet["type"], packet["exchange_segment"]): packet for packet in report["feed"]}
    full, quote = packets["Full Data", 1], packets["Quote Data", 2]
    assert float(full["low"]) <= float(full["LTP"]) <= float(full["high"])
    assert len(full["depth"]) == 5
    assert float(full["depth"][0]["bid_price"]) < float(full["depth"][0]["ask_price"])
    assert quote["close"] == "0.00"
    assert packets["OI Data", 2]["OI"] > 0
    assert float(packets["Previous Close", 2]["prev_close"]) > 0
    assert packets["Ticker Data", 0]["security_id"] == 13


def test_deep_books(report: dict[str, Any], both: SimulatorThread) -> None:
    production(both)
    for levels in ("20", "200"):
        book = report[f"depth{levels}"][0]
        assert book["exchange_segment"] == 1
        assert 5 <= len(book["depth"]) <= int(levels)


def test_news_of_orders(report: dict[str, Any], both: SimulatorThread) -> None:
    production(both)
    told = [update["Data"] for update in report["updates"] if update["Data"]["correlationId"] == "pushed"]
    assert [(each["status"], each["quantity"]) for each in told] == [
        ("Pending", 10),
        ("Pending", 20),
        ("Cancelled", 20),
    ]
    assert {each["orderNo"] for each in told} == {told[0]["orderNo"]}
