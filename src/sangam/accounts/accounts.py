"""Users, their accounts at brokers, and the session each account holds now.

Everything is read once at the start and kept in memory; the database is written through. Secrets are sealed there."""

import itertools
from collections.abc import Callable, Mapping
from ipaddress import ip_address

import msgspec
from sqlalchemy import delete, insert, select, update

from sangam.brokers.contract import Grant, Session
from sangam.brokers.registry import Registry
from sangam.logs import redactor
from sangam.model.clock import Clock
from sangam.model.errors import InvalidInput
from sangam.model.identity import AccountInfo, Identity
from sangam.store import tables
from sangam.store.database import Database
from sangam.transport.egress import parse_egress

from .expiry import next_expiry
from .forms import check_fields, check_hosts, kept, secret_values
from .keys import ApiKey, Keys
from .rules import RuleBook
from .sessions import Ended, SessionListener, Sessions
from .users import Users
from .vault import Vault


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One login at one broker of one user, with what the user stored for it: the fields that outlive a session.

    `registered_ip` is the address that the broker takes orders from, as the user told it to us."""

    info: AccountInfo
    secrets: Mapping[str, str]
    hosts: Mapping[str, str]
    created_at: int
    egress: str = ""
    registered_ip: str = ""

    def __repr__(self) -> str:
        return f"Account({self.info!r})"


class Accounts:
    """The facade of the room, over `users`, API `keys`, `rules` and `sessions`."""

    def __init__(self, database: Database, vault: Vault, registry: Registry, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._registry = registry
        self._clock = clock
        self._accounts: dict[str, Account] = {}
        self._listeners: list[Callable[[str], object]] = []
        self.users = Users(database, clock)
        self.keys = Keys(database, vault, clock)
        self.rules = RuleBook(database)
        with database.begin() as connection:
            rows = connection.execute(select(tables.accounts).order_by(tables.accounts.c.created_at)).all()
        for row in rows:
            info = AccountInfo(id=row.id, user=row.user, broker=row.broker, client_id=row.client_id)
            secrets = vault.open(row.secrets, f"account {row.id}")
            self._guard(row.broker, secrets)
            egress = vault.open(row.egress, f"egress {row.id}")["egress"] if row.egress else ""
            self._accounts[row.id] = Account(
                info=info,
                secrets=secrets,
                hosts=row.hosts,
                created_at=row.created_at,
                egress=egress,
                registered_ip=row.registered_ip or "",
            )
        self.sessions = Sessions(database, vault, clock, self._held)
        for session in self.sessions:
            self._guard(session.broker, session.secrets)

    # --- accounts -----------------------------------------------------------------------------------------------------

    def create(
        self, user: str, broker: str, secrets: Mapping[str, str], hosts: Mapping[str, str] | None = None
    ) -> AccountInfo:
        """Store an account: the login fields its broker keeps, and host rows that replace the broker's own.

        Daily fields are checked and left out: they belong to a session.
        Raises UnknownBroker; InvalidInput naming the field or host at fault."""
        spec = self._registry[broker]
        check_fields(spec, secrets)
        check_hosts(spec, hosts or {})
        self.users.add(user)
        identifier = self._unused(f"{user}-{spec.name}")
        account = Account(
            info=AccountInfo(id=identifier, user=user, broker=spec.name),
            secrets=kept(spec, secrets),
            hosts=dict(hosts or {}),
            created_at=self._clock.now_ms(),
        )
        self._guard(spec.name, secrets)
        with self._database.begin() as connection:
            connection.execute(
                insert(tables.accounts).values(
                    id=identifier,
                    user=user,
                    broker=spec.name,
                    secrets=self._vault.seal(account.secrets, f"account {identifier}"),
                    hosts=account.hosts,
                    created_at=account.created_at,
                )
            )
        self._accounts[identifier] = account
        self._tell(user)
        return account.info

    def _unused(self, name: str) -> str:
        """The name, or with the first number that makes it free; keys of a removed account must not open another."""
        chosen = {name for user in self.users.list() for name in (user.data_account, user.order_account)}
        taken = self.keys.bound_accounts | set(self._accounts) | chosen
        numbered = (f"{name}-{number}" for number in itertools.count(2))
        return next(text for text in itertools.chain([name], numbered) if text not in taken)

    def __contains__(self, account: str) -> bool:
        return account in self._accounts

    def __getitem__(self, account: str) -> Account:
        try:
            return self._accounts[account]
        except KeyError:
            raise InvalidInput(f"No account '{account}'. `sangam account list` shows the ids.") from None

    def list(self, user: str | None = None) -> list[AccountInfo]:
        """In the order they were made."""
        return [account.info for account in self._accounts.values() if user in (None, account.info.user)]

    def remove(self, account: str) -> None:
        """Forget an account and its session; keys bound to it open no account any more."""
        user = self[account].info.user
        self.sessions.forget(account)
        with self._database.begin() as connection:
            connection.execute(delete(tables.accounts).where(tables.accounts.c.id == account))
        del self._accounts[account]
        self._tell(user)

    def choose(self, user: str, *, data_account: str | None = None, order_account: str | None = None) -> None:
        """Other default accounts of a user; keys that are bound to none follow at once. None leaves one as it is."""
        for account in (data_account, order_account):
            if account is not None and self[account].info.user != user:
                raise InvalidInput(f"Account '{account}' is not one of {user}'s.")
        self.users.choose(user, data_account=data_account, order_account=order_account)
        self._tell(user)

    def analyze(self, user: str, on: bool) -> None:
        """Send the orders of a user's keys to paper, or back to the broker; keys with a mode of their own stay."""
        self.users.analyze(user, on)
        self._tell(user)

    def default(self, user: str) -> tuple[AccountInfo | None, AccountInfo | None]:
        """The default data account and order account of a user: none where the chosen one was removed, for nobody's
        orders go through another account than the one they were meant for."""
        own, chosen = tuple(self.list(user)), self.users[user]
        first = own[0] if own else None
        data, order = (_bound(own, name) if name else first for name in (chosen.data_account, chosen.order_account))
        return data, order

    def on_change(self, listener: Callable[[str], object]) -> Callable[[], None]:
        """Hear the user whose accounts or defaults changed, in the caller's thread; call the result to stop hearing."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _tell(self, user: str) -> None:
        for listener in tuple(self._listeners):
            listener(user)

    # --- sessions -----------------------------------------------------------------------------------------------------

    def open_session(
        self,
        account: str,
        secrets: Mapping[str, str] | None = None,
        *,
        client_id: str = "",
        hosts: Mapping[str, str] | None = None,
        expires_at: int | None = None,
    ) -> Session:
        """A login succeeded: what it gave joins what the user stored, under the next generation; listeners hear of it.

        `expires_at` is epoch milliseconds; without it the broker's table says when the session ends."""
        held = self[account]
        spec = self._registry[held.info.broker]
        self._guard(spec.name, secrets or {})
        held = self.name_client(account, client_id or held.info.client_id)
        return self.sessions.open(
            held.info,
            secrets={**held.secrets, **(secrets or {})},
            hosts={**held.hosts, **(hosts or {})},
            egress=held.egress,
            expires_at=expires_at or next_expiry(self._clock.now_ms(), spec.session_ends),
        )

    def admit(self, account: str, fields: Mapping[str, str], hosts: Mapping[str, str], grant: Grant) -> Session:
        """A login with these fields and hosts gave a grant: what is kept of them replaces what was stored."""
        held = self[account]
        spec = self._registry[held.info.broker]
        if kept(spec, fields) or hosts:
            self._change(
                held,
                msgspec.structs.replace(
                    held, secrets={**held.secrets, **kept(spec, fields)}, hosts={**held.hosts, **hosts}
                ),
            )
        return self.open_session(
            account,
            {**fields, **grant.secrets},
            client_id=grant.client_id,
            hosts=grant.hosts,
            expires_at=grant.expires_at,
        )

    def name_client(self, account: str, client_id: str) -> Account:
        """The broker's own name for the user, as a login or its check told it."""
        held = self[account]
        if client_id == held.info.client_id:
            return held
        info = msgspec.structs.replace(held.info, client_id=client_id)
        return self._change(held, msgspec.structs.replace(held, info=info))

    def leave_from(self, account: str, egress: str) -> None:
        """Where the account's calls and sockets leave from, from now on (`transport.egress`); ``""`` is anywhere.

        An open session goes on from there, as its next generation. Raises InvalidInput."""
        parse_egress(egress)
        held = self[account]
        self._change(held, msgspec.structs.replace(held, egress=egress))
        if (session := self.session(account)) is not None:
            self.sessions.open(
                held.info,
                secrets=session.secrets,
                hosts=session.hosts,
                egress=egress,
                expires_at=session.expires_at,
            )

    def register_ip(self, account: str, address: str) -> None:
        """Note the address that the user registered with the broker; ``""`` for none. Raises InvalidInput."""
        if address:
            try:
                address = str(ip_address(address))
            except ValueError:
                raise InvalidInput(f"'{address}' is no IP address.") from None
        held = self[account]
        self._change(held, msgspec.structs.replace(held, registered_ip=address))

    def session(self, account: str) -> Session | None:
        """The session an account holds now; None when it has none or its hour has come."""
        return self.sessions.current(account)

    def end_session(self, account: str, ended: Ended) -> None:
        """The session is over: its secrets are forgotten; its generation, and what the account keeps, are not."""
        self.sessions.close(account, ended)

    def on_session(self, listener: SessionListener) -> Callable[[], None]:
        """Hear of each session that opens or closes; call the result to stop hearing."""
        return self.sessions.listen(listener)

    def _held(self, account: str) -> tuple[AccountInfo, str]:
        held = self._accounts[account]
        return held.info, held.egress

    def _guard(self, broker: str, values: Mapping[str, str]) -> None:
        """Keep these out of the logs; a broker that is not in the registry now has no table, so all are secret."""
        spec = self._registry[broker] if broker in self._registry.names else None
        redactor.add(*secret_values(spec, values))

    def _change(self, held: Account, changed: Account) -> Account:
        self._guard(held.info.broker, changed.secrets)
        with self._database.begin() as connection:
            connection.execute(
                update(tables.accounts)
                .where(tables.accounts.c.id == held.info.id)
                .values(
                    client_id=changed.info.client_id,
                    secrets=self._vault.seal(changed.secrets, f"account {held.info.id}"),
                    hosts=dict(changed.hosts),
                    egress=self._vault.seal({"egress": changed.egress}, f"egress {held.info.id}")
                    if changed.egress
                    else None,
                    registered_ip=changed.registered_ip or None,
                )
            )
        self._accounts[held.info.id] = changed
        return changed

    # --- identities ---------------------------------------------------------------------------------------------------

    def authenticate(self, api_key: str) -> Identity:
        """What a key stands for now; AuthError for one that is unknown or revoked."""
        return self._identity(self.keys.verify(api_key))

    def identity(self, key_id: str) -> Identity:
        """What a key that was verified before stands for now; AuthError for one that is unknown or revoked."""
        return self._identity(self.keys.find(key_id))

    def _identity(self, key: ApiKey) -> Identity:
        own = tuple(self.list(key.user))
        data, order = self.default(key.user)
        return Identity(
            user=key.user,
            key_id=key.id,
            scopes=frozenset(key.scopes),
            accounts=own,
            data_account=_bound(own, key.data_account) if key.data_account else data,
            order_account=_bound(own, key.order_account) if key.order_account else order,
            interval_ms=key.interval_ms,
            mode=key.mode,
            analyzer=self.users[key.user].analyzer,
        )


def _bound(accounts: tuple[AccountInfo, ...], bound: str) -> AccountInfo | None:
    return next((account for account in accounts if account.id == bound), None)
