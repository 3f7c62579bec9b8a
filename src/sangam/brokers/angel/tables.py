"""Angel One's facts as tables (SmartAPI documentation and the official SDK 1.5.5)."""

from collections.abc import Mapping

from sangam.brokers.contract import Interval, Limit, Tag
from sangam.brokers.evidence import Evidence
from sangam.model.enums import Exchange, Mode, OrderStatus, PriceType, Product

TITLE = "Angel One"

HOSTS = {
    "api": "https://apiconnect.angelone.in",
    "login": "https://smartapi.angelone.in",
    "files": "https://margincalculator.angelone.in",
    "stream": "wss://smartapisocket.angelone.in/smart-stream",
    "orders": "wss://tns.angelone.in/smart-order-update",
}

ORDERS = "/rest/secure/angelbroking/order/v1"
USER = "/rest/secure/angelbroking/user/v1"

EXCHANGES: Mapping[str, Exchange] = {
    code: Exchange(code) for code in ("NSE", "BSE", "NFO", "BFO", "CDS", "MCX", "NCDEX")
}
"""Segments of the master that orders, quotes and the feed know, too; the others (NCO) are refused by name."""

INDEX_EXCHANGES: Mapping[str, Exchange] = {
    "NSE": Exchange.NSE_INDEX,
    "BSE": Exchange.BSE_INDEX,
    "MCX": Exchange.MCX_INDEX,
}

CARRIED: frozenset[Exchange] = frozenset((*EXCHANGES.values(), *INDEX_EXCHANGES.values()))

SCALES: Mapping[str, float] = {"CDS": 10_000_000.0}
"""What the master's strikes and ticks are divided by; 100 for all other segments (forum, topic 286: USDINR 75.25 has
strike 752500000 and tick 25000)."""

EXCHANGE_TYPES: Mapping[str, int] = {"NSE": 1, "NFO": 2, "BSE": 3, "BFO": 4, "MCX": 5, "NCDEX": 7, "CDS": 13}

CURRENCY = EXCHANGE_TYPES["CDS"]
"""Whose prices on the feed are divided by 10,000,000 (docs: WebSocket streaming 2.0); all others by 100."""

MODES: Mapping[Mode, int] = {Mode.LTP: 1, Mode.QUOTE: 2, Mode.DEPTH: 3}
DEPTH20 = 4

PRICE_TYPES: Mapping[str, PriceType] = {
    "MARKET": PriceType.MARKET,
    "LIMIT": PriceType.LIMIT,
    "STOPLOSS_LIMIT": PriceType.SL,
    "STOPLOSS_MARKET": PriceType.SL_M,
}
ORDER_TYPES: Mapping[PriceType, str] = {ours: theirs for theirs, ours in PRICE_TYPES.items()}

NORMAL, STOPLOSS = "NORMAL", "STOPLOSS"
"""The varieties of our orders; those placed elsewhere may be AMO or ROBO."""

PRODUCTS: Mapping[str, Product] = {"DELIVERY": Product.CNC, "CARRYFORWARD": Product.NRML, "INTRADAY": Product.MIS}
PRODUCT_TYPES: Mapping[Product, str] = {ours: theirs for theirs, ours in PRODUCTS.items()}

NEAREST: Mapping[str, Product] = {**PRODUCTS, "MARGIN": Product.CNC, "BO": Product.MIS}
"""By which of our products an order or a trade of Angel's other ones is shown; a change keeps the order's own."""

_DERIVATIVE = frozenset({Product.NRML, Product.MIS})
PRODUCTS_OF: Mapping[Exchange, frozenset[Product]] = {
    exchange: frozenset({Product.CNC, Product.MIS}) if exchange in (Exchange.NSE, Exchange.BSE) else _DERIVATIVE
    for exchange in EXCHANGES.values()
}

STATUSES: Mapping[str, OrderStatus] = {
    "complete": OrderStatus.COMPLETE,
    "rejected": OrderStatus.REJECTED,
    "cancelled": OrderStatus.CANCELLED,
    "cancelled after market order": OrderStatus.CANCELLED,
    "trigger pending": OrderStatus.TRIGGER_PENDING,
}
"""Every other status (open, open pending, modify validation pending ...) is a way of being open."""

GTT_STATUSES: Mapping[str, str] = {
    "NEW": "active",
    "ACTIVE": "active",
    "SENTTOEXCHANGE": "triggered",
    "CANCELLED": "cancelled",
}

