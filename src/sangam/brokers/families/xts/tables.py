"""XTS's facts as tables (Symphony Fintech: XTS Interactive and Market Data API documents, and their SDKs)."""

from collections.abc import Mapping

from sangam.brokers.contract import Interval, Limit, Tag
from sangam.brokers.evidence import Evidence
from sangam.model.enums import Exchange, Mode, OrderStatus, PriceType, Product

SOURCE = "WEBAPI"
LOOKUP = {"accesspassword": "2021HostLookUpAccess", "version": "interactive_1.0.1"}
"""What the host look-up is asked with: a public constant of Symphony's SDK."""

BINARY = "binary"
"""In the prefix of a market-data service that sends packets rather than JSON."""

# --- instruments ------------------------------------------------------------------------------------------------------

CODES: Mapping[str, int] = {
    "NSECM": 1, "NSEFO": 2, "NSECD": 3, "NSECO": 4, "BSECM": 11, "BSEFO": 12, "BSECD": 13, "BSECO": 14, "NCDEX": 21,
    "MCXFO": 51,
}  # fmt: skip
"""Segments: market data has their numbers, orders their names."""

SEGMENTS: Mapping[Exchange, str] = {
    Exchange.NSE: "NSECM",
    Exchange.NFO: "NSEFO",
    Exchange.CDS: "NSECD",
    Exchange.NCO: "NSECO",
    Exchange.BSE: "BSECM",
    Exchange.BFO: "BSEFO",
    Exchange.BCD: "BSECD",
    Exchange.MCX: "MCXFO",
    Exchange.NCDEX: "NCDEX",
    Exchange.NSE_INDEX: "NSECM",
    Exchange.BSE_INDEX: "BSECM",
}
EXCHANGES: Mapping[str, Exchange] = {name: code for code, name in SEGMENTS.items() if not code.is_index}

CASH = frozenset({CODES["NSECM"], CODES["BSECM"]})
"""Where nothing expires, so that there is no open interest."""

SINCE_1980 = frozenset({CODES["NSECM"], CODES["NSEFO"], CODES["NSECD"]})
"""Whose times count from 1980; those of all others from 1970. Both are India's wall clock (npm xts-marketdata-api)."""

# --- orders -----------------------------------------------------------------------------------------------------------

TAG = Tag("text", 20)

PRICE_TYPES: Mapping[str, PriceType] = {
    "MARKET": PriceType.MARKET,
    "LIMIT": PriceType.LIMIT,
    "STOPLIMIT": PriceType.SL,
    "STOPMARKET": PriceType.SL_M,
}
"""By their names in capitals: requests have those, books write ``StopLimit``."""
ORDER_TYPES: Mapping[PriceType, str] = {ours: theirs for theirs, ours in PRICE_TYPES.items()}

PRODUCTS: Mapping[str, Product] = {product.value: product for product in Product}
NEAREST: Mapping[str, Product] = {**PRODUCTS, "CO": Product.MIS, "BO": Product.MIS}
"""By which of our products an order or a trade of XTS's other ones (cover, bracket) is shown."""

_DERIVATIVE = frozenset({Product.NRML, Product.MIS})
PRODUCTS_OF: Mapping[Exchange, frozenset[Product]] = {
    **dict.fromkeys((Exchange.NSE, Exchange.BSE), frozenset({Product.CNC, Product.MIS})),
    **dict.fromkeys((Exchange.NFO, Exchange.BFO, Exchange.CDS, Exchange.BCD), _DERIVATIVE),
}
"""Commodities are not among them: whether XTS counts their orders in lots or in units is not documented."""

STATUSES: Mapping[str, OrderStatus] = {
    "filled": OrderStatus.COMPLETE,
    "cancelled": OrderStatus.CANCELLED,
    "rejected": OrderStatus.REJECTED,
}
"""Every other status (PendingNew, New, Replaced, PartiallyFilled ...) is a way of being open."""

CLOCK = "%d-%m-%Y %H:%M:%S"
"""14-05-2021 11:17:29 on India's wall clock; newer hosts write ISO."""

# --- answers ----------------------------------------------------------------------------------------------------------

FOUND = "hostlookup successful"
"""What a host look-up says that found the host, whatever the type of its answer."""
DEAD = frozenset({"e-session-0007", "e-token-0002"})
DEAD_TEXTS = ("invalid token", "please provide token")
TOO_MANY = "e-apirl-0004"
THERE_ALREADY = "already subscribed"
NOTHING: Mapping[str, str] = {
    "/orders": "e-orders-0005",
    "/orders/dealerorderbook": "e-orders-0005",
    "/orders/trades": "e-tradebook-0005",
    "/orders/dealertradebook": "e-tradebook-0005",
    "/portfolio/positions": "e-portfolio-0005",
    "/portfolio/dealerpositions": "e-portfolio-0005",
    "/portfolio/holdings": "e-holdings-0005",
}
NOTHING_TEXT = "data not available"
"""An empty book is an error with the book's own code and these words (public programs; one of the two alone has been
told of other failures)."""

EVIDENCE = Evidence(
    texts={"insufficient": "INSUFFICIENT_FUNDS", "bad request": "INVALID_INPUT"},
    kinds={"e-session-0004": "MAX_CAPACITY_REACHED"},
    statuses=(200, *range(400, 500)),
)
"""``Bad Request`` is what the checks of the fields say, before anything is done (documents; the reasons are in
`result.errors`). What the risk checks refuse is an order, rejected in the book."""

# --- market data ------------------------------------------------------------------------------------------------------

TOUCHLINE, DEPTH, INTEREST, LTP = OURS = (1501, 1502, 1510, 1512)

JSON_CODES: Mapping[Mode, int] = {Mode.LTP: LTP, Mode.QUOTE: TOUCHLINE, Mode.DEPTH: DEPTH}
BINARY_CODES: Mapping[Mode, int] = {**JSON_CODES, Mode.LTP: TOUCHLINE}
"""How 1512 is packed is not known."""

BATCH = 50
"""Instruments in one request for quotes: what is known to work. Subscriptions keep to it."""

_MINUTES = {"1m": 1, "2m": 2, "3m": 3, "5m": 5, "10m": 10, "15m": 15, "30m": 30, "1h": 60}
INTERVALS: Mapping[str, Interval] = {
    **{name: Interval(str(minutes * 60), 7) for name, minutes in _MINUTES.items()},
    "D": Interval("D", 365),
}
"""How much one request may span is not documented; public programs ask for a week of minutes."""

LIMITS = (
    Limit("orders", 10, 1.0, reserve=2),
    Limit("history", 1, 1.0),
    *(Limit(lane, 10, 1.0) for lane in ("quotes", "subscriptions", "books", "margin")),
    Limit("default", 20, 1.0),
)
"""Orders and candles: as public programs quote the documents. The others are not documented; this has been taken."""
