"""The paper broker's facts. Its wire is ours: unified names, JSON text, one bearer token."""

from collections.abc import Mapping

from sangam.brokers.contract import Interval
from sangam.model.enums import Exchange

HOSTS = {"api": "http://127.0.0.1:5090", "stream": "ws://127.0.0.1:5091"}
"""Placeholders: the session names the ports that the simulated exchange really has."""

EXCHANGES = frozenset(Exchange)

QUOTE_BATCH = 500

INTERVALS: Mapping[str, Interval] = {
    "1m": Interval("1m", 5),
    "3m": Interval("3m", 15),
    "5m": Interval("5m", 25),
    "10m": Interval("10m", 50),
    "15m": Interval("15m", 75),
    "30m": Interval("30m", 150),
    "1h": Interval("1h", 300),
    "D": Interval("D", 2000),
}
"""Spans of about two thousand candles: the exchange and its reader often share one loop."""
