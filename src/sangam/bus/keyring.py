"""The good API keys, as the feed's process last told them: a gateway opens its door without asking."""

from collections.abc import Callable

from sangam.model.clock import Clock
from sangam.model.errors import AuthError
from sangam.model.identity import Identity, key_hash

from .wire import Keys

_USED_SECONDS = 60.0


class Keyring:
    """Knows no key, only hashes. `used` hears the id of a key that opened a session, once a minute at most."""

    def __init__(self, clock: Clock, used: Callable[[str], object]) -> None:
        self._clock = clock
        self._used = used
        self._used_at: dict[str, float] = {}
        self._keys: Keys | None = None
        self._identities: dict[str, Identity] = {}
        self._revoked: Callable[[str], object] = lambda key_id: None
        self._renewed: Callable[[str], object] = lambda user: None

    def on_revoked(self, listener: Callable[[str], object]) -> None:
        """Who wants to hear the ids of keys that are no longer valid."""
        self._revoked = listener

    def on_renewed(self, listener: Callable[[str], object]) -> None:
        """Who wants to hear the users whose keys stand for something else than before."""
        self._renewed = listener

    def authenticate(self, api_key: str) -> Identity:
        """Raises AuthError."""
        keys = self._keys
        identity = keys.identities.get(key_hash(keys.pepper, api_key)) if keys is not None else None
        if identity is None:
            raise AuthError("Invalid API key")
        now = self._clock.monotonic()
        if now - self._used_at.get(identity.key_id, float("-inf")) > _USED_SECONDS:
            self._used_at[identity.key_id] = now
            self._used(identity.key_id)
        return identity

    def identity(self, key_id: str) -> Identity:
        """What a key that opened a session stands for now; raises AuthError."""
        if key_id not in self._identities:
            raise AuthError("Invalid API key")
        return self._identities[key_id]

    def learn(self, keys: Keys) -> None:
        """These are the good ones from now on."""
        before = self._identities
        self._keys = keys
        now = self._identities = {identity.key_id: identity for identity in keys.identities.values()}
        for key_id in before.keys() - now.keys():
            self._used_at.pop(key_id, None)
            self._revoked(key_id)
        for user in {before[key].user for key in before.keys() & now.keys() if before[key] != now[key]}:
            self._renewed(user)
