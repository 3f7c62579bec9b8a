"""Finds what users wrote: broker folders like the house's own, declarations, and adapters; in the home folder, and what
is code also installed.

A broker folder is ``sangam_brokers/{name}`` with a ``SPEC``, a declaration ``sangam_brokers/{name}.toml``. An adapter's
file is ``broker/{name}/streaming/{name}_adapter.py`` with the class ``{Name}WebSocketAdapter``. It is written against
the reference implementation's names: while it loads, and only then, ``websocket_proxy.base_adapter`` and
``websocket_proxy.broker_factory`` are ours, and ``broker`` is the folder in the home. Nothing of that stays in
`sys.modules`."""

import logging
import pkgutil
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module, invalidate_caches
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from sangam.brokers import registry
from sangam.brokers.contract import BrokerSpec
from sangam.brokers.registry import Registry, Report
from sangam.model.errors import BrokerNotConfigured, UnknownBroker
from sangam.settings import load_settings

if TYPE_CHECKING:
    from .life import Kind

FOLDERS = "sangam_brokers"
ENTRY_POINTS = "sangam.adapters"
LOAD_SECONDS = 20.0
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SCOPE = ("websocket_proxy", "broker")
_OTHERS, _OTHERS_WRITE = 0o077, 0o022
_lock = threading.Lock()

log = logging.getLogger("sangam.adapters")

Modules = Mapping[str, Mapping[str, object]]
"""What is in the modules of the reference implementation, by their names."""


def _tell(name: str, error: Exception) -> None:
    log.error("the broker '%s' cannot be loaded and is skipped: %s", name, error)


def brokers(home: Path, report: Report = _tell) -> Registry:
    """The brokers of the house, users' own, and their adapters. `report(name, error)` hears of each that
    cannot be used."""
    house = complete(home, report)
    for name, load in found(home).items():
        house = _joined(house, name, partial(_hosted, name, load), report)
    return house


def complete(home: Path, report: Report = _tell) -> Registry:
    """Those with tables: the brokers of the house, users' broker folders, and their declarations."""
    house = registry.load(report)
    for name, load in folders(home).items():
        house = _joined(house, name, load, report)
    return _declared(house, home, report)


def table(name: str) -> BrokerSpec:
    """Of a broker by its name or alias: of the house, else of a user's. Raises ConfigError."""
    try:
        return registry.load()[name]
    except (UnknownBroker, BrokerNotConfigured):
        return complete(load_settings().sangam_home)[name]


def _hosted(name: str, load: "Callable[[], Kind]") -> BrokerSpec:
    from . import hosted  # noqa: PLC0415 - commands start without the server's libraries

    return hosted.spec(name, load())


def _joined(house: Registry, name: str, load: Callable[[], BrokerSpec], report: Report) -> Registry:
    try:
        return house.joined(load())
    except Exception as error:  # noqa: BLE001 - one user's fault must spare all others
        report(name, error)
        return house


def _declared(house: Registry, home: Path, report: Report) -> Registry:
    """Whoever may write where a broker is, would be sent its credentials."""
    try:
        _guarded(home, FOLDERS)
    except PermissionError as error:
        for path in (home / FOLDERS).glob("*.toml"):
            report(path.stem, error)
        return house
    return registry.with_files(house, [home / FOLDERS], report)


def folders(home: Path) -> dict[str, Callable[[], BrokerSpec]]:
    """Name -> what loads the table. They are in a package of Python's namespace kind, which may lie in several places.
    Loading raises whatever the folder's code does."""
    if (home / FOLDERS).is_dir() and str(home) not in sys.path:
        sys.path.append(str(home))  # the process that reads instrument lists gets it, too
        invalidate_caches()
    package = find_spec(FOLDERS)
    places = package.submodule_search_locations if package is not None else None
    names = [module.name for module in pkgutil.iter_modules(places) if module.ispkg] if places is not None else []
    return {name: partial(_folder, home, name) for name in names}


def _folder(home: Path, name: str) -> BrokerSpec:
    _guarded(home, FOLDERS)
    spec = _patiently(lambda: import_module(f"{FOLDERS}.{name}").SPEC)
    if not isinstance(spec, BrokerSpec):
        raise TypeError(f"{name}.SPEC is no BrokerSpec")
    return spec


