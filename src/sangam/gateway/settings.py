"""The gateway's limits, each a number that an operator can read and change."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Times are seconds unless the name says milliseconds; sizes are bytes."""

    interval_ms: int = 50
    """The send interval of clients whose request and key name none."""
    join_seconds: float = 0.003
    """Updates within this time share one write per client."""
    settle_seconds: float = 0.5
    """A client whose subscriptions rest this long shares its buffer with clients of equal subscriptions."""

    ping_interval: float = 20.0
    ping_timeout: float = 20.0
    auth_grace: float = 15.0
    """An unauthenticated socket lives this long."""
    bad_key_delay: float = 0.3
    """Between the answer to a bad key and the close: the official SDK notices a close only after its connect phase."""

    max_message: int = 1 << 20
    max_message_unauthenticated: int = 8 << 10
    max_messages_unauthenticated: int = 20
    max_subscriptions: int = 3000
    message_rate: int = 200
    """Messages per second a client may send for ever."""
    message_burst: int = 3000
    """Messages a client may send at once: clients that subscribe one symbol per frame do so on connecting."""
    max_refused_messages: int = 2000
    """A client that goes on after this many RATE_LIMITED answers is closed (4429) ..."""
    max_waiting: int = 4 << 20
    """... as is one that sends more while messages of this size wait to be handled."""

    max_actions: int = 32
    """Order actions of a client that may be under way at once ..."""
    reserved_cancels: int = 8
    """... and how many more may be if they are cancels."""

    write_high: int = 256 << 10
    """More unsent bytes than this make a client slow: it gets the latest value per subscription."""
    max_backlog: int = 4 << 20
    """A slow client with more waiting than this is cut (4408) ..."""
    max_backlog_events: int = 1000
    """... as is one with more acks and order events waiting than this ..."""
    stuck_seconds: float = 10.0
    """... and one whose socket took nothing for this long."""


class Close:
    """Close codes of our own (RFC 6455: 4000 to 4999 are private)."""

    AUTH = 4401
    SLOW_CONSUMER = 4408
    FLOOD = 4429
