"""Upstox' facts as tables (its API documentation of 2026 and the official SDK 2.30.0)."""

from collections.abc import Mapping

from sangam.brokers.contract import Interval, Limit, Tag
from sangam.brokers.evidence import Evidence
from sangam.model.enums import Exchange, OrderStatus, Product

TITLE = "Upstox"

HOSTS = {
    "api": "https://api.upstox.com",
    "orders": "https://api-hft.upstox.com",
    "assets": "https://assets.upstox.com",
}
"""`orders` takes place, modify and cancel; GTTs go to `api` (SDK: api_client). Sockets are named by the answer of an
authorize call."""

JSON = {"Accept": "application/json"}

SEGMENTS: Mapping[str, Exchange] = {
    "NSE_EQ": Exchange.NSE,
    "BSE_EQ": Exchange.BSE,
    "NSE_FO": Exchange.NFO,
    "BSE_FO": Exchange.BFO,
    "NCD_FO": Exchange.CDS,
    "BCD_FO": Exchange.BCD,
    "MCX_FO": Exchange.MCX,
    "NSE_COM": Exchange.NCO,
    "NSE_INDEX": Exchange.NSE_INDEX,
    "BSE_INDEX": Exchange.BSE_INDEX,
    "MCX_INDEX": Exchange.MCX_INDEX,
    "GLOBAL_INDEX": Exchange.GLOBAL_INDEX,
}
"""What stands before the bar of an instrument key. Others are refused by name."""

SEGMENT_OF: Mapping[str, str] = {
    "NSE": "NSE_EQ",
    "BSE": "BSE_EQ",
    "NFO": "NSE_FO",
    "BFO": "BSE_FO",
    "CDS": "NCD_FO",
    "BCD": "BCD_FO",
    "MCX": "MCX_FO",
}
"""The `exchange` of rows, for those whose token is of the old kind and has no segment."""

CASH = frozenset({"NSE_EQ", "BSE_EQ"})

STATUSES: Mapping[str, OrderStatus] = {
    "complete": OrderStatus.COMPLETE,
    "rejected": OrderStatus.REJECTED,
    "cancelled": OrderStatus.CANCELLED,
    "cancelled after market order": OrderStatus.CANCELLED,
    "trigger pending": OrderStatus.TRIGGER_PENDING,
}
"""Every other status (open, put order req received, modify pending ...) is a way of being open."""

CODES: Mapping[Product, str] = {Product.CNC: "D", Product.NRML: "D", Product.MIS: "I"}

NEAREST: Mapping[str, str] = {"D": "D", "I": "I", "MTF": "D", "CO": "I"}
"""Upstox' products, and by which of ours an order or a trade of its other ones is shown. Nothing acts on a product
there."""


def product(code: str | None, segment: str) -> Product | None:
    """``D`` is delivery of shares, and of anything else what is carried over night."""
    if code == "I":
        return Product.MIS
    if code == "D":
        return Product.CNC if segment in CASH else Product.NRML
    return None


_DERIVATIVE = frozenset({Product.NRML, Product.MIS})
PRODUCTS_OF: Mapping[Exchange, frozenset[Product]] = {
    Exchange.NSE: frozenset({Product.CNC, Product.MIS}),
    Exchange.BSE: frozenset({Product.CNC, Product.MIS}),
    Exchange.NFO: _DERIVATIVE,
    Exchange.BFO: _DERIVATIVE,
    Exchange.CDS: _DERIVATIVE,
    Exchange.BCD: _DERIVATIVE,
    Exchange.NCO: _DERIVATIVE,
}
"""Not MCX: its orders by API are disabled (docs: UDAPI1161)."""

TAG = Tag("text", 40)

DEAD = frozenset({"UDAPI100050", "UDAPI100016"})
"""The token is invalid (docs: Error codes)."""

NO_SUCH_ORDER = "UDAPI100010"

