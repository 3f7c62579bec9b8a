"""Adapters as users write them, in the folder of a home: one over a small vendor's client, and faulty ones."""

from pathlib import Path

VENDOR = '''
"""A vendor's client: a thread that calls back, as their SDKs have it."""

import itertools
import threading

MADE = []


class Client:
    """The newest is MADE[-1]; `push` is the market's side, `drop` an end of the line."""

    def __init__(self, token):
        self.token, self.subscribed, self.calls = token, {}, []
        self.on_open = self.on_data = self.on_close = None
        self._end = threading.Event()
        MADE.append(self)

    def run_forever(self):
        self.on_open(self)
        numbers = itertools.count(1)
        while not self._end.wait(0.01):
            number = next(numbers)
            for (symbol, exchange), mode in list(self.subscribed.items()):
                row = {"symbol": symbol, "exchange": exchange, "ltp": 100 + number * 0.05, "mode": mode}
                if mode > 1:
                    row |= {"open": 100.0, "high": 110.0, "low": 90.0, "close": 99.0, "volume": number}
                if mode == 3:
                    row["depth"] = {"buy": [{"price": 99.5, "quantity": 5, "orders": 1}], "sell": []}
                self.on_data(self, row)
        self.on_close(self, 1000, "bye")

    def start(self):
        threading.Thread(target=self.run_forever, name="vendor", daemon=True).start()

    def close(self):
        self._end.set()
'''

ADAPTER = """
from broker.acme.streaming.vendor import Client
from websocket_proxy.base_adapter import BaseBrokerWebSocketAdapter
from websocket_proxy.broker_factory import register_adapter


class AcmeWebSocketAdapter(BaseBrokerWebSocketAdapter):
    MAX_SYMBOLS = 50

    def initialize(self, broker_name, user_id, auth_data=None):
        self.given = (broker_name, user_id, dict(auth_data))
        self.client = Client(auth_data.get("auth_token"))
        self.client.adapter = self
        self.client.on_open, self.client.on_close, self.client.on_data = self.on_open, self.on_close, self.on_data

    def connect(self):
        self.client.start()
        return {"status": "connecting"}

    def subscribe(self, symbol, exchange, mode=2, depth_level=5):
        self.client.calls.append(("subscribe", symbol, exchange, mode, depth_level))
        if symbol == "NOPE":
            return {"status": "error", "message": "no such symbol at Acme"}
        if symbol == "RAISE":
            raise KeyError("a bug of the adapter")
        self.client.subscribed[symbol, exchange] = mode
        self.subscriptions.add((symbol, exchange, mode))

    def unsubscribe(self, symbol, exchange, mode=2):
        self.client.calls.append(("unsubscribe", symbol, exchange, mode))
        if self.client.subscribed.get((symbol, exchange)) == mode:
            del self.client.subscribed[symbol, exchange]
        self.subscriptions.discard((symbol, exchange, mode))

    def disconnect(self):
        self.client.close()
        super().disconnect()
"""

FAULTY = """
import threading
import time

import websocket_proxy.base_adapter


class {Name}WebSocketAdapter(websocket_proxy.base_adapter.BaseBrokerWebSocketAdapter):
    made = 0

    def __init__(self):
        type(self).made += 1

    def initialize(self, broker_name, user_id, auth_data=None):
        {initialize}

    def connect(self):
        {connect}

    def subscribe(self, symbol, exchange, mode=2, depth_level=5):
        {subscribe}

    def unsubscribe(self, symbol, exchange, mode=2):
        raise SystemExit("unsubscribe")

    def disconnect(self):
        {disconnect}
"""


def write(home: Path, name: str, adapter: str, **more: str) -> None:
    """``broker/{name}/streaming/{name}_adapter.py``, and modules beside it."""
    folder = home / "broker" / name / "streaming"
    folder.mkdir(parents=True)
    for module, text in {f"{name}_adapter": adapter, **more}.items():
        (folder / f"{module}.py").write_text(text)


def write_acme(home: Path) -> None:
    write(home, "acme", ADAPTER, vendor=VENDOR)


def write_faulty(home: Path, name: str, **bodies: str) -> None:
    """An adapter that is up at once and carries nothing, but for what `bodies` has it do."""
    told = {"initialize": "pass", "connect": 'return {"status": "success"}', "subscribe": "pass", "disconnect": "pass"}
    write(home, name, FAULTY.format(Name=name.capitalize(), **{**told, **bodies}))
