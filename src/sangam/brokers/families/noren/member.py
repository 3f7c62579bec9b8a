"""What differs between the brokers of the family, as plain data: a table of a file could say all of it."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from sangam.brokers.contract import Limit
from sangam.model.enums import Exchange

from .tables import CASH, CODES, INDEX_EXCHANGES

Route = Literal["logout", "GTT", "conversion", "order margin", "basket margin", "index list"]
"""What a broker of the family may lack."""

LANES = frozenset({"orders", "login", "files", "default"})
"""What requests wait in, each with limits of its own."""

ORDINARY = (
    Limit("orders", 10, 1.0, reserve=2),
    Limit("default", 10, 1.0),
)
"""Where a broker publishes none: ten orders a second are what SEBI allows without a registered algorithm."""


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One broker. Names and hosts: REST is ``https://{host}/{root}``, the socket ``wss://{host}/{socket}/``; `hosts`
    replaces or adds rows of the table that follows from these (api, login, token, files, stream).

    `login`: by OAuth on the broker's own host, or by a login service of its own ("pi"). `body` says
    how a request proves its session: a Bearer header, or the token behind the body (``&jKey=``); `charts` the same for
    candles. `renews` says that a refresh token makes a new session.

    `exchanges` are those of the instrument files; `files` are the paths of these below the host of that name, where
    they are not one zipped per exchange. Files without a column of ticks take them from `ticks`: the finest of each
    exchange.

    `acknowledged` says that the socket answers our heartbeat; `heartbeat`, `linger` and `cooldown` are seconds, the
    last how long after a lost socket no other is opened. `webhook`: orders are posted to an address of the user's.
    `session_ends` is the hour (IST) at which tokens are cleared."""

    name: str
    title: str
    host: str
    aliases: tuple[str, ...] = ()
    root: str = "NorenWClientAPI"
    socket: str = "NorenWSAPI"
    hosts: Mapping[str, str] = {}
    login: Literal["oauth", "pi"] = "oauth"
    body: Literal["bearer", "jkey"] = "bearer"
    charts: Literal["bearer", "jkey"] = "bearer"
    renews: bool = False
    exchanges: tuple[Exchange, ...] = (
        Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO, Exchange.CDS, Exchange.MCX,
    )  # fmt: skip
    files: tuple[str, ...] = ()
    ticks: Mapping[Exchange, float] = {}
    lacks: frozenset[Route] = frozenset()
    webhook: bool = False
    limits: tuple[Limit, ...] = ORDINARY
    symbols_per_socket: int = 1000
    acknowledged: bool = False
    heartbeat: float = 30.0
    linger: float = 5.0
    cooldown: float = 0.0
    session_ends: str = "03:00"

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if not CODES.keys() >= {*self.exchanges, *self.ticks}:
            raise ValueError(f"exchanges and ticks may be of {', '.join(CODES)}")

    @property
    def all_hosts(self) -> Mapping[str, str]:
        base = f"https://{self.host}"
        return {
            "api": f"{base}/{self.root}",
            "login": f"{base}/OAuthlogin/authorize/oauth",
            "files": base,
            "stream": f"wss://{self.host}/{self.socket}/",
            **self.hosts,
        }

    @property
    def carried(self) -> frozenset[Exchange]:
        """Its exchanges and their indices. Those of NSE are in its file, those of BSE in the list of indices alone."""
        listed = {Exchange.NSE} if "index list" in self.lacks else CASH
        return frozenset((*self.exchanges, *(INDEX_EXCHANGES[each] for each in self.exchanges if each in listed)))
