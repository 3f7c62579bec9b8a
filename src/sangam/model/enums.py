"""Enumerations of the unified language (values are the wire spellings our clients see)."""

from enum import IntEnum, StrEnum


class Exchange(StrEnum):
    """Unified exchange codes. The ``*_INDEX`` codes carry data only and cannot be traded."""

    NSE = "NSE"
    NFO = "NFO"
    CDS = "CDS"
    BSE = "BSE"
    BFO = "BFO"
    BCD = "BCD"
    MCX = "MCX"
    NCDEX = "NCDEX"
    NCO = "NCO"
    NSE_INDEX = "NSE_INDEX"
    BSE_INDEX = "BSE_INDEX"
    MCX_INDEX = "MCX_INDEX"
    GLOBAL_INDEX = "GLOBAL_INDEX"
    CRYPTO = "CRYPTO"

    @property
    def is_index(self) -> bool:
        return self.value.endswith("_INDEX")


class Mode(IntEnum):
    """What a client wants to hear of an instrument; each mode includes the ones below it."""

    LTP = 1
    QUOTE = 2
    DEPTH = 3

    @property
    def label(self) -> str:
        return _MODE_LABELS[self]


_MODE_LABELS = {Mode.LTP: "LTP", Mode.QUOTE: "Quote", Mode.DEPTH: "Depth"}


INTERVALS_MS = (0, 50, 100, 250, 500, 1000)
"""How often a client may ask to hear of one instrument; 0 sends every update."""


class Action(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @classmethod
    def of(cls, quantity: int) -> "Action":
        """The side that makes a signed quantity."""
        return cls.BUY if quantity > 0 else cls.SELL


class Product(StrEnum):
    CNC = "CNC"
    NRML = "NRML"
    MIS = "MIS"


class PriceType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    SL = "SL"
    SL_M = "SL-M"

    @property
    def has_price(self) -> bool:
        return self in (PriceType.LIMIT, PriceType.SL)

    @property
    def has_trigger(self) -> bool:
        return self in (PriceType.SL, PriceType.SL_M)


class OrderStatus(StrEnum):
    """The order states that clients of the known API hear."""

    OPEN = "open"
    TRIGGER_PENDING = "trigger pending"
    COMPLETE = "complete"
    REJECTED = "rejected"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (OrderStatus.COMPLETE, OrderStatus.REJECTED, OrderStatus.CANCELLED)


class InstrumentType(StrEnum):
    EQ = "EQ"
    INDEX = "INDEX"
    FUT = "FUT"
    CE = "CE"
    PE = "PE"


class AccountState(StrEnum):
    """What an account's feed is doing now. ``auth_expired`` and ``replaced`` wait for a new session."""

    NO_SESSION = "no_session"
    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    RECONNECTING = "reconnecting"
    AUTH_EXPIRED = "auth_expired"
    REPLACED = "replaced"
    CLOSED_MARKET = "closed_market"


class KeyMode(StrEnum):
    """Where a key's orders go: always paper, always the broker, or as its user's analyzer switch says."""

    FOLLOW = "follow"
    PAPER = "paper"
    LIVE = "live"


class Scope(StrEnum):
    """What an API key may do."""

    DATA = "data"
    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    ADMIN = "admin"
