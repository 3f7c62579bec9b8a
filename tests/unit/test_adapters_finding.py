"""Users' adapters are found and loaded by the reference's names, which are gone afterwards."""

import importlib
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
from tests.adapter_files import ADAPTER, write, write_acme, write_faulty

from sangam.adapters import factory, finding
from sangam.adapters.base import BaseBrokerWebSocketAdapter
from sangam.brokers import registry
from sangam.model.enums import Mode


def reported(home: Path) -> tuple[list[str], dict[str, str]]:
    """The brokers beside those of the house, and what was reported."""
    told: dict[str, str] = {}
    found = finding.brokers(home, lambda name, error: told.__setitem__(name, str(error)))
    return sorted(set(found.names) - set(registry.load().names)), told


def test_a_file_is_a_broker_and_leaves_no_names_behind(tmp_path: Path) -> None:
    write_acme(tmp_path)
    path, modules = list(sys.meta_path), set(sys.modules)
    assert reported(tmp_path) == (["acme"], {})
    assert sys.meta_path == path
    assert not {name for name in set(sys.modules) - modules if name.startswith(("broker", "websocket_proxy"))}
    for name in ("websocket_proxy.base_adapter", "broker.acme"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(name)
    spec = finding.brokers(tmp_path, lambda name, error: None)["acme"]
    assert [field.name for field in spec.login.fields if field.daily] == ["auth_token", "feed_token"]
    (stream,) = spec.streams
    assert stream.limits.symbols_per_socket == 50
    assert stream.carries.modes[Mode.DEPTH] == (5,)


def test_what_was_imported_under_these_names_before_is_there_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_acme(tmp_path)
    own = ModuleType("websocket_proxy")
    monkeypatch.setitem(sys.modules, "websocket_proxy", own)
    assert reported(tmp_path) == (["acme"], {})
    assert sys.modules["websocket_proxy"] is own


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_of_this_name", "nothing_of_this_name"),
        ("class Bad(", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("x = 1", "no class BadWebSocketAdapter"),
        ("class BadWebSocketAdapter: pass", "no subclass"),
        (
            "from websocket_proxy.base_adapter import BaseBrokerWebSocketAdapter as Base\n"
            "class BadWebSocketAdapter(Base): pass",
            "lacks connect",
        ),
        (ADAPTER.replace("Acme", "Bad").replace("MAX_SYMBOLS = 50", "MAX_SYMBOLS = 0"), "Expected `int` >= 1"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_and_spares_the_others(tmp_path: Path, text: str, reason: str) -> None:
    write(tmp_path, "bad", text)
    write_acme(tmp_path)
    found, told = reported(tmp_path)
    assert found == ["acme"]
    assert list(told) == ["bad"]
    assert reason in told["bad"]


def test_a_file_that_never_returns_does_not_keep_the_house_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "LOAD_SECONDS", 0.2)
    write(tmp_path, "bad", "import threading\nthreading.Event().wait(5)")
    write_acme(tmp_path)
    found, told = reported(tmp_path)
    assert (found, told) == (["acme"], {"bad": "it did not load within 0.2 s"})


def test_names_of_the_house_are_not_taken_and_odd_folders_are_none(tmp_path: Path) -> None:
    ours = registry.load().names[0]
    for name in (ours, "Odd Name", "other", "good_1", "good1"):
        write_faulty(tmp_path, name)
    (tmp_path / "broker" / "other" / "streaming" / "other_adapter.py").rename(tmp_path / "elsewhere.py")
    found, told = reported(tmp_path)
    assert (found, set(told)) == (["good1"], {"good_1", ours})


def test_a_package_offers_one_by_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "acme_package.py").write_text(ADAPTER.replace("broker.acme.streaming.vendor", "acme_vendor"))
    (site / "acme_vendor.py").write_text("Client = None")
    monkeypatch.syspath_prepend(str(site))
    point = EntryPoint("Packed", "acme_package:AcmeWebSocketAdapter", finding.ENTRY_POINTS)
    monkeypatch.setattr(finding, "entry_points", lambda group: [point] if group == finding.ENTRY_POINTS else [])
    assert reported(tmp_path) == (["packed"], {})


def test_the_factory_knows_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_acme(tmp_path)
    write(tmp_path, "bad", "x = 1")
    monkeypatch.setenv("SANGAM_HOME", str(tmp_path))
    monkeypatch.setattr(factory, "BROKER_ADAPTERS", dict(factory.BROKER_ADAPTERS))
    made, again = (factory.create_broker_adapter("Acme") for _ in range(2))
    assert type(made) is type(again) is factory.BROKER_ADAPTERS["acme"]
    assert isinstance(made, BaseBrokerWebSocketAdapter)
    with pytest.raises(ValueError, match="no class BadWebSocketAdapter"):
        factory.create_broker_adapter("bad")
    with pytest.raises(ValueError, match=r"Unsupported broker: nobody\. Known: acme, .*bad, .*paper") as told:
        factory.create_broker_adapter("nobody")
    assert all(name in str(told.value) for name in factory.BROKER_ADAPTERS)
