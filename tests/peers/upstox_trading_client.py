"""Run by the interpreter of the official client: its REST and both streamers against our simulator, reported as JSON.

Standard input: the plan (hosts, keys, codes of the login page, prices). Standard output: one JSON object."""

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import upstox_client  # type: ignore[import-not-found]  # only in the SDK's environment
from upstox_client.feeder import market_data_feeder_v3, portfolio_data_feeder  # type: ignore[import-not-found]
from upstox_client.rest import ApiException  # type: ignore[import-not-found]

V = "2.0"


def told(call: Callable[[], object]) -> dict[str, Any]:
    """The client's exception where a call is refused."""
    try:
        call()
    except ApiException as error:
        first = json.loads(error.body)["errors"][0]
        return {"status": error.status, "code": first["errorCode"], "same": first["errorCode"] == first["error_code"]}
    return {}


def place_body(plan: dict[str, Any], **terms: Any) -> Any:
    plain = {"quantity": 10, "product": "I", "validity": "DAY", "price": plan["low"], "trigger_price": 0}
    plain |= {"instrument_token": plan["share"], "order_type": "LIMIT", "transaction_type": "BUY"}
    return upstox_client.PlaceOrderV3Request(**{**plain, "disclosed_quantity": 0, "is_amo": False, **terms})


def orders(client: Any, plan: dict[str, Any]) -> dict[str, Any]:
    api, books = upstox_client.OrderApiV3(client), upstox_client.OrderApi(client)

    def place(**terms: Any) -> str:
        (order_id,) = api.place_order(place_body(plan, **terms)).data.order_ids
        return str(order_id)

    market = {"order_type": "MARKET", "price": 0, "market_protection": -1}
    placed = {
        "limit": place(tag="one1"),
        "ioc": place(validity="IOC"),
        "market": place(**market, quantity=7, tag="taken"),
        "stop": place(order_type="SL-M", price=0, trigger_price=plan["high"], market_protection=-1),
        "stop_limit": place(order_type="SL", price=plan["high"], trigger_price=plan["high"]),
        "dear": place(quantity=1_000_000),
        "carried": place(instrument_token=plan["future"], product="D", quantity=65, price=plan["future_price"]),
    }
    change = {"validity": "DAY", "price": plan["low"] + 1, "order_type": "LIMIT", "trigger_price": 0}
    modify = upstox_client.ModifyOrderRequest(order_id=placed["limit"], quantity=20, **change)
    late = upstox_client.ModifyOrderRequest(order_id=placed["market"], **change)
    report: dict[str, Any] = {"placed": placed, "modified": api.modify_order(modify).data.order_id}
    report["cancelled"] = api.cancel_order(placed["limit"]).data.order_id
    report["book"] = [row.to_dict() for row in books.get_order_book(V).data]
    report["one"] = books.get_order_status(order_id=placed["market"]).data.to_dict()
    report["history"] = [row.to_dict() for row in books.get_order_details(V, tag="one1").data]
    report["trades"] = [row.to_dict() for row in books.get_trade_history(V).data]
    report["trades_of_one"] = [row.to_dict() for row in books.get_trades_by_order(placed["market"], V).data]
    report["wrong"] = {
        "quantity": told(lambda: place(quantity=0)),
        "key": told(lambda: place(instrument_token="NSE_EQ|INE000000000")),
        "unprotected": told(lambda: place(order_type="MARKET", price=0)),
        "tag": told(lambda: place(tag="x" * 41)),
        "commodity": told(lambda: place(instrument_token=plan["commodity"], product="D")),
        "unknown": told(lambda: api.cancel_order("123")),
        "again": told(lambda: api.cancel_order(placed["limit"])),
        "late": told(lambda: api.modify_order(late)),
        "history": told(lambda: books.get_order_status(order_id="123")),
    }
    return report


def holdings(client: Any, plan: dict[str, Any]) -> dict[str, Any]:
    api, user = upstox_client.PortfolioApi(client), upstox_client.UserApi(client)
    before = [row.to_dict() for row in api.get_positions(V).data]
    convert = {"instrument_token": plan["share"], "old_product": "I", "new_product": "D", "transaction_type": "BUY"}

    def converted(quantity: int) -> Any:
        body = upstox_client.ConvertPositionRequest(quantity=quantity, **convert)
        return api.convert_positions(body, V).data.status

    leg = {"instrument_key": plan["share"], "quantity": 10, "product": "I", "transaction_type": "BUY"}
    margin = upstox_client.ChargeApi(client).post_margin(
        upstox_client.MarginRequest(instruments=[upstox_client.Instrument(**leg)])
    )
    return {
        "profile": user.get_profile(V).data.to_dict(),
        "positions": before,
        "converted": converted(4),
        "after": [row.to_dict() for row in api.get_positions(V).data],
        "too_much": told(lambda: converted(99)),
        "holdings": [row.to_dict() for row in api.get_holdings(V).data],
        "funds": {name: row.to_dict() for name, row in user.get_user_fund_margin(V).data.items()},
        "equity": list(user.get_user_fund_margin(V, segment="SEC").data),
        "margin": margin.data.to_dict(),
    }


