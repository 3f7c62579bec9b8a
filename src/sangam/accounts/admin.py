"""What an administrator may do, as verbs with plain arguments and plain answers.

The command line calls them directly when it holds the home folder, and through the running server otherwise. No answer
holds a secret, except the text of a new API key, which is shown this once."""

import asyncio
from typing import Any

import msgspec

from sangam.brokers.registry import Registry
from sangam.model.enums import Scope
from sangam.model.errors import AuthError, InvalidInput
from sangam.model.identity import AccountInfo
from sangam.model.rules import Rules
from sangam.store.home import Home
from sangam.transport.egress import parse_egress
from sangam.transport.outside import public_address

from .accounts import Accounts
from .arguments import (
    AddAccount,
    Answer,
    Arguments,
    AskOutside,
    ChooseDefault,
    CreateKey,
    GiveAddress,
    Kill,
    LeaveFrom,
    LogIn,
    NameAccount,
    NameKey,
    NameLogin,
    NameUser,
    OfAccount,
    OfUser,
    SetRules,
    SwitchAnalyzer,
)
from .callbacks import Callbacks
from .flows import Flows
from .rows import Rows
from .rules import HOUSE
from .users import hash_password
from .verbs import Verbs

ADMIN_KEY_FILE = "admin.key"
ADMIN_USER = "admin"
LIMITS = ("max_quantity", "max_value", "max_orders_per_day", "price_band", "symbols", "products")


