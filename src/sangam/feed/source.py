"""A source of instruments and the accounts that share it: its master is of today, and everybody gets each new one."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

from sangam.brokers.contract import BrokerSpec, Ctx, Operation, Session
from sangam.instruments.daily import day_began, due_since, next_due
from sangam.instruments.master import Master
from sangam.instruments.masters import Masters
from sangam.model.clock import Clock
from sangam.model.errors import BrokerError, MasterRejected, SessionExpired
from sangam.transport.backoff import Backoff

log = logging.getLogger("sangam.instruments")

LOOK_SECONDS = 1.0
"""How often the clock is read while nothing is due: laptops sleep, and clocks are set."""

GRACE_SECONDS = 1.0
"""How long after the hour the broker is asked: its clock is not ours."""

Run = Callable[[BrokerSpec, Session, Operation[Any]], Awaitable[Any]]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What a source is doing. `tried_at` is when the last finished attempt began, `made_at` when the standing master
    did (epoch ms, 0 for never); `trouble` says why the last attempt failed."""

    source: str
    broker: str
    stage: Literal["idle", "downloading", "reading"]
    version: str
    rows: int
    made_at: int
    tried_at: int
    trouble: str


class Source:
    """Accounts join with their session and leave; one task refreshes for all of them.

    It does so at a login where the standing master is not of today, again from the hour the broker's table names, and
    on demand; while the broker gives none it tries again with back-off, and the standing master serves."""

    def __init__(
        self,
        name: str,
        spec: BrokerSpec,
        masters: Masters,
        run: Run,
        ctx: Callable[[], Ctx],
        clock: Clock,
        hand_out: Callable[[str, Master], Awaitable[object]],
        expired: Callable[[str, SessionExpired], Awaitable[object]],
    ) -> None:
        """`hand_out` is told each master by account, `expired` of a session that the broker would not have."""
        self.name = name
        self.spec = spec
        self._masters = masters
        self._run = run
        self._ctx = ctx
        self._clock = clock
        self._hand_out = hand_out
        self._expired = expired
        self._sessions: dict[str, Session] = {}
        self._waiting: set[str] = set()
        self._wanted_from = 0
        self._tried_at = 0
        self._trouble = ""
        self._stage: Literal["idle", "downloading", "reading"] = "idle"
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def current(self) -> Master | None:
        """The standing master, where it is of today."""
        return self._standing_since(max(self._wanted_from, day_began(self._clock.now_ms())))

    def join(self, session: Session) -> None:
        """The account gets the standing master where it is of today, else the next."""
        self._sessions[session.account] = session
        self._waiting.add(session.account)
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name=f"instruments {self.name}")
        self._woken.set()

    def leave(self, account: str) -> None:
        self._sessions.pop(account, None)
        self._waiting.discard(account)

    @property
    def deserted(self) -> bool:
        return not self._sessions

    def refresh(self) -> int:
        """Ask for a master made from now on; returns the moment that its `made_at` will reach (epoch ms)."""
        self._wanted_from = self._clock.now_ms()
        self._woken.set()
        return self._wanted_from

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def progress(self) -> Progress:
        master = self._masters.current(self.name)
        return Progress(
            source=self.name,
            broker=self.spec.name,
            stage=self._stage,
            version=master.version if master else "",
            rows=master.count if master else 0,
            made_at=master.made_at if master else 0,
            tried_at=self._tried_at,
            trouble=self._trouble,
        )

    # --- the task -----------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        backoff = Backoff(first=5.0, cap=300.0)
        while True:
            self._woken.clear()
            try:
                good = await self._round()
            except Exception as error:  # a bug in a broker's folder, a full disk: no reason to end for good
                log.exception("%s: no new instruments", self.name)
                self._trouble = f"{type(error).__name__}: {error}"
                good = False
            if good:
                backoff.reset()
            else:
                await self._pause(backoff.next())

    async def _round(self) -> bool:
        """Do what is due, or wait until something is; False when a pause is in order."""
        if self._waiting and (master := self.current()) is not None:
            await self._give(master, self._waiting)
        newest = next(reversed(self._sessions.values()), None)
        if newest is not None and not self._is_fresh():
            return await self._refresh(newest)
        await self._until_due()
        return True

    def _is_fresh(self) -> bool:
        due = due_since(self._clock.now_ms(), self.spec.instruments_ready)
        return self._standing_since(max(self._wanted_from, due)) is not None

    def _standing_since(self, moment: int) -> Master | None:
        master = self._masters.current(self.name)
        return master if master is not None and master.made_at >= moment else None

    async def _until_due(self) -> None:
        due = next_due(self._clock.now_ms(), self.spec.instruments_ready) + round(GRACE_SECONDS * 1000)
        while not self._woken.is_set() and (left := due - self._clock.now_ms()) > 0:
            await self._pause(min(LOOK_SECONDS, left / 1000))

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)

    async def _refresh(self, session: Session) -> bool:
        """One attempt with one account's session; False when it is worth another after a pause."""
        began = self._clock.now_ms()
        try:
            self._stage = "downloading"
            files = await self._run(self.spec, session, self.spec.instruments.download(session, self._ctx()))
            self._stage = "reading"
            report = await self._masters.refresh(self.spec, files, self.name, began)
        except SessionExpired as error:
            self._trouble = str(error)
            if self._sessions.get(session.account) is session:
                self.leave(session.account)
                await self._expired(session.account, error)
            return True  # nothing to wait for: the next account's session, or the next login
        except (BrokerError, MasterRejected) as error:
            self._trouble = str(error)
            log.error("%s: no new instruments: %s", self.name, error)
            if (held := self._sessions.get(session.account)) is not None:  # the next turn is another account's
                self._sessions = {session.account: held, **self._sessions}
            await self._give(self._masters.current(self.name), set(self._sessions))
            return False
        finally:
            self._stage, self._tried_at = "idle", began
        self._trouble = ""
        refused = ", ".join(f"{reason}: {count}" for reason, count in report.refused.items())
        log.info("%s: %d instruments (refused: %s)", report.version, report.rows, refused or "none")
        await self._give(self._masters.current(self.name), set(self._sessions))
        return True

    async def _give(self, master: Master | None, accounts: set[str]) -> None:
        if master is not None:
            for account in sorted(accounts):
                self._waiting.discard(account)
                if account in self._sessions:
                    await self._hand_out(account, master)
