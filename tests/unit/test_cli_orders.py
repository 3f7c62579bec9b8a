"""``sangam orders`` beside a running server: look, settle, export."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli_run import ACCOUNT, CommandLine, command_line, demo, order
from tests.orders_support import an_order
from tests.support import wait_for

from sangam.app.server import App
from sangam.model.order import OrderState, TradingMode


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[CommandLine]:
    with command_line(tmp_path, monkeypatch, capfd) as line:
        yield line


async def in_doubt(app: App) -> str:
    """An order of the demo account that was sent and never answered."""
    assert app._orders is not None
    now = app._orders._clock.now_ms()
    doubt = an_order(
        id="P-DDDDDDDDDD",
        account=ACCOUNT,
        user="demo",
        broker="paper",
        mode=TradingMode.PAPER,
        client_order_id="entry-7",
        state=OrderState.PENDING,
        created_at=now,
        updated_at=now,
    )
    journal = app._orders.journal
    await journal.add([doubt])
    await journal.sent(doubt, now)
    sent = journal.get(doubt.id)
    assert sent is not None
    app._orders.updates.doubtful(sent, "the connection broke before an answer came")
    await wait_for(lambda: journal.in_doubt(ACCOUNT) != [], what="the doubt")
    return doubt.id


async def test_orders_are_listed_shown_and_exported(tmp_path: Path, line: CommandLine) -> None:
    async with demo(tmp_path) as app:
        said = await line.run("orders", "list")
        assert (said.code, said.out, said.err) == (0, "", "No orders today.\n")
        filled = await order(app)
        await order(app, pricetype="LIMIT", price=1, action="BUY")

        async def is_written() -> bool:
            return "ORDER_FILLED" in (await line.run("orders", "show", filled)).out

        await wait_for(is_written, what="the fill in the journal")

        rows = (await line.run("orders", "list", "--account", "demo-paper")).out.splitlines()
        assert rows[0].split()[:4] == ["id", "account", "symbol", "side"]
        newest, oldest = rows[1], rows[2]
        assert newest.split()[2:7] == ["NSE:SBIN", "BUY", "0/10", "LIMIT", "1"]
        assert "open" in newest
        assert oldest.split()[0] == filled
        assert oldest.split()[4:8] == ["10/10", "MARKET", "0", "complete"]

        shown = await line.run("orders", "show", filled)
        assert "average_price" in shown.out
        events = [row.split()[3] for row in shown.out.split("number", 1)[1].splitlines()[1:]]
        assert events[0] == "ORDER_PENDING"
        assert events[-1] == "ORDER_FILLED"

        said = await line.run("orders", "export")
        trail = [json.loads(row) for row in said.out.splitlines()]
        assert [entry["seq"] for entry in trail] == sorted(entry["seq"] for entry in trail)
        assert {entry["order"]["id"] for entry in trail} == {row.split()[0] for row in rows[1:]}
        assert (await line.run("orders", "export", "--from", "2020-01-01", "--to", "2020-01-02")).out == ""


async def test_an_order_in_doubt_is_settled_by_hand_with_a_reason(tmp_path: Path, line: CommandLine) -> None:
    async with demo(tmp_path) as app:
        id = await in_doubt(app)
        assert "unknown" in (await line.run("orders", "list")).out
        for wrong, told in (
            (("lost", "--note", "gone"), "complete, cancelled, rejected, open"),
            (("rejected", "--note", " "), "Say how you know (--note)"),
        ):
            said = await line.run("orders", "resolve", id, *wrong)
            assert said.code == 1
            assert told in said.err
        said = await line.run("orders", "resolve", "entry-7", "rejected", "--note", "not in the app, checked 10:42")
        assert said.code == 0
        assert said.err.endswith(f"\n{id} is rejected.\n")  # behind the log of the server, which is in this process
        shown = (await line.run("orders", "show", id)).out
        assert "Resolved by the command line: not in the app, checked 10:42" in shown

        async def is_written() -> bool:
            return "ORDER_RESOLVED" in (await line.run("orders", "show", id)).out

        await wait_for(is_written, what="the resolution in the journal")
        said = await line.run("orders", "resolve", id, "complete", "--note", "changed my mind")
        assert said.code == 1
        assert "not in doubt: it is rejected" in said.err


async def test_what_cannot_be_found_is_told_in_one_line(tmp_path: Path, line: CommandLine) -> None:
    said = await line.run("orders", "list")
    assert (said.code, said.out) == (1, "")
    assert "No server runs in" in said.err
    assert "sangam serve" in said.err
    async with demo(tmp_path):
        said = await line.run("orders", "show", "L-NOSUCH")
        assert said.code == 1
        assert said.err.startswith("Order L-NOSUCH is not in the journal of today")
        said = await line.run("orders", "list", "--account", "nobody")
        assert said.code == 1
        assert "nobody" in said.err
        said = await line.run("orders", "export", "--from", "2026-02-02", "--to", "2026-02-01")
        assert said.code == 2
        assert "is after --to" in said.err
        said = await line.run("orders", "export", "--from", "yesterday")
        assert said.code == 2
