"""What tells one installation of XTS from another."""

from typing import Annotated, Literal

import msgspec

from sangam.brokers.contract import Limit
from sangam.model.enums import Exchange

from .tables import LIMITS, SEGMENTS

Way = Literal["keys", "token exchange", "page session"]


EXCHANGES = (Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO, Exchange.NSE_INDEX, Exchange.BSE_INDEX)
"""What every installation is known to have."""

LANES = frozenset({row.lane for row in LIMITS} | {"masters", "login"})
"""What requests wait in, each with limits of its own."""


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A broker of the family, as plain data.

    `root` is the installation's address. `prefixes` are the paths at which its market data may be served: a login takes
    the first that answers, and stays with it; one with ``binary`` in it sends packets. `lookup` is the address that
    tells the host of orders, where the installation has it.

    `ways` are those to a session. "keys": the two pairs of keys suffice; "token exchange": the login page brings a
    token that is traded for the session; "page session": the page brings the session itself.

    `symbols` is how many instruments one session may subscribe, as far as that is known: each answer to a subscription
    tells what is left. `margin` says that margins can be asked."""

    name: str
    title: str
    root: str
    aliases: tuple[str, ...] = ()
    prefixes: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("/apimarketdata", "/apibinarymarketdata")
    lookup: str = ""
    ways: Annotated[tuple[Way, ...], msgspec.Meta(min_length=1)] = ("keys",)
    exchanges: tuple[Exchange, ...] = EXCHANGES
    symbols: int = 500
    margin: bool = False
    limits: tuple[Limit, ...] = LIMITS
    session_ends: str = "06:00"
    """The servers start anew every night; a token lives for a day at most."""
    instruments_ready: str = "08:30"

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if not SEGMENTS.keys() >= {*self.exchanges}:
            raise ValueError(f"exchanges may be {', '.join(SEGMENTS)}")

    @property
    def hosts(self) -> dict[str, str]:
        """The rows of the host table, as long as no login has told others."""
        return {
            **orders_at(f"{self.root}/interactive"),
            **data_at(self.root + self.prefixes[0]),
            **({"lookup": self.lookup} if self.lookup else {}),
        }


def orders_at(address: str) -> dict[str, str]:
    """The rows for an address of the orders' service. Its socket hangs below the first part of the path."""
    scheme, _, rest = address.rstrip("/").partition("://")
    host, *path = rest.split("/")
    return {
        "api": f"{scheme}://{rest}",
        "orders": f"{scheme.replace('http', 'ws')}://{'/'.join([host, *path[:1]])}/socket.io/",
    }


def data_at(address: str) -> dict[str, str]:
    """The rows for an address of the market data."""
    scheme, _, rest = address.partition("://")
    return {"market": address, "stream": f"{scheme.replace('http', 'ws')}://{rest}/socket.io/"}
