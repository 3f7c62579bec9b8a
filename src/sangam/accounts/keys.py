"""API keys: shown once, kept as keyed hashes, verified from memory.

A key reads ``sangam_<id>_<secret>``: the id may appear in lists and logs, the secret is 256 random bits."""

import logging
import secrets
from collections.abc import Callable, Iterable

import msgspec
from sqlalchemy import Row, insert, select, update

from sangam.model.clock import Clock
from sangam.model.enums import INTERVALS_MS, KeyMode, Scope
from sangam.model.errors import AuthError, InvalidInput, StoreError
from sangam.model.identity import key_hash
from sangam.store.database import Database
from sangam.store.tables import api_keys

from .vault import Vault

log = logging.getLogger("sangam.accounts")

_USED_EVERY_MS = 60_000
"""How fresh `last_used_at` is kept: one write per key and minute at most."""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key; never the key. Accounts are None where the key follows its user's default; a key bound to
    an account that was removed has none (it never falls back to another account's money)."""

    id: str
    user: str
    label: str
    scopes: tuple[Scope, ...]
    data_account: str | None = None
    order_account: str | None = None
    interval_ms: int | None = None
    mode: KeyMode = KeyMode.FOLLOW
    created_at: int
    revoked_at: int | None = None
    last_used_at: int | None = None


class Keys:
    """All keys of the house."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.pepper = vault.derive("api keys")
        self._keys: dict[bytes, ApiKey] = {}
        self._revoked: list[Callable[[str], object]] = []
        self._made: list[Callable[[str], object]] = []
        with database.begin() as connection:
            for row in connection.execute(select(api_keys)):
                self._keys[row.hash] = _from_row(row)

    def create(
        self,
        user: str,
        scopes: Iterable[Scope],
        *,
        label: str = "",
        data_account: str | None = None,
        order_account: str | None = None,
        interval_ms: int | None = None,
        mode: KeyMode = KeyMode.FOLLOW,
    ) -> tuple[str, ApiKey]:
        """A new key and what is known of it. The text exists here and nowhere else: show it once."""
        wanted = tuple(sorted(set(scopes)))
        if not wanted:
            raise InvalidInput(f"A key needs at least one scope: {', '.join(Scope)}.")
        if interval_ms is not None and interval_ms not in INTERVALS_MS:
            raise InvalidInput(f"Interval {interval_ms} is not allowed: {', '.join(map(str, INTERVALS_MS))} ms.")
        taken = {key.id for key in self._keys.values()}
        identifier = next(name for _ in range(1000) if (name := secrets.token_hex(4)) not in taken)
        text = f"sangam_{identifier}_{secrets.token_urlsafe(32)}"
        key = ApiKey(
            id=identifier,
            user=user,
            label=label,
            scopes=wanted,
            data_account=data_account,
            order_account=order_account,
            interval_ms=interval_ms,
            mode=mode,
            created_at=self._clock.now_ms(),
        )
        values = msgspec.structs.asdict(key) | {"scopes": " ".join(wanted), "hash": key_hash(self.pepper, text)}
        with self._database.begin() as connection:
            connection.execute(insert(api_keys).values(values))
        self._keys[values["hash"]] = key
        for listener in self._made:
            listener(identifier)
        return text, key

    def verify(self, text: str) -> ApiKey:
        """The key behind a text; AuthError for one that is unknown or revoked."""
        digest = key_hash(self.pepper, text)
        key = self._keys.get(digest)
        if key is None or key.revoked_at is not None:
            raise AuthError("Invalid API key")
        return self._used(digest, key)

    def used(self, identifier: str) -> None:
        """A key opened a door that it was not verified at here."""
        for digest, key in self._keys.items():
            if key.id == identifier:
                self._used(digest, key)
                return

    def _used(self, digest: bytes, key: ApiKey) -> ApiKey:
        now = self._clock.now_ms()
        if key.last_used_at is None or now - key.last_used_at >= _USED_EVERY_MS:
            key = self._note_use(digest, key, now)
        return key

    def find(self, identifier: str) -> ApiKey:
        """A key by its id; AuthError for one that is unknown or revoked."""
        for key in self._keys.values():
            if key.id == identifier and key.revoked_at is None:
                return key
        raise AuthError("Invalid API key")

    def list(self, user: str | None = None) -> list[ApiKey]:
        """Oldest first, revoked ones included."""
        found = (key for key in self._keys.values() if user in (None, key.user))
        return sorted(found, key=lambda key: (key.created_at, key.id))

    def revoke(self, identifier: str) -> ApiKey:
        """From now on this key opens nothing. Revoking twice changes nothing."""
        for digest, key in self._keys.items():
            if key.id == identifier:
                if key.revoked_at:
                    return key
                revoked = self._change(digest, revoked_at=self._clock.now_ms())
                for listener in self._revoked:
                    listener(identifier)
                return revoked
        raise InvalidInput(f"No API key with id '{identifier}'. `sangam key list` shows the ids.")

    @property
    def bound_accounts(self) -> frozenset[str]:
        """The accounts that good keys name, whether they exist or not."""
        good = (key for key in self._keys.values() if key.revoked_at is None)
        return frozenset(name for key in good for name in (key.data_account, key.order_account) if name is not None)

    def good(self) -> dict[bytes, str]:
        """The hash and the id of every key that is not revoked."""
        return {digest: key.id for digest, key in tuple(self._keys.items()) if key.revoked_at is None}

    def on_created(self, listener: Callable[[str], object]) -> None:
        """Hear the id of each new key, in the caller's thread."""
        self._made.append(listener)

    def on_revoked(self, listener: Callable[[str], object]) -> None:
        """Hear the id of each key that is revoked, in the caller's thread."""
        self._revoked.append(listener)

    def _note_use(self, digest: bytes, key: ApiKey, now: int) -> ApiKey:
        """A good key opens the door even if nobody can write in the guest book (a full disk, a lost database)."""
        key = self._keys[digest] = msgspec.structs.replace(key, last_used_at=now)
        try:
            self._change(digest, last_used_at=now)
        except StoreError as error:
            log.warning("The use of API key %s cannot be noted: %s", key.id, error)
        return key

    def _change(self, digest: bytes, **values: int) -> ApiKey:
        with self._database.begin() as connection:
            connection.execute(update(api_keys).where(api_keys.c.hash == digest).values(values))
        key = self._keys[digest] = msgspec.structs.replace(self._keys[digest], **values)
        return key


def _from_row(row: Row[tuple[object, ...]]) -> ApiKey:
    values = dict(row._mapping)
    del values["hash"]
    return ApiKey(**values | {"scopes": tuple(map(Scope, row.scopes.split())), "mode": KeyMode(row.mode)})
