"""What a gateway keeps of a want that it asked a feed elsewhere for."""

from sangam.feed.port import Dialect, Refused
from sangam.model.instrument import Level

WantKey = tuple[str, str, str, Level, Dialect]


class Remote:
    """A want as the gateway knows it. `want` is the feed's number for it, 0 while unknown; `lease` the one under which
    it was asked for."""

    __slots__ = (
        "asked_at",
        "count",
        "granted",
        "heard_at",
        "id",
        "key",
        "lease",
        "level",
        "payload",
        "reason",
        "refusal",
        "seq",
        "want",
    )

    def __init__(self, number: int, key: WantKey) -> None:
        self.id = number
        self.key = key
        self.level = key[3]
        self.count = 0
        self.granted = False
        self.reason = "the feed was asked for it"
        self.refusal: Refused | None = None
        self.lease = 0
        self.asked_at = float("-inf")
        self.forget()

    def forget(self) -> None:
        """What the feed said of it means nothing any more."""
        self.want = 0
        self.seq = -1
        self.payload: bytes | None = None
        self.heard_at = 0
