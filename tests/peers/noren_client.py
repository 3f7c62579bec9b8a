"""Run by the interpreter of Kambala's client: everything it can do against our simulator, reported as JSON.

Standard input: the plan (hosts, credentials, tokens, prices, the client's generation). Standard output: one JSON
object. The client prints as it goes, and answers None to whatever is refused."""

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from NorenRestApiPy.NorenApi import FeedType, NorenApi  # type: ignore[import-not-found]

PATIENCE = 20.0


def session(plan: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    api = NorenApi(host=plan["api"], websocket=plan["stream"])
    if plan["client"] == "jkey":
        api.set_session(plan["user_id"], "", plan["access_token"])
        return api, {}
    ask = (plan["api_secret"], plan["api_key"], plan["user_id"])
    report = {"wrong_code": api.getAccessToken("wrong", *ask), "granted": api.getAccessToken(plan["code"], *ask)}
    token, user, _, account = report["granted"]
    api.set_credentials(token, user, account)
    return api, report


def orders(api: Any, plan: dict[str, Any]) -> dict[str, Any]:
    def place(kind: str = "LMT", price: str = plan["low"], trigger: str | None = None, **more: Any) -> Any:
        terms = {"buy_or_sell": "B", "product_type": "I", "exchange": "NSE", "tradingsymbol": "SBIN-EQ", "quantity": 10}
        terms |= {"amo": None, "discloseqty": 0, "price_type": kind, "price": price, "trigger_price": trigger}
        return api.place_order(**(terms | more))

    def number(told: Any) -> str:
        return str(told["norenordno"])

    placed = {
        "limit": number(place(remarks="one")),
        "taken": number(place(price=plan["high"], remarks="taken")),
        "stop": number(place("SL-LMT", plan["higher"], plan["high"])),
        "ioc": number(place(retention="IOC")),
        "ampersand": number(place(tradingsymbol="M&M-EQ", price=plan["m&m"], quantity=1)),
        "dear": number(place(quantity=1_000_000)),
    }
    return {
        "placed": placed,
        "changed": api.modify_order(placed["limit"], "NSE", "SBIN-EQ", 20, "LMT", plan["lower"]),
        "cancelled": api.cancel_order(placed["limit"]),
        "again": api.cancel_order(placed["limit"]),
        "market": place("MKT", "0"),
        "stranger": place(tradingsymbol="NOBODY-EQ"),
        "history": api.single_order_history(placed["limit"]),
    }


def books(api: Any) -> dict[str, Any]:
    def convert(quantity: int) -> Any:
        return api.position_product_conversion("NSE", "SBIN-EQ", quantity, "C", "I", "B", "DAY".title())

    return {
        "orders": api.get_order_book(),
        "trades": api.get_trade_book(),
        "positions": api.get_positions(),
        "converted": convert(4),
        "after": api.get_positions(),
        "too_much": convert(99),
        "holdings": api.get_holdings(),
        "limits": api.get_limits(),
    }


def data(api: Any, plan: dict[str, Any]) -> dict[str, Any]:
    since = time.time() - 10 * 86_400
    return {
        "quote": api.get_quotes("NSE", "3045"),
        "index": api.get_quotes("NSE", "26000"),
        "future": api.get_quotes("NFO", plan["future"]),
        "unknown": api.get_quotes("NSE", "1"),
        "security": api.get_security_info("NSE", "3045"),
        "search": api.searchscrip("NSE", "M&M"),
        "minutes": api.get_time_price_series("NSE", "3045", since, time.time(), 15),
        "days": api.get_daily_price_series("NSE", "SBIN-EQ", since, time.time()),
    }


class Ears:
    """Everything that the socket tells."""

    def __init__(self) -> None:
        self.ticks: list[dict[str, str]] = []
        self.news: list[dict[str, str]] = []
        self.errors: list[str] = []
        self.open = threading.Event()

    def until(self, wanted: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not wanted() and time.monotonic() < end:
            time.sleep(0.01)


def streams(api: Any, plan: dict[str, Any]) -> dict[str, Any]:
    ears = Ears()
    api.start_websocket(
        subscribe_callback=ears.ticks.append,
        order_update_callback=ears.news.append,
        socket_open_callback=ears.open.set,
        socket_error_callback=lambda error: ears.errors.append(str(error)),
    )
    opened = ears.open.wait(PATIENCE if plan["hears_open"] else 0.5)
    api.subscribe_orders()
    time.sleep(0.1)
    api.subscribe(["NSE|3045", "NSE|26000", f"NFO|{plan['future']}"])
    api.subscribe("NSE|3045", feed_type=FeedType.SNAPQUOTE)
    ears.until(lambda: {row["t"] for row in ears.ticks} == {"tk", "tf", "dk", "df"})
    api.unsubscribe("NSE|3045", feed_type=FeedType.SNAPQUOTE)
    told = api.place_order("B", "I", "NSE", "SBIN-EQ", 10, 0, "LMT", plan["low"], amo=None, remarks="pushed")
    api.modify_order(told["norenordno"], "NSE", "SBIN-EQ", 20, "LMT", plan["low"])
    api.cancel_order(told["norenordno"])
    ears.until(lambda: any(row["status"] == "CANCELED" for row in ears.news))
    api.close_websocket()
    pushed = [row for row in ears.news if row["norenordno"] == told["norenordno"]]
    return {"opened": opened, "ticks": ears.ticks, "news": pushed, "errors": ears.errors}


def main() -> None:
    plan = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        api, report = session(plan)
        report["orders"] = orders(api, plan)
        report |= {"books": books(api), "data": data(api, plan), "streams": streams(api, plan)}
        report |= {"out": api.logout()}
    json.dump(report, sys.stdout, default=str)


main()
