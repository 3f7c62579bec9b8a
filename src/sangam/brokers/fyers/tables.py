"""Fyers' facts as tables (API v3 documentation of July 2026 and the official SDK fyers-apiv3 3.2.0)."""

from collections.abc import Mapping

from sangam.brokers.contract import Interval, Limit, Tag
from sangam.brokers.evidence import Evidence
from sangam.model.enums import Action, Exchange, OrderStatus, PriceType, Product

TITLE = "Fyers"

HOSTS = {
    "api": "https://api-t1.fyers.in",
    "public": "https://public.fyers.in",
    "hsm": "wss://socket.fyers.in/hsm/v1-5/prod",
    "tbt": "wss://rtsocket-api.fyers.in/versova",
    "orders": "wss://socket.fyers.in/trade/v3",
}

VERSION = {"version": "3"}

EXCHANGES: Mapping[str, Exchange] = {
    "1010": Exchange.NSE,
    "1011": Exchange.NFO,
    "1012": Exchange.CDS,
    "1020": Exchange.NCO,
    "1120": Exchange.MCX,
    "1210": Exchange.BSE,
    "1211": Exchange.BFO,
}
"""Exchange and segment as the first four digits of a fyToken tell them. BCD (1212) has no master file."""

INDEX_EXCHANGES: Mapping[str, Exchange] = {
    "1010": Exchange.NSE_INDEX,
    "1210": Exchange.BSE_INDEX,
    "1120": Exchange.MCX_INDEX,
}

SEGMENTS: Mapping[str, str] = {
    "1010": "nse_cm",
    "1011": "nse_fo",
    "1012": "cde_fo",
    "1020": "nse_com",
    "1120": "mcx_fo",
    "1210": "bse_cm",
    "1211": "bse_fo",
    "1212": "bcs_fo",
}
"""The data socket's words for them (the SDK's map.json), which serve as `brexchange` here."""

MASTERS = ("NSE_CM", "NSE_FO", "NSE_CD", "NSE_COM", "BSE_CM", "BSE_FO", "MCX_COM")

INDEX_TYPE = "10"

HSM_INDEX_NAMES: Mapping[str, str] = {
    "NSE:NIFTY50-INDEX": "Nifty 50",
    "NSE:NIFTYBANK-INDEX": "Nifty Bank",
    "NSE:FINNIFTY-INDEX": "Nifty Fin Service",
    "NSE:MIDCPNIFTY-INDEX": "NIFTY MID SELECT",
    "NSE:NIFTYNXT50-INDEX": "Nifty Next 50",
    "NSE:INDIAVIX-INDEX": "India VIX",
    "BSE:SNSX50-INDEX": "SNSX50",
}
"""By which names the data socket knows the indices that have derivatives; the public file tells those of all."""

SIDES: Mapping[int, Action] = {1: Action.BUY, -1: Action.SELL}
SIDE_OF = {action: side for side, action in SIDES.items()}

TYPES: Mapping[int, PriceType] = {1: PriceType.LIMIT, 2: PriceType.MARKET, 3: PriceType.SL_M, 4: PriceType.SL}
TYPE_OF = {price_type: number for number, price_type in TYPES.items()}

PRODUCTS: Mapping[str, Product] = {"CNC": Product.CNC, "INTRADAY": Product.MIS, "MARGIN": Product.NRML}
PRODUCT_OF = {product: name for name, product in PRODUCTS.items()}

NEAREST: Mapping[str, Product] = {**PRODUCTS, "MTF": Product.CNC, "CO": Product.MIS, "BO": Product.MIS}
"""By which of our products an order or a trade of Fyers' other ones is shown. Nothing acts on a product there."""

PRODUCTS_OF: Mapping[Exchange, frozenset[Product]] = {
    exchange: frozenset({Product.CNC if exchange in (Exchange.NSE, Exchange.BSE) else Product.NRML, Product.MIS})
    for exchange in EXCHANGES.values()
}

