"""Run by the interpreter of the official client: its whole trading side against our simulator, reported as JSON.

Standard input: the plan (host, keys, a price far below the market and what the share costs). Standard output: one JSON
object."""

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from kiteconnect import KiteConnect, KiteTicker, exceptions  # type: ignore[import-not-found]


def told(call: Callable[[], object]) -> dict[str, Any]:
    """The client's exception where a call is refused."""
    try:
        call()
    except exceptions.KiteException as error:
        return {"kind": type(error).__name__, "code": error.code, "text": str(error)}
    return {}


def orders(kite: Any, plan: dict[str, Any]) -> dict[str, Any]:
    share = {"exchange": "NSE", "tradingsymbol": "SBIN", "transaction_type": "BUY", "product": "MIS"}
    limit = share | {"quantity": 10, "order_type": "LIMIT", "price": plan["low"]}
    placed = {
        "regular": kite.place_order("regular", **limit, tag="one1"),
        "amo": kite.place_order("amo", **limit, tag="amo1"),
        "iceberg": kite.place_order("iceberg", **limit, iceberg_legs=5, iceberg_quantity=2),
        "ioc": kite.place_order("regular", **limit, validity="IOC"),
        "market": kite.place_order("regular", **share, quantity=7, order_type="MARKET", tag="taken"),
        "protected": kite.place_order("regular", **share, quantity=3, order_type="MARKET", market_protection=-1),
        "stop": kite.place_order("regular", **share, quantity=5, order_type="SL-M", trigger_price=plan["high"]),
        "stop_limit": kite.place_order(
            "regular", **share, quantity=5, order_type="SL", trigger_price=plan["high"], price=plan["high"]
        ),
        "dear": kite.place_order("regular", **limit | {"quantity": 1_000_000}),
    }
    report: dict[str, Any] = {"placed": placed}
    report["modified"] = kite.modify_order("regular", placed["regular"], quantity=20, price=plan["low"] + 1)
    report["cancelled"] = [
        kite.cancel_order("regular", placed["regular"]),
        kite.cancel_order("amo", placed["amo"]),
        kite.exit_order("iceberg", placed["iceberg"]),
    ]
    report["autoslice"] = kite.place_autoslice_order(
        "regular", "NFO", plan["future"], "BUY", 2000 // 65 * 65, "NRML", "LIMIT", price=plan["future_price"]
    )
    wrong: dict[str, Callable[[], object]] = {
        "no_price": lambda: kite.place_order("regular", **share, quantity=1, order_type="LIMIT"),
        "symbol": lambda: kite.place_order("regular", **limit | {"tradingsymbol": "NOBODY"}),
        "tag": lambda: kite.place_order("regular", **limit, tag="not a tag"),
        "variety": lambda: kite.place_order("co", **limit),
        "unknown": lambda: kite.cancel_order("regular", "123"),
        "again": lambda: kite.cancel_order("regular", placed["regular"]),
        "late": lambda: kite.modify_order("regular", placed["market"], quantity=9),
        "history": lambda: kite.order_history("123"),
    }
    return report | {"wrong": {name: told(call) for name, call in wrong.items()}}


def books(kite: Any, placed: dict[str, str]) -> dict[str, Any]:
    convert = {"exchange": "NSE", "tradingsymbol": "SBIN", "transaction_type": "BUY", "position_type": "day"}
    before = kite.positions()
    return {
        "orders": kite.orders(),
        "history": kite.order_history(placed["regular"]),
        "trades": kite.trades(),
        "order_trades": kite.order_trades(placed["market"]),
        "positions": before,
        "converted": kite.convert_position(**convert, quantity=4, old_product="MIS", new_product="CNC"),
        "after": kite.positions(),
        "too_much": told(lambda: kite.convert_position(**convert, quantity=99, old_product="MIS", new_product="CNC")),
        "holdings": kite.holdings(),
        "auctions": kite.get_auction_instruments(),
        "margins": kite.margins(),
        "equity": kite.margins("equity"),
        "nothing": told(lambda: kite.margins("shares")),
    }


