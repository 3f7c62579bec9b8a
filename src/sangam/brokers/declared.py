"""Brokers that a file declares: ``{name}.toml`` says which family's wire a broker speaks, and what of it is its own.

A family that files may name has a `Member`, the msgspec struct of what its brokers differ in, and `broker(member)`,
which makes the table. A declaration that asks (``[ask]``) lacks what nobody has told yet, its family or its hosts: the
broker is named, and choosing it tells what to get from it."""

import math
import pkgutil
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec import structs
from msgspec.structs import fields

from sangam.model.errors import BrokerNotConfigured, ConfigError, InvalidInput, SangamError

from . import families
from .contract import BrokerSpec
from .hosts import check_url
from .misfits import about, leaves, misfit, shown, told
from .toml_lines import Step, line_of

T = TypeVar("T")

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class Family(Protocol):
    """What `sangam.brokers.families.{name}` offers to files. `Member` has a name, a title and limits at least; `LANES`
    are those of the family's requests."""

    Member: type[msgspec.Struct]
    LANES: frozenset[str]

    def broker(self, member: Any) -> BrokerSpec: ...


@dataclass(frozen=True)
class Unconfigured:
    """A broker that is named and cannot be used. `asks` are the facts that somebody must get from it, by the key of its
    file that takes them."""

    name: str
    title: str
    aliases: tuple[str, ...]
    asks: Mapping[str, str]

    def refusal(self) -> BrokerNotConfigured:
        return BrokerNotConfigured(self.name, self.title, self.asks)


class _Head(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What any declaration may say; without a family it can say no more."""

    title: str
    family: str = ""
    name: str = ""
    aliases: tuple[str, ...] = ()
    ask: dict[str, str] = {}


def known_families() -> list[str]:
    """Those that files may name."""
    names = (module.name for module in pkgutil.iter_modules(families.__path__))
    return sorted(name for name in names if hasattr(_module(name), "Member"))


def _module(name: str) -> Any:
    return import_module(f"{families.__name__}.{name}")


class Declaration:
    """One file, read. Raises ConfigError: what is not TOML, and a file whose name can be none of a broker."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"{path}: a broker's name is a-z, 0-9 and _, and begins with a letter. Rename the file.")
        self._text = ""
        try:
            self._text = path.read_text(encoding="utf-8-sig")
            self._said = tomllib.loads(self._text)
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: byte {error.start} is no UTF-8. Save the file as UTF-8.") from error
        except tomllib.TOMLDecodeError as error:
            raise self._torn(str(error)) from error

    def read(self) -> BrokerSpec | Unconfigured:
        """The broker's table, or what is missing for one. Raises ConfigError naming file and line."""
        said = dict(self._said)
        if said.setdefault("name", self.name) != self.name:
            raise self.fault(("name",), f"the file's name makes it '{self.name}', not '{said['name']}': leave it out")
        if "family" not in said:
            if "ask" not in said:
                raise self.fault((), f"'family' is missing. Families: {', '.join(known_families())}")
            return self._unconfigured(self._as(_Head, said), ["family"])
        head = self._as(_Head, {key: said[key] for key in _Head.__struct_fields__ if key in said})
        family = self._family(head.family)
        for key in ("family", "ask"):
            said.pop(key, None)
        lacking = [each.encode_name for each in fields(family.Member) if each.required and each.encode_name not in said]
        return self._unconfigured(head, lacking) if lacking and head.ask else self._built(family, said)

    def fault(self, steps: Sequence[Step], text: str) -> ConfigError:
        """An error about what `steps` lead to in the file."""
        return ConfigError(f"{self.path}, line {line_of(self._text, steps)}: {text.removesuffix('.')}.")

    def _torn(self, told: str) -> ConfigError:
        """`tomllib` says ``what (at line 3, column 7)``, or ``(at end of document)``."""
        what, _, where = told.removesuffix(")").rpartition(" (at ")
        place = where if where.startswith("line ") else f"line {len(self._text.splitlines())}, the end"
        return ConfigError(f"{self.path}, {place}: this is no TOML: {what[:1].lower()}{what[1:]}. Correct it.")

    def _unconfigured(self, head: _Head, lacking: Sequence[str]) -> Unconfigured:
        asks = {key: text for key, text in head.ask.items() if key not in self._said}
        for key in lacking:
            of_all = f"which every broker of '{head.family}' has"
            asks.setdefault(key, of_all if head.family else f"one of {', '.join(known_families())}")
        return Unconfigured(self.name, head.title, head.aliases, asks)

    def _family(self, name: str) -> Family:
        known = known_families()
        if name not in known:
            raise self.fault(("family",), f"there is no family '{name}'. Families: {', '.join(known)}")
        family: Family = _module(name)
        return family

    def _built(self, family: Family, said: Mapping[str, Any]) -> BrokerSpec:
        member = _limited(self._as(family.Member, said))
        try:
            spec = family.broker(member)
        except (SangamError, ValueError, TypeError, LookupError) as error:
            where = about((), str(error), said)
            raise self.fault(where, told(where, str(error))) from error
        for name, url in spec.hosts.items():
            try:
                check_url(name, url)
            except InvalidInput as error:
                raise self.fault(_source(said, url), str(error)) from error
        self._check(spec, said, family.LANES)
        return spec

    def _check(self, spec: BrokerSpec, said: Mapping[str, Any], lanes: frozenset[str]) -> None:
        """What types cannot say, and the rooms above rely on."""
        for steps, value in leaves(said):
            if isinstance(value, int | float) and not 0 <= value < math.inf:
                raise self.fault(steps, f"'{shown(steps)}': {value} is no number from 0 up")
        for key in ("session_ends", "instruments_ready"):
            if (hour := getattr(spec, key)) and not _HOUR.fullmatch(hour):
                raise self.fault((key,), f"'{key}': '{hour}' is no hour such as 06:00")
        for row, limit in enumerate(spec.limits):
            if limit.lane not in lanes:
                known = ", ".join(sorted(lanes))
                raise self.fault(("limits", row), f"'limits[{row}]': there is no lane '{limit.lane}'. Lanes: {known}")
            if limit.reserve >= limit.count:
                raise self.fault(("limits", row), f"'limits[{row}]': a reserve of {limit.reserve} leaves nothing of it")
        if any(min(stream.limits.symbols_per_socket, stream.limits.sockets) < 1 for stream in spec.streams):
            raise self.fault((), "its sockets carry nothing: give them at least one instrument")
        if not spec.exchanges:
            raise self.fault(("exchanges",), "'exchanges': there is none")

    def _as(self, kind: type[T], said: Mapping[str, Any]) -> T:
        try:
            return msgspec.convert(said, kind)
        except msgspec.ValidationError as error:
            raise self.fault(*misfit(kind, said, error)) from error


def _limited(member: Any) -> Any:
    """A lane that a file sets no limit for keeps those of the family: without a row it would have none."""
    (usual,) = (field.default for field in fields(member) if field.name == "limits")
    named = {row.lane for row in member.limits}
    return structs.replace(member, limits=(*member.limits, *(row for row in usual if row.lane not in named)))


def _source(said: Mapping[str, Any], url: str) -> tuple[Step, ...]:
    """Where the address comes from: what is the most of it."""
    texts = ((len(text), steps) for steps, text in leaves(said) if isinstance(text, str) and text in url)
    return max(texts, key=itemgetter(0), default=(0, ()))[1]
