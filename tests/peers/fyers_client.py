"""Run by the interpreter of the official client: its REST side and its three sockets against our simulator.

Standard input: the plan (hosts, keys, prices). Standard output: one JSON object. The SDK has its addresses in its code,
so they are replaced there; nothing else of it is."""

import json
import os
import sys
import threading
import time
from typing import Any

plan: dict[str, Any] = json.load(sys.stdin)
os.chdir(sys.argv[1])  # the SDK writes its logs where it stands

from fyers_apiv3 import fyersModel  # type: ignore[import-not-found]  # noqa: E402
from fyers_apiv3.FyersWebsocket import data_ws, defines, order_ws, tbt_ws  # type: ignore[import-not-found]  # noqa: E402

fyersModel.Config.API = f"{plan['api']}/api/v3"
fyersModel.Config.DATA_API = f"{plan['api']}/data"
defines.INDEX_HSM_MAPPING_API = f"{plan['public']}/sym_details/index_hsm_mapping.json"
PATIENCE = 20.0
TOLD = sys.stdout
sys.stdout = sys.stderr  # what the SDK prints is no report


def until(done: Any) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if done():
            return True
        time.sleep(0.02)
    return False


def log_in() -> dict[str, Any]:
    session = fyersModel.SessionModel(
        client_id=plan["api_key"],
        secret_key=plan["api_secret"],
        redirect_uri="http://127.0.0.1:1/back",
        response_type="code",
        grant_type="authorization_code",
        state="s",
    )
    session.set_token(plan["code"])
    return {"page": session.generate_authcode(), "granted": session.generate_token()}


def orders(fyers: Any) -> dict[str, Any]:
    limit = {
        "symbol": "NSE:SBIN-EQ", "qty": 10, "type": 1, "side": 1, "productType": "INTRADAY", "limitPrice": plan["low"],
        "stopPrice": 0, "validity": "DAY", "disclosedQty": 0, "offlineOrder": False,
    }  # fmt: skip
    placed = {
        "limit": fyers.place_order(limit | {"orderTag": "one1"}),
        "market": fyers.place_order(limit | {"type": 2, "limitPrice": 0, "orderTag": "taken"}),
        "stop": fyers.place_order(limit | {"type": 4, "limitPrice": plan["high"] + 1, "stopPrice": plan["high"]}),
        "dear": fyers.place_order(limit | {"qty": 1_000_000}),
    }
    numbers = {name: answer["id"] for name, answer in placed.items()}
    return {
        "placed": placed,
        "numbers": numbers,
        "modified": fyers.modify_order({"id": numbers["limit"], "type": 1, "limitPrice": plan["low"] + 1, "qty": 20}),
        "book": fyers.orderbook(),
        "one": fyers.get_orders({"id": numbers["limit"]}),
        "cancelled": fyers.cancel_order({"id": numbers["limit"]}),
        "late": fyers.cancel_order({"id": numbers["market"]}),
        "strange": fyers.cancel_order({"id": "404"}),
        "nobody": fyers.place_order(limit | {"symbol": "NSE:NOBODY-EQ"}),
        "wrong": fyers.place_order(limit | {"type": 9}),
    }


def books(fyers: Any) -> dict[str, Any]:
    convert = {"symbol": "NSE:SBIN-EQ-INTRADAY", "positionSide": 1, "convertQty": 4, "convertFrom": "INTRADAY"}
    return {
        "profile": fyers.get_profile(),
        "trades": fyers.tradebook(),
        "positions": fyers.positions(),
        "converted": fyers.convert_position(convert | {"convertTo": "CNC", "overnight": 0}),
        "after": fyers.positions(),
        "holdings": fyers.holdings(),
        "funds": fyers.funds(),
    }


def triggers(fyers: Any) -> dict[str, Any]:
    below = {"price": plan["low"], "triggerPrice": plan["low"], "qty": 5}
    above = {"price": plan["high"], "triggerPrice": plan["high"], "qty": 4}
    asked = {"side": -1, "symbol": "NSE:SBIN-EQ", "productType": "CNC"}
    single = fyers.place_gtt_order(asked | {"orderInfo": {"leg1": below}})
    two = fyers.place_gtt_order(asked | {"orderInfo": {"leg1": above, "leg2": below}})
    return {
        "single": single,
        "two": two,
        "modified": fyers.modify_gtt_order({"id": single["id"], "orderInfo": {"leg1": below | {"qty": 7}}}),
        "cancelled": fyers.cancel_gtt_order({"id": two["id"]}),
        "book": fyers.gtt_orderbook(),
        "wrong": fyers.place_gtt_order(asked | {"orderInfo": {"leg1": below, "leg2": above}}),
    }