def _guarded(home: Path, folder: str) -> None:
    """What others may write, they could make us run: the code of one may import that of all. Raises PermissionError."""
    if sys.platform == "win32" or not (home / folder).exists():  # there the bits say nothing
        return
    if not _mode(home) & _OTHERS:  # nobody else gets in
        return
    for path in (home, home / folder, *(home / folder).rglob("*")):
        if _mode(path) & _OTHERS_WRITE:
            raise PermissionError(f"others may write {path}, and so have it run: chmod -R go-w {home}")


def _mode(path: Path) -> int:
    """0 of what is not there."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return 0


def found(home: Path) -> "dict[str, Callable[[], Kind]]":
    """Name -> what loads the class. Files come before packages. Loading raises whatever the adapter's code does."""
    named: dict[str, Callable[[], Kind]] = {}
    for path in sorted(home.glob("broker/*/streaming/*_adapter.py")):
        name = path.parents[1].name
        if _NAME.fullmatch(name) and path.name == f"{name}_adapter.py":
            named[name] = partial(_load, home, partial(_from_file, home, name))
    for point in entry_points(group=ENTRY_POINTS):
        named.setdefault(point.name.lower(), partial(_load, home, point.load))
    return named


def _from_file(home: Path, name: str) -> object:
    _guarded(home, "broker")
    module = import_module(f"broker.{name}.streaming.{name}_adapter")
    wanted = f"{name.replace('_', '')}websocketadapter"
    for attribute, value in vars(module).items():
        if attribute.replace("_", "").lower() == wanted:
            return value
    raise ImportError(f"{name}_adapter.py has no class {name.capitalize()}WebSocketAdapter")


def _load(home: Path, load: Callable[[], object]) -> "Kind":
    with known_names(home):
        value = _patiently(load)
    from .base import BaseBrokerWebSocketAdapter  # noqa: PLC0415 - as above

    if not isinstance(value, type) or not issubclass(value, BaseBrokerWebSocketAdapter):
        raise TypeError(f"{value!r} is no subclass of BaseBrokerWebSocketAdapter")
    if missing := sorted(value.__abstractmethods__):
        raise TypeError(f"{value.__name__} lacks {', '.join(missing)}")
    return value


def _patiently(load: Callable[[], object]) -> object:
    """In a thread: a file that never returns must not keep the house closed."""
    told: list[object] = []

    def run() -> None:
        try:
            told.append(load())
        except BaseException as error:  # noqa: BLE001 - a file may even try to end the process
            told.append(error)

    thread = threading.Thread(target=run, name="load broker", daemon=True)
    thread.start()
    thread.join(LOAD_SECONDS)
    if not told:
        raise ImportError(f"it did not load within {LOAD_SECONDS:g} s")
    if isinstance(told[0], BaseException):
        raise ImportError(f"{type(told[0]).__name__}: {told[0]}") from told[0]
    return told[0]


# --- the names of the reference implementation ------------------------------------------------------------------------


class _Finder:
    """Finds our modules by the reference's names, and ``broker`` in the home folder."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._ours = reference_modules()

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name in self._ours:
            return ModuleSpec(name, self, is_package=name in _SCOPE)  # type: ignore[arg-type] # a loader by its methods
        if name == "broker":
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(self._home / "broker")]
            return spec
        return None

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(self._ours[module.__name__])


def reference_modules() -> Modules:
    from . import factory  # noqa: PLC0415 - it creates what is loaded here

    return {
        "websocket_proxy": {},
        "websocket_proxy.base_adapter": {"BaseBrokerWebSocketAdapter": factory.BaseBrokerWebSocketAdapter},
        "websocket_proxy.broker_factory": {name: getattr(factory, name) for name in factory.__all__},
    }


@contextmanager
def known_names(home: Path) -> Iterator[None]:
    """The names resolve inside; afterwards `sys.modules` and `sys.meta_path` are what they were."""
    finder = _Finder(home)
    with _lock:
        before = {name: sys.modules.pop(name) for name in list(sys.modules) if _scoped(name)}
        sys.meta_path.insert(0, finder)
        try:
            yield
        finally:
            sys.meta_path.remove(finder)
            for name in [name for name in sys.modules if _scoped(name)]:
                del sys.modules[name]
            sys.modules.update(before)


def _scoped(name: str) -> bool:
    return name.partition(".")[0] in _SCOPE