class Admin(Verbs):
    """`call` runs a verb; all errors are SangamErrors."""

    def __init__(self, accounts: Accounts, registry: Registry, flows: Flows, callbacks: Callbacks, rows: Rows) -> None:
        self._accounts = accounts
        self._registry = registry
        self._flows = flows
        self._callbacks = callbacks
        self._rows = rows
        super().__init__(
            {
                "account/add": (AddAccount, self._add_account),
                "account/login": (LogIn, self._log_in),
                "account/answer": (Answer, self._answer),
                "account/address": (GiveAddress, self._address),
                "account/progress": (NameLogin, self._look),
                "account/logout": (NameAccount, self._log_out),
                "account/default": (ChooseDefault, self._choose_default),
                "account/egress": (LeaveFrom, self._leave_from),
                "account/outside": (AskOutside, self._outside),
                "account/list": (OfUser, self._list_accounts),
                "account/remove": (NameAccount, self._remove_account),
                "user/add": (NameUser, self._add_user),
                "user/list": (Arguments, self._list_users),
                "user/passwd": (NameUser, self._set_password),
                "user/analyzer": (SwitchAnalyzer, self._switch_analyzer),
                "risk/show": (OfAccount, self._show_rules),
                "risk/set": (SetRules, self._set_rules),
                "risk/kill": (Kill, self._kill),
                "key/create": (CreateKey, self._create_key),
                "key/list": (OfUser, self._list_keys),
                "key/revoke": (NameKey, self._revoke_key),
            }
        )

    # --- accounts -----------------------------------------------------------------------------------------------------

    def _add_account(self, wanted: AddAccount) -> dict[str, Any]:
        info = self._accounts.create(self._user(wanted.user), wanted.broker, wanted.fields, wanted.hosts)
        return self._rows.account(info)

    async def _log_in(self, wanted: LogIn) -> dict[str, Any]:
        info = self.find(wanted.account)
        return self._rows.login(await self._flows.begin(info.id, wanted.fields, wanted.hosts, wanted.way))

    async def _answer(self, given: Answer) -> dict[str, Any]:
        return self._rows.login(await self._flows.answer(given.login, given.fields))

    async def _address(self, given: GiveAddress) -> dict[str, Any]:
        flow, parameters = self._callbacks.typed(self.find(given.account).id, given.address)
        await self._flows.brought(flow, parameters)
        return self._rows.login(flow)

    def _look(self, wanted: NameLogin) -> dict[str, Any]:
        return self._rows.login(self._flows.pending[wanted.login])

    async def _log_out(self, wanted: NameAccount) -> dict[str, Any]:
        info = self.find(wanted.account)
        untold = await self._flows.log_out(info.id)
        return {**self._rows.account(info), "untold": untold}

    def _choose_default(self, wanted: ChooseDefault) -> dict[str, Any]:
        info = self.find(wanted.account)
        self._accounts.choose(
            info.user,
            data_account=info.id if wanted.data else None,
            order_account=info.id if wanted.orders else None,
        )
        return self._rows.account(info)

    def _leave_from(self, wanted: LeaveFrom) -> dict[str, Any]:
        info = self.find(wanted.account)
        if wanted.egress is not None:
            self._accounts.leave_from(info.id, wanted.egress)
        if wanted.registered is not None:
            self._accounts.register_ip(info.id, wanted.registered)
        return self._rows.account(info)

    async def _outside(self, wanted: AskOutside) -> dict[str, Any]:
        info = self.find(wanted.account)
        egress = parse_egress(self._accounts[info.id].egress)
        return {"account": info.id, "address": await public_address(egress, wanted.url)}

    def _list_accounts(self, wanted: OfUser) -> dict[str, Any]:
        return {"accounts": [self._rows.account(info) for info in self._accounts.list(wanted.user)]}

    def _remove_account(self, wanted: NameAccount) -> dict[str, Any]:
        info = self.find(wanted.account)
        self._accounts.remove(info.id)
        return {"account": info.id}

    # --- users --------------------------------------------------------------------------------------------------------

    async def _add_user(self, wanted: NameUser) -> dict[str, Any]:
        if wanted.name in self._accounts.users.names:
            raise InvalidInput(f"There is a user '{wanted.name}' already.")
        hashed = await asyncio.to_thread(hash_password, wanted.password) if wanted.password is not None else None
        user = self._accounts.users.add(wanted.name)
        if hashed is not None:
            user = self._accounts.users.set_password(user.name, hashed)
        return self._rows.user(user)

    async def _set_password(self, wanted: NameUser) -> dict[str, Any]:
        user = self._accounts.users[wanted.name]
        hashed = await asyncio.to_thread(hash_password, wanted.password or "")
        return self._rows.user(self._accounts.users.set_password(user.name, hashed))

    def _list_users(self, wanted: Arguments) -> dict[str, Any]:
        return {"users": [self._rows.user(user) for user in self._accounts.users.list() if user.name != ADMIN_USER]}

    def _switch_analyzer(self, wanted: SwitchAnalyzer) -> dict[str, Any]:
        user = self._user(wanted.user)
        self._accounts.analyze(user, wanted.on)
        return self._rows.user(self._accounts.users[user])

    # --- rules --------------------------------------------------------------------------------------------------------

    def _show_rules(self, wanted: OfAccount) -> dict[str, Any]:
        account, book = self._ruled(wanted), self._accounts.rules
        accounts = [HOUSE, *(info.id for info in self._accounts.list())] if account == HOUSE else [account]
        return {"rules": [self._rows.rules(name, book[name]) for name in accounts]}

    def _set_rules(self, wanted: SetRules) -> dict[str, Any]:
        account, book = self._ruled(wanted), self._accounts.rules
        limits = {name: value for name in LIMITS if (value := getattr(wanted, name)) is not None}
        cleared = {name: getattr(Rules(), name) for name in wanted.clear if name in LIMITS}
        if strange := set(wanted.clear) - set(LIMITS):
            raise InvalidInput(f"No such limit: {', '.join(sorted(strange))}. Limits: {', '.join(LIMITS)}.")
        rules = msgspec.structs.replace(book[account], **{**cleared, **limits})
        return self._rows.rules(account, book.set(account, rules))

    def _kill(self, wanted: Kill) -> dict[str, Any]:
        account, book = self._ruled(wanted), self._accounts.rules
        return self._rows.rules(account, book.set(account, msgspec.structs.replace(book[account], killed=wanted.on)))

    def _ruled(self, wanted: OfAccount) -> str:
        return HOUSE if wanted.account in (None, HOUSE) else self.find(wanted.account or "", None).id

    # --- keys ---------------------------------------------------------------------------------------------------------

    def _create_key(self, wanted: CreateKey) -> dict[str, Any]:
        user = self._user(wanted.user)
        self._accounts.users.add(user)
        account = self.find(wanted.account, user).id if wanted.account else None
        text, key = self._accounts.keys.create(
            user,
            wanted.scopes,
            label=wanted.label,
            data_account=account,
            order_account=account,
            interval_ms=wanted.interval_ms,
            mode=wanted.mode,
        )
        return {"api_key": text, **self._rows.key(key)}

    def _list_keys(self, wanted: OfUser) -> dict[str, Any]:
        return {"keys": [self._rows.key(key) for key in self._accounts.keys.list(wanted.user)]}

    def _revoke_key(self, wanted: NameKey) -> dict[str, Any]:
        return self._rows.key(self._accounts.keys.revoke(wanted.id))

    # --- who and what -------------------------------------------------------------------------------------------------

    def _user(self, given: str | None) -> str:
        """Who is meant when nobody is named: the only user, or ``me`` in an empty house."""
        if given is not None:
            return given
        users = sorted(self._accounts.users.names - {ADMIN_USER})
        if len(users) > 1:
            raise InvalidInput(f"There are several users ({', '.join(users)}): say which one.")
        return users[0] if users else "me"

    def find(self, name: str, user: str | None = None) -> AccountInfo:
        """An account by its id, or by its broker where that is enough to tell it."""
        own = self._accounts.list(user)
        for info in own:
            if info.id == name:
                return info
        of_broker = [info for info in own if info.broker == name.casefold()]
        if len(of_broker) == 1:
            return of_broker[0]
        self._registry.refuse_unconfigured(name)
        known = ", ".join(info.id for info in of_broker or own) or "none yet"
        raise InvalidInput(f"Account '{name}' is {'not clear' if of_broker else 'unknown'}. Accounts: {known}.")


def ensure_admin_key(accounts: Accounts, home: Home) -> str:
    """The key by which this machine's command line may ask the server; kept in ``admin.key`` (mode 0600)."""
    kept = home.read(ADMIN_KEY_FILE)
    try:
        if kept and Scope.ADMIN in accounts.keys.verify(kept).scopes:
            return kept
    except AuthError:
        pass  # an old file: the database is another one now, or the key was revoked
    accounts.users.add(ADMIN_USER)
    text, _ = accounts.keys.create(ADMIN_USER, [Scope.ADMIN], label="command line")
    home.write_private(ADMIN_KEY_FILE, text)
    return text
