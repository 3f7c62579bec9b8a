"""Every error of the house, one tree:

SangamError                  something a person can act on: `str(e)` says what happened and what to do
├── ConfigError              settings, command line or files are wrong; nothing was started
│   ├── UnknownBroker        no such broker; the text lists the known ones
│   └── BrokerNotConfigured  a broker nobody can speak to yet; the text lists what to ask it for, and where that goes
├── InvalidInput             a client's request is malformed
├── SymbolNotFound           no such instrument in this broker's master
├── NotListed                an underlying has no such options
├── AuthError                an API key is unknown, revoked or lacks a scope
├── OrderError               about one order of ours; `order` tells which, where there is one
│   ├── Denied               we did not send it: wrong terms, risk rule, waited too long
│   │   └── Conflict         this client order id, or an equal order in doubt, stands already
│   ├── OrderNotFound        no such order, GTT or position
│   ├── Rejected             the broker said no, with evidence
│   └── InDoubt              sent, and nobody knows yet what became of it: do not repeat
├── Unsupported              the broker does not offer this
├── StoreError               the database takes nothing now (disk full, connection lost)
├── DecodeError              a frame or file row is damaged; costs that frame or row, nothing else
├── MasterRejected           a whole master file is refused; yesterday's stays
└── BrokerError              talking to a broker failed; `sent` tells whether the request may have left
    ├── NotSent              provably never left this machine: repeating is safe
    ├── Refused              the broker said no, with evidence (`code`, broker's text)
    │   ├── SessionExpired   the credential is dead: stop, log in again, never retry
    │   └── RateLimited      too many requests; nothing was done
    └── Unknown              may or may not have happened: never repeat a write, reconcile
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from .order import Order


class SangamError(Exception):
    """Base of all errors that carry a message for a person. `order` is the order of ours that it is about, if any."""

    code = "UNKNOWN_ERROR"
    order: "Order | None" = None


class ConfigError(SangamError):
    code = "CONFIG_ERROR"


class UnknownBroker(ConfigError):
    code = "BROKER_ERROR"

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"Unknown broker '{name}'. Known brokers: {', '.join(known)}.")
        self.name = name
        self.known = known


class BrokerNotConfigured(ConfigError):
    """`asks` are the facts to get from the broker, by the key of its declaration that takes them."""

    code = "BROKER_ERROR"

    def __init__(self, name: str, title: str, asks: Mapping[str, str]) -> None:
        facts = "\n".join(f"- {key}: {fact}" for key, fact in asks.items())
        super().__init__(
            f"{title} ('{name}') is not configured, and nothing is guessed. Ask the broker for\n{facts}\n"
            f"Write the answers into sangam_brokers/{name}.toml in the home folder (SANGAM_HOME, else ~/.sangam), as "
            "docs/adding-a-broker.md shows, and start again."
        )
        self.name = name
        self.asks = dict(asks)


class InvalidInput(SangamError):
    code = "INVALID_INPUT"


class SymbolNotFound(SangamError):
    code = "SYMBOL_NOT_FOUND"

    def __init__(self, symbol: str, exchange: str) -> None:
        super().__init__(
            f"Symbol '{symbol}' not found for exchange '{exchange}'. "
            "Please verify the symbol name and ensure master contracts are downloaded."
        )
        self.symbol = symbol
        self.exchange = exchange


class NotListed(SangamError):
    code = "INVALID_INPUT"


class AuthError(SangamError):
    code = "AUTHENTICATION_ERROR"


class OrderError(SangamError):
    """`code` is one of our error codes."""

    code = "ORDER_ERROR"

    def __init__(self, message: str, code: str = "", order: "Order | None" = None) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.order = order


class Denied(OrderError):
    code = "INVALID_ORDER"


class Conflict(Denied):
    code = "ORDER_ERROR"


class OrderNotFound(OrderError):
    code = "INVALID_INPUT"


class Rejected(OrderError):
    code = "ORDER_ERROR"


class InDoubt(OrderError):
    code = "OUTCOME_UNKNOWN"


class Unsupported(SangamError):
    code = "UNSUPPORTED"


class StoreError(SangamError):
    code = "STORE_ERROR"


class DecodeError(SangamError):
    code = "DECODE_ERROR"


class MasterRejected(SangamError):
    code = "MASTER_REJECTED"


class BrokerError(SangamError):
    code = "BROKER_ERROR"
    sent = True

    def unsent(self) -> Self:
        """The same error where we refused by ourselves: nothing left this machine."""
        self.sent = False
        return self


class NotSent(BrokerError):
    code = "NETWORK_ERROR"
    sent = False


class Refused(BrokerError):
    """`code` is one of our error codes; `broker_code` is the broker's own class or number."""

    def __init__(self, message: str, code: str = "BROKER_ERROR", broker_code: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.broker_code = broker_code


class SessionExpired(Refused):
    code = "INVALID_TOKEN"

    def __init__(self, message: str, broker_code: str = "") -> None:
        super().__init__(message, self.code, broker_code)


class RateLimited(Refused):
    code = "RATE_LIMITED"

    def __init__(self, message: str, broker_code: str = "") -> None:
        super().__init__(message, self.code, broker_code)


class Unknown(BrokerError):
    code = "OUTCOME_UNKNOWN"
