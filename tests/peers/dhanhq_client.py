"""Run by the interpreter of the official client: its logins, REST and sockets against our simulator, reported as JSON.

Standard input: the plan (addresses, credentials, prices, security ids). Standard output: one JSON object; what the
client prints goes to standard error."""

import asyncio
import contextlib
import json
import sys
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests  # type: ignore[import-untyped]
from dhanhq import (  # type: ignore[import-not-found]
    DhanContext,
    DhanHTTP,
    DhanLogin,
    FullDepth,
    MarketFeed,
    OrderUpdate,
    Security,
    auth,
    dhanhq,
)

Json = dict[str, Any]


def logins(plan: Json) -> Json:
    """PIN and authenticator, the consent page, renewal; the last token is the one that stays."""
    login = DhanLogin(plan["client_id"])
    opened: list[str] = []
    auth.webbrowser.open = opened.append
    report: Json = {"by_code": login.generate_token(plan["pin"], plan["code"])}
    report["wrong"] = login.generate_token("000000", plan["code"])
    login.generate_login_session(plan["api_key"], plan["api_secret"])
    back = requests.get(opened[0], allow_redirects=False, timeout=10).headers["location"]
    (token,) = parse_qs(urlsplit(back).query)["tokenId"]
    report["by_page"] = login.consume_token_id(token, plan["api_key"], plan["api_secret"])
    report["renewed"] = login.renew_token(report["by_page"]["accessToken"])
    report["profile"] = login.user_profile(report["renewed"]["accessToken"])
    return report


def orders(dhan: Any, plan: Json) -> Json:
    share = {"security_id": plan["sbin"], "exchange_segment": "NSE_EQ", "product_type": "INTRADAY"}
    future = {"security_id": plan["future"], "exchange_segment": "NSE_FNO", "product_type": "MARGIN"}
    limit = share | {"transaction_type": "BUY", "quantity": 10, "order_type": "LIMIT", "price": plan["low"]}
    placed = {
        "limit": dhan.place_order(**limit, tag="one1"),
        "ioc": dhan.place_order(**limit, validity="IOC"),
        "market": dhan.place_order(**limit | {"order_type": "MARKET", "price": 0}, tag="taken"),
        "stop": dhan.place_order(
            **limit | {"order_type": "STOP_LOSS", "price": plan["high"]}, trigger_price=plan["high"]
        ),
        "dear": dhan.place_order(**limit | {"quantity": 1_000_000}),
        "slices": dhan.place_slice_order(
            **future, transaction_type="BUY", quantity=30 * 65, order_type="LIMIT", price=plan["future_low"]
        ),
    }
    number = placed["limit"]["data"]["orderId"]
    return {
        "placed": placed,
        "modified": dhan.modify_order(number, "LIMIT", "ENTRY_LEG", 20, plan["low"], 0, 0, "DAY"),
        "one": dhan.get_order_by_id(number),
        "by_tag": dhan.get_order_by_correlationID("one1"),
        "no_tag": dhan.get_order_by_correlationID("nobody"),
        "cancelled": dhan.cancel_order(number),
        "again": dhan.cancel_order(number),
        "unknown": dhan.get_order_by_id("1"),
        "wrong": dhan.place_order(**limit | {"security_id": "999999999"}),
        "list": dhan.get_order_list(),
    }


def books(dhan: Any, plan: Json) -> Json:
    before = dhan.get_positions()
    dhan.convert_position("INTRADAY", "NSE_EQ", "LONG", plan["sbin"], 4, "CNC")  # the answer has no body to read
    leg = {"securityId": plan["sbin"], "exchangeSegment": "NSE_EQ", "transactionType": "BUY", "quantity": 10}
    leg |= {"productType": "CNC", "price": plan["low"], "triggerPrice": 0}
    return {
        "positions": before,
        "after": dhan.get_positions(),
        "holdings": dhan.get_holdings(),
        "funds": dhan.get_fund_limits(),
        "margin": dhan.margin_calculator(plan["sbin"], "NSE_EQ", "BUY", 10, "CNC", plan["low"]),
        "margins": dhan.margin_calculator_multi([leg, leg], include_position=True),
    }


def forever(dhan: Any, plan: Json) -> Json:
    terms = (plan["sbin"], "NSE_EQ", "SELL", "CNC", "LIMIT", 5, plan["low"], plan["low"])
    single = dhan.place_forever(*terms)
    two = dhan.place_forever(*terms, order_flag="OCO", price1=plan["high"], trigger_Price1=plan["high"], quantity1=5)
    listed = dhan.get_forever()
    number = single["data"]["orderId"]
    modified = dhan.modify_forever(number, "SINGLE", "LIMIT", "TARGET_LEG", 4, plan["low"], plan["low"], 0, "DAY")
    return {
        "single": single,
        "two": two,
        "listed": listed,
        "modified": modified,
        "cancelled": dhan.cancel_forever(number),
        "left": dhan.get_forever(),
    }


