"""WebSocketBroker against a gateway that loses answers and lines at the worst moments."""

import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest
from tests.fake_gateway import KEY, FakeGateway
from tests.support import free_port, wait_for_sync

from sangam.client import OrderInfo, Tick, WebSocketBroker
from sangam.client.line import LineTiming
from sangam.model.errors import (
    AuthError,
    Conflict,
    Denied,
    InDoubt,
    InvalidInput,
    NotSent,
    OrderNotFound,
    Rejected,
    SangamError,
    StoreError,
    SymbolNotFound,
    Unsupported,
)
from sangam.model.order import OrderState

QUICK = LineTiming(backoff_first=0.02, backoff_cap=0.1)


class Client(WebSocketBroker):
    """Notes what its callbacks hear."""

    def __init__(self, gateway: FakeGateway, key: str = KEY, since: int | None = None) -> None:
        super().__init__(gateway.url, key, since=since, timing=QUICK)
        self.reply_timeout = 3.0
        self.heard: list[OrderInfo] = []
        self.errors: list[Exception] = []
        self.life: list[str] = []
        self.on_order_update = self.heard.append
        self.on_error = self.errors.append
        self.on_connect = lambda: self.life.append("up")
        self.on_disconnect = self.life.append

    def place(self, name: str = "one", qty: int = 10, timeout: float | None = None) -> OrderInfo:
        return self.place_order("SBIN", qty, "BUY", 800.05, client_order_id=name, tag="t", timeout=timeout)


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with FakeGateway() as fake:
        yield fake


@pytest.fixture
def client(gateway: FakeGateway) -> Iterator[Client]:
    with Client(gateway) as connected:
        yield connected


def test_an_order_is_placed_changed_and_cancelled(gateway: FakeGateway, client: Client) -> None:
    placed = client.place()
    assert (placed.order_id, placed.status, str(placed.price), placed.tag) == ("260001", OrderState.OPEN, "800.05", "t")
    asked = gateway.actions("place_order")[0]
    assert (asked["price"], asked["price_type"]) == ("800.05", "LIMIT")
    assert asked["timeout_ms"] == pytest.approx(5000, abs=500)
    assert str(client.modify_order(placed.order_id, 801.5, 20).price) == "801.5"
    assert client.cancel_order(placed.client_order_id).status is OrderState.CANCELLED
    wait_for_sync(lambda: len(client.heard) == 3, what="the events")
    assert [(told.event, told.seq) for told in client.heard] == [
        ("ORDER_PLACED", 1),
        ("ORDER_MODIFIED", 2),
        ("ORDER_CANCELLED", 3),
    ]
    assert client.get_orderbook() == [client.get_order("one")]
    assert client.get_funds().available_cash == 1.5


@pytest.mark.parametrize("step", ["lose", "take", "silence"])
def test_an_order_whose_answer_is_lost_is_placed_once(gateway: FakeGateway, client: Client, step: str) -> None:
    client.reply_timeout = 0.3 if step == "silence" else 3.0
    gateway.script["place_order"] = [step]
    placed = client.place(timeout=1.0)
    assert (placed.order_id, placed.status, gateway.placed) == ("260001", OrderState.OPEN, 1)
    assert {asked["client_order_id"] for asked in gateway.actions("place_order")} == {"one"}
    assert len(gateway.actions("place_order")) == (2 if step == "lose" else 1)
    wait_for_sync(lambda: client.heard, what="the event")
    assert [told.seq for told in client.heard] == [1]


def test_an_order_that_the_server_rejected_meanwhile(gateway: FakeGateway, client: Client) -> None:
    gateway.script["place_order"] = ["take"]
    rejected = {**ROW, "state": "rejected", "reason": "no money", "code": "INSUFFICIENT_FUNDS"}
    gateway.script["get_order"] = [{"data": rejected}]
    with pytest.raises(Rejected, match="no money") as caught:
        client.place()
    assert caught.value.code == "INSUFFICIENT_FUNDS"


