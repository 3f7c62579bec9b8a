"""Where people deal with their accounts: administration, logins under way, callbacks, signing in."""

from collections.abc import Callable
from typing import NamedTuple

from sangam.brokers.contract import Ctx
from sangam.brokers.registry import Registry
from sangam.model.clock import Clock

from .accounts import Accounts
from .admin import Admin
from .callbacks import Callbacks
from .flows import Flows, Run
from .rows import Rows, State, unserved
from .signin import SignIn
from .signing import Signer
from .vault import Vault


class Desk(NamedTuple):
    accounts: Accounts
    admin: Admin
    rows: Rows
    flows: Flows
    callbacks: Callbacks
    sign_in: SignIn


def open_desk(
    accounts: Accounts,
    registry: Registry,
    vault: Vault,
    clock: Clock,
    run: Run,
    ctx: Callable[[], Ctx],
    home: Callable[[], str],
    state: State = unserved,
) -> Desk:
    """`run` and `ctx` are the HTTP driver's; `home` is the address that browsers reach the server by; `state` tells
    state and detail of an account's feed."""
    signer = Signer(vault.derive("logins"), clock)
    flows = Flows(accounts, registry, signer, clock, run, ctx, home)
    callbacks = Callbacks(flows, registry, signer)
    rows = Rows(accounts, flows, callbacks, state)
    admin = Admin(accounts, registry, flows, callbacks, rows)
    return Desk(accounts, admin, rows, flows, callbacks, SignIn(accounts.users, vault, clock))
