"""Adapters by the names of their brokers: those of the house, those that were registered, and users' own."""

import threading

from sangam.brokers import registry
from sangam.model.errors import BrokerNotConfigured, UnknownBroker
from sangam.settings import load_settings

from . import finding, streaming
from .base import BaseBrokerWebSocketAdapter
from .life import Kind

__all__ = ["BROKER_ADAPTERS", "BaseBrokerWebSocketAdapter", "create_broker_adapter", "register_adapter"]

_lock = threading.Lock()


BROKER_ADAPTERS: dict[str, Kind] = {spec.name: streaming.kind(spec) for spec in registry.load() if spec.streams_market}
"""By lower-case names; of the house those that stream prices."""


def register_adapter(broker_name: str, adapter_class: Kind) -> None:
    """Let `create_broker_adapter` make these; one that was registered before is replaced."""
    BROKER_ADAPTERS[broker_name.lower()] = adapter_class


def create_broker_adapter(broker_name: str) -> BaseBrokerWebSocketAdapter:
    """A new adapter of that broker, alias, or user's folder or file in the home. ValueError tells the known names, or
    what a broker that is not configured lacks."""
    name = broker_name.lower()
    if name not in BROKER_ADAPTERS:
        name = _registered(name)
    return BROKER_ADAPTERS[name]()


def _registered(name: str) -> str:
    """The name under which it is registered from now on."""
    try:
        spec = finding.table(name)
    except (UnknownBroker, BrokerNotConfigured) as error:
        return _loaded(name, error)
    if not spec.streams_market:
        raise ValueError(f"Unsupported broker: {spec.title} streams no prices.")
    with _lock:
        BROKER_ADAPTERS.setdefault(spec.name, streaming.kind(spec))
    return spec.name


def _loaded(name: str, missed: UnknownBroker | BrokerNotConfigured) -> str:
    """Of a user's file."""
    users = finding.found(load_settings().sangam_home)
    if name not in users:
        if isinstance(missed, BrokerNotConfigured):
            raise ValueError(str(missed)) from missed
        names = ", ".join(sorted({*BROKER_ADAPTERS, *missed.known, *users}))
        raise ValueError(f"Unsupported broker: {name}. Known: {names}.")
    with _lock:
        if name not in BROKER_ADAPTERS:
            try:
                register_adapter(name, users[name]())
            except Exception as error:
                raise ValueError(f"The adapter of {name} cannot be used: {error}") from error
    return name