def test_one_that_the_server_is_in_doubt_of_is_asked_for_by_its_own_id(gateway: FakeGateway, client: Client) -> None:
    gateway.script["place_order"] = ["take", {"status": "error", "code": "OUTCOME_UNKNOWN", "message": "who knows"}]
    gateway.script["get_order"] = [{"data": {**ROW, "state": "unknown"}}]
    with pytest.raises(InDoubt, match="who knows"):
        client.place()
    assert gateway.placed == 1


def test_one_that_was_sent_and_cannot_be_asked_about_is_in_doubt(gateway: FakeGateway, client: Client) -> None:
    client.reply_timeout = 0.5
    gateway.script["place_order"] = ["take"]
    gateway.script["authenticate"] = ["lose"] * 100
    with pytest.raises(InDoubt, match="one") as caught:
        client.place(timeout=0.1)
    assert caught.value.order is not None
    assert (caught.value.order.client_order_id, caught.value.order.state) == ("one", OrderState.UNKNOWN)
    gateway.script.clear()
    wait_for_sync(lambda: client.is_connected, what="the line")
    assert client.place().order_id == "260001"
    assert gateway.placed == 1


def test_one_that_the_server_never_saw_is_not_sent_after_its_deadline(gateway: FakeGateway, client: Client) -> None:
    gateway.script["place_order"] = ["lose"]
    gateway.script["authenticate"] = ["lose"] * 4
    with pytest.raises(InDoubt):
        client.place(timeout=0.01)
    assert gateway.placed == 0
    assert len(gateway.actions("place_order")) == 1


def test_orders_wait_for_the_line_until_their_deadline(gateway: FakeGateway, client: Client) -> None:
    gateway.stop()
    wait_for_sync(lambda: not client.is_connected, what="the loss")
    began = time.monotonic()
    with pytest.raises(Denied, match="Nothing was sent"):
        client.place("late", timeout=0.2)
    assert time.monotonic() - began < 2
    waiting: list[OrderInfo] = []
    client.order_timeout = 10.0
    thread = threading.Thread(target=lambda: waiting.append(_insist(client)))
    thread.start()
    gateway.start()
    thread.join(10)
    assert [order.client_order_id for order in waiting] == ["patient"]
    assert list(gateway.orders) == ["patient"]


def _insist(client: Client) -> OrderInfo:
    """The breaker may be open at first."""
    while True:
        try:
            return client.place("patient")
        except Denied:
            time.sleep(0.01)


def test_a_breaker_refuses_at_once_while_nobody_answers(gateway: FakeGateway, client: Client) -> None:
    gateway.stop()
    line = client._line
    assert line is not None
    wait_for_sync(lambda: line.failures >= 5 and line.state.value == "waiting", what="five failures")
    refused = 0
    for _ in range(20):
        began = time.monotonic()
        try:
            client.place("late", timeout=5)
        except Denied as error:
            refused += "in a row" in str(error) and time.monotonic() - began < 1
    assert refused == 20
    with pytest.raises(NotSent, match="in a row"):
        client.get_funds()


def test_events_come_once_and_none_is_lost_over_reconnects(gateway: FakeGateway, client: Client) -> None:
    client.place()
    order = gateway.order("one")
    for number in range(30):
        if number % 7 == 3:
            gateway.cut()
        gateway.happen(order, "ORDER_MODIFIED", quantity=100 + number)
    wait_for_sync(lambda: len(client.heard) == 31, what="all events")
    assert [told.seq for told in client.heard] == list(range(1, 32))
    assert client.life.count("up") > 1
    last = client.last_event
    client.disconnect()
    gateway.happen(order, "ORDER_FILLED", state="complete")
    with Client(gateway, since=last) as later:
        wait_for_sync(lambda: later.heard, what="what was missed")
        assert [(told.seq, told.event) for told in later.heard] == [(32, "ORDER_FILLED")]


