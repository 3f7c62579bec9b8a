"""The border between feed and gateway: what a gateway asks, and what it is told.

In one process both sides call each other directly; a split server speaks the same verbs over a bus."""

from enum import StrEnum
from typing import Protocol

import msgspec

from sangam.model.enums import AccountState
from sangam.model.instrument import Level
from sangam.model.order import OrderNews


class Dialect(StrEnum):
    """How a payload is written: `canonical` is the JSON of ``data``, `flat` a whole message of the flat dialect."""

    CANONICAL = "canonical"
    FLAT = "flat"


class Granted(msgspec.Struct, frozen=True):
    """The want is known and its instrument resolved. `level` is what will really be delivered."""

    want: int
    level: Level


class Pending(msgspec.Struct, frozen=True):
    """Taken and kept, but it cannot start yet (no session, master not loaded). A later refusal is told by the sink.

    `asked` says that a feed in another process was asked a moment ago; what it says is then in `answered`."""

    want: int
    level: Level
    reason: str
    asked: bool = False


class Refused(msgspec.Struct, frozen=True):
    """Not taken; nothing to release."""

    reason: str
    code: str = "SUBSCRIPTION_ERROR"


class StreamUse(msgspec.Struct, frozen=True):
    """One stream's limits and how much of them is used."""

    name: str
    symbols: int
    sockets: int
    max_symbols_per_socket: int
    max_sockets: int


class AccountHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What can be seen of an account's feed. Times are epoch milliseconds."""

    account: str
    broker: str
    state: AccountState
    detail: str = ""
    since: int = 0
    wants: int = 0
    last_data_at: int | None = None
    reconnects: int = 0
    updates: int = 0
    live_ratio: float = 1.0
    """Share of the market hours since the start in which the feed was live."""
    streams: tuple[StreamUse, ...] = ()
    modes: dict[str, dict[str, tuple[int, ...]]] = {}
    """Exchange -> mode label -> depth levels on offer."""
    source: str = ""
    """The account whose streams serve this one, where its own broker has none."""
    simulated: bool = False
    """Its prices are those of our own exchange."""


class FeedPort(Protocol):
    """What a gateway asks. Every Granted or Pending must be released once by whoever got it."""

    def want(
        self, account: str, symbol: str, exchange: str, level: Level, dialect: Dialect = Dialect.CANONICAL
    ) -> Granted | Pending | Refused:
        """Listen to an instrument in one mode. Equal wants share one id; `symbol` may carry a depth suffix."""
        ...

    def answered(self, want: int) -> Granted | Pending | Refused:
        """What has become of a want by now. One that is Refused here is held and must be released."""
        ...

    def release(self, want: int) -> None:
        """Undo one `want`."""
        ...

    def snapshot(self, want: int) -> bytes | None:
        """The newest payload, if it may be shown: live or market closed, current generation, master and epoch, and all
        fields of the mode known."""
        ...

    def sequence(self, want: int) -> int:
        """The number of the last published update of a want."""
        ...

    def health(self, account: str) -> AccountHealth: ...


class Served(FeedPort, Protocol):
    """A feed in this process, all of which can be looked at."""

    def all_health(self) -> list[AccountHealth]: ...


class Sink(Protocol):
    """What a gateway is told. All calls come from the feed's loop and must not block or raise."""

    def publish(self, want: int, payload: bytes) -> None:
        """An update of a want, encoded once."""
        ...

    def lapse(self, want: int) -> None:
        """What was published of a want may not be shown as current any more; whoever keeps a copy forgets it."""
        ...

    def refuse(self, want: int, code: str, reason: str) -> None:
        """A want that was Granted or Pending turned out to be refused; it stays held until it is released."""
        ...

    def state(self, health: AccountHealth) -> None:
        """An account's feed changed its state."""
        ...

    def order(self, news: OrderNews) -> None:
        """An event of an order, for the order listeners of its account's user."""
        ...
