"""Run by the interpreter of python-socketio 4.6: what Symphony's Python SDK does, call by call, reported as JSON.

The SDK is on GitHub alone; its calls are requests with the bare token, and `socketio.Client` with the transport
``websocket``. Standard input: the plan (hosts, keys, prices). Standard output: one JSON object."""

import json
import sys
import threading
from typing import Any

import requests  # type: ignore[import-untyped]
import socketio  # type: ignore[import-not-found]

PATIENCE = 20.0
SHARE = {"exchangeSegment": "NSECM", "exchangeInstrumentID": 3045, "clientID": "*****"}
SBIN = {"exchangeSegment": 1, "exchangeInstrumentID": 3045}
NIFTY = {"exchangeSegment": 1, "exchangeInstrumentID": 26000}
CODES = (1501, 1502, 1510, 1512)


class Rest:
    """One service and its token."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.token = ""

    def ask(self, method: str, path: str, **what: Any) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Authorization": self.token}
        reply = requests.request(method, self.root + path, headers=headers, timeout=7, verify=False, **what)  # noqa: S501
        told: dict[str, Any] = reply.json()
        return told | {"status": reply.status_code}


class Heard:
    """A socket and what came over it."""

    def __init__(self, address: str, token: str, user: str, form: str, events: list[str]) -> None:
        root, _, path = address.replace("ws://", "http://").partition("/socket.io/")[0].rpartition("/")
        self.events: list[tuple[str, Any]] = []
        self.client = socketio.Client(reconnection=False)
        self._more = threading.Condition()
        for name in ("joined", "logout", "message", "connect_error", *events):
            self.client.on(name, self._hearer(name))
        self.client.connect(f"{root}/?token={token}&userID={user}&{form}", {}, "websocket", None, f"/{path}/socket.io")

    def _hearer(self, name: str) -> Any:
        def hear(data: Any = None) -> None:
            with self._more:
                self.events.append((name, data))
                self._more.notify_all()

        return hear

    def wait(self, *names: str, count: int = 1) -> list[Any]:
        """The payloads of events of a name, once there are so many."""

        def found() -> list[Any]:
            return [data for name, data in self.events if name in names]

        with self._more:
            if not self._more.wait_for(lambda: len(found()) >= count, PATIENCE):
                raise TimeoutError(f"{names}: heard {[name for name, _ in self.events][-20:]}")
            return found()

    def close(self) -> None:
        self.client.disconnect()


def sessions(plan: dict[str, Any]) -> tuple[Rest, Rest, dict[str, Any]]:
    orders, data = Rest(plan["api"]), Rest(plan["market"])
    keys = {"appKey": plan["api_key"], "secretKey": plan["api_secret"], "source": "WEBAPI"}
    told = {"stranger": orders.ask("GET", "/user/profile"), "wrong": orders.ask("POST", "/user/session", json={})}
    told["session"] = orders.ask("POST", "/user/session", json=keys)
    orders.token = told["session"]["result"]["token"]
    keys |= {"appKey": plan["market_key"], "secretKey": plan["market_secret"]}
    told["data"] = data.ask("POST", "/auth/login", json=keys)
    data.token = told["data"]["result"]["token"]
    told["profile"] = orders.ask("GET", "/user/profile")
    return orders, data, told


def trade(orders: Rest, heard: Heard, plan: dict[str, Any]) -> dict[str, Any]:
    form = SHARE | {
        "productType": "MIS", "orderType": "LIMIT", "orderSide": "BUY", "timeInForce": "DAY", "disclosedQuantity": 0,
        "orderQuantity": 10, "limitPrice": plan["low"], "stopPrice": 0, "orderUniqueIdentifier": "454845",
        "apiOrderSource": "",
    }  # fmt: skip
    placed = orders.ask("POST", "/orders", json=form)
    number = placed["result"]["AppOrderID"]
    change = {
        "appOrderID": number, "modifiedProductType": "MIS", "modifiedOrderType": "LIMIT", "modifiedOrderQuantity": 8,
        "modifiedDisclosedQuantity": 0, "modifiedLimitPrice": plan["low"], "modifiedStopPrice": 0,
        "modifiedTimeInForce": "DAY", "orderUniqueIdentifier": "454845",
    }  # fmt: skip
    told: dict[str, Any] = {
        "placed": placed,
        "changed": orders.ask("PUT", "/orders", json=change),
        "cancelled": orders.ask("DELETE", "/orders", params={"appOrderID": number, "orderUniqueIdentifier": "454845"}),
        "late": orders.ask("DELETE", "/orders", params={"appOrderID": number, "orderUniqueIdentifier": "454845"}),
        "wrong": orders.ask("POST", "/orders", json=form | {"exchangeInstrumentID": 7}),
        "market": orders.ask("POST", "/orders", json=form | {"orderType": "MARKET", "orderUniqueIdentifier": "m"}),
        "stop": orders.ask("POST", "/orders", json=form | {
            "orderType": "STOPLIMIT", "limitPrice": plan["high"], "stopPrice": plan["high"]
        }),
    }  # fmt: skip
    heard.wait("trade")
    told["news"] = [json.loads(text) for text in heard.wait("order", count=6)]
    told["trades"] = [json.loads(text) for text in heard.wait("trade")]
    paths = {
        "orders": "/orders", "tradebook": "/orders/trades", "positions": "/portfolio/positions?dayOrNet=NetWise",
        "holdings": "/portfolio/holdings", "balance": "/user/balance",
    }  # fmt: skip
    return told | {name: orders.ask("GET", path) for name, path in paths.items()}


def market(data: Rest, heard: Heard, names: list[str]) -> dict[str, Any]:
    form = {"instruments": [SBIN, NIFTY], "publishFormat": "JSON"}
    told: dict[str, Any] = {
        "config": data.ask("GET", "/config/clientConfig"),
        "master": data.ask("POST", "/instruments/master", json={"exchangeSegmentList": ["NSECM"]}),
        "indices": data.ask("GET", "/instruments/indexlist", params={"exchangeSegment": 1}),
        "quotes": data.ask("POST", "/instruments/quotes", json=form | {"xtsMessageCode": 1502}),
        "candles": data.ask("GET", "/instruments/ohlc", params={
            "exchangeSegment": "NSECM", "exchangeInstrumentID": 3045, "startTime": "Aug 10 2026 091500",
            "endTime": "Aug 14 2026 153000", "compressionValue": "D",
        }),
    }  # fmt: skip
    subscriptions = {code: {"instruments": [SBIN, NIFTY], "xtsMessageCode": code} for code in CODES}
    told["subscribed"] = [data.ask("POST", "/instruments/subscription", json=each) for each in subscriptions.values()]
    told["again"] = data.ask("POST", "/instruments/subscription", json=subscriptions[1501])
    frames = {name: heard.wait(name, count=3) for name in names}
    told["frames"] = {
        name: [each.hex() if isinstance(each, bytes) else each for each in payloads[:3]]
        for name, payloads in frames.items()
    }
    told["bands"] = heard.wait("1105-json-partial")
    told["left"] = [data.ask("PUT", "/instruments/subscription", json=each) for each in subscriptions.values()]
    return told


def main() -> None:
    plan = json.load(sys.stdin)
    orders, data, told = sessions(plan)
    user, names = told["data"]["result"]["userID"], plan["events"]
    news = Heard(plan["orders"], orders.token, user, "apiType=INTERACTIVE", ["order", "trade", "position"])
    feed = Heard(
        plan["stream"], data.token, user, "publishFormat=JSON&broadcastMode=Full", [*names, "1105-json-partial"]
    )
    told["joined"] = [json.loads(socket.wait("joined")[0]) for socket in (news, feed)]
    told["orders"] = trade(orders, news, plan)
    told["market"] = market(data, feed, names)
    beats = feed.client.eio.ping_interval
    told["ping"] = beats if beats > 5 else beats * 1000
    threading.Event().wait(3 * told["ping"] / 1000)
    told["stays"] = feed.client.connected and feed.client.eio.pong_received
    told["again"] = Rest(plan["api"]).ask(
        "POST", "/user/session", json={"appKey": plan["api_key"], "secretKey": plan["api_secret"], "source": "WEBAPI"}
    )
    told["logout"] = bool(news.wait("logout"))
    told["dead"] = orders.ask("GET", "/user/profile")
    feed.close()
    told["out"] = data.ask("DELETE", "/auth/logout")
    json.dump(told, sys.stdout)


main()
