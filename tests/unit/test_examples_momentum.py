"""The example strategy runs unchanged on paper, on a real server, and on a broker's simulator."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.server_process import ServerProcess
from tests.simulator_thread import SimulatorThread
from tests.support import ROOT, wait_for_sync

from sangam.client import BrokerInterface, KiteBroker, OrderInfo, PaperBroker, WebSocketBroker
from sangam.model.errors import BrokerError, InDoubt, Rejected
from sangam.simulators import Exchange

PATH = ROOT / "examples" / "momentum.py"


@pytest.fixture(scope="module")
def momentum() -> Any:
    spec = importlib.util.spec_from_file_location("momentum", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_on_paper_two_days_of_the_same_prices_are_the_same(momentum: Any) -> None:
    def day() -> tuple[list[tuple[Any, ...]], int, float]:
        broker = PaperBroker(cash=100_000)
        strategy = momentum.Momentum(broker, "SBIN", quantity=10, run="day")
        strategy.start()
        momentum.invented(broker, "SBIN", seed=7)
        strategy.leave()
        book = [(row.client_order_id, row.side, row.status, row.average_price) for row in broker.get_orderbook()]
        assert broker.get_positions()[0].quantity == 0
        assert strategy.state == "flat"
        return book, strategy.rounds, broker.get_funds().m2m_realised

    book, rounds, realised = day()
    assert (book, rounds, realised) == day()
    assert rounds > 10
    assert realised != 0
    assert {side for _, side, _, _ in book} == {"BUY", "SELL"}


def test_the_stop_sells_when_the_price_falls_through_it(momentum: Any) -> None:
    broker = PaperBroker(cash=100_000)
    strategy = momentum.Momentum(broker, "SBIN", quantity=10, fast=2, slow=4, stop=1)
    strategy.start()
    for price in (800, 799, 798, 797, 797, 800, 803):
        broker.tick("SBIN", price)
    assert strategy.state == "long"
    entry = next(row for row in broker.get_orderbook() if row.side == "BUY")
    broker.tick("SBIN", entry.average_price * 0.98)
    stop = next(row for row in broker.get_orderbook() if row.side == "SELL")
    assert (strategy.state, stop.price_type, stop.filled_quantity) == ("flat", "SL-M", 10)
    assert float(stop.trigger_price) == int(entry.average_price * 0.99)


def test_an_entry_in_doubt_is_not_placed_again(momentum: Any) -> None:
    broker = PaperBroker(cash=100_000)
    strategy = momentum.Momentum(broker, "SBIN", fast=2, slow=4)
    asked: list[str] = []

    def doubtful(*args: Any, client_order_id: str, **more: Any) -> OrderInfo:
        asked.append(client_order_id)
        raise InDoubt("nobody knows")

    strategy.start()
    broker.place_order = doubtful  # type: ignore[assignment]
    for price in (800, 799, 798, 797, 797, 800, 803, 790, 780, 800, 820):
        broker.tick("SBIN", price)
    assert (strategy.state, len(asked)) == ("entering", 1)


def test_a_position_whose_stop_is_refused_is_closed(momentum: Any) -> None:
    broker = PaperBroker(cash=100_000)
    strategy = momentum.Momentum(broker, "SBIN", fast=2, slow=4)
    place = broker.place_order

    def no_stops(*args: Any, **more: Any) -> OrderInfo:
        if more.get("trigger_price"):
            raise Rejected("no stops today")
        return place(*args, **more)

    strategy.start()
    broker.place_order = no_stops  # type: ignore[method-assign]
    for price in (800, 799, 798, 797, 797, 800, 803):
        broker.tick("SBIN", price)
    assert (strategy.state, strategy.rounds, broker.get_positions()[0].quantity) == ("flat", 1, 0)


def runs(strategy: Any, broker: BrokerInterface) -> None:
    """Trade until it was in the market and out again."""
    strategy.start()
    try:
        wait_for_sync(lambda: strategy.state == "long", 60, "an entry")
        wait_for_sync(lambda: strategy.rounds > 0, 60, "an exit")
        book = broker.get_orderbook()
    finally:
        broker.disconnect()
    own = [row for row in book if row.tag.endswith("momentum")]
    assert {row.side for row in own} == {"BUY", "SELL"}
    bought, sold = (sum(row.filled_quantity for row in own if row.side == side) for side in ("BUY", "SELL"))
    assert bought - sold in (0, strategy.quantity)


def test_on_a_server(momentum: Any, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "home") as server:
        server.start()
        broker = WebSocketBroker(server.ws_url, server.demo_key, interval=0)
        broker.connect()
        wait_for_sync(lambda: has_price(broker), 30, "a price")
        runs(momentum.Momentum(broker, "SBIN", fast=2, slow=4), broker)


def test_without_a_server(momentum: Any) -> None:
    with SimulatorThread("zerodha", exchange=Exchange(pace=10.0), run=True) as simulator:
        known = simulator.simulator.credentials
        broker = KiteBroker(known["api_key"], known["access_token"], hosts=simulator.simulator.hosts)
        runs(momentum.Momentum(broker, "SBIN", fast=2, slow=4), broker)


def has_price(broker: BrokerInterface) -> bool:
    try:
        return broker.get_quote("SBIN").ltp > 0
    except BrokerError:
        return False


def test_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, PATH, "paper", "SBIN"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "rounds, realised" in done.stderr
