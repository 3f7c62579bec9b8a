"""Carries every change of an account to the feed: logins, logouts, removals, and the embedded market's own logins."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from sangam.accounts.accounts import Accounts
from sangam.accounts.sessions import End, Ended
from sangam.accounts.ways import Way, ways
from sangam.brokers.contract import Session
from sangam.brokers.registry import Registry
from sangam.feed.adopt import Adopter
from sangam.feed.feed import Feed
from sangam.model.enums import AccountState
from sangam.model.identity import AccountInfo
from sangam.simulators import Simulator

log = logging.getLogger("sangam.app")


class Logins:
    """`start` brings up what the accounts hold and listens from then on; `stop` listens no more.

    `home` is the address that browsers reach the server by."""

    def __init__(
        self,
        accounts: Accounts,
        brokers: Registry,
        feed: Feed,
        adopter: Adopter,
        embedded: Mapping[str, Simulator],
        home: Callable[[], str],
    ) -> None:
        self._accounts = accounts
        self._brokers = brokers
        self._feed = feed
        self._adopter = adopter
        self._embedded = embedded
        self._home = home
        self._served: set[str] = set()
        self._loop = asyncio.get_running_loop()
        stops = [accounts.on_session(self._heard), accounts.on_change(self._membership)]
        self.stop = lambda: [stop() for stop in stops]

    def start(self) -> None:
        for info in self._accounts.list():
            self._bring_up(info)

    def _bring_up(self, info: AccountInfo) -> None:
        self._served.add(info.id)
        if info.broker not in self._brokers.names:
            log.warning("%s: %s is not among VALID_BROKERS; the account rests", info.id, info.broker)
        elif info.broker in self._embedded:
            self._log_in_to_embedded(info, self._embedded[info.broker])
        else:
            self._adopt(info, self._accounts.session(info.id), restored=True)

    def _membership(self, user: str) -> None:
        self._loop.call_soon_threadsafe(self._serve_new, user)

    def _serve_new(self, user: str) -> None:
        """An account may be listened to before its first login."""
        for info in self._accounts.list(user):
            if info.id not in self._served:
                self._bring_up(info)

    def _heard(self, account: str, session: Session | None) -> None:
        """Told in whatever thread changed the account."""
        self._loop.call_soon_threadsafe(self._changed, account, session)

    def _changed(self, account: str, session: Session | None) -> None:
        if account not in self._accounts:
            self._served.discard(account)
            self._adopter.remove(account)
            return
        info = self._accounts[account].info
        if info.broker not in self._brokers.names:
            return
        simulator = self._embedded.get(info.broker)
        if simulator is not None and session is not None and session.hosts != simulator.hosts:
            self._log_in_to_embedded(info, simulator)  # whatever was typed: only this process knows the way in
        else:
            self._adopt(info, session, restored=False)

    def _log_in_to_embedded(self, info: AccountInfo, simulator: Simulator) -> None:
        """The embedded market listens on new ports and takes new credentials at each start."""
        self._accounts.open_session(info.id, simulator.credentials, hosts=simulator.hosts)

    def _adopt(self, info: AccountInfo, session: Session | None, *, restored: bool) -> None:
        self._served.add(info.id)
        self._feed.add_account(info, self._brokers[info.broker])
        if session is not None:
            self._adopter.session(info.id, session, restored)
            return
        ended = self._accounts.sessions.ended(info.id)
        state, reason = _standing(ended)
        detail = f"{reason.rstrip('.')}. Log in now: {self._way_in(info)}"
        if ended is not None and ended.how is not End.LOGGED_OUT:
            log.warning("%s: %s", info.id, detail)
        self._adopter.session(info.id, None, state=state, detail=detail)

    def _way_in(self, info: AccountInfo) -> str:
        if Way.REDIRECT in ways(self._brokers[info.broker].login):
            return f"{self._home()}/{info.broker}/login/{info.id}"
        return f"sangam account login {info.id}"


def _standing(ended: Ended | None) -> tuple[AccountState, str]:
    """The state of an account without a session, and why it has none."""
    match ended:
        case None:
            return AccountState.NO_SESSION, "not logged in yet"
        case Ended(End.LOGGED_OUT):
            return AccountState.NO_SESSION, "logged out"
        case Ended(End.EXPIRED):
            return AccountState.AUTH_EXPIRED, "the session has expired"
        case Ended(End.REPLACED, detail):
            return AccountState.REPLACED, detail or "another program took the session"
        case Ended(_, detail):
            return AccountState.AUTH_EXPIRED, detail or "the broker refused the session"
