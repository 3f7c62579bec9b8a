"""What a program with the official `openalgo` SDK gets when it trades: every order and book method, field by field as
the contract has it. Runs in the SDK's own environment and prints what did not hold by the check's name:

    python openalgo_orders_suite.py '{"host": …, "key": …, "broker": …, "mode": "live" or "analyze"}'

Products are CNC and NRML, which trade on paper at any hour."""

import json
import re
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx  # type: ignore[import-not-found,unused-ignore]
from openalgo import api  # type: ignore[import-not-found,unused-ignore]

SETTINGS: dict[str, Any] = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {"host": "", "key": "", "mode": ""}
SHARE = {"symbol": "RELIANCE", "exchange": "NSE"}
ORDER_ROW = [
    "action", "symbol", "exchange", "orderid", "product", "quantity", "price", "pricetype", "order_status",
    "trigger_price", "timestamp",
]  # fmt: skip
TRADE_ROW = [
    "action", "symbol", "exchange", "orderid", "product", "quantity", "average_price", "timestamp", "trade_value",
]  # fmt: skip
POSITION_ROW = ["symbol", "exchange", "product", "quantity", "average_price", "ltp", "pnl"]
HOLDING_ROW = ["symbol", "exchange", "product", "quantity", "pnl", "pnlpercent"]
FUNDS = ["availablecash", "collateral", "m2mrealized", "m2munrealized", "utiliseddebits"]
STATUSES = {"open", "trigger pending", "complete", "cancelled", "rejected"}
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
PATIENCE = 10.0


class Paced:
    """The SDK, asked again where the answer is 429: that says that nothing was sent."""

    def __init__(self, sdk: Any) -> None:
        self._sdk = sdk

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._sdk, name)

        def ask(*args: Any, **fields: Any) -> Any:
            def answer() -> Any:
                reply = method(*args, **fields)
                return None if isinstance(reply, dict) and reply.get("code") == 429 else reply

            return until(answer, "a slot of the rate limit")

        return ask


client = Paced(api(api_key=SETTINGS["key"], host=SETTINGS["host"], timeout=20))


def good(reply: Any, *keys: str) -> Any:
    """A success with exactly these keys beside `status` and `mode`."""
    assert isinstance(reply, dict), reply
    assert reply.get("status") == "success", reply
    assert set(reply) == {"status", "mode", *keys}, sorted(reply)
    assert reply["mode"] == SETTINGS["mode"], reply
    return reply


def failed(reply: Any, code: int) -> dict[str, Any]:
    """The server's error body behind what the SDK makes of it."""
    assert (reply["status"], reply["error_type"], reply["code"]) == ("error", "http_error", code), reply
    body: dict[str, Any] = json.loads(reply["message"].partition(": ")[2])
    assert body["status"] == "error"
    assert re.fullmatch("[A-Z_]+", body["error_code"]), body
    return body


def until(told: Callable[[], Any], what: str) -> Any:
    """What `told` answers once it is true."""
    end = time.monotonic() + PATIENCE
    while not (answer := told()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.1)
    return answer


def raw(path: str, headers: Any = None, **body: Any) -> Any:
    """A request that the SDK has no method for."""

    def answer() -> Any:
        content = {"apikey": SETTINGS["key"], **body}
        reply = httpx.post(f"{SETTINGS['host']}/api/v1/{path}", json=content, headers=headers, timeout=20)
        return None if reply.status_code == 429 else reply

    return until(answer, "a slot of the rate limit")


def price(factor: float = 1.0) -> str:
    """A limit on the tick, that far from the last price."""
    return f"{round(client.quotes(**SHARE)['data']['ltp'] * factor):d}.00"


def place(action: str = "BUY", **terms: Any) -> str:
    fields = {"price_type": "MARKET", "product": "CNC", "quantity": 1, **SHARE, **terms}
    reply = good(client.placeorder(strategy="suite", action=action, **fields), "orderid")
    assert isinstance(reply["orderid"], str)
    assert reply["orderid"]
    return str(reply["orderid"])