def market(dhan: Any, plan: Json) -> Json:
    asked = {"NSE_EQ": [int(plan["sbin"])], "NSE_FNO": [int(plan["future"])], "IDX_I": [13]}
    kinds = (plan["sbin"], "NSE_EQ", "EQUITY")
    listed = dhan.fetch_security_list("detailed", plan["file"])
    return {
        "quote": dhan.quote_data(dict(asked)),
        "ohlc": dhan.ohlc_data(dict(asked)),
        "ltp": dhan.ticker_data(dict(asked)),
        "minutes": dhan.intraday_minute_data(*kinds, plan["from"], plan["to"], 15),
        "days": dhan.historical_daily_data(*kinds, plan["from"], plan["to"]),
        "nobody": dhan.intraday_minute_data("999999999", "NSE_EQ", "EQUITY", plan["from"], plan["to"]),
        "columns": list(listed.columns),
        "rows": len(listed),
    }


def feed(context: Any, plan: Json) -> list[Json]:
    """The first packets of each kind, over one socket."""
    sbin, future = plan["sbin"], plan["future"]
    wanted = [(1, plan["infy"], 15), (2, future, 17), (1, sbin, 21), (0, "13", 15)]
    socket = MarketFeed(context, wanted)
    socket.run_forever()
    heard: dict[tuple[str, int], Json] = {}
    kinds = {
        ("Ticker Data", 1),
        ("Quote Data", 2),
        ("Full Data", 1),
        ("OI Data", 2),
        ("Previous Close", 2),
        ("Ticker Data", 0),
    }
    while not kinds <= heard.keys():
        packet = socket.get_data()
        heard[packet["type"], packet["exchange_segment"]] = packet
    socket.close_connection()
    return list(heard.values())


def deep(context: Any, plan: Json, levels: int) -> list[Json]:
    socket = FullDepth(context, [(1, plan["sbin"])], levels)
    heard: list[Json] = []
    socket.on_ticks = heard.append
    socket.run_forever()
    while not heard:
        socket.get_data()
    socket.close_connection()
    return heard


def updates(context: Any, dhan: Any, plan: Json) -> list[Json]:
    """What is told of one order's life, from its placing to its cancelling."""
    heard: list[Json] = []
    socket = OrderUpdate(context)
    socket.order_feed_wss = plan["orders"]
    terms = (plan["sbin"], "NSE_EQ", "BUY", 10, "LIMIT", "INTRADAY", plan["low"])

    def act() -> None:
        number = dhan.place_order(*terms, tag="pushed")["data"]["orderId"]
        dhan.modify_order(number, "LIMIT", "ENTRY_LEG", 20, plan["low"], 0, 0, "DAY")
        dhan.cancel_order(number)

    async def listen() -> None:
        def hear(update: Json) -> None:
            heard.append(update)
            if update["Data"]["status"] == "Cancelled":
                over.set()

        over = asyncio.Event()
        socket.on_update = hear
        listening = asyncio.ensure_future(socket.connect_order_update())
        threading.Timer(0.5, act).start()  # nobody says when the login was taken
        await over.wait()
        listening.cancel()

    asyncio.run(asyncio.wait_for(listen(), 20))
    return heard


def main() -> Json:
    plan = json.load(sys.stdin)
    DhanHTTP.API_BASE_URL = DhanLogin.API_BASE_URL = plan["api"]
    Security.DETAILED_CSV_URL = f"{plan['files']}/api-data/api-scrip-master-detailed.csv"
    if "auth" not in plan:  # the sandbox
        dhan = dhanhq(DhanContext(plan["client_id"], plan["access_token"]))
        return {"orders": orders(dhan, plan), "books": books(dhan, plan), "forever": forever(dhan, plan)}
    DhanLogin.AUTH_BASE_URL = plan["auth"]
    MarketFeed.market_feed_wss = plan["stream"]
    FullDepth.depth_20_feed_wss, FullDepth.depth_200_feed_wss = plan["depth20"], plan["depth200"]
    report: Json = {"logins": logins(plan)}
    context = DhanContext(plan["client_id"], report["logins"]["renewed"]["accessToken"])
    dhan = dhanhq(context)
    report |= {"orders": orders(dhan, plan), "books": books(dhan, plan), "forever": forever(dhan, plan)}
    report |= {"market": market(dhan, plan), "feed": feed(context, plan)}
    report |= {"depth20": deep(context, plan, 20), "depth200": deep(context, plan, 200)}
    return report | {"updates": updates(context, dhan, plan)}


with contextlib.redirect_stdout(sys.stderr):
    told = main()
json.dump(told, sys.stdout, default=str)
