"""What a test of an official client is given."""

from dataclasses import dataclass

from tests.server_process import ServerProcess
from tests.simulator_thread import SimulatorThread

IDLE_PING = 0.5
"""Seconds between protocol pings in these tests (20 in life)."""
AUTH_GRACE = 1.0


@dataclass(frozen=True)
class Served:
    """A running server, a key with all scopes, and where its data comes from."""

    server: ServerProcess
    key: str
    broker: str
    simulator: SimulatorThread | None
    symbol: tuple[str, str] = ("RELIANCE", "NSE")
    other: tuple[str, str] = ("INFY", "NSE")
    index: tuple[str, str] = ("NIFTY", "NSE_INDEX")
