"""Zerodha's facts as tables (Kite Connect 3 documentation and the official SDK 5.2.2)."""

from collections.abc import Mapping

from sangam.brokers.contract import Interval, Limit, Tag
from sangam.brokers.evidence import Evidence
from sangam.model.enums import Exchange, Mode, OrderStatus, Product

TITLE = "Zerodha"

HOSTS = {
    "api": "https://api.kite.trade",
    "stream": "wss://ws.kite.trade",
    "login": "https://kite.zerodha.com",
}

VERSION = {"X-Kite-Version": "3"}

EXCHANGES: Mapping[str, Exchange] = {
    code: Exchange(code) for code in ("NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX", "NCO")
}
"""What stands before the hyphen in the master's `segment` column ("NFO-OPT"). Others are refused by name."""

INDEX_EXCHANGES: Mapping[str, Exchange] = {
    "NSE": Exchange.NSE_INDEX,
    "BSE": Exchange.BSE_INDEX,
    "MCX": Exchange.MCX_INDEX,
    "GLOBAL": Exchange.GLOBAL_INDEX,
    "NSEIX": Exchange.GLOBAL_INDEX,
}
"""The `exchange` column of rows in segment INDICES."""

JOINT = "::::"
"""`Instrument.token` is instrument_token and exchange_token with this between (specs: symbols.md, 4)."""

MODES: Mapping[Mode, str] = {Mode.LTP: "ltp", Mode.QUOTE: "quote", Mode.DEPTH: "full"}

DIVISORS: Mapping[int, float] = {3: 10_000_000.0, 6: 10_000.0, 12: 10_000.0}
"""What prices of a segment (the token's low byte: 3 CDS, 6 BCD, 12 NCO) are divided by; 100 for all others."""

STATUSES: Mapping[str, OrderStatus] = {
    "COMPLETE": OrderStatus.COMPLETE,
    "REJECTED": OrderStatus.REJECTED,
    "CANCELLED": OrderStatus.CANCELLED,
    "CANCELLED AMO": OrderStatus.CANCELLED,
    "TRIGGER PENDING": OrderStatus.TRIGGER_PENDING,
}
"""Every other status (OPEN, UPDATE, VALIDATION PENDING ...) is a way of being open."""

PRODUCTS: Mapping[str, Product] = {product.value: product for product in Product}

NEAREST: Mapping[str, Product] = {**PRODUCTS, "MTF": Product.CNC, "CO": Product.MIS, "BO": Product.MIS}
"""By which of our products an order or a trade of Kite's other ones is shown. Nothing acts on a product there."""

_DERIVATIVE = frozenset({Product.NRML, Product.MIS})
PRODUCTS_OF: Mapping[Exchange, frozenset[Product]] = {
    exchange: frozenset({Product.CNC, Product.MIS}) if exchange in (Exchange.NSE, Exchange.BSE) else _DERIVATIVE
    for exchange in EXCHANGES.values()
}

REGULAR = "regular"
"""The variety of our orders; those placed elsewhere may be amo, co, iceberg or auction."""

TAG = Tag("text", 20)
"""A longer tag gets the order refused (forum, comment 52970)."""

MODIFICATIONS = 25
"""Of one order (forum, 9201)."""

NO_SUCH_ORDER = "couldn't find that `order_id`"

EVIDENCE = Evidence(
    # OrderException, NetworkException, DataException and GeneralException prove nothing either way.
    kinds={
        "PermissionException": "INSUFFICIENT_PERMISSION",  # an address that is not registered, too (forum, 15912)
        "InputException": "INVALID_INPUT",
        "MarginException": "INSUFFICIENT_FUNDS",  # pykiteconnect, issue 226
        "HoldingException": "INSUFFICIENT_HOLDINGS",
        "UserException": "BROKER_ERROR",
    },
    # Numbers are threads and comments of Kite's forum. Support says there that orders stopped before the books are
    # answered with HTTP 400 (comment 35150).
    texts={
        "insufficient funds": "INSUFFICIENT_FUNDS",  # kiteconnect-mocks, orders.json
        "insufficient stock holding": "INSUFFICIENT_HOLDINGS",  # comment 43891
        "maximum allowed order modifications exceeded": "ORDER_ERROR",  # 9201, as a NetworkException
        "maximum allowed order requests exceeded": "RATE_LIMITED",  # comment 51118
        "market orders without market protection are not allowed": "INVALID_ORDER",  # comment 52991
        "cannot be modified as it is being processed": "ORDER_ERROR",  # 7489
        "cannot be cancelled as it is being processed": "ORDER_ERROR",  # 8106: it may be filled by now
        "enter valid price": "INVALID_ORDER",  # comment 45131, as an OrderException
        "cannot be below the lower circuit price": "INVALID_ORDER",  # 3141
        "lower than the current lower circuit limit": "INVALID_ORDER",  # kiteconnect-mocks, gtt_get_order.json
        "blocked as the markets are not open for trading": "MARKET_CLOSED",  # logs of 2026: "Try placing an AMO order."
        "is higher than the maximum quantity": "INVALID_ORDER",  # tradingqna.com 160065: above the freeze quantity
        "ip is not allowed to place orders": "INSUFFICIENT_PERMISSION",  # logs of 2026: not registered (forum, 15912)
        NO_SUCH_ORDER: "ORDER_ERROR",
    },
    # Orders answered with HTTP 400 and "Order request timed out. Please check the order book and confirm before placing
    # again." were executed (forum, comment 35732). "Check the orderbook" alone is no such word: it ends the text about
    # insufficient funds.
    doubts=(*Evidence().doubts, "confirm before placing"),
)

LIMITS = (
    Limit("quote", 1, 1.0),
    Limit("historical", 3, 1.0),
    Limit("orders", 10, 1.0, reserve=2),
    Limit("orders", 400, 60.0, reserve=20),
    Limit("orders", 5000, 86_400.0, reserve=100),
    Limit("default", 10, 1.0),
)

QUOTE_BATCH = 500

INTERVALS: Mapping[str, Interval] = {
    "1m": Interval("minute", 60),
    "3m": Interval("3minute", 100),
    "5m": Interval("5minute", 100),
    "10m": Interval("10minute", 100),
    "15m": Interval("15minute", 200),
    "30m": Interval("30minute", 200),
    "1h": Interval("60minute", 400),
    "D": Interval("day", 2000),
}
"""The spans are those of Zerodha's forum; the reference page tells none."""

SUBSCRIBE_BATCH = 500
"""Tokens in one request. The documents name no cap; the SDK sends any number in one."""
