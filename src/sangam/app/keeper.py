"""Keeps sessions in order by the clock: ends those whose hour has come or that the broker no longer takes, prolongs
them where the broker offers it, and logs in by itself where the broker allows it and the user stored what it takes."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sangam.accounts.desk import Desk
from sangam.accounts.expiry import next_expiry
from sangam.accounts.sessions import End, Ended
from sangam.accounts.ways import Way, may_log_in_alone
from sangam.feed.assess import Dead
from sangam.model.clock import Clock
from sangam.model.enums import AccountState
from sangam.model.errors import BrokerError, InvalidInput, Refused, SangamError
from sangam.model.identity import AccountInfo

log = logging.getLogger("sangam.app")

EVERY_SECONDS = 0.5
TRIES = 3
FIRST_MS = (5_000, 60_000)
"""A login waits for a moment in this range, so that not everybody's program knocks when the hour strikes."""
PAUSES_MS = (60_000, 300_000)
HOUR_MS = 3_600_000
RENEW_BEFORE_MS = 30 * 60_000
_BY_PEOPLE = frozenset({End.LOGGED_OUT, End.REPLACED})
"""Somebody wants it so; two programs that log in by themselves would fight."""


@dataclass
class _Attempts:
    """Of one account since its last session; `next_at` None: no more, a person is needed."""

    next_at: int | None
    failed: int = 0


class Keeper:
    """`start` it once the accounts are served; `stop` ends it. `dead` tells of an account's session that has ended."""

    def __init__(self, desk: Desk, dead: Callable[[str], Dead | None], clock: Clock) -> None:
        self._desk = desk
        self._accounts = desk.accounts
        self._flows = desk.flows
        self._dead = dead
        self._clock = clock
        self._logins: dict[str, _Attempts] = {}
        self._made: dict[str, list[int]] = {}
        """When the automatic logins of the last hour succeeded."""
        self._renewals: dict[str, tuple[int, _Attempts]] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._watch = asyncio.create_task(self._run(), name="session keeper")

    async def stop(self) -> None:
        tasks = [*self._busy.values(), *([self._watch] if self._watch is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:  # a defect in one look must not end the watch over all sessions
                log.exception("a look at the sessions failed")
            await asyncio.sleep(EVERY_SECONDS)

    def look(self) -> None:
        """What is due now."""
        self._flows.pending.clean()
        for account in self._accounts.sessions.overdue():
            self._accounts.end_session(account, Ended(End.EXPIRED))
        for info in self._accounts.list():
            self._bury(info)
            if info.id not in self._busy and self._flows.serves(info.broker):
                self._prolong(info)
                self._log_in(info)

    def _bury(self, info: AccountInfo) -> None:
        """The feed found the session dead; the account must know it, at the next start too. Where only what streams has
        ended, orders go on until somebody logs in."""
        dead, session = self._dead(info.id), self._accounts.session(info.id)
        if dead is None or session is None or dead.generation != session.generation:  # an older one that died
            return
        how = End.REPLACED if dead.state is AccountState.REPLACED else End.REFUSED
        if dead.whole or (how not in _BY_PEOPLE and self._alone(info)):
            self._accounts.end_session(info.id, Ended(how, dead.reason))

    # --- renewal ------------------------------------------------------------------------------------------------------

    def _prolong(self, info: AccountInfo) -> None:
        session, now = self._accounts.session(info.id), self._clock.now_ms()
        if session is None or session.expires_at is None or session.expires_at - now > RENEW_BEFORE_MS:
            return
        if self._flows.spec(info.id).login.renew is None:
            return
        generation, attempts = self._renewals.get(info.id, (0, _Attempts(now)))
        if generation != session.generation:
            attempts = _Attempts(now)
            self._renewals[info.id] = (session.generation, attempts)
        if attempts.next_at is not None and attempts.next_at <= now:
            self._begin(info.id, self._renew(info.id, attempts))

    async def _renew(self, account: str, attempts: _Attempts) -> None:
        try:
            await self._flows.renew(account)
            log.info("%s: the session is prolonged", account)
            attempts.next_at = None
        except (Refused, InvalidInput) as error:
            log.info("%s: the session is not prolonged: %s", account, error)
            attempts.next_at = None
        except BrokerError as error:
            self._put_off(attempts)
            log.warning("%s: the session is not prolonged yet: %s", account, error)

    # --- automatic login ----------------------------------------------------------------------------------------------

    def _log_in(self, info: AccountInfo) -> None:
        ended, now = self._accounts.sessions.ended(info.id), self._clock.now_ms()
        if self._accounts.session(info.id) is not None:
            self._logins.pop(info.id, None)
            return
        if ended is None or ended.how in _BY_PEOPLE or self._flows.pending.under_way(info.id):
            return
        if not self._alone(info):
            return
        if info.id not in self._logins:
            self._logins[info.id] = _Attempts(self._begins(info.id, now))
        attempts = self._logins[info.id]
        if attempts.next_at is not None and attempts.next_at <= now:
            self._begin(info.id, self._try(info.id, attempts))

    def _alone(self, info: AccountInfo) -> bool:
        """Whether the next session needs nobody."""
        if not self._flows.serves(info.broker):
            return False
        return may_log_in_alone(self._flows.spec(info.id).login, self._accounts[info.id].secrets)

    def _begins(self, account: str, now: int) -> int:
        """Not more than `TRIES` in an hour: not every broker says that another program took the session, and the two
        would end each other's all day."""
        soon = now + random.randint(*FIRST_MS)  # noqa: S311
        made = self._made[account] = [at for at in self._made.get(account, ()) if at > now - HOUR_MS]
        if len(made) < TRIES:
            return soon
        log.error(
            "%s: %d automatic logins within an hour have ended, the next waits. Does another program use the same key? "
            "Log in yourself to go on now.",
            account,
            len(made),
        )
        return max(soon, made[-TRIES] + HOUR_MS)

    async def _try(self, account: str, attempts: _Attempts) -> None:
        try:
            flow = await self._flows.begin(account, way=Way.STEPS)
            if flow.open:
                flow.fail("the broker asked a question that only a person can answer")
            reason = flow.error
        except SangamError as error:
            reason = str(error)
        if not reason:
            self._made.setdefault(account, []).append(self._clock.now_ms())
            return
        self._put_off(attempts)
        if attempts.next_at is not None:
            log.warning("%s: the automatic login failed and is tried again: %s", account, reason)
            return
        # The next trading day is another chance; until then only a person can help.
        attempts.next_at = next_expiry(self._clock.now_ms(), self._flows.spec(account).session_ends)
        attempts.failed = 0
        log.error("%s: the automatic login failed %d times: %s. Log in yourself.", account, TRIES, reason)

    def _put_off(self, attempts: _Attempts) -> None:
        attempts.failed += 1
        left = attempts.failed < TRIES
        attempts.next_at = self._clock.now_ms() + PAUSES_MS[attempts.failed - 1] if left else None

    def _begin(self, account: str, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._busy[account] = task
        task.add_done_callback(lambda _: self._busy.pop(account, None))
