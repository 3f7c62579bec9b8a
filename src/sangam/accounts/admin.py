"""What an administrator may do, as verbs with plain arguments and plain answers.

The command line calls them directly when it holds the home folder, and through the running server otherwise. No answer
holds a secret, except the text of a new API key, which is shown this once."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sangam.model.enums import Scope
from sangam.model.errors import AuthError, InvalidInput
from sangam.model.identity import AccountInfo
from sangam.store.home import Home

from .accounts import Accounts
from .keys import ApiKey

ADMIN_KEY_FILE = "admin.key"
ADMIN_USER = "admin"
TRADING_SCOPES = (Scope.DATA, Scope.ORDERS_READ, Scope.ORDERS_WRITE)


class _Arguments(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A mapping that does not fit raises InvalidInput."""


class AddAccount(_Arguments):
    broker: str
    fields: dict[str, str] = {}
    hosts: dict[str, str] = {}
    user: str | None = None


class LogIn(_Arguments):
    account: str
    fields: dict[str, str] = {}
    hosts: dict[str, str] = {}


class NameAccount(_Arguments):
    account: str


class OfUser(_Arguments):
    user: str | None = None


class CreateKey(_Arguments):
    user: str | None = None
    label: str = ""
    scopes: tuple[Scope, ...] = TRADING_SCOPES
    account: str | None = None
    interval_ms: int | None = None


class NameKey(_Arguments):
    id: str


class Admin:
    """`call` runs a verb; all errors are SangamErrors."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._verbs: dict[str, tuple[type[_Arguments], Callable[[Any], dict[str, Any]]]] = {
            "account/add": (AddAccount, self._add_account),
            "account/login": (LogIn, self._log_in),
            "account/list": (OfUser, self._list_accounts),
            "account/remove": (NameAccount, self._remove_account),
            "key/create": (CreateKey, self._create_key),
            "key/list": (OfUser, self._list_keys),
            "key/revoke": (NameKey, self._revoke_key),
        }

    def call(self, verb: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if verb not in self._verbs:
            raise InvalidInput(f"No such action '{verb}'. Known: {', '.join(self._verbs)}.")
        kind, run = self._verbs[verb]
        try:
            parsed = msgspec.convert(arguments, kind)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"{verb}: {error}") from None
        return run(parsed)

    def _add_account(self, wanted: AddAccount) -> dict[str, Any]:
        info = self._accounts.create(self._user(wanted.user), wanted.broker, wanted.fields, wanted.hosts)
        self._accounts.open_session(info.id)
        return self._account(info)

    def _log_in(self, wanted: LogIn) -> dict[str, Any]:
        info = self._find(wanted.account, None)
        self._accounts.login(info.id, wanted.fields, wanted.hosts)
        return self._account(info)

    def _list_accounts(self, wanted: OfUser) -> dict[str, Any]:
        return {"accounts": [self._account(info) for info in self._accounts.list(wanted.user)]}

    def _remove_account(self, wanted: NameAccount) -> dict[str, Any]:
        info = self._find(wanted.account, None)
        self._accounts.remove(info.id)
        return {"account": info.id}

    def _create_key(self, wanted: CreateKey) -> dict[str, Any]:
        user = self._user(wanted.user)
        self._accounts.add_user(user)
        account = self._find(wanted.account, user).id if wanted.account else None
        text, key = self._accounts.keys.create(
            user,
            wanted.scopes,
            label=wanted.label,
            data_account=account,
            order_account=account,
            interval_ms=wanted.interval_ms,
        )
        return {"api_key": text, **_key(key)}

    def _list_keys(self, wanted: OfUser) -> dict[str, Any]:
        return {"keys": [_key(key) for key in self._accounts.keys.list(wanted.user)]}

    def _revoke_key(self, wanted: NameKey) -> dict[str, Any]:
        return _key(self._accounts.keys.revoke(wanted.id))

    def _user(self, given: str | None) -> str:
        """Who is meant when nobody is named: the only user, or ``me`` in an empty house."""
        if given is not None:
            return given
        users = sorted(self._accounts.users - {ADMIN_USER})
        if len(users) > 1:
            raise InvalidInput(f"There are several users ({', '.join(users)}): say which one.")
        return users[0] if users else "me"

    def _find(self, name: str, user: str | None) -> AccountInfo:
        """An account by its id, or by its broker where that is enough to tell it."""
        own = self._accounts.list(user)
        for info in own:
            if info.id == name:
                return info
        of_broker = [info for info in own if info.broker == name.casefold()]
        if len(of_broker) == 1:
            return of_broker[0]
        known = ", ".join(info.id for info in of_broker or own) or "none yet"
        raise InvalidInput(f"Account '{name}' is {'not clear' if of_broker else 'unknown'}. Accounts: {known}.")

    def _account(self, info: AccountInfo) -> dict[str, Any]:
        session = self._accounts.session(info.id)
        held = self._accounts[info.id]
        return {
            "account": info.id,
            "user": info.user,
            "broker": info.broker,
            "client_id": held.info.client_id,
            "hosts": dict(held.hosts),
            "created_at": held.created_at,
            "session": session is not None,
            "generation": session.generation if session else None,
            "expires_at": session.expires_at if session else None,
        }


def _key(key: ApiKey) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(key)
    return values


def ensure_admin_key(accounts: Accounts, home: Home) -> str:
    """The key by which this machine's command line may ask the server; kept in ``admin.key`` (mode 0600)."""
    kept = home.read(ADMIN_KEY_FILE)
    try:
        if kept and Scope.ADMIN in accounts.keys.verify(kept).scopes:
            return kept
    except AuthError:
        pass  # an old file: the database is another one now, or the key was revoked
    accounts.add_user(ADMIN_USER)
    text, _ = accounts.keys.create(ADMIN_USER, [Scope.ADMIN], label="command line")
    home.write_private(ADMIN_KEY_FILE, text)
    return text
