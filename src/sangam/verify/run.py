"""One verification of an account from its first check to its last order's end."""

import asyncio
import logging
from collections.abc import Iterator
from importlib import import_module

from sangam.logs import redactor
from sangam.model.errors import Refused, SangamError, SessionExpired

from .checks import CHECKS, Check, Result, Skip, Verdict, Wrong
from .subject import Subject

log = logging.getLogger("sangam.verify")

for _group in ("listed", "data", "streams", "books", "trade"):
    import_module(f"sangam.verify.{_group}")  # enters its checks into the list

_UNPERMITTED = "INSUFFICIENT_PERMISSION"
_MASK = "(client)"


class Run:
    """`results` grow in the order of the list; `checking` is what is being tried now. `standing` tells of an order that
    is left open or was filled. Without `orders` nothing is ever placed."""

    def __init__(self, subject: Subject, *, orders: bool) -> None:
        self.subject = subject
        self.orders = orders
        self.results: dict[str, Result] = {}
        self.checking = ""
        self.standing = ""
        self.done = False
        self._dead = False
        self._stopping = False
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._go(), name=f"verify {subject.account.id}")

    async def stop(self) -> None:
        """Try nothing more; an order of ours is cancelled before this returns."""
        if not self._stopping:  # a second time would cut short what looks after the order
            self._stopping = True
            self._task.cancel()
        await asyncio.wait({self._task})

    async def news(self, known: int, seconds: float) -> None:
        """Return once there are more results than these, or the end, or after so long."""
        try:
            async with asyncio.timeout(seconds):
                while len(self.results) <= known and not self.done:
                    await self._news.wait()
        except TimeoutError:
            pass

    async def _go(self) -> None:
        try:
            for check in CHECKS.values():
                self.checking = check.id
                self._put(await self._tried(check))
        except asyncio.CancelledError:
            log.warning("%s: the verification was stopped", self.subject.account.id)
        finally:
            self.checking = ""
            try:
                self.standing = await self.subject.trial.end()
            except Exception as error:
                log.exception("%s: the verification's order could not be looked after", self.subject.account.id)
                self.standing = f"An order may be open at the broker, for this failed: {redactor(str(error))}"
            if self.standing:  # also where nobody is left to be told
                log.error("%s: an order of the verification stands. %s", self.subject.account.id, self.standing)
            self.done = True
            self._wake()

    def _put(self, result: Result) -> None:
        self.results[result.id] = result
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _tried(self, check: Check) -> Result:
        if reason := next(self._obstacles(check), ""):
            return Result(check.id, Verdict.SKIPPED, reason)
        began = self.subject.rooms.clock.monotonic()
        verdict, reason = await self._verdict(check)
        return Result(check.id, verdict, self._clean(reason), round(self.subject.rooms.clock.monotonic() - began, 2))

    def _obstacles(self, check: Check) -> Iterator[str]:
        """Why a check is not tried at all."""
        subject = self.subject
        if (need := check.missing(subject.spec)) is not None:
            yield f"{subject.spec.title} offers no {need}"
        if check.orders and not self.orders:
            yield "orders are tried with --orders only"
        if check.orders and subject.rooms.analyzed(subject.account.user):
            yield "the user's orders go to paper now (analyzer)"
        for number in check.after:
            if self.results[number].verdict is not Verdict.OK:
                yield f"{number} did not pass"
        if self._dead:
            yield "the session has died meanwhile"
        if check.open_on is not None and not subject.is_open(check.open_on):
            yield f"{check.open_on} is closed now"

    async def _verdict(self, check: Check) -> tuple[Verdict, str]:
        verdict, reason = Verdict.FAILED, ""
        try:
            async with asyncio.timeout(self.subject.patience.check):
                await check.act(self.subject)
            verdict = Verdict.OK
        except Skip as skip:
            verdict, reason = Verdict.SKIPPED, str(skip)
        except TimeoutError:
            reason = f"not done within {self.subject.patience.check:g} s"
        except (Wrong, SangamError) as error:
            reason = str(error)
            self._dead = self._dead or isinstance(error, SessionExpired)
            if isinstance(error, Refused) and error.code == _UNPERMITTED:  # by the account's plan, for one
                verdict = Verdict.SKIPPED
        except Exception as error:
            log.exception("%s: %s broke", self.subject.account.id, check.id)
            reason = f"{type(error).__name__}: {error}"
        return verdict, reason

    def _clean(self, reason: str) -> str:
        """Without secrets and without the client's name: results are there to be shown."""
        reason = redactor(reason)
        for name in (self.subject.account.client_id, self.subject.account.id):
            if len(name) > 2:
                reason = reason.replace(name, _MASK)
        return reason
