"""Finds the built-in brokers: each folder beside this file that has a ``SPEC``.

A folder that fails to import is reported and skipped, so that one broken broker never stops the others."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator

from sangam.model.errors import ConfigError, UnknownBroker

from .contract import BrokerSpec

_NOT_BROKERS = {"families"}

Report = Callable[[str, Exception], None]


def _ignore(folder: str, error: Exception) -> None:
    """Callers who want to hear of broken folders pass their own."""


def _plain(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


class Registry:
    """Brokers by name; look-ups ignore case, blanks and punctuation, and know aliases."""

    def __init__(self, specs: Iterable[BrokerSpec]) -> None:
        self._specs = {spec.name: spec for spec in sorted(specs, key=lambda spec: spec.name)}
        self._names: dict[str, str] = {}
        for spec in self:
            for name in (spec.name, *spec.aliases):
                taken = self._names.setdefault(_plain(name), spec.name)
                if taken != spec.name:
                    raise ConfigError(f"Broker name '{name}' is claimed by both {taken} and {spec.name}.")

    def __getitem__(self, name: str) -> BrokerSpec:
        """The broker of that name or alias; UnknownBroker tells the known ones."""
        known = self._names.get(_plain(name))
        if known is None:
            raise UnknownBroker(name, self.names)
        return self._specs[known]

    def __iter__(self) -> Iterator[BrokerSpec]:
        return iter(self._specs.values())

    def __len__(self) -> int:
        return len(self._specs)

    @property
    def names(self) -> list[str]:
        return list(self._specs)

    def narrowed(self, valid: Iterable[str]) -> "Registry":
        """Only the named brokers (`VALID_BROKERS`); every name must be known. No name at all means all brokers."""
        chosen = {self[name].name for name in valid if name.strip()}
        return Registry(spec for spec in self if spec.name in chosen) if chosen else self


def load(report: Report = _ignore, package: str = "sangam.brokers") -> Registry:
    """All broker folders of `package`. `report(folder, error)` hears of each that cannot be imported."""
    specs = []
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if not module.ispkg or module.name in _NOT_BROKERS:
            continue
        try:
            specs.append(importlib.import_module(f"{package}.{module.name}").SPEC)
        except Exception as error:  # noqa: BLE001 - any fault of one folder must spare the others
            report(module.name, error)
    return Registry(specs)
