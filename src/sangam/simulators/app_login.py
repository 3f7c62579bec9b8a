"""A user's app at a broker: its keys, the codes that a login page hands out, and the session they are traded for."""

import random
from collections.abc import Callable

from .exchange import next_day_begins

_CODE_LIVES_MS = 5 * 60_000


class AppLogin:
    """The session dies when `ends(now_ms)` says, by the exchange's clock (06:00 IST unless told otherwise)."""

    def __init__(
        self,
        seed: str,
        now_ms: Callable[[], int],
        *,
        ends: Callable[[int], int] = next_day_begins,
        key_length: int = 16,
    ) -> None:
        self._random = random.Random(seed)
        self._now_ms = now_ms
        self._ends = ends
        self._codes: dict[str, int] = {}
        self.api_key = self.secret(key_length)
        self.api_secret = self.secret(32)
        self.begin()

    def begin(self) -> None:
        """A new session; the one before is dead."""
        self.access_token = self.new_token()
        self.alive = True
        self.expires = self._ends(self._now_ms())

    def new_token(self) -> str:
        return self.secret(32)

    @property
    def outlived(self) -> bool:
        """Whether its hour has come while it was alive."""
        return self.alive and self._now_ms() >= self.expires

    def code(self) -> str:
        """What the browser brings back from the login page: good for a few minutes, and once."""
        code = self.secret(32)
        self._codes[code] = self._now_ms() + _CODE_LIVES_MS
        return code

    def redeem(self, code: str) -> bool:
        """Whether a code is good; it is so no more."""
        return self._codes.pop(code, 0) > self._now_ms()

    def secret(self, length: int) -> str:
        return "".join(self._random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length))
