"""Angel One's way in: client code, PIN and the code of an authenticator, and the three tokens of a session."""

from collections.abc import Callable
from datetime import datetime, time, timedelta

from sangam.model.clock import IST, ist_from_ms

from .app_login import AppLogin
from .authenticator import Authenticator


class AngelLogin(AppLogin):
    """The session dies at midnight. Every login and every renewal gives a new jwt, feed token and refresh token."""

    def __init__(self, seed: str, now_ms: Callable[[], int]) -> None:
        super().__init__(seed, now_ms, ends=_midnight, key_length=8)
        self.pin = str(1000 + int(self.api_secret, 36) % 9000)
        self.authenticator = Authenticator(self.api_secret, now_ms)

    def begin(self) -> None:
        super().begin()
        self.feed_token, self.refresh_token = self.new_token(), self.new_token()

    def new_token(self) -> str:
        return f"eyJhbGciOiJIUzUxMiJ9.{self.secret(48)}"

    @property
    def tokens(self) -> dict[str, str]:
        return {"jwtToken": self.access_token, "refreshToken": self.refresh_token, "feedToken": self.feed_token}


def _midnight(now_ms: int) -> int:
    tomorrow = ist_from_ms(now_ms).date() + timedelta(days=1)
    return int(datetime.combine(tomorrow, time(), IST).timestamp() * 1000)
