"""Small texts that come back to us through other hands: signed, and good for a time."""

import base64
import binascii
import hmac

from sangam.model.clock import Clock

_MAC = 32


class Signer:
    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def sign(self, text: str, seconds: int) -> str:
        """Letters, digits, '-' and '_' only: fit for addresses and cookies."""
        payload = f"{self._clock.now_ms() // 1000 + seconds}:{text}".encode()
        return base64.urlsafe_b64encode(self._mac(payload) + payload).decode().rstrip("=")

    def open(self, signed: str) -> str | None:
        """The text; None where it was not signed here, was altered, or its time is over."""
        try:
            raw = base64.urlsafe_b64decode(signed.encode("ascii") + b"=" * (-len(signed) % 4))
        except (binascii.Error, ValueError):
            return None
        mac, payload = raw[:_MAC], raw[_MAC:]
        if not hmac.compare_digest(mac, self._mac(payload)):
            return None
        expires, _, text = payload.decode().partition(":")
        return text if int(expires) > self._clock.now_ms() // 1000 else None

    def _mac(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")
