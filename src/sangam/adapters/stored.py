"""The session that the home folder keeps of a login made by the server or by ``sangam account login``."""

from sangam.accounts.accounts import Accounts
from sangam.accounts.vault import open_vault
from sangam.brokers.contract import BrokerSpec, Session
from sangam.model.clock import SystemClock
from sangam.settings import load_settings
from sangam.store.database import Database
from sangam.store.home import Home

from . import finding


def session(spec: BrokerSpec, user: str) -> Session:
    """Of the account that `user` names: a user, an account's id, or the broker's client id. Raises ValueError where
    nobody is logged in there, ConfigError where a server has the home folder: then it is the server to ask."""
    settings = load_settings()
    with Home(settings.sangam_home) as home:
        database = Database(settings.database)
        try:
            key = settings.sangam_key.get_secret_value() if settings.sangam_key else None
            accounts = Accounts(
                database, open_vault(database, home, key), finding.complete(settings.sangam_home), SystemClock()
            )
            own = [info for info in accounts.list() if info.broker == spec.name]
            for info in own:
                if user in (info.user, info.id, info.client_id) and (held := accounts.session(info.id)) is not None:
                    return held
        finally:
            database.close()
    raise ValueError(
        f"{settings.sangam_home} holds no session of '{user}' at {spec.title}. Log in (sangam account login), or give "
        f"auth_data: {', '.join(field.name for field in spec.login.fields)}."
    )
