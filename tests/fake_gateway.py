"""A gateway that does what a test says: it loses answers and lines at the worst moments, and keeps a journal."""

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

KEY = "right"


class FakeGateway:
    """`script` holds what happens to the next requests of an action: ``lose`` (the line ends before it is read),
    ``take`` (it is done, then the line ends), ``silence`` (it is done, no answer), or an answer's fields."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.triggers: dict[str, dict[str, Any]] = {}
        self.journal: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.script: dict[str, list[Any]] = {}
        self.listeners: set[ServerConnection] = set()
        self.connections: set[ServerConnection] = set()
        self.first_number = 1
        self.placed = 0
        self._lock = threading.RLock()
        self._server: Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        self._server = serve(self._serve, "127.0.0.1", self.port, max_size=None)
        self.port = self._server.socket.getsockname()[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            self.cut()

    def cut(self) -> None:
        """End all lines without a word."""
        for connection in list(self.connections):
            with suppress(OSError):
                connection.socket.shutdown(2)

    def actions(self, name: str) -> list[dict[str, Any]]:
        return [asked for asked in self.asked if asked["action"] == name]

    def happen(self, order: dict[str, Any], kind: str, **changes: Any) -> None:
        """An event: journalled, then told."""
        with self._lock:
            order.update(changes)
            seq = self.first_number + len(self.journal)
            self.journal.append(event(kind, seq, order))
            for connection in list(self.listeners):
                with suppress(ConnectionClosed):
                    connection.send(json.dumps(self.journal[-1]))

    def order(self, client_order_id: str) -> dict[str, Any]:
        return self.orders[client_order_id]

    # --- one client ---------------------------------------------------------------------------------------------------

    def _serve(self, connection: ServerConnection) -> None:
        self.connections.add(connection)
        try:
            for text in connection:
                if not self._obey(connection, json.loads(text)):
                    connection.socket.shutdown(2)
        except (ConnectionClosed, OSError):
            pass
        finally:
            self.connections.discard(connection)
            self.listeners.discard(connection)

    def _obey(self, connection: ServerConnection, asked: dict[str, Any]) -> bool:
        """False: the line ends now."""
        action = asked["action"]
        todo = self.script.get(action, [])
        step = todo.pop(0) if todo else None
        self.asked.append(asked)
        if step == "lose":
            return False
        with self._lock:
            reply = step if isinstance(step, dict) else self._answers[action](self, asked)
            if step == "take":
                return False
            if step != "silence":
                told = {"type": action, "status": "success", **reply, "request_id": asked["request_id"]}
                connection.send(json.dumps(told))
            if action == "authenticate" and reply.get("status") == "error":
                connection.close(4401, "invalid API key")
            if action == "subscribe_orders" and reply.get("status") != "error":
                for one in self.journal:
                    if one["seq"] > asked.get("since", 10**18):
                        connection.send(json.dumps(one))
                self.listeners.add(connection)
        return True

    def _authenticate(self, asked: dict[str, Any]) -> dict[str, Any]:
        right = asked["api_key"] == KEY
        return {"type": "auth"} if right else {"status": "error", "code": "AUTHENTICATION_ERROR", "message": "Invalid"}

    def _subscribe_orders(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"last_event": self.journal[-1]["seq"] if self.journal else self.first_number - 1}

    def _subscribe(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"subscriptions": [{**row, "status": "success"} for row in asked["symbols"]]}

    def _place(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["client_order_id"]
        if name not in self.orders:
            self.placed += 1
            order = self.orders[name] = book_row(self.placed, asked)
            self.happen(order, "ORDER_PLACED")
        return self.orders[name]

    def _find(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        name = asked.get("order_id") or asked.get("client_order_id")
        ids = ("order_id", "id", "client_order_id")
        return next((row for row in self.orders.values() if name in [row[id] for id in ids]), None)

    def _get_order(self, asked: dict[str, Any]) -> dict[str, Any]:
        row = self._find(asked)
        return NOT_FOUND if row is None else {"data": row}

    def _modify(self, asked: dict[str, Any]) -> dict[str, Any]:
        row = self._find(asked)
        if row is None:
            return NOT_FOUND
        changes = {name: float(asked[name]) for name in ("price", "trigger_price", "quantity") if name in asked}
        changes["quantity"] = int(changes.get("quantity", row["quantity"]))
        self.happen(row, "ORDER_MODIFIED", **changes)
        return row

    def _cancel(self, asked: dict[str, Any]) -> dict[str, Any]:
        row = self._find(asked)
        if row is None:
            return NOT_FOUND
        if row["state"] == "cancelled":
            return {"status": "error", "code": "INVALID_ORDER", "message": "Cannot cancel order in cancelled status"}
        self.happen(row, "ORDER_CANCELLED", state="cancelled")
        return row

    def _orderbook(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"data": {"orders": list(self.orders.values())}}

    def _gtt(self, asked: dict[str, Any]) -> dict[str, Any]:
        trigger = f"GTT-{asked['client_order_id']}"
        leg = {"quantity": asked["quantity"], "action": asked["side"]}
        named = {name: asked[name] for name in ("symbol", "exchange")}
        row = {"trigger_id": trigger, "status": "active", "trigger_prices": [1.0], "legs": [leg], **named}
        self.triggers.setdefault(trigger, row)
        return {"trigger_id": trigger}

    def _cancel_gtt(self, asked: dict[str, Any]) -> dict[str, Any]:
        row = self.triggers[asked["trigger_id"]]
        if row["status"] != "active":
            return {"status": "error", "code": "INVALID_ORDER", "message": "Cannot cancel GTT in cancelled status"}
        row["status"] = "cancelled"
        return {"trigger_id": row["trigger_id"]}

    def _gtts(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"data": list(self.triggers.values())}

    def _funds(self, asked: dict[str, Any]) -> dict[str, Any]:
        names = ("availablecash", "collateral", "m2mrealized", "m2munrealized", "utiliseddebits")
        return {"data": dict.fromkeys(names, "1.50")}

    _answers: Mapping[str, Callable[["FakeGateway", dict[str, Any]], dict[str, Any]]] = {
        "authenticate": _authenticate,
        "subscribe_orders": _subscribe_orders,
        "subscribe": _subscribe,
        "unsubscribe": _subscribe,
        "place_order": _place,
        "get_order": _get_order,
        "modify_order": _modify,
        "cancel_order": _cancel,
        "get_orderbook": _orderbook,
        "place_gtt": _gtt,
        "cancel_gtt": _cancel_gtt,
        "get_gtts": _gtts,
        "get_funds": _funds,
    }


NOT_FOUND = {"status": "error", "code": "INVALID_INPUT", "message": "Order not found"}


def book_row(number: int, asked: dict[str, Any]) -> dict[str, Any]:
    """An order of the book (docs/websocket.md, get_order)."""
    return {
        "orderid": f"26{number:04}", "order_id": f"26{number:04}", "id": f"L-{number:010}",
        "client_order_id": asked["client_order_id"], "symbol": asked["symbol"], "exchange": asked["exchange"],
        "action": asked["side"], "quantity": asked["quantity"], "filled_quantity": 0,
        "pending_quantity": asked["quantity"], "price": float(asked["price"]),
        "trigger_price": float(asked["trigger_price"]), "average_price": 0.0, "pricetype": asked["price_type"],
        "product": asked["product"], "validity": asked["validity"], "disclosed_quantity": 0, "order_status": "open",
        "state": "open", "rejection_reason": "", "reason": "", "code": "", "conversion": "",
        "strategy": asked.get("strategy", ""), "tag": asked.get("tag", ""), "mode": "live", "account": "a-1",
        "broker": "toy", "created_at": 1_795_285_883_044, "timestamp": 1_795_285_883_047,
    }  # fmt: skip


def event(kind: str, seq: int, row: dict[str, Any]) -> dict[str, Any]:
    """An ``ORDER_...`` message about an order of the book."""
    same = (
        *("order_id", "client_order_id", "symbol", "exchange", "quantity", "price", "id", "account", "broker", "mode"),
        *("product", "trigger_price", "filled_quantity", "pending_quantity", "average_price", "reason", "code"),
        *("tag", "strategy"),
    )
    return {
        "type": kind, "seq": seq, "side": row["action"], "status": row["state"].upper(),
        "price_type": row["pricetype"], "timestamp": "2026-11-22T00:01:23.047Z",
        **{name: row[name] for name in same},
    }  # fmt: skip
