"""An authenticator app, as brokers that ask its six digits know it (RFC 6238)."""

import base64
import hashlib
import hmac
from collections.abc import Callable

STEP = 30


class Authenticator:
    """`secret` is what the user's app was given, in base32."""

    def __init__(self, seed: str, now_ms: Callable[[], int]) -> None:
        self.secret = base64.b32encode(seed.encode()[:20]).decode().rstrip("=")
        self._now_ms = now_ms

    def code(self, steps: int = 0) -> str:
        """What it shows so many half minutes from now."""
        counter = self._now_ms() // 1000 // STEP + steps
        key = base64.b32decode(self.secret + "=" * (-len(self.secret) % 8))
        digest = hmac.digest(key, counter.to_bytes(8, "big"), hashlib.sha1)
        at = digest[-1] & 0x0F
        return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"

    def proves(self, code: object) -> bool:
        """Whether it is shown now, or half a minute to either side."""
        return code in [self.code(steps) for steps in (-1, 0, 1)]
