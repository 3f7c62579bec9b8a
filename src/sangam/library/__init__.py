"""For programs that know the names of the reference implementation (docs/library-mode.md)."""

from sangam.adapters.factory import (
    BROKER_ADAPTERS,
    BaseBrokerWebSocketAdapter,
    create_broker_adapter,
    register_adapter,
)

from .app_integration import start_websocket_proxy
from .broker_api import BrokerApi

__all__ = [
    "BROKER_ADAPTERS",
    "BaseBrokerWebSocketAdapter",
    "BrokerApi",
    "create_broker_adapter",
    "register_adapter",
    "start_websocket_proxy",
]