def gtt(client: Any, plan: dict[str, Any]) -> dict[str, Any]:
    api = upstox_client.OrderApiV3(client)

    def rules(price: float, *more: Any) -> list[Any]:
        return [upstox_client.GttRule(strategy="ENTRY", trigger_type="BELOW", trigger_price=price), *more]

    def place(kind: str, rule: list[Any]) -> str:
        body = upstox_client.GttPlaceOrderRequest(
            type=kind, quantity=5, product="D", instrument_token=plan["share"], transaction_type="BUY", rules=rule
        )
        (number,) = api.place_gtt_order(body).data.gtt_order_ids
        return str(number)

    target = upstox_client.GttRule(strategy="TARGET", trigger_type="IMMEDIATE", trigger_price=plan["high"])
    single, multiple = place("SINGLE", rules(plan["low"])), place("MULTIPLE", rules(plan["low"], target))
    change = upstox_client.GttModifyOrderRequest(
        type="SINGLE", quantity=6, gtt_order_id=single, rules=rules(plan["low"] + 1)
    )
    report: dict[str, Any] = {"single": single, "multiple": multiple}
    report["modified"] = api.modify_gtt_order(change).data.gtt_order_ids
    report["cancelled"] = api.cancel_gtt_order(
        upstox_client.GttCancelOrderRequest(gtt_order_id=multiple)
    ).data.gtt_order_ids
    report["list"] = [row.to_dict() for row in api.get_gtt_order_details().data]
    report["one"] = [row.to_dict() for row in api.get_gtt_order_details(gtt_order_id=single).data]
    report["no_entry"] = told(lambda: place("SINGLE", [target]))
    return report


def data(client: Any, plan: dict[str, Any]) -> dict[str, Any]:
    history = upstox_client.HistoryV3Api(client)
    keys = f"{plan['share']},{plan['index']}"
    quotes = upstox_client.MarketQuoteApi(client).get_full_market_quote(keys, V).data
    return {
        "quotes": {name: quote.to_dict() for name, quote in quotes.items()},
        "days": history.get_historical_candle_data1(
            plan["share"], "days", "1", plan["monday"], plan["week_ago"]
        ).data.candles,
        "today": history.get_intra_day_candle_data(plan["share"], "minutes", "15").data.candles,
        "too_long": told(
            lambda: history.get_historical_candle_data1(plan["share"], "minutes", "1", plan["monday"], "2026-01-01")
        ),
    }


class Rerouted:
    """The SDK's sockets have a fixed address; here they go to the plan's."""

    def __init__(self, stream: str) -> None:
        real = market_data_feeder_v3.websocket.WebSocketApp

        def opened(url: str, **more: Any) -> Any:
            return real(url.replace("wss://api.upstox.com", stream), **more)

        market_data_feeder_v3.websocket.WebSocketApp = opened
        portfolio_data_feeder.websocket.WebSocketApp = opened


def ticks(client: Any, plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Messages from the market's state through a change of mode to the last of three live ones."""
    heard: list[dict[str, Any]] = []
    done = threading.Event()
    streamer = upstox_client.MarketDataStreamerV3(client, [plan["share"], plan["index"]], "ltpc")
    streamer.auto_reconnect(False)

    def on_message(message: dict[str, Any]) -> None:
        heard.append(message)
        if len(heard) == 3:
            streamer.change_mode([plan["share"], plan["index"]], "full")
        elif len(heard) == 8:
            streamer.subscribe([plan["future"]], "option_greeks")
        elif len(heard) == 14:
            streamer.change_mode([plan["share"]], "full_d30")
        elif len(heard) == 20:
            streamer.unsubscribe([plan["share"]])
        elif len(heard) == 26:
            done.set()

    streamer.on("message", on_message)
    streamer.connect()
    done.wait(30)
    streamer.disconnect()
    return heard


def updates(client: Any, plan: dict[str, Any]) -> list[dict[str, Any]]:
    """What the portfolio stream tells of one order's life, and of a GTT."""
    heard: list[dict[str, Any]] = []
    done = threading.Event()
    streamer = upstox_client.PortfolioDataStreamer(client, order_update=True, gtt_update=True)
    streamer.auto_reconnect(False)

    def act() -> None:
        api = upstox_client.OrderApiV3(client)
        (order_id,) = api.place_order(place_body(plan, tag="pushed")).data.order_ids
        api.cancel_order(order_id)
        rule = upstox_client.GttRule(strategy="ENTRY", trigger_type="BELOW", trigger_price=plan["low"])
        api.place_gtt_order(
            upstox_client.GttPlaceOrderRequest(
                type="SINGLE",
                quantity=5,
                product="D",
                instrument_token=plan["share"],
                transaction_type="BUY",
                rules=[rule],
            )
        )

    def on_message(message: str) -> None:
        heard.append(json.loads(message))
        if heard[-1]["update_type"] == "gtt_order":
            done.set()

    streamer.on("open", lambda: threading.Thread(target=act).start())
    streamer.on("message", on_message)
    streamer.connect()
    done.wait(30)
    streamer.disconnect()
    return heard


def main() -> None:
    plan = json.load(sys.stdin)
    configuration = upstox_client.Configuration()
    configuration.host, configuration.order_host = plan["api"], plan["orders"]
    client = upstox_client.ApiClient(configuration)
    login = upstox_client.LoginApi(client)
    form = {"client_id": plan["api_key"], "redirect_uri": plan["redirect_uri"], "grant_type": "authorization_code"}
    refused = told(lambda: login.token(V, code="nonsense", client_secret=plan["api_secret"], **form))
    granted = login.token(V, code=plan["code"], client_secret=plan["api_secret"], **form)
    configuration.access_token = granted.access_token
    Rerouted(plan["stream"])
    report = {"login": granted.to_dict(), "refused": refused}
    report |= {"orders": orders(client, plan), "portfolio": holdings(client, plan), "gtt": gtt(client, plan)}
    report |= {"data": data(client, plan), "ticks": ticks(client, plan), "updates": updates(client, plan)}
    report["logout"] = login.logout(V).data
    report["dead"] = told(lambda: upstox_client.UserApi(client).get_profile(V))
    json.dump(report, sys.stdout, default=str)
    sys.stdout.flush()


main()
