"""Users: who may sign in, and which of their accounts a key works on when it is bound to none."""

import re
from collections.abc import Mapping
from functools import cache

import argon2
import msgspec
from sqlalchemy import insert, select, update

from sangam.model.clock import Clock
from sangam.model.errors import InvalidInput
from sangam.store import tables
from sangam.store.database import Database

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 256
_hasher = argon2.PasswordHasher()


class User(msgspec.Struct, frozen=True, kw_only=True):
    """`password` is a hash; without one this user cannot sign in. Defaults that are None mean the first account.
    `analyzer` sends the orders of keys that follow it to paper."""

    name: str
    created_at: int
    password: str | None = None
    data_account: str | None = None
    order_account: str | None = None
    analyzer: bool = False

    def __repr__(self) -> str:
        return f"User({self.name!r})"


class Users:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        with database.begin() as connection:
            rows = connection.execute(select(tables.users).order_by(tables.users.c.created_at)).all()
        self._users = {row.name: User(**row._mapping) for row in rows}

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._users)

    def __getitem__(self, name: str) -> User:
        try:
            return self._users[name]
        except KeyError:
            raise InvalidInput(f"No user '{name}'. `sangam user list` shows the names.") from None

    def list(self) -> list[User]:
        """In the order they were made."""
        return list(self._users.values())

    def add(self, name: str) -> User:
        """Make a user; one that exists stays as it is."""
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"User name '{name}' is not allowed: small letters, digits, '-' and '_', at most 32.")
        if name not in self._users:
            user = User(name=name, created_at=self._clock.now_ms())
            with self._database.begin() as connection:
                connection.execute(insert(tables.users).values(msgspec.structs.asdict(user)))
            self._users[name] = user
        return self._users[name]

    def choose(self, name: str, *, data_account: str | None = None, order_account: str | None = None) -> User:
        """Other default accounts from now on; None leaves one as it is."""
        chosen = {"data_account": data_account, "order_account": order_account}
        return self._change(name, {key: value for key, value in chosen.items() if value is not None})

    def analyze(self, name: str, on: bool) -> User:
        """Switch a user's orders to paper, or back to the broker."""
        return self._change(name, {"analyzer": on})

    def set_password(self, name: str, hashed: str) -> User:
        """`hashed` comes from `hash_password`."""
        return self._change(name, {"password": hashed})

    def knows(self, name: str, password: str) -> bool:
        """Whether this is the user's password. Takes a tenth of a second of CPU: call it in a thread."""
        user = self._users.get(name)
        hashed = user.password if user is not None else None
        try:
            return _hasher.verify(hashed or _nobody(), password) and hashed is not None
        except argon2.exceptions.VerificationError:
            return False

    def _change(self, name: str, values: Mapping[str, str | bool]) -> User:
        changed = msgspec.structs.replace(self[name], **dict(values))
        if values:
            with self._database.begin() as connection:
                connection.execute(update(tables.users).where(tables.users.c.name == name).values(dict(values)))
        self._users[name] = changed
        return changed


@cache
def _nobody() -> str:
    """Verified for unknown names, so that their answer takes as long as a known one's."""
    return _hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    """Argon2id. Takes a tenth of a second of CPU: call it in a thread. Raises InvalidInput for one too short."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidInput(f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    return _hasher.hash(password)
