"""Runs operations over HTTP and says honestly what became of each request.

Every call passes the account's `Conduct`, goes out through the pool of its kind and egress, and leaves a trace. Equal
reads share one call, and a read whose connection broke is repeated once; a write only where no connection came about,
so that no byte of it can have left."""

import asyncio
import itertools
import os
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from sangam.brokers.contract import BrokerSpec, Ctx, Operation, Request, Session
from sangam.model.clock import Clock
from sangam.model.errors import BrokerError, NotSent

from .conduct import Conduct
from .encoding import base_url, decode, encode
from .exchange import Answer, Lost, Unreachable, exchange
from .once import Once, Sending
from .pools import Pools
from .sharing import Flights
from .trace import Trace

T = TypeVar("T")


@dataclass(frozen=True)
class HttpTiming:
    """Seconds. A call is over after its deadline, waiting for a slot of the rate limit included; that wait is refused
    where it would be longer than `*_wait`. What is repeated pauses for a random part of `pause` first."""

    read: float = 30.0
    write: float = 10.0
    file: float = 120.0
    read_wait: float = 10.0
    write_wait: float = 5.0
    pause: float = 0.25

    def deadline(self, request: Request) -> float:
        if request.effect == "write":
            return self.write
        return self.file if request.reply == "file" else self.read

    def wait(self, request: Request) -> float:
        return self.write_wait if request.effect == "write" else self.read_wait


@dataclass(frozen=True)
class _Caller:
    """On whose behalf requests are made. `number` ties the calls of an operation together in the log; the write of
    `once` waits at most `wait` seconds for its slot, and goes out before `starts_by` or not at all."""

    spec: BrokerSpec
    session: Session
    number: int
    urgent: bool = False
    warming: bool = False
    once: Once | None = None
    wait: float = 0.0
    starts_by: float = 0.0


@dataclass
class _Outcome:
    payload: Any = None
    answer: Answer | None = None
    error: BrokerError | None = None


class _Departure:
    """Tells once that a request left, or will not leave any more."""

    def __init__(self, tell: Callable[[], object]) -> None:
        self._tell: Callable[[], object] | None = tell

    def __call__(self) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell()


