"""The unmodified `openalgo` SDK 1.0.47 trades: every order and book method on the paper book and on a broker's wire,
replies field by field as the contract has them (sdk-tests §5, items 1 to 7)."""

import ast
import json
from pathlib import Path

import httpx
import pytest
from tests.peers.environments import run_peer
from tests.peers.served import Served
from tests.support import wait_for_sync

SUITE = Path(__file__).with_name("openalgo_orders_suite.py")
CHECKS = [
    node.name.removeprefix("check_")
    for node in ast.parse(SUITE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")
]


@pytest.fixture(scope="module")
def results(served: Served) -> dict[str, str]:
    """What each check said; all run in one process, one after another."""
    share = {"apikey": served.key, "symbol": served.symbol[0], "exchange": served.symbol[1]}

    def quoted() -> bool:
        return httpx.post(f"{served.server.api_url}/api/v1/quotes", json=share, trust_env=False).status_code == 200

    wait_for_sync(quoted, timeout=20, what="prices")
    mode = "analyze" if served.simulator is None else "live"
    told = json.dumps({"host": served.server.api_url, "key": served.key, "broker": served.broker, "mode": mode})
    done = run_peer("openalgo", SUITE, told, timeout=300)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nserver:\n{served.server.log_tail(1500)}"
    answers: dict[str, str] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("check", CHECKS)
def test_sdk_trades(results: dict[str, str], served: Served, check: str) -> None:
    assert not results[check], f"{results[check]}\nserver:\n{served.server.log_tail(1500)}"
