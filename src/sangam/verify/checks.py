"""What a check is: a small question to the broker itself, whose answer must be as the model says.

It bears the number of the conformance case that makes the same claim against the simulator, and has its needs. A check
reads and listens; those of `orders` act on the one order of a `Trial` and on nothing else."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from sangam.model.enums import Exchange

from .needs import Need, Numbered, enter, title_of

if TYPE_CHECKING:
    from .subject import Subject


class Verdict(StrEnum):
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Skip(Exception):
    """It cannot be tried now; the text says why."""


class Wrong(Exception):
    """The broker told something else than it should; the text says what, and nothing of what the account holds."""


def expect(so: object, otherwise: str) -> None:
    if not so:
        raise Wrong(otherwise)


class Result(msgspec.Struct, frozen=True):
    """`reason` says why it failed or was skipped."""

    id: str
    verdict: Verdict
    reason: str = ""
    seconds: float = 0.0


Act = Callable[["Subject"], Awaitable[None]]


@dataclass(frozen=True)
class Check(Numbered):
    """`after` are checks that must have passed; `open_on` is the exchange that must trade now."""

    after: tuple[str, ...]
    open_on: Exchange | None
    orders: bool
    act: Act


CHECKS: dict[str, Check] = {}
"""All checks by their id, in the order in which they are tried."""

PROVED = "LOGIN-01"
"""The check that proves the session: nothing else is tried where it fails."""
LISTED = "INSTR-12"
"""The check that the day's instruments stand."""


def check(
    number: str,
    *needs: Need,
    after: tuple[str, ...] = (PROVED, LISTED),
    open_on: Exchange | None = None,
    orders: bool = False,
    title: str = "",
) -> Callable[[Act], Act]:
    """Enter the decorated function into the list. Without `title` its docstring is the title."""

    def entered(act: Act) -> Act:
        enter(Check(number, title or title_of(act), needs, after, open_on, orders, act), CHECKS)
        return act

    return entered
