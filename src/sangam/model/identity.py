"""Who is asking: users' broker accounts and what an API key stands for."""

import hmac

import msgspec

from .enums import Scope


class AccountInfo(msgspec.Struct, frozen=True):
    """One login at one broker of one user. `id` is ours and unique over all users; it never holds a secret."""

    id: str
    user: str
    broker: str
    client_id: str = ""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a verified API key names.

    `accounts` are all accounts of its user; `data_account` feeds this key's subscriptions, `order_account` takes its
    orders. `interval_ms` is the key's own default send interval, None for the server's."""

    user: str
    key_id: str
    scopes: frozenset[Scope]
    accounts: tuple[AccountInfo, ...] = ()
    data_account: AccountInfo | None = None
    order_account: AccountInfo | None = None
    interval_ms: int | None = None

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def account(self, name: str | None) -> AccountInfo | None:
        """The account a request names by id or broker; the data account when it names none, or its broker."""
        if not name:
            return self.data_account
        wanted = name.casefold()
        own = (self.data_account, *self.accounts) if self.data_account else self.accounts
        return next((one for one in own if wanted in (one.id.casefold(), one.broker.casefold())), None)


def key_hash(pepper: bytes, api_key: str) -> bytes:
    """How an API key is kept and found: `pepper` is the house's own secret."""
    return hmac.digest(pepper, api_key.encode("utf-8", "surrogatepass"), "sha256")
