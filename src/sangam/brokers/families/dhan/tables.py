"""Facts of DhanHQ API 2 as tables (dhanhq.co/docs/v2, SDK dhanhq 2.3.0; "measured": public notes of September 2026 on
calls to api.dhan.co and sandbox.dhan.co)."""

from collections.abc import Mapping
from typing import NamedTuple

from sangam.brokers.contract import Interval, Tag
from sangam.brokers.evidence import Evidence
from sangam.model.enums import Exchange, InstrumentType, OrderStatus, PriceType, Product


class Segment(NamedTuple):
    """How Dhan calls an exchange: in texts (`brexchange` of instruments) and in binary packets."""

    exchange: Exchange
    name: str
    code: int


INDICES = "IDX_I"
"""One segment for the indices of all exchanges; their numbers are unique within it."""

SEGMENTS: Mapping[tuple[str, str], Segment] = {
    ("NSE", "E"): Segment(Exchange.NSE, "NSE_EQ", 1),
    ("NSE", "D"): Segment(Exchange.NFO, "NSE_FNO", 2),
    ("NSE", "C"): Segment(Exchange.CDS, "NSE_CURRENCY", 3),
    ("BSE", "E"): Segment(Exchange.BSE, "BSE_EQ", 4),
    ("MCX", "M"): Segment(Exchange.MCX, "MCX_COMM", 5),
    ("BSE", "C"): Segment(Exchange.BCD, "BSE_CURRENCY", 7),
    ("BSE", "D"): Segment(Exchange.BFO, "BSE_FNO", 8),
    ("NSE", "I"): Segment(Exchange.NSE_INDEX, INDICES, 0),
    ("BSE", "I"): Segment(Exchange.BSE_INDEX, INDICES, 0),
    ("MCX", "I"): Segment(Exchange.MCX_INDEX, INDICES, 0),
    ("GIFT", "I"): Segment(Exchange.GLOBAL_INDEX, INDICES, 0),
}
"""By the first two columns of the instruments file. NSE's commodities (NSE_COMM) have no code and no rows yet; Gift
Nifty is listed as one of NSE's indices and belongs to none."""

CURRENCIES = frozenset({"NSE_CURRENCY", "BSE_CURRENCY"})
"""The segments whose prices have four decimals; all others have two."""

EXCHANGES = frozenset(segment.exchange for segment in SEGMENTS.values())
TRADED = frozenset(exchange for exchange in EXCHANGES if not exchange.is_index)

GLOBAL_INDICES = frozenset({"GIFTNIFTY"})

INDEX_NAMES: Mapping[str, str] = {
    "NIFTY100 EQUAL WEIGHT": "NIFTY100EQLWGT",
    "NIFTY100 LOW VOLATILITY 30": "NIFTY100LOWVOL30",
    "NIFTY MID100 FREE": "NIFTYMIDCAP100",
    "NIFTYMCAP50": "NIFTYMIDCAP50",
    "NIFTY MIDSMALLCAP 400": "NIFTYMIDSML400",
    "NIFTY SMALLCAP 50": "NIFTYSMLCAP50",
    "NIFTY SMALLCAP 100": "NIFTYSMLCAP100",
    "NIFTY SMALLCAP 250": "NIFTYSMLCAP250",
    "NIFTY50 EQL WGT": "NIFTY50EQLWGT",
}
"""Dhan's own spellings of indices; the exchanges' are known to all brokers."""

MAIN_SERIES = frozenset({"EQ", "A", "B"})
"""Which share keeps a name that several bear; the others keep their series behind it."""

FUTURES = frozenset({"FUTIDX", "FUTSTK", "FUTCOM", "FUTCUR"})
OPTIONS = frozenset({"OPTIDX", "OPTSTK", "OPTFUT", "OPTCUR"})
INDEX_UNDERLYINGS = frozenset(
    {
        "NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50", "INDIAVIX", "SENSEX", "BANKEX", "SENSEX50",
        "MCXBULLDEX", "MCXMETLDEX",
    }
)  # fmt: skip
"""What the charts call FUTIDX and OPTIDX; derivatives of anything else on these exchanges are of shares or goods."""

KINDS: Mapping[Exchange, tuple[str, str]] = {
    Exchange.NFO: ("FUTSTK", "OPTSTK"),
    Exchange.BFO: ("FUTSTK", "OPTSTK"),
    Exchange.CDS: ("FUTCUR", "OPTCUR"),
    Exchange.BCD: ("FUTCUR", "OPTCUR"),
    Exchange.MCX: ("FUTCOM", "OPTFUT"),
}

