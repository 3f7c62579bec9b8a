import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(os.name == "nt", reason="ended by a POSIX signal")
def test_simulate_prints_addresses_and_credentials_and_a_command_to_paste(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("sangam")), "simulate", "zerodha"]
    environment = os.environ | {"SANGAM_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            rows = {}
            while "user_id" not in rows:
                line = process.stdout.readline()
                assert line, process.stderr.read()
                _, name, value = line.split()
                rows[name] = value
            told = [process.stderr.readline() for _ in range(3)][-1]
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 130
        finally:
            process.kill()  # where signals of the terminal are ignored
    assert rows["api"].startswith("http://127.0.0.1:")
    assert rows["stream"].startswith("ws://127.0.0.1:")
    assert told.startswith("sangam account add zerodha")
    for option in ("--set api_key=", "--set access_token=", f"--host api={rows['api']}"):
        assert option in told
    assert "user_id" not in told
