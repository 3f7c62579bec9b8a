"""Kite's way in: an app of one user, the request tokens of its login page, and the session they are traded for."""

import hashlib
from collections.abc import Callable, Mapping

from .app_login import AppLogin


class KiteLogin(AppLogin):
    """`renewable` apps get refresh tokens, as few do."""

    def __init__(self, seed: str, now_ms: Callable[[], int], *, renewable: bool = False) -> None:
        self._renewable = renewable
        super().__init__(seed, now_ms)

    def begin(self) -> None:
        super().begin()
        self.refresh_token = self.secret(32) if self._renewable else ""

    def exchange(self, form: Mapping[str, str]) -> str:
        """Trade a request token for a session. Returns why not, or nothing."""
        token = form.get("request_token", "")
        return self._traded(form, token, lambda: self.redeem(token))

    def renew(self, form: Mapping[str, str]) -> str:
        """Trade the refresh token for a session. Returns why not, or nothing."""
        token = form.get("refresh_token", "")
        return self._traded(form, token, lambda: bool(token) and token == self.refresh_token)

    def knows(self, api_key: str | None, access_token: str | None) -> bool:
        return self.alive and (api_key, access_token) == (self.api_key, self.access_token)

    def _traded(self, form: Mapping[str, str], token: str, good: Callable[[], bool]) -> str:
        checksum = hashlib.sha256((self.api_key + token + self.api_secret).encode()).hexdigest()
        if (form.get("api_key"), form.get("checksum")) != (self.api_key, checksum):
            return "Invalid `checksum`."
        if not good():
            return "Token is invalid or has expired."
        self.begin()
        return ""
