"""The unmodified `openalgo` SDK 1.0.47 over REST: data, symbols, options and utilities, on the embedded market and on a
broker's wire; replies field by field as the contract has them (sdk-tests §5, items 1 to 4 and 7)."""

import ast
import json
from pathlib import Path

import httpx
import pytest
from tests.peers.environments import run_peer
from tests.peers.served import Served
from tests.support import wait_for_sync

SUITE = Path(__file__).with_name("openalgo_rest_suite.py")
CHECKS = [
    node.name.removeprefix("check_")
    for node in ast.parse(SUITE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")
]


@pytest.fixture(scope="module")
def results(served: Served) -> dict[str, str]:
    """What each check said; all run in one process."""
    share = {"apikey": served.key, "symbol": served.symbol[0], "exchange": served.symbol[1]}

    def listed() -> bool:
        return httpx.post(f"{served.server.api_url}/api/v1/symbol", json=share, trust_env=False).status_code == 200

    wait_for_sync(listed, timeout=20, what="instruments")
    told = json.dumps({"host": served.server.api_url, "key": served.key, "broker": served.broker})
    done = run_peer("openalgo", SUITE, told, timeout=180)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nserver:\n{served.server.log_tail(1500)}"
    answers: dict[str, str] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("check", CHECKS)
def test_sdk_rest(results: dict[str, str], served: Served, check: str) -> None:
    assert not results[check], f"{results[check]}\nserver:\n{served.server.log_tail(1500)}"
