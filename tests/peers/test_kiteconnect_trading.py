"""The judge of our simulator's trading side: the official client (kiteconnect 5.2.2) trades against it.

Orders of every variety, books, conversion of positions, margins, charges, GTT and order updates of the ticker."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.peers.environments import peer_report
from tests.simulator_thread import SimulatorThread

from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange, kite_wire

CLIENT = Path(__file__).with_name("kite_trading_client.py")
ORDER_KEYS = {
    *("placed_by", "order_id", "exchange_order_id", "parent_order_id", "status", "status_message", "meta", "tag"),
    *("status_message_raw", "order_timestamp", "exchange_update_timestamp", "exchange_timestamp", "variety", "guid"),
    *("modified", "exchange", "tradingsymbol", "instrument_token", "order_type", "transaction_type", "validity"),
    *("product", "quantity", "disclosed_quantity", "price", "trigger_price", "average_price", "filled_quantity"),
    *("pending_quantity", "cancelled_quantity", "market_protection"),
}
"""What every row of Kite's published order book has."""


@pytest.fixture(scope="module")
def broker() -> Iterator[SimulatorThread]:
    with SimulatorThread("zerodha", exchange=Exchange(pace=10.0), run=True) as thread:
        yield thread


@pytest.fixture(scope="module")
def report(broker: SimulatorThread) -> dict[str, Any]:
    return peer_report("kiteconnect", CLIENT, broker.call(lambda: plan(broker.simulator)))


def plan(simulator: Any) -> dict[str, Any]:
    exchange: Exchange = simulator.exchange
    sbin, infy = exchange.market("SBIN", Code.NSE), exchange.market("INFY", Code.NSE)
    listed = exchange.contracts
    future = next(row for row in listed if row.exchange is Code.NFO and row.symbol.startswith("NIFTY"))
    market = exchange.market(future.symbol, Code.NFO)
    known: dict[str, Any] = simulator.credentials | simulator.hosts
    known |= {
        "low": sbin.rupees(round(sbin.ltp * 0.95)),
        "high": sbin.rupees(round(sbin.ltp * 1.05)),
        "last": sbin.rupees(sbin.ltp),
        "infy_last": infy.rupees(infy.ltp),
        "infy_near": infy.rupees(infy.ltp + 1),
        "future": kite_wire.tradingsymbol(future),
        "future_price": market.rupees(round(market.ltp * 0.97)),
    }
    return known


def rows(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["order_id"]: row for row in report["books"]["orders"]}


def test_orders_of_every_variety(report: dict[str, Any], broker: SimulatorThread) -> None:
    placed, book = report["orders"]["placed"], rows(report)
    assert report["orders"]["modified"] == placed["regular"]
    assert report["orders"]["cancelled"] == [placed["regular"], placed["amo"], placed["iceberg"]]
    states = {name: (book[order_id]["variety"], book[order_id]["status"]) for name, order_id in placed.items()}
    assert states == {
        "regular": ("regular", "CANCELLED"),
        "amo": ("amo", "CANCELLED AMO"),
        "iceberg": ("iceberg", "CANCELLED"),
        "ioc": ("regular", "CANCELLED"),
        "market": ("regular", "COMPLETE"),
        "protected": ("regular", "COMPLETE"),
        "stop": ("regular", "TRIGGER PENDING"),
        "stop_limit": ("regular", "TRIGGER PENDING"),
        "dear": ("regular", "REJECTED"),
    }
    assert all(row.keys() >= ORDER_KEYS for row in book.values())
    regular, protected = book[placed["regular"]], book[placed["protected"]]
    assert (regular["quantity"], regular["modified"], regular["tag"]) == (20, True, "one1")
    assert (protected["order_type"], protected["tags"]) == ("LIMIT", ["mktp", "mktp:2.00"])
    assert book[placed["dear"]]["status_message"].startswith("Insufficient funds. Required margin is")
    assert book[placed["iceberg"]]["meta"]["iceberg"]["leg_quantity"] == 2
    ledger = broker.ledger()
    assert [order.order_id for order in ledger.tags("AB1234")["taken"]] == [placed["market"]]
    assert set(book) <= set(ledger.orders)


def test_an_order_above_the_freeze_quantity_is_sliced(report: dict[str, Any]) -> None:
    sliced, book = report["orders"]["autoslice"], rows(report)
    assert sliced["order_id"] not in book
    assert [book[child["order_id"]]["quantity"] for child in sliced["children"]] == [1755, 195]
    assert all("autoslice" in book[child["order_id"]]["tags"] for child in sliced["children"])


