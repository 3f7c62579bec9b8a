"""The unmodified `openalgo` SDK 1.0.47 against our server (sdk-tests §5, item 8)."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.peers.environments import peer_command, peer_environment, run_peer
from tests.peers.served import IDLE_PING, Served

SUITE = Path(__file__).with_name("openalgo_suite.py")


def settings(served: Served) -> str:
    symbol, other = (dict(zip(("symbol", "exchange"), pair, strict=True)) for pair in (served.symbol, served.other))
    return json.dumps(
        {
            "ws_url": served.server.ws_url,
            "host": served.server.api_url,
            "key": served.key,
            "symbol": symbol,
            "other": other,
            "idle": 4 * IDLE_PING,
        }
    )


@pytest.mark.parametrize("check", ["connect", "bad_key", "three_modes", "unsubscribe", "two_clients", "idle"])
def test_sdk(served: Served, check: str) -> None:
    done = run_peer("openalgo", SUITE, check, settings(served), timeout=60)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nserver:\n{served.server.log_tail(1500)}"


def test_sdk_survives_a_restart(served: Served) -> None:
    client = subprocess.Popen(
        peer_command("openalgo", SUITE, "restart", settings(served)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=peer_environment(),
    )
    try:
        assert client.stdout is not None
        said = client.stdout.readline()
        if said == "RESTART\n":
            served.server.stop()
            served.server.start()
        output, errors = client.communicate("back\n", timeout=60)
    finally:
        client.kill()
        client.wait()
    assert said == "RESTART\n", errors
    assert client.returncode == 0, f"{output}{errors}\nserver:\n{served.server.log_tail(1500)}"