STATUSES: Mapping[int, OrderStatus] = {
    1: OrderStatus.CANCELLED,
    2: OrderStatus.COMPLETE,
    5: OrderStatus.REJECTED,
    7: OrderStatus.CANCELLED,
}
"""4 (in transit) and 6 (pending) are ways of being open, 3 is not used; 7 is expired."""

GTT_STATUSES: Mapping[int, str] = {1: "cancelled", 2: "triggered", 5: "rejected", 7: "expired"}
"""The same numbers; every other one waits."""

TAG = Tag("text", 30)
OWN_TAG, NO_TAG = "1:", "2:Untagged"
"""The books put a 1 before a tag that the user gave, and a 2 before one of Fyers'."""

MOMENT = "%d-%b-%Y %H:%M:%S"

BOOK_NAMES: Mapping[str, str] = {
    "qty_remaining": "remainingQuantity",
    "qty_filled": "filledQty",
    "qty_disc": "disclosedQty",
    "price_limit": "limitPrice",
    "price_stop": "stopPrice",
    "price_traded": "tradedPrice",
    "ord_type": "type",
    "fy_token": "fyToken",
    "oms_msg": "message",
    "time_oms": "orderDateTime",
    "validity": "orderValidity",
    "product_type": "productType",
    "tran_side": "side",
    "org_ord_status": "status",
    "ordertag": "orderTag",
}
"""What the order book calls the order socket's fields (map.json). The socket's `ord_status` is an internal number."""

IN_TRANSIT = "201"
"""The code of an answer that says only that the request was made: "check orderbook before placing order"."""

DEAD_CREDENTIALS = frozenset({"-8", "-15", "-16", "-17"})
"""Expired, invalid, not authenticated, invalid or expired (documentation: Common API Error Codes)."""

TOO_MANY = "-429"

UNKNOWN_ORDER = "-51"
UNKNOWN_SYMBOL = ("-300", "-310")

EVIDENCE = Evidence(
    # -99 stands for rejected orders and, in public logs, for "internal server error" too: its text must prove it.
    kinds={
        "-50": "INVALID_INPUT",  # documentation: Common API Error Codes
        UNKNOWN_ORDER: "ORDER_ERROR",  # the same, as are -53, -300 and -352: no such order, position, symbol, app
        "-53": "ORDER_ERROR",
        **dict.fromkeys(UNKNOWN_SYMBOL, "INVALID_INPUT"),  # -310: a public capture of the margin calculator
        "-352": "INVALID_INPUT",
        "-52": "ORDER_ERROR",  # "Not a pending order" (public logs of cancels that came too late)
        "-437": "INVALID_INPUT",  # "invalid auth code" (public logs of logins)
    },
    texts={
        "red:margin shortfall": "INSUFFICIENT_FUNDS",  # order books in public logs, 2024 to 2026; RED is the risk desk
        "red:rule:": "ORDER_ERROR",  # "RED:RULE:{Check circuit limit including square off order}" and others
        "not a multiple of tick size": "INVALID_ORDER",  # documentation: Order Placement Guide, Product Types
        "multiples of the lot size": "INVALID_ORDER",  # documentation: MultiLeg Order, Input Validations
        "cannot convert": "ORDER_ERROR",  # documentation: Convert Position
    },
    statuses=(200, *range(400, 500)),
)

LIMITS = (
    Limit("orders", 7, 1.0, reserve=2),
    Limit("orders", 120, 60.0, reserve=24),
    Limit("orders", 60_000, 86_400.0, reserve=1000),
    Limit("default", 3, 1.0),
    Limit("default", 80, 60.0),
    Limit("default", 40_000, 86_400.0),
)
"""Fyers counts 10 a second, 200 a minute and 100,000 a day over all calls, and blocks for the day who breaks the
minute more than three times: the two lanes share those figures."""

QUOTE_BATCH = 50

INTERVALS: Mapping[str, Interval] = {
    **{f"{minutes}m": Interval(str(minutes), 100) for minutes in (1, 2, 3, 5, 10, 15, 20, 30)},
    **{f"{minutes // 60}h": Interval(str(minutes), 100) for minutes in (60, 120, 180, 240)},
    "D": Interval("1D", 366),
}