def test_wrong_orders_are_the_clients_exceptions(report: dict[str, Any]) -> None:
    wrong = report["orders"]["wrong"]
    kinds = {name: (row["kind"], row["code"]) for name, row in wrong.items()}
    inputs = dict.fromkeys(("no_price", "symbol", "tag", "variety", "again", "late"), ("InputException", 400))
    assert kinds == inputs | {"unknown": ("OrderException", 400), "history": ("OrderException", 404)}
    assert wrong["no_price"]["text"] == "Missing or empty field `price`"


def test_the_books(report: dict[str, Any]) -> None:
    books, placed = report["books"], report["orders"]["placed"]
    assert [row["status"] for row in books["history"]] == [
        *("PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN"),
        *("MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED", "OPEN"),
        *("CANCEL PENDING", "CANCELLED"),
    ]
    traded = sum(row["quantity"] for row in books["order_trades"])
    assert (traded, {row["order_id"] for row in books["order_trades"]}) == (7, {placed["market"]})
    assert sum(row["quantity"] for row in books["trades"]) == 10
    (net,) = (row for row in books["positions"]["net"] if row["tradingsymbol"] == "SBIN")
    assert (net["product"], net["quantity"], net["buy_quantity"], net["multiplier"]) == ("MIS", 10, 10, 1)
    assert net["pnl"] == pytest.approx((net["last_price"] - net["average_price"]) * 10, abs=0.01)
    assert books["converted"] is True
    after = {row["product"]: row["quantity"] for row in books["after"]["net"]}
    assert after == {"MIS": 6, "CNC": 4}
    assert (books["too_much"]["kind"], books["auctions"]) == ("InputException", [])
    assert {row["tradingsymbol"]: row["quantity"] for row in books["holdings"]} == {"SBIN": 100, "INFY": 50}


def test_funds(report: dict[str, Any]) -> None:
    equity = report["books"]["margins"]["equity"]
    assert equity["available"]["opening_balance"] == 10_000_000.0
    assert equity["net"] == pytest.approx(10_000_000.0 - equity["utilised"]["debits"])
    assert equity["utilised"]["span"] > 0
    assert equity["utilised"]["delivery"] > 0
    assert report["books"]["equity"].keys() == equity.keys()
    assert report["books"]["margins"]["commodity"]["enabled"] is True
    assert report["books"]["nothing"]["code"] == 400


def test_margins_and_charges(report: dict[str, Any]) -> None:
    told = report["calculators"]
    share, future = told["orders"]
    assert (share["var"], share["total"], share["type"]) == (2800, 2800, "equity")
    assert future["span"] == future["total"] > 100_000
    assert told["basket"]["initial"]["total"] == pytest.approx(share["total"] + future["total"])
    assert told["basket"]["orders"] == told["orders"]
    assert told["compact"].keys() == {"initial", "final", "charges"}
    assert told["note"][0]["charges"]["gst"]["total"] > 0
    assert told["wrong"]["kind"] == "InputException"


def test_gtt(report: dict[str, Any]) -> None:
    told = report["gtt"]
    single, two = told["single"]["trigger_id"], told["two"]["trigger_id"]
    assert [row["id"] for row in told["list"]] == [single, two, told["near"]]
    row = told["list"][1]
    assert row["status"] == "active"
    assert (row["type"], len(row["orders"]), row["condition"]["instrument_token"]) == ("two-leg", 2, 779521)
    assert told["modified"] == {"trigger_id": single}
    assert told["changed"]["condition"]["trigger_values"] != told["list"][0]["condition"]["trigger_values"]
    assert (told["deleted"], told["left"]) == ({"trigger_id": two}, [single, told["near"]])
    assert (told["wrong"]["kind"], told["gone"]["code"]) == ("InputException", 404)


def test_a_trigger_fires_on_the_exchanges_price(report: dict[str, Any], broker: SimulatorThread) -> None:
    fired = report["gtt"]["fired"]
    assert fired["status"] == "triggered"
    result = fired["orders"][0]["result"]["order_result"]
    assert result["status"] == "success"
    order = broker.ledger().orders[result["order_id"]]
    assert (order.symbol, order.action, order.quantity) == ("INFY", "SELL", 5)


def test_the_ticker_tells_of_orders(report: dict[str, Any]) -> None:
    heard = report["updates"]["heard"]
    assert [row["status"] for row in heard] == ["OPEN", "UPDATE", "CANCELLED"]
    assert [row["quantity"] for row in heard] == [10, 20, 20]
    assert (heard[2]["cancelled_quantity"], heard[2]["unfilled_quantity"]) == (20, 20)
