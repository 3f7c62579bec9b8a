"""What the command line asks of verifications, as verbs with plain arguments and plain answers."""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sangam.accounts.accounts import Accounts
from sangam.accounts.arguments import Arguments
from sangam.accounts.verbs import Verbs
from sangam.brokers.registry import Registry
from sangam.model.clock import ist_from_ms
from sangam.model.errors import InvalidInput
from sangam.model.identity import AccountInfo
from sangam.verify.checks import CHECKS
from sangam.verify.run import Run
from sangam.verify.subject import Patience, Rooms, Subject

LONGEST_WAIT = 20.0
"""Seconds that one look may wait for news."""


class Start(Arguments):
    account: str
    orders: bool = False


class Look(Arguments):
    """`known` results are not told again; the answer waits up to `wait` seconds for another one."""

    run: str
    known: int = 0
    wait: float = 0.0


class NameRun(Arguments):
    run: str


class VerifyVerbs(Verbs):
    """`call` runs a verb; all errors are SangamErrors. `find` names an account as the command line does."""

    def __init__(
        self,
        rooms: Rooms,
        accounts: Accounts,
        brokers: Registry,
        find: Callable[[str], AccountInfo],
        version: str,
        patience: Patience | None = None,
    ) -> None:
        self.patience = patience or Patience()
        self._rooms = rooms
        self._accounts = accounts
        self._brokers = brokers
        self._find = find
        self._version = version
        self._numbers = itertools.count(1)
        self._runs: dict[str, Run] = {}
        super().__init__(
            {
                "verify/start": (Start, self._start),
                "verify/look": (Look, self._look),
                "verify/stop": (NameRun, self._stop),
            }
        )

    async def stop(self) -> None:
        """End what is under way; orders of verifications are cancelled before this returns."""
        await asyncio.gather(*(run.stop() for run in self._runs.values() if not run.done))

    def _start(self, wanted: Start) -> dict[str, Any]:
        info = self._find(wanted.account)
        spec = self._brokers[info.broker]
        session = self._accounts.session(info.id)
        if session is None:
            raise InvalidInput(f"{info.id} is not logged in: sangam account login {info.id}")
        for name, run in list(self._runs.items()):
            if run.done:
                del self._runs[name]
            elif run.subject.account.id == info.id:
                raise InvalidInput(f"{info.id} is being verified already.")
        subject = Subject(spec, info, session, self._rooms, self.patience)
        name = str(next(self._numbers))
        self._runs[name] = Run(subject, orders=wanted.orders or spec.sandbox)
        return {"run": name, **self._told(self._runs[name], 0)}

    async def _look(self, wanted: Look) -> dict[str, Any]:
        run = self._run(wanted.run)
        await run.news(wanted.known, min(wanted.wait, LONGEST_WAIT))
        return self._told(run, wanted.known)

    async def _stop(self, wanted: NameRun) -> dict[str, Any]:
        run = self._run(wanted.run)
        await run.stop()
        return self._told(run, len(run.results))

    def _run(self, name: str) -> Run:
        if name not in self._runs:
            raise InvalidInput(f"There is no verification '{name}'.")
        return self._runs[name]

    def _told(self, run: Run, known: int) -> dict[str, Any]:
        results = [_row(result) for result in list(run.results.values())[known:]]
        return {
            "version": self._version,
            "broker": run.subject.spec.name,
            "at": f"{ist_from_ms(self._rooms.clock.now_ms()):%Y-%m-%d %H:%M} IST",
            "orders": run.orders,
            "of": len(CHECKS),
            "checking": run.checking,
            "results": results,
            "done": run.done,
            "standing": run.standing,
        }


def _row(result: msgspec.Struct) -> Mapping[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(result)
    return {**row, "title": CHECKS[row["id"]].title}
