"""IIFL Capital's way in: an app's secret proves itself by a checksum, and the session is a JWT that names the user."""

import base64
import hashlib
from collections.abc import Callable
from datetime import datetime, time, timedelta

import msgspec

from sangam.model.clock import IST, ist_from_ms

from .app_login import AppLogin

ROLLS_OVER = time(3, 0)


class IiflLogin(AppLogin):
    def __init__(self, seed: str, now_ms: Callable[[], int], user_id: str) -> None:
        self._user_id = user_id
        super().__init__(seed, now_ms, ends=next_roll_over)

    def new_token(self) -> str:
        claims = {"preferred_username": self._user_id, "ucc": self._user_id, "solace_group": "SUBSCRIBER_CLIENT"}
        return f"{_encoded({'alg': 'RS256', 'typ': 'JWT'})}.{_encoded(claims)}.{self.secret(64)}"

    @property
    def feed_password(self) -> str:
        return f"OPENID~~{self.access_token}~"

    def proved(self, checksum: str) -> bool:
        """Whether it is made of the user, a code that is good, and the secret; the code is good no more."""
        for code in list(self._codes):
            whole = f"{self._user_id}{code}{self.api_secret}"
            if hashlib.sha256(whole.encode()).hexdigest() == checksum:
                return self.redeem(code)
        return False


def next_roll_over(now_ms: int) -> int:
    now = ist_from_ms(now_ms)
    day = now.date() + timedelta(days=now.time() >= ROLLS_OVER)
    return int(datetime.combine(day, ROLLS_OVER, IST).timestamp() * 1000)


def _encoded(part: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(part)).decode().rstrip("=")