def rest(**terms: Any) -> str:
    """An order that waits below the market."""
    return place(**{"price_type": "LIMIT", "price": price(0.95), "quantity": "2", **terms})


def status(order_id: str) -> dict[str, Any]:
    row: dict[str, Any] = good(client.orderstatus(order_id=order_id, strategy="suite"), "data")["data"]
    return row


def reaches(order_id: str, state: str) -> dict[str, Any]:
    def there() -> dict[str, Any] | None:
        row = status(order_id)
        assert row["order_status"] == state or row["order_status"] in ("open", "trigger pending"), row
        return row if row["order_status"] == state else None

    row: dict[str, Any] = until(there, f"{order_id} to be {state}")
    return row


def numbers(row: dict[str, Any], *names: str) -> None:
    for name in names:
        assert isinstance(row[name], int | float), (name, row)
        assert not isinstance(row[name], bool)


def future() -> dict[str, Any]:
    expiry = client.expiry(symbol="NIFTY", exchange="NFO", instrumenttype="futures")["data"][0].replace("-", "")
    return {"symbol": f"NIFTY{expiry}FUT", "exchange": "NFO"}


def lot(of: dict[str, Any]) -> int:
    return int(client.symbol(**of)["data"]["lotsize"])


def net(of: dict[str, Any], product: str) -> int:
    reply = good(client.openposition(strategy="suite", product=product, **of), "quantity")
    assert type(reply["quantity"]) is int
    return int(reply["quantity"])


# --- checks -----------------------------------------------------------------------------------------------------------


def check_placeorder_fills() -> None:
    before = net(SHARE, "CNC")
    row = reaches(place(quantity=3), "complete")
    assert list(row)[: len(ORDER_ROW)] == ORDER_ROW
    assert (row["action"], row["symbol"], row["exchange"], row["product"]) == ("BUY", "RELIANCE", "NSE", "CNC")
    assert (row["quantity"], row["filled_quantity"], row["pending_quantity"]) == (3, 3, 0)
    assert row["pricetype"] == row["price_type"] == "MARKET"
    assert row["price"] == 0
    numbers(row, "price", "trigger_price", "average_price", "quantity")
    assert row["average_price"] > 0
    assert TIME.fullmatch(row["timestamp"])
    assert row["state"] == "complete"
    until(lambda: net(SHARE, "CNC") == before + 3, "the position")


def check_tradebook() -> None:
    order_id = place()
    reaches(order_id, "complete")

    def fills() -> list[dict[str, Any]]:
        return [row for row in good(client.tradebook(), "data")["data"] if row["orderid"] == order_id]

    (row,) = until(fills, "the fill in the trade book")
    assert list(row)[: len(TRADE_ROW)] == TRADE_ROW
    numbers(row, "quantity", "average_price", "trade_value")
    assert row["trade_value"] == round(row["quantity"] * row["average_price"], 2)
    assert TIME.fullmatch(row["timestamp"])
    assert row["tradeid"]


def check_orderbook() -> None:
    order_id = rest()
    data = good(client.orderbook(), "data")["data"]
    assert set(data) == {"orders", "statistics"}
    row = next(row for row in data["orders"] if row["orderid"] == order_id)
    assert list(row)[: len(ORDER_ROW)] == ORDER_ROW
    assert (row["quantity"], row["order_status"], row["pricetype"]) == (2, "open", "LIMIT")
    assert {row["order_status"] for row in data["orders"]} <= STATUSES
    counts = data["statistics"]
    assert set(counts) >= {
        "total_buy_orders", "total_sell_orders", "total_completed_orders", "total_open_orders",
        "total_rejected_orders", "total_trigger_pending_orders",
    }  # fmt: skip
    assert counts["total_buy_orders"] + counts["total_sell_orders"] == len(data["orders"])
    assert counts["total_open_orders"] == sum(row["order_status"] == "open" for row in data["orders"])
    good(client.cancelorder(order_id=order_id, strategy="suite"), "orderid", "message")
    reaches(order_id, "cancelled")