def test_events_that_are_numbered_anew_are_told_as_such(gateway: FakeGateway, client: Client) -> None:
    client.place()
    wait_for_sync(lambda: client.heard, what="the event")
    gateway.journal.clear()
    gateway.first_number = 1
    line = client._line
    assert line is not None
    line.seen = 50
    gateway.cut()
    wait_for_sync(lambda: client.errors, what="the warning")
    assert "numbers its order events anew" in str(client.errors[0])
    gateway.happen(gateway.order("one"), "ORDER_FILLED", state="complete")
    wait_for_sync(lambda: client.heard[-1].event == "ORDER_FILLED", what="the next event")


def test_a_line_without_order_events_is_none(gateway: FakeGateway, client: Client) -> None:
    client.place()
    failure = {"status": "error", "code": "UNSUPPORTED", "message": "not served here"}
    gateway.script["subscribe_orders"] = [failure, failure]
    gateway.cut()
    gateway.happen(gateway.order("one"), "ORDER_FILLED", state="complete")
    wait_for_sync(lambda: len(client.heard) == 2, what="what was missed")
    assert len(gateway.actions("subscribe_orders")) == 4
    assert client.errors == []


def test_a_key_for_prices_only_hears_prices(gateway: FakeGateway) -> None:
    client = Client(gateway)
    failure = {"status": "error", "code": "INSUFFICIENT_PERMISSION", "message": "lacks the scope"}
    gateway.script["subscribe_orders"] = [failure]
    with client:
        client.subscribe("SBIN")
        wait_for_sync(lambda: client.errors, what="the error")
        assert isinstance(client.errors[0], AuthError)


def test_symbols_are_subscribed_again(gateway: FakeGateway, client: Client) -> None:
    client.subscribe(["SBIN", "NFO:NIFTY24NOV26FUT"], mode="LTP")
    client.subscribe("INFY", mode="DEPTH")
    client.subscribe("INFY")
    client.unsubscribe("SBIN")
    gateway.asked.clear()
    gateway.cut()
    wait_for_sync(lambda: len(gateway.actions("subscribe")) == 2, what="the subscriptions")
    again = {(row["symbol"], asked["mode"]) for asked in gateway.actions("subscribe") for row in asked["symbols"]}
    assert again == {("NIFTY24NOV26FUT", 1), ("INFY", 2)}
    row = {"symbol": "NOPE", "exchange": "NSE", "status": "error", "code": "SYMBOL_NOT_FOUND", "message": "not found"}
    gateway.script["subscribe"] = [{"status": "partial", "subscriptions": [row]}]
    with pytest.raises(SymbolNotFound):
        client.subscribe("NOPE")
    assert "NOPE" not in str(client._wanted)


def test_a_cancel_that_went_astray_is_repeated(gateway: FakeGateway, client: Client) -> None:
    client.place()
    gateway.script["cancel_order"] = ["lose"]
    assert client.cancel_order("one").status is OrderState.CANCELLED
    client.place("two")
    gateway.script["cancel_order"] = ["take"]
    assert client.cancel_order("two").status is OrderState.CANCELLED
    assert len(gateway.actions("cancel_order")) == 3


def test_a_cancel_that_went_astray_twice_has_one_end(gateway: FakeGateway, client: Client) -> None:
    client.place()
    gateway.script["cancel_order"] = ["lose", "silence"]
    client.reply_timeout = 0.5
    assert client.cancel_order("one").status is OrderState.CANCELLED
    client.place("two")
    gateway.script["cancel_order"] = ["lose"] * 50
    with pytest.raises(InDoubt, match="may still be cancelled") as caught:
        client.cancel_order("two", timeout=0.2)
    assert caught.value.order is not None
    assert caught.value.order.state is OrderState.OPEN


def test_a_trigger_whose_cancel_went_astray(gateway: FakeGateway, client: Client) -> None:
    trigger = client.place_gtt("SBIN", 790, 5, "BUY", client_order_id="g")
    gateway.script["cancel_gtt"] = ["take"]
    client.cancel_gtt(trigger)
    assert [row.status for row in client.get_gtts()] == ["cancelled"]
    with pytest.raises(Denied, match="in cancelled status"):
        client.cancel_gtt(trigger)
    assert len(gateway.actions("cancel_gtt")) == 2


