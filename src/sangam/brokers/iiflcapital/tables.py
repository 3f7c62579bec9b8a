"""IIFL Capital's facts as tables (the "Markets' APIs" portal; the official BridgePy and BridgeNode for the feed)."""

from collections.abc import Mapping

from sangam.brokers.contract import Interval, Limit, Tag
from sangam.brokers.evidence import Evidence
from sangam.model.enums import Action, Exchange, OrderStatus, PriceType, Product

TITLE = "IIFL Capital"

HOSTS = {
    "api": "https://api.iiflcapital.com/v1",
    "login": "https://markets.iiflcapital.com",
    "stream": "tls://bridge.iiflcapital.com:8883",
}

SEGMENTS: Mapping[Exchange, str] = {
    Exchange.NSE: "NSEEQ",
    Exchange.BSE: "BSEEQ",
    Exchange.NFO: "NSEFO",
    Exchange.BFO: "BSEFO",
    Exchange.CDS: "NSECURR",
    Exchange.BCD: "BSECURR",
    Exchange.MCX: "MCXCOMM",
    Exchange.NCO: "NSECOMM",
}
"""Those with a contract file. NCDEX has none that the portal lists, and its ids on the feed are not known."""

EXCHANGES: Mapping[str, Exchange] = {segment: exchange for exchange, segment in SEGMENTS.items()}
INDEX_EXCHANGES: Mapping[str, Exchange] = {"NSEEQ": Exchange.NSE_INDEX, "BSEEQ": Exchange.BSE_INDEX}
CASH = frozenset(INDEX_EXCHANGES)
INDICES = "INDICES"
"""The file of the indices, whose segments are those of the shares."""

CARRIED: frozenset[Exchange] = frozenset((*SEGMENTS, *INDEX_EXCHANGES.values()))

ACTIONS: Mapping[str, Action] = {"BUY": Action.BUY, "SELL": Action.SELL, "B": Action.BUY, "S": Action.SELL}

PRICE_TYPES: Mapping[str, PriceType] = {
    "MARKET": PriceType.MARKET,
    "LIMIT": PriceType.LIMIT,
    "SL": PriceType.SL,
    "SLM": PriceType.SL_M,
}
ORDER_TYPES: Mapping[PriceType, str] = {ours: theirs for theirs, ours in PRICE_TYPES.items()}

PRODUCTS: Mapping[str, Product] = {"DELIVERY": Product.CNC, "NORMAL": Product.NRML, "INTRADAY": Product.MIS}
PRODUCT_NAMES: Mapping[Product, str] = {ours: theirs for theirs, ours in PRODUCTS.items()}

NEAREST: Mapping[str, Product] = {**PRODUCTS, "BNPL": Product.CNC}
"""By which of our products an order or a trade of "buy now, pay later" is shown."""

_DERIVATIVE = frozenset({Product.NRML, Product.MIS})
PRODUCTS_OF: Mapping[Exchange, frozenset[Product]] = {
    **dict.fromkeys((Exchange.NSE, Exchange.BSE), frozenset({Product.CNC, Product.MIS})),
    **dict.fromkeys((Exchange.NFO, Exchange.BFO, Exchange.CDS, Exchange.BCD), _DERIVATIVE),
}
"""Not the commodities: their orders are counted in lots, and neither the rows of the order book nor the documentation
of the positions say whether those are. To close a position of units by as many lots would be a disaster."""

STATUSES: Mapping[str, OrderStatus] = {
    **dict.fromkeys(("complete", "completed", "filled", "executed"), OrderStatus.COMPLETE),
    "rejected": OrderStatus.REJECTED,
    "cancelled": OrderStatus.CANCELLED,
    "trigger pending": OrderStatus.TRIGGER_PENDING,
}
"""Every other status (open, put order req received, modified ...) is a way of being open."""

CLOCK = "%d-%b-%Y %H:%M:%S"
"""20-Sep-2024 16:05:33 on India's wall clock."""

NONE = "NA"
"""How rows say that an order has no tag."""

TAG = Tag("text", 50, in_news=False)

EMPTY_BOOKS = frozenset({"EC916", "EC918", "EC920", "EC922", "EC926"})
"""A book that has no rows (portal: Error codes)."""

DEAD = frozenset({"EC044"})
"""The token is invalid. EC055 and EC075 (unauthorised) may be about the app or the segment."""

_CODES: Mapping[str, tuple[int, ...]] = {
    "INVALID_ORDER": (
        701, 702, 901, 903, 904, *range(928, 933), 948, 949, *range(950, 957), 965, 970, 973, 974, 977, 978,
        989, 990, 991, 996,
    ),
    "SYMBOL_NOT_FOUND": (946, 947),
    "INSUFFICIENT_PERMISSION": (55, 75, 703, 704, 705),
    "ORDER_ERROR": (925, *range(992, 995), 997, 999),  # no such order; not to be modified or cancelled any more
    "INVALID_INPUT": (*range(801, 811), 937, 938, 986, 987),
}  # fmt: skip

EVIDENCE = Evidence(
    # The portal's list of error codes. Risk checks reject an order later, by a reason that begins with "RMS:"; where
    # one is told at once, it is as certain.
    kinds={f"EC{number:03d}": ours for ours, numbers in _CODES.items() for number in numbers},
    texts={"rms:margin exceeds": "INSUFFICIENT_FUNDS", "rms:": "ORDER_ERROR"},
    statuses=(200, *range(400, 500)),
)

LOGIN_EVIDENCE = EVIDENCE._replace(
    kinds=dict.fromkeys(("Not_Ok", "EC016", "EC044", "EC054", "EC055", "EC075"), "AUTHENTICATION_ERROR")
)
"""What proves that a code of the login page gave no session."""

TOO_LONG = "EC809"
"""Of candles: more days than one request may span. Nobody says how many."""

LIMITS = (
    Limit("orders", 10, 1.0, reserve=2),
    *(Limit(lane, 3, 1.0) for lane in ("orderbook", "trades", "positions", "holdings", "profile", "session")),
    Limit("logout", 2, 1.0),
    Limit("files", 2 * len((*SEGMENTS, INDICES)), 1.0),
    *(Limit(lane, 10, 1.0) for lane in ("quotes", "depth", "interest", "history", "funds", "margin")),
)
"""Portal, Rate limits, of sessions of up to ten orders a second. Place, modify and cancel count together;
each contract file may be asked for twice a second, and a download asks for each once."""

QUOTE_BATCH = 50
"""Instruments in one question. The portal names no maximum."""

INTERVALS: Mapping[str, Interval] = {
    "1m": Interval("1 minute", 30),
    "5m": Interval("5 minutes", 90),
    "10m": Interval("10 minutes", 90),
    "15m": Interval("15 minutes", 90),
    "30m": Interval("30 minutes", 90),
    "1h": Interval("60 minutes", 90),
    "D": Interval("1 day", 365),
}
"""The days of one question are ours: what is too long for IIFL is halved."""

FEED = "prod/marketfeed"
NEWS = "prod/updates"
MAX_TOPICS = 6000
SUBSCRIBE_BATCH = 1024
KEEP_ALIVE = 20
"""Seconds, as the official clients keep it."""
