"""``sangam verify``: beside a running server, and alone."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from tests.cli_run import CommandLine, Said, command_line, demo
from tests.simulator_thread import SimulatorThread
from tests.verified import QUICK, hasty, verified

from sangam.brokers import registry
from sangam.brokers.registry import Registry
from sangam.cli.verify import _followed
from sangam.model.errors import SangamError
from sangam.simulators.mishaps import Mishap

ONE = "zerodha"


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[CommandLine]:
    with command_line(tmp_path, monkeypatch, capfd) as line:
        yield line


def _failed(said: Said) -> list[object]:
    rows = json.loads(said.out)["results"] if said.out.startswith("{") else []
    return [(row["id"], row["reason"]) for row in rows if row["verdict"] == "failed"] or [said.out, said.err]


async def test_the_table_the_row_and_the_text_to_send(tmp_path: Path, line: CommandLine) -> None:
    async with verified(tmp_path, ONE) as house:
        said = await line.run("verify", ONE)
        assert said.code == 0, _failed(said)
        rows = said.out.splitlines()
        assert rows[0].split() == ["check", "about", "seconds", "why"]
        assert rows[1].split()[:5] == ["LOGIN-01", "ok", "A", "session", "is"]
        (heads,) = [number for number, row in enumerate(rows) if row.split()[:2] == ["LOGIN", "INSTR"]]
        assert rows[heads + 1].split()[:7] == [ONE, "2", "of", "2", "15", "of", "15"]
        assert any(row.startswith("sangam ") and row.endswith("without orders") for row in rows)
        assert "TRADE-02 skipped: orders are tried with --orders only" in rows
        assert house.orders == []


async def test_json_has_every_check(tmp_path: Path, line: CommandLine) -> None:
    async with verified(tmp_path, ONE) as house:
        said = await line.run("verify", house.account, "--json", "--orders", "--yes")
        assert said.code == 0, _failed(said)
        told = json.loads(said.out)
        assert (told["broker"], told["orders"], told["standing"], told["done"]) == (ONE, True, "", True)
        assert len(told["results"]) == told["of"]
        assert {row["id"]: row["verdict"] for row in told["results"]}["TRADE-17"] == "ok"
        assert house.account not in said.out


async def test_an_order_needs_a_yes(tmp_path: Path, line: CommandLine) -> None:
    async with verified(tmp_path, ONE) as house:
        said = await line.run("verify", ONE, "--orders")
        assert said.code == 1
        assert "give --yes" in said.err
        assert house.orders == []


async def test_a_failed_check_and_an_order_that_stands_are_exit_code_one(tmp_path: Path, line: CommandLine) -> None:
    async with verified(tmp_path, ONE, patience=QUICK._replace(settled=1.0)) as house:
        house.at_the_first_order(lambda: house.simulator.faults.mishap(Mishap.LOST_SERVER_ERROR, 50))
        said = await line.run("verify", ONE, "--orders", "--yes")
        assert said.code == 1
        assert "AN ORDER STANDS. BUY 1 NSE:" in said.err
        assert house.orders[0].order_id in said.err
        house.simulator.faults.clear()
        assert (await line.run("verify", "nobody")).code == 1


async def test_paper_accounts_have_their_streams_and_books_tried_too(tmp_path: Path, line: CommandLine) -> None:
    async with demo(tmp_path):
        said = await line.run("verify", "demo-paper", "--json", "--orders", "--yes")
        verdicts = {row["id"]: row["verdict"] for row in json.loads(said.out)["results"]}
        assert said.code == 0, _failed(said)
        assert verdicts["STREAM-03"] == "ok"
        assert verdicts["TRADE-02"] == verdicts["BOOKS-01"] == "skipped"


async def test_without_a_server_the_command_is_one(tmp_path: Path, line: CommandLine) -> None:
    brokers = Registry(map(hasty, registry.load()))
    with SimulatorThread(ONE) as simulator, patch.object(registry, "load", lambda *_: brokers):
        added = await line.run("account", "add", ONE, "--user", "asha", *simulator.account_options())
        assert added.code == 0, added
        said = await line.run("verify", "asha-zerodha", "--json")
        verdicts = {row["id"]: row["verdict"] for row in json.loads(said.out)["results"]}
        assert said.code == 0, _failed(said)
        assert verdicts["INSTR-12"] == verdicts["DATA-01"] == "ok"
        assert not simulator.ledger().orders
    assert not (tmp_path / "run.json").exists()
    assert (await line.run("verify", "asha-zerodha", "--json")).code == 1


@pytest.mark.parametrize("end", [SangamError("The server is gone."), KeyboardInterrupt()])
@pytest.mark.parametrize("orders", [True, False])
def test_who_loses_the_server_is_told_that_an_order_may_stand(
    capfd: pytest.CaptureFixture[str], end: BaseException, orders: bool
) -> None:
    def call(verb: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        raise end

    begun = {"run": "1", "results": [], "of": 3, "done": False, "orders": orders}
    with pytest.raises(type(end)):
        _followed(call, begun)
    assert ("WHETHER AN ORDER STANDS IS NOT KNOWN" in capfd.readouterr().err) is orders
