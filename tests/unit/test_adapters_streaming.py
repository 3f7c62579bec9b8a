"""The brokers of the house as adapters in a plain script: on their simulators, by many threads, over lost lines."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq
from tests.simulator_thread import SimulatorThread
from tests.support import free_port, wait_for_sync

from sangam import simulators
from sangam.accounts.accounts import Accounts
from sangam.accounts.vault import open_vault
from sangam.adapters.base import topic_of
from sangam.adapters.factory import (
    BROKER_ADAPTERS,
    BaseBrokerWebSocketAdapter,
    create_broker_adapter,
    register_adapter,
)
from sangam.brokers import registry
from sangam.bus.topic import parse_topic
from sangam.model.clock import SystemClock
from sangam.model.enums import Mode
from sangam.model.errors import ConfigError, SessionExpired
from sangam.store.database import Database
from sangam.store.home import Home

HOUSE = registry.load()
SIMULATED = [name for name in BROKER_ADAPTERS if name in simulators.names()]
SYMBOLS = ["SBIN", "INFY", "RELIANCE", "TCS", "ITC", "HDFCBANK"]


@pytest.fixture(scope="module", params=SIMULATED)
def any_broker(request: pytest.FixtureRequest) -> Iterator[SimulatorThread]:
    with SimulatorThread(request.param, run=True) as thread:
        yield thread


@pytest.fixture(scope="module")
def broker() -> Iterator[SimulatorThread]:
    with SimulatorThread(SIMULATED[-1], run=True) as thread:
        yield thread


def auth(thread: SimulatorThread) -> dict[str, Any]:
    """What a program gives for a simulated broker: the fields its login asks for, and where it is."""
    asked = {field.name for field in HOUSE[thread.name].login.fields}
    known = {name: value for name, value in thread.simulator.credentials.items() if name in asked}
    return {**known, "hosts": thread.simulator.hosts}


def made(name: str) -> Any:
    """Programs assign to what is a method of the class."""
    return create_broker_adapter(name)


class Heard:
    """An adapter and what its callbacks were told; `published` is what came by ZeroMQ."""

    def __init__(self, thread: SimulatorThread, port: int) -> None:
        self.thread = thread
        self.adapter = made(thread.name)
        self.adapter.initialize(thread.name, "u1", auth(thread))
        self.told: list[str] = []
        self.errors: list[Exception] = []
        self.prices: list[dict[str, Any]] = []
        self.adapter.on_open = lambda ws: self.told.append("open")
        self.adapter.on_close = lambda ws, code=None, reason=None: self.told.append("close")
        self.adapter.on_error = lambda ws, error: self.errors.append(error)
        self.adapter.on_data = lambda ws, data: self.prices.append(data)
        self.ears = zmq.Context()
        self.socket = self.ears.socket(zmq.SUB)
        self.socket.setsockopt(zmq.SUBSCRIBE, b"")
        self.socket.bind(f"tcp://127.0.0.1:{port}")

    def close(self) -> None:
        self.adapter.disconnect()
        self.socket.close()
        self.ears.term()

    def hears(self, symbol: str, mode: int) -> dict[str, Any]:
        """The next price of it."""
        before = len(self.prices)

        def found() -> list[dict[str, Any]]:
            return [row for row in self.prices[before:] if (row["symbol"], row["mode"]) == (symbol, mode)]

        wait_for_sync(found, 20, f"a price of {symbol}, not {self.told} {self.errors}")
        return found()[0]


@contextmanager
def heard(thread: SimulatorThread, monkeypatch: pytest.MonkeyPatch) -> Iterator[Heard]:
    port = free_port()
    monkeypatch.setenv("ZMQ_PORT", str(port))
    rig = Heard(thread, port)
    try:
        yield rig
    finally:
        rig.close()


def test_each_broker_streams_in_a_plain_script(any_broker: SimulatorThread, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(threading.enumerate())
    with heard(any_broker, monkeypatch) as rig:
        adapter, name = rig.adapter, any_broker.name
        assert adapter.subscribe("SBIN", "NSE", 1)["status"] == "success"
        assert adapter.connect() == {"status": "connecting"}
        assert rig.hears("SBIN", 1)["ltp"] > 0
        assert (adapter.connected, rig.told) == (True, ["open"])
        assert adapter.subscribe("INFY", "NSE")["status"] == "success"
        quote = rig.hears("INFY", 2)
        assert quote["low"] <= quote["ltp"] <= quote["high"]
        topic, row = rig.socket.recv_multipart()
        parsed, data = parse_topic(topic.decode(), [name]), msgspec.json.decode(row)
        assert parsed is not None
        assert (parsed.broker, parsed.symbol, parsed.mode) == (name, data["symbol"], data["mode"])
        assert data["symbol"] in ("SBIN", "INFY")
        if adapter.DEPTH_LEVELS:
            adapter.subscribe("SBIN", "NSE", 4)
            assert rig.hears("SBIN", 3)["depth"]["buy"]
        assert not rig.errors
        adapter.unsubscribe("INFY", "NSE")
        assert ("INFY", "NSE", 2) not in adapter.subscriptions
    wait_for_sync(lambda: not set(threading.enumerate()) - before, what="all threads to end")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ((None, "NSE"), "INVALID_PARAMETERS"),
        (("", "NSE"), "INVALID_PARAMETERS"),
        ((["SBIN"], "NSE"), "INVALID_PARAMETERS"),
        (("INFY", None), "INVALID_PARAMETERS"),
        (("INFY", "NSE", "1"), "INVALID_MODE"),
        (("INFY", "NSE", None), "INVALID_MODE"),
        (("INFY", "NSE", 3, "x"), "INVALID_PARAMETERS"),
        (("INFY", "NSE", 3, 0), "INVALID_PARAMETERS"),
    ],
)
def test_what_is_no_subscription_is_told_and_stops_no_other(
    broker: SimulatorThread, monkeypatch: pytest.MonkeyPatch, asked: tuple[Any, ...], code: str
) -> None:
    with heard(broker, monkeypatch) as rig:
        assert rig.adapter.subscribe(*asked)["code"] == code
        assert rig.adapter.unsubscribe(*asked[:3])["status"] == "error"
        rig.adapter.connect()
        assert rig.adapter.subscribe(*asked)["code"] == code
        rig.adapter.subscribe("SBIN", "NSE", 1)
        assert rig.hears("SBIN", 1)["ltp"] > 0


def test_a_lost_line_is_told_and_comes_back(broker: SimulatorThread, monkeypatch: pytest.MonkeyPatch) -> None:
    with heard(broker, monkeypatch) as rig:
        rig.adapter.subscribe("SBIN", "NSE", 1)
        rig.adapter.connect()
        epoch = rig.hears("SBIN", 1)["epoch"]
        broker.call(broker.simulator.faults.kill_sockets)
        wait_for_sync(lambda: rig.told == ["open", "close", "open"], 20, f"{rig.told}")
        assert rig.hears("SBIN", 1)["epoch"] > epoch


def test_many_threads_and_many_lives(broker: SimulatorThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """Subscribing, unsubscribing, connecting and disconnecting side by side; what is wanted in the end streams."""
    threads_before, files_before = set(threading.enumerate()), open_files()
    with heard(broker, monkeypatch) as rig:
        faults: list[Exception] = []

        def work(seed: int) -> None:
            chance = random.Random(seed)
            try:
                for _ in range(60):
                    symbol, mode = chance.choice(SYMBOLS), chance.randint(1, 3)
                    chance.choice([rig.adapter.subscribe, rig.adapter.unsubscribe])(symbol, "NSE", mode)
            except Exception as error:  # noqa: BLE001 - told by the test
                faults.append(error)

        def live() -> None:
            try:
                for _ in range(4):
                    rig.adapter.connect()
                    rig.adapter.disconnect()
            except Exception as error:  # noqa: BLE001 - told by the test
                faults.append(error)

        rig.adapter.connect()
        workers = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        workers += [threading.Thread(target=live) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert not faults
        assert not any(worker.is_alive() for worker in workers)
        rig.adapter.connect()
        rig.adapter.subscribe("SBIN", "NSE", 1)
        wanted = set(rig.adapter.subscriptions)
        rig.hears("SBIN", 1)
        for symbol, _, mode in sorted(wanted):
            rig.hears(symbol, mode)
        rig.adapter.unsubscribe("SBIN", "NSE", 1)
    wait_for_sync(lambda: not set(threading.enumerate()) - threads_before, what="all threads to end")
    wait_for_sync(lambda: not broker.call(lambda: broker.simulator.sessions), what="the broker's sockets to close")
    wait_for_sync(lambda: open_files() <= files_before, what=f"{files_before} open files, not {open_files()}")


def open_files() -> int:
    """Descriptors of this process; 0 where the system does not list them."""
    listed = Path("/proc/self/fd")
    return len(list(listed.iterdir())) if listed.is_dir() else 0


def test_a_callback_may_do_everything(broker: SimulatorThread, monkeypatch: pytest.MonkeyPatch) -> None:
    with heard(broker, monkeypatch) as rig:
        done = threading.Event()

        def price(ws: Any, data: dict[str, Any]) -> None:
            if data["symbol"] == "SBIN":
                ws.unsubscribe("SBIN", "NSE", 1)
                ws.subscribe("TCS", "NSE", 1)
                raise KeyError("a bug of the program")
            ws.disconnect()
            done.set()

        rig.adapter.on_data = price
        rig.adapter.subscribe("SBIN", "NSE", 1)
        rig.adapter.connect()
        assert done.wait(20)
        assert not rig.adapter.connected


def test_faults_of_a_subscription_are_told(broker: SimulatorThread, monkeypatch: pytest.MonkeyPatch) -> None:
    with heard(broker, monkeypatch) as rig:
        adapter = rig.adapter
        for mode in (0, -1):
            assert adapter.subscribe("SBIN", "NSE", mode)["code"] == "INVALID_MODE"
        assert adapter.unsubscribe("SBIN", "NSE")["code"] == "NOT_SUBSCRIBED"
        adapter.subscribe("NOPE", "NSE")
        adapter.connect()
        wait_for_sync(lambda: rig.errors, 20, "the refusal")
        assert "Symbol 'NOPE' not found" in str(rig.errors[0])
        assert not adapter.subscriptions
        wait_for_sync(lambda: adapter.connected, 20, "the line")
        told = adapter.subscribe("NOPE", "NSE")
        assert told is not None
        assert (told["status"], told["code"]) == ("error", "SYMBOL_NOT_FOUND")


def test_a_dead_login_ends_it_and_a_new_one_starts_it_again(
    broker: SimulatorThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily = HOUSE[broker.name].login.daily[0].name
    with heard(broker, monkeypatch) as rig:
        rig.adapter.initialize(broker.name, "u1", {**auth(broker), daily: "yesterday"})
        rig.adapter.subscribe("SBIN", "NSE", 1)
        rig.adapter.connect()
        wait_for_sync(lambda: rig.errors, 20, "the refused login")
        assert isinstance(rig.errors[0], SessionExpired)
        rig.adapter.initialize(broker.name, "u1", auth(broker))
        rig.hears("SBIN", 1)


def test_what_is_missing_is_said(broker: SimulatorThread) -> None:
    login = HOUSE[broker.name].login
    adapter = made(broker.name.upper())
    with pytest.raises(RuntimeError, match="initialize"):
        adapter.connect()
    with pytest.raises(ValueError, match=f"needs '{login.daily[0].name}'"):
        adapter.initialize(broker.name, "u1", {})
    with pytest.raises(ValueError, match="has no 'colour'"):
        adapter.initialize(broker.name, "u1", {"colour": "blue", "auth_token": "x"})
    needed = [field.name for field in login.kept if field.required]
    errors: list[Exception] = []
    adapter.on_error = lambda ws, error: errors.append(error)
    adapter.initialize(broker.name, "u1", {"auth_token": "x", "hosts": broker.simulator.hosts})
    if needed:
        adapter.connect()
        wait_for_sync(lambda: errors, 20, "what is missing")
        assert needed[0] in str(errors[0])
        adapter.disconnect()


def test_the_home_folder_may_have_the_session(
    broker: SimulatorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANGAM_HOME", str(tmp_path))
    given = auth(broker)
    hosts = given.pop("hosts")
    with Home(tmp_path) as home:
        database = Database(f"sqlite:///{tmp_path / 'sangam.db'}")
        accounts = Accounts(database, open_vault(database, home), HOUSE, SystemClock())
        account = accounts.create("asha", broker.name, given, hosts)
        adapter = create_broker_adapter(broker.name)
        with pytest.raises(ConfigError, match="in use"):
            adapter.initialize(broker.name, "asha")
        accounts.open_session(account.id, given)
        database.close()
    with pytest.raises(ValueError, match="no session of 'ravi'"):
        adapter.initialize(broker.name, "ravi")
    adapter.initialize(broker.name, "asha")
    with heard(broker, monkeypatch) as rig:
        rig.adapter.initialize(broker.name, "asha")
        rig.adapter.subscribe("SBIN", "NSE", 1)
        rig.adapter.connect()
        rig.hears("SBIN", 1)


def test_the_names_are_the_brokers_and_their_figures_those_of_the_tables() -> None:
    for name in BROKER_ADAPTERS:
        spec = HOUSE[name]
        adapter = create_broker_adapter(spec.name)
        assert type(adapter) is BROKER_ADAPTERS[spec.name]
        assert adapter.MAX_SYMBOLS in {stream.limits.symbols_per_socket for stream in spec.streams}
        assert (adapter.connected, dict(adapter.subscriptions), adapter.logger.name.split(".")[0]) == (
            False,
            {},
            "sangam",
        )
        with adapter.lock:
            adapter.disconnect()  # one that was never connected
        for alias in spec.aliases:
            assert type(create_broker_adapter(alias)) is type(adapter)


def test_a_class_of_the_program_can_be_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(BaseBrokerWebSocketAdapter):
        def initialize(self, broker_name: str, user_id: str, auth_data: dict[str, Any] | None = None) -> None: ...

        def connect(self) -> None: ...

        def subscribe(self, symbol: str, exchange: str, mode: int = 2, depth_level: int = 5) -> None:
            self.asked = [*getattr(self, "asked", []), (symbol, mode)]

        def unsubscribe(self, symbol: str, exchange: str, mode: int = 2) -> None: ...

        def disconnect(self) -> None:
            super().disconnect()

    monkeypatch.setitem(BROKER_ADAPTERS, "own", Own)
    register_adapter("Own", Own)
    own = create_broker_adapter("OWN")
    assert isinstance(own, Own)
    own.subscriptions.add(("SBIN", "NSE", 1))
    own.subscriptions.add(("TCS", "NSE", 2))
    own.subscriptions.discard(("TCS", "NSE", 2))
    own.on_open(None)  # what was subscribed is subscribed again
    assert (own.connected, own.asked) == (True, [("SBIN", 1)])
    own.on_close(None, 1006, "gone")
    assert not own.connected
    port = free_port()
    monkeypatch.setenv("ZMQ_PORT", str(port))
    with zmq.Context() as context, context.socket(zmq.SUB) as ears:
        ears.setsockopt(zmq.SUBSCRIBE, b"")
        ears.bind(f"tcp://127.0.0.1:{port}")

        def arrives() -> bool:
            own.on_data(None, [{"symbol": "SBIN", "exchange": "NSE", "ltp": 1.5, "open": 1.0}])
            return bool(ears.poll(20))

        wait_for_sync(arrives, what="what was published")
        assert ears.recv_multipart()[0] == b"NSE_SBIN_QUOTE"
        own.disconnect()
    with pytest.raises(ValueError, match="needs a 'symbol'"):
        own.publish_to_zmq({"ltp": 1.0})


@pytest.mark.parametrize(
    "kept",
    [
        {("SBIN", "NSE", 3): {"symbol": "SBIN", "exchange": "NSE", "mode": 3}},
        {"SBIN_NSE": {"token": "3045", "symbol": "SBIN", "exchange": "NSE", "mode": 3}},
        {"SBIN_NSE": ("SBIN", "NSE", 3)},
        {("SBIN", "NSE", 3)},
    ],
)
def test_what_was_subscribed_comes_back_however_a_program_keeps_it(kept: Any) -> None:
    class Own(BaseBrokerWebSocketAdapter):
        def initialize(self, broker_name: str, user_id: str, auth_data: dict[str, Any] | None = None) -> None:
            self.subscriptions = kept
            self.asked: list[tuple[str, str, int, int]] = []

        def connect(self) -> None:
            self.on_open(self)

        def subscribe(self, symbol: str, exchange: str, mode: int = 2, depth_level: int = 5) -> None:
            self.asked.append((symbol, exchange, mode, depth_level))

        def unsubscribe(self, symbol: str, exchange: str, mode: int = 2) -> None: ...

        def disconnect(self) -> None: ...

    adapter = Own()
    adapter.initialize("own", "u1")
    adapter.connect()
    assert adapter.asked == [("SBIN", "NSE", 3, 5)]


def test_the_mode_of_a_price_is_what_it_says_or_tells() -> None:
    rows: list[dict[str, Any]] = [{}, {"open": 1}, {"depth": {"buy": []}}, {"mode": 4}, {"mode": "quote"}]
    told = [topic_of({"symbol": "SBIN", "exchange": "NSE", "ltp": 1.0, **row}, "acme") for row in rows]
    modes = [Mode.LTP, Mode.QUOTE, Mode.DEPTH, Mode.DEPTH, Mode.QUOTE]
    assert told == [f"ACME_NSE_SBIN_{mode.name}" for mode in modes]
