"""The servers that official clients are tested against: the embedded market, and a real wire behind it."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.peers.served import AUTH_GRACE, IDLE_PING, Served
from tests.server_process import ServerProcess
from tests.simulator_thread import SimulatorThread


@pytest.fixture(scope="session", params=["paper", "zerodha"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`sangam serve` twice: in one process fed by its own simulated market, and in several fed by a broker's wire."""
    broker: str = request.param
    split = ("--gateways", "2") if broker != "paper" and hasattr(socket, "SO_REUSEPORT") else ()
    with ExitStack() as stack:
        server = ServerProcess(
            tmp_path_factory.mktemp(broker) / "home",
            options=split,
            WS_PING_INTERVAL=str(IDLE_PING),
            WS_AUTH_GRACE_SECONDS=str(AUTH_GRACE),
        )
        if broker == "paper":
            simulator = None
            stack.enter_context(server)
            server.start()
            key = server.demo_key
        else:
            simulator = stack.enter_context(SimulatorThread(broker))
            server.cli("account", "add", broker, *simulator.account_options())
            key = server.create_key("--label", "test")
            stack.enter_context(server)
            server.start()
        yield Served(server, key, broker, simulator)