def test_a_trigger_that_cannot_be_asked_about_is_in_doubt(gateway: FakeGateway, client: Client) -> None:
    gateway.script["place_gtt"] = ["lose"] * 50
    with pytest.raises(InDoubt, match="get_gtts"):
        client.place_gtt("SBIN", 790, 5, "BUY", timeout=0.3)


def test_a_change_that_went_astray_is_looked_for(gateway: FakeGateway, client: Client) -> None:
    client.place()
    gateway.script["modify_order"] = ["take"]
    assert client.modify_order("one", qty=5).quantity == 5
    gateway.script["modify_order"] = ["lose"]
    with pytest.raises(InDoubt, match="may still be modified"):
        client.modify_order("one", qty=6)
    assert len(gateway.actions("modify_order")) == 2


def test_a_trigger_is_asked_for_under_its_own_id_again(gateway: FakeGateway, client: Client) -> None:
    gateway.script["place_gtt"] = ["take"]
    assert client.place_gtt("SBIN", 790, 5, "BUY", client_order_id="g") == "GTT-g"
    assert [asked["client_order_id"] for asked in gateway.actions("place_gtt")] == ["g", "g"]


def test_reads_are_repeated(gateway: FakeGateway, client: Client) -> None:
    gateway.script["get_funds"] = ["lose", "take", "lose"]
    assert client.get_funds().utilised == 1.5
    wait_for_sync(lambda: client.life.count("up") == 4, what="three reconnects")


def test_a_wrong_key_ends_the_attempts(gateway: FakeGateway) -> None:
    client = Client(gateway, key="wrong")
    with pytest.raises(AuthError):
        client.connect()
    assert len(gateway.actions("authenticate")) == 1
    with pytest.raises(Denied, match="connect"):
        client.place()


def test_a_server_that_cannot_let_anybody_in_now_is_asked_again(gateway: FakeGateway) -> None:
    gateway.script["authenticate"] = [{"status": "error", "code": "SERVER_ERROR", "message": "a defect"}] * 2
    with Client(gateway) as client:
        assert client.place().order_id == "260001"
    assert len(gateway.actions("authenticate")) == 3


