"""Limits and switches from the command line, on the files of a house that nobody serves."""

from pathlib import Path
from typing import NamedTuple

import pytest
from tests.house import FIELDS, broker, open_house

from sangam.accounts.rules import HOUSE
from sangam.brokers.registry import Registry
from sangam.cli import main as cli
from sangam.model.enums import KeyMode, Product, Scope
from sangam.model.rules import Rules


class Run(NamedTuple):
    path: Path
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> str:
        self.patch.setattr("sys.argv", ["sangam", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = self.capture.readouterr()
        return said.out if not left.value.code else f"{left.value.code}: {said.err}"

    def noted(self, *words: str) -> str:
        """What a command that prints nothing says beside."""
        self.patch.setattr("sys.argv", ["sangam", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert not left.value.code
        return self.capture.readouterr().err

    def rules(self, account: str) -> Rules:
        house = open_house(self.path)
        try:
            return house.accounts.rules[account]
        finally:
            house.database.close()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    house = open_house(tmp_path)
    house.accounts.create("asha", broker().name, FIELDS)
    house.database.close()
    monkeypatch.setenv("SANGAM_HOME", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr("sangam.cli.backend.known_brokers", lambda settings: Registry([broker()]))
    return Run(tmp_path, monkeypatch, capsys)


def test_limits_are_set_shown_and_cleared(run: Run) -> None:
    run("risk", "set", "--max-quantity", "1800", "--price-band", "3.5")
    run("risk", "set", "--account", broker().name, "--symbol", "NFO:NIFTY*", "--product", "MIS", "--product", "NRML")
    own = f"asha-{broker().name}"
    assert run.rules(HOUSE) == Rules(max_quantity=1800, price_band=3.5)
    assert run.rules(own) == Rules(symbols=("NFO:NIFTY*",), products=(Product.MIS, Product.NRML))
    shown = run("risk", "show")
    assert "1800" in shown
    assert "3.5" in shown
    assert "NFO:NIFTY*" in shown
    run("risk", "set", "--account", own, "--clear", "symbols")
    assert run.rules(own) == Rules(products=(Product.MIS, Product.NRML))


def test_the_kill_switch(run: Run) -> None:
    run("risk", "kill")
    assert run.rules(HOUSE).killed
    assert "YES" in run("risk", "show")
    run("risk", "resume")
    assert not run.rules(HOUSE).killed


def test_whoever_resumes_is_told_what_is_stopped_still(run: Run) -> None:
    own = f"asha-{broker().name}"
    run("risk", "kill", "--account", own)
    run("risk", "kill")
    assert "that of the house is not" in run.noted("risk", "resume", "--account", own)
    run("risk", "kill", "--account", own)
    assert f"Still stopped: {own}." in run.noted("risk", "resume")
    assert run.noted("risk", "resume", "--account", own) == f"Orders of {own} pass again.\n"


def test_a_wrong_limit_is_told_in_one_line(run: Run) -> None:
    assert run("risk", "set", "--max-quantity", "0").startswith("1: max_quantity must be more than 0")
    assert run("risk", "set", "--clear", "speed").startswith("1: No such limit: speed.")


def test_the_analyzer_and_pinned_keys(run: Run) -> None:
    key = run("key", "create", "--user", "asha", "--mode", "live").strip()
    follows = run("key", "create", "--user", "asha").strip()
    run("user", "analyzer", "on", "--user", "asha")
    assert "paper" in run("user", "list")
    house = open_house(run.path)
    try:
        assert house.accounts.authenticate(key).mode is KeyMode.LIVE
        assert not house.accounts.authenticate(key).on_paper
        assert house.accounts.authenticate(follows).on_paper
        assert house.accounts.authenticate(follows).may(Scope.ORDERS_WRITE)
    finally:
        house.database.close()
    assert "live" in run("key", "list")
