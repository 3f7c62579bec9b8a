"""The numbered matrix: what a case is, and why a broker skips it.

A case is a function with an id, a title (its docstring), and needs. It acts on the real rooms of the house, with one
broker's folder below them and its simulator at the other end, and expects objects of the model. It knows no broker."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sangam.brokers.contract import BrokerSpec
from sangam.verify.needs import Need, Numbered, enter, title_of

if TYPE_CHECKING:
    from tests.conformance.rig import Rig


@dataclass(frozen=True)
class World:
    """What the simulated broker should be like for a case. `limits`: it answers 429 to what its own table forbids;
    `early`: it refuses for lack of money or shares at once, rather than by a rejected order; `wide`: it lists more
    instruments than go into one request."""

    cash: float = 10_000_000.0
    holdings: bool = True
    limits: bool = False
    early: bool = False
    wide: bool = False


Act = Callable[["Rig"], Awaitable[None]]


@dataclass(frozen=True)
class Case(Numbered):
    world: World
    act: Act


CASES: dict[str, Case] = {}
"""All cases by their id, in the order of the groups' files."""


def case(number: str, *needs: Need, world: World | None = None, title: str = "") -> Callable[[Act], Act]:
    """Enter the decorated function into the matrix. Without `title` its docstring is the title."""

    def entered(act: Act) -> Act:
        enter(Case(number, title or title_of(act), needs, world or World(), act), CASES)
        return act

    return entered


class Unexplained(Exception):
    """A broker skips a case and no sheet says why."""


class Skip(NamedTuple):
    """`reason` says why the broker has not what is needed, and where its sheet says so."""

    need: Need
    reason: str

    def __str__(self) -> str:
        return f"no {self.need}: {self.reason}"


def skip(case: Case, spec: BrokerSpec, absent: Mapping[str, str]) -> Skip | None:
    """None where the case runs. Raises Unexplained where the stand of the broker names no reason."""
    need = case.missing(spec)
    if need is None:
        return None
    reason = absent.get(str(need)) or absent.get(need.kind)
    if reason is None:
        raise Unexplained(f"{spec.title} offers no {need}: name the reason and the sheet's section in its stand.")
    return Skip(need, reason)