def check_modify_and_cancel() -> None:
    order_id, limit = rest(), price(0.94)
    terms = {"action": "BUY", "product": "CNC", "quantity": "3", "price": limit, **SHARE}
    reply = good(client.modifyorder(order_id=order_id, strategy="suite", **terms), "orderid", "message")
    assert reply["orderid"] == order_id

    def changed() -> bool:
        row = status(order_id)
        return (row["quantity"], row["price"]) == (3, float(limit))

    until(changed, "the new terms")
    reply = good(client.cancelorder(order_id=order_id, strategy="suite"), "orderid", "message")
    assert reply["orderid"] == order_id
    row = reaches(order_id, "cancelled")
    assert row["average_price"] == 0
    failed(client.cancelorder(order_id=order_id, strategy="suite"), 400)
    failed(client.modifyorder(order_id=order_id, strategy="suite", **terms), 400)


def check_order_ids_may_be_numbers() -> None:
    order_id = rest()
    if order_id.isdigit():
        assert status(int(order_id))["orderid"] == order_id  # type: ignore[arg-type]
        good(client.cancelorder(order_id=int(order_id), strategy="suite"), "orderid", "message")
    else:
        good(client.cancelorder(order_id=order_id, strategy="suite"), "orderid", "message")


def check_errors() -> None:
    body = failed(client.orderstatus(order_id="404404", strategy="suite"), 404)
    assert body["message"] == "Order 404404 not found"
    assert (body["mode"], body["broker"]) == (SETTINGS["mode"], SETTINGS["broker"])
    failed(client.cancelorder(order_id="404404", strategy="suite"), 404)
    terms: dict[str, Any] = {"action": "BUY", "price_type": "MARKET", "product": "CNC", **SHARE}
    failed(client.placeorder(**{**terms, "symbol": "NOPE"}, quantity=1), 400)
    body = failed(client.placeorder(**terms, quantity=0), 400)
    assert body["message"] == "{'quantity': ['Must be greater than 0.']}"
    assert body["mode"] == SETTINGS["mode"]
    body = failed(client.placeorder(**{**terms, "price_type": "LIMIT"}, quantity=1, price="1000.013"), 400)
    assert body["error_code"] == "INVALID_ORDER"
    failed(client.placeorder(**{**terms, "product": "NRML"}, quantity=1), 400)
    body = failed(client.placeorder(**{**terms, **future(), "product": "NRML"}, quantity=1), 400)
    assert "lot" in body["message"]
    stranger = api(api_key="0" * 64, host=SETTINGS["host"], timeout=20)
    for reply in (stranger.orderbook(), stranger.funds(), stranger.placeorder(**terms, quantity=1)):
        assert failed(reply, 403)["message"] == "Invalid openalgo apikey"
    reply = raw("placeorder", symbol="RELIANCE")
    assert reply.status_code == 400
    assert "Missing data for required field." in reply.json()["message"]


def check_unknown_fields_are_ignored() -> None:
    order_id = rest(target="5", stoploss="x", trailing_sl="1", trigger_price="0", disclosed_quantity="0")
    good(client.cancelorder(order_id=order_id, strategy="suite"), "orderid", "message")


def check_repeated_requests_are_one_order() -> None:
    name = f"suite-{time.time_ns()}"
    fields = {**SHARE, "action": "BUY", "pricetype": "LIMIT", "price": price(0.95), "product": "CNC", "quantity": 1}
    first = raw("placeorder", {"Idempotency-Key": name}, **fields).json()
    again = raw("placeorder", **fields, client_order_id=name).json()
    assert first == again
    assert first["client_order_id"] == name
    reply = raw("placeorder", {"Idempotency-Key": name}, **{**fields, "quantity": 2})
    assert reply.status_code == 409, reply.text
    rows = [row for row in client.orderbook()["data"]["orders"] if row["client_order_id"] == name]
    assert [row["orderid"] for row in rows] == [first["orderid"]]
    good(client.cancelorder(order_id=first["orderid"], strategy="suite"), "orderid", "message")


