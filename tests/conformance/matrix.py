"""The numbered matrix: what a case is, what it needs of a broker, and why a broker skips it.

A case is a function with an id, a title (its docstring), and needs. It acts on the real rooms of the house, with one
broker's folder below them and its simulator at the other end, and expects objects of the model. It knows no broker."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sangam.brokers.contract import BrokerSpec

if TYPE_CHECKING:
    from tests.conformance.rig import Rig

GROUPS = {
    "LOGIN": "the ways in and out",
    "INSTR": "the list of instruments",
    "DATA": "quotes and candles by request",
    "STREAM": "market data over sockets",
    "TRADE": "orders",
    "BOOKS": "what an account holds",
    "PUSH": "news of orders",
    "OUTCOME": "what is known of a write that went wrong",
}


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


@dataclass(frozen=True)
class Need:
    """What a broker must offer. `kind` is the key of a stand's `absent`, `detail` says which one of the kind."""

    kind: str
    offered: Callable[[BrokerSpec], bool]
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.detail}".strip()


Act = Callable[["Rig"], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    id: str
    title: str
    needs: tuple[Need, ...]
    world: World
    act: Act

    @property
    def group(self) -> str:
        return self.id.partition("-")[0]

    def missing(self, spec: BrokerSpec) -> Need | None:
        """The first thing that the broker does not offer."""
        return next((need for need in self.needs if not need.offered(spec)), None)


CASES: dict[str, Case] = {}
"""All cases by their id, in the order of the groups' files."""


def case(number: str, *needs: Need, world: World | None = None, title: str = "") -> Callable[[Act], Act]:
    """Enter the decorated function into the matrix. Without `title` its docstring is the title."""

    def enter(act: Act) -> Act:
        if number in CASES:
            raise ValueError(f"{number} is there already")
        text = title or " ".join((act.__doc__ or "").split()).removesuffix(".")
        CASES[number] = Case(number, text, needs, world or World(), act)
        return act

    return enter


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
