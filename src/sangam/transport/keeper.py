"""Keeps a connection warm for the next write: in session hours, one harmless read before the last one grows too old.

Opening TCP and TLS costs an order its best milliseconds, and a connection that idled for long may be dead without a
word. Simulated brokers need none of it."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from functools import partial

from sangam.brokers.contract import BrokerSpec, Session
from sangam.model.errors import BrokerError

from .http import HttpDriver

EARLY = 0.7
"""The part of a broker's `idle_reuse` after which its connection is used again."""


class Keeper:
    """`held` tells the live sessions of accounts that trade, `in_session` whether orders are taken now."""

    def __init__(
        self,
        driver: HttpDriver,
        held: Callable[[], Iterable[tuple[BrokerSpec, Session]]],
        in_session: Callable[[BrokerSpec], bool],
        every: float = 1.0,
    ) -> None:
        self._driver = driver
        self._held = held
        self._in_session = in_session
        self._every = every
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep(), name="keeper")

    async def stop(self) -> None:
        tasks = [task for task in (self._task, *self._running.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            for spec, session in self._held():
                pool = (spec.name, session.egress)
                if pool not in self._running and self._due(spec, session):
                    task = asyncio.create_task(self._warm(spec, session), name=f"warm {spec.name}")
                    task.add_done_callback(partial(self._warmed, pool))
                    self._running[pool] = task
            await asyncio.sleep(self._every)

    def _due(self, spec: BrokerSpec, session: Session) -> bool:
        if spec.simulated or not self._in_session(spec):
            return False
        idle = self._driver.idle(spec, session)
        return idle is None or idle >= spec.idle_reuse * EARLY

    def _warmed(self, pool: tuple[str, str], task: asyncio.Task[None]) -> None:
        del self._running[pool]

    async def _warm(self, spec: BrokerSpec, session: Session) -> None:
        # The call itself is logged, and whatever it told is known to the driver.
        with contextlib.suppress(BrokerError):
            await self._driver.warm(spec, session)
