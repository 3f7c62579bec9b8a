"""Run by the interpreter of the official client: everything it can do against our simulator, reported as JSON.

Standard input: the plan (hosts, keys, tokens by mode). Standard output: one JSON object."""

import json
import sys
import time
from typing import Any

from kiteconnect import KiteConnect, KiteTicker, exceptions  # type: ignore[import-not-found]


def rest(plan: dict[str, Any]) -> dict[str, Any]:
    kite = KiteConnect(plan["api_key"], root=plan["api"])
    try:
        kite.profile()
        refused = ""
    except exceptions.TokenException as error:
        refused = str(error)
    session = kite.generate_session(plan["request_token"], plan["api_secret"])
    plan["access_token"] = session["access_token"]
    kite.set_access_token(session["access_token"])
    return {
        "refused": refused,
        "session": session,
        "profile": kite.profile(),
        "instruments": kite.instruments(),
        "nfo": kite.instruments("NFO"),
        "quote": kite.quote(plan["names"]),
        "ohlc": kite.ohlc(plan["names"]),
        "ltp": kite.ltp(plan["names"]),
    }


def stream(plan: dict[str, Any]) -> dict[str, Any]:
    """Three modes at once until every token had three ticks and an order update came."""
    seen: dict[int, list[dict[str, Any]]] = {}
    orders: list[dict[str, Any]] = []
    texts: list[str] = []
    ticker = KiteTicker(plan["api_key"], plan["access_token"], root=plan["stream"])
    tokens = [token for group in plan["modes"].values() for token in group]

    def on_connect(ws: Any, response: Any) -> None:
        ws.subscribe(tokens)
        for mode, group in plan["modes"].items():
            ws.set_mode(mode, group)

    def enough() -> bool:
        return bool(orders) and bool(texts) and all(len(seen.get(token, [])) >= 3 for token in tokens)

    def on_ticks(ws: Any, ticks: list[dict[str, Any]]) -> None:
        for tick in ticks:
            if plan["mode_of"][str(tick["instrument_token"])] == tick["mode"]:
                seen.setdefault(tick["instrument_token"], []).append(tick)
        if enough():
            ws.close(1000, "enough")
            ws.stop()

    def on_order_update(ws: Any, data: dict[str, Any]) -> None:
        orders.append(data)

    def on_error(ws: Any, code: Any, reason: Any) -> None:
        texts.append(str(reason))

    ticker.on_connect = on_connect
    ticker.on_ticks = on_ticks
    ticker.on_order_update = on_order_update
    ticker.on_error = on_error
    ticker.connect()
    return {"ticks": {token: ticks[:3] for token, ticks in seen.items()}, "orders": orders, "texts": texts}


def bad_token(plan: dict[str, Any]) -> dict[str, Any]:
    """A wrong token: what the client is told, and that it was not let in."""
    told: list[str] = []
    connected: list[float] = []
    ticker = KiteTicker(plan["api_key"], "wrong", root=plan["stream"], reconnect=False)

    def on_close(ws: Any, code: Any, reason: Any) -> None:
        told.append(str(reason))
        ws.stop()

    ticker.on_close = on_close
    ticker.on_connect = lambda ws, response: connected.append(time.time())
    ticker.connect()
    return {"told": told, "connected": connected}


def main() -> None:
    plan = json.load(sys.stdin)
    report = bad_token(plan) if plan["what"] == "bad_token" else {"rest": rest(plan), "stream": stream(plan)}
    json.dump(report, sys.stdout, default=str)


main()
