"""Signing in with a password: a signed cookie that dies with the password it was given for."""

import asyncio
import hashlib

from sangam.model.clock import Clock
from sangam.model.errors import AuthError

from .signing import Signer
from .users import LONGEST_PASSWORD, User, Users
from .vault import Vault

SIGNED_IN_SECONDS = 12 * 3600


class SignIn:
    def __init__(self, users: Users, vault: Vault, clock: Clock) -> None:
        self._users = users
        self._signer = Signer(vault.derive("sign in"), clock)

    async def enter(self, name: str, password: str) -> str:
        """What the browser keeps. Raises AuthError; it does not tell which of the two was wrong."""
        good = len(password) <= LONGEST_PASSWORD and await asyncio.to_thread(self._users.knows, name, password)
        if not good:
            raise AuthError("Wrong user name or password.")
        return self._signer.sign(f"{name}/{_fingerprint(self._users[name])}", SIGNED_IN_SECONDS)

    def user(self, cookie: str) -> str | None:
        """Who signed in, while the cookie is good."""
        name, _, fingerprint = (self._signer.open(cookie) or "").partition("/")
        if name not in self._users.names or _fingerprint(self._users[name]) != fingerprint:
            return None
        return name


def _fingerprint(user: User) -> str:
    return hashlib.sha256((user.password or "").encode()).hexdigest()[:16]
