"""The session of each account: sealed in the database, plain in memory, a new generation at each login."""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import insert, select, update

from sangam.brokers.contract import Session
from sangam.model.clock import Clock
from sangam.model.identity import AccountInfo
from sangam.store import tables
from sangam.store.database import Database

from .vault import Vault

SessionListener = Callable[[str, Session | None], None]


class End(StrEnum):
    """How a session ended: the user logged out, its hour came, the broker no longer took it, another program did."""

    LOGGED_OUT = "logged_out"
    EXPIRED = "expired"
    REFUSED = "refused"
    REPLACED = "replaced"


class Ended(NamedTuple):
    how: End
    detail: str = ""


class Sessions:
    """At most one session per account. Listeners are called at once, in the caller's thread.

    `held` tells an account and where it leaves from."""

    def __init__(
        self, database: Database, vault: Vault, clock: Clock, held: Callable[[str], tuple[AccountInfo, str]]
    ) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._listeners: list[SessionListener] = []
        self._open: dict[str, Session] = {}
        self._generations: dict[str, int] = {}
        self._ended: dict[str, Ended] = {}
        with database.begin() as connection:
            rows = connection.execute(select(tables.sessions)).all()
        for row in rows:
            self._generations[row.account] = row.generation
            if row.ended is not None:
                self._ended[row.account] = Ended(End(row.ended), row.detail or "")
            if row.secrets is not None:
                secrets = vault.open(row.secrets, f"session {row.account}")
                info, egress = held(row.account)
                self._open[row.account] = Session(
                    account=row.account,
                    broker=info.broker,
                    generation=row.generation,
                    client_id=info.client_id,
                    secrets=secrets,
                    hosts=row.hosts,
                    egress=egress,
                    expires_at=row.expires_at,
                )

    def open(
        self,
        account: AccountInfo,
        *,
        secrets: Mapping[str, str],
        hosts: Mapping[str, str],
        egress: str,
        expires_at: int | None,
    ) -> Session:
        """Begin the next generation and tell the listeners."""
        session = Session(
            account=account.id,
            broker=account.broker,
            generation=self._generations.get(account.id, 0) + 1,
            client_id=account.client_id,
            secrets=secrets,
            hosts=hosts,
            egress=egress,
            expires_at=expires_at,
        )
        row = {
            "generation": session.generation,
            "hosts": dict(hosts),
            "secrets": self._vault.seal(secrets, f"session {account.id}"),
            "expires_at": expires_at,
            "ended": None,
            "detail": None,
        }
        with self._database.begin() as connection:
            if account.id in self._generations:
                connection.execute(update(tables.sessions).where(tables.sessions.c.account == account.id).values(row))
            else:
                connection.execute(insert(tables.sessions).values(account=account.id, **row))
        self._generations[account.id] = session.generation
        self._open[account.id] = session
        self._ended.pop(account.id, None)
        self._tell(account.id, session)
        return session

    def __iter__(self) -> Iterator[Session]:
        return iter(tuple(self._open.values()))

    def current(self, account: str) -> Session | None:
        """None where there is none, or its hour has come."""
        session = self._open.get(account)
        if session is None or (session.expires_at is not None and session.expires_at <= self._clock.now_ms()):
            return None
        return session

    def generation(self, account: str) -> int:
        """Of the newest session, open or ended; 0 before the first."""
        return self._generations.get(account, 0)

    def ended(self, account: str) -> Ended | None:
        """How the last session ended; None while one is open, and before the first."""
        session = self._open.get(account)
        if session is not None and self.current(account) is None:
            return Ended(End.EXPIRED)
        return self._ended.get(account)

    def overdue(self) -> list[str]:
        """The accounts whose sessions' hour has come, and that nobody has closed yet."""
        return [account for account in self._open if self.current(account) is None]

    def close(self, account: str, ended: Ended) -> None:
        if self._open.pop(account, None) is None:
            return
        with self._database.begin() as connection:
            connection.execute(
                update(tables.sessions)
                .where(tables.sessions.c.account == account)
                .values(secrets=None, expires_at=None, ended=ended.how.value, detail=ended.detail)
            )
        self._ended[account] = ended
        self._tell(account, None)

    def forget(self, account: str) -> None:
        """The account is about to be removed, and its rows with it."""
        if account in self._open:
            self.close(account, Ended(End.LOGGED_OUT))
        else:
            self._tell(account, None)  # there was none, but whoever serves the account must hear of its end
        self._generations.pop(account, None)
        self._ended.pop(account, None)

    def listen(self, listener: SessionListener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _tell(self, account: str, session: Session | None) -> None:
        for listener in tuple(self._listeners):
            listener(account, session)
