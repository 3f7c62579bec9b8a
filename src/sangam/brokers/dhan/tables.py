"""Dhan's facts as tables (dhanhq.co/docs/v2, SDK dhanhq 2.3.0)."""

from collections.abc import Mapping

from sangam.brokers.contract import Limit
from sangam.brokers.families.dhan import Wire
from sangam.brokers.families.dhan.tables import SEGMENTS
from sangam.model.enums import Exchange, Mode

WIRE = Wire("Dhan")

HOSTS = {
    "api": "https://api.dhan.co/v2",
    "auth": "https://auth.dhan.co",
    "files": "https://images.dhan.co",
    "stream": "wss://api-feed.dhan.co",
    "depth20": "wss://depth-api-feed.dhan.co/twentydepth",
    "depth200": "wss://full-depth-api.dhan.co/twohundreddepth",  # the SDK has no path here
    "orders": "wss://api-order-update.dhan.co",
}

LIMITS = (
    Limit("quote", 1, 1.0),
    Limit("data", 5, 1.0),
    Limit("data", 100_000, 86_400.0),
    Limit("orders", 10, 1.0, reserve=2),
    Limit("orders", 250, 60.0, reserve=10),
    Limit("orders", 1000, 3600.0, reserve=20),
    Limit("orders", 7000, 86_400.0, reserve=100),
    Limit("default", 20, 1.0),
)

QUOTE_BATCH = 1000

CODES: Mapping[Exchange, int] = {segment.exchange: segment.code for segment in SEGMENTS.values()}
NAMES: Mapping[int, str] = {segment.code: segment.name for segment in SEGMENTS.values()}

DECIMALS: Mapping[int, int] = {**dict.fromkeys(NAMES, 2), 3: 4, 7: 4}
"""What float prices of a segment are rounded to; a segment that is not here is not known."""

MODES: Mapping[Mode, int] = {Mode.LTP: 15, Mode.QUOTE: 17, Mode.DEPTH: 21}
"""The request code that subscribes a mode; the next number unsubscribes it."""

SUBSCRIBE_BATCH = 100
BOOK, NO_BOOK = 23, 25
"""Of the deep books. The SDK knows 23 only."""

DEEP = frozenset({Exchange.NSE, Exchange.NFO})

DISCONNECTS: Mapping[int, str] = {
    805: "too many connections: this was the oldest",
    806: "no data plan",
    807: "the access token has expired",
    808: "the client id or the access token is invalid",
    809: "the access token is invalid",
}
EXPIRED = frozenset({807, 808, 809})
