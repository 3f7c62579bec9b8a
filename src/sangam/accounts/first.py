"""The first account of a house that was told its broker and its app by the environment."""

import logging

from sangam.brokers.registry import Registry
from sangam.model.errors import InvalidInput
from sangam.model.identity import AccountInfo

from .accounts import Accounts
from .admin import ADMIN_USER
from .demo import DEMO_USER

FIRST_USER = "me"

log = logging.getLogger("sangam.accounts")


def ensure_first(accounts: Accounts, brokers: Registry, api_key: str, api_secret: str) -> AccountInfo | None:
    """Where the store is empty and only one broker is valid, BROKER_API_KEY and BROKER_API_SECRET make an account."""
    if not api_key or len(brokers) != 1 or accounts.users.names - {ADMIN_USER, DEMO_USER} or accounts.list():
        return None
    (spec,) = brokers
    names = {field.name for field in spec.login.kept}
    given = {"api_key": api_key, "api_secret": api_secret}
    try:
        return accounts.create(
            FIRST_USER, spec.name, {name: given[name] for name in given.keys() & names if given[name]}
        )
    except InvalidInput as error:
        log.warning(
            "BROKER_API_KEY makes no account of %s: %s Add it: sangam account add %s", spec.title, error, spec.name
        )
        return None
