"""Who is asking: users' broker accounts and what an API key stands for."""

import hmac

import msgspec

from .enums import KeyMode, Scope
from .errors import InvalidInput


class AccountInfo(msgspec.Struct, frozen=True):
    """One login at one broker of one user. `id` is ours and unique over all users; it never holds a secret."""

    id: str
    user: str
    broker: str
    client_id: str = ""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a verified API key names.

    `accounts` are all accounts of its user; `data_account` feeds this key's subscriptions, `order_account` takes its
    orders: to the broker or to paper as `mode` says, or the user's `analyzer` switch (on: paper) where it follows that.
    `interval_ms` is the key's own default send interval, None for the server's."""

    user: str
    key_id: str
    scopes: frozenset[Scope]
    accounts: tuple[AccountInfo, ...] = ()
    data_account: AccountInfo | None = None
    order_account: AccountInfo | None = None
    interval_ms: int | None = None
    mode: KeyMode = KeyMode.FOLLOW
    analyzer: bool = False

    @property
    def on_paper(self) -> bool:
        """Whether this key's orders are paper orders whatever the broker."""
        return self.analyzer if self.mode is KeyMode.FOLLOW else self.mode is KeyMode.PAPER

    @property
    def pinned_live(self) -> bool:
        return self.mode is KeyMode.LIVE

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def account(self, name: str | None) -> AccountInfo | None:
        """The account a request names by id or broker; the data account when it names none, or its broker."""
        if not name:
            return self.data_account
        wanted = name.casefold()
        own = (self.data_account, *self.accounts) if self.data_account else self.accounts
        return next((one for one in own if wanted in (one.id.casefold(), one.broker.casefold())), None)

    def order_target(self, name: str | None) -> AccountInfo | None:
        """The account whose orders a request means: the order account when it names none or that one's broker, else the
        one of that id or broker. Raises InvalidInput where a broker's name could mean several: money is not guessed."""
        wanted = name.casefold() if name else ""
        own = self.order_account
        if not wanted or (own is not None and wanted == own.broker.casefold()):
            return own
        named = [one for one in self.accounts if one.id.casefold() == wanted]
        found = named or [one for one in self.accounts if one.broker.casefold() == wanted]
        if len(found) > 1:
            ids = ", ".join(one.id for one in found)
            raise InvalidInput(f"You have several accounts at '{name}': say which one as `account`: {ids}.")
        return found[0] if found else None


def key_hash(pepper: bytes, api_key: str) -> bytes:
    """How an API key is kept and found: `pepper` is the house's own secret."""
    return hmac.digest(pepper, api_key.encode("utf-8", "surrogatepass"), "sha256")
