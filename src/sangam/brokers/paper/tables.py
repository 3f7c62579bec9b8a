"""The paper broker's facts. Its wire is ours: unified names, JSON text, one bearer token."""

from sangam.model.enums import Exchange

HOSTS = {"api": "http://127.0.0.1:5090", "stream": "ws://127.0.0.1:5091"}
"""Placeholders: the session names the ports that the simulated exchange really has."""

EXCHANGES = frozenset(Exchange)
