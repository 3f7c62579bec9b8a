"""Run by the interpreter of the official client: everything it can do against our simulator, reported as JSON.

Standard input: the plan (hosts, credentials, code, tokens, prices). Standard output: one JSON object; what the client
prints goes to the errors."""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import requests  # type: ignore[import-untyped, unused-ignore]  # only in the client's environment

REPORT, sys.stdout = sys.stdout, sys.stderr


def _alone(*_: object, **__: object) -> None:
    raise requests.ConnectionError("nobody is asked for our address")


_get, requests.get = requests.get, _alone
from pocketful import pocketfulwebsocket, wsclient  # type: ignore[import-not-found]  # noqa: E402
from pocketful.pocketful import Pocketful  # type: ignore[import-not-found]  # noqa: E402

PATIENCE = 30.0


def until(wanted: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := wanted()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def form(plan: dict[str, Any], **terms: Any) -> dict[str, Any]:
    """The order of the client's own page."""
    return {
        "exchange": "NSE",
        "instrument_token": "3045",
        "client_id": plan["client_id"],
        "order_type": "LIMIT",
        "amo": False,
        "price": plan["low"],
        "quantity": 10,
        "disclosed_quantity": 0,
        "validity": "DAY",
        "product": "MIS",
        "order_side": "BUY",
        "device": "WEB",
        "user_order_id": 10002,
        "trigger_price": 0,
        "execution_type": "REGULAR",
        **terms,
    }


def orders(api: Any, plan: dict[str, Any]) -> dict[str, Any]:
    stop = {"order_type": "SL", "trigger_price": plan["high"], "price": plan["high"]}
    placed = {
        "limit": api.placeOrder(form(plan)),
        "market": api.placeOrder(form(plan, order_type="MARKET", price=0, user_order_id=10003)),
        "stop": api.placeOrder(form(plan, **stop)),
        "stop_market": api.placeOrder(form(plan, **stop | {"order_type": "SLM", "price": 0})),
        "ioc": api.placeOrder(form(plan, validity="IOC")),
        "amo": api.placeOrder(form(plan, amo=True, execution_type="AMO")),
        "dear": api.placeOrder(form(plan, quantity=1_000_000)),
        "wrong": api.placeOrder(form(plan, instrument_token="1")),
    }
    number = placed["limit"]["data"]["oms_order_id"]
    rows = {row["oms_order_id"]: row for row in api.getPendingOrder()["data"]["orders"]}
    told = ("exchange_order_id", "filled_quantity", "remaining_quantity", "last_activity_reference", "execution_type")
    facts = {name: rows[number][name] for name in told}
    change = form(plan, oms_order_id=number, quantity=20)
    cancel = {"oms_order_id": number, "client_id": plan["client_id"], "execution_type": "REGULAR"}
    return {
        "placed": placed,
        "bare": api.modifyOrder(dict(change)),
        "changed": api.modifyOrder(change | facts),
        "pending": api.getPendingOrder(),
        "cancelled": api.cancelOrder(dict(cancel)),
        "again": api.cancelOrder(dict(cancel)),
        "completed": api.getCompletedOrder(),
    }


def books(api: Any) -> dict[str, Any]:
    return {
        "trades": api.getTradeBook(),
        "day": api.getPositionsDaywise(),
        "net": api.getPositionsNetwise(),
        "holdings": api.getDematHoldings(),
        "funds": api.getFunds(),
    }


def stream(api: Any, plan: dict[str, Any]) -> dict[str, Any]:
    """One packet of each kind, of a share, an index and a future, and the news of an order."""
    pocketfulwebsocket.PocketfulSocket.base_url = plan["socket"]
    socket = pocketfulwebsocket.PocketfulSocket(plan["client_id"], api.access_token)
    if not socket.run_socket():
        return {}
    socket.subscribe_order_update({"client_id": plan["client_id"]})  # first: nothing answers it
    future = {"exchangeCode": 2, "instrumentToken": plan["future"]}
    asked = [{"exchangeCode": 1, "instrumentToken": 3045}, {"exchangeCode": 1, "instrumentToken": 26000}, future]
    socket.subscribe_multiple_detailed_marketdata(asked)
    socket.subscribe_multiple_compact_marketdata(asked)
    socket.subscribe_multiple_snapquote_data(asked)
    kinds = {"detailed": "dtlmktdata_dict", "compact": "cmptmktdata_dict", "snapquote": "snpqtdata_dict"}
    until(lambda: all(len(getattr(wsclient, name)) == 3 for name in kinds.values()))
    heard = {kind: dict(getattr(wsclient, name)) for kind, name in kinds.items()}
    api.placeOrder(form(plan, order_type="MARKET", price=0, user_order_id=10009))
    heard["trade"] = until(wsclient.get_trade_update)
    heard["order"] = until(socket.read_order_update_data)
    return heard


def main() -> None:
    plan = json.load(sys.stdin)
    Pocketful._root_url = plan["api"]
    api = Pocketful(plan["client_id"], "nobody's")
    report: dict[str, Any] = {
        "stranger": api.getProfile(),
        "wrong_secret": api.generateSession(plan["client_id"], "wrong"),
        "wrong_code": api.generateSession(plan["client_id"], plan["channel_secret"], "12"),
        "session": api.generateSession(plan["client_id"], plan["channel_secret"], plan["code"]),
        "profile": api.getProfile(),
    }
    report["orders"] = orders(api, plan)
    report |= {"books": books(api), "feed": stream(api, plan)}
    REPORT.write(json.dumps(report))
    REPORT.flush()
    os._exit(0)  # its heartbeats would go on for seconds


main()