def check_repeated_composites_are_the_same_orders() -> None:
    name, of = f"suite-{time.time_ns()}", future()
    leg = {**SHARE, "action": "BUY", "quantity": 2, "pricetype": "LIMIT", "price": price(0.95), "product": "CNC"}
    smart = {**of, "action": "BUY", "quantity": 0, "pricetype": "MARKET", "product": "NRML"}
    asked: list[tuple[str, dict[str, Any]]] = [
        ("basketorder", {"orders": [leg, leg]}),
        ("splitorder", {**leg, "splitsize": 1}),
        ("placesmartorder", {**smart, "position_size": net(of, "NRML") + lot(of)}),
        ("closeposition", {}),
    ]
    for number, (path, fields) in enumerate(asked):
        first, again = (raw(path, {"Idempotency-Key": f"{name}{number}"}, **fields).json() for _ in range(2))
        assert first["status"] == "success", first
        assert first == again, path
    until(lambda: net(of, "NRML") == 0, "the position closed once")
    client.cancelallorder(strategy="suite")


def check_smart_orders() -> None:
    """The decision table, one row after another."""
    of, size = future(), lot(future())
    terms = {"strategy": "suite", "price_type": "MARKET", "product": "NRML", **of}

    def smart(target: int, action: str = "BUY", quantity: int = 0) -> Any:
        return client.placesmartorder(action=action, quantity=quantity, position_size=target, **terms)

    for target in (size, -size, -2 * size, -size, 0):
        good(smart(target), "orderid")
        until(lambda: net(of, "NRML") == target, f"a position of {target}")  # noqa: B023 - asked at once
        assert good(smart(target), "message")["message"] in (
            "Positions Already Matched. No Action needed.", "No OpenPosition Found. Not placing Exit order.",
        )  # fmt: skip
    good(smart(0, "SELL", size), "orderid")
    until(lambda: net(of, "NRML") == -size, "an order from flat to flat")
    good(smart(0), "orderid")
    until(lambda: net(of, "NRML") == 0, "flat")


def check_basket() -> None:
    leg = {**SHARE, "action": "BUY", "quantity": 1, "pricetype": "LIMIT", "price": price(0.95), "product": "CNC"}
    bad = {**leg, **future(), "product": "NRML", "action": "SELL", "quantity": 1}
    results = good(client.basketorder(strategy="suite", orders=[bad, leg, leg]), "results")["results"]
    assert [row["status"] for row in results] == ["error", "success", "success"]
    assert "lot" in results[0]["message"]
    for row in results:
        assert {"symbol", "exchange", "product", "status"} <= set(row)
    ids = [row["orderid"] for row in results[1:]]
    assert len(set(ids)) == 2
    for order_id in ids:
        good(client.cancelorder(order_id=order_id, strategy="suite"), "orderid", "message")


def check_split() -> None:
    terms = {**SHARE, "action": "BUY", "price_type": "LIMIT", "price": price(0.95), "product": "CNC"}
    reply = client.splitorder(strategy="suite", quantity=5, splitsize=2, **terms)
    good(reply, "total_quantity", "split_size", "results")
    assert (reply["total_quantity"], reply["split_size"]) == (5, 2)
    assert [(row["order_num"], row["quantity"], row["status"]) for row in reply["results"]] == [
        (1, 2, "success"), (2, 2, "success"), (3, 1, "success"),
    ]  # fmt: skip
    for row in reply["results"]:
        good(client.cancelorder(order_id=row["orderid"], strategy="suite"), "orderid", "message")
    body = failed(client.splitorder(strategy="suite", quantity=101, splitsize=1, **terms), 400)
    assert body["message"] == "Total number of orders would exceed maximum limit of 100"


