"""Verifications of an account, by the running server and against simulated brokers."""

import asyncio
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from tests.conformance.cases import CASES
from tests.support import wait_for
from tests.verified import QUICK, Verified, failed, verdicts, verified

from sangam import simulators
from sangam.brokers import registry
from sangam.brokers.contract import BrokerSpec, Session
from sangam.model.calendar import Calendar
from sangam.model.errors import InvalidInput
from sangam.orders.reconciler import Reconciler
from sangam.simulators.kite_rest import error
from sangam.simulators.mishaps import Mishap
from sangam.transport.http import HttpDriver
from sangam.verify import needs
from sangam.verify.checks import CHECKS
from sangam.verify.report import block

BROKERS = [
    spec.name for spec in registry.load() if not spec.simulated and not spec.sandbox and spec.name in simulators.names()
]
TRADING = [spec.name for spec in registry.load() if spec.trading is not None and spec.name in BROKERS]
ONE = "zerodha"


class Closed(Calendar):
    def is_open(self, now_ms: int, exchange: object) -> bool:
        return False


async def test_each_check_bears_the_number_and_the_needs_of_a_conformance_case() -> None:
    for check in CHECKS.values():
        assert [str(need) for need in check.needs] == [str(need) for need in CASES[check.id].needs], check.id
        assert check.title
        assert all(list(CHECKS).index(other) < list(CHECKS).index(check.id) for other in check.after)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every operation that may change anything at a broker (orders, GTTs, conversions) is driven with `sending`."""
    run, told = HttpDriver.run, []

    async def noted(self: HttpDriver, spec: BrokerSpec, session: Session, operation: Any, **options: Any) -> Any:
        if options.get("sending") is not None:
            told.append(operation.__name__)
        return await run(self, spec, session, operation, **options)

    monkeypatch.setattr(HttpDriver, "run", noted)
    return told


@pytest.mark.parametrize("broker", BROKERS)
async def test_every_simulated_broker_passes_and_nothing_is_ordered_unasked(
    tmp_path: Path, broker: str, writes: list[str]
) -> None:
    async with verified(tmp_path, broker) as house:
        results = await house.results()
        assert not failed(results)
        assert results["LOGIN-01"][0] == results["STREAM-01"][0] == "ok"
        assert results["DATA-01"][0] == ("ok" if needs.QUOTES.offered(registry.load()[broker]) else "skipped")
        assert house.orders == []
        assert writes == []
        if broker in TRADING:
            assert results["TRADE-02"] == ("skipped", "orders are tried with --orders only")


@pytest.mark.parametrize("broker", TRADING)
async def test_one_small_order_is_placed_found_changed_and_cancelled(
    tmp_path: Path, broker: str, writes: list[str]
) -> None:
    async with verified(tmp_path, broker) as house:
        results = await house.results(orders=True)
        assert not failed(results)
        assert len(writes) == 3, writes
        assert results["TRADE-02"][0] == results["TRADE-15"][0] == results["TRADE-17"][0] == "ok"
        (order,) = house.orders
        assert (order.status, order.quantity, order.filled_quantity) == ("cancelled", 1, 0)
        journal = house.app._orders.journal.of(house.account)
        assert [(row.state, row.strategy) for row in journal] == [("cancelled", "verify")]


async def test_a_sandbox_is_tried_in_full_unasked(tmp_path: Path) -> None:
    async with verified(tmp_path, ONE, calendar=Closed(), change=lambda spec: replace(spec, sandbox=True)) as house:
        results = await house.results()
        assert not failed(results)
        assert [order.status for order in house.orders] == ["cancelled"]


async def test_a_closed_market_sends_nothing(tmp_path: Path) -> None:
    async with verified(tmp_path, ONE, calendar=Closed()) as house:
        results = await house.results(orders=True)
        assert not failed(results)
        assert results["TRADE-02"] == ("skipped", "NSE is closed now")
        assert results["TRADE-17"] == ("skipped", "TRADE-02 did not pass")
        assert results["DATA-01"][0] == "ok"
        assert house.orders == []


async def test_a_dead_token_fails_at_once_and_nothing_else_is_asked(tmp_path: Path) -> None:
    async with verified(tmp_path, ONE) as house:
        await house.results()
        house.simulator.expire_token()
        run = await house.start(orders=True)
        results = verdicts(await house.told(run))
        assert list(failed(results)) == ["LOGIN-01"]
        assert {reason for verdict, reason in results.values() if verdict == "skipped"} >= {"LOGIN-01 did not pass"}
        assert house.orders == []


async def test_each_verification_asks_anew_what_the_broker_says_to_a_false_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with verified(tmp_path, ONE) as house:
        for _ in range(2):
            assert (await house.results())["LOGIN-02"][0] == "ok"
        assert "nothing is asked with it any more" not in caplog.text


async def test_an_account_without_a_session_is_told_how_to_log_in(tmp_path: Path) -> None:
    async with verified(tmp_path, ONE) as house:
        await house.app.administer("account/logout", {"account": house.account})
        with pytest.raises(InvalidInput, match=f"sangam account login {house.account}"):
            await house.start()


async def test_what_the_plan_does_not_hold_is_skipped_in_the_brokers_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with verified(tmp_path, ONE) as house:
        await house.results()
        monkeypatch.setattr(house.simulator, "refusal", lambda status: error(status, "PermissionException", "No plan"))
        house.simulator.faults.refuse_requests(403, 50, "/quote")
        results = await house.results()
        assert not failed(results)
        assert results["DATA-01"][0] == "skipped"
        assert "No plan" in results["DATA-01"][1]
        assert results["DATA-14"][0] == results["STREAM-01"][0] == "ok"


async def test_a_broken_stream_fails_and_says_what_did_not_come(tmp_path: Path) -> None:
    async with verified(tmp_path, ONE, patience=QUICK._replace(told=0.2, moved=0.2)) as house:
        house.simulator.faults.swallow_subscriptions = True
        results = await house.results()
        assert set(failed(results)) >= {"STREAM-01", "STREAM-02", "STREAM-03", "STREAM-27"}
        assert all(number.startswith("STREAM") for number in failed(results))
        assert "no price came within 0.2 s; the feed is" in results["STREAM-01"][1]


async def test_a_broker_in_trouble_fails_in_its_own_words(tmp_path: Path) -> None:
    async with verified(tmp_path, ONE) as house:
        await house.results()
        house.simulator.faults.refuse_requests(503, 10, "/portfolio")
        results = await house.results()
        assert set(failed(results)) == {"BOOKS-07", "BOOKS-08", "BOOKS-12", "BOOKS-13"}


async def test_an_order_in_doubt_is_found_and_cancelled(tmp_path: Path) -> None:
    async with verified(tmp_path, ONE) as house:
        await house.results()
        house.simulator.faults.mishap(Mishap.TAKEN_THEN_RESET)
        results = await house.results(orders=True)
        assert [order.status for order in house.orders] == ["cancelled"]
        assert results["TRADE-17"][0] in ("ok", "skipped")


async def test_a_cancel_that_fails_is_tried_again(tmp_path: Path) -> None:
    async with verified(tmp_path, ONE) as house:
        house.at_the_first_order(lambda: house.simulator.faults.mishap(Mishap.LOST_SERVER_ERROR, 2))
        results = await house.results(orders=True)
        assert {"TRADE-15", "TRADE-17"} <= set(failed(results))
        assert [order.status for order in house.orders] == ["cancelled"]


async def test_an_order_that_cannot_be_cancelled_is_told_loudly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with verified(tmp_path, ONE, patience=QUICK._replace(settled=1.0)) as house:
        house.at_the_first_order(lambda: house.simulator.faults.mishap(Mishap.LOST_SERVER_ERROR, 50))
        told = await house.told(await house.start(orders=True))
        (order,) = house.orders
        assert order.status == "open"
        assert order.order_id in told["standing"]
        assert "is open" in told["standing"]
        assert f"{house.account}: an order of the verification stands. {told['standing']}" in caplog.text
        house.simulator.faults.clear()


async def test_who_stops_it_leaves_no_order(tmp_path: Path) -> None:
    async with verified(tmp_path, ONE) as house:
        run = await house.start(orders=True)
        stopping: list[asyncio.Task[object]] = []

        def stop() -> None:
            stopping.append(asyncio.create_task(_stopped(house, run)))

        house.at_the_first_order(stop)
        told = await house.told(run)
        await wait_for(lambda: stopping and stopping[0].done(), what="the stop")
        assert told["standing"] == ""
        assert len(told["results"]) < len(CHECKS)
        assert [order.status for order in house.orders] == ["cancelled"]


async def _stopped(house: Verified, run: str) -> object:
    return await house.app.administer("verify/stop", {"run": run})


async def test_who_stops_it_before_the_order_is_journalled_leaves_none_either(tmp_path: Path) -> None:
    asked, compared = asyncio.Event(), asyncio.Event()

    async def ready(reconciler: Reconciler, account: str) -> None:
        asked.set()
        await compared.wait()

    with patch.object(Reconciler, "ready", ready):
        async with verified(tmp_path, ONE) as house:
            run = await house.start(orders=True)
            await asked.wait()
            stopping = asyncio.create_task(_stopped(house, run))
            await asyncio.wait({stopping}, timeout=0.3)
            compared.set()
            await stopping
            await wait_for(lambda: house.orders, what="the order that was under way")
            assert [order.status for order in house.orders] == ["cancelled"]


async def test_a_server_that_stops_leaves_no_order(tmp_path: Path) -> None:
    async with verified(tmp_path, ONE) as house:
        placed = asyncio.Event()
        house.at_the_first_order(placed.set)
        await house.start(orders=True)
        await placed.wait()
        await house.app.stop()
        assert [order.status for order in house.orders] == ["cancelled"]


async def test_the_users_own_switches_hold_for_it(tmp_path: Path) -> None:
    async with verified(tmp_path, ONE) as house:
        await house.app.administer("risk/kill", {"account": house.account, "on": True})
        assert (await house.results(orders=True))["TRADE-02"][0] == "skipped"
        await house.app.administer("risk/kill", {"account": house.account, "on": False})
        await house.app.administer("user/analyzer", {"user": "asha", "on": True})
        reason = "the user's orders go to paper now (analyzer)"
        assert (await house.results(orders=True))["TRADE-02"] == ("skipped", reason)
        assert house.orders == []


async def test_an_account_is_verified_once_at_a_time(tmp_path: Path) -> None:
    async with verified(tmp_path, ONE) as house:
        run = await house.start()
        with pytest.raises(InvalidInput, match="being verified already"):
            await house.start()
        await house.told(run)
        await house.told(await house.start())
        with pytest.raises(InvalidInput, match="no verification"):
            await house.told(run)


async def test_the_text_to_send_names_neither_account_nor_client(tmp_path: Path) -> None:
    async with verified(tmp_path, ONE) as house:
        await house.results()
        house.simulator.faults.refuse_requests(503, 5, "/quote")
        text = block(await house.told(await house.start()))
        assert text.startswith("sangam ")
        assert "LOGIN 2 of 2" in text
        assert "DATA-01 failed" in text
        assert house.account not in text
        assert not [secret for secret in house.simulator.credentials.values() if secret in text]
        assert str(date(2026, 8, 18)) in text