INTERVALS: Mapping[str, Interval] = {
    "1m": Interval("1", 90),
    "5m": Interval("5", 90),
    "15m": Interval("15", 90),
    "1h": Interval("60", 90),
    "D": Interval("day", 3650),
}
"""Minutes come for 90 days at a time; of days the documents name no span. 25 minutes are no interval of ours."""

PRODUCTS: Mapping[str, Product] = {"CNC": Product.CNC, "INTRADAY": Product.MIS, "MARGIN": Product.NRML}
PRODUCT_NAMES: Mapping[Product, str] = {product: name for name, product in PRODUCTS.items()}
NEAREST: Mapping[str, Product] = {**PRODUCTS, "MTF": Product.CNC, "CO": Product.MIS, "BO": Product.MIS}
"""By which of our products an order or a trade of Dhan's other ones is shown. Nothing acts on a product there."""

PRODUCTS_OF: Mapping[Exchange, frozenset[Product]] = {
    exchange: frozenset({Product.CNC if exchange in (Exchange.NSE, Exchange.BSE) else Product.NRML, Product.MIS})
    for exchange in TRADED
}

PRICE_TYPES: Mapping[str, PriceType] = {
    "MARKET": PriceType.MARKET,
    "LIMIT": PriceType.LIMIT,
    "STOP_LOSS": PriceType.SL,
    "STOP_LOSS_MARKET": PriceType.SL_M,
}
PRICE_TYPE_NAMES: Mapping[PriceType, str] = {kind: name for name, kind in PRICE_TYPES.items()}

STATUSES: Mapping[str, OrderStatus] = {
    "TRADED": OrderStatus.COMPLETE,
    "REJECTED": OrderStatus.REJECTED,
    "CANCELLED": OrderStatus.CANCELLED,
    "EXPIRED": OrderStatus.CANCELLED,
}
"""Every other status (TRANSIT, PENDING, PART_TRADED ...) is a way of being open."""

RIGHTS: Mapping[str, InstrumentType] = {"CE": InstrumentType.CE, "PE": InstrumentType.PE}

TAG = Tag("text", 25)
"""The documents say 30 characters; the sandbox refuses 26 (measured)."""

MODIFICATIONS = 25

DEAD = frozenset({"DH-901", "807", "808", "809", "810"})
DEAD_TEXT = "invalid token"
"""Told with HTTP 400 and DH-906, too (measured): the credential is dead whatever the code."""
TOO_MANY = frozenset({"DH-904", "805"})
NOTHING: Mapping[str, tuple[str, ...]] = {
    "DH-907": ("/charts/", "/marketfeed/", "/orders/external/"),
    "DH-1111": ("/holdings",),
}
"""Errors that say that nothing is there, and where they do: no data (documents: also "unable to fetch data", so of a
book it proves nothing: what the order book lacks may be placed again); no holdings, with HTTP 500 (measured)."""

NO_SUCH_ORDER = "incorrect request for order and cannot be processed"

EVIDENCE = Evidence(
    # Documents, annexure. DH-908 to DH-910 (server, network, others) and 800 prove nothing.
    kinds={
        "DH-902": "INSUFFICIENT_PERMISSION",  # no data plan, or no access to the trading API
        "DH-903": "INSUFFICIENT_PERMISSION",  # a segment that is not activated
        "DH-905": "INVALID_INPUT",
        "DH-906": "ORDER_ERROR",  # "Incorrect request for order and cannot be processed"
        "DH-911": "INSUFFICIENT_PERMISSION",  # the address is not registered
        "804": "INVALID_INPUT",
        "806": "INSUFFICIENT_PERMISSION",  # no data plan
        **dict.fromkeys(("811", "812", "813", "814"), "INVALID_INPUT"),
    },
    texts={
        "invalid ip": "INSUFFICIENT_PERMISSION",  # told with DH-905, too (measured)
        "insufficient fund": "INSUFFICIENT_FUNDS",
        "fund limit insufficient": "INSUFFICIENT_FUNDS",  # "RMS:42240515152001:Fund Limit Insufficient By 2872.08"
        "insufficient holding": "INSUFFICIENT_HOLDINGS",
        "order is in transit state": "ORDER_ERROR",  # a cancel that comes too early (measured)
        NO_SUCH_ORDER: "ORDER_ERROR",
    },
)