def check_cancel_all() -> None:
    waiting = {rest(), rest(), place(price_type="SL", price=price(1.06), trigger_price=price(1.05))}
    until(lambda: all(status(one)["order_status"] in ("open", "trigger pending") for one in waiting), "resting")
    reply = good(client.cancelallorder(strategy="suite"), "message", "canceled_orders", "failed_cancellations")
    assert waiting <= set(reply["canceled_orders"]), reply
    assert reply["failed_cancellations"] == []
    count = len(reply["canceled_orders"])
    assert reply["message"] == f"Canceled {count} orders. Failed to cancel 0 orders."
    for order_id in waiting:
        reaches(order_id, "cancelled")
    reply = good(client.cancelallorder(strategy="suite"), "message", "canceled_orders", "failed_cancellations")
    assert reply["message"] == "No open orders to cancel"


def option_terms() -> dict[str, Any]:
    expiry = client.expiry(symbol="NIFTY", exchange="NFO", instrumenttype="options")["data"][0].replace("-", "")
    return {"strategy": "suite", "underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": expiry}


def check_optionsorder() -> None:
    size, named = lot(future()), ("symbol", "exchange", "underlying", "underlying_ltp", "offset", "option_type")
    terms = {**option_terms(), "offset": "OTM1", "option_type": "CE", "action": "BUY", "product": "NRML"}
    terms |= {"price_type": "MARKET", "pricetype": "MARKET"}
    reply = good(client.optionsorder(quantity=size, **terms), "orderid", *named)
    assert (reply["exchange"], reply["offset"], reply["option_type"]) == ("NFO", "OTM1", "CE")
    assert reply["underlying_ltp"] > 1000
    assert status(reply["orderid"])["symbol"] == reply["symbol"]
    reply = client.optionsorder(quantity=2 * size, splitsize=size, **terms)
    good(reply, "total_quantity", "split_size", "results", *named)
    assert [row["quantity"] for row in reply["results"]] == [size, size]
    failed(client.optionsorder(quantity=size, **{**terms, "offset": "OTM99"}), 400)


def check_optionsmultiorder() -> None:
    size = lot(future())
    legs = [
        {"offset": "OTM1", "option_type": "CE", "action": "SELL", "quantity": size, "product": "NRML"},
        {"offset": "OTM2", "option_type": "CE", "action": "BUY", "quantity": size, "product": "NRML"},
        {"offset": "OTM99", "option_type": "PE", "action": "SELL", "quantity": size, "product": "NRML"},
    ]
    reply = client.optionsmultiorder(legs=legs, **option_terms())
    good(reply, "underlying", "underlying_ltp", "results")
    assert [(row["leg"], row["action"], row["status"]) for row in reply["results"]] == [
        (1, "SELL", "success"), (2, "BUY", "success"), (3, "SELL", "error"),
    ]  # fmt: skip
    for row in reply["results"][:2]:
        assert {"symbol", "exchange", "product", "offset", "option_type", "orderid"} <= set(row)
    legs[1]["offset"] = "OTM99"
    reply = client.optionsmultiorder(legs=legs, **option_terms())
    assert [row["status"] for row in reply["results"]] == ["error"] * 3
    assert reply["results"][0]["message"] == "not sent: leg 2 failed"


def check_positionbook() -> None:
    reaches(place(), "complete")
    reply = client.positionbook()
    totals = {"total_pnl", "total_unrealized_pnl", "total_today_realized_pnl", "total_pnl_today"}
    good(reply, "data", *(totals if SETTINGS["mode"] == "analyze" else ()))
    row = next(row for row in reply["data"] if row["symbol"] == "RELIANCE" and row["product"] == "CNC")
    assert list(row)[: len(POSITION_ROW)] == POSITION_ROW
    numbers(row, "quantity", "average_price", "ltp", "pnl")
    assert row["quantity"] == net(SHARE, "CNC") > 0
    assert net(SHARE, "NRML") == 0