def data(fyers: Any) -> dict[str, Any]:
    days = {"date_format": "1", "range_from": plan["monday"], "range_to": plan["monday"], "cont_flag": "1"}
    return {
        "quotes": fyers.quotes({"symbols": "NSE:SBIN-EQ,NSE:NOBODY-EQ,NSE:NIFTY50-INDEX"}),
        "depth": fyers.depth({"symbol": "NSE:SBIN-EQ", "ohlcv_flag": "1"}),
        "day": fyers.history({"symbol": "NSE:SBIN-EQ", "resolution": "D"} | days),
        "hours": fyers.history({"symbol": "NSE:SBIN-EQ", "resolution": "60"} | days),
        "strange": fyers.history({"symbol": "NSE:NOBODY-EQ", "resolution": "D"} | days),
    }


def hsm(token: str, kind: str, symbols: list[str], *, lite: bool = False) -> dict[str, Any]:
    """The data socket until it told of each symbol twice."""
    data_ws.FyersDataSocket._instance = None
    heard: dict[str, list[Any]] = {symbol: [] for symbol in symbols}
    status: list[Any] = []

    def on_message(message: dict[str, Any]) -> None:
        if "symbol" in message:
            heard[message["symbol"]].append(dict(message))
        else:
            status.append(message)

    socket = data_ws.FyersDataSocket(
        token, litemode=lite, reconnect=False, on_message=on_message, on_error=status.append
    )
    socket._FyersDataSocket__url = plan["hsm"]
    conversion = data_ws.SymbolConversion
    made = conversion.__init__

    def patched(self: Any, *words: Any) -> None:
        made(self, *words)
        self.symbols_token_api = f"{plan['api']}/data/symbol-token"

    conversion.__init__ = patched
    socket.on_open = lambda: None
    socket.connect()
    socket.subscribe(symbols=symbols, data_type=kind)
    enough = until(lambda: all(len(messages) >= 2 for messages in heard.values()))
    conversion.__init__ = made
    return {
        "enough": enough,
        "status": status,
        "heard": {name: [rows[0], rows[-1]] for name, rows in heard.items() if rows},
    }


def tbt(credential: str) -> dict[str, Any]:
    tbt_ws.getUrl = lambda access_token: plan["tbt"]
    heard: list[Any] = []
    errors: list[Any] = []

    def on_depth(ticker: str, depth: Any) -> None:
        heard.append(
            [ticker, depth.snapshot, depth.tbq, list(depth.bidprice), list(depth.bidqty), list(depth.askprice)]
        )

    socket = tbt_ws.FyersTbtSocket(
        credential, reconnect=False, on_depth_update=on_depth, on_error_message=errors.append
    )
    socket.connect()
    until(lambda: socket._FyersTbtSocket__ws_object is not None)
    socket.subscribe({"NSE:SBIN-EQ"}, "1", tbt_ws.SubscriptionModes.DEPTH)
    silent = len(heard)
    socket.switchChannel({"1"}, set())
    enough = until(lambda: len(heard) >= 3)
    return {"enough": enough, "silent": silent == 0, "first": heard[:1], "last": heard[-1:], "errors": errors}


def news(credential: str, fyers: Any) -> dict[str, Any]:
    heard: list[Any] = []
    general: list[Any] = []
    socket = order_ws.FyersOrderSocket(
        credential, reconnect=False, on_orders=heard.append, on_general=general.append, on_error=general.append
    )
    socket._FyersOrderSocket__url = plan["orders"]
    socket.connect()
    until(socket.is_connected)
    socket.subscribe(data_type="OnOrders")
    until(lambda: general)

    def act() -> None:
        order = {
            "symbol": "NSE:SBIN-EQ", "qty": 10, "type": 1, "side": 1, "productType": "INTRADAY", "validity": "DAY",
            "limitPrice": plan["low"], "stopPrice": 0, "disclosedQty": 0, "offlineOrder": False, "orderTag": "pushed",
        }  # fmt: skip
        fyers.cancel_order({"id": fyers.place_order(order)["id"]})

    threading.Thread(target=act).start()
    enough = until(lambda: any(row["orders"]["status"] == 1 for row in heard))
    return {"enough": enough, "heard": heard, "general": general}


def main() -> None:
    report: dict[str, Any] = {"login": log_in()}
    token = report["login"]["granted"]["access_token"]
    credential = f"{plan['api_key']}:{token}"
    fyers = fyersModel.FyersModel(client_id=plan["api_key"], token=token, log_path=".")
    report |= {"orders": orders(fyers), "books": books(fyers), "triggers": triggers(fyers), "data": data(fyers)}
    report["hsm"] = hsm(token, "SymbolUpdate", ["NSE:SBIN-EQ", "NSE:NIFTY50-INDEX", plan["pair"]])
    report["books_of_five"] = hsm(token, "DepthUpdate", ["NSE:SBIN-EQ"])
    report["lite"] = hsm(token, "SymbolUpdate", ["NSE:SBIN-EQ"], lite=True)
    report["tbt"] = tbt(credential)
    report["news"] = news(credential, fyers)
    report["logout"] = [fyers.logout(), fyers.get_profile()]
    json.dump(report, TOLD, default=str)
    TOLD.flush()
    os._exit(0)  # the SDK's threads would never end


main()
