"""Finding brokers: names, aliases, narrowing, and folders that fail to import."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sangam.brokers import registry
from sangam.brokers.paper import SPEC as PAPER
from sangam.brokers.registry import Registry
from sangam.brokers.zerodha import SPEC as ZERODHA
from sangam.model.errors import BrokerNotConfigured, ConfigError, UnknownBroker


def test_the_built_in_brokers_load_without_complaint() -> None:
    broken: list[str] = []
    known = registry.load(lambda folder, error: broken.append(f"{folder}: {error}"))
    assert broken == []
    assert {"paper", "zerodha"} <= set(known.names)
    assert known.names == sorted(known.names)
    assert len(known) == len(known.names) == len(list(known))


def test_a_shipped_name_without_facts_is_not_counted_and_tells_what_to_ask() -> None:
    known = registry.load()
    assert [one.name for one in known.unconfigured] == ["mandot"]
    assert "mandot" not in known.names
    with pytest.raises(BrokerNotConfigured, match=r"(?s)Mandot Securities .*sangam_brokers/mandot.toml") as caught:
        known["Mandot Securities"]
    assert list(caught.value.asks) == ["family", "hosts", "login"]


@pytest.mark.parametrize("name", ["zerodha", "ZERODHA", "Zerodha", " zerodha ", "kite", "Kite Connect", "kite-connect"])
def test_names_ignore_case_and_know_aliases(name: str) -> None:
    assert Registry([PAPER, ZERODHA])[name] is ZERODHA


@pytest.mark.parametrize("name", ["angelone", "", "zero dha x"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownBroker) as caught:
        Registry([ZERODHA, PAPER])[name]
    assert caught.value.known == ["paper", "zerodha"]
    assert str(caught.value) == f"Unknown broker '{name}'. Known brokers: paper, zerodha."


def test_narrowing() -> None:
    both = Registry([PAPER, ZERODHA])
    assert both.narrowed(["KITE"]).names == ["zerodha"]
    assert both.narrowed([]).names == both.narrowed([" "]).names == ["paper", "zerodha"]
    with pytest.raises(UnknownBroker):
        both.narrowed(["zerodha", "nobody"])
    with pytest.raises(UnknownBroker):
        both.narrowed(["zerodha"])["paper"]


def test_two_brokers_may_not_share_a_name() -> None:
    with pytest.raises(ConfigError, match="claimed by both"):
        Registry([replace(PAPER, aliases=("Kite",)), ZERODHA])


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package with one good broker, two broken ones, a folder of families and a plain module."""
    root = tmp_path / "some_brokers"
    for folder, source in {
        "": "",
        "good": "from sangam.brokers.paper import SPEC",
        "broken": "raise RuntimeError('does not import')",
        "empty": "",
        "families": "raise AssertionError('not a broker')",
    }.items():
        (root / folder).mkdir(exist_ok=True)
        (root / folder / "__init__.py").write_text(source)
    (root / "helper.py").write_text("raise AssertionError('not a folder')")
    monkeypatch.syspath_prepend(tmp_path)
    yield root.name
    for name in [name for name in sys.modules if name.partition(".")[0] == root.name]:
        del sys.modules[name]


def test_broken_folders_are_reported_and_skipped(package: str) -> None:
    reports: dict[str, Exception] = {}
    known = registry.load(reports.__setitem__, package)
    assert known.names == ["paper"]
    assert {folder: type(error) for folder, error in reports.items()} == {
        "broken": RuntimeError,
        "empty": AttributeError,
    }


def test_broken_folders_may_be_ignored(package: str) -> None:
    assert registry.load(package=package).names == ["paper"]
