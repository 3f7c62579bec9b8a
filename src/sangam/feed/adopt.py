"""From a login to a stream: a new session opens the account's sockets as soon as today's instruments stand.

Tokens may mean other contracts today than yesterday, so nothing is subscribed on yesterday's master, except while the
broker cannot give another; the log says so."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from sangam.brokers.contract import UNLISTED, BrokerSpec, Ctx, Session
from sangam.brokers.registry import Registry
from sangam.instruments.master import Master
from sangam.instruments.masters import Masters
from sangam.model.clock import Clock
from sangam.model.enums import AccountState
from sangam.model.errors import BrokerError, InvalidInput, SessionExpired, UnknownBroker

from .feed import Feed
from .source import Run, Source
from .unlisted import Unlisted

log = logging.getLogger("sangam.feed")


class Adopter:
    """Call `session` whenever an account's session changes; changes of one account are worked off in order."""

    def __init__(
        self, feed: Feed, masters: Masters, registry: Registry, run: Run, ctx: Callable[[], Ctx], clock: Clock
    ) -> None:
        self._feed = feed
        self._masters = masters
        self._registry = registry
        self._run = run
        self._ctx = ctx
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sources: dict[str, Source] = {}
        self._joined: dict[str, Source] = {}
        self._named: Callable[[str, str], object] = lambda account, client: None

    def on_client(self, named: Callable[[str, str], object]) -> None:
        """Who wants to hear what a broker calls an account's user: (account, client id)."""
        self._named = named

    def session(
        self,
        account: str,
        session: Session | None,
        restored: bool = False,
        *,
        state: AccountState = AccountState.NO_SESSION,
        detail: str = "logged out",
    ) -> None:
        """`restored` sessions were known before this process started: today's master, if there is one, is theirs.
        An account without one shows `state` and `detail`."""
        earlier = self._tasks.get(account)
        if earlier is not None:
            earlier.cancel()
        self._tasks[account] = asyncio.create_task(
            self._adopt(account, session, restored, earlier, (state, detail)), name=f"adopt {account}"
        )

    def remove(self, account: str) -> None:
        """The account is no more."""
        self.session(account, None)
        self._tasks[account].add_done_callback(lambda _: self._feed.remove_account(account))

    async def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await asyncio.gather(*(source.stop() for source in self._sources.values()))

    # --- for the command line and whoever shows the house -------------------------------------------------------------

    @property
    def sources(self) -> list[Source]:
        """Those that an account with a session uses now."""
        return [source for source in self._sources.values() if not source.deserted]

    def source(self, account: str) -> Source | None:
        """The one that an account uses; None before its login."""
        return self._joined.get(account)

    def sources_of(self, name: str | None) -> list[Source]:
        """The sources of an account or a broker, or all; InvalidInput when nobody is logged in there."""
        if name is None:
            found = self.sources
        elif (own := self._joined.get(name)) is not None:
            found = [own]
        else:
            with contextlib.suppress(UnknownBroker):
                name = self._registry[name].name
            found = [source for source in self.sources if source.spec.name == name]
        if not found:
            known = ", ".join(sorted({*self._joined, *(source.spec.name for source in self.sources)})) or "none"
            raise InvalidInput(f"No account of '{name or 'any broker'}' is logged in. Logged in: {known}.")
        return found

    # --- one account --------------------------------------------------------------------------------------------------

    async def _adopt(
        self,
        account: str,
        session: Session | None,
        restored: bool,
        earlier: asyncio.Task[None] | None,
        rest: tuple[AccountState, str],
    ) -> None:
        if earlier is not None:
            await asyncio.gather(earlier, return_exceptions=True)
        await self._leave(account)
        if session is None:
            await self._feed.close_session(account, *rest)
            return
        spec = self._registry[session.broker]
        if spec.instruments is UNLISTED:
            await self._feed.open_session(account, session, Unlisted())
            return
        own = bool(session.hosts) and not spec.simulated
        source = self._source(session.account if own else spec.name, spec)
        standing = source.current() if restored else None
        await self._feed.open_session(account, session, standing)
        if standing is None:
            try:
                await self._greet(spec, session)
            except SessionExpired as error:
                await self._expired(account, error)
                return
        source = self._joined[account] = self._sources.setdefault(source.name, source)
        if own and not restored:
            source.refresh()  # behind hosts of one's own there may be another market at each login
        source.join(session)

    def _source(self, name: str, spec: BrokerSpec) -> Source:
        """Accounts of a broker share one, unless an account talks to hosts of its own (a simulator): tokens differ."""
        source = self._sources.get(name)
        if source is None:
            source = Source(name, spec, self._masters, self._run, self._ctx, self._clock, self._use, self._expired)
            if spec.simulated:
                source.refresh()  # its market was made by this process
        return source

    async def _leave(self, account: str) -> None:
        source = self._joined.pop(account, None)
        if source is not None:
            source.leave(account)
            if source.deserted:
                del self._sources[source.name]
                await source.stop()

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

    async def _use(self, account: str, master: Master) -> None:
        """Everything is resolved again, at once: what is wanted is looked up before, off the loop."""
        await asyncio.to_thread(master.warm, self._feed.wanted(account))
        if account in self._joined:
            self._feed.use_master(account, master)

    async def _expired(self, account: str, error: SessionExpired) -> None:
        log.error("%s: %s. Waiting for a new login.", account, error)
        await self._feed.close_session(account, AccountState.AUTH_EXPIRED, str(error))