def calculators(kite: Any, plan: dict[str, Any]) -> dict[str, Any]:
    share: dict[str, Any] = {"exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": "BUY"}
    share |= {"variety": "regular"} | {"product": "CNC", "order_type": "LIMIT", "quantity": 2, "price": 1400}
    future = share | {"exchange": "NFO", "tradingsymbol": plan["future"], "product": "NRML", "quantity": 65}
    asked = [share, future | {"price": plan["future_price"]}]
    return {
        "orders": kite.order_margins(asked),
        "basket": kite.basket_order_margins(asked),
        "compact": kite.basket_order_margins(asked, mode="compact"),
        "note": kite.get_virtual_contract_note([share | {"average_price": 1400, "order_id": "1"}]),
        "wrong": told(lambda: kite.order_margins([share | {"tradingsymbol": "NOBODY"}])),
    }


def gtt(kite: Any, plan: dict[str, Any]) -> dict[str, Any]:
    leg = {"transaction_type": "SELL", "quantity": 5, "order_type": "LIMIT", "product": "CNC", "price": plan["low"]}
    last = plan["last"]
    single = kite.place_gtt("single", "SBIN", "NSE", [plan["low"]], last, [leg])
    two = kite.place_gtt("two-leg", "SBIN", "NSE", [plan["low"], plan["high"]], last, [leg, leg])
    soon = leg | {"price": plan["infy_near"]}
    near = kite.place_gtt("single", "INFY", "NSE", [plan["infy_near"]], plan["infy_last"], [soon])
    report = {"single": single, "two": two, "list": kite.get_gtts(), "near": near["trigger_id"]}
    low = plan["low"] + 5
    report["modified"] = kite.modify_gtt(single["trigger_id"], "single", "SBIN", "NSE", [low], last, [leg])
    report["changed"] = kite.get_gtt(single["trigger_id"])
    report["deleted"] = kite.delete_gtt(two["trigger_id"])
    report["left"] = [row["id"] for row in kite.get_gtts()]
    bad = leg | {"order_type": "MARKET"}
    report["wrong"] = told(lambda: kite.place_gtt("single", "SBIN", "NSE", [low], last, [bad]))
    report["gone"] = told(lambda: kite.delete_gtt(two["trigger_id"]))
    deadline = time.monotonic() + 15
    while (fired := kite.get_gtt(near["trigger_id"]))["status"] == "active" and time.monotonic() < deadline:
        time.sleep(0.05)
    return report | {"fired": fired}


def updates(kite: Any, plan: dict[str, Any]) -> list[dict[str, Any]]:
    """What the ticker tells of one order's life, from its placing to its cancelling."""
    heard: list[dict[str, Any]] = []
    ticker = KiteTicker(plan["api_key"], plan["access_token"], root=plan["stream"])

    def act() -> None:
        order_id = kite.place_order(
            "regular", "NSE", "SBIN", "BUY", 10, "MIS", "LIMIT", price=plan["low"], tag="pushed"
        )
        kite.modify_order("regular", order_id, quantity=20)
        kite.cancel_order("regular", order_id)

    def on_order_update(ws: Any, data: dict[str, Any]) -> None:
        if data["tag"] == "pushed":
            heard.append(data)
        if data["status"] == "CANCELLED":
            ws.close(1000, "enough")
            ws.stop()

    ticker.on_connect = lambda ws, response: threading.Thread(target=act).start()
    ticker.on_order_update = on_order_update
    ticker.connect()
    return heard


def main() -> None:
    plan = json.load(sys.stdin)
    kite = KiteConnect(plan["api_key"], plan["access_token"], root=plan["api"])
    report = {"orders": orders(kite, plan)}
    report["books"] = books(kite, report["orders"]["placed"])
    report |= {"calculators": calculators(kite, plan), "gtt": gtt(kite, plan)}
    report["updates"] = {"heard": updates(kite, plan)}
    json.dump(report, sys.stdout, default=str)


main()
