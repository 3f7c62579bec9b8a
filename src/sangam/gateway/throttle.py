"""How much a client may say: few messages before it authenticates, later a steady rate with room for a burst."""

from enum import Enum

from .settings import GatewaySettings


class Verdict(Enum):
    TAKE = "take"
    REFUSE = "refuse"
    CUT = "cut"


class Throttle:
    """A token bucket: clients that subscribe one symbol per frame may do so on connecting, and none may flood."""

    __slots__ = ("_at", "_refused", "_settings", "_strangers", "_tokens")

    def __init__(self, settings: GatewaySettings, now: float) -> None:
        self._settings = settings
        self._at = now
        self._tokens = float(settings.message_burst)
        self._refused = 0
        self._strangers = 0

    def judge(self, now: float, authenticated: bool) -> Verdict:
        """`now` is monotonic seconds. CUT follows when refusals do not make the client stop."""
        settings = self._settings
        if not authenticated:
            self._strangers += 1
            return Verdict.TAKE if self._strangers <= settings.max_messages_unauthenticated else Verdict.CUT
        self._tokens += (now - self._at) * settings.message_rate
        self._at = now
        if self._tokens >= settings.message_burst:
            self._tokens = float(settings.message_burst)
            self._refused = 0
        if self._tokens >= 1:
            self._tokens -= 1
            return Verdict.TAKE
        self._refused += 1
        return Verdict.REFUSE if self._refused <= settings.max_refused_messages else Verdict.CUT