class HttpDriver:
    """One for all accounts. `run` drives an operation to its result or raises a BrokerError; `trace` counts."""

    def __init__(self, clock: Clock, timing: HttpTiming | None = None) -> None:
        self.trace = Trace()
        self._clock = clock
        self._timing = timing or HttpTiming()
        self._pools = Pools()
        self._conducts: dict[tuple[str, str], Conduct] = {}
        self._flights: Flights[_Outcome] = Flights()
        self._numbers = itertools.count(1)
        self._used: dict[tuple[str, str], float] = {}

    def ctx(self) -> Ctx:
        return Ctx(self._clock.now_ms(), os.urandom)

    async def run(
        self,
        spec: BrokerSpec,
        session: Session,
        operation: Operation[T],
        *,
        urgent: bool = False,
        sending: Sending | None = None,
        wait: float | None = None,
    ) -> T:
        """Drive an operation; its errors are thrown into it first, so that it may read an answer into them.

        `urgent` is for cancels and reductions: they go first, use the reserve of the rate limits, and are tried even
        where the broker did not answer others. `sending` is awaited for the operation's one write: a slot of the rate
        limit is taken by then, and no byte has left. `wait` is how many seconds that write may wait for its slot, in
        place of what is usual; the time for the exchange itself does not become less by it. What is read before the
        write may not make it late either."""
        if sending is None:
            return await self._drive(_Caller(spec, session, next(self._numbers), urgent), operation)
        usual = self._timing.write_wait
        wait = usual if wait is None else wait
        starts_by = self._clock.monotonic() + max(wait, usual)
        once = Once(sending)
        caller = _Caller(spec, session, next(self._numbers), urgent, once=once, wait=wait, starts_by=starts_by)
        return await self._drive(caller, operation)

    def seed(self, spec: BrokerSpec, account: str, lane: str, sent_ms: Iterable[int]) -> None:
        """Let the rate log of a lane begin with what went out before this process (epoch ms)."""
        ahead = self._clock.monotonic() - self._clock.now_ms() / 1000
        self._conduct(spec, account).seed(lane, [ms / 1000 + ahead for ms in sent_ms])

    async def warm(self, spec: BrokerSpec, session: Session) -> None:
        """One harmless read through the pool of the writes, so that the next write finds a living connection."""
        operation = spec.login.check(session, self.ctx())
        await self._drive(_Caller(spec, session, next(self._numbers), warming=True), operation)

    def idle(self, spec: BrokerSpec, session: Session) -> float | None:
        """Seconds since the pool of this session's writes was used; None where it never was."""
        used = self._used.get((spec.name, session.egress))
        return None if used is None else self._clock.monotonic() - used

    def refusal(self, spec: BrokerSpec, session: Session) -> str | None:
        """Why the broker no longer takes the credential that proves the session (`Login.check`), or the "default" one,
        without which nothing is asked; None while it does."""
        told = self._conduct(spec, session.account).refusals(session)
        if not told or "default" in told:
            return told.get("default")
        first = next(spec.login.check(session, self.ctx()), None)
        proof = first[0] if isinstance(first, list) else first
        return None if proof is None else told.get(proof.auth)

    async def close(self) -> None:
        await self._pools.close()

    async def _drive(self, caller: _Caller, operation: Operation[T]) -> T:
        answer: Any = None
        error: BrokerError | None = None
        while True:
            try:
                step = operation.send(answer) if error is None else operation.throw(error)
            except StopIteration as stop:
                value: T = stop.value
                return value
            answer, error = None, None
            try:
                if isinstance(step, list):
                    answer = await self._ask_all(caller, step)
                else:
                    answer = await self._ask(caller, step)
            except BrokerError as caught:
                error = caught if caller.once is None else caller.once.judge(caught)

    async def _ask_all(self, caller: _Caller, requests: list[Request]) -> list[Any]:
        """Side by side; nothing is left in flight when one of them fails."""
        answers = await asyncio.gather(*(self._ask(caller, each) for each in requests), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers

    async def _ask(self, caller: _Caller, request: Request) -> Any:
        if request.effect == "write" or caller.warming:
            return (await self._call(caller, request)).payload
        key = msgspec.msgpack.encode((caller.session, caller.urgent, request), enc_hook=dict)
        outcome, own = await self._flights.join(key, lambda: self._call(caller, request))
        if own or outcome.answer is None:
            return outcome.payload
        self.trace.shared[caller.spec.name] += 1
        return _read(caller.spec, request, outcome.answer)  # its own copy: payloads may be changed by who gets them

    async def _call(self, caller: _Caller, request: Request) -> _Outcome:
        """One request, repeated once if that is harmless and may help."""
        once = caller.once if request.effect == "write" else None
        now, wait = self._clock.monotonic(), self._timing.wait(request)
        ends = now + self._timing.deadline(request)
        if once is not None:
            once.begin()
            wait = min(caller.wait, caller.starts_by - now)
            ends = caller.starts_by + self._timing.write - self._timing.write_wait
            if wait < 0:
                raise NotSent(f"{caller.spec.title}: what had to be read first took too long. Nothing was sent.")
        elif caller.once is not None and not caller.once.begun:
            ends = min(ends, caller.starts_by)
        try:
            return await self._attempt(caller, request, ends, wait, once)
        except (Unreachable, Lost) as error:
            pause = self._timing.pause * random.random()  # noqa: S311 - keeps callers apart, hides nothing
            may_have_left = request.effect == "write" and error.sent
            if may_have_left or self._clock.monotonic() + pause >= ends:
                raise
            await asyncio.sleep(pause)
        return await self._attempt(caller, request, ends, wait, once)

    async def _attempt(
        self, caller: _Caller, request: Request, ends: float, wait: float, once: Once | None
    ) -> _Outcome:
        spec, session = caller.spec, caller.session
        writes = request.effect == "write" or caller.warming
        client = self._pools.client(spec, session, writes=writes)
        conduct = self._conduct(spec, session.account)
        host = urlsplit(base_url(spec, session, request.host)).netloc
        allowed = min(wait, ends - self._clock.monotonic())
        await conduct.admit(session, request, host, allowed, caller.urgent)
        started = self._clock.monotonic()
        outcome, departure = _Outcome(), _Departure(lambda: conduct.left(request))
        try:
            wire = encode(spec, session, request, self.ctx())
            if once is not None:
                await once.announce()
            if (seconds := ends - self._clock.monotonic()) <= 0:
                raise NotSent(f"{spec.title}: there was no time left to send it. Nothing was sent.")
            outcome.answer = await exchange(client, wire, seconds, spec.title, departure)
            outcome.payload = _read(spec, request, outcome.answer)
            return outcome
        except BrokerError as error:
            outcome.error = error
            if once is not None:
                once.failed(error)
            raise
        finally:
            departure()
            self._after(caller, conduct, request, host, outcome, started)
            if writes:
                self._used[spec.name, session.egress] = self._clock.monotonic()

    def _after(
        self, caller: _Caller, conduct: Conduct, request: Request, host: str, outcome: _Outcome, started: float
    ) -> None:
        answer, error = outcome.answer, outcome.error
        status = answer.status if answer is not None else None
        headers = answer.headers if answer is not None else {}
        conduct.settle(caller.session, request, host, status=status, headers=headers, error=error)
        if status is not None or error is not None:
            seconds = self._clock.monotonic() - started
            self.trace.called(caller.session, request, caller.number, status=status, error=error, seconds=seconds)

    def _conduct(self, spec: BrokerSpec, account: str) -> Conduct:
        key = (spec.name, account)
        if key not in self._conducts:
            self._conducts[key] = Conduct(spec, self._clock, self.trace)
        return self._conducts[key]


def _read(spec: BrokerSpec, request: Request, answer: Answer) -> Any:
    return spec.check(request, decode(request, answer.status, answer.headers, answer.content))
