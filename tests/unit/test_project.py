"""Guards over the whole project: what no single module's test would notice."""

import importlib
import pkgutil
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from tests.support import ROOT

import sangam
from sangam.brokers import registry

SOURCE = ROOT / "src" / "sangam"
SCRIPTS = {f"sangam.store.{history}.env" for history in ("migrations", "journal_migrations")}  # run by Alembic
MODULES = sorted({module.name for module in pkgutil.walk_packages(sangam.__path__, "sangam.")} - SCRIPTS)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = {"requirements.lock": False, "requirements-dev.lock": True}
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_can_be_imported(name: str) -> None:
    importlib.import_module(name)


# --- no broker's name in generic code ---------------------------------------------------------------------------------


@cache
def broker_names() -> frozenset[str]:
    """Every name and alias, as letters and digits only; the embedded market is the house's own."""
    house = registry.load()
    names = {name for spec in house if not spec.simulated for name in (spec.name, *spec.aliases)}
    names |= {name for one in house.unconfigured for name in (one.name, *one.aliases)}
    return frozenset(re.sub(r"[^a-z0-9]", "", name.lower()) for name in names)


NAMED = (SOURCE / "client" / "kite.py", SOURCE / "client" / "__init__.py")
"""One class of the client library is called by its broker's name, as its users know it."""


def generic_files() -> list[Path]:
    """All source but each broker's own folder and simulator."""
    own = [SOURCE / "brokers" / name for name in registry.load().names] + [SOURCE / "brokers" / "families"]
    files = [path for path in SOURCE.rglob("*.py") if not any(folder in path.parents for folder in own)]
    return [path for path in files if path.parent != SOURCE / "simulators" and path not in NAMED]


@pytest.mark.parametrize("path", generic_files(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_no_generic_file_names_a_broker(path: Path) -> None:
    """Code, comments and docstrings alike: a name in generic code is a special case in waiting."""
    found = {word for word in re.findall(r"[a-z0-9]+", path.read_text().lower()) if word in broker_names()}
    assert not found, f"{path.relative_to(ROOT)} names {sorted(found)}"


# --- locks ------------------------------------------------------------------------------------------------------------


def pins(lock: str) -> dict[str, Version]:
    return {normal(name): Version(version) for name, version in PIN.findall((ROOT / lock).read_text())}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_satisfies_the_project(lock: str) -> None:
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    if LOCKS[lock]:
        wanted += PROJECT["dependency-groups"]["dev"]
    pinned = pins(lock)
    for requirement in map(Requirement, wanted):
        version = pinned.get(normal(requirement.name))
        assert version is not None, f"{requirement.name} is not in {lock}: run make lock"
        assert version in requirement.specifier, f"{requirement} is pinned to {version} in {lock}: run make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_is_hashed_and_tells_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.split("\n", 2)[2])
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"--(?:extra-)?index-url|--find-links|--trusted-host|file:|https?://|(?:^|\s)/", text)


def test_both_locks_hold_the_same_versions() -> None:
    runtime, everything = pins("requirements.lock"), pins("requirements-dev.lock")
    assert runtime == {name: everything.get(name) for name in runtime}
