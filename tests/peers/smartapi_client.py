"""Run by the interpreter of the official client: everything it can do against our simulator, reported as JSON.

Standard input: the plan (hosts, credentials, tokens, prices). Standard output: one JSON object."""

import json
import sys
import threading
from datetime import datetime, timedelta
from typing import Any

import pyotp  # type: ignore[import-not-found]
from smartapi_offline import (  # type: ignore[import-not-found]
    SmartConnect,
    SmartWebSocketOrderUpdate,
    SmartWebSocketV2,
    elsewhere,
)

SHARE = {"tradingsymbol": "SBIN-EQ", "symboltoken": "3045", "exchange": "NSE", "transactiontype": "BUY"}
TERMS = {"variety": "NORMAL", "ordertype": "LIMIT", "producttype": "INTRADAY", "duration": "DAY", "quantity": "10"}
PATIENCE = 30.0


def orders(api: Any, plan: dict[str, Any]) -> dict[str, Any]:
    limit = SHARE | TERMS | {"price": plan["low"], "triggerprice": "0", "squareoff": "0", "stoploss": "0"}
    stop = {"variety": "STOPLOSS", "ordertype": "STOPLOSS_LIMIT", "triggerprice": plan["high"], "price": plan["high"]}
    full = api.placeOrderFullResponse(limit | {"ordertag": "full"})
    placed = {
        "limit": api.placeOrder(limit | {"ordertag": "one"}),
        "market": api.placeOrder(limit | {"ordertype": "MARKET", "price": "0", "ordertag": "taken"}),
        "stop": api.placeOrder(limit | stop),
        "stop_market": api.placeOrder(limit | stop | {"ordertype": "STOPLOSS_MARKET", "price": "0"}),
        "ioc": api.placeOrder(limit | {"duration": "IOC"}),
        "amo": api.placeOrder(limit | {"variety": "AMO"}),
        "dear": api.placeOrder(limit | {"quantity": "1000000"}),
    }
    changed = api.modifyOrder(limit | {"orderid": placed["limit"], "quantity": "20", "price": plan["lower"]})
    wrong = {
        "symbol": api.placeOrderFullResponse(limit | {"tradingsymbol": "NOBODY-EQ"}),
        "tag": api.placeOrderFullResponse(limit | {"ordertag": "x" * 20}),
        "variety": api.placeOrderFullResponse(limit | {"variety": "STOPLOSS"}),
        "product": api.placeOrderFullResponse(limit | {"producttype": "NOTHING"}),
        "order": api.cancelOrder("404", "NORMAL"),
    }
    return {
        "full": full,
        "placed": placed,
        "changed": changed,
        "details": api.individual_order_details(full["data"]["uniqueorderid"]),
        "cancelled": api.cancelOrder(placed["limit"], "NORMAL"),
        "wrong": wrong,
        "again": api.cancelOrder(placed["limit"], "NORMAL"),
    }


def books(api: Any) -> dict[str, Any]:
    convert = SHARE | {"oldproducttype": "INTRADAY", "newproducttype": "DELIVERY", "type": "DAY"}
    return {
        "orders": api.orderBook(),
        "trades": api.tradeBook(),
        "positions": api.position(),
        "converted": api.convertPosition(convert | {"quantity": 4}),
        "after": api.position(),
        "too_much": api.convertPosition(convert | {"quantity": 99}),
        "holdings": api.holding(),
        "all_holdings": api.allholding(),
        "funds": api.rmsLimit(),
    }


