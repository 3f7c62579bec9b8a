import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sangam.model.errors import ConfigError
from sangam.store.home import Home, HomeLocked, RunInfo

RUN = RunInfo(pid=42, api_host="", api_port=5001, websocket_host="::1", websocket_port=8766)


def test_the_lock_is_exclusive_and_tells_who_holds_it(tmp_path: Path) -> None:
    with Home(tmp_path) as holder:
        holder.write_run(RUN)
        with pytest.raises(HomeLocked, match=r"process 42, which serves http://127\.0\.0\.1:5001") as caught:
            Home(tmp_path).lock()
        assert caught.value.run == RUN
    with Home(tmp_path) as again:
        assert again.read_run() is None


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    script = f"""
import os, pathlib
from sangam.store.home import Home
Home(pathlib.Path({str(tmp_path)!r})).lock()
print("held", flush=True)
os._exit(9)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.strip() == "held"
    Home(tmp_path).write_run(RUN)
    with Home(tmp_path), pytest.raises(HomeLocked, match="by another process") as caught:
        Home(tmp_path).lock()
    assert caught.value.run is None, "a stranger may listen there by now, and would be sent the admin key"


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
def test_private_files_are_for_their_owner_only_and_replaced_whole(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home")
    home.write_private("x.key", "first")
    home.write_private("x.key", "second")
    assert home.read("x.key") == "second"
    assert stat.S_IMODE((home.path / "x.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    assert [file.name for file in home.path.iterdir()] == ["x.key"]


def test_urls_are_ones_a_client_can_connect_to() -> None:
    assert RUN.api_url == "http://127.0.0.1:5001"
    assert RUN.websocket_url == "ws://[::1]:8766"


def test_a_damaged_note_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"pid": ')
    assert Home(tmp_path).read_run() is None


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="SANGAM_HOME"):
        Home(tmp_path / "file" / "home")
