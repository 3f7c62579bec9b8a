"""An official decoder in a process of its own: a line goes in, a JSON line comes back."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.peers.environments import peer_command, peer_environment

Ask = Callable[[str], Any]
Decode = Callable[[bytes], Any]


@contextmanager
def asking(peer: str, script: Path, *args: str) -> Iterator[Ask]:
    command = peer_command(peer, script, *args)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=peer_environment()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def ask(line: str) -> Any:
            stdin.write(line + "\n")
            stdin.flush()
            return json.loads(stdout.readline())

        yield ask
        stdin.close()


@contextmanager
def decoding(peer: str, script: Path) -> Iterator[Decode]:
    """A frame goes in as hex."""
    with asking(peer, script) as ask:
        yield lambda frame: ask(frame.hex())