def data(api: Any, plan: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now()
    future = plan["future"]

    def span(days: int, interval: str) -> dict[str, str]:
        start = now - timedelta(days=days)
        return {"interval": interval, "fromdate": f"{start:%Y-%m-%d} 00:00", "todate": f"{now:%Y-%m-%d} 23:59"}

    share = {"exchange": "NSE", "symboltoken": "3045"}
    margin = {"exchange": "NSE", "qty": 10, "price": 0, "productType": "INTRADAY", "token": "3045", "tradeType": "BUY"}
    return {
        "full": api.getMarketData("FULL", {"NSE": ["3045", "99926000"], "NFO": [future, "1"]}),
        "ohlc": api.getMarketData("OHLC", {"NSE": ["3045"]}),
        "ltp": api.getMarketData("LTP", {"NSE": ["3045"]}),
        "old_ltp": api.ltpData("NSE", "SBIN-EQ", "3045"),
        "search": api.searchScrip("NSE", "SBIN"),
        "days": api.getCandleData(share | span(30, "ONE_DAY")),
        "minutes": api.getCandleData(share | span(10, "FIFTEEN_MINUTE")),
        "too_long": api.getCandleData(share | span(40, "ONE_MINUTE")),
        "interest": api.getOIData({"exchange": "NFO", "symboltoken": future} | span(20, "ONE_DAY")),
        "margin": api.getMarginApi({"positions": [margin | {"orderType": "MARKET"}]}),
    }


def rules(api: Any, plan: dict[str, Any]) -> dict[str, Any]:
    form = SHARE | {"producttype": "DELIVERY", "price": plan["low"], "qty": 10, "disclosedqty": 10}
    number = api.gttCreateRule(form | {"triggerprice": plan["low"], "timeperiod": 365})
    changed = {"id": number, "symboltoken": "3045", "exchange": "NSE", "price": plan["lower"], "qty": 5}
    changed |= {"triggerprice": plan["lower"], "disclosedqty": 5, "timeperiod": 365}
    report = {"id": number, "modified": api.gttModifyRule(changed), "details": api.gttDetails(number)}
    report["list"] = api.gttLists(["NEW", "ACTIVE"], 1, 10)
    report["cancelled"] = api.gttCancelRule({"id": number, "symboltoken": "3045", "exchange": "NSE"})
    report["left"] = api.gttLists(["NEW", "ACTIVE"], 1, 10)
    return report | {"unknown": api.gttDetails("404")}


def feed(tokens: dict[str, str], plan: dict[str, Any]) -> list[dict[str, Any]]:
    """One packet of each mode, and of an index; all subscribed on one socket."""
    SmartWebSocketV2.ROOT_URI = plan["stream"]
    heard: dict[tuple[int, str], dict[str, Any]] = {}
    done = threading.Event()
    socket = SmartWebSocketV2(tokens["jwtToken"], plan["api_key"], plan["client_code"], tokens["feedToken"], 0)

    def on_open(wsapp: object) -> None:
        for mode in (1, 2, 3, 4):
            asked = [{"exchangeType": 1, "tokens": ["3045"] if mode == 4 else ["3045", "99926000"]}]
            asked += [] if mode == 4 else [{"exchangeType": 2, "tokens": [plan["future"]]}]
            socket.subscribe("abcde12345", mode, asked)

    def on_data(wsapp: object, packet: dict[str, Any]) -> None:
        heard[packet["subscription_mode"], packet["token"]] = packet
        if len(heard) == 10:
            done.set()

    socket.on_open, socket.on_data, socket.on_error = on_open, on_data, lambda *_: None
    thread = threading.Thread(target=socket.connect, daemon=True)
    thread.start()
    done.wait(PATIENCE)
    socket.close_connection()
    thread.join(PATIENCE)
    return list(heard.values())


def refused(plan: dict[str, Any]) -> list[str]:
    """What a wrong feed token is told."""
    SmartWebSocketV2.ROOT_URI = plan["stream"]
    errors: list[str] = []
    socket = SmartWebSocketV2("Bearer nobody's", plan["api_key"], plan["client_code"], "nobody's", 0)
    socket._on_error = lambda wsapp, error: errors.append(str(error))
    socket.connect()
    return errors


def updates(api: Any, tokens: dict[str, str], plan: dict[str, Any]) -> list[dict[str, Any]]:
    """What the order socket tells of one order's life, from its placing to its cancelling."""
    heard: list[dict[str, Any]] = []
    done = threading.Event()
    SmartWebSocketOrderUpdate.WEBSOCKET_URI = plan["orders"]
    SmartWebSocketOrderUpdate.MAX_CONNECTION_RETRY_ATTEMPTS = 0
    credentials = (tokens["jwtToken"], plan["api_key"], plan["client_code"], tokens["feedToken"])
    socket = SmartWebSocketOrderUpdate(*credentials)

    def act() -> None:
        limit = SHARE | TERMS | {"price": plan["low"], "triggerprice": "0", "ordertag": "pushed"}
        order_id = api.placeOrder(dict(limit))
        api.modifyOrder(limit | {"orderid": order_id, "quantity": "20"})
        api.cancelOrder(order_id, "NORMAL")

    def on_message(wsapp: object, message: str) -> None:
        heard.append(json.loads(message))
        if heard[-1]["order-status"] == "AB02":
            done.set()

    socket.on_message = on_message
    socket.on_open = lambda wsapp: threading.Thread(target=act).start()
    thread = threading.Thread(target=socket.connect, daemon=True)
    thread.start()
    done.wait(PATIENCE)
    socket.close_connection()
    thread.join(PATIENCE)
    return heard


def main() -> None:
    plan = json.load(sys.stdin)
    SmartConnect._rootUrl = plan["api"]
    with elsewhere():
        api = SmartConnect(plan["api_key"])
        report: dict[str, Any] = {
            "stranger": api.getProfile(""),
            "wrong_code": api.generateSession(plan["client_code"], plan["pin"], "000000"),
            "wrong_pin": api.generateSession(plan["client_code"], "0", pyotp.TOTP(plan["totp"]).now()),
            "session": api.generateSession(plan["client_code"], plan["pin"], pyotp.TOTP(plan["totp"]).now()),
        }
        tokens = report["session"]["data"]
        report["orders"] = orders(api, plan)
        report |= {"books": books(api), "data": data(api, plan), "rules": rules(api, plan)}
        report |= {"feed": feed(tokens, plan), "refused": refused(plan), "updates": updates(api, tokens, plan)}
        report |= {"renewed": api.generateToken(tokens["refreshToken"]), "profile": api.getProfile("")}
        report |= {"out": api.terminateSession(plan["client_code"]), "after": api.getProfile("")}
    json.dump(report, sys.stdout, default=str)


main()
