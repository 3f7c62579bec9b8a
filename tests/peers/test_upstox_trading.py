"""The judge of our simulator: the official client (upstox-python-sdk 2.30.0) logs in, trades, reads and listens there.

Only its hosts are others than in the wild."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.peers.environments import peer_report
from tests.simulator_thread import SimulatorThread

from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange

CLIENT = Path(__file__).with_name("upstox_trading_client.py")


@pytest.fixture(scope="module")
def broker() -> Iterator[SimulatorThread]:
    with SimulatorThread("upstox", exchange=Exchange(pace=10.0), run=True) as thread:
        yield thread


@pytest.fixture(scope="module")
def asked(broker: SimulatorThread) -> dict[str, Any]:
    found: dict[str, Any] = broker.call(lambda: plan(broker.simulator))
    return found


@pytest.fixture(scope="module")
def report(asked: dict[str, Any]) -> dict[str, Any]:
    return peer_report("upstox", CLIENT, asked)


def plan(simulator: Any) -> dict[str, Any]:
    exchange: Exchange = simulator.exchange
    share = exchange.market("SBIN", Code.NSE)
    listed = exchange.contracts
    future = next(row for row in listed if row.exchange is Code.NFO and row.symbol.startswith("NIFTY"))
    commodity = next(row for row in listed if row.exchange is Code.MCX)
    market = exchange.market(future.symbol, Code.NFO)
    monday = exchange.day - timedelta(days=exchange.day.weekday() or 7)
    known: dict[str, Any] = simulator.credentials | simulator.hosts
    return known | {
        "stream": simulator.stream,
        "code": simulator.login.code(),
        "share": simulator.keys.of(share.contract),
        "future": simulator.keys.of(future),
        "index": simulator.keys.of(exchange.market("NIFTY", Code.NSE_INDEX).contract),
        "commodity": simulator.keys.of(commodity),
        "low": share.rupees(round(share.ltp * 0.95)),
        "high": share.rupees(round(share.ltp * 1.05)),
        "future_price": market.rupees(round(market.ltp * 0.97)),
        "monday": monday.isoformat(),
        "week_ago": (monday - timedelta(days=7)).isoformat(),
    }


def test_the_code_of_the_login_page_gives_a_session(report: dict[str, Any]) -> None:
    assert report["login"]["user_id"] == report["portfolio"]["profile"]["user_id"] == "2VABCD"
    assert report["login"]["access_token"]
    assert report["refused"] == {"status": 401, "code": "UDAPI100057", "same": True}
    assert report["logout"] is True
    assert report["dead"] == {"status": 401, "code": "UDAPI100050", "same": True}


def test_orders(report: dict[str, Any], broker: SimulatorThread) -> None:
    orders = report["orders"]
    placed, book = orders["placed"], {row["order_id"]: row for row in orders["book"]}
    assert orders["modified"] == orders["cancelled"] == placed["limit"]
    assert {name: book[order_id]["status"] for name, order_id in placed.items()} == {
        "limit": "cancelled",
        "ioc": "cancelled",
        "market": "complete",
        "stop": "trigger pending",
        "stop_limit": "trigger pending",
        "dear": "rejected",
        "carried": "open",
    }
    assert all(row[name] is not None for row in book.values() for name in ("instrument_token", "order_timestamp"))
    limit, carried = book[placed["limit"]], book[placed["carried"]]
    assert (limit["quantity"], limit["tag"], limit["trading_symbol"], limit["exchange"]) == (
        20,
        "one1",
        "SBIN-EQ",
        "NSE",
    )
    assert (carried["product"], carried["exchange"]) == ("D", "NFO")
    assert "You need to add Rs." in book[placed["dear"]]["status_message"]
    assert orders["one"]["order_id"] == placed["market"]
    assert {row["order_id"] for row in orders["history"]} == {placed["limit"]}
    assert [row["status"] for row in orders["history"]][-2:] == ["cancel pending", "cancelled"]
    assert orders["trades_of_one"] == orders["trades"]
    assert sum(row["quantity"] for row in orders["trades"]) == 7
    assert [order.order_id for order in broker.ledger().tags("2VABCD")["taken"]] == [placed["market"]]


def test_wrong_orders_are_the_clients_exceptions(report: dict[str, Any]) -> None:
    wrong = report["orders"]["wrong"]
    assert all(row["same"] for row in wrong.values())
    assert {name: row["code"] for name, row in wrong.items()} == {
        "quantity": "UDAPI1052",
        "key": "UDAPI100011",
        "unprotected": "UDAPI1158",
        "tag": "UDAPI100036",
        "commodity": "UDAPI1161",
        "unknown": "UDAPI100010",
        "again": "UDAPI100040",
        "late": "UDAPI100041",
        "history": "UDAPI100010",
    }


def test_the_portfolio(report: dict[str, Any]) -> None:
    told = report["portfolio"]
    (net,) = told["positions"]
    assert (net["product"], net["quantity"], net["buy_price"]) == ("I", 7, pytest.approx(net["day_buy_price"]))
    assert net["pnl"] == pytest.approx((net["last_price"] - net["buy_price"]) * 7, abs=0.01)
    assert told["converted"] == "complete"
    assert {row["product"]: row["quantity"] for row in told["after"]} == {"I": 3, "D": 4}
    assert told["too_much"]["code"] == "UDAPI1035"
    assert {row["trading_symbol"]: row["quantity"] for row in told["holdings"]} == {"SBIN": 100, "INFY": 50}
    assert told["funds"].keys() == {"equity", "commodity"}
    assert told["funds"]["equity"]["used_margin"] > 0
    assert told["equity"] == ["equity"]
    assert told["margin"]["final_margin"] == told["margin"]["margins"][0]["total_margin"] > 0


def test_gtt(report: dict[str, Any]) -> None:
    told = report["gtt"]
    assert told["modified"] == [told["single"]]
    assert told["cancelled"] == [told["multiple"]]
    single, multiple = told["list"]
    assert told["one"] == [single]
    assert (single["type"], single["quantity"], single["exchange"]) == ("SINGLE", 6, "NSE_EQ")
    assert [rule["strategy"] for rule in multiple["rules"]] == ["ENTRY", "TARGET"]
    assert (single["rules"][0]["status"], multiple["rules"][0]["status"]) == ("SCHEDULED", "CANCELLED")
    assert told["no_entry"]["code"] == "UDAPI1141"


def test_quotes_and_candles(report: dict[str, Any], asked: dict[str, Any]) -> None:
    told = report["data"]
    assert {name: quote["instrument_token"] for name, quote in told["quotes"].items()} == {
        "NSE_EQ:SBIN": asked["share"],
        "NSE_INDEX:Nifty 50": asked["index"],
    }
    share = told["quotes"]["NSE_EQ:SBIN"]
    assert len(share["depth"]["buy"]) == len(share["depth"]["sell"]) == 5
    begins = [row[0] for row in told["days"]]
    assert begins == sorted(begins, reverse=True)
    assert all(len(row) == 7 and row[0].endswith("T00:00:00+05:30") for row in told["days"])
    assert told["too_long"]["code"] == "UDAPI1148"
    assert told["today"]


def test_the_feed(report: dict[str, Any], asked: dict[str, Any]) -> None:
    heard = report["ticks"]
    assert (heard[0]["type"], heard[0]["marketInfo"]["segmentStatus"]["NSE_EQ"]) == ("market_info", "NORMAL_OPEN")
    kinds = [message.get("type", "initial_feed") for message in heard]
    assert kinds.count("initial_feed") >= 4
    assert "live_feed" in kinds
    modes = {
        (key, feed.get("requestMode", "ltpc")) for message in heard for key, feed in message.get("feeds", {}).items()
    }
    share, index, future = asked["share"], asked["index"], asked["future"]
    assert modes >= {(share, "ltpc"), (index, "full_d5"), (share, "full_d5"), (future, "option_greeks")}
    assert (share, "full_d30") in modes
    deep = [
        feed["fullFeed"]["marketFF"]["marketLevel"]["bidAskQuote"]
        for message in heard
        for key, feed in message.get("feeds", {}).items()
        if key == share and feed.get("requestMode") == "full_d30" and "marketLevel" in feed["fullFeed"]["marketFF"]
    ]
    assert {len(rows) for rows in deep} == {30}


def test_the_portfolio_stream(report: dict[str, Any]) -> None:
    heard = report["updates"]
    assert [row["update_type"] for row in heard] == ["order", "order", "gtt_order"]
    assert [row["status"] for row in heard[:2]] == ["open", "cancelled"]
    assert {row["tag"] for row in heard[:2]} == {"pushed"}
    assert heard[2]["rules"][0]["status"] == "SCHEDULED"
