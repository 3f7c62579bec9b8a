"""Finds the built-in brokers: each folder beside this file that has a ``SPEC``, and each TOML file that declares one.

What fails to load is reported and skipped, so that one broken broker never stops the others."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sangam.model.errors import ConfigError, UnknownBroker

from .contract import BrokerSpec
from .declared import Declaration, Unconfigured

_NOT_BROKERS = {"families"}

Report = Callable[[str, Exception], None]


def _ignore(folder: str, error: Exception) -> None:
    """Callers who want to hear of broken folders pass their own."""


def _plain(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


class NameTaken(ConfigError):
    """Two brokers claim one name."""

    def __init__(self, name: str, owner: str, other: str) -> None:
        who = "twice" if owner == other else f"by both {owner} and {other}"
        super().__init__(f"Broker name '{name}' is claimed {who}.")
        self.name = name
        self.owner = owner


class Registry:
    """Brokers by name; look-ups ignore case, blanks and punctuation, and know aliases.

    Those that are `unconfigured` are neither counted nor listed among the others: to look one up raises."""

    def __init__(self, specs: Iterable[BrokerSpec], unconfigured: Iterable[Unconfigured] = ()) -> None:
        self._specs: dict[str, BrokerSpec] = {}
        for spec in sorted(specs, key=lambda spec: spec.name):
            if self._specs.setdefault(spec.name, spec) is not spec:
                raise NameTaken(spec.name, spec.name, spec.name)
        self._unconfigured = {one.name: one for one in sorted(unconfigured, key=lambda one: one.name)}
        self._names: dict[str, str] = {}
        for one in (*self, *self.unconfigured):
            for name in (one.name, *one.aliases):
                taken = self._names.setdefault(_plain(name), one.name)
                if taken != one.name or (one.name in self._specs and one.name in self._unconfigured):
                    raise NameTaken(name, taken, one.name)

    def __getitem__(self, name: str) -> BrokerSpec:
        """The broker of that name or alias. Raises UnknownBroker, which tells the known ones, and BrokerNotConfigured,
        which tells what to ask this one for."""
        known = self._names.get(_plain(name))
        if known is None:
            raise UnknownBroker(name, self.names)
        if known in self._unconfigured:
            raise self._unconfigured[known].refusal()
        return self._specs[known]

    def refuse_unconfigured(self, name: str) -> None:
        """Raises BrokerNotConfigured where that is what `name` means; it may mean anything else."""
        if (known := self._names.get(_plain(name))) in self._unconfigured:
            raise self._unconfigured[known].refusal()

    def joined(self, one: BrokerSpec | Unconfigured) -> "Registry":
        """With one more; an unconfigured broker makes place for one of its name. Raises NameTaken."""
        others = [other for other in self.unconfigured if other.name != one.name]
        if isinstance(one, Unconfigured):
            return Registry(self, [*others, one])
        return Registry([*self, one], others)

    def declared(self, path: Path) -> "Registry":
        """With the broker that a file declares. Raises ConfigError naming file and line, and OSError."""
        declaration = Declaration(path)
        one = declaration.read()
        try:
            return self.joined(one)
        except NameTaken as error:
            own = _plain(error.name) == _plain(one.name)
            where = ("name",) if own else ("aliases", one.aliases.index(error.name))
            advice = "give the file another name" if own else "leave this alias out"
            raise declaration.fault(where, f"the name '{error.name}' is taken already: {advice}") from error

    def __iter__(self) -> Iterator[BrokerSpec]:
        return iter(self._specs.values())

    def __len__(self) -> int:
        return len(self._specs)

    @property
    def names(self) -> list[str]:
        return list(self._specs)

    @property
    def unconfigured(self) -> list[Unconfigured]:
        return list(self._unconfigured.values())

    def narrowed(self, valid: Iterable[str]) -> "Registry":
        """Only the named brokers (`VALID_BROKERS`); every name must be known. No name at all means all brokers."""
        chosen = {self[name].name for name in valid if name.strip()}
        return Registry(spec for spec in self if spec.name in chosen) if chosen else self


def load(report: Report = _ignore, package: str = "sangam.brokers") -> Registry:
    """All broker folders and declarations of `package`. `report(name, error)` hears of each that cannot be loaded."""
    specs = []
    paths = importlib.import_module(package).__path__
    for module in pkgutil.iter_modules(paths):
        if not module.ispkg or module.name in _NOT_BROKERS:
            continue
        try:
            specs.append(importlib.import_module(f"{package}.{module.name}").SPEC)
        except Exception as error:  # noqa: BLE001 - any fault of one folder must spare the others
            report(module.name, error)
    return with_files(Registry(specs), paths, report)


def with_files(house: Registry, folders: Iterable[str | Path], report: Report = _ignore) -> Registry:
    """And what the ``*.toml`` of these folders declare."""
    for path in sorted(path for folder in folders for path in Path(folder).glob("*.toml")):
        try:
            house = house.declared(path)
        except Exception as error:  # noqa: BLE001 - as above
            report(path.stem, error)
    return house
