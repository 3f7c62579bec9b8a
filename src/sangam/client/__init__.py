"""For strategy programs: one interface over the server, a broker without a server, and a market on paper."""

from .answers import GttInfo, HoldingInfo, OrderInfo, PositionInfo, Tick, TradeInfo
from .interface import BrokerInterface
from .kite import KiteBroker
from .paper import PaperBroker
from .websocket import WebSocketBroker

__all__ = [
    "BrokerInterface",
    "GttInfo",
    "HoldingInfo",
    "KiteBroker",
    "OrderInfo",
    "PaperBroker",
    "PositionInfo",
    "Tick",
    "TradeInfo",
    "WebSocketBroker",
]