CLOCK = "%d-%b-%Y %H:%M:%S"
"""20-Oct-2020 13:10:59 on India's wall clock."""

TAG = Tag("text", 19)
"""AB4008: ordertag length should be less than 20 characters."""

THROTTLED = ("exceeding access rate", "exceeding rate limit")
"""Too many requests are answered with HTTP 403 and a plain text that has one of these."""

DEAD = frozenset({"AG8001", "AG8002", "AG8003", "AG8004", "AB1010", "AB1011"})
"""Codes of a credential that is no good any more: jwt, API key or session."""

EVIDENCE = Evidence(
    # Numbered as in the docs' Error codes and GTT pages. AB1004, AB1007, AB2000, AB2001 and AB9000 (something went
    # wrong, AMX error, not specified, internal error) prove nothing either way.
    kinds={
        "AB1006": "INSUFFICIENT_PERMISSION",  # the client is blocked for trading
        "AB1008": "INVALID_ORDER",
        "AB1009": "SYMBOL_NOT_FOUND",
        "AB1012": "INVALID_ORDER",
        "AB1013": "ORDER_ERROR",  # order not found: by a change or a cancel nothing was done
        "AB1017": "ORDER_ERROR",  # position conversion failed
        "AB1018": "SYMBOL_NOT_FOUND",
        "AB2002": "INVALID_ORDER",
        "AB4008": "INVALID_ORDER",
        "AB4036": "INVALID_ORDER",  # forum: categorised under cautionary listings; we give no consent for the user
        **dict.fromkeys((f"AB{number}" for number in range(9001, 9019)), "INVALID_INPUT"),  # rules of GTT
    },
    texts={"insufficient funds": "INSUFFICIENT_FUNDS"},  # docs, Individual order status
    statuses=(200, *range(400, 500)),
)

AUTH = "/rest/auth/angelbroking"

LOGIN_EVIDENCE = EVIDENCE._replace(
    # AB1007 is an AMX error elsewhere, but of a login that its id or password is invalid (docs, Response structure);
    # AB1050 is an invalid code of the authenticator (forum, post 18722). AB8050 and AB8051 are an invalid or expired
    # refresh token, which says nothing about the session that should have been prolonged.
    kinds=dict.fromkeys(
        ("AB1000", "AB1001", "AB1002", "AB1005", "AB1007", "AB1032", "AB1050", "AB8050", "AB8051"),
        "AUTHENTICATION_ERROR",
    )
)
"""What proves that a call below AUTH gave no session."""

LIMITS = (
    Limit("login", 1, 1.0),
    Limit("profile", 3, 1.0),
    Limit("profile", 1000, 3600.0),
    Limit("orders", 9, 1.0, reserve=2),
    Limit("orders", 500, 60.0, reserve=20),
    Limit("orders", 1000, 3600.0, reserve=50),
    Limit("gtt", 9, 1.0, reserve=2),
    Limit("gtt", 500, 60.0, reserve=20),
    *(Limit(lane, 1, 1.0) for lane in ("orderbook", "tradebook", "positions", "holdings")),
    Limit("funds", 2, 1.0),
    *(Limit(lane, 10, 1.0) for lane in ("quote", "margin", "rules", "convert")),
    *(Limit(lane, 500, 60.0) for lane in ("quote", "margin", "rules", "convert")),
    *(Limit(lane, 5000, 3600.0) for lane in ("quote", "margin", "rules", "convert", "history", "gtt")),
    Limit("history", 3, 1.0),
    Limit("history", 180, 60.0),
)
"""Docs, Rate limit; counted per client code. Place, modify and cancel count together."""

QUOTE_BATCH = 50
GTT_PAGE = 10
"""Rules of one page of the list: the figure of the documentation, which names no maximum."""

INTERVALS: Mapping[str, Interval] = {
    "1m": Interval("ONE_MINUTE", 30),
    "3m": Interval("THREE_MINUTE", 60),
    "5m": Interval("FIVE_MINUTE", 100),
    "10m": Interval("TEN_MINUTE", 100),
    "15m": Interval("FIFTEEN_MINUTE", 200),
    "30m": Interval("THIRTY_MINUTE", 200),
    "1h": Interval("ONE_HOUR", 400),
    "D": Interval("ONE_DAY", 2000),
}

OI_EXCHANGES = frozenset({Exchange.NFO, Exchange.BFO})
"""Where the history of the open interest is documented: live F&O contracts."""

SUBSCRIBE_BATCH = 500
"""Tokens in one message. The documents name no cap but the socket's 1,000."""
