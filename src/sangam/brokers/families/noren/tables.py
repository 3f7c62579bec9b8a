"""The wire's facts as tables (the brokers' Noren API documentation, and Kambala's SDK NorenRestApi 0.0.37)."""

from collections.abc import Mapping

from sangam.brokers.contract import Interval, Tag
from sangam.brokers.evidence import Evidence
from sangam.model.enums import Exchange, OrderStatus, PriceType, Product

CODES: Mapping[Exchange, str] = {
    **{
        code: code.value
        for code in (
            Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO, Exchange.CDS, Exchange.BCD, Exchange.MCX,
        )
    },
    Exchange.NCDEX: "NCX",
}  # fmt: skip
EXCHANGES: Mapping[str, Exchange] = {theirs: ours for ours, theirs in CODES.items()}

CASH = frozenset({Exchange.NSE, Exchange.BSE})
INDEX_EXCHANGES: Mapping[Exchange, Exchange] = {Exchange.NSE: Exchange.NSE_INDEX, Exchange.BSE: Exchange.BSE_INDEX}

PRICE_TYPES: Mapping[str, PriceType] = {
    "MKT": PriceType.MARKET,
    "LMT": PriceType.LIMIT,
    "SL-LMT": PriceType.SL,
    "SL-MKT": PriceType.SL_M,
    "SLLMT": PriceType.SL,
    "SLMKT": PriceType.SL_M,
}
"""Books may leave the hyphen out."""
ORDER_TYPES: Mapping[PriceType, str] = {
    PriceType.MARKET: "MKT",
    PriceType.LIMIT: "LMT",
    PriceType.SL: "SL-LMT",
    PriceType.SL_M: "SL-MKT",
}

PRODUCTS: Mapping[str, Product] = {"C": Product.CNC, "M": Product.NRML, "I": Product.MIS}
PRODUCT_CODES: Mapping[Product, str] = {ours: theirs for theirs, ours in PRODUCTS.items()}
NEAREST: Mapping[str, Product] = {**PRODUCTS, "F": Product.CNC, "H": Product.MIS, "B": Product.MIS}
"""By which of our products an order or a trade of the others is shown: margin trading, cover and bracket orders. A
change does not name the product, so it stays what it is."""

_DERIVATIVE = frozenset({Product.NRML, Product.MIS})
PRODUCTS_OF: Mapping[Exchange, frozenset[Product]] = {
    **dict.fromkeys(CASH, frozenset({Product.CNC, Product.MIS})),
    **dict.fromkeys((Exchange.NFO, Exchange.BFO, Exchange.CDS, Exchange.BCD), _DERIVATIVE),
}
"""Not of commodities: nobody says whether a quantity of theirs is of lots or of units, which is a hundredfold order."""

STATUSES: Mapping[str, OrderStatus] = {
    "COMPLETE": OrderStatus.COMPLETE,
    "REJECTED": OrderStatus.REJECTED,
    "REJECT": OrderStatus.REJECTED,
    "CANCELED": OrderStatus.CANCELLED,
    "CANCELLED": OrderStatus.CANCELLED,
    "TRIGGER_PENDING": OrderStatus.TRIGGER_PENDING,
}
"""Every other status (PENDING, New, Replaced ...) is a way of being open."""

OF_A_CHANGE = frozenset({"REPLACEREJECTED", "CANCELREJECTED"})
"""Reports of a change or a cancel that was refused: the order itself lives on, whatever the status says."""

GTT_DONE = ("oi created", "oi replaced", "oi replacedt", "oi delete success", "oi deleted")
"""What stands in place of Ok where a trigger was set, changed or deleted."""
GTT_ABOVE, GTT_BELOW = "LTP_A_O", "LTP_B_O"

TAG = Tag("text", 20)
"""`remarks`, echoed in the books and the news; no length is documented."""

CLOCK = "%H:%M:%S %d-%m-%Y"
FILLED = "%d-%m-%Y %H:%M:%S"
"""19:59:32 13-12-2020, and the other way round, on India's wall clock."""
UNSET = 946_665_000_000
"""What lies before 2000 (it is 1980, in milliseconds) stands for none."""

NOTHING = ('error occurred : 5 "no data"', 'error occurred : 5 {"no data"}', "no data :")
"""With these words an empty book is told as an error."""

DEAD = "session expired"
TOO_MANY = ("order recieved", "exceeds limit")
"""``Order Recieved 11 in a current second exceeds Limit 10 for user``: of any route, with HTTP 200."""

EVIDENCE = Evidence(
    texts={
        "margin shortfall": "INSUFFICIENT_FUNDS",  # RED:Margin Shortfall:INR 1.00 Available:INR 0.00 for C-...
        "algo_chk:": "INVALID_ORDER",  # MKT Order type not allowed for API order
        "ora:order not found": "ORDER_ERROR",  # of a change or a cancel
        "trigger price invalid": "INVALID_ORDER",
        "invalid amo": "INVALID_ORDER",
        "invalid oi": "ORDER_ERROR",  # no such trigger
        "invalid input :": "INVALID_INPUT",
        '2 "invalid input"': "INVALID_INPUT",
    },
    statuses=(200, *range(400, 500)),
)

INTERVALS: Mapping[str, Interval] = {
    "1m": Interval("1", 5),
    "3m": Interval("3", 10),
    "5m": Interval("5", 20),
    "10m": Interval("10", 40),
    "15m": Interval("15", 60),
    "30m": Interval("30", 90),
    "1h": Interval("60", 180),
    "2h": Interval("120", 180),
    "4h": Interval("240", 365),
    "D": Interval("", 730),
}
"""Days that one request may span: none are documented; longer ones time out, and days end after 1,201 rows."""

INDICES: Mapping[str, str] = {
    "Nifty Fin Services": "FINNIFTY",
    "Nifty Financial Services": "FINNIFTY",
    "Nifty Midcap Select": "MIDCPNIFTY",
}
"""Indices of NSE that a file or a list spells in a way of its own."""

EOD_NAMES: Mapping[str, str] = {
    "INDIAVIX": "India VIX",
    "FINNIFTY": "Nifty Financial Services",
    "MIDCPNIFTY": "Nifty Midcap Select",
}
"""Indices whose daily candles go by another name than the one in NSE's file."""

SUBSCRIBE_BATCH = 100
"""Scrips in one message; no cap is documented."""