def check_holdings() -> None:
    data = good(client.holdings(), "data")["data"]
    assert set(data) == {"holdings", "statistics"}
    assert list(data["statistics"]) == [
        "totalholdingvalue", "totalinvvalue", "totalprofitandloss", "totalpnlpercentage",
    ]  # fmt: skip
    numbers(data["statistics"], *data["statistics"])
    for row in data["holdings"]:
        assert list(row)[: len(HOLDING_ROW)] == HOLDING_ROW
        assert row["product"] == "CNC"


def check_funds() -> None:
    data = good(client.funds(), "data")["data"]
    assert list(data)[: len(FUNDS)] == FUNDS
    for name in FUNDS:
        assert re.fullmatch(r"-?\d+\.\d\d", data[name]), data
    paper = {"total_realized_pnl", "today_realized_pnl", "grossexposure", "totalpnl", "last_reset", "reset_count"}
    assert set(data) - set(FUNDS) == (paper if SETTINGS["mode"] == "analyze" else set())


def check_margin() -> None:
    position = {
        **SHARE, "action": "BUY", "quantity": "10", "product": "CNC", "pricetype": "LIMIT", "price": price(),
    }  # fmt: skip
    data = good(client.margin(positions=[position]), "data")["data"]
    assert {"total_margin_required", "span_margin", "exposure_margin"} <= set(data)
    numbers(data, *data)
    assert data["total_margin_required"] > 0
    assert client.margin(positions=[])["error_type"] == "validation_error"
    failed(client.margin(positions=[{**position, "symbol": "NOPE"}]), 400)


def check_gtt() -> None:
    fields = {**SHARE, "action": "BUY", "quantity": 1, "product": "CNC", "pricetype": "LIMIT", "strategy": "suite"}
    single = {**fields, "trigger_type": "SINGLE", "price": price(0.9), "triggerprice_sl": price(0.9)}
    told = good(raw("placegttorder", **single).json(), "trigger_id")
    assert isinstance(told["trigger_id"], str)

    def row() -> dict[str, Any] | None:
        rows = good(raw("gttorderbook").json(), "data")["data"]
        return next((one for one in rows if one["trigger_id"] == told["trigger_id"]), None)

    shown: dict[str, Any] = until(row, "the trigger in its book")
    assert set(shown) == {
        "trigger_id", "trigger_type", "status", "symbol", "exchange", "trigger_prices", "last_price", "legs",
        "created_at", "updated_at", "expires_at",
    }  # fmt: skip
    assert (shown["trigger_type"], shown["status"], shown["symbol"]) == ("single", "active", "RELIANCE")
    assert [set(leg) for leg in shown["legs"]] == [{"action", "quantity", "price", "pricetype", "product"}]
    two = {
        **fields, "trigger_type": "OCO", "price": 0, "triggerprice_sl": price(0.9), "triggerprice_tg": price(1.1),
        "stoploss": price(0.89), "target": price(1.11), "trigger_id": told["trigger_id"], "action": "SELL",
    }  # fmt: skip
    changed = raw("modifygttorder", **two)
    assert good(changed.json(), "trigger_id")["trigger_id"] == told["trigger_id"]
    until(lambda: (row() or {}).get("trigger_type") == "two-leg", "the replaced trigger")
    good(raw("cancelgttorder", trigger_id=told["trigger_id"], strategy="suite").json(), "trigger_id")
    until(lambda: (row() or {"status": "gone"})["status"] != "active", "the trigger to end")
    assert raw("placegttorder", **{**single, "product": "MIS"}).status_code == 400
    assert raw("placegttorder", **{**single, "triggerprice_sl": 0}).status_code == 400


