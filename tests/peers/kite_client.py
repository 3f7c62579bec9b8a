"""Run by the interpreter of the official client: everything it can do against our simulator, reported as JSON.

Standard input: the plan (hosts, keys, tokens by mode). Standard output: one JSON object."""

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from kiteconnect import KiteConnect, KiteTicker, exceptions  # type: ignore[import-not-found]


def told(call: Callable[[], object], kind: type[Exception]) -> str:
    """What the client is told where a call is refused."""
    try:
        call()
    except kind as error:
        return str(error)
    return ""


def log_in(kite: Any, plan: dict[str, Any]) -> dict[str, Any]:
    """By the login page, as a browser walks it: only its host is ours."""
    kite._default_login_uri = plan["login"] + "/connect/login"
    sent = kite.reqsession.get(kite.login_url() + "&redirect_params=state%3Dmine", allow_redirects=False)
    back = dict(parse_qsl(urlsplit(sent.headers["location"]).query))
    session: dict[str, Any] = kite.generate_session(back["request_token"], plan["api_secret"])
    plan["access_token"] = session["access_token"]
    return {"back": back, "session": session}


def rest(kite: Any, plan: dict[str, Any]) -> dict[str, Any]:
    refused = told(kite.profile, exceptions.TokenException)
    entered = log_in(kite, plan)
    today = datetime.now()
    future, day = plan["future"], timedelta(days=1)
    return entered | {
        "refused": refused,
        "profile": kite.profile(),
        "instruments": kite.instruments(),
        "nfo": kite.instruments("NFO"),
        "quote": kite.quote(plan["names"]),
        "ohlc": kite.ohlc(plan["names"]),
        "ltp": kite.ltp(plan["names"]),
        "days": kite.historical_data(plan["share"], today - 30 * day, today, "day"),
        "minutes": kite.historical_data(plan["share"], today - 10 * day, today, "15minute"),
        "with_oi": kite.historical_data(future, f"{today - 20 * day:%Y-%m-%d}", f"{today:%Y-%m-%d}", "day", oi=True),
        "continuous": kite.historical_data(future, today - 400 * day, today, "day", continuous=True, oi=True),
        "too_long": told(
            lambda: kite.historical_data(plan["share"], today - 61 * day, today, "minute"), exceptions.InputException
        ),
        "too_many": told(lambda: kite.quote(["NSE:SBIN"] * 501), exceptions.InputException),
    }


def goodbye(kite: Any) -> dict[str, Any]:
    return {"ended": kite.invalidate_access_token(), "after": told(kite.profile, exceptions.TokenException)}


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
    if plan["what"] == "bad_token":
        report = bad_token(plan)
    else:
        kite = KiteConnect(plan["api_key"], root=plan["api"])
        report = {"rest": rest(kite, plan), "stream": stream(plan), "goodbye": goodbye(kite)}
    json.dump(report, sys.stdout, default=str)


main()