EVIDENCE = Evidence(
    # The 4XX tables of the documentation, each page by page. Codes of a failure inside (UDAPI100500, UDAPI1033) and of
    # what no table tells prove nothing.
    kinds={
        "UDAPI10000": "INVALID_INPUT",  # Error codes: not recognized, URL malformed
        "UDAPI100015": "INVALID_INPUT",  # Error codes: API version missing
        "UDAPI100036": "INVALID_INPUT",  # Error codes: malformed input
        "UDAPI100038": "INVALID_INPUT",
        "UDAPI10005": "RATE_LIMITED",  # Error codes
        "UDAPI100057": "AUTHENTICATION_ERROR",  # Get token: authorization code
        "UDAPI100069": "AUTHENTICATION_ERROR",  # Get token: client credentials
        "UDAPI100070": "AUTHENTICATION_ERROR",  # Get token: redirect_uri
        "UDAPI100058": "INSUFFICIENT_PERMISSION",  # Authorize: no active segment
        "UDAPI100067": "INSUFFICIENT_PERMISSION",  # Error codes: extended token
        "UDAPI100073": "INSUFFICIENT_PERMISSION",  # Error codes: client_id inactive
        "UDAPI100049": "INSUFFICIENT_PERMISSION",  # Cancel: Uplink Business only
        "UDAPI1154": "INSUFFICIENT_PERMISSION",  # Place, modify, cancel: static IP
        "UDAPI1156": "INSUFFICIENT_PERMISSION",  # Place, cancel: X-Algo-Name
        "UDAPI100072": "MARKET_CLOSED",  # Funds: 05:30 to 24:00 only, HTTP 423
        "UDAPI100074": "MARKET_CLOSED",  # Place: 05:30 to 24:00 only, HTTP 423
        "UDAPI1026": "INVALID_INPUT",  # Place: no instrument key
        "UDAPI1052": "INVALID_ORDER",  # Place: quantity zero
        "UDAPI1118": "INVALID_ORDER",  # Place: too many slices
        "UDAPI1158": "INVALID_ORDER",  # Place, modify: market order blocked
        "UDAPI1161": "INVALID_ORDER",  # Place, modify: MCX disabled
        "UDAPI1003": "INVALID_INPUT",  # Modify: no order_id
        "UDAPI100041": "ORDER_ERROR",  # Modify: order is over
        "UDAPI1023": "INVALID_INPUT",  # Cancel: no order_id
        "UDAPI1010": "INVALID_INPUT",  # Cancel: form of order_id
        "UDAPI100040": "ORDER_ERROR",  # Cancel: order is over
        NO_SUCH_ORDER: "ORDER_ERROR",  # Modify, cancel, details
        "UDAPI1034": "ORDER_ERROR",  # Convert: no positions
        "UDAPI1035": "ORDER_ERROR",  # Convert: no such position
        "UDAPI1151": "INVALID_INPUT",  # GTT place: trailing gap
        **{f"UDAPI{code}": "INVALID_INPUT" for code in (*range(1126, 1146), 1150)},  # GTT place, modify, cancel
        "UDAPI1087": "INVALID_INPUT",  # Quotes: instrument key
        "UDAPI100011": "INVALID_INPUT",  # Candles: instrument key
        "UDAPI1021": "INVALID_INPUT",  # Candles: form of instrument key
        "UDAPI1148": "INVALID_INPUT",  # Candles: date range
        **{f"UDAPI{code}": "INVALID_INPUT" for code in (1054, 1057, 1096, 1097, 1098, 1099, 1102, 1103)},  # Margin
    },
    texts={"you need to add rs": "INSUFFICIENT_FUNDS"},  # docs, order book: the reason of a rejected row
)

LIMITS = (
    Limit("orders", 10, 1.0, reserve=2),
    Limit("orders", 500, 60.0, reserve=20),
    Limit("orders", 2000, 1800.0, reserve=100),
    *(
        Limit(lane, count, window)
        for lane in ("quote", "historical", "default")
        for count, window in ((50, 1.0), (500, 60.0), (2000, 1800.0))
    ),
)
"""Upstox counts each API by itself; our lanes hold several."""

QUOTE_BATCH = 500

MONTH, QUARTER, DECADE = 28, 89, 3650
"""Days of the shortest month and quarter, and of ten years."""

INTERVALS: Mapping[str, Interval] = {
    "1m": Interval("minutes/1", MONTH),
    "3m": Interval("minutes/3", MONTH),
    "5m": Interval("minutes/5", MONTH),
    "10m": Interval("minutes/10", MONTH),
    "15m": Interval("minutes/15", MONTH),
    "30m": Interval("minutes/30", QUARTER),
    "1h": Interval("hours/1", QUARTER),
    "D": Interval("days/1", DECADE),
}

SYMBOLS_PER_SOCKET = 1500
"""In mode full beside other modes; alone it would be 2000, ltpc 5000, and full_d30 has 50."""

D30_COST = 30
"""So that 50 instruments with 30 levels fill a socket."""

SUBSCRIBE_BATCH = 500
"""Keys in one request. The documents name no cap; the SDK sends any number in one."""