def test_a_fault_of_ours_costs_one_attempt(gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = [RuntimeError("a defect")]

    def greetings(broker: WebSocketBroker) -> list[dict[str, object]]:
        if faults:
            raise faults.pop()
        return []

    monkeypatch.setattr(WebSocketBroker, "_greetings", greetings)
    with Client(gateway) as client:
        assert client.place().order_id == "260001"
    assert len(gateway.actions("authenticate")) == 2


def test_nobody_there() -> None:
    client = WebSocketBroker(f"ws://127.0.0.1:{free_port()}", KEY, timing=QUICK)
    for seconds in (0.3, 0.01):
        with pytest.raises(NotSent, match="no connection to the server in time"):
            client.connect(timeout=seconds)


def test_what_cannot_be_read_is_told_and_costs_nothing_else(gateway: FakeGateway, client: Client) -> None:
    (connection,) = gateway.connections
    connection.send('{"type":"ORDER_PLACED","seq":1}')
    connection.send("[]")
    connection.send('{"type":"market_data","data":{"symbol":"SBIN","exchange":"NSE","ltp":"dear"}}')
    wait_for_sync(lambda: len(client.errors) == 3, what="the errors")
    assert all("could not be read" in str(error) for error in client.errors)
    assert client.place().order_id == "260001"


def _heard(ticks: list[Tick], count: int) -> bool:
    return len(ticks) == count


def test_a_tick_says_whether_its_price_is_of_a_real_market(gateway: FakeGateway, client: Client) -> None:
    ticks: list[Tick] = []
    client.on_tick = ticks.append
    (connection,) = gateway.connections
    for count, mark in ((1, ""), (2, ',"simulated":true')):
        data = f'{{"symbol":"SBIN","exchange":"NSE","ltp":{count}{mark}}}'
        connection.send(f'{{"type":"market_data","data":{data}}}')
        wait_for_sync(partial(_heard, ticks, count), what="the tick")
    assert [tick.simulated for tick in ticks] == [False, True]


def test_many_threads_share_one_line(gateway: FakeGateway, client: Client) -> None:
    names = [f"n{number}" for number in range(60)]
    threads = [threading.Thread(target=client.place, args=(name,)) for name in names]
    for number, thread in enumerate(threads):
        thread.start()
        if number == 30:
            gateway.cut()
    for thread in threads:
        thread.join()
    assert set(gateway.orders) == set(names)
    assert gateway.placed == 60
    wait_for_sync(lambda: len(client.heard) == 60, what="all events")


def test_a_callback_may_trade_and_may_fail(gateway: FakeGateway, client: Client) -> None:
    def react(order: OrderInfo) -> None:
        client.heard.append(order)
        if order.client_order_id == "one":
            client.place("two")
            raise ValueError("mine")

    client.on_order_update = react
    client.place()
    wait_for_sync(lambda: len(client.heard) == 2, what="both events")
    assert isinstance(client.errors[0], ValueError)
    assert client.is_connected


ROW = {
    "order_id": "1", "orderid": "1", "id": "L-1", "client_order_id": "one", "state": "open", "mode": "live",
    "account": "a", "broker": "toy", "filled_quantity": 0, "average_price": 0.0,
}  # fmt: skip

FAILURES = [
    ("place", {"code": "INVALID_ORDER", "state": "denied", "client_order_id": "one", "id": "L-1"}, Denied),
    ("place", {"code": "INVALID_ORDER"}, Denied),
    ("place", {"code": "ORDER_ERROR"}, Denied),
    ("place", {"code": "INSUFFICIENT_FUNDS", "state": "rejected", "client_order_id": "one", "id": "L-1"}, Rejected),
    ("place", {"code": "ORDER_ERROR", "state": "complete", "client_order_id": "one", "id": "L-1"}, Conflict),
    ("place", {"code": "ORDER_ERROR", "state": "unknown", "client_order_id": "x", "id": "L-1"}, Conflict),
    ("place", {"code": "OUTCOME_UNKNOWN", "state": "unknown", "client_order_id": "one", "id": "L-1"}, InDoubt),
    ("place", {"code": "SYMBOL_NOT_FOUND"}, SymbolNotFound),
    ("place", {"code": "INVALID_INPUT"}, InvalidInput),
    ("place", {"code": "STORE_ERROR"}, StoreError),
    ("place", {"code": "UNSUPPORTED"}, Unsupported),
    ("place", {"code": "INSUFFICIENT_PERMISSION"}, AuthError),
    ("cancel", {"code": "INVALID_INPUT"}, OrderNotFound),
    ("cancel", {"code": "INVALID_ORDER", "state": "complete"}, Denied),
    ("cancel", {"code": "ORDER_ERROR", "state": "open"}, Rejected),
    ("cancel", {"code": "RATE_LIMITED"}, Denied),
    ("funds", {"code": "NETWORK_ERROR"}, NotSent),
    ("funds", {"code": "BROKER_ERROR"}, SangamError),
]


@pytest.mark.parametrize(("what", "reply", "expected"), FAILURES)
def test_errors_are_typed(
    gateway: FakeGateway, client: Client, what: str, reply: dict[str, str], expected: type[SangamError]
) -> None:
    action = {"place": "place_order", "cancel": "cancel_order", "funds": "get_funds"}[what]
    gateway.script[action] = [{"status": "error", "message": "the reason", **reply}]
    calls = {"place": client.place, "cancel": lambda: client.cancel_order("one"), "funds": client.get_funds}
    with pytest.raises(expected) as caught:
        calls[what]()
    assert type(caught.value) is expected or what == "funds"
    if expected is not SymbolNotFound:
        assert str(caught.value) == "the reason"
