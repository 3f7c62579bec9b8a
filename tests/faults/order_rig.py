"""A server process that trades for one user at simulated brokers, and the two books that must agree: the brokers'
ledgers, and the journal as its file has it."""

import contextlib
import os
import random
import socket
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from tests.server_process import ServerProcess
from tests.simulator_thread import SimulatorThread
from tests.support import ROOT, wait_for_sync

from sangam.accounts.admin import ADMIN_KEY_FILE
from sangam.model.order import Order, OrderState
from sangam.simulators.orders import Order as Taken
from sangam.simulators.orders import Snapshot

from .brokers import pasted
from .order_server import FULL

TAG = 10
"""Characters of a broker's tag that are ours; what follows is the caller's."""
PLENTY = "100000"
USER = "asha"
_HTTP = httpx.Client(trust_env=False, timeout=30, limits=httpx.Limits(max_keepalive_connections=0))
"""For all threads: a client of its own for each request would be busy with certificates."""
_OURS = os.pathsep.join((str(ROOT), str(ROOT / "src")))


def quiet_port() -> int:
    """A free port of those that systems give to no outgoing connection: clients that knock while the server is down
    could else meet themselves there, and the server would find its port busy."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class OrderServer(ServerProcess):
    """`order_server` in place of ``sangam``."""

    def __init__(self, home: Path, **settings: str) -> None:
        rates = dict.fromkeys(("API_RATE_LIMIT", "ORDER_RATE_LIMIT", "WS_MAX_MESSAGES_PER_SECOND"), PLENTY)
        ours: dict[str, Any] = {"VALID_BROKERS": "zerodha", "PYTHONPATH": _OURS, **rates, **settings}
        super().__init__(home, **ours)
        self.api_port, self.ws_port = quiet_port(), quiet_port()
        self.environment |= {"API_PORT": str(self.api_port), "WEBSOCKET_PORT": str(self.ws_port)}

    def wait_for_death(self) -> int:
        """Its exit code, once it ended by itself."""
        assert self._process is not None, "the server was not started"
        code, self._process = self._process.wait(20), None
        return code

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "tests.faults.order_server", *arguments]


class OrderRig:
    """`brokers` by account, once `open` was called. Everything here blocks: async tests call it in a thread."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.server = OrderServer(home, **settings)
        self.brokers: dict[str, SimulatorThread] = {}
        self.key = ""

    def open(self, simulators: Sequence[SimulatorThread], hosts: Iterable[Mapping[str, str]] = ()) -> None:
        """Start with an account at each of these, reached at other hosts than their own where such are given."""
        self.server.start()
        ways = list(hosts) or [each.simulator.hosts for each in simulators]
        for simulator, way in zip(simulators, ways, strict=True):
            fields = pasted(simulator.name, simulator.simulator.credentials)
            added = self.admin("account/add", user=USER, broker=simulator.name, fields=fields, hosts=dict(way))
            self.brokers[added["account"]] = simulator
            self.log_in(added["account"])
        self.key = self.new_key()
        self.wait_until_it_trades()

    def log_in(self, account: str) -> None:
        broker = self.brokers[account]
        self.admin("account/login", account=account, fields=pasted(broker.name, broker.simulator.credentials))

    def new_key(self, account: str | None = None) -> str:
        key: str = self.admin("key/create", user=USER, account=account)["api_key"]
        return key

    def wait_until_it_trades(self) -> None:
        """The instruments are loaded and the streams stand."""

        def ready(account: str) -> bool:
            one = self.post("symbol", symbol="SBIN", exchange="NSE", account=account)
            health = _HTTP.get(f"{self.server.api_url}/health", headers={"X-API-KEY": self.key})
            rows = {row["account"]: row["state"] for row in health.json()["accounts"]}
            return one.status_code == 200 and rows.get(account) in ("live", "closed_market", "stale")

        for account in self.brokers:
            wait_for_sync(lambda one=account: ready(one), 20, f"{account} to trade")  # type: ignore[misc]

    @property
    def account(self) -> str:
        (account,) = self.brokers
        return account

    @property
    def broker(self) -> SimulatorThread:
        return self.brokers[self.account]

    # --- asking -------------------------------------------------------------------------------------------------------

    def admin(self, verb: str, **arguments: Any) -> dict[str, Any]:
        key = (self.home / ADMIN_KEY_FILE).read_text().strip()
        answer = _HTTP.post(
            f"{self.server.api_url}/api/v1/admin/{verb}",
            headers={"X-API-KEY": key},
            json={name: value for name, value in arguments.items() if value is not None},
        )
        assert answer.status_code == httpx.codes.OK, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    def post(self, path: str, key: str = "", **body: Any) -> httpx.Response:
        url = f"{self.server.api_url}/api/v1/{path}"
        return _HTTP.post(url, json={"apikey": key or self.key, **body})

    def place(self, name: str = "", **terms: Any) -> httpx.Response:
        """A plain order under the caller's `name`, which is its tag as well."""
        plain: dict[str, Any] = {"symbol": "SBIN", "exchange": "NSE", "action": "BUY", "quantity": 5}
        plain |= {"pricetype": "LIMIT", "price": 950.0, "product": "MIS", "strategy": "faults", "tag": name}
        return self.post("placeorder", **plain | terms | ({"client_order_id": name} if name else {}))

    def events(self, since: int = 0) -> list[dict[str, Any]]:
        """What clients hear of orders after an event."""
        data: list[dict[str, Any]] = self.post("orders/events", since=since).json()["data"]
        return data

    # --- the books ----------------------------------------------------------------------------------------------------

    def journal(self) -> dict[str, Order]:
        """The orders as the journal's file has them, by id."""
        return {order.id: order for order in (msgspec.json.decode(body, type=Order) for body in self._read("orders"))}

    def order(self, client_order_id: str) -> Order | None:
        mine = [order for order in self.journal().values() if order.client_order_id == client_order_id]
        assert len(mine) <= 1, "one client order id, several orders"
        return mine[0] if mine else None

    def journal_has(self, order_id: str, state: OrderState) -> bool:
        """Whether the broker's order is known to be in this state."""
        return any(order.order_id == order_id and order.state is state for order in self.journal().values())

    def acts(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(body) for body in self._read("order_acts")]

    def told(self) -> list[dict[str, Any]]:
        """All events that clients could hear, as the journal's file has them, in order."""
        with closing(self._open()) as file:
            rows = file.execute("SELECT event FROM order_events WHERE event IS NOT NULL ORDER BY seq").fetchall()
        return [msgspec.json.decode(row[0]) for row in rows]

    def taken(self, account: str = "") -> dict[str, list[Taken]]:
        """The orders of an account's broker by our tag."""
        broker = self.brokers[account or self.account]
        return broker.ledger().tags(broker.simulator.user_id, TAG)

    def ledger(self, account: str = "") -> Snapshot:
        return self.brokers[account or self.account].ledger()

    def differences(self) -> list[str]:
        """Between the journal and each broker's ledger; see below."""
        journal = self.journal()
        return [line for account in self.brokers for line in differences(journal, account, self.taken(account))]

    def agree(self, timeout: float = 10.0) -> None:
        """Wait until the journal and the ledgers say the same."""
        found: list[str] = []

        def same() -> bool:
            found[:] = self.differences()
            return not found

        try:
            wait_for_sync(same, timeout, "the books to agree")
        except pytest.fail.Exception as late:
            pytest.fail("\n".join([str(late), *found[:20]]))

    def fill_disk(self, full: bool) -> None:
        if full:
            (self.home / FULL).touch()
        else:
            (self.home / FULL).unlink()

    def _read(self, table: str) -> Iterator[str]:
        with closing(self._open()) as file:
            yield from (row[0] for row in file.execute(f"SELECT body FROM {table}").fetchall())  # noqa: S608 - ours

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{(self.home / 'journal.db').as_uri()}?mode=ro", uri=True, timeout=10)


