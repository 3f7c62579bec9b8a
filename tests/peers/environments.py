"""The official clients, each in an environment of its own: their pins contradict ours and one another's.

`peer_python("openalgo")` builds ``.venv-peers/openalgo`` from ``requirements-openalgo.txt`` once and keeps it until
that file changes. Run as a program it builds them all, so that no test has to."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parent.parent / ".venv-peers"
BUILD_TIMEOUT = 600
AT_ONCE = 3
"""Builds wait for the network as much as for the processor."""


class PeerUnavailable(Exception):
    """A peer's environment could not be built (no network, no wheel for this platform)."""


def peer_names() -> list[str]:
    return sorted(path.stem.removeprefix("requirements-") for path in HERE.glob("requirements-*.txt"))


def build(name: str) -> Path:
    """The interpreter of a peer's environment, built if it is missing or its pins changed."""
    requirements = HERE / f"requirements-{name}.txt"
    target = ENVIRONMENTS / name
    python = target / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = target / ".built"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    ENVIRONMENTS.mkdir(exist_ok=True)
    with _locked(ENVIRONMENTS / f"{name}.lock"):
        if python.exists() and stamp.exists() and stamp.read_text() == wanted:
            return python
        shutil.rmtree(target, ignore_errors=True)
        # A copied interpreter may still be open for writing in a child that another build forked: "text file busy".
        venv.create(target, symlinks=os.name != "nt", with_pip=False)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
        install = [*pip, "install", "--quiet", "--no-deps"]
        try:
            done = subprocess.run(
                [*install, "-r", str(requirements)], capture_output=True, text=True, timeout=BUILD_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise PeerUnavailable(f"installing {requirements.name} took longer than {BUILD_TIMEOUT} s") from error
        if done.returncode:
            raise PeerUnavailable(f"installing {requirements.name} failed: {done.stderr.strip()[-600:]}")
        stamp.write_text(wanted)
    return python


def peer_python(name: str) -> Path:
    """`build`, for tests: where it cannot be built the test is skipped, except in CI: no check passes by absence."""
    import pytest  # the program below runs before anything needs pytest

    try:
        return build(name)
    except PeerUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def run_peer(
    name: str, script: Path, *args: str, stdin: str = "", timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a script with a peer's interpreter and nothing of our environment; its exit code is the caller's to judge."""
    return subprocess.run(
        peer_command(name, script, *args),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=peer_environment(),
        check=False,
    )


def peer_report(name: str, script: Path, plan: Mapping[str, Any], *args: str) -> dict[str, Any]:
    """What a script that reads its plan from standard input tells as one JSON object; it must end well."""
    done = run_peer(name, script, *args, stdin=json.dumps(plan))
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def peer_command(name: str, script: Path, *args: str) -> Sequence[str]:
    return [str(peer_python(name)), "-u", str(script), *args]


def peer_environment() -> dict[str, str]:
    """No proxy and no PYTHONPATH: the peer sees its own packages and the loopback only."""
    kept = ("PATH", "HOME", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
    environment = {key: os.environ[key] for key in kept if key in os.environ}
    return environment | {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost", "TZ": "Asia/Kolkata"}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One builder at a time over all processes; the others wait."""
    with path.open("a+b") as handle:
        if sys.platform == "win32":
            import msvcrt

            while True:
                with suppress(OSError):  # LK_LOCK gives up after ten tries, one a second
                    msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)
                    break
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Build every environment, some at a time; say what could not be built. In CI that is a failure."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        troubles = [trouble for trouble in pool.map(_trouble, peer_names()) if trouble]
    sys.stderr.writelines(f"{trouble}\n" for trouble in troubles)
    return int(bool(troubles and os.environ.get("CI")))


def _trouble(name: str) -> str:
    try:
        build(name)
    except PeerUnavailable as error:
        return f"peer {name}: {error}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
