"""Facts of the Tradelab platform as tables: the same at every broker that runs it (api.pocketful.in/docs and SDK
pocketful 0.1.2; tradeapi.mastertrust.co.in)."""

from collections.abc import Mapping

from sangam.brokers.evidence import Evidence
from sangam.model.enums import Exchange, InstrumentType, Mode, OrderStatus, PriceType, Product

CODES: Mapping[Exchange, int] = {
    Exchange.NSE: 1,
    Exchange.NFO: 2,
    Exchange.CDS: 3,
    Exchange.MCX: 4,
    Exchange.BSE: 6,
    Exchange.BFO: 7,
    Exchange.NSE_INDEX: 1,
    Exchange.BSE_INDEX: 6,
}
"""What a packet calls an exchange; indices are among its shares."""

CASH = (Exchange.NSE, Exchange.BSE)
CASH_CODES = frozenset(CODES[exchange] for exchange in CASH)
INDICES: Mapping[Exchange, Exchange] = {Exchange.NSE: Exchange.NSE_INDEX, Exchange.BSE: Exchange.BSE_INDEX}
INDEX_SEGMENTS = frozenset({"INDICES", "IDX"})

COUNTED_IN_LOTS = frozenset({Exchange.MCX})
"""Orders count these in lots: one lot of crude oil is told as quantity 1 beside lot_size 100 (Master Trust documents:
Order book)."""

RIGHTS: Mapping[str, InstrumentType] = {
    "CE": InstrumentType.CE,
    "PE": InstrumentType.PE,
    "XX": InstrumentType.FUT,
}
FUTURES = ("FUT", "SF", "IF")
"""How the instrument names of futures begin; BSE's are told by these alone."""

MARKET_DATA, COMPACT, SNAPQUOTE = 1, 2, 4
ORDER_NEWS, TRADE_NEWS = 50, 51
"""The first byte of a frame."""

TOPICS: Mapping[int, str] = {
    MARKET_DATA: "marketdata",
    COMPACT: "compact_marketdata",
    SNAPQUOTE: "full_snapquote",
}
TOLD_IN: Mapping[Mode, frozenset[int]] = {
    Mode.LTP: frozenset({COMPACT}),
    Mode.QUOTE: frozenset({MARKET_DATA}),
    Mode.DEPTH: frozenset({MARKET_DATA, SNAPQUOTE}),
}
"""The packet with the book has no last price, so another goes beside it."""

SUBSCRIBE_BATCH = 200
"""Instruments in one request. No cap is documented; the SDK sends any number in one."""

PRODUCTS: Mapping[str, Product] = {product.value: product for product in Product}
NEAREST: Mapping[str, Product] = {**PRODUCTS, "CO": Product.MIS, "BO": Product.MIS}
"""By which of our products an order or a trade with legs is shown. Nothing acts on a product there."""
LEGGED = frozenset({"CO", "BO", "SPD"})
"""Products and execution types of orders that hang together; they have calls of their own."""

PRODUCTS_OF: Mapping[Exchange, frozenset[Product]] = {
    exchange: frozenset({Product.CNC if exchange in CASH else Product.NRML, Product.MIS})
    for exchange in CODES
    if not exchange.is_index
}

PRICE_TYPES: Mapping[str, PriceType] = {
    "MARKET": PriceType.MARKET,
    "MKT": PriceType.MARKET,
    "LIMIT": PriceType.LIMIT,
    "SL": PriceType.SL,
    "SLM": PriceType.SL_M,
    "SL-M": PriceType.SL_M,
}
PRICE_TYPE_NAMES: Mapping[PriceType, str] = {kind: kind.value for kind in PriceType} | {PriceType.SL_M: "SLM"}

FINAL: Mapping[str, OrderStatus] = {
    "complete": OrderStatus.COMPLETE,
    "completed": OrderStatus.COMPLETE,
    "rejected": OrderStatus.REJECTED,
    "cancelled": OrderStatus.CANCELLED,
    "cancel confirmed": OrderStatus.CANCELLED,
    "trigger pending": OrderStatus.TRIGGER_PENDING,
}
"""Statuses in lower case, with blanks, and without the AMO that may stand in front. The whole vocabulary is not
published: every other one (NEW_CONFIRMED, modify pending ...) is a way of being open, for to call an order over that is
not would lose it."""

NO_REASON = frozenset({"--", "NONE"})
"""Of a rejection where there was none."""

DEAD = "TokenException"
DEAD_TEXT = "request unauthori"
"""``Request Unauthorised``, under a code (40000) that also says that something is forbidden."""

EVIDENCE = Evidence(
    # SDK pocketful 0.1.2, pocketful_exceptions. OrderException, DataException, NetworkException and GeneralException
    # prove nothing: "placement and manipulation", "bad response from the backend".
    kinds={
        "InputException": "INVALID_INPUT",
        "PermissionException": "INSUFFICIENT_PERMISSION",
        "44000": "INVALID_INPUT",  # "`exchange_order_id` can't be blank"
    },
    # The risk checks' words (Master Trust documents: Order book, rejected rows).
    texts={
        "rms:margin exceeds": "INSUFFICIENT_FUNDS",
        "no holdings present": "INSUFFICIENT_HOLDINGS",
    },
)
