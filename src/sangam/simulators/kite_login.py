"""Kite's way in: an app of one user, the tokens of its login page, and the session that they are traded for."""

import hashlib
import random
from collections.abc import Callable, Mapping

from .exchange import next_day_begins

_REQUEST_TOKEN_LIVES_MS = 5 * 60_000


class KiteLogin:
    """The session dies at 06:00 IST of the exchange's clock. `renewable` apps get refresh tokens, as few do."""

    def __init__(self, seed: str, now_ms: Callable[[], int], *, renewable: bool = False) -> None:
        self._random = random.Random(seed)
        self._now_ms = now_ms
        self._renewable = renewable
        self._request_tokens: dict[str, int] = {}
        self.api_key = self.secret(16)
        self.api_secret = self.secret(32)
        self.begin()

    def begin(self) -> None:
        """A new session; the one before is dead."""
        self.access_token = self.secret(32)
        self.refresh_token = self.secret(32) if self._renewable else ""
        self.alive = True
        self._expires = next_day_begins(self._now_ms())

    @property
    def outlived(self) -> bool:
        """Whether its hour has come while it was alive."""
        return self.alive and self._now_ms() >= self._expires

    def request_token(self) -> str:
        """What the browser brings back from the login page: good for a few minutes, and once."""
        token = self.secret(32)
        self._request_tokens[token] = self._now_ms() + _REQUEST_TOKEN_LIVES_MS
        return token

    def exchange(self, form: Mapping[str, str]) -> str:
        """Trade a request token for a session. Returns why not, or nothing."""
        token = form.get("request_token", "")
        if not self._proved(form, token):
            return "Invalid `checksum`."
        if self._request_tokens.pop(token, 0) <= self._now_ms():
            return "Token is invalid or has expired."
        self.begin()
        return ""

    def renew(self, form: Mapping[str, str]) -> str:
        """Trade the refresh token for a session. Returns why not, or nothing."""
        token = form.get("refresh_token", "")
        if not self._proved(form, token):
            return "Invalid `checksum`."
        if not token or token != self.refresh_token:
            return "Token is invalid or has expired."
        self.begin()
        return ""

    def knows(self, api_key: str | None, access_token: str | None) -> bool:
        return self.alive and (api_key, access_token) == (self.api_key, self.access_token)

    def secret(self, length: int) -> str:
        return "".join(self._random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length))

    def _proved(self, form: Mapping[str, str], token: str) -> bool:
        checksum = hashlib.sha256((self.api_key + token + self.api_secret).encode()).hexdigest()
        return (form.get("api_key"), form.get("checksum")) == (self.api_key, checksum)
