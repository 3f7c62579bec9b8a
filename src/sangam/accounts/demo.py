"""The first start: a user, an account at the simulated broker, and a key, so that the first stream needs no form."""

from collections.abc import Mapping

import msgspec

from sangam.model.errors import AuthError
from sangam.model.identity import AccountInfo
from sangam.store.home import Home

from .accounts import Accounts
from .admin import ADMIN_USER
from .arguments import TRADING_SCOPES

DEMO_USER = "demo"
DEMO_KEY_FILE = "demo.key"


class Demo(msgspec.Struct, frozen=True):
    """`created` is true at the first start only. `account` is None once the user removed it."""

    api_key: str
    account: AccountInfo | None
    created: bool

    def __repr__(self) -> str:
        return f"Demo(account={self.account!r}, created={self.created})"


def ensure_demo(accounts: Accounts, home: Home, broker: str, secrets: Mapping[str, str]) -> Demo | None:
    """Make the demo in an empty house, or find the one made earlier; None where there is none (any more).

    `broker` is the simulated one, `secrets` what its simulator accepts. The key's text is kept in ``demo.key``
    (mode 0600), so that later starts can print it again; it may trade on paper, and administrate nothing."""
    if kept := home.read(DEMO_KEY_FILE):
        try:
            account = accounts.authenticate(kept).data_account
        except AuthError:
            return None
        return Demo(kept, account, created=False)
    if accounts.users.names - {ADMIN_USER, DEMO_USER}:
        return None
    begun = [info for info in accounts.list(DEMO_USER) if info.broker == broker]
    account = begun[0] if begun else accounts.create(DEMO_USER, broker, secrets)
    text, _ = accounts.keys.create(
        DEMO_USER, TRADING_SCOPES, label="demo", data_account=account.id, order_account=account.id
    )
    home.write_private(DEMO_KEY_FILE, text)
    return Demo(text, account, created=True)