def differences(journal: Mapping[str, Order], account: str, taken: Mapping[str, list[Taken]]) -> list[str]:
    """What an account's journal and its broker's ledger say differently, order by order; nothing once all is well."""
    mine = {order.our_tag: order for order in journal.values() if order.account == account and not order.foreign}
    found = [f"{order.id} was adopted as a stranger's" for order in journal.values() if order.foreign]
    found += [f"tag {tag} of nobody: {rows}" for tag, rows in taken.items() if tag not in mine]
    found += [f"tag {tag} doubled: {rows}" for tag, rows in taken.items() if len(rows) > 1]
    for tag, order in mine.items():
        rows = taken.get(tag, [])
        if rows:
            found += _against(order, rows[0])
        elif order.state not in (OrderState.DENIED, OrderState.REJECTED):
            found.append(f"{order.id} is {order.state} ({order.reason}), and the broker has none")
    return found


def _against(order: Order, row: Taken) -> Iterator[str]:
    state = str(row.status)
    if state == "open" and row.filled_quantity:
        state = OrderState.PARTIALLY_FILLED.value
    pairs = {
        "state": (order.state.value, state),
        "order id": (order.order_id, row.order_id),
        "symbol": (order.symbol, row.symbol),
        "side": (order.action, row.action),
        "product": (order.product, row.product),
        "quantity": (order.quantity, row.quantity),
        "filled": (order.filled_quantity, row.filled_quantity),
        "average": (round(order.average_price, 4), round(row.average_price, 4)),
    }
    if order.price_type.value in ("LIMIT", "SL"):
        pairs |= {"price": (float(order.price), row.price), "trigger": (float(order.trigger_price), row.trigger_price)}
    for what, (ours, theirs) in pairs.items():
        if ours != theirs:
            yield f"{order.id} ({order.price_type}): {what} is {ours} here and {theirs} there; {order.reason}"
