"""Carries every change of an account to the feed: logins, logouts, removals, and the embedded market's own logins."""

import asyncio
import logging
from collections.abc import Mapping

from sangam.accounts.accounts import Accounts
from sangam.brokers.contract import Session
from sangam.brokers.registry import Registry
from sangam.feed.adopt import Adopter
from sangam.feed.feed import Feed
from sangam.model.identity import AccountInfo
from sangam.simulators import Simulator

log = logging.getLogger("sangam.app")


class Logins:
    """`start` brings up what the accounts hold and listens from then on; `stop` listens no more."""

    def __init__(
        self,
        accounts: Accounts,
        brokers: Registry,
        feed: Feed,
        adopter: Adopter,
        embedded: Mapping[str, Simulator],
    ) -> None:
        self._accounts = accounts
        self._brokers = brokers
        self._feed = feed
        self._adopter = adopter
        self._embedded = embedded
        self._loop = asyncio.get_running_loop()
        self.stop = accounts.on_session(self._heard)

    def start(self) -> None:
        for info in self._accounts.list():
            if info.broker not in self._brokers.names:
                log.warning("%s: %s is not among VALID_BROKERS; the account rests", info.id, info.broker)
            elif info.broker in self._embedded:
                self._log_in_to_embedded(info, self._embedded[info.broker])
            else:
                self._adopt(info, self._accounts.session(info.id), restored=True)

    def _heard(self, account: str, session: Session | None) -> None:
        """Told in whatever thread changed the account."""
        self._loop.call_soon_threadsafe(self._changed, account, session)

    def _changed(self, account: str, session: Session | None) -> None:
        if account not in self._accounts:
            self._adopter.remove(account)
            return
        info = self._accounts[account].info
        simulator = self._embedded.get(info.broker)
        if simulator is not None and session is not None and session.hosts != simulator.hosts:
            self._log_in_to_embedded(info, simulator)  # whatever was typed: only this process knows the way in
        else:
            self._adopt(info, session, restored=False)

    def _log_in_to_embedded(self, info: AccountInfo, simulator: Simulator) -> None:
        """The embedded market listens on new ports and takes new credentials at each start."""
        self._accounts.open_session(info.id, simulator.credentials, hosts=simulator.hosts)

    def _adopt(self, info: AccountInfo, session: Session | None, *, restored: bool) -> None:
        self._feed.add_account(info, self._brokers[info.broker])
        self._adopter.session(info.id, session, restored)