def check_close_position() -> None:
    of = future()
    reaches(place(product="NRML", quantity=lot(of), **of), "complete")
    until(lambda: net(of, "NRML") > 0, "a position to close")
    reply = good(client.closeposition(strategy="suite"), "message", "closed_positions", "failed_closures")
    assert of["symbol"] in {row["symbol"] for row in reply["closed_positions"]}, reply
    until(lambda: not any(row["quantity"] for row in client.positionbook()["data"]), "every position closed")
    reply = good(client.closeposition(strategy="suite"), "message", "closed_positions", "failed_closures")
    assert reply["closed_positions"] == []
    assert reply["message"] in ("No open positions to close", "No Open Positions Found")


def check_analyze_round_trip() -> None:
    """The switch on, a trade on paper, the switch off: the broker never hears of it."""
    live = {row["orderid"] for row in client.orderbook()["data"]["orders"]}
    told = client.analyzertoggle(True)
    assert told["data"]["message"] == "Analyzer mode switched to analyze", told
    try:
        assert {"mode": "analyze", "analyze_mode": True}.items() <= client.analyzerstatus()["data"].items()
        terms = {"price_type": "MARKET", "product": "CNC", "quantity": "2", **SHARE}
        reply = client.placeorder(strategy="suite", action="BUY", **terms)
        assert (reply["status"], reply["mode"]) == ("success", "analyze"), reply
        books = (client.orderbook, client.tradebook, client.positionbook, client.holdings, client.funds)
        for book in books:
            assert book()["mode"] == "analyze"
        row = client.orderstatus(order_id=reply["orderid"], strategy="suite")["data"]
        assert row["order_status"] in ("complete", "open"), row
        assert reply["orderid"] in {row["orderid"] for row in client.orderbook()["data"]["orders"]}
        rows = raw("pnl/symbols").json()
        assert rows["status"] == "success", rows
        if SETTINGS["mode"] == "live":
            assert reply["orderid"] not in live
    finally:
        told = client.analyzertoggle(False)
    assert told["data"]["message"].startswith("Analyzer mode switched to live"), told
    data = client.analyzerstatus()["data"]
    assert list(data) == ["mode", "analyze_mode", "total_logs", "switch"]
    assert (data["mode"], data["analyze_mode"]) == (SETTINGS["mode"], SETTINGS["mode"] == "analyze")
    assert data["switch"] is False
    after = {row["orderid"] for row in good(client.orderbook(), "data")["data"]["orders"]}
    if SETTINGS["mode"] == "live":
        assert after == live


def check_too_many_orders() -> None:
    """Counted as they come, however long each takes."""

    def ask(number: int) -> Any:
        body = {"apikey": SETTINGS["key"], "orderid": f"404{number}"}
        return httpx.post(f"{SETTINGS['host']}/api/v1/cancelorder", json=body, timeout=20)

    with ThreadPoolExecutor(30) as threads:
        bodies = list(threads.map(ask, range(30)))
    refused = [reply for reply in bodies if reply.status_code == 429]
    assert refused, {reply.status_code for reply in bodies}
    assert refused[0].json()["message"].endswith("Nothing was sent.")
    assert refused[0].json()["error_code"] == "RATE_LIMITED"


def check_compact_json() -> None:
    for path in ("orderbook", "funds", "positionbook"):
        text = raw(path).content
        assert b'"status":"success"' in text
        assert b'": ' not in text


def check_slashes_at_the_end() -> None:
    assert raw("orderbook/").status_code == 200


CHECKS = {name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")}


def main() -> None:
    told: dict[str, str] = {}
    for name, check in CHECKS.items():
        try:
            check()
            told[name] = ""
        except Exception:  # noqa: BLE001 - whatever a check meets is its result
            told[name] = traceback.format_exc(limit=-3)
    print(json.dumps(told))  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main()
