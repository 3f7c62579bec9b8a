"""From a login to a stream: a new session opens the account's sockets, and its instruments are fetched anew.

Tokens may mean other contracts today than yesterday, so nothing is subscribed until the master of this login stands.
While the broker cannot give one the standing master serves, and the log says so."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from sangam.brokers.contract import BrokerSpec, Ctx, Operation, Session
from sangam.brokers.registry import Registry
from sangam.instruments.master import Master
from sangam.instruments.masters import Masters
from sangam.model.clock import Clock, ist_from_ms
from sangam.model.enums import AccountState
from sangam.model.errors import BrokerError, MasterRejected, SessionExpired
from sangam.transport.backoff import Backoff

from .feed import Feed

log = logging.getLogger("sangam.feed")


class Adopter:
    """Call `session` whenever an account's session changes; changes of one account are worked off in order."""

    def __init__(
        self,
        feed: Feed,
        masters: Masters,
        registry: Registry,
        run: Callable[[BrokerSpec, Session, Operation[Any]], Awaitable[Any]],
        ctx: Callable[[], Ctx],
        clock: Clock,
    ) -> None:
        self._feed = feed
        self._masters = masters
        self._registry = registry
        self._run = run
        self._ctx = ctx
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sources: dict[str, str] = {}
        self._named: Callable[[str, str], object] = lambda account, client: None

    def on_client(self, named: Callable[[str, str], object]) -> None:
        """Who wants to hear what a broker calls an account's user: (account, client id)."""
        self._named = named

    def session(self, account: str, session: Session | None, restored: bool = False) -> None:
        """`restored` sessions were known before this process started: today's master, if there is one, is theirs."""
        earlier = self._tasks.get(account)
        if earlier is not None:
            earlier.cancel()
        self._tasks[account] = asyncio.create_task(
            self._adopt(account, session, restored, earlier), name=f"adopt {account}"
        )

    def remove(self, account: str) -> None:
        """The account is no more."""
        self.session(account, None)
        self._tasks[account].add_done_callback(lambda _: self._feed.remove_account(account))

    async def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _adopt(
        self, account: str, session: Session | None, restored: bool, earlier: asyncio.Task[None] | None
    ) -> None:
        if earlier is not None:
            await asyncio.gather(earlier, return_exceptions=True)
        if session is None:
            self._sources.pop(account, None)
            await self._feed.close_session(account, AccountState.NO_SESSION, "logged out")
            return
        spec = self._registry[session.broker]
        source = self._sources[account] = _source(spec, session)
        standing = self._masters.current(source)
        if restored and standing is not None and self._made_today(source, standing):
            await self._feed.open_session(account, session, standing)
            return
        await self._feed.open_session(account, session, None)
        try:
            await self._greet(spec, session)
            backoff = Backoff(first=5.0, cap=300.0)
            while not await self._refresh(spec, session, source):
                self._hand_out(source)  # the standing one serves until the broker gives another
                await asyncio.sleep(backoff.next())
            self._hand_out(source)
        except SessionExpired as error:
            log.error("%s: %s. Waiting for a new login.", account, error)
            await self._feed.close_session(account, AccountState.AUTH_EXPIRED, str(error))

    async def _greet(self, spec: BrokerSpec, session: Session) -> None:
        """One harmless call: a dead credential shows here before anything depends on it."""
        try:
            client = await self._run(spec, session, spec.login.check(session, self._ctx()))
            log.info("%s: logged in at %s as %s", session.account, spec.title, client)
            self._named(session.account, client)
        except SessionExpired:
            raise
        except BrokerError as error:
            log.warning("%s: the login cannot be checked: %s", session.account, error)

    async def _refresh(self, spec: BrokerSpec, session: Session, source: str) -> bool:
        """Whether the broker gave a master that now stands."""
        try:
            files = await self._run(spec, session, spec.instruments.download(session, self._ctx()))
            report = await self._masters.refresh(spec, files, source)
        except SessionExpired:
            raise
        except (BrokerError, MasterRejected) as error:
            log.error("%s: no new instruments: %s", source, error)
            return False
        refused = ", ".join(f"{reason}: {count}" for reason, count in report.refused.items())
        log.info("%s: %d instruments (refused: %s)", report.version, report.rows, refused or "none")
        return True

    def _hand_out(self, source: str) -> None:
        master = self._masters.current(source)
        if master is not None:
            for account, its_source in self._sources.items():
                if its_source == source:
                    self._feed.use_master(account, master)

    def _made_today(self, source: str, master: Master) -> bool:
        return master.version.startswith(f"{source}-{ist_from_ms(self._clock.now_ms()).date().isoformat()}")


def _source(spec: BrokerSpec, session: Session) -> str:
    """Accounts of a broker share a master, unless one talks to hosts of its own (a simulator): tokens differ there."""
    return spec.name if spec.simulated or not session.hosts else session.account
