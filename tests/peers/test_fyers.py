"""The judge of our simulator of Fyers: the official client (fyers-apiv3 3.2.0) logs in, trades and listens to it.

Only the addresses in the client are replaced."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.peers.environments import peer_report
from tests.simulator_thread import SimulatorThread

from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange, fyers_wire

CLIENT = Path(__file__).with_name("fyers_client.py")


@pytest.fixture(scope="module")
def broker() -> Iterator[SimulatorThread]:
    with SimulatorThread("fyers", exchange=Exchange(pace=20.0), run=True) as thread:
        yield thread


@pytest.fixture(scope="module")
def report(broker: SimulatorThread, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("fyers")
    return peer_report("fyers", CLIENT, broker.call(lambda: plan(broker.simulator)), str(folder))


def plan(simulator: Any) -> dict[str, Any]:
    exchange: Exchange = simulator.exchange
    sbin = exchange.market("SBIN", Code.NSE)
    pair = next(row for row in exchange.contracts if row.exchange is Code.CDS and row.symbol.startswith("USDINR"))
    monday = exchange.day - timedelta(days=7 + exchange.day.weekday())
    known: dict[str, Any] = simulator.credentials | simulator.hosts
    return known | {
        "code": simulator.login.code(),
        "low": sbin.rupees(round(sbin.ltp * 0.95)),
        "high": sbin.rupees(round(sbin.ltp * 1.05)),
        "pair": fyers_wire.ticker(pair),
        "monday": f"{monday}",
    }


def test_the_login(report: dict[str, Any], broker: SimulatorThread) -> None:
    assert "/api/v3/generate-authcode?client_id=" in report["login"]["page"]
    granted = report["login"]["granted"]
    assert (granted["s"], granted["code"]) == ("ok", 200)
    assert granted["access_token"].count(".") == 2
    assert report["books"]["profile"]["data"]["fy_id"] == broker.simulator.user_id
    out, after = report["logout"]
    assert (out["s"], after["s"], after["code"]) == ("ok", "error", -17)


def test_orders(report: dict[str, Any], broker: SimulatorThread) -> None:
    told, numbers = report["orders"], report["orders"]["numbers"]
    assert {answer["code"] for answer in told["placed"].values()} == {1101}
    assert (told["modified"]["code"], told["cancelled"]["code"]) == (1102, 1103)
    rows = {row["id"]: row for row in told["book"]["orderBook"]}
    states = {name: (rows[number]["status"], rows[number]["type"]) for name, number in numbers.items()}
    assert states == {"limit": (6, 1), "market": (2, 2), "stop": (6, 4), "dear": (5, 1)}
    assert (rows[numbers["limit"]]["qty"], rows[numbers["limit"]]["orderTag"]) == (20, "1:one1")
    assert rows[numbers["stop"]]["orderTag"] == "2:Untagged"
    assert rows[numbers["dear"]]["message"]
    assert [row["id"] for row in told["one"]["orderBook"]] == [numbers["limit"]]
    assert [told[name]["code"] for name in ("late", "strange", "nobody", "wrong")] == [-52, -51, -300, -50]
    assert [order.order_id for order in broker.ledger().tags(broker.simulator.user_id)["taken"]] == [numbers["market"]]


def test_books(report: dict[str, Any]) -> None:
    told = report["books"]
    assert sum(row["tradedQty"] for row in told["trades"]["tradeBook"]) == 10
    (held,) = told["positions"]["netPositions"]
    assert (held["netQty"], held["productType"], held["id"]) == (10, "INTRADAY", "NSE:SBIN-EQ-INTRADAY")
    assert told["converted"]["s"] == "ok"
    assert {row["productType"]: row["netQty"] for row in told["after"]["netPositions"]} == {"INTRADAY": 6, "CNC": 4}
    assert {row["symbol"] for row in told["holdings"]["holdings"]} == {"NSE:SBIN-EQ", "NSE:INFY-EQ"}
    assert [row["id"] for row in told["funds"]["fund_limit"]] == list(range(1, 11))


def test_triggers(report: dict[str, Any]) -> None:
    told = report["triggers"]
    assert [told[name]["code"] for name in ("single", "two", "modified", "cancelled", "wrong")] == [
        1101, 1101, 1102, 1103, -50,
    ]  # fmt: skip
    single, two = told["book"]["orderBook"]
    assert (single["qty"], single["gtt_oco_ind"], single["ord_status"]) == (7, 1, 6)
    assert (two["gtt_oco_ind"], two["ord_status"], two["qty"], two["qty2"]) == (2, 1, 4, 5)
    assert two["price_trigger"] > two["price2_trigger"]


def test_data(report: dict[str, Any]) -> None:
    told = report["data"]
    share, nobody, index = told["quotes"]["d"]
    assert [each["s"] for each in (share, nobody, index)] == ["ok", "error", "ok"]
    assert share["v"]["bid"] < share["v"]["ask"]
    depth = told["depth"]["d"]["NSE:SBIN-EQ"]
    assert (len(depth["bids"]), len(depth["ask"])) == (5, 5)
    (day,) = told["day"]["candles"]
    assert day[0] % 86_400 == 0
    assert told["hours"]["candles"][0][1] == day[1]
    assert max(row[2] for row in told["hours"]["candles"]) == day[2]
    assert told["strange"]["code"] == -300


def test_prices(report: dict[str, Any]) -> None:
    told = report["hsm"]
    assert told["enough"], told["status"]
    assert {"cn", "ful", "sub"} <= {each.get("type") for each in told["status"]}
    for first, last in told["heard"].values():
        assert first["low_price"] <= first["ltp"] <= first["high_price"]
        assert last["exch_feed_time"] >= first["exch_feed_time"]
    first, last = told["heard"]["NSE:SBIN-EQ"]
    assert first["bid_price"] < first["ask_price"]
    assert last["vol_traded_today"] >= first["vol_traded_today"]
    (pair,) = (rows for name, rows in told["heard"].items() if "USDINR" in name)
    assert 50 < pair[0]["ltp"] < 200  # its own scale was read


def test_books_of_five(report: dict[str, Any]) -> None:
    told = report["books_of_five"]
    assert told["enough"], told["status"]
    for row in told["heard"]["NSE:SBIN-EQ"]:
        bids = [row[f"bid_price{number}"] for number in range(1, 6)]
        asks = [row[f"ask_price{number}"] for number in range(1, 6)]
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert bids[0] < asks[0]


def test_lite(report: dict[str, Any]) -> None:
    told = report["lite"]
    assert told["enough"], told["status"]
    first, last = told["heard"]["NSE:SBIN-EQ"]
    assert set(last) == {"ltp", "symbol", "type"}
    assert first["symbol"] == "NSE:SBIN-EQ"


def test_books_of_fifty(report: dict[str, Any]) -> None:
    told = report["tbt"]
    assert told["enough"], told["errors"]
    assert told["silent"]
    ((ticker, snapshot, total, *_),) = told["first"]
    assert (ticker, snapshot) == ("NSE:SBIN-EQ", True)
    assert total > 0
    ((_, snapshot, _, bids, quantities, asks),) = told["last"]
    assert not snapshot
    told_bids = [price for price, quantity in zip(bids, quantities, strict=True) if quantity]
    assert told_bids == sorted(told_bids, reverse=True)
    assert told_bids[0] < asks[0]


def test_news(report: dict[str, Any]) -> None:
    told = report["news"]
    assert told["general"][0] == {"code": 1605, "message": "Successfully subscribed", "s": "ok"}
    rows = [row["orders"] for row in told["heard"] if row["orders"].get("orderTag") == "1:pushed"]
    assert [row["status"] for row in rows] == [6, 1]
    assert {(row["symbol"], row["side"], row["type"], row["productType"]) for row in rows} == {
        ("NSE:SBIN-EQ", 1, 1, "INTRADAY")
    }
    assert told["enough"]
